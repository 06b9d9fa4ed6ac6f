// An exception passes between birth and death; the handler frees.
// truth: work stays
#include "escape.h"

static NOINLINE void fail(size_t n)
{
	if (n % 2)
		throw 1;
	use(&n);
}

static NOINLINE void work(size_t n)
{
	void *p = malloc(n);
	use(p);
	try {
		fail(n);
	} catch (int) {
		use(p);
	}
	free(p);
	after();
}

int main()
{
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
