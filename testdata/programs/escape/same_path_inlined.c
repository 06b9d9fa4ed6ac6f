/*
 * As same_path, but the function may be inlined into the loop that calls it, and leaves nothing behind.
 * truth: refresh reused
 */
#include "escape.h"

static void *last;

static inline void refresh(size_t n)
{
	free(last);
	last = malloc(n);
	use(last);
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		refresh(i);
	return 0;
}
