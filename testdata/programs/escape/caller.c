/*
 * A block that its caller frees.
 * truth: make escapes-to-caller 1 work
 */
#include "escape.h"

static NOINLINE char *make(size_t n)
{
	char *p = malloc(n);
	use(p);
	return p;
}

static NOINLINE void work(size_t n)
{
	char *p = make(n);
	use(p);
	free(p);
	after();
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
