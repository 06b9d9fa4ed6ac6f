/*
 * The same with free itself.
 * truth: parse stays
 */
#include "escape.h"

static NOINLINE void parse(size_t n)
{
	void *p = malloc(n);
	use(p);
	free(p);
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++) {
		parse(i);
		elsewhere();
	}
	return 0;
}
