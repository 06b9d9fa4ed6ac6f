/*
 * A loop allocates from one site, and frees the block of its round before: all in one activation.
 * truth: chain stays
 */
#include "escape.h"

static NOINLINE void chain(size_t rounds)
{
	void *before = NULL;
	for (size_t i = 0; i < rounds; i++) {
		void *p = malloc(i);
		use(p);
		free(before);
		before = p;
	}
	free(before);
	after();
}

int main(void)
{
	for (size_t i = 0; i < 10; i++) {
		chain(i);
		elsewhere();
	}
	return 0;
}
