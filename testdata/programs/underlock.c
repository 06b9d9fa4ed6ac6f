/*
 * underlock: threads that allocate while they hold the one lock that all of them want, and much more while they do not.
 *
 *	underlock [THREADS [ROUNDS]]
 *
 * Each time that a thread has the lock it makes BLOCKS blocks of SIZE bytes, and works for a while, so that the others
 * queue. It prints {"rounds", "blocks", "bytes"}: how often the lock was held, and what was allocated under it.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BLOCKS = 10, SIZE = 1000, OUTSIDE = 5, OUTSIDE_SIZE = 100000 };

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static long rounds = 200;

static void work(uint64_t ns)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	uint64_t until = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + ns;
	do
		clock_gettime(CLOCK_MONOTONIC, &t);
	while ((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec < until);
}

static void make(int count, size_t size)
{
	void *blocks[BLOCKS];
	for (int i = 0; i < count; i++)
		blocks[i] = malloc(size);
	for (int i = 0; i < count; i++)
		free(blocks[i]);
}

static __attribute__((noinline)) void register_one(void)
{
	pthread_mutex_lock(&registry_lock);
	make(BLOCKS, SIZE);
	work(100000);
	pthread_mutex_unlock(&registry_lock);
	__asm__ volatile(""); /* the call is no jump, so that this function is in its stack */
}

static void *run(void *unused)
{
	for (long i = 0; i < rounds; i++) {
		register_one();
		make(OUTSIDE, OUTSIDE_SIZE);
	}
	return unused;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 4;
	pthread_t all[64];
	rounds = argc > 2 ? atol(argv[2]) : rounds;
	for (int i = 0; i < threads && i < 64; i++)
		pthread_create(&all[i], NULL, run, NULL);
	for (int i = 0; i < threads && i < 64; i++)
		pthread_join(all[i], NULL);
	printf("{\"rounds\": %ld, \"blocks\": %ld, \"bytes\": %ld}\n", threads * rounds, threads * rounds * BLOCKS,
	       threads * rounds * BLOCKS * SIZE);
	return 0;
}
