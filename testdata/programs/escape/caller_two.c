/*
 * Two frames up, and freed by a function that is called there for it.
 * truth: node escapes-to-caller 2 work
 */
#include "escape.h"

static NOINLINE char *node(size_t n)
{
	char *p = malloc(n);
	use(p);
	return p;
}

static NOINLINE char *list(size_t n)
{
	char *p = node(n + 1);
	use(p);
	return p;
}

static NOINLINE void drop(char *p)
{
	use(p);
	free(p);
	after();
}

static NOINLINE void work(size_t n)
{
	char *p = list(n);
	use(p);
	drop(p);
	after();
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
