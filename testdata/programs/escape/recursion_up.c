/*
 * Recursion that hands its block to its caller, the same function.
 * truth: build escapes-to-caller 1 build
 */
#include "escape.h"

static NOINLINE void *build(size_t n)
{
	void *below = n ? build(n - 1) : NULL;
	void *p = malloc(n + 1);
	use(p);
	free(below);
	return p;
}

int main(void)
{
	for (size_t i = 0; i < 10; i++)
		free(build(30));
	return 0;
}
