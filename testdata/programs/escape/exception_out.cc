// An exception leaves the function that allocated; a caller's handler frees.
// truth: load escapes-to-caller 1 work
#include "escape.h"

static void *loaded;

static NOINLINE void load(size_t n)
{
	loaded = malloc(n);
	use(loaded);
	throw 1;
}

static NOINLINE void work(size_t n)
{
	try {
		load(n);
	} catch (int) {
		use(loaded);
		free(loaded);
	}
	use(loaded);
}

int main()
{
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
