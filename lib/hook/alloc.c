/*
 * alloc: the allocator family. Every function forwards to the same next allocator and keeps its result,
 * its errno and its quirks; what is counted as what stands in formats/trace/SPEC.md.
 *
 * Order: a death is noted before the real free, a birth after the real malloc; then, whatever threads do, the
 * death of a block is in some ring before its address can be born again. realloc is two halves, the first
 * taken back when it fails.
 */
#include "hook_new.h"
#include "sample.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

/* ---- births ---- */

/* Before the constructor, or off. Forwards, keeps the event if it may still be wanted. */
#define EARLY_BIRTH(op, size, extra, real_call, arena_align)                                       \
	do {                                                                                       \
		if (HT_UNLIKELY(!ht_real_ready && !ht_real_resolve()))                             \
			return ht_arena_alloc((arena_align), (size));                              \
		void *p_ = (real_call);                                                            \
		if (ht_state == HT_START && p_)                                                    \
			ht_early_note((op), p_, (size), (extra), (uint64_t)__builtin_return_address(0)); \
		return p_;                                                                         \
	} while (0)

/* In front of the births that are rarer. Not READY: early or off, or sampling: then nearly always nothing but the real call. */
#define ENTRY(size, early, real_call)                                          \
	do {                                                                   \
		if (HT_UNLIKELY(ht_state != HT_READY)) {                       \
			if (HT_UNLIKELY(ht_state != HT_SAMPLING))              \
				return early;                                  \
			if (HT_LIKELY(ht_sample_passes(size)))                 \
				return real_call;                              \
		}                                                              \
	} while (0)

/* Has the last event found room? Compares with what it was before. */
HT_INLINE uint32_t losses_now(void)
{
	return ht_self.thread ? ht_self.thread->losses : 0;
}

HT_INLINE bool noted_since(uint32_t losses)
{
	return ht_self.thread && losses == ht_self.thread->losses;
}

static HT_COLD void birth_cold(unsigned op, void *p, size_t size, uint64_t extra, const struct ht_unwind_state *from)
{
	int e = errno;
	bool sampled = p && ht_process.options & HT_OPT_SAMPLED;
	if (ht_process.options & HT_OPT_PAUSED || (sampled && !ht_sample_admit(p)))
		return;
	uint32_t losses = losses_now();
	struct ht_note n = {.op = p ? op : HT_REC_FAILED, .flags = HT_REC_STACK, .address = (uint64_t)p, .size = size,
			    .extra = extra};
	if (!(ht_process.options & HT_OPT_STAMP_COARSE))
		n.flags |= HT_REC_STAMP;
	if (extra)
		n.flags |= HT_REC_EXTRA;
	ht_event(&n, from);
	if (sampled && !noted_since(losses))
		ht_sample_remove(p);
	errno = e;
}

HT_INLINE void birth(unsigned op, void *p, size_t size, uint64_t extra, const struct ht_unwind_state *from)
{
	struct ht_thread *t = ht_self.thread;
	if (HT_LIKELY(t && t->gate == HT_GATE_OPEN && p && !extra &&
		      !(ht_process.options & (HT_OPT_STAMP_COARSE | HT_OPT_PAUSED | HT_OPT_SAMPLED)))) {
		ht_hold(t, from);
		ht_note_birth(t, op, (uint64_t)p, size, from);
		ht_leave(t);
	} else {
		birth_cold(op, p, size, extra, from);
		t = ht_self.thread;
	}
	if (HT_UNLIKELY(ht_process.new_hooked) && t) {
		t->last_birth = (uint64_t)p;
		t->births++;
	}
}

static HT_COLD void *malloc_early(size_t size)
{
	EARLY_BIRTH(HT_REC_MALLOC, size, 0, ht_real.malloc(size), 16);
}

/* The four that programs live on have no frame of their own: out of the sample they are a few instructions and a jump. What
 * is rarer they jump to, too (CMakeLists.txt sees to it), so that each of these finds the program's call in its own frame. */
#define JUMPED_TO __attribute__((noinline))

static JUMPED_TO void *malloc_noted(size_t size)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	void *p = ht_real.malloc(size);
	birth(HT_REC_MALLOC, p, size, 0, &from);
	return p;
}

static JUMPED_TO void *malloc_drawn(size_t size)
{
	return ht_sample_passes(size) ? ht_real.malloc(size) : malloc_noted(size);
}

HT_EXPORT void *malloc(size_t size)
{
	if (ht_state == HT_READY)
		return malloc_noted(size);
	if (HT_UNLIKELY(ht_state != HT_SAMPLING))
		return malloc_early(size);
	return HT_LIKELY(ht_sample_misses(size)) ? ht_real.malloc(size) : malloc_drawn(size);
}

HT_INLINE size_t product(size_t n, size_t size)
{
	size_t bytes;
	return HT_UNLIKELY(__builtin_mul_overflow(n, size, &bytes)) ? SIZE_MAX : bytes;
}

static HT_COLD void *calloc_early(size_t n, size_t size)
{
	/* arena memory is fresh .bss: zero */
	EARLY_BIRTH(HT_REC_CALLOC, product(n, size), 0, ht_real.calloc(n, size), 16);
}

static JUMPED_TO void *calloc_noted(size_t n, size_t size)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	void *p = ht_real.calloc(n, size);
	birth(HT_REC_CALLOC, p, product(n, size), 0, &from);
	return p;
}

static JUMPED_TO void *calloc_drawn(size_t n, size_t size)
{
	return ht_sample_passes(product(n, size)) ? ht_real.calloc(n, size) : calloc_noted(n, size);
}

HT_EXPORT void *calloc(size_t n, size_t size)
{
	if (ht_state == HT_READY)
		return calloc_noted(n, size);
	if (HT_UNLIKELY(ht_state != HT_SAMPLING))
		return calloc_early(n, size);
	return HT_LIKELY(ht_sample_misses(product(n, size))) ? ht_real.calloc(n, size) : calloc_drawn(n, size);
}

#define ALIGNED(name, align, size, call, params)                                \
	static HT_COLD void *name##_early params                                \
	{                                                                       \
		EARLY_BIRTH(HT_REC_ALIGNED, (size), (align), (call), (align) ? (align) : 4096); \
	}                                                                       \
	HT_EXPORT void *name params;                                            \
	HT_EXPORT void *name params

ALIGNED(memalign, align, size, ht_real.memalign(align, size), (size_t align, size_t size))
{
	ENTRY(size, memalign_early(align, size), ht_real.memalign(align, size));
	struct ht_unwind_state from = HT_CALLER_STATE();
	void *p = ht_real.memalign(align, size);
	birth(HT_REC_ALIGNED, p, size, align, &from);
	return p;
}

ALIGNED(aligned_alloc, align, size, ht_real.aligned_alloc(align, size), (size_t align, size_t size))
{
	ENTRY(size, aligned_alloc_early(align, size), ht_real.aligned_alloc(align, size));
	struct ht_unwind_state from = HT_CALLER_STATE();
	void *p = ht_real.aligned_alloc(align, size);
	birth(HT_REC_ALIGNED, p, size, align, &from);
	return p;
}

ALIGNED(valloc, 0, size, ht_real.valloc(size), (size_t size))
{
	ENTRY(size, valloc_early(size), ht_real.valloc(size));
	struct ht_unwind_state from = HT_CALLER_STATE();
	void *p = ht_real.valloc(size);
	birth(HT_REC_ALIGNED, p, size, 0, &from);
	return p;
}

ALIGNED(pvalloc, 0, size, ht_real.pvalloc(size), (size_t size))
{
	ENTRY(size, pvalloc_early(size), ht_real.pvalloc(size));
	struct ht_unwind_state from = HT_CALLER_STATE();
	void *p = ht_real.pvalloc(size);
	birth(HT_REC_ALIGNED, p, size, 0, &from);
	return p;
}

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
	      ht_real.posix_memalign(out, align, size));
	struct ht_unwind_state from = HT_CALLER_STATE();
	int rc = ht_real.posix_memalign(out, align, size);
	birth(HT_REC_ALIGNED, rc == 0 ? *out : NULL, size, align, &from);
	return rc;
}

/* ---- deaths ---- */

static HT_COLD void death_cold(unsigned op, const void *p, const struct ht_unwind_state *from)
{
	struct ht_note n = {.op = op, .address = (uint64_t)p};
	if (ht_process.options & HT_OPT_FREE_STACKS)
		n.flags |= HT_REC_STACK;
	if (ht_process.options & HT_OPT_STAMP_EACH)
		n.flags |= HT_REC_STAMP;
	ht_event(&n, from);
}

HT_INLINE void death(unsigned op, const void *p, const struct ht_unwind_state *from)
{
	struct ht_thread *t = ht_self.thread;
	uint32_t options = ht_process.options;
	if (HT_UNLIKELY(!t || t->gate != HT_GATE_OPEN)) {
		death_cold(op, p, from);
		return;
	}
	ht_hold(t, from);
	if (options & HT_OPT_FREE_STACKS)
		ht_note_death(t, op, (uint64_t)p, options & HT_OPT_STAMP_EACH, from);
	else
		ht_note_plain_death(t, op, (uint64_t)p, options & HT_OPT_STAMP_EACH);
	ht_leave(t);
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
		if (HT_UNLIKELY(ht_state != HT_SAMPLING))
			return free_early(p, pc) ? 2 : 1;
		if (HT_LIKELY(!ht_sample_dies(p)))
			return ht_arena_owns(p) ? 2 : 1;
		return 0;
	}
	return p && HT_LIKELY(p != ht_self.deleting) ? 0 : 1;
}

static JUMPED_TO void free_noted(void *p)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	death(HT_REC_FREE, p, &from);
	ht_real.free(p);
}

static JUMPED_TO void free_rare(void *p)
{
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

HT_EXPORT void cfree(void *p);
HT_EXPORT void cfree(void *p)
{
	unsigned gate = death_gate(p, (uint64_t)__builtin_return_address(0));
	if (gate == 0) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		death(HT_REC_FREE, p, &from);
	}
	if (gate != 2)
		ht_real.free(p);
}

HT_EXPORT void free_sized(void *p, size_t size);
HT_EXPORT void free_sized(void *p, size_t size)
{
	unsigned gate = death_gate(p, (uint64_t)__builtin_return_address(0));
	if (gate == 0) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		death(HT_REC_FREE, p, &from);
	}
	if (gate != 2)
		ht_real.free_sized(p, size);
}

HT_EXPORT void free_aligned_sized(void *p, size_t align, size_t size);
HT_EXPORT void free_aligned_sized(void *p, size_t align, size_t size)
{
	unsigned gate = death_gate(p, (uint64_t)__builtin_return_address(0));
	if (gate == 0) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		death(HT_REC_FREE, p, &from);
	}
	if (gate != 2)
		ht_real.free_aligned_sized(p, align, size);
}

/* ---- operator new and delete, for the second preload object ---- */

/* After the real operator new: unless it came to malloc, which has noted the block. */
static void new_born(void *p, size_t size, size_t align, uint64_t born_before, const struct ht_unwind_state *from)
{
	struct ht_thread *t = ht_self.thread;
	if (ht_state == HT_SAMPLING && (ht_self.sampler.left != born_before || ht_sample_passes(size)))
		return; /* it came to malloc, which has drawn for it; or it is not in the sample */
	if (!ht_recording() || (t && t->births != born_before && t->last_birth == (uint64_t)p))
		return;
	birth(HT_REC_NEW, p, size, align, from);
}

static uint64_t new_births(void)
{
	if (ht_state == HT_SAMPLING)
		return ht_self.sampler.left;
	return ht_self.thread ? ht_self.thread->births : 0;
}

static void new_died(void *p, const struct ht_unwind_state *from)
{
	if (!ht_recording() || !p || (ht_state == HT_SAMPLING && !ht_sample_dies(p)))
		return;
	death(HT_REC_DELETE, p, from);
	ht_self.deleting = p;
}

static void new_dead(void)
{
	ht_self.deleting = NULL;
}

const struct ht_new_api *heaptide_hook_new(uintptr_t text_low, uintptr_t text_high)
{
	static const struct ht_new_api api = {new_births, new_born, new_died, new_dead};
	ht_unwind_second_object(text_low, text_high);
	ht_process.new_hooked = true;
	if (ht_process.seg)
		__atomic_fetch_or(&ht_process.seg->flags, HT_FLAG_NEW_HOOKED, __ATOMIC_RELAXED);
	return &api;
}

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

static JUMPED_TO void *realloc_noted(void *p, size_t size, bool dies, bool is_born)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint32_t losses = losses_now();
	if (dies)
		death(HT_REC_REALLOC_FREE, p, &from);
	void *q = ht_real.realloc(p, size);
	if (HT_UNLIKELY(!q))
		realloc_null(p, size, dies && noted_since(losses), &from);
	else if (is_born)
		birth(HT_REC_REALLOC, q, size, 0, &from);
	return q;
}

static JUMPED_TO void *realloc_rare(void *p, size_t size)
{
	if (ht_arena_owns(p))
		return realloc_arena(p, size);
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
