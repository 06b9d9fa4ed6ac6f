/*
 * estimate: the numbers of a sampled trace (HEAPTIDE_SAMPLE). The other passes count what is in the file; this one
 * lets every sample stand for the blocks that it speaks for, and puts its sums in their place.
 *
 * A block of s bytes is in the trace with probability p = 1 - exp(-max(s, 1) / rate), each for itself. So 1/p blocks
 * and s/p bytes is what it adds to a sum, whose mean is then the truth (Horvitz and Thompson, 1952); and
 * (1 - p)/p^2 y^2 is what it adds to the estimate of the sum's variance, y being 1 or s. A sum over blocks that are live at an
 * instant is a sum like any other. A maximum is not: of many noisy levels it takes a high one.
 */
#ifndef HT_ESTIMATE_H
#define HT_ESTIMATE_H

#include "pass.h"
#include "tally.h"

struct ht_estimate;

/* What a block counts for in passes that add up integers: itself; in a sampled trace what it stands for, in
 * 1/4096, which ht_amount_whole takes away from the sum again. */
struct ht_amount {
	uint64_t objects, bytes;
};
#define HT_AMOUNT_ONE 4096
struct ht_amount ht_amount_estimated(const struct ht_analysis *a, uint64_t size);
static inline struct ht_amount ht_amount_of(const struct ht_analysis *a, uint64_t size)
{
	if (__builtin_expect(a->sample_bytes != 0, 0))
		return ht_amount_estimated(a, size);
	return (struct ht_amount){1, size};
}
static inline void ht_amount_whole(const struct ht_analysis *a, uint64_t *sum)
{
	if (a->sample_bytes)
		*sum = (*sum + HT_AMOUNT_ONE / 2) / HT_AMOUNT_ONE;
}

/* NULL when every allocation is in the trace. */
struct ht_estimate *ht_estimate_new(struct ht_analysis *a);
struct ht_pass ht_estimate_pass(struct ht_estimate *e);
/* After ht_tally_finish: into the analysis' totals, images, threads, sizes and sites. */
void ht_estimate_finish(struct ht_estimate *e);

void ht_spreads_free(struct ht_spread_pool *p);

#endif
