/*
 * arena_fight: threads that fight for the lock of one arena, each timing its own calls of malloc and free.
 *
 *	arena_fight TRUTH.json [THREADS] [CALLS]
 *
 * It starts itself anew with one arena and without per-thread caches, so that every call takes the lock. Some blocks
 * are large, so that they are mapped and unmapped: such calls take long without a fight.
 */
#include "time_truth.h"

#include <string.h>

#define TUNABLES "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0"
#define HELD 64

static long calls = 20000;

static void *fight(void *number)
{
	void *held[HELD] = {0};
	unsigned random = (unsigned)(uintptr_t)number * 2654435761u + 1;
	char name[16];
	snprintf(name, sizeof name, "fighter%ld", (long)(intptr_t)number);
	truth_begin(name);
	for (long i = 0; i < calls; i++) {
		random = random * 1664525u + 1013904223u;
		unsigned at = random >> 16 & (HELD - 1);
		size_t size = random >> 8 & 63 ? 64 + (random >> 22) : 300000;
		uint64_t begin = truth_now();
		free(held[at]);
		truth_stalled(begin);
		begin = truth_now();
		held[at] = malloc(size);
		truth_stalled(begin);
		if (!held[at])
			abort();
		memset(held[at], 1, size < 4096 ? size : 4096);
	}
	for (unsigned i = 0; i < HELD; i++)
		free(held[i]);
	truth_end();
	return NULL;
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[2]) : 4;
	pthread_t threads[TRUTH_MAX];
	const char *now = getenv("GLIBC_TUNABLES");
	if (argc < 2 || n < 1 || n > TRUTH_MAX)
		return 2;
	if (argc > 3)
		calls = atol(argv[3]);
	if (!now || strcmp(now, TUNABLES) != 0) {
		setenv("GLIBC_TUNABLES", TUNABLES, 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	for (long i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, fight, (void *)(intptr_t)i) != 0)
			return 1;
	for (long i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return truth_write(argv[1]);
}
