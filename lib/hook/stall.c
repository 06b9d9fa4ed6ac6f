/* stall: see stall.h. */
#include "stall.h"

#include <errno.h>

#define BOUND (1u << 8)
#define CALLS_IN_MS 500 /* call_ticks are of 2 us */
#define IDLE_MS 70	/* that pass without a record, and one look around, when the collector falls asleep */

static void note(unsigned op, const void *p, uint64_t asked, uint64_t ticks, uint64_t end,
		 const struct ht_unwind_state *from)
{
	int e = errno;
	struct ht_note n = {.op = HT_REC_STALL, .flags = HT_REC_STACK | HT_REC_STAMP | HT_REC_EXTRA, .address = (uint64_t)p,
			    .size = ticks, .extra = op, .extra2 = asked, .ticks = end};
	ht_event(&n, from);
	errno = e;
}

void ht_stall_timed(unsigned op, const void *p, uint64_t size, uint64_t begin, const struct ht_unwind_state *from)
{
	uint64_t end = ht_clock_now();
	if (HT_UNLIKELY(end - begin > ht_process.stall_ticks))
		note(op, p, size, end - begin, end, from);
}

HT_COLD uint64_t ht_stall_clock(void)
{
	return ht_clock_now() | HT_STALL_CLOCK;
}

/* Not longer than the tick's way and one more. If it went stale within the call, which says as much as its moving on (the
 * collector falls asleep once in a long while, so that no short call meets it): not longer than this thread's last stamp is
 * old; unless something was noted within the call, a wait of the allocator's: then it is a guess. */
HT_COLD void ht_stall_bounded(unsigned op, const void *p, uint64_t size, uint64_t tick,
			      const struct ht_unwind_state *from)
{
	uint32_t now = HT_LOAD_RELAXED(&ht_process.seg->tick);
	const struct ht_thread *t = ht_self.thread;
	uint64_t ms = CALLS_IN_MS * ht_process.call_ticks, end = ht_clock_now();
	if (tick & HT_STALL_CLOCK) {
		uint64_t took = end - (tick & ~HT_STALL_CLOCK);
		if (took > ms)
			note(op, p, size, took, end, from);
		return;
	}
	if (!t || t->magic != HT_THREAD_MAGIC)
		return;
	uint64_t took = now != HT_TICK_STALE ? ((uint32_t)(now - tick) + 1ull) * ms : end - t->stamp;
	note(op | BOUND, p, size, took > ms ? took : IDLE_MS * ms, end, from);
}
