/*
 * lifespans: how long blocks lived, as histograms on a logarithmic scale, one per row of the grouping
 * (options.by), and as a sum per stack. Kept only with options.lifetimes; the population is that of rows:
 * selected blocks that the row filters let through.
 *
 * A class is a quarter of a power of two, so that a percentile is right within 19 %. A block whose death
 * nobody saw (implied) has no lifespan.
 */
#ifndef HT_LIFESPANS_H
#define HT_LIFESPANS_H

#include "analyze.h"

/* Below 2^8 ns all is one class, from 2^42 ns (73 minutes) on another. */
enum { HT_LIFESPAN_FIRST = 8, HT_LIFESPAN_LAST = 42, HT_LIFESPAN_CLASSES = (HT_LIFESPAN_LAST - HT_LIFESPAN_FIRST) * 4 + 2 };

struct ht_lifespan {
	uint64_t frees; /* sum of classes; of estimates, but for their rounding */
	uint64_t max_ns; /* of deaths that were taken back, too: percentile 1 is the longest that stands */
	uint64_t *classes; /* HT_LIFESPAN_CLASSES */
};

/* Where class k begins; k = HT_LIFESPAN_CLASSES: where the last one ends. */
uint64_t ht_lifespan_bound(unsigned k);
/* The time within which this share (0 to 1) of the blocks died, at most max_ns; 0 when there is none. */
uint64_t ht_lifespan_percentile(const struct ht_lifespan *l, double share);

/* Of a row of ht_analysis_rows, NULL when no block of it was seen to die. */
const struct ht_lifespan *ht_row_lifespan(const struct ht_analysis *a, const struct ht_row *row);
/* Of a stack's blocks, up to their deaths or to the end; 0 without options.lifetimes. */
uint64_t ht_stack_lifespan_ns(const struct ht_analysis *a, uint32_t node);

/* --- private to lib/analyze --------------------------------------------------------------- */

struct ht_pass;
struct ht_lifespans;
struct ht_lifespans *ht_lifespans_new(struct ht_analysis *a);
struct ht_pass ht_lifespans_pass(struct ht_lifespans *l);
void ht_lifespans_free(struct ht_lifespans *l);

#endif
