/*
 * latency_wakers: who ended which wait. Waits and wakes meet at objects: a lock's address in one image, an inode
 * whoever has it open. How they meet depends on what it is:
 *
 *   locks, barrier, once    the last wake before the wait's end: whoever had the lock in between has waked again
 *   join                    the same, however early: the thread may have ended before
 *   cond, sem, descriptors  each wake is for one waiter, the one that waits longest; a waiter that returns without one
 *                           took somebody else's; a broadcast is for all who wait then
 */
#ifndef HT_LATENCY_WAKERS_H
#define HT_LATENCY_WAKERS_H

#include "latency.h"

/* Two processors may differ by so much in what they stamp, and user space and kernel. */
enum { HT_CLOCK_TOLERANCE_NS = 2000 };

struct ht_wake_lists {
	size_t *first;	     /* per object: of its wakes in `wakes`; object_count + 2 places */
	uint32_t *wakes;     /* positions in l->wakes, by object, then time */
};

/* l->waits by begin (of all threads), l->wakes by time: fills in numbers of objects and wakes of waits. */
void ht_latency_find_wakers(struct ht_latency *l, struct ht_wake_lists *lists);
void ht_wake_lists_release(struct ht_wake_lists *lists);

/* A wake, + 1, for this object by another thread in [from, to]: the last one, or the first. 0: none. */
uint32_t ht_wake_within(const struct ht_latency *l, const struct ht_wake_lists *lists, uint32_t object, uint32_t thread,
			uint64_t from, uint64_t to, bool last);
/* Does a wake of this call end waits in that one? A write ends reads, a read writes, a close reads that find the end. */
bool ht_wake_fits(const struct ht_wake *wake, const struct ht_wait *wait);

#endif
