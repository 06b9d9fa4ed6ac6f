/*
 * loop_pairs: malloc and free of one block, over and over, from one call path.
 *
 *	pairs FRAMES PAIRS [SIZE]	prints {"operations": PAIRS, "ns": TIME OF THE LOOP}
 *
 * FRAMES counts this program's own: main, a recursion, the loop. Built without frame pointers (and, as pairs-fp, with
 * them), without sibling calls, so that the frames exist, and without gcc's knowledge of malloc, so that the pairs do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define KEEP(p) __asm__ volatile("" : : "r"(p) : "memory")

static size_t size = 64;

static long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

__attribute__((noinline)) static long long loop(long pairs)
{
	long long start = now_ns();
	for (long i = 0; i < pairs; i++) {
		void *block = malloc(size);
		KEEP(block);
		free(block);
	}
	return now_ns() - start;
}

__attribute__((noinline)) static long long descend(int more, long pairs)
{
	long long ns = more > 0 ? descend(more - 1, pairs) : loop(pairs);
	KEEP(&ns);
	return ns;
}

int main(int argc, char **argv)
{
	int frames = argc > 2 ? atoi(argv[1]) : 0;
	long pairs = argc > 2 ? atol(argv[2]) : 0;
	if (frames < 3 || pairs < 1) {
		fprintf(stderr, "usage: pairs FRAMES PAIRS [SIZE]	(3 frames or more)\n");
		return 2;
	}
	if (argc > 3)
		size = strtoul(argv[3], NULL, 0);
	long long ns = descend(frames - 3, pairs);
	printf("{\"operations\": %ld, \"ns\": %lld}\n", pairs, ns);
	return 0;
}
