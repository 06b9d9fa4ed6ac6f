/* stall: see stall.h. */
#include "stall.h"

#include <errno.h>

#define BOUND (1u << 8)
#define CALLS_IN_MS 500 /* call_ticks are of 2 us */

static void note(unsigned op, const void *p, uint64_t asked, uint64_t ticks, uint64_t end, const struct ht_unwind_state *from)
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

/* Not longer than this thread's last stamp is old, and, as long as the collector kept time, than the tick's way and one more.
 * That the tick went stale within a call says as much as its moving on: the collector falls asleep once in a long while, so
 * that no short call meets it. One that began while it slept is not seen. */
HT_COLD void ht_stall_bounded(unsigned op, const void *p, uint64_t size, uint32_t tick, const struct ht_unwind_state *from)
{
	uint32_t now = ht_stall_tick();
	const struct ht_thread *t = ht_self.thread;
	if (tick == HT_TICK_STALE || !t || t->magic != HT_THREAD_MAGIC)
		return;
	uint64_t end = ht_clock_now(), since = end - t->stamp, moved = UINT64_MAX;
	if (now != HT_TICK_STALE)
		moved = (uint64_t)(now - tick + 1) * CALLS_IN_MS * ht_process.call_ticks;
	note(op | BOUND, p, size, since < moved ? since : moved, end, from);
}
