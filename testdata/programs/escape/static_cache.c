/*
 * A static last-object cache: a block is replaced when it is too small.
 * truth: lookup reused
 */
#include "escape.h"

static NOINLINE char *lookup(size_t n)
{
	static char *last;
	static size_t size;
	if (last && n <= size)
		return last;
	free(last);
	last = malloc(n);
	size = n;
	use(last);
	return last;
}

int main(void)
{
	for (size_t i = 1; i < TIMES; i++) {
		use(lookup(i));
		use(lookup(i / 2));
	}
	return 0;
}
