/*
 * The same with functions that may all be inlined.
 * truth: make escapes-to-caller 1 work
 */
#include "escape.h"

static inline char *make(size_t n)
{
	char *p = malloc(n);
	use(p);
	return p;
}

static inline void work(size_t n)
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
