/* quantiles: see quantiles.h. */
#include "quantiles.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Of sorted values, 0 < share <= 1; 0 without any. */
static uint64_t quantile(const uint64_t *sorted, size_t n, double share)
{
	if (!n)
		return 0;
	/* A share such as 0.9 is not exact: 0.9 * 10 must be the ninth. */
	double rank = ceil(share * (double)n - 1e-9);
	size_t at = rank < 1 ? 0 : (size_t)rank - 1;
	return sorted[at < n ? at : n - 1];
}

void ht_quantiles_of(struct ht_quantiles *q, uint64_t *values, size_t n)
{
	*q = (struct ht_quantiles){.count = n};
	if (!n)
		return;
	qsort(values, n, sizeof(*values), by_value);
	for (size_t i = 0; i < n; i++)
		q->sum += values[i];
	q->p50 = quantile(values, n, 0.5);
	q->p90 = quantile(values, n, 0.9);
	q->p99 = quantile(values, n, 0.99);
	q->p999 = quantile(values, n, 0.999);
	q->max = values[n - 1];
}

uint64_t ht_duration_bound(unsigned bucket)
{
	if (bucket >= HT_DURATION_BUCKETS)
		return UINT64_MAX;
	if (!bucket)
		return 0;
	/* Whole powers of ten are exact; pow is so only nearly. */
	double v = pow(10, bucket / 10.0);
	return (uint64_t)(bucket % 10 ? ceil(v) : nearbyint(v));
}

unsigned ht_duration_bucket(uint64_t ns)
{
	if (ns < 2)
		return 0;
	double guess = floor(10 * log10((double)ns));
	unsigned k = guess < HT_DURATION_BUCKETS - 1 ? (unsigned)guess : HT_DURATION_BUCKETS - 1;
	while (k && ht_duration_bound(k) > ns)
		k--;
	while (k + 1 < HT_DURATION_BUCKETS && ht_duration_bound(k + 1) <= ns)
		k++;
	return k;
}
