/*
 * Half of the blocks are kept, half are freed by the caller.
 * truth: make mixed
 */
#include "escape.h"

static void *held[TIMES];

static NOINLINE void *make(size_t i)
{
	void *p = malloc(i);
	use(p);
	return p;
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++) {
		held[i] = make(i);
		if (i % 2)
			free(held[i]);
	}
	use(held);
	return 0;
}
