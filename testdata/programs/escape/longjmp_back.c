/*
 * longjmp to the function that allocated, which frees.
 * truth: work stays
 */
#include <setjmp.h>

#include "escape.h"

static jmp_buf here;

static NOINLINE void fail(void)
{
	elsewhere();
	longjmp(here, 1);
}

static NOINLINE void work(size_t n)
{
	void *volatile p = NULL;
	if (setjmp(here)) {
		free(p);
		after();
		return;
	}
	p = malloc(n);
	use(p);
	fail();
}

int main(void)
{
	for (size_t i = 0; i < TIMES; i++) {
		work(i);
		elsewhere();
	}
	return 0;
}
