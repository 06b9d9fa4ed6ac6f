/*
 * stalled: calls the slow allocator.
 *
 *	stalled ROUNDS EVERY NS [sleeps]	each EVERYth call takes NS or more
 *
 * It prints {"malloc": N, "calloc": N, "aligned": N, "realloc": N, "free": N, "ns": N}: how many calls of each kind
 * took long, and how long they took in all. Run without the allocator it prints zeros.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slow_alloc.h"

static void *volatile sink;

static void round_of_calls(void)
{
	void *p[4];
	p[0] = malloc(7001);
	p[1] = calloc(7, 1003);
	p[2] = aligned_alloc(64, 7040);
	if (posix_memalign(&p[3], 128, 7003) != 0)
		abort();
	p[0] = realloc(p[0], 9001);
	for (int i = 0; i < 4; i++) {
		sink = p[i];
		free(sink);
	}
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	printf("{"); /* before anything is counted: stdio's buffer */
	slow.ns = strtoul(argv[3], NULL, 10);
	slow.sleeps = argc > 4;
	slow.every = strtoul(argv[2], NULL, 10);
	for (long i = atol(argv[1]); i > 0; i--)
		round_of_calls();
	slow.every = 0;
	printf("\"malloc\": %lu, \"calloc\": %lu, \"aligned\": %lu, \"realloc\": %lu, \"free\": %lu, \"ns\": %llu}\n",
	       slow.count[SLOW_MALLOC], slow.count[SLOW_CALLOC], slow.count[SLOW_ALIGNED], slow.count[SLOW_REALLOC],
	       slow.count[SLOW_FREE], slow.sum_ns);
	return 0;
}
