/*
 * The function's last act is to allocate: with optimisation a jump, and the callsite is its caller's line.
 * truth at -O0: make escapes-to-caller 1 work
 * truth at -O2 -O3: work stays
 */
#include "escape.h"

static NOINLINE void *make(size_t n)
{
	return malloc(n + 1);
}

static NOINLINE void work(size_t n)
{
	void *p = make(n);
	use(p);
	free(p);
	after();
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
