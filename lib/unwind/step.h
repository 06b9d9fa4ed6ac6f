/*
 * step: from one frame's state to its caller's, by row; and the bounds that make reading memory safe.
 * Used by the capture (stack.c) and the aside walk alike; the hot parts are inline.
 */
#ifndef HT_STEP_H
#define HT_STEP_H

#include "rows.h"

/* Where a walk may read. own: the thread's stack, all of [floor, hi) mapped. Otherwise every page is probed. */
struct ht_bounds {
	uint64_t floor, hi;
	bool own;
};

HT_INLINE struct ht_bounds ht_step_bounds(const struct ht_unwinder *u, uint64_t sp)
{
	if (HT_LIKELY(sp >= u->lo && sp < u->hi))
		return (struct ht_bounds){sp, u->hi, true};
	/* another stack: CFAs must rise, by no more than a mebibyte a frame */
	return (struct ht_bounds){sp, sp + (64ull << 20), false};
}

/* Can this word be read? One system call per page that was not seen before, off the thread's own stack. */
bool ht_step_probe(struct ht_unwinder *u, uint64_t at);

HT_INLINE bool ht_step_readable(struct ht_unwinder *u, const struct ht_bounds *b, uint64_t at)
{
	if (at & 7)
		return false;
	if (HT_LIKELY(b->own))
		return at >= b->floor - 128 && at + 8 <= b->hi;
	return ht_step_probe(u, at);
}

/* The words that a step read besides the return address at CFA - 8; for the verified cache. */
struct ht_step_extra {
	uint64_t at[3], value[3];
	unsigned count;
};

enum ht_step_result {
	HT_STEP_OK = 0,
	HT_STEP_SIGNAL = 1,  /* went through a signal frame: the stack cannot be cached */
	HT_STEP_GENERAL = 2, /* needs all registers */
	HT_STEP_END = 16,    /* + enum ht_unwind_end */
};
/* Escape rows. On OK *s is the caller's state; the return address stood at s->sp - 8 unless in extra. */
unsigned ht_step_escape(struct ht_unwinder *u, const struct ht_bounds *b, uint16_t row, struct ht_unwind_state *s,
			struct ht_step_extra *extra);

/* A full unwind with every register, from this very place outward, until the state *from is met; then *from and
 * on, into pc[] and sp[] (leaf first). Returns the count, 0 if *from was not met. */
uint32_t ht_walk_full(struct ht_unwinder *u, const struct ht_unwind_state *from, uint64_t *pc, uint64_t *sp,
		      uint32_t max, uint8_t *end, bool *signal);

#endif
