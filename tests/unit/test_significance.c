/*
 * significance: how often it cries wolf, and how often it sees one. Simulated runs of a build, five a side: rows that never vary,
 * rows that vary by themselves, rows that vary together with the load.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "significance.h"

enum { RUNS = 5, ROWS = 24, PAIRS = 1000 };

static uint64_t state = 7;

static double uniform(void) /* -1 to 1 */
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(state >> 11) / (double)(1ull << 52) - 1;
}

static double bell(void)
{
	double sum = 0;
	for (int i = 0; i < 12; i++)
		sum += uniform() / 2;
	return sum; /* variance 1 */
}

/* A pair of identical builds: a third of the rows does not vary, a third varies by itself by 0.2 to 3 %, a third with the
 * load of the run. planted: row 8, which varies by up to 1 % either way, has 2 % more on the new side. */
static void simulate(double *values, bool planted)
{
	double load[2 * RUNS];
	for (int run = 0; run < 2 * RUNS; run++)
		load[run] = 1 + 0.02 * bell();
	for (int row = 0; row < ROWS; row++) {
		double base = 100.0 * (row + 1) * (row + 1), noise = 0.002 + 0.028 * row / ROWS;
		for (int run = 0; run < 2 * RUNS; run++) {
			double v = base;
			if (row >= ROWS / 3 && row < 2 * ROWS / 3)
				v *= 1 + (row == 8 ? 0.01 * uniform() : noise * bell());
			if (row >= 2 * ROWS / 3)
				v *= load[run] * (1 + 0.001 * bell());
			if (planted && row == 8 && run >= RUNS)
				v *= 1.02;
			values[row * 2 * RUNS + run] = v;
		}
	}
}

static void identical_builds(void **unused)
{
	(void)unused;
	double values[ROWS * 2 * RUNS];
	struct ht_significance s[ROWS];
	int alarms = 0, small_p = 0, tested = 0, news_in_constant = 0;
	for (int pair = 0; pair < PAIRS; pair++) {
		simulate(values, false);
		assert_true(ht_significance(values, ROWS, RUNS, RUNS, s));
		bool any = false;
		for (int row = 0; row < ROWS; row++) {
			any |= s[row].news;
			news_in_constant += row < ROWS / 3 && (s[row].news || s[row].p < 1);
			tested += row >= ROWS / 3;
			small_p += row >= ROWS / 3 && s[row].p < 0.05;
		}
		alarms += any;
	}
	print_message("identical builds: news in %.1f %% of pairs, p < 0.05 in %.1f %% of rows\n", 100.0 * alarms / PAIRS,
		      100.0 * small_p / tested);
	assert_int_equal(news_in_constant, 0);
	assert_true(small_p <= 0.05 * tested);
	assert_true(alarms <= 0.05 * PAIRS + 2 * sqrt(0.05 * 0.95 * PAIRS));
}

static void planted_change(void **unused)
{
	(void)unused;
	double values[ROWS * 2 * RUNS];
	struct ht_significance s[ROWS];
	int found = 0, small_p = 0, covered = 0;
	for (int pair = 0; pair < PAIRS; pair++) {
		simulate(values, true);
		assert_true(ht_significance(values, ROWS, RUNS, RUNS, s));
		found += s[8].news;
		small_p += s[8].p < 0.05;
		covered += s[8].low <= 0.02 && s[8].high >= 0.02;
	}
	print_message("2 %% more under 1 %% of noise: p < 0.05 in %.1f %%, news in %.1f %%, in the interval in %.1f %% of pairs\n",
		      100.0 * small_p / PAIRS, 100.0 * found / PAIRS, 100.0 * covered / PAIRS);
	assert_true(small_p >= 0.95 * PAIRS);
	assert_true(found >= 0.7 * PAIRS); /* among sixteen rows that vary, most of them more */
	assert_true(covered >= 0.90 * PAIRS);
}

static void constant_rows(void **unused)
{
	(void)unused;
	const double values[] = {5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 0, 0, 0, 3, 3, 3};
	struct ht_significance s[3];
	assert_true(ht_significance(values, 3, 3, 3, s));
	assert_false(s[0].news);
	assert_true(s[0].p == 1);
	assert_true(s[1].news && s[1].exact);
	assert_true(fabs(s[1].p - 0.1) < 1e-9); /* 2 of 20 ways */
	assert_true(fabs(s[1].low - 0.2) < 1e-9 && fabs(s[1].high - 0.2) < 1e-9);
	assert_true(s[2].news && isnan(s[2].low));
}

/* The rank test against numbers that can be counted by hand. */
static void exact_p(void **unused)
{
	(void)unused;
	const double apart[] = {1, 2, 3, 4, 5, 6, 7, 8}, mixed[] = {1, 4, 5, 8, 2, 3, 6, 7}, ties[] = {1, 1, 1, 2, 1, 2, 2, 2};
	struct ht_significance s;
	assert_true(ht_significance(apart, 1, 4, 4, &s));
	assert_true(fabs(s.p - 2.0 / 70) < 1e-9);
	assert_true(s.news);
	assert_true(ht_significance(mixed, 1, 4, 4, &s));
	assert_true(s.p == 1);
	assert_true(ht_significance(ties, 1, 4, 4, &s));
	assert_true(fabs(s.p - 34.0 / 70) < 1e-9);
}

static void limits(void **unused)
{
	(void)unused;
	static double values[HT_SIGNIFICANCE_RUNS + 1];
	struct ht_significance s, again;
	for (unsigned i = 0; i <= HT_SIGNIFICANCE_RUNS; i++)
		values[i] = 100 + i % 7;
	assert_false(ht_significance(values, 1, 1, 5, &s));
	assert_false(ht_significance(values, 1, HT_SIGNIFICANCE_RUNS, 2, &s));
	assert_true(ht_significance(values, 1, HT_SIGNIFICANCE_RUNS / 2, HT_SIGNIFICANCE_RUNS / 2, &s));
	assert_true(ht_significance(values, 1, HT_SIGNIFICANCE_RUNS / 2, HT_SIGNIFICANCE_RUNS / 2, &again));
	assert_true(s.p == again.p && s.adjusted == again.adjusted && s.low == again.low && s.high == again.high);
	assert_true(s.old_mean == again.old_mean && s.new_mean == again.new_mean);
	assert_true(s.exact == again.exact && s.news == again.news);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identical_builds), cmocka_unit_test(planted_change), cmocka_unit_test(constant_rows),
		cmocka_unit_test(exact_p),	    cmocka_unit_test(limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
