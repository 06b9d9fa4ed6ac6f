/*
 * quantiles: what many durations look like: exact quantiles, and a histogram of ten buckets a decade. All values are
 * at hand and sorted, so nothing is estimated: the quantile q of n values is the smallest that at least q of them do
 * not exceed.
 */
#ifndef HT_QUANTILES_H
#define HT_QUANTILES_H

#include <stddef.h>
#include <stdint.h>

struct ht_quantiles {
	uint64_t count, sum, p50, p90, p99, p999, max; /* all 0 without values */
};
/* Sorts values in place. */
void ht_quantiles_of(struct ht_quantiles *q, uint64_t *values, size_t n);

/* Bucket 0 holds 0 and 1; bucket k the values v with bound(k) <= v < bound(k + 1), where bound(k) is 10^(k/10),
 * rounded up. */
#define HT_DURATION_BUCKETS 193
uint64_t ht_duration_bound(unsigned bucket);
unsigned ht_duration_bucket(uint64_t ns);

#endif
