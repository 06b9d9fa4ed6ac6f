/*
 * Freed through a wrapper that its own function calls.
 * truth: parse stays
 */
#include "escape.h"

static NOINLINE void xfree(void *p)
{
	free(p);
	__asm__ volatile("");
}

static NOINLINE void parse(size_t n)
{
	char *p = malloc(n);
	use(p);
	xfree(p);
	use(p);
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		parse(i);
	return 0;
}
