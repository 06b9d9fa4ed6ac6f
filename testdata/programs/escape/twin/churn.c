/*
 * Two threads take blocks and give them back, some at a time. POOL: freed ones are kept, up to so many, in one pool for
 * all or (EACH) in one for each thread. The threads work in turns, so that every run is the same.
 */
#include <pthread.h>
#include <stdlib.h>

#ifndef POOL
#define POOL 0
#endif

#ifdef EACH
#define PLACE static _Thread_local
#else
#define PLACE static
#endif

PLACE void *pool[POOL + 1];
PLACE unsigned pooled;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

__attribute__((noinline)) static void *get(void)
{
	void *volatile p;
	if (pooled)
		return pool[--pooled];
	p = malloc(64);
	return p;
}

__attribute__((noinline)) static void put(void *p)
{
	if (pooled + 1 <= POOL)
		pool[pooled++] = p;
	else
		free(p);
}

static void work(unsigned round)
{
	void *held[32];
	unsigned n = 1 + round * 31 % 8;
	if (round % 500 == 0)
		n = 32;
	for (unsigned i = 0; i < n; i++)
		held[i] = get();
	for (unsigned i = 0; i < n; i++)
		put(held[i]);
}

static void *worker(void *self)
{
	for (unsigned round = 0; round < 2000; round++) {
		pthread_mutex_lock(&lock);
		while (turn != *(int *)self)
			pthread_cond_wait(&changed, &lock);
		work(round);
		turn = !turn;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

int main(void)
{
	static int names[2] = {0, 1};
	pthread_t t[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, worker, &names[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	return 0;
}
