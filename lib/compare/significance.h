/*
 * significance: is the difference between two sets of runs news or noise?
 *
 * Per row (a function's allocations, say) there is one value from each run of the old build and each of the new one.
 *
 *   p          Wilcoxon's and Mann and Whitney's rank test, two-sided, exact: over all ways to deal the runs to two
 *              sides, the share in which the sums of (mid)ranks lie as far apart as they do. From 10,000 ways drawn
 *              with a fixed seed where there are more than 20,000; from fewer, at least 1,000, where very many rows vary.
 *   adjusted   the same dealing for all rows at once, after Westfall and Young (1993): the share in which the largest
 *              standardised difference among all rows that vary is as large as this row's. So that among rows
 *              that did not change, one is called news in 5 % of comparisons, however many rows there are, and rows that
 *              go up and down together cost nothing. Twice: with each row's own spread, and with one moderated by the
 *              other rows'; the smaller share, doubled.
 *   interval   95 % bootstrap of the relative change of means; deviations are stretched as Student's t wants it for few runs
 *
 * A row whose values agree within each side and differ between them did not vary: it is news without a test, `exact`.
 * Deterministic: equal values give equal answers.
 */
#ifndef HT_SIGNIFICANCE_H
#define HT_SIGNIFICANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HT_SIGNIFICANCE_LEVEL 0.05
#define HT_SIGNIFICANCE_RUNS 64u /* at most, both sides together */

struct ht_significance {
	double old_mean, new_mean;
	double p, adjusted; /* 1 for rows that are the same throughout */
	double low, high;   /* 95 % interval of new / old - 1; both NAN where old_mean is 0 */
	bool exact;	    /* constant on both sides */
	bool news;	    /* exact and different, or adjusted < HT_SIGNIFICANCE_LEVEL */
};

/* values[row * (old_runs + new_runs) + run], old runs first. At least 2 runs a side and at most HT_SIGNIFICANCE_RUNS
 * in all, else false. With fewer than 4 runs a side no p can reach 0.05: then only exact rows are news. */
bool ht_significance(const double *values, size_t rows, unsigned old_runs, unsigned new_runs, struct ht_significance *out);

#endif
