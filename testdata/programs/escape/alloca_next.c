/*
 * alloca of varying size beside malloc: the frame's size changes, its address does not.
 * truth: scan stays
 */
#include <alloca.h>
#include <string.h>

#include "escape.h"

static NOINLINE void scan(size_t n)
{
	char *before = alloca(n * 8 + 1);
	memset(before, 1, n + 1);
	char *p = malloc(n);
	char *behind = alloca(n * 16 + 1);
	memset(behind, 2, n + 1);
	use(before);
	use(behind);
	use(p);
	free(p);
	after();
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		scan(i);
	return 0;
}
