/* counters: adding up, and the metrics by which rows are ordered. See analyze.h. */
#include "tally.h"

#include <math.h>

const char *const ht_metric_names[HT_METRIC_COUNT] = {
	[HT_METRIC_PEAK] = "peak",     [HT_METRIC_LIVE] = "live",     [HT_METRIC_BYTES] = "bytes",
	[HT_METRIC_ALLOCS] = "allocs", [HT_METRIC_LEAKED] = "leaked", [HT_METRIC_TEMPORARY] = "temporary",
};

void ht_counters_add(struct ht_counters *a, const struct ht_counters *b)
{
	a->allocs += b->allocs;
	a->bytes += b->bytes;
	a->frees += b->frees;
	a->freed_bytes += b->freed_bytes;
	a->freed_here += b->freed_here;
	a->live_objects += b->live_objects;
	a->live_bytes += b->live_bytes;
	a->peak_objects += b->peak_objects;
	a->peak_bytes += b->peak_bytes;
	a->leaked_objects += b->leaked_objects;
	a->leaked_bytes += b->leaked_bytes;
	a->temporary += b->temporary;
	a->temporary_bytes += b->temporary_bytes;
	if (b->spread) {
		if (!a->spread)
			a->spread = ht_spread_new(b->spread->pool);
		for (size_t i = 0; i < HT_SPREAD_COUNT; i++)
			a->spread->variance[i] += b->spread->variance[i];
	}
	if (a->spread)
		a->spread->variance[HT_SPREAD_OWN_PEAK_BYTES] = 0;
	a->own_peak_known = false;
	a->own_peak_bytes = a->own_peak_objects = a->own_peak_time_ns = 0;
}

void ht_size_class_set(struct ht_size_class *s, unsigned k, const struct ht_counters *c)
{
	*s = (struct ht_size_class){
		.min = k ? UINT64_C(1) << (k - 1) : 0,
		.max = k ? UINT64_MAX >> (64 - k) : 0,
		.allocs = c->allocs,
		.bytes = c->bytes,
		.live_objects = c->live_objects,
		.live_bytes = c->live_bytes,
		.peak_objects = c->peak_objects,
		.peak_bytes = c->peak_bytes,
		.temporary = c->temporary,
		.spread = c->spread,
	};
}

double ht_counters_stderr(const struct ht_counters *c, enum ht_spread_of of)
{
	return c->spread ? sqrt(c->spread->variance[of]) : 0;
}

uint64_t ht_counters_metric(const struct ht_counters *c, enum ht_metric m)
{
	switch (m) {
	case HT_METRIC_LIVE:
		return c->live_bytes;
	case HT_METRIC_BYTES:
		return c->bytes;
	case HT_METRIC_ALLOCS:
		return c->allocs;
	case HT_METRIC_LEAKED:
		return c->leaked_bytes;
	case HT_METRIC_TEMPORARY:
		return c->temporary;
	default:
		return c->peak_bytes;
	}
}

uint64_t ht_counters_companion(const struct ht_counters *c, enum ht_metric m)
{
	switch (m) {
	case HT_METRIC_LIVE:
		return c->live_objects;
	case HT_METRIC_BYTES:
		return c->allocs;
	case HT_METRIC_ALLOCS:
		return c->bytes;
	case HT_METRIC_LEAKED:
		return c->leaked_objects;
	case HT_METRIC_TEMPORARY:
		return c->temporary_bytes;
	default:
		return c->peak_objects;
	}
}
