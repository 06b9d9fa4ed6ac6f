/* sample: sampling in the hook: this thread's sampler, and what is done at a sampled block. */
#ifndef HT_SAMPLE_H
#define HT_SAMPLE_H

#include "hook.h"
#include "sample_set.h"

/* A sampled size, or a thread's first: true if the allocation is not in the sample after all. */
bool ht_sample_draw(uint64_t bytes);

/* True: not in the sample, there is nothing to do but to forward. */
HT_INLINE bool ht_sample_passes(uint64_t size)
{
	uint64_t bytes = ht_sampler_bytes(size);
	return HT_LIKELY(!ht_sampler_hit(&ht_self.sampler, bytes)) || ht_sample_draw(bytes);
}

/* True: surely not in the sample, and told. Else nothing has happened: ht_sample_passes is to be asked. */
HT_INLINE bool ht_sample_misses(uint64_t size)
{
	return size && !ht_sampler_hit(&ht_self.sampler, size);
}

/* Was this block, which is about to die, in the sample? It no longer is. */
HT_INLINE bool ht_sample_dies(const void *p)
{
	return HT_UNLIKELY(ht_sample_maybe(p)) && ht_sample_remove(p);
}

/* Before a birth is noted: false, there is no room to remember the block; counted as lost. */
bool ht_sample_admit(const void *p);
/* In a forked child: choices of its own from here on. */
void ht_sample_forked(uint32_t token);
/* Is this event from before the constructor one to be noted? */
bool ht_sample_early(unsigned op, const void *p, uint64_t size);

#endif
