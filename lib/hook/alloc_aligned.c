/* alloc_aligned: the part of the allocator family that takes an alignment; see alloc.c. */
#include "blocks.h"
#include "stall.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* In front of these births, which are rarer. Is it to be noted? Not READY: early or off; or out of the sample, which is
 * nothing but the real call unless that is to be timed. */
#define ENTRY(size, early, real_call)                                                         \
	bool noted = true;                                                                    \
	if (HT_UNLIKELY(ht_state != HT_READY)) {                                              \
		if (HT_UNLIKELY(ht_state > HT_CLOCKED))                                       \
			return early;                                                         \
		noted = ht_state == HT_CLOCKED ? ht_clocked_birth(size) : !ht_sample_passes(size); \
		if (HT_LIKELY(!noted && ht_state != HT_CLOCKED))                              \
			return real_call;                                                     \
	}

#define ALIGNED(name, align, size, real_call, params, args)                                   \
	static HT_COLD void *name##_early params                                              \
	{                                                                                     \
		EARLY_BIRTH(HT_REC_ALIGNED, (size), (align), (real_call), (align) ? (align) : 4096); \
	}                                                                                     \
	HT_EXPORT void *name params;                                                          \
	HT_EXPORT void *name params                                                           \
	{                                                                                     \
		ENTRY(size, name##_early args, real_call)                                     \
		struct ht_unwind_state from = HT_CALLER_STATE();                              \
		uint64_t begin = ht_stall_begin();                                            \
		void *p = (real_call);                                                        \
		ht_stall_end(HT_REC_ALIGNED, p, (size), begin, &from);                        \
		if (noted)                                                                    \
			ht_birth(HT_REC_ALIGNED, p, (size), (align), &from);                  \
		return p;                                                                     \
	}
ALIGNED(memalign, align, size, ht_real.memalign(align, size), (size_t align, size_t size), (align, size))
ALIGNED(aligned_alloc, align, size, ht_real.aligned_alloc(align, size), (size_t align, size_t size), (align, size))
ALIGNED(valloc, 0, size, ht_real.valloc(size), (size_t size), (size))
ALIGNED(pvalloc, 0, size, ht_real.pvalloc(size), (size_t size), (size))

static HT_COLD int posix_memalign_early(void **out, size_t align, size_t size, uint64_t pc)
{
	if (!ht_real_ready && !ht_real_resolve())
		return (*out = ht_arena_alloc(align, size)) ? 0 : ENOMEM;
	int rc = ht_real.posix_memalign(out, align, size);
	if (rc == 0 && ht_state == HT_START)
		ht_early_note(HT_REC_ALIGNED, *out, size, align, pc);
	return rc;
}

HT_EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	ENTRY(size, posix_memalign_early(out, align, size, (uint64_t)__builtin_return_address(0)),
	      ht_real.posix_memalign(out, align, size))
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_stall_begin();
	int rc = ht_real.posix_memalign(out, align, size);
	void *p = rc == 0 ? *out : NULL;
	ht_stall_end(HT_REC_ALIGNED, p, size, begin, &from);
	if (noted)
		ht_birth(HT_REC_ALIGNED, p, size, align, &from);
	return rc;
}
