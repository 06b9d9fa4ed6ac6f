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
_Static_assert(sizeof(table) / sizeof(table[0]) <= 256, "as many as ht_symbols_behind takes");

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
	ht_symbols_behind(table, sizeof(table) / sizeof(table[0]), &ht_real);
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
