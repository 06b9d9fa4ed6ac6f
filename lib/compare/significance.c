/* significance: see significance.h. A dealing is a set of runs that play the old side; all rows share the dealings. */
#include "significance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

#define WAYS_EXACT 20000u
#define WAYS_DRAWN 10000u
#define WAYS_LEAST 1000u
#define WORK 20000000u /* dealings times rows that vary, about: some seconds */
#define RESAMPLES 1000u

/* splitmix64 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static unsigned below(uint64_t *state, unsigned n)
{
	return (unsigned)((next_random(state) >> 32) * n >> 32);
}

/* --- dealings ------------------------------------------------------------------------------ */

struct dealings {
	uint64_t *sets; /* bit i: run i plays the old side; [0] is how it was */
	size_t count;
};

/* How many ways there are, or more than WAYS_EXACT. */
static size_t ways(unsigned n, unsigned k)
{
	double c = 1;
	for (unsigned i = 1; i <= k; i++) {
		c = c * (n - k + i) / i;
		if (c > 1e9)
			break;
	}
	return c > WAYS_EXACT ? WAYS_EXACT + 1 : (size_t)(c + 0.5);
}

static uint64_t draw(uint64_t *state, unsigned n, unsigned k)
{
	uint64_t set = 0;
	for (unsigned taken = 0; taken < k;) {
		uint64_t bit = 1ull << below(state, n);
		taken += !(set & bit);
		set |= bit;
	}
	return set;
}

static struct dealings deal(unsigned n, unsigned k, size_t rows)
{
	struct dealings d = {NULL, ways(n, k)};
	size_t most = rows ? WORK / rows : WORK;
	most = most < WAYS_LEAST ? WAYS_LEAST : most > WAYS_EXACT ? WAYS_EXACT : most;
	uint64_t first = k == 64 ? UINT64_MAX : (1ull << k) - 1, state = 1;
	if (d.count > most) {
		d.count = most < WAYS_DRAWN ? most : WAYS_DRAWN;
		d.sets = ht_xcalloc(d.count, sizeof(*d.sets));
		d.sets[0] = first;
		for (size_t i = 1; i < d.count; i++)
			d.sets[i] = draw(&state, n, k);
		return d;
	}
	d.sets = ht_xcalloc(d.count, sizeof(*d.sets));
	uint64_t set = first;
	for (size_t i = 0; i < d.count; i++) {
		d.sets[i] = set;
		uint64_t low = set & -set, up = set + low; /* the next number with as many bits */
		set = up ? ((set ^ up) >> 2) / low | up : 0;
	}
	return d;
}

/* --- one row ------------------------------------------------------------------------------- */

struct row {
	const double *values;
	double rank[HT_SIGNIFICANCE_RUNS]; /* mid-ranks */
	double total, squares;		   /* of the values, centred */
	double centred[HT_SIGNIFICANCE_RUNS];
	bool varies; /* within a side */
};

static void rank_values(struct row *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned less = 0, equal = 0;
		for (unsigned k = 0; k < n; k++) {
			less += r->values[k] < r->values[i];
			equal += r->values[k] == r->values[i];
		}
		r->rank[i] = less + (equal + 1) / 2.0;
	}
}

static void centre(struct row *r, unsigned n)
{
	double mean = 0;
	for (unsigned i = 0; i < n; i++)
		mean += r->values[i] / n;
	double scale = mean != 0 ? fabs(mean) : 1;
	for (unsigned i = 0; i < n; i++) {
		r->centred[i] = (r->values[i] - mean) / scale;
		r->total += r->centred[i];
		r->squares += r->centred[i] * r->centred[i];
	}
}

/* Sum of the old side's entries. */
static double side_sum(const double *v, uint64_t set)
{
	double s = 0;
	for (; set; set &= set - 1)
		s += v[__builtin_ctzll(set)];
	return s;
}

/* Sum of squares within the sides of a dealing. */
static double spread(const struct row *r, double old_sum, unsigned old_runs, unsigned new_runs)
{
	double b = r->total - old_sum;
	double within = r->squares - old_sum * old_sum / old_runs - b * b / new_runs;
	return within > 0 ? within : 0;
}

/* What is usual among the rows, and how much it says about one of them: 0 nothing, 1 all. */
struct usual {
	double spread, weight;
};

/* The difference of means of a dealing over its spread, which is taken from the row itself and from what is usual among
 * the rows: five runs tell little about how much a row varies (Smyth's moderated t, 2004). */
static double spread_ratio(const struct row *r, uint64_t set, unsigned old_runs, unsigned new_runs, struct usual usual)
{
	double a = side_sum(r->centred, set), b = r->total - a;
	double within = (1 - usual.weight) * spread(r, a, old_runs, new_runs) + usual.weight * usual.spread;
	return fabs(a / old_runs - b / new_runs) / sqrt(within + 1e-18 + r->squares * 1e-12);
}

static double rank_test(const struct row *r, const struct dealings *d, unsigned old_runs, unsigned n)
{
	double expected = old_runs * (n + 1) / 2.0, seen = fabs(side_sum(r->rank, d->sets[0]) - expected);
	size_t as_far = 0;
	for (size_t i = 0; i < d->count; i++)
		as_far += fabs(side_sum(r->rank, d->sets[i]) - expected) >= seen - 1e-9;
	return (double)as_far / (double)d->count;
}

/* --- the interval -------------------------------------------------------------------------- */

/* Student's t over the normal quantile at 97.5 %, by degrees of freedom: how far few runs deceive. */
static double stretch(unsigned runs)
{
	static const double t975[] = {0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228};
	unsigned f = runs - 2 < 1 ? 1 : runs - 2;
	double t = f < HT_ARRAY_SIZE(t975) ? t975[f] : 1.96 + 2.5 / f;
	return t / 1.96;
}

static double mean_of(const double *v, unsigned n)
{
	double s = 0;
	for (unsigned i = 0; i < n; i++)
		s += v[i];
	return s / n;
}

static double resample(const double *v, unsigned n, uint64_t *state)
{
	double s = 0, mean = mean_of(v, n);
	for (unsigned i = 0; i < n; i++)
		s += v[below(state, n)];
	return mean + (s / n - mean) * sqrt(n / (n - 1.0)); /* n draws from n spread too little by that much */
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void interval(const struct row *r, unsigned old_runs, unsigned new_runs, struct ht_significance *s)
{
	double change[RESAMPLES];
	uint64_t state = 2;
	s->low = s->high = NAN;
	if (s->old_mean == 0)
		return;
	if (s->exact) {
		s->low = s->high = s->new_mean / s->old_mean - 1;
		return;
	}
	double centre_at = s->new_mean / s->old_mean - 1, wide = stretch(old_runs + new_runs);
	for (unsigned i = 0; i < RESAMPLES; i++) {
		double a = resample(r->values, old_runs, &state), b = resample(r->values + old_runs, new_runs, &state);
		change[i] = a != 0 ? centre_at + (b / a - 1 - centre_at) * wide : centre_at;
	}
	qsort(change, RESAMPLES, sizeof(*change), by_value);
	s->low = change[RESAMPLES / 40];
	s->high = change[RESAMPLES - 1 - RESAMPLES / 40];
}

/* --- all rows ------------------------------------------------------------------------------ */

static void examine(struct row *r, const double *values, unsigned old_runs, unsigned new_runs, struct ht_significance *s)
{
	unsigned n = old_runs + new_runs;
	*r = (struct row){.values = values};
	for (unsigned i = 0; i < n; i++)
		r->varies |= values[i] != values[i < old_runs ? 0 : old_runs];
	*s = (struct ht_significance){.old_mean = mean_of(values, old_runs),
				      .new_mean = mean_of(values + old_runs, new_runs),
				      .p = 1,
				      .adjusted = 1,
				      .exact = !r->varies};
	rank_values(r, n);
	centre(r, n);
}

/* From the rows that vary, as they were dealt. Logarithms of spreads of rows that vary alike would scatter by trigamma(f / 2)
 * for f degrees of freedom, about 2 / f; the more they scatter beyond that, the less one row says about another. */
static struct usual usual_spread(const struct row *rows, size_t count, uint64_t set, unsigned old_runs, unsigned new_runs)
{
	double *all = ht_xcalloc(count + 1, sizeof(*all)), mean = 0, scatter = 0, freedom = old_runs + new_runs - 2;
	struct usual u = {0, 0};
	size_t n = 0;
	for (size_t k = 0; k < count; k++) {
		double s = rows[k].varies ? spread(&rows[k], side_sum(rows[k].centred, set), old_runs, new_runs) : 0;
		if (s > 0)
			mean += log(all[n++] = s);
	}
	if (n > 2) {
		mean /= (double)n;
		for (size_t i = 0; i < n; i++)
			scatter += (log(all[i]) - mean) * (log(all[i]) - mean) / (double)(n - 1);
		double half = freedom / 2, beyond = scatter - (1 / half + 1 / (2 * half * half));
		double prior = beyond > 1e-3 ? 2 / beyond + 1 : 1e4; /* degrees of freedom that the other rows are worth */
		u = (struct usual){exp(mean), prior / (prior + freedom)};
	}
	free(all);
	return u;
}

/* The largest standardised difference among the rows that vary, for each dealing. */
static double *largest_ratios(const struct row *rows, size_t count, const struct dealings *d, unsigned old_runs,
			      unsigned new_runs, struct usual usual)
{
	double *largest = ht_xcalloc(d->count, sizeof(*largest));
	for (size_t k = 0; k < count; k++)
		for (size_t i = 0; rows[k].varies && i < d->count; i++) {
			double t = spread_ratio(&rows[k], d->sets[i], old_runs, new_runs, usual);
			if (t > largest[i])
				largest[i] = t;
		}
	return largest;
}

/* The share of dealings in which some row stands out as much as this one does. */
static double stands_out(const struct row *r, const struct dealings *d, unsigned old_runs, unsigned new_runs,
			 struct usual usual, const double *largest)
{
	double seen = spread_ratio(r, d->sets[0], old_runs, new_runs, usual);
	size_t as_large = 0;
	for (size_t i = 0; i < d->count; i++)
		as_large += largest[i] >= seen * (1 - 1e-9);
	return (double)as_large / (double)d->count;
}

bool ht_significance(const double *values, size_t rows, unsigned old_runs, unsigned new_runs, struct ht_significance *out)
{
	unsigned n = old_runs + new_runs;
	if (old_runs < 2 || new_runs < 2 || n > HT_SIGNIFICANCE_RUNS)
		return false;
	struct row *r = ht_xcalloc(rows + 1, sizeof(*r));
	size_t varying = 0;
	for (size_t k = 0; k < rows; k++) {
		examine(&r[k], values + k * n, old_runs, new_runs, &out[k]);
		varying += r[k].varies;
	}
	struct dealings d = deal(n, old_runs, varying);
	/* By what the others tell, and by the row alone: which of them sees more depends on how alike rows vary. */
	struct usual usual = usual_spread(r, rows, d.sets[0], old_runs, new_runs), alone = {0, 0};
	double *largest = largest_ratios(r, rows, &d, old_runs, new_runs, usual);
	double *largest_alone = largest_ratios(r, rows, &d, old_runs, new_runs, alone);
	for (size_t k = 0; k < rows; k++) {
		struct ht_significance *s = &out[k];
		bool differs = s->old_mean != s->new_mean;
		if (differs || r[k].varies)
			s->p = rank_test(&r[k], &d, old_runs, n);
		interval(&r[k], old_runs, new_runs, s);
		if (s->exact) {
			s->adjusted = differs ? s->p : 1;
			s->news = differs;
			continue;
		}
		double together = stands_out(&r[k], &d, old_runs, new_runs, usual, largest);
		double by_itself = stands_out(&r[k], &d, old_runs, new_runs, alone, largest_alone);
		s->adjusted = usual.weight > 0 ? fmin(1, 2 * fmin(together, by_itself)) : by_itself;
		s->news = s->adjusted < HT_SIGNIFICANCE_LEVEL;
	}
	free(largest);
	free(largest_alone);
	free(d.sets);
	free(r);
	return true;
}
