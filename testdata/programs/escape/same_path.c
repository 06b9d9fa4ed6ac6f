/*
 * The same call path twice: the block is freed at the next call's start.
 * truth: refresh reused
 */
#include "escape.h"

static void *last;

static NOINLINE void refresh(size_t n)
{
	free(last);
	last = malloc(n);
	use(last);
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		refresh(i);
	return 0;
}
