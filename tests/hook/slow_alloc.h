/* slow_alloc: what the slow allocator and the program that calls it share. */
#ifndef SLOW_ALLOC_H
#define SLOW_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

enum slow_kind { SLOW_MALLOC, SLOW_CALLOC, SLOW_ALIGNED, SLOW_REALLOC, SLOW_FREE, SLOW_KINDS };
struct slow {
	unsigned long every, ns; /* 0: never; at least so long */
	bool sleeps;		 /* else it computes */
	unsigned long calls, count[SLOW_KINDS];
	unsigned long long sum_ns;
};
extern struct slow slow;

void *malloc(size_t n);
void *calloc(size_t n, size_t size);
void *realloc(void *p, size_t n);
void *memalign(size_t align, size_t n);
void *aligned_alloc(size_t align, size_t n);
int posix_memalign(void **out, size_t align, size_t n);
void free(void *p);

#endif
