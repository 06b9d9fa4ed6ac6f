/*
 * An allocator behind the hook, which is libc's but for one thing: when it has been told to, each nth of its calls
 * takes long. It knows how many of each kind it made slow, and how long they took.
 */
#include <errno.h>
#include <stddef.h>
#include <time.h>

#include "slow_alloc.h"

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t align, size_t n);
extern void __libc_free(void *p);

struct slow slow;

static unsigned long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * 1000000000u + (unsigned long long)t.tv_nsec;
}

static void take_long(enum slow_kind kind)
{
	if (!slow.every || ++slow.calls % slow.every)
		return;
	unsigned long long begin = now_ns(), took;
	if (slow.sleeps)
		nanosleep(&(struct timespec){0, (long)slow.ns}, NULL);
	do
		took = now_ns() - begin;
	while (took < slow.ns);
	slow.count[kind]++;
	slow.sum_ns += took;
}

void *malloc(size_t n)
{
	take_long(SLOW_MALLOC);
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	take_long(SLOW_CALLOC);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	take_long(SLOW_REALLOC);
	return __libc_realloc(p, n);
}

void *memalign(size_t align, size_t n)
{
	take_long(SLOW_ALIGNED);
	return __libc_memalign(align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	return memalign(align, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
	void *p = memalign(align, n);
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

void free(void *p)
{
	take_long(SLOW_FREE);
	__libc_free(p);
}
