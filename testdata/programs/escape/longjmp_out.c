/*
 * longjmp out of the function that allocated: its caller frees.
 * truth: load escapes-to-caller 1 work
 */
#include <setjmp.h>

#include "escape.h"

static jmp_buf here;
static void *loaded;

static NOINLINE void load(size_t n)
{
	loaded = malloc(n);
	use(loaded);
	longjmp(here, 1);
}

static NOINLINE void work(size_t n)
{
	if (!setjmp(here))
		load(n);
	free(loaded);
	after();
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
