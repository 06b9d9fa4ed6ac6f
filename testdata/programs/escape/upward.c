/*
 * Blocks that a registry holds until it is cleared, elsewhere on the same thread.
 * truth: add escapes-upward 2 main
 */
#include "escape.h"

static void *registry[TIMES];

static NOINLINE void add(size_t i)
{
	registry[i] = malloc(i);
	use(registry[i]);
}

static NOINLINE void load(void)
{
	for (size_t i = 0; i < TIMES; i++)
		add(i);
	use(registry);
}

static NOINLINE void clear(void)
{
	for (size_t i = 0; i < TIMES; i++)
		free(registry[i]);
	after();
}

static NOINLINE void unload(void)
{
	elsewhere();
	clear();
	use(registry);
}

int main(void)
{
	load();
	unload();
	return 0;
}
