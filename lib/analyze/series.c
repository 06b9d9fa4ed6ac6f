/*
 * series: levels over time, for sparklines and curves, in slices of equal length. See census.h.
 *
 * Events of different threads may step back by up to 1 ms; the walk's order wins, so a slice once left
 * is not entered again.
 */
#include <stdlib.h>

#include "census.h"
#include "estimate.h"

static size_t slice_of(const struct ht_analysis *a, uint64_t ns)
{
	uint64_t first = a->totals.first_ns, last = a->totals.last_ns;
	if (ns <= first)
		return 0;
	if (ns >= last)
		return a->series_count - 1;
	return (size_t)((__uint128_t)(ns - first) * a->series_count / ((__uint128_t)(last - first) + 1));
}

void ht_series_init(struct ht_series *s, struct ht_analysis *a, const bool *image_selected)
{
	*s = (struct ht_series){.a = a, .image_selected = image_selected};
	a->series_count = a->options.series_buckets;
	a->series = ht_xcalloc(a->series_count, sizeof(*a->series));
	uint64_t span = a->totals.last_ns - a->totals.first_ns;
	for (size_t i = 0; i < a->series_count; i++)
		a->series[i].time_ns = a->totals.first_ns + (uint64_t)((__uint128_t)span * i / a->series_count);
}

/* The first time of slice i: the least ns of which slice_of says so. */
static uint64_t slice_begin(const struct ht_analysis *a, size_t i)
{
	uint64_t first = a->totals.first_ns, n = a->series_count;
	__uint128_t length = (__uint128_t)(a->totals.last_ns - first) + 1;
	return i < n ? first + (uint64_t)((length * i + n - 1) / n) : UINT64_MAX;
}

/* Goes on to the slice of time ns; slices passed over repeat the level. */
static __attribute__((noinline)) void go_on(struct ht_series *s, uint64_t ns)
{
	struct ht_analysis *a = s->a;
	size_t to = slice_of(a, ns);
	while (s->at < to) {
		a->series[s->at++].end_bytes = s->now_bytes;
		a->series[s->at].live_bytes = s->now_bytes;
		a->series[s->at].live_objects = s->now_objects;
	}
	s->next_ns = slice_begin(a, s->at + 1);
}

static inline struct ht_series_point *move_to(struct ht_series *s, uint64_t ns)
{
	if (__builtin_expect(ns >= s->next_ns, 0))
		go_on(s, ns);
	return &s->a->series[s->at];
}

/* The level is kept in locals: through pointers it would be written and read again at every step. */
static void series_steps(void *state, const struct ht_step *steps, size_t count)
{
	struct ht_series *s = state;
	struct ht_series_point *p = &s->a->series[s->at];
	uint64_t bytes = s->now_bytes, objects = s->now_objects, next_ns = s->next_ns;
	for (const struct ht_step *step = steps; step < steps + count; step++) {
		bool left = step->kind == HT_STEP_LEFT;
		if (!step->selected || (left && !step->op)) /* at the selection's end there is no moment more */
			continue;
		if (__builtin_expect(step->time_ns >= next_ns, 0)) {
			s->now_bytes = bytes;
			s->now_objects = objects;
			p = move_to(s, step->time_ns);
			next_ns = s->next_ns;
		}
		const struct ht_amount n = ht_amount_of(s->a, step->size);
		if (step->kind == HT_STEP_DEATH || left) {
			bytes -= n.bytes;
			objects -= n.objects;
			p->frees += left ? 0 : n.objects;
			continue;
		}
		bytes += n.bytes;
		objects += n.objects;
		p->allocs += step->kind == HT_STEP_BIRTH ? n.objects : 0;
		p->bytes += step->kind == HT_STEP_BIRTH ? n.bytes : 0;
		if (bytes > p->live_bytes) {
			p->live_bytes = bytes;
			p->live_objects = objects;
		}
	}
	s->now_bytes = bytes;
	s->now_objects = objects;
}

/* --- RSS ---------------------------------------------------------------------------------- */

/* A process' sample, or (rss 0) its end. */
struct rss_change {
	uint64_t time, rss;
	uint32_t image, order;
};

static int by_time(const void *pa, const void *pb)
{
	const struct rss_change *a = pa, *b = pb;
	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static struct rss_change *rss_changes(const struct ht_series *s, size_t *count)
{
	const struct ht_analysis *a = s->a;
	const struct ht_selection *sel = &a->options.selection;
	size_t n = ht_trace_sample_count(a->trace), kept = 0;
	const struct ht_sample *all = ht_trace_samples(a->trace);
	struct rss_change *changes = ht_xcalloc(n + a->image_count, sizeof(*changes));
	for (size_t i = 0; i < n; i++)
		if (all[i].image < a->image_count && s->image_selected[all[i].image] &&
		    all[i].time >= sel->from_ns && all[i].time <= sel->to_ns)
			changes[kept++] = (struct rss_change){all[i].time, all[i].rss_bytes, all[i].image, 0};
	size_t samples = kept;
	for (uint32_t i = 0; samples && i < a->image_count; i++) {
		uint64_t end = ht_trace_image(a->trace, i)->end_ns;
		if (end != UINT64_MAX && end <= sel->to_ns && s->image_selected[i])
			changes[kept++] = (struct rss_change){end, 0, i, 0};
	}
	for (size_t i = 0; i < kept; i++)
		changes[i].order = (uint32_t)i;
	qsort(changes, kept, sizeof(*changes), by_time);
	*count = kept;
	return changes;
}

/* The sum of the images' latest samples; an image that ended counts no more. */
static void sum_rss(struct ht_series *s)
{
	struct ht_analysis *a = s->a;
	size_t count, at = 0;
	struct rss_change *changes = rss_changes(s, &count);
	uint64_t *latest = ht_xcalloc(a->image_count, sizeof(*latest));
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		const struct rss_change *c = &changes[i];
		for (size_t to = a->series_count ? slice_of(a, c->time) : 0; at < to;)
			a->series[++at].rss_bytes = sum;
		sum += c->rss - latest[c->image];
		latest[c->image] = c->rss;
		if (a->series_count && sum > a->series[at].rss_bytes)
			a->series[at].rss_bytes = sum;
		if (sum > a->max_rss_bytes) {
			a->max_rss_bytes = sum;
			a->max_rss_time_ns = c->time;
		}
	}
	while (at + 1 < a->series_count)
		a->series[++at].rss_bytes = sum;
	a->has_rss = count > 0;
	free(latest);
	free(changes);
}

static void series_end(void *state, uint64_t last_ns)
{
	struct ht_series *s = state;
	struct ht_analysis *a = s->a;
	if (a->series_count) {
		move_to(s, a->totals.last_ns > last_ns ? a->totals.last_ns : last_ns);
		a->series[s->at].end_bytes = s->now_bytes;
	}
	for (size_t i = 0; i < a->series_count; i++) {
		struct ht_series_point *p = &a->series[i];
		uint64_t *sums[] = {&p->live_bytes, &p->live_objects, &p->end_bytes, &p->allocs, &p->frees, &p->bytes};
		for (size_t k = 0; k < HT_ARRAY_SIZE(sums); k++)
			ht_amount_whole(a, sums[k]);
	}
	sum_rss(s);
}

struct ht_pass ht_series_pass(struct ht_series *s)
{
	return (struct ht_pass){
		.name = "series",
		.state = s,
		.steps = s->a->series_count ? series_steps : NULL,
		.end = series_end,
	};
}
