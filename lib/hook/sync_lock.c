/*
 * sync_lock: mutexes, reader-writer locks and spin locks, and C11's names of the first. An uncontended pair of lock and
 * unlock gains a few tests and two looks at a place, no stamp: testdata/programs/lockcost.c measures it.
 *
 * trylock first is what lock does, for the kinds 0 to 3 of a mutex (normal, recursive, errorcheck, adaptive) and for
 * every rwlock and spin lock: it takes what lock would take at once, with the same effects, and where it does not,
 * lock decides (waits, EDEADLK, EAGAIN). Other mutexes (robust, priority-inheriting and -protecting, shared between
 * processes, elided) get the real call alone, and a wait is what took long.
 */
#include "sync.h"

#include <pthread.h>
#include <threads.h>

#define JUMPED_TO __attribute__((noinline))

HT_INLINE bool tried_first(const pthread_mutex_t *m)
{
	return HT_LIKELY((unsigned)m->__data.__kind <= PTHREAD_MUTEX_ADAPTIVE_NP);
}

HT_INLINE uint64_t least(const pthread_mutex_t *m)
{
	return tried_first(m) ? 0 : ht_process.call_ticks;
}

/* ---- mutexes ---- */

static JUMPED_TO int lock_waits(void *m, int (*real)(void *), uint64_t ticks)
{
	HT_SYNC_WAITS(ht_sync_lock(m), m, HT_SYNC_WHAT(MUTEX, MUTEX_LOCK), 0, false, real(m), ht_sync_outcome(rc), ticks);
}

/* With one thread nobody waits for a mutex, unless for another process. */
HT_INLINE bool alone(void)
{
	return ht_sync_state == HT_SYNC_ALONE && (*ht_sync_single || ht_sync_decide() == HT_SYNC_ALONE);
}

/* Not ON, or not a mutex to be tried. */
static JUMPED_TO int lock_otherwise(pthread_mutex_t *m, int (**real)(void *))
{
	if (!ht_sync_asked())
		return (*real)(m);
	if (!tried_first(m))
		return lock_waits(m, *real, least(m));
	if (alone())
		return (*real)(m);
	return ht_real.pthread_mutex_trylock(m) == 0 ? 0 : lock_waits(m, *real, 0);
}

/* `real` is looked up where it is needed: it may not be known before ht_sync_asked, nor is it kept over a call. */
HT_INLINE int lock(pthread_mutex_t *m, int (**real)(void *))
{
	if (HT_UNLIKELY(ht_sync_state != HT_SYNC_ON || !tried_first(m)))
		return lock_otherwise(m, real);
	return HT_LIKELY(ht_real.pthread_mutex_trylock(m) == 0) ? 0 : lock_waits(m, *real, 0);
}

HT_EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
{
	return lock(m, &ht_real.pthread_mutex_lock);
}

HT_EXPORT int mtx_lock(mtx_t *m)
{
	return lock((pthread_mutex_t *)m, &ht_real.mtx_lock);
}

/* True: it has been had at once. */
HT_INLINE bool had(pthread_mutex_t *m)
{
	return tried_first(m) && ht_real.pthread_mutex_trylock(m) == 0;
}

HT_EXPORT int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until)
{
	if (!ht_sync_asked())
		return ht_real.pthread_mutex_timedlock(m, until);
	if (had(m))
		return 0;
	HT_SYNC_WAITS(ht_sync_lock(m), m, HT_SYNC_WHAT(MUTEX, MUTEX_TIMEDLOCK), ht_sync_deadline(0, until), false,
		      ht_real.pthread_mutex_timedlock(m, until), ht_sync_outcome(rc), least(m));
}

HT_EXPORT int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *until)
{
	if (!ht_sync_asked() || !ht_sync_valid(clock, until))
		return ht_real.pthread_mutex_clocklock(m, clock, until);
	if (had(m))
		return 0;
	HT_SYNC_WAITS(ht_sync_lock(m), m, HT_SYNC_WHAT(MUTEX, MUTEX_TIMEDLOCK), ht_sync_deadline(clock, until), false,
		      ht_real.pthread_mutex_clocklock(m, clock, until), ht_sync_outcome(rc), least(m));
}

HT_EXPORT int mtx_timedlock(mtx_t *mtx, const struct timespec *until)
{
	pthread_mutex_t *m = (pthread_mutex_t *)mtx;
	if (!ht_sync_asked())
		return ht_real.mtx_timedlock(m, until);
	if (had(m))
		return thrd_success;
	HT_SYNC_WAITS(ht_sync_lock(m), m, HT_SYNC_WHAT(MUTEX, MUTEX_TIMEDLOCK), ht_sync_deadline(0, until), false,
		      ht_real.mtx_timedlock(m, until), ht_sync_c11_outcome(rc), least(m));
}

static JUMPED_TO int unlock_otherwise(pthread_mutex_t *m, int (**real)(void *))
{
	if (!ht_sync_asked() || alone())
		return (*real)(m);
	HT_SYNC_LET_GO(ht_sync_lock(m), m, *real, HT_SYNC_WHAT(MUTEX, MUTEX_UNLOCK), ht_sync_unlocks, true);
}

/* Does libc know of somebody who sleeps? Robust and priority-inheriting mutexes have their owner's thread in the
 * word. */
static bool sleepers(const pthread_mutex_t *m)
{
	unsigned word = (unsigned)m->__data.__lock;
	return m->__data.__kind & (16 | 32) ? word >> 31 : (word & 3) > 1;
}

/* An inner unlock of a recursive mutex lets nobody in. What is read here the owner reads, before the real call. */
static JUMPED_TO int unlock_wakes(pthread_mutex_t *m, int (*real)(void *))
{
	if ((m->__data.__kind & 3) == PTHREAD_MUTEX_RECURSIVE_NP && m->__data.__count > 1)
		return real(m);
	return ht_sync_unlocks(m, real, HT_SYNC_WHAT(MUTEX, MUTEX_UNLOCK), sleepers(m));
}

HT_INLINE int unlock(pthread_mutex_t *m, int (**real)(void *))
{
	if (HT_UNLIKELY(ht_sync_state != HT_SYNC_ON))
		return unlock_otherwise(m, real);
	uint64_t *place = ht_sync_lock(m), before = HT_LOAD_RELAXED(place);
	if (HT_UNLIKELY(ht_sync_waiters(before)))
		return unlock_wakes(m, *real);
	int rc = (*real)(m);
	if (HT_UNLIKELY(HT_LOAD_ACQUIRE(place) != before))
		return ht_sync_late(m, rc, HT_SYNC_WHAT(MUTEX, MUTEX_UNLOCK));
	return rc;
}

HT_EXPORT int pthread_mutex_unlock(pthread_mutex_t *m)
{
	return unlock(m, &ht_real.pthread_mutex_unlock);
}

HT_EXPORT int mtx_unlock(mtx_t *m)
{
	return unlock((pthread_mutex_t *)m, &ht_real.mtx_unlock);
}

/* ---- reader-writer locks ---- */

#define READER (HT_SYNC_WHAT(RWLOCK, RWLOCK_RDLOCK) | HT_SYNC_SHARED)
#define WRITER HT_SYNC_WHAT(RWLOCK, RWLOCK_WRLOCK)

static JUMPED_TO int rwlock_waits(void *l, int (*real)(void *), uint64_t what)
{
	HT_SYNC_WAITS(ht_sync_lock(l), l, what, 0, false, real(l), ht_sync_outcome(rc), 0);
}

HT_EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
	if (!ht_sync_asked())
		return ht_real.pthread_rwlock_rdlock(l);
	if (HT_LIKELY(ht_real.pthread_rwlock_tryrdlock(l) == 0))
		return 0;
	return rwlock_waits(l, ht_real.pthread_rwlock_rdlock, READER);
}

HT_EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
	if (!ht_sync_asked())
		return ht_real.pthread_rwlock_wrlock(l);
	if (HT_LIKELY(ht_real.pthread_rwlock_trywrlock(l) == 0))
		return 0;
	return rwlock_waits(l, ht_real.pthread_rwlock_wrlock, WRITER);
}

#define TIMED_RWLOCK(name, try, what, clock, params, args)                                                           \
	HT_EXPORT int name params                                                                                    \
	{                                                                                                            \
		if (!ht_sync_asked() || !ht_sync_valid(clock, until))                                                \
			return ht_real.name args;                                                                    \
		if (HT_LIKELY(ht_real.try(l) == 0))                                                                  \
			return 0;                                                                                    \
		HT_SYNC_WAITS(ht_sync_lock(l), l, what, ht_sync_deadline(clock, until), false, ht_real.name args,      \
			      ht_sync_outcome(rc), 0);                                                               \
	}
#define UNTIL (pthread_rwlock_t * l, const struct timespec *until)
#define CLOCK_UNTIL (pthread_rwlock_t * l, clockid_t clock, const struct timespec *until)
TIMED_RWLOCK(pthread_rwlock_timedrdlock, pthread_rwlock_tryrdlock, READER, 0, UNTIL, (l, until))
TIMED_RWLOCK(pthread_rwlock_timedwrlock, pthread_rwlock_trywrlock, WRITER, 0, UNTIL, (l, until))
TIMED_RWLOCK(pthread_rwlock_clockrdlock, pthread_rwlock_tryrdlock, READER, clock, CLOCK_UNTIL, (l, clock, until))
TIMED_RWLOCK(pthread_rwlock_clockwrlock, pthread_rwlock_trywrlock, WRITER, clock, CLOCK_UNTIL, (l, clock, until))

HT_EXPORT int pthread_rwlock_unlock(pthread_rwlock_t *l)
{
	if (!ht_sync_asked())
		return ht_real.pthread_rwlock_unlock(l);
	/* a writer holds it alone: if there is one, it is this thread */
	uint64_t what = HT_SYNC_WHAT(RWLOCK, RWLOCK_UNLOCK) | (l->__data.__cur_writer ? 0 : HT_SYNC_SHARED);
	HT_SYNC_LET_GO(ht_sync_lock(l), l, ht_real.pthread_rwlock_unlock, what, ht_sync_unlocks, false);
}

/* ---- spin locks ---- */

static JUMPED_TO int spins(void *l)
{
	HT_SYNC_WAITS(ht_sync_lock(l), l, HT_SYNC_WHAT(SPIN, SPIN_LOCK), 0, false, ht_real.pthread_spin_lock(l),
		      ht_sync_outcome(rc), 0);
}

HT_EXPORT int pthread_spin_lock(pthread_spinlock_t *l)
{
	void *object = (void *)(uintptr_t)l;
	if (!ht_sync_asked())
		return ht_real.pthread_spin_lock(object);
	return HT_LIKELY(ht_real.pthread_spin_trylock(object) == 0) ? 0 : spins(object);
}

HT_EXPORT int pthread_spin_unlock(pthread_spinlock_t *l)
{
	void *object = (void *)(uintptr_t)l;
	if (!ht_sync_asked())
		return ht_real.pthread_spin_unlock(object);
	HT_SYNC_LET_GO(ht_sync_lock(object), object, ht_real.pthread_spin_unlock, HT_SYNC_WHAT(SPIN, SPIN_UNLOCK),
		       ht_sync_unlocks, false);
}
