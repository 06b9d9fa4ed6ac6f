/*
 * Birth and death at different sites of one function, in different calls of it.
 * truth: step reused
 */
#include "escape.h"

static NOINLINE void step(int what, size_t n)
{
	static void *held;
	if (what) {
		held = malloc(n);
		use(held);
	} else {
		use(held);
		free(held);
		after();
	}
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		step(i % 2 == 0, i);
	return 0;
}
