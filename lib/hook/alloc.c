/*
 * alloc: the allocator family. Every function forwards to the same next allocator and keeps its result,
 * its errno and its quirks; what is counted as what stands in formats/trace/SPEC.md.
 *
 * Order: a death is noted before the real free, a birth after the real malloc; then, whatever threads do, the
 * death of a block is in some ring before its address can be born again. realloc is two halves, the first
 * taken back when it fails.
 *
 * All calls are watched for having taken long: stall.h.
 */
#include "blocks.h"
#include "stall.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* ---- births ---- */

HT_COLD void ht_birth_cold(unsigned op, void *p, size_t size, uint64_t extra, const struct ht_unwind_state *from)
{
	int e = errno;
	bool sampled = p && ht_process.options & HT_OPT_SAMPLED;
	if (ht_process.options & HT_OPT_PAUSED || (sampled && !ht_sample_admit(p)))
		return;
	uint32_t losses = ht_losses_now();
	struct ht_note n = {.op = p ? op : HT_REC_FAILED, .flags = HT_REC_STACK, .address = (uint64_t)p, .size = size,
			    .extra = extra};
	if (!(ht_process.options & HT_OPT_STAMP_COARSE))
		n.flags |= HT_REC_STAMP;
	if (extra)
		n.flags |= HT_REC_EXTRA;
	ht_event(&n, from);
	if (sampled && !ht_noted_since(losses))
		ht_sample_remove(p);
	errno = e;
}

/* The four that programs live on have no frame of their own: out of the sample they are a few instructions and a
 * jump. What is rarer they jump to, too (CMakeLists.txt sees to it), so that each of these finds the program's call
 * in its own frame. */
static HT_JUMPED_TO void *malloc_clocked(size_t size)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_clock_now();
	void *p = ht_real.malloc(size);
	ht_stall_timed(HT_REC_MALLOC, p, size, begin, &from);
	if (ht_clocked_birth(size))
		ht_birth(HT_REC_MALLOC, p, size, 0, &from);
	return p;
}

static HT_COLD void *malloc_rest(size_t size)
{
	if (ht_state == HT_CLOCKED)
		return malloc_clocked(size);
	EARLY_BIRTH(HT_REC_MALLOC, size, 0, ht_real.malloc(size), 16);
}

static HT_JUMPED_TO void *malloc_noted(size_t size)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t tick = ht_stall_tick();
	void *p = ht_real.malloc(size);
	ht_stall_look(HT_REC_MALLOC, p, size, tick, &from);
	ht_birth(HT_REC_MALLOC, p, size, 0, &from);
	return p;
}

static HT_JUMPED_TO void *malloc_drawn(size_t size)
{
	return ht_sample_passes(size) ? ht_real.malloc(size) : malloc_noted(size);
}

HT_EXPORT void *malloc(size_t size)
{
	if (ht_state == HT_READY)
		return malloc_noted(size);
	if (HT_UNLIKELY(ht_state != HT_SAMPLING))
		return malloc_rest(size);
	return HT_LIKELY(ht_sample_misses(size)) ? ht_real.malloc(size) : malloc_drawn(size);
}

HT_INLINE size_t product(size_t n, size_t size)
{
	size_t bytes;
	return HT_UNLIKELY(__builtin_mul_overflow(n, size, &bytes)) ? SIZE_MAX : bytes;
}

static HT_JUMPED_TO void *calloc_clocked(size_t n, size_t size)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_clock_now();
	void *p = ht_real.calloc(n, size);
	ht_stall_timed(HT_REC_CALLOC, p, product(n, size), begin, &from);
	if (ht_clocked_birth(product(n, size)))
		ht_birth(HT_REC_CALLOC, p, product(n, size), 0, &from);
	return p;
}

static HT_COLD void *calloc_rest(size_t n, size_t size)
{
	if (ht_state == HT_CLOCKED)
		return calloc_clocked(n, size);
	/* arena memory is fresh .bss: zero */
	EARLY_BIRTH(HT_REC_CALLOC, product(n, size), 0, ht_real.calloc(n, size), 16);
}

static HT_JUMPED_TO void *calloc_noted(size_t n, size_t size)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t tick = ht_stall_tick();
	void *p = ht_real.calloc(n, size);
	ht_stall_look(HT_REC_CALLOC, p, product(n, size), tick, &from);
	ht_birth(HT_REC_CALLOC, p, product(n, size), 0, &from);
	return p;
}

static HT_JUMPED_TO void *calloc_drawn(size_t n, size_t size)
{
	return ht_sample_passes(product(n, size)) ? ht_real.calloc(n, size) : calloc_noted(n, size);
}

HT_EXPORT void *calloc(size_t n, size_t size)
{
	if (ht_state == HT_READY)
		return calloc_noted(n, size);
	if (HT_UNLIKELY(ht_state != HT_SAMPLING))
		return calloc_rest(n, size);
	return HT_LIKELY(ht_sample_misses(product(n, size))) ? ht_real.calloc(n, size) : calloc_drawn(n, size);
}

/* ---- deaths ---- */

HT_COLD void ht_death_cold(unsigned op, const void *p, const struct ht_unwind_state *from)
{
	struct ht_note n = {.op = op, .address = (uint64_t)p};
	if (ht_process.options & HT_OPT_FREE_STACKS)
		n.flags |= HT_REC_STACK;
	if (ht_process.options & HT_OPT_STAMP_EACH)
		n.flags |= HT_REC_STAMP;
	ht_event(&n, from);
}

/* Not READY, or a block of the arena. True: nothing is left to free. */
static HT_COLD bool free_early(const void *p, uint64_t pc)
{
	if (ht_arena_owns(p))
		return true;
	if (!ht_real_ready && !ht_real_resolve())
		return true;
	if (ht_state == HT_START && p)
		ht_early_note(HT_REC_FREE, p, 0, 0, pc);
	return false;
}

/* The test that all kinds of free share: 1 forward only, 2 nothing at all, 0 note and forward. */
HT_INLINE unsigned death_gate(const void *p, uint64_t pc)
{
	if (HT_UNLIKELY(ht_state != HT_READY || ht_arena_owns(p))) {
		if (HT_UNLIKELY(ht_state == HT_CLOCKED && !ht_arena_owns(p)))
			return ht_clocked_death(p) ? 0 : 1;
		if (HT_UNLIKELY(ht_state != HT_SAMPLING))
			return free_early(p, pc) ? 2 : 1;
		if (HT_LIKELY(!ht_sample_dies(p)))
			return ht_arena_owns(p) ? 2 : 1;
		return 0;
	}
	return p && HT_LIKELY(p != ht_self.deleting) ? 0 : 1;
}

static HT_JUMPED_TO void free_noted(void *p)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	ht_death(HT_REC_FREE, p, &from);
	uint64_t tick = ht_stall_tick();
	ht_real.free(p);
	ht_stall_look(HT_REC_FREE, p, 0, tick, &from);
}

static HT_JUMPED_TO void free_clocked(void *p)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	if (ht_clocked_death(p))
		ht_death(HT_REC_FREE, p, &from);
	uint64_t begin = ht_clock_now();
	ht_real.free(p);
	ht_stall_timed(HT_REC_FREE, p, 0, begin, &from);
}

static HT_JUMPED_TO void free_rare(void *p)
{
	if (ht_state == HT_CLOCKED && !ht_arena_owns(p)) {
		free_clocked(p);
		return;
	}
	unsigned gate = death_gate(p, (uint64_t)__builtin_return_address(0));
	if (gate == 0)
		free_noted(p);
	else if (gate != 2)
		ht_real.free(p);
}

HT_EXPORT void free(void *p)
{
	if (ht_state == HT_READY && p && HT_LIKELY(!ht_arena_owns(p) && p != ht_self.deleting))
		free_noted(p);
	else if (ht_state == HT_SAMPLING && HT_LIKELY(!ht_sample_maybe(p))) /* so it is not of the arena, either */
		ht_real.free(p);
	else
		free_rare(p);
}

#define FREE(name, params, real_call)                                                         \
	HT_EXPORT void name params;                                                           \
	HT_EXPORT void name params                                                            \
	{                                                                                     \
		unsigned gate = death_gate(p, (uint64_t)__builtin_return_address(0));         \
		struct ht_unwind_state from = HT_CALLER_STATE();                              \
		if (gate == 0)                                                                \
			ht_death(HT_REC_FREE, p, &from);                                      \
		uint64_t begin = gate == 0 || ht_state == HT_CLOCKED ? ht_stall_begin() : 0;  \
		if (gate != 2)                                                                \
			real_call;                                                            \
		if (begin && gate != 2)                                                       \
			ht_stall_end(HT_REC_FREE, p, 0, begin, &from);                        \
	}
FREE(cfree, (void *p), ht_real.free(p))
FREE(free_sized, (void *p, size_t size), ht_real.free_sized(p, size))
FREE(free_aligned_sized, (void *p, size_t align, size_t size), ht_real.free_aligned_sized(p, align, size))

/* ---- realloc ---- */

/* A block of the arena moves out of it: its size is known, and it is never given back. */
static HT_COLD void *realloc_arena(void *p, size_t size)
{
	void *q = malloc(size);
	if (q) {
		size_t old = ht_arena_size(p);
		ht_copy(q, p, old < size ? old : size);
	}
	return q;
}

static HT_COLD void *realloc_early(void *p, size_t size, uint64_t pc)
{
	if (!ht_real_ready && !ht_real_resolve()) {
		void *q = ht_arena_alloc(16, size);
		if (p && q)
			ht_copy(q, p, ht_arena_size(p) < size ? ht_arena_size(p) : size);
		return q;
	}
	if (ht_state != HT_START)
		return ht_real.realloc(p, size);
	if (p)
		ht_early_note(HT_REC_REALLOC_FREE, p, 0, 0, pc);
	void *q = ht_real.realloc(p, size);
	if (q)
		ht_early_note(HT_REC_REALLOC, q, size, 0, pc);
	else if (p && size != 0)
		ht_early_note(HT_REC_REALLOC_UNDO, NULL, 0, 0, pc);
	return q;
}

/* realloc gave NULL. With size 0 that means freed, in every allocator that answers so; else nothing happened. */
static HT_COLD void realloc_null(void *p, size_t size, bool noted, const struct ht_unwind_state *from)
{
	int e = errno;
	if (!(ht_process.options & HT_OPT_ALLOC))
		return;
	if (p && size != 0 && noted && (!(ht_process.options & HT_OPT_SAMPLED) || ht_sample_admit(p))) {
		struct ht_note undo = {.op = HT_REC_REALLOC_UNDO};
		ht_event(&undo, from);
	}
	if ((!p || size != 0)) {
		struct ht_note failed = {.op = HT_REC_FAILED, .flags = HT_REC_STACK | HT_REC_STAMP, .size = size};
		ht_event(&failed, from);
	}
	errno = e;
}

static HT_JUMPED_TO void *realloc_noted(void *p, size_t size, bool dies, bool is_born)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint32_t losses = ht_losses_now();
	if (dies)
		ht_death(HT_REC_REALLOC_FREE, p, &from);
	bool noted = dies && ht_noted_since(losses);
	uint64_t begin = ht_stall_begin();
	void *q = ht_real.realloc(p, size);
	ht_stall_end(HT_REC_REALLOC, q, size, begin, &from);
	if (HT_UNLIKELY(!q))
		realloc_null(p, size, noted, &from);
	else if (is_born)
		ht_birth(HT_REC_REALLOC, q, size, 0, &from);
	return q;
}

static HT_JUMPED_TO void *realloc_rare(void *p, size_t size)
{
	if (ht_arena_owns(p))
		return realloc_arena(p, size);
	if (ht_state == HT_CLOCKED)
		return realloc_noted(p, size, ht_clocked_death(p), ht_clocked_birth(size));
	if (ht_state != HT_SAMPLING)
		return realloc_early(p, size, (uint64_t)__builtin_return_address(0));
	bool dies = ht_sample_dies(p), is_born = !ht_sample_passes(size);
	return dies || is_born ? realloc_noted(p, size, dies, is_born) : ht_real.realloc(p, size);
}

HT_EXPORT void *realloc(void *p, size_t size)
{
	if (ht_state == HT_READY && HT_LIKELY(!ht_arena_owns(p)))
		return realloc_noted(p, size, p != NULL, true);
	if (ht_state == HT_SAMPLING && HT_LIKELY(!ht_sample_maybe(p) && ht_sample_misses(size)))
		return ht_real.realloc(p, size);
	return realloc_rare(p, size);
}
