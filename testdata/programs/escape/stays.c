/*
 * A block that is freed where it was allocated; the function is called from one place, and may be inlined there.
 * truth: parse stays
 */
#include "escape.h"

static void parse(size_t n)
{
	char *p = malloc(n);
	use(p);
	free(p);
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		parse(i);
	return 0;
}
