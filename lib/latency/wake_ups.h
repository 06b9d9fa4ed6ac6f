/*
 * wake_ups: how long threads that could go on waited for a processor, and who let them go on. A wake-up is a block that
 * ended: from the moment that the thread was ready to the one that it ran; a preemption is where it had to leave,
 * ready.
 */
#ifndef HT_WAKE_UPS_H
#define HT_WAKE_UPS_H

#include "latency.h"
#include "quantiles.h"
#include "shares.h"

struct ht_wake_ups { /* of one thread */
	uint64_t blocks, wakeups; /* that ended in the span; wakeups: those that the thread came back from */
	uint64_t unknown_wakers;  /* waits in which it was blocked, that somebody must have ended */
	struct ht_quantiles latency; /* ready to running, of wakeups */
	uint64_t preemptions, preempted_ns;
	struct ht_quantiles preemption;
};

struct ht_wake_up_rows {
	struct ht_wake_ups *items; /* per thread of the model */
	struct ht_shares wakers;   /* row: position of the thread in the model; key: the waker's id */
	struct ht_shares stacks;   /* row: position in wakers.items; key: the waker's stack */
};
void ht_wake_ups_make(struct ht_wake_up_rows *out, const struct ht_latency *l);
void ht_wake_ups_release(struct ht_wake_up_rows *r);

#endif
