/*
 * real: the functions behind ours, as dlsym(RTLD_NEXT) would find them: the next object that has them, whichever
 * allocator that is. Never __libc_*: a program linked with jemalloc would free with the wrong one.
 */
#include "sync.h"

#include <errno.h>

struct ht_real ht_real;
bool ht_real_ready;

static const struct ht_name table[] = {
#define REAL(n) {#n, offsetof(struct ht_real, n)}
	REAL(malloc), REAL(calloc), REAL(realloc), REAL(free), REAL(memalign), REAL(posix_memalign), REAL(aligned_alloc),
	REAL(valloc), REAL(pvalloc), REAL(free_sized), REAL(free_aligned_sized), REAL(mmap), REAL(munmap), REAL(mremap),
	REAL(brk), REAL(sbrk), REAL(pthread_create), REAL(pthread_setname_np), REAL(pthread_attr_getstacksize),
	REAL(prctl), REAL(syscall), REAL(fork), REAL(pthread_exit),
	REAL(dlclose),
#define REAL_CALL(result, name, params) REAL(name),
	HT_CALLS(REAL_CALL)
	HT_SYNC_CALLS(REAL_CALL)
#undef REAL_CALL
#undef REAL
};
static uint8_t owners[sizeof(table) / sizeof(table[0])];

/* Does libc itself have it, or nobody? Where that stands that nobody has a reason to interpose, libc is. */
static bool is_libcs(size_t place)
{
	uint8_t libc = 0, owner = 0;
	for (size_t i = 0; i < sizeof(owners); i++) {
		if (table[i].place == offsetof(struct ht_real, _pthread_cleanup_push))
			libc = owners[i];
		if (table[i].place == place)
			owner = owners[i];
	}
	return !owner || owner == libc;
}

static int busy(void)
{
	return EBUSY;
}

static int busy_semaphore(void)
{
	errno = EAGAIN;
	return -1;
}

/* Somebody else is interposed between us and libc, and expects to see each lock: to try first would pass them by. */
static HT_COLD void yield_to_others(void)
{
#define LIBCS(name) is_libcs(offsetof(struct ht_real, name))
#define NEVER(name, answer)                                  \
	do {                                                 \
		*(void **)&ht_real.name = (void *)answer;    \
		ht_sync_untried = true;                      \
	} while (0)
	if (!LIBCS(pthread_mutex_trylock) || !LIBCS(pthread_mutex_lock) || !LIBCS(pthread_mutex_timedlock) ||
	    !LIBCS(pthread_mutex_clocklock) || !LIBCS(mtx_lock) || !LIBCS(mtx_timedlock))
		NEVER(pthread_mutex_trylock, busy);
	if (!LIBCS(pthread_rwlock_tryrdlock) || !LIBCS(pthread_rwlock_rdlock) || !LIBCS(pthread_rwlock_timedrdlock) ||
	    !LIBCS(pthread_rwlock_clockrdlock))
		NEVER(pthread_rwlock_tryrdlock, busy);
	if (!LIBCS(pthread_rwlock_trywrlock) || !LIBCS(pthread_rwlock_wrlock) || !LIBCS(pthread_rwlock_timedwrlock) ||
	    !LIBCS(pthread_rwlock_clockwrlock))
		NEVER(pthread_rwlock_trywrlock, busy);
	if (!LIBCS(pthread_spin_trylock) || !LIBCS(pthread_spin_lock))
		NEVER(pthread_spin_trylock, busy);
	if (!LIBCS(sem_trywait) || !LIBCS(sem_wait) || !LIBCS(sem_timedwait) || !LIBCS(sem_clockwait))
		NEVER(sem_trywait, busy_semaphore);
#undef NEVER
#undef LIBCS
}

/* A call that this libc is too old for. */
static int missing(void)
{
	errno = ENOSYS;
	return -1;
}

/* Calls from inside the search find `resolving` and are served by the arena. */
HT_COLD bool ht_real_resolve(void)
{
	static uint32_t resolving;
	if (!ht_cas_u32(&resolving, 0, 1))
		return ht_real_ready;
	ht_sync_fill();
	ht_symbols_behind(table, sizeof(table) / sizeof(table[0]), &ht_real, owners);
	yield_to_others();
	if (!ht_real.free_sized) /* C23, newer than this libc: a sized free is a free */
		ht_real.free_sized = (void (*)(void *, size_t))(void *)ht_real.free;
	if (!ht_real.free_aligned_sized)
		ht_real.free_aligned_sized = (void (*)(void *, size_t, size_t))(void *)ht_real.free;
#define FILL(result, name, params) \
	if (!ht_real.name) \
		ht_real.name = (result(*) params)(void *)missing;
	HT_CALLS(FILL)
#undef FILL
	ht_sync_fill();
	HT_STORE_RELEASE(&ht_real_ready, true);
	return true;
}
