/*
 * An allocator that may be interrupted and re-entered by a signal handler: so that a test can allocate in
 * one, which no real allocator allows. Takes from a large arena by one atomic add; free does nothing.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint8_t arena[1u << 30] __attribute__((aligned(16)));
static size_t used;

void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);
void free(void *p);

void *malloc(size_t n)
{
	size_t room = ((n + 15) & ~(size_t)15) + 16;
	size_t at = __atomic_fetch_add(&used, room, __ATOMIC_RELAXED);
	if (at + room > sizeof(arena))
		return NULL;
	*(size_t *)(arena + at) = n;
	return arena + at + 16;
}

void *calloc(size_t n, size_t size)
{
	return malloc(n * size); /* fresh: zero */
}

void *realloc(void *p, size_t n)
{
	void *q = malloc(n);
	if (p && q) {
		size_t old = *(size_t *)((uint8_t *)p - 16);
		memcpy(q, p, old < n ? old : n);
	}
	return q;
}

void free(void *p)
{
	(void)p;
}
