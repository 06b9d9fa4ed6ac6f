/*
 * Blocks that nobody frees.
 * truth: hold kept
 */
#include "escape.h"

static void *held[TIMES];

static NOINLINE void hold(size_t i)
{
	held[i] = malloc(i);
	use(held[i]);
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		hold(i);
	return 0;
}
