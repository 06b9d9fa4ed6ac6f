/*
 * Recursion that frees its caller's block, which is still there.
 * truth: descend stays
 */
#include "escape.h"

static NOINLINE void descend(size_t n, void *of_caller)
{
	void *p = malloc(n);
	use(p);
	free(of_caller);
	if (n)
		descend(n - 1, p);
	else
		free(p);
	after();
}

int main(void)
{
	for (size_t i = 0; i < 10; i++)
		descend(10, NULL);
	return 0;
}
