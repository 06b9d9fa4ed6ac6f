/*
 * real: the functions behind ours, as dlsym(RTLD_NEXT) would find them: the next object that has them, whichever
 * allocator that is. Never __libc_*: a program linked with jemalloc would free with the wrong one.
 */
#include "hook.h"

struct ht_real ht_real;
bool ht_real_ready;

static const struct {
	const char *name;
	size_t place;
} table[] = {
#define REAL(n) {#n, offsetof(struct ht_real, n)}
	REAL(malloc), REAL(calloc), REAL(realloc), REAL(free), REAL(memalign), REAL(posix_memalign), REAL(aligned_alloc),
	REAL(valloc), REAL(pvalloc), REAL(free_sized), REAL(free_aligned_sized), REAL(mmap), REAL(munmap), REAL(mremap),
	REAL(brk), REAL(sbrk), REAL(pthread_create), REAL(pthread_setname_np), REAL(pthread_attr_getstacksize),
	REAL(prctl), REAL(fork), REAL(pthread_exit),
	REAL(dlclose),
#undef REAL
};

/* Calls from inside the search find `resolving` and are served by the arena. */
HT_COLD bool ht_real_resolve(void)
{
	static uint32_t resolving;
	if (!ht_cas_u32(&resolving, 0, 1))
		return ht_real_ready;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		*(void **)((char *)&ht_real + table[i].place) = ht_symbol(table[i].name, true);
	if (!ht_real.free_sized) /* C23, newer than this libc: a sized free is a free */
		ht_real.free_sized = (void (*)(void *, size_t))(void *)ht_real.free;
	if (!ht_real.free_aligned_sized)
		ht_real.free_aligned_sized = (void (*)(void *, size_t, size_t))(void *)ht_real.free;
	HT_STORE_RELEASE(&ht_real_ready, true);
	return true;
}
