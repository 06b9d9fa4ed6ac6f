/*
 * Freed through a wrapper that its own function calls.
 * truth: parse stays
 */
#include "escape.h"

static NOINLINE void xfree(void *p)
{
	free(p);
	after();
}

static NOINLINE void parse(size_t n)
{
	char *p = malloc(n);
	use(p);
	xfree(p);
	after();
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		parse(i);
	return 0;
}
