/*
 * sync_list: what pthreads and C11 have to wait with and to let go with, as HT_SYNC_CALLS(X) with X(result, name,
 * parameters), for hook.h and real.c as call_list.h is. Not every name is hooked: some are called in front of others.
 */
#ifndef HT_SYNC_LIST_H
#define HT_SYNC_LIST_H

#define HT_SYNC_CALLS_LOCK(X)                                                   \
	X(int, pthread_mutex_lock, (void *))                                    \
	X(int, pthread_mutex_trylock, (void *))                                 \
	X(int, pthread_mutex_timedlock, (void *, const void *))                 \
	X(int, pthread_mutex_clocklock, (void *, int, const void *))            \
	X(int, pthread_mutex_unlock, (void *))                                  \
	X(int, mtx_lock, (void *))                                              \
	X(int, mtx_timedlock, (void *, const void *))                           \
	X(int, mtx_unlock, (void *))                                            \
	X(int, pthread_rwlock_rdlock, (void *))                                 \
	X(int, pthread_rwlock_wrlock, (void *))                                 \
	X(int, pthread_rwlock_tryrdlock, (void *))                              \
	X(int, pthread_rwlock_trywrlock, (void *))                              \
	X(int, pthread_rwlock_timedrdlock, (void *, const void *))              \
	X(int, pthread_rwlock_timedwrlock, (void *, const void *))              \
	X(int, pthread_rwlock_clockrdlock, (void *, int, const void *))         \
	X(int, pthread_rwlock_clockwrlock, (void *, int, const void *))         \
	X(int, pthread_rwlock_unlock, (void *))                                 \
	X(int, pthread_spin_lock, (void *))                                     \
	X(int, pthread_spin_trylock, (void *))                                  \
	X(int, pthread_spin_unlock, (void *))

#define HT_SYNC_CALLS_WAIT(X)                                                   \
	X(int, pthread_cond_wait, (void *, void *))                             \
	X(int, pthread_cond_timedwait, (void *, void *, const void *))          \
	X(int, pthread_cond_clockwait, (void *, void *, int, const void *))     \
	X(int, pthread_cond_signal, (void *))                                   \
	X(int, pthread_cond_broadcast, (void *))                                \
	X(int, cnd_wait, (void *, void *))                                      \
	X(int, cnd_timedwait, (void *, void *, const void *))                   \
	X(int, cnd_signal, (void *))                                            \
	X(int, cnd_broadcast, (void *))                                         \
	X(int, pthread_barrier_wait, (void *))                                  \
	X(int, sem_wait, (void *))                                              \
	X(int, sem_trywait, (void *))                                           \
	X(int, sem_timedwait, (void *, const void *))                           \
	X(int, sem_clockwait, (void *, int, const void *))                      \
	X(int, sem_post, (void *))                                              \
	X(int, pthread_join, (unsigned long, void **))                          \
	X(int, pthread_timedjoin_np, (unsigned long, void **, const void *))    \
	X(int, pthread_clockjoin_np, (unsigned long, void **, int, const void *)) \
	X(int, thrd_create, (void *, int (*)(void *), void *))                  \
	X(int, thrd_join, (unsigned long, int *))                               \
	X(int, pthread_once, (void *, void (*)(void)))                          \
	X(int, call_once, (void *, void (*)(void)))                             \
	X(int, clock_gettime, (int, void *))                                    \
	X(int, pthread_testcancel, (void))                                      \
	X(int, _pthread_cleanup_push, (void *, void (*)(void *), void *))       \
	X(int, _pthread_cleanup_pop, (void *, int))

#define HT_SYNC_CALLS(X) HT_SYNC_CALLS_LOCK(X) HT_SYNC_CALLS_WAIT(X)

#endif
