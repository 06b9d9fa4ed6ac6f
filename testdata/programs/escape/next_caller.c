/*
 * The block of a callee, freed by the next call of its caller: it leaves that, too.
 * truth: make escapes-to-caller 2 main
 */
#include "escape.h"

static void *last;

static NOINLINE void *make(size_t n)
{
	void *p = malloc(n);
	use(p);
	return p;
}

static NOINLINE void handle(size_t n)
{
	free(last);
	last = make(n);
	use(last);
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		handle(i);
	free(last);
	return 0;
}
