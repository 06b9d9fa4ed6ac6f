/*
 * The function's last act is a call that frees: with optimisation a jump, when its own frame is gone.
 * truth: parse stays
 */
#include "escape.h"

static NOINLINE void release(void *p)
{
	use(p);
	free(p);
	after();
}

static NOINLINE void parse(size_t n)
{
	void *p = malloc(n);
	use(p);
	release(p);
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		parse(i);
	return 0;
}
