/*
 * Some blocks die in the call that made them, some in the next; nothing in the stacks or the code tells which.
 * truth: shuffle unknown
 */
#include "escape.h"

static void *slots[4];

static NOINLINE void shuffle(unsigned rounds)
{
	static unsigned next;
	for (unsigned i = 0; i < rounds; i++) {
		unsigned k = next++ % 4;
		free(slots[k]);
		slots[k] = malloc(k);
		use(slots[k]);
	}
}

int main(void)
{
	for (unsigned i = 0; i < TIMES; i++)
		shuffle(i % 7);
	return 0;
}
