/*
 * stall: calls of the allocator that took long. Two ways to see one, around the real call:
 *
 *   CLOCKED	(--events=+stall) a stamp before and after; noted when it took longer than stall_ticks
 *   else	the collector's tick, which moves each millisecond while rings do: when it has moved on by two, a whole
 *		millisecond lies within the call. Noted with `bound`: it took at most that long, as far as can be told.
 *		While the collector sleeps, which it does when little happens, the clock is asked in its place
 *
 * A stall is noted when the call is over and before its block's birth is, so that a ring's stamps ascend.
 */
#ifndef HT_STALL_H
#define HT_STALL_H

#include "hook.h"

/* By the tick: what ht_stall_tick gave before the call. Only while recording. */
#define HT_STALL_CLOCK (1ull << 63) /* no tick: the time */
uint64_t ht_stall_clock(void);
void ht_stall_bounded(unsigned op, const void *p, uint64_t size, uint64_t tick, const struct ht_unwind_state *from);
HT_INLINE uint64_t ht_stall_tick(void)
{
	uint32_t tick = HT_LOAD_RELAXED(&ht_process.seg->tick);
	return HT_LIKELY(tick != HT_TICK_STALE) ? tick : ht_stall_clock();
}
HT_INLINE void ht_stall_look(unsigned op, const void *p, uint64_t size, uint64_t tick,
			     const struct ht_unwind_state *from)
{
	if (HT_UNLIKELY(HT_LOAD_RELAXED(&ht_process.seg->tick) - tick > 1)) /* a clock's, too */
		ht_stall_bounded(op, p, size, tick, from);
}

/* By the clock: begin is what it showed before the call. */
void ht_stall_timed(unsigned op, const void *p, uint64_t size, uint64_t begin, const struct ht_unwind_state *from);

/* Either, where a few instructions do not matter. */
HT_INLINE uint64_t ht_stall_begin(void)
{
	return ht_state == HT_CLOCKED ? ht_clock_now() : ht_stall_tick();
}
HT_INLINE void ht_stall_end(unsigned op, const void *p, uint64_t size, uint64_t begin,
			    const struct ht_unwind_state *from)
{
	if (ht_state == HT_CLOCKED)
		ht_stall_timed(op, p, size, begin, from);
	else
		ht_stall_look(op, p, size, begin, from);
}

#endif
