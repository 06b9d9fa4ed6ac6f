/*
 * swap: threads that pass the same few addresses around as fast as they can.
 *
 *	swap [THREADS [EVENTS [SLOTS]]]
 *
 * EVENTS (births and deaths together, over all threads) are made by malloc, free and realloc on
 *blocks of one size class that lie in SLOTS shared slots. With one arena and no thread cache, an
 *address freed by one thread is the next that another thread gets, so a recorder that notes a free
 *after it happened will show a birth at a live address. Prints how many events it made.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_THREADS 256
#define MAX_SLOTS 4096

static _Atomic(void *) slots[MAX_SLOTS];
static uint64_t events_each;
static unsigned slot_count;
static uint64_t made[MAX_THREADS];

static void *swap_blocks(void *arg)
{
	uint64_t *events = arg, random = (uint64_t)(events - made + 1) * 0x9e3779b97f4a7c15ull;
	void *block;

	while (*events < events_each) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		_Atomic(void *) *slot = &slots[(random >> 33) % slot_count];
		block = atomic_exchange(slot, NULL);
		switch (random >> 60 & 3) {
		case 0: /* in place, or moved by a few bytes of size class */
			*events += block ? 2 : 1;
			block = realloc(block, 20 + (random >> 50 & 31));
			break;
		case 1:
			*events += block != NULL;
			free(block);
			block = NULL;
			break;
		default:
			*events += block ? 2 : 1;
			free(block);
			block = malloc(24);
		}
		if (block)
			*(volatile char *)block = 1;
		block = atomic_exchange(slot, block);
		*events += block != NULL;
		free(block);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
	uint64_t events = argc > 2 ? strtoull(argv[2], NULL, 0) : 10000000, sum = 0, live = 0;
	pthread_t ids[MAX_THREADS];

	slot_count = argc > 3 ? (unsigned)atoi(argv[3]) : 8;
	if (threads < 1 || threads > MAX_THREADS || slot_count < 1 || slot_count > MAX_SLOTS)
		return 2;
	mallopt(M_ARENA_MAX, 1);
	events_each = events / threads;
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, swap_blocks, &made[i]))
			return 1;
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(ids[i], NULL);
		sum += made[i];
	}
	for (unsigned i = 0; i < slot_count; i++)
		live += slots[i] != NULL;
	printf("%llu events, %llu blocks live\n", (unsigned long long)sum,
	       (unsigned long long)live);
	return 0;
}
