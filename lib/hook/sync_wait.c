/*
 * sync_wait: conditions, barriers, semaphores, joins and once, under POSIX's and C11's names. Most are cancellation
 * points: whoever is cancelled in one has a WAIT with the outcome UNKNOWN, and its count is taken back.
 */
#include "sync.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>

_Static_assert(sizeof(struct ht_cleanup) >= sizeof(struct _pthread_cleanup_buffer), "libc writes all of it");

/* ---- conditions ---- */

/* A thread that waits for a condition lets go of its mutex. */
static void let_go_of(const void *mutex, uint64_t call, const struct ht_unwind_state *from)
{
	if (ht_sync_waiters(HT_LOAD_RELAXED(ht_sync_lock(mutex))))
		ht_sync_note_wake(mutex, call | HT_WAIT_MUTEX << 8, NULL, from);
}

#define COND(name, call, deadline, outcome, params, args)                                                          \
	HT_EXPORT int name params                                                                                  \
	{                                                                                                          \
		if (!ht_sync_asked())                                                                              \
			return ht_real.name args;                                                                  \
		struct ht_unwind_state from = HT_CALLER_STATE();                                                   \
		let_go_of(m, HT_CALL_##call, &from);                                                               \
		HT_SYNC_WAITS(ht_sync_other(c), c, HT_SYNC_WHAT(COND, call), deadline, true, ht_real.name args,    \
			      outcome, 0);                                                                         \
	}
COND(pthread_cond_wait, COND_WAIT, 0, ht_sync_outcome(rc), (pthread_cond_t * c, pthread_mutex_t *m), (c, m))
COND(pthread_cond_timedwait, COND_TIMEDWAIT, ht_sync_deadline(-1, until), ht_sync_outcome(rc),
     (pthread_cond_t * c, pthread_mutex_t *m, const struct timespec *until), (c, m, until))
COND(pthread_cond_clockwait, COND_TIMEDWAIT, ht_sync_deadline(clock, until), ht_sync_outcome(rc),
     (pthread_cond_t * c, pthread_mutex_t *m, clockid_t clock, const struct timespec *until), (c, m, clock, until))
COND(cnd_wait, COND_WAIT, 0, ht_sync_c11_outcome(rc), (cnd_t * c, mtx_t *m), (c, m))
COND(cnd_timedwait, COND_TIMEDWAIT, ht_sync_deadline(-1, until), ht_sync_c11_outcome(rc),
     (cnd_t * c, mtx_t *m, const struct timespec *until), (c, m, until))

#define WAKES(name, type, what)                                                    \
	HT_EXPORT int name(type *o)                                                \
	{                                                                          \
		if (!ht_sync_asked())                                              \
			return ht_real.name(o);                                    \
		HT_SYNC_LET_GO(ht_sync_other(o), o, ht_real.name, what, ht_sync_wakes);         \
	}
WAKES(pthread_cond_signal, pthread_cond_t, HT_SYNC_WHAT(COND, COND_SIGNAL))
WAKES(pthread_cond_broadcast, pthread_cond_t, HT_SYNC_WHAT(COND, COND_BROADCAST) | HT_SYNC_ALL)
WAKES(cnd_signal, cnd_t, HT_SYNC_WHAT(COND, COND_SIGNAL))
WAKES(cnd_broadcast, cnd_t, HT_SYNC_WHAT(COND, COND_BROADCAST) | HT_SYNC_ALL)

/* Programs from before glibc 2.3.2, and libraries that were linked without -pthread and without versions, have
 * conditions of another make. Theirs are passed on to where they went, unrecorded: tests/e2e/misuse.sh. */
#define OLD(name, params, args)                                                         \
	HT_EXPORT int ht_old_##name params;                                             \
	HT_EXPORT int ht_old_##name params                                              \
	{                                                                               \
		static int(*real) params;                                               \
		if (!real)                                                              \
			real = (int(*) params)ht_symbol_old(#name);                     \
		return real ? real args : ht_real.name args;                            \
	}                                                                               \
	__asm__(".symver ht_old_" #name ", " #name "@GLIBC_2.2.5");
#ifdef __x86_64__
OLD(pthread_cond_wait, (void *c, void *m), (c, m))
OLD(pthread_cond_timedwait, (void *c, void *m, const void *until), (c, m, until))
OLD(pthread_cond_signal, (void *c), (c))
OLD(pthread_cond_broadcast, (void *c), (c))
#endif

/* ---- semaphores ---- */

/* Async-signal-safe, as the real one is: tests/e2e/misuse.sh posts from handlers that interrupt anything. */
WAKES(sem_post, sem_t, HT_SYNC_WHAT(SEM, SEM_POST))

/* What sem_wait and its kin begin with: a pending cancellation first, then the semaphore. True: it has been had. */
HT_INLINE bool had(sem_t *s)
{
	int e = errno;
	ht_real.pthread_testcancel();
	if (HT_LIKELY(ht_real.sem_trywait(s) == 0))
		return true;
	errno = e;
	return false;
}

#define SEM(name, call, ask, deadline, params, args)                                                              \
	HT_EXPORT int name params                                                                                 \
	{                                                                                                         \
		if (!ht_sync_asked() || !(ask))                                                                   \
			return ht_real.name args;                                                                 \
		if (had(s))                                                                                       \
			return 0;                                                                                 \
		HT_SYNC_WAITS(ht_sync_other(s), s, HT_SYNC_WHAT(SEM, call), deadline, true, ht_real.name args,    \
			      ht_sync_outcome(rc ? errno : 0), 0);                                                \
	}
SEM(sem_wait, SEM_WAIT, true, 0, (sem_t * s), (s))
SEM(sem_timedwait, SEM_TIMEDWAIT, ht_sync_valid(0, until), ht_sync_deadline(0, until),
    (sem_t * s, const struct timespec *until), (s, until))
SEM(sem_clockwait, SEM_TIMEDWAIT, ht_sync_valid(clock, until), ht_sync_deadline(clock, until),
    (sem_t * s, clockid_t clock, const struct timespec *until), (s, clock, until))

/* ---- barriers ---- */

/* libc's serial thread is the last that came (seen since glibc 2.25): it ends the wait of the others. */
HT_EXPORT int pthread_barrier_wait(pthread_barrier_t *b)
{
	if (!ht_sync_asked())
		return ht_real.pthread_barrier_wait(b);
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct ht_sync_stamp when = ht_sync_stamp();
	struct ht_sync_wait w = {.object = b, .what = HT_SYNC_WHAT(BARRIER, BARRIER_WAIT), .from = &from};
	ht_sync_begin(&w);
	int rc = ht_real.pthread_barrier_wait(b);
	if (rc == PTHREAD_BARRIER_SERIAL_THREAD)
		ht_sync_note_wake(b, w.what | HT_SYNC_ALL, &when, &from);
	else
		ht_sync_end(&w, ht_sync_outcome(rc), ht_process.call_ticks);
	return rc;
}

/* ---- joins ---- */

#define JOIN(name, deadline, outcome, params, args)                                                                \
	HT_EXPORT int name params                                                                                  \
	{                                                                                                          \
		if (!ht_sync_asked())                                                                              \
			return ht_real.name args;                                                                  \
		HT_SYNC_WAITS(NULL, (const void *)thread, HT_SYNC_WHAT(JOIN, JOIN), deadline, true,                \
			      ht_real.name args, outcome, ht_process.call_ticks);                             \
	}
JOIN(pthread_join, 0, ht_sync_outcome(rc), (pthread_t thread, void **result), (thread, result))
JOIN(pthread_timedjoin_np, ht_sync_deadline(0, until), ht_sync_outcome(rc),
     (pthread_t thread, void **result, const struct timespec *until), (thread, result, until))
JOIN(pthread_clockjoin_np, ht_sync_deadline(clock, until), ht_sync_outcome(rc),
     (pthread_t thread, void **result, clockid_t clock, const struct timespec *until), (thread, result, clock, until))
JOIN(thrd_join, 0, ht_sync_c11_outcome(rc), (thrd_t thread, int *result), (thread, result))

/* ---- once ---- */

#define ONCE_DONE 2 /* in the control word of glibc; elsewhere it only takes the longer way */

/* A call whose routine has not been run yet. `outer` may be long gone, and is only put back. */
struct ht_once {
	void (*routine)(void);
	struct ht_once *outer;
	bool ran;
};

/* In the routine's place: leaves by a jump, so that no frame of ours stands in its stacks. */
static void run_once(void)
{
	struct ht_once *o = ht_self.once;
	o->ran = true;
	ht_self.once = o->outer;
	o->routine();
}

/* Running the routine is no wait; waiting for another thread that runs it is. */
typedef int real_once(void *, void (*)(void));

static __attribute__((noinline)) int once_waits(void *control, void (*routine)(void), real_once *real)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct ht_sync_wait w = {.object = control, .what = HT_SYNC_WHAT(ONCE, ONCE), .from = &from};
	struct ht_once once = {.routine = routine, .outer = ht_self.once};
	ht_self.once = &once;
	ht_sync_begin(&w);
	int rc = real(control, run_once);
	ht_self.once = once.outer;
	if (!once.ran)
		ht_sync_end(&w, ht_sync_outcome(rc), ht_process.call_ticks);
	return rc;
}

HT_INLINE int once(int *control, void (*routine)(void), real_once **real)
{
	if (!ht_sync_asked() || HT_LIKELY(HT_LOAD_ACQUIRE(control) & ONCE_DONE))
		return (*real)(control, routine);
	return once_waits(control, routine, *real);
}

HT_EXPORT int pthread_once(pthread_once_t *control, void (*routine)(void))
{
	return once(control, routine, &ht_real.pthread_once);
}

HT_EXPORT void call_once(once_flag *flag, void (*routine)(void))
{
	once((int *)flag, routine, &ht_real.call_once);
}
