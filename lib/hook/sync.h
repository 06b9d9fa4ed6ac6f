/*
 * sync: waits for locks, conditions, semaphores and threads, and who ended them, as WAIT and WAKE records.
 *
 * What can be had at once is had at once: trylock comes first where it is equivalent, and only a call that finds the
 * object taken is counted as a waiter, stamped and noted. Whoever lets go looks at the count:
 *
 *   waiter                                  who lets go
 *   try: taken                              before = *place
 *   *place += {1 waiter, 1 arrival}         the real unlock, signal, post
 *   the real lock                           WAKE if `before` has waiters, or if *place is no longer `before`:
 *   *place -= {1 waiter}; WAIT              then somebody arrived while it let go
 *
 * A waiter that was counted after the second look found the object free. Places are found by a hash of the address,
 * so that two objects may share one: that costs a WAKE that ended nothing, and so does a count that was left behind.
 * Never is memory of the object touched after the real call that lets go: it may be gone.
 *
 * None of it changes what a call returns, errno, where a thread can be cancelled or who gets the lock:
 * tests/e2e/misuse.sh. Other processes' waiters for a shared object are not seen.
 */
#ifndef HT_SYNC_H
#define HT_SYNC_H

#include "hook.h"
#include "time_words.h"

#include <time.h>

#pragma GCC visibility push(hidden)

/* Tested first by each hook. ALONE: recorded, but no thread of this process can meet another at a mutex; libc then
 * has cheaper mutexes, which its trylock is not. */
enum ht_sync_state { HT_SYNC_UNKNOWN = 0, HT_SYNC_FORWARD, HT_SYNC_ALONE, HT_SYNC_ON };
extern uint32_t ht_sync_state;
extern const char *ht_sync_single; /* libc's word for having one thread, where it has one */
/* Some locks are not tried before they are taken (real.c): a wait is what took long. */
extern bool ht_sync_untried;
/* Out of UNKNOWN, if it can be said yet; and out of ALONE. The state as it is now. */
uint32_t ht_sync_decide(void);
/* Are waits recorded? False: forward, that is all. */
HT_INLINE bool ht_sync_asked(void)
{
	return HT_LIKELY(ht_sync_state >= HT_SYNC_ALONE) ||
	       (ht_sync_state == HT_SYNC_UNKNOWN && ht_sync_decide() >= HT_SYNC_ALONE);
}

/* Waiters in the low half of each place, arrivals ever in the high one. Two halves: those who wait for locks wait
 * briefly, the others may do so for ever, and would make the unlock of whatever lock shares their place dear. */
#define HT_SYNC_BITS 12
extern uint64_t ht_sync_places[2 << HT_SYNC_BITS];
#define HT_SYNC_LOCKS ht_sync_places
#define HT_SYNC_OTHERS (ht_sync_places + (1 << HT_SYNC_BITS))
HT_INLINE uint64_t *ht_sync_place(uint64_t *half, const void *object)
{
	return &half[(uintptr_t)object * 0x9e3779b97f4a7c15u >> (64 - HT_SYNC_BITS)];
}
HT_INLINE uint64_t *ht_sync_lock(const void *object)
{
	return ht_sync_place(HT_SYNC_LOCKS, object);
}
HT_INLINE uint64_t *ht_sync_other(const void *object)
{
	return ht_sync_place(HT_SYNC_OTHERS, object);
}
HT_INLINE bool ht_sync_waiters(uint64_t place)
{
	return (uint32_t)place != 0;
}

/* Call and kind, as `extra` of the records has them. */
#define HT_SYNC_WHAT(kind, call) (HT_CALL_##call | HT_WAIT_##kind << 8)
#define HT_SYNC_SHARED (HT_WAITED_SHARED << 24)
#define HT_SYNC_ALL (HT_WAITED_ALL << 24)

/* libc's struct _pthread_cleanup_buffer: what a cancellation or a jump has to call when it takes our frame away. */
struct ht_cleanup {
	void *words[4];
};

/* A wait, in the frame of the hook that the program called. */
struct ht_sync_wait {
	uint64_t *place;     /* to be counted in; NULL: nobody looks */
	const void *object;
	uint64_t what;
	uint64_t detail;     /* as struct ht_wait has it */
	const struct ht_unwind_state *from;
	bool cancellable;    /* a cancellation point; then begin and end lie in one frame */
	uint64_t begin;	     /* ticks */
	uint64_t *outer;     /* what this thread was counted in when a signal handler began this wait */
	uint64_t outer_sp;
	struct ht_cleanup cleanup;
};
void ht_sync_begin(struct ht_sync_wait *w);
/* Notes what took at least `least` ticks; what failed must have taken as long as any noted call. */
void ht_sync_end(struct ht_sync_wait *w, enum ht_wait_outcome outcome, uint64_t least);
enum ht_wait_outcome ht_sync_outcome(int error); /* of an errno */
enum ht_wait_outcome ht_sync_c11_outcome(int result);

/* ns from now to `until`, + 1; 0 without one. clock -1: a condition's own, realtime or monotonic. */
uint64_t ht_sync_deadline(int clock, const struct timespec *until);
/* Is this a deadline that libc takes? Else it says so before it looks at the object. */
HT_INLINE bool ht_sync_valid(int clock, const struct timespec *until)
{
	return (clock == 0 || clock == 1) && until && (uint64_t)until->tv_nsec < 1000000000u;
}

/* When something that ends waits began, to be noted when it is over. */
struct ht_sync_stamp {
	uint64_t ticks, head;
};
struct ht_sync_stamp ht_sync_stamp(void);
void ht_sync_note_wake(const void *object, uint64_t what, const struct ht_sync_stamp *when,
		       const struct ht_unwind_state *from);

/* Jumped to: waiters are there before the real call; somebody came while it was made. */
int ht_sync_wakes(void *object, int (*real)(void *), uint64_t what);
int ht_sync_late(const void *object, int result, uint64_t what);
/* The first for locks: who takes and leaves one over and over, while others have not even woken up, is noted once in a
 * while. `sure`: the real call is going to wake somebody. */
int ht_sync_unlocks(void *object, int (*real)(void *), uint64_t what, bool sure);

/* The ends of exported functions, and of what they jump to. What waits: */
#define HT_SYNC_WAITS(place_, object_, what_, detail_, cancellable_, call, outcome, least)                      \
	do {                                                                                                    \
		struct ht_unwind_state from_ = HT_CALLER_STATE();                                               \
		struct ht_sync_wait w_ = {.place = (place_), .object = (object_), .what = (what_),               \
					  .detail = (detail_), .from = &from_, .cancellable = (cancellable_)};   \
		ht_sync_begin(&w_);                                                                             \
		int rc = (call);                                                                                \
		ht_sync_end(&w_, (outcome), (least));                                                           \
		return rc;                                                                                      \
	} while (0)
/* What lets go: */
#define HT_SYNC_LET_GO(place, object, real, what, wakes, ...)                     \
	do {                                                                      \
		uint64_t *place_ = (place);                                       \
		uint64_t before_ = HT_LOAD_RELAXED(place_);                       \
		if (HT_UNLIKELY(ht_sync_waiters(before_)))                        \
			return wakes((object), (real), (what), ##__VA_ARGS__);    \
		int result_ = (real)(object);                                     \
		if (HT_UNLIKELY(HT_LOAD_ACQUIRE(place_) != before_))              \
			return ht_sync_late((object), result_, (what));           \
		return result_;                                                   \
	} while (0)

/* thread.c: this thread is about to end; a fork's child has but one thread. */
void ht_sync_exit(const struct ht_unwind_state *from);
void ht_sync_forked(void);

/* Before and after the search for the real functions: what is not there answers for itself. */
void ht_sync_fill(void);

#pragma GCC visibility pop
#endif
