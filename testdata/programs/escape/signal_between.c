/*
 * A signal's handler allocates and frees between birth and death.
 * truth: work stays
 * truth: handle stays
 */
#include <signal.h>

#include "escape.h"

static NOINLINE void handle(int number)
{
	void *p = malloc((size_t)number);
	use(p);
	free(p);
	after();
}

static NOINLINE void work(size_t n)
{
	void *p = malloc(n);
	use(p);
	raise(SIGUSR1);
	free(p);
	after();
}

int main(void)
{
	signal(SIGUSR1, handle);
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return 0;
}
