/*
 * Threads that run the same function at the same time: each frees its own.
 * truth: work stays
 * link: -pthread
 */
#include <pthread.h>

#include "escape.h"

static NOINLINE void work(size_t n)
{
	void *p = malloc(n);
	use(p);
	free(p);
	after();
}

static void *worker(void *unused)
{
	for (size_t i = 0; i < TIMES; i++)
		work(i);
	return unused;
}

int main(void)
{
	pthread_t t[3];
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, worker, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	return 0;
}
