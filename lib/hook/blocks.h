/*
 * blocks: births and deaths of blocks as the hooks of the allocator family note them (alloc*.c), the common way of both
 * inline.
 */
#ifndef HT_BLOCKS_H
#define HT_BLOCKS_H

#include "sample.h"

#pragma GCC visibility push(hidden)

/* What is rarer is jumped to, so that it finds the program's call in its own frame (CMakeLists.txt sees to it). */
#define HT_JUMPED_TO __attribute__((noinline))

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

/* Is the birth of so many bytes to be noted, now that neither READY nor SAMPLING says so at once? */
HT_INLINE bool ht_clocked_birth(size_t size)
{
	uint32_t options = ht_process.options;
	return options & HT_OPT_ALLOC && !(options & HT_OPT_SAMPLED && ht_sample_passes(size));
}
HT_INLINE bool ht_clocked_death(const void *p)
{
	uint32_t options = ht_process.options;
	return p && options & HT_OPT_ALLOC && !(options & HT_OPT_SAMPLED && !ht_sample_dies(p)) && p != ht_self.deleting;
}

/* Has the last event found room? Compares with what it was before. */
HT_INLINE uint32_t ht_losses_now(void)
{
	return ht_self.thread ? ht_self.thread->losses : 0;
}

HT_INLINE bool ht_noted_since(uint32_t losses)
{
	return ht_self.thread && losses == ht_self.thread->losses;
}

/* Paused, sampled, the thread's first, with an alignment, or of nothing. */
void ht_birth_cold(unsigned op, void *p, size_t size, uint64_t extra, const struct ht_unwind_state *from);
void ht_death_cold(unsigned op, const void *p, const struct ht_unwind_state *from);

HT_INLINE void ht_birth(unsigned op, void *p, size_t size, uint64_t extra, const struct ht_unwind_state *from)
{
	struct ht_thread *t = ht_self.thread;
	if (HT_LIKELY(t && t->gate == HT_GATE_OPEN && p && !extra && op != HT_REC_ALIGNED && /* has no short form */
		      !(ht_process.options & (HT_OPT_STAMP_COARSE | HT_OPT_PAUSED | HT_OPT_SAMPLED)))) {
		ht_hold(t, from);
		ht_note_birth(t, op, (uint64_t)p, size, from);
		ht_leave(t);
	} else {
		ht_birth_cold(op, p, size, extra, from);
		t = ht_self.thread;
	}
	if (HT_UNLIKELY(ht_process.new_hooked) && t) {
		t->last_birth = (uint64_t)p;
		t->births++;
	}
}

HT_INLINE void ht_death(unsigned op, const void *p, const struct ht_unwind_state *from)
{
	struct ht_thread *t = ht_self.thread;
	uint32_t options = ht_process.options;
	if (HT_UNLIKELY(!t || t->gate != HT_GATE_OPEN)) {
		ht_death_cold(op, p, from);
		return;
	}
	ht_hold(t, from);
	if (options & HT_OPT_FREE_STACKS)
		ht_note_death(t, op, (uint64_t)p, ht_stamps_death(t, options), from);
	else
		ht_note_plain_death(t, op, (uint64_t)p, ht_stamps_death(t, options));
	ht_leave(t);
}

#pragma GCC visibility pop
#endif
