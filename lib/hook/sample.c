/* sample: see sample.h. */
#include "sample.h"

/* Streams of random numbers differ by thread (in the order of their first allocations) and by process. */
static uint64_t process_salt;

HT_COLD bool ht_sample_draw(uint64_t bytes)
{
	static uint32_t streams;
	struct ht_sampler *s = &ht_self.sampler;
	uint64_t rate = ht_process.seg->sample_bytes;
	if (!s->random) {
		uint64_t stream = __atomic_add_fetch(&streams, 1, __ATOMIC_RELAXED);
		ht_sampler_seed(s, ht_process.seg->sample_seed ^ process_salt ^ ht_sampler_mix(stream), rate);
		if (!ht_sampler_hit(s, bytes))
			return true;
	}
	s->left = ht_sampler_gap(s, rate);
	return false;
}

HT_COLD bool ht_sample_admit(const void *p)
{
	struct ht_segment *seg = ht_process.seg;
	if (ht_sample_add(p))
		return true;
	__atomic_fetch_add(&seg->counted, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&seg->lost[HT_RING_LOST_NO_CONTEXT], 1, __ATOMIC_RELAXED);
	return false;
}

HT_COLD void ht_sample_forked(uint32_t token)
{
	process_salt = ht_sampler_mix(process_salt + token);
	ht_self.sampler = (struct ht_sampler){0, 0};
}

HT_COLD bool ht_sample_early(unsigned op, const void *p, uint64_t size)
{
	static const void *given_back; /* by the last realloc */
	bool known;
	switch (op) {
	case HT_REC_FREE:
	case HT_REC_DELETE:
		return ht_sample_dies(p);
	case HT_REC_REALLOC_FREE:
		known = ht_sample_dies(p);
		given_back = known ? p : NULL;
		return known;
	case HT_REC_REALLOC_UNDO:
		return given_back && ht_sample_admit(given_back);
	default:
		return !ht_sample_passes(size) && ht_sample_admit(p);
	}
}
