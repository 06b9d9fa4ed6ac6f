/*
 * wait_profile: where threads waited, as profiles that pprof and the other exporters carry (formats/profile.h).
 *
 *	mutex	what holding locks cost others: waits for mutexes, rwlocks and spin locks, at the stack of the unlock that
 *		ended them (Go's mutex profile)				contentions/count delay/nanoseconds
 *	block	where threads waited for each other: all waits for sync objects, at the waiter's stack (Go's block profile)
 *	io	where they waited for the world: sleep, poll, net, pipe, disk, other; at the waiter's stack
 *	sched	time runnable without a processor, at the stack of who made the thread runnable; preemptions have a name in
 *		its place
 *	stall	calls of the allocator that took long, at their stack	stalls/count delay/nanoseconds
 *	fault	page faults, at the stack where the memory was allocated  faults/count space/bytes
 *
 * What has no such stack (nobody's unlock was seen, memory that is no block) stands at a frame that is a name alone,
 * "(preempted)": so totals are those of the trace. Waits that reach out of the selection count with what lies within.
 */
#ifndef HT_WAIT_PROFILE_H
#define HT_WAIT_PROFILE_H

#include "fault_places.h"

enum ht_wait_profile_kind {
	HT_WAIT_PROFILE_MUTEX,
	HT_WAIT_PROFILE_BLOCK,
	HT_WAIT_PROFILE_IO,
	HT_WAIT_PROFILE_SCHED,
	HT_WAIT_PROFILE_STALL,
	HT_WAIT_PROFILE_FAULT,
	HT_WAIT_PROFILES,
};

enum ht_wait_label {
	HT_WAIT_LABEL_THREAD = 1, /* who waited */
	HT_WAIT_LABEL_LOCK = 2,	  /* "mutex 0x7f12…": for what; of sync objects */
	HT_WAIT_LABEL_KIND = 4,	  /* "mutex", "disk", ... */
};

struct ht_wait_profile {
	struct ht_profile_made made;
	struct ht_profile_entry *entries;
	char **texts; /* of labels */
	size_t text_count, text_cap;
	void *memory; /* values and labels */
};

/* places: needed for FAULT. Rows that the filters hide are left out. */
void ht_wait_profile_make(struct ht_wait_profile *p, enum ht_wait_profile_kind kind, unsigned labels,
			  const struct ht_latency *l, const struct ht_stacks *stacks, const struct ht_fault_places *places);
void ht_wait_profile_release(struct ht_wait_profile *p);

#endif
