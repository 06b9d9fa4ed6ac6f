/*
 * lock_use: what was waited for, lock by lock: mutexes, reader-writer locks, spin locks, once-controls.
 *
 * Holds are those that somebody suffered from: unlocks are recorded where others wait. A hold is observed from the end
 * of a wait, which is when its thread got the lock, to that thread's next unlock that is recorded, if others waited all
 * the time in between: then no unlock can have gone unnoticed. Other unlocks tell no beginning, and are counted apart.
 *
 * A convoy: at so many hand-offs in turn (HT_CONVOY_HANDOFFS), three or more waited.
 * A futile wake: it was woken, but the lock was taken again, and it slept again.
 */
#ifndef HT_LOCK_USE_H
#define HT_LOCK_USE_H

#include "latency.h"
#include "pass.h"
#include "shares.h"

enum { HT_CONVOY_WAITERS = 3, HT_CONVOY_HANDOFFS = 8 };

struct ht_lock {
	uint64_t address;
	uint32_t image, object; /* object: number of the model */
	uint8_t kind;		/* enum ht_wait_kind */
	uint64_t waits, wait_ns, wait_max_ns, timeouts, wakers_unknown;
	uint64_t holds, hold_ns, hold_max_ns, holds_unknown;
	uint64_t futile_wakes, convoys, convoy_handoffs;
	uint32_t wait_stack;	  /* of most time waited; 0 none */
	uint32_t hold_stack;	  /* of the unlock that ended most of it; 0 not known */
	uint32_t holder;	  /* the thread that did, UINT32_MAX: not known */
	uint64_t allocs_held, bytes_allocated_held; /* by the holder during observed holds */
};

struct ht_hold {
	uint32_t lock, thread; /* lock: position in items */
	uint64_t begin_ns, end_ns;
};

struct ht_lock_use {
	struct ht_lock *items; /* by wait_ns, most first, then waits, then address */
	size_t count;
	struct ht_shares waiters, holders; /* row: position in items; key: thread */
	struct ht_hold *holds;		   /* by thread, then begin */
	size_t hold_count;
};

void ht_lock_use_make(struct ht_lock_use *u, const struct ht_latency *l);
void ht_lock_use_release(struct ht_lock_use *u);

/* Fills in what was allocated under locks. u must outlive the walk. */
struct ht_pass ht_lock_bytes_pass(struct ht_lock_use *u, const struct ht_trace *t, void **state);
void ht_lock_bytes_release(void *state);

#endif
