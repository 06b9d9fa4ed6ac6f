/*
 * sampled: allocations of known truth, for sampled recordings.
 *
 *   sampled sites		a dozen functions, each with a size and a number of calls of its own; every fourth block
 *			stays. Prints "function calls bytes kept_bytes" lines: the truth.
 *   sampled churn N	four threads that allocate, grow, hand over and free N times each; two forked children
 *			free what they inherited and go on by themselves. Prints nothing.
 *   sampled forever	as churn, until it is killed
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SITES(X)                                                                                               \
	X(site_1, 1, 300000)                                                                                   \
	X(site_8, 8, 200000)                                                                                   \
	X(site_24, 24, 150000)                                                                                 \
	X(site_64, 64, 100000)                                                                                 \
	X(site_100, 100, 80000)                                                                                \
	X(site_512, 512, 40000)                                                                                \
	X(site_1000, 1000, 20000)                                                                              \
	X(site_4k, 4096, 8000)                                                                                 \
	X(site_30k, 30000, 1500)                                                                               \
	X(site_256k, 262144, 200)                                                                              \
	X(site_1m, 1048576, 60)                                                                                \
	X(site_8m, 8388608, 12)

#define FUNCTION(name, size, calls)                            \
	__attribute__((noinline)) static void *name(void)      \
	{                                                      \
		void *volatile p = malloc(size);               \
		return p;                                      \
	}
SITES(FUNCTION)

static const struct {
	const char *name;
	void *(*call)(void);
	uint64_t size, calls;
} sites[] = {
#define ROW(name, size, calls) {#name, name, size, calls},
	SITES(ROW)
};
#define COUNT (sizeof(sites) / sizeof(*sites))

/* Round by round, so that all sites run from the first to the last moment. */
static void run_sites(void)
{
	enum { ROUNDS = 4 };
	for (unsigned round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < COUNT; i++)
			for (uint64_t k = 0; k < sites[i].calls / ROUNDS; k++) {
				void *p = sites[i].call();
				if (k % 4)
					free(p);
			}
	for (size_t i = 0; i < COUNT; i++) {
		uint64_t calls = sites[i].calls / ROUNDS * ROUNDS;
		uint64_t kept = ROUNDS * ((sites[i].calls / ROUNDS + 3) / 4);
		printf("%s %llu %llu %llu\n", sites[i].name, (unsigned long long)calls,
		       (unsigned long long)(calls * sites[i].size), (unsigned long long)(kept * sites[i].size));
	}
}

/* --- churn -------------------------------------------------------------------------------- */

#define SLOTS 512
static void *shared[SLOTS];
static uint64_t rounds;

static void *worker(void *arg)
{
	uint64_t x = (uintptr_t)arg * 0x9e3779b97f4a7c15u + 1;
	for (uint64_t i = 0; i < rounds; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		size_t size = x % 4000;
		void *p = i % 3 ? malloc(size) : i % 2 ? calloc(3, size) : aligned_alloc(64, (size + 63) & ~63ul);
		if (i % 5 == 0)
			p = realloc(p, 2 * size + 1);
		if (i % 1000 == 0 && p) { /* refused: the old block stays */
			volatile size_t much = SIZE_MAX / 2;
			if (realloc(p, much))
				abort();
		}
		/* whoever finds it there frees it, on whatever thread */
		free(__atomic_exchange_n(&shared[(x >> 32) % SLOTS], p, __ATOMIC_ACQ_REL));
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t t[4];
	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, worker, (void *)(i + 1));
	for (size_t i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static void churn(void)
{
	run_threads();
	for (int i = 0; i < 2; i++)
		if (fork() == 0) {
			for (size_t k = 0; k < SLOTS; k++) {
				free(shared[k]);
				shared[k] = NULL;
			}
			run_threads();
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	run_threads();
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "sites"))
		run_sites();
	else if (argc > 2 && !strcmp(argv[1], "churn")) {
		rounds = strtoull(argv[2], NULL, 10);
		churn();
	} else if (argc > 1 && !strcmp(argv[1], "forever")) {
		rounds = UINT64_MAX;
		churn();
	} else {
		return 2;
	}
	return 0;
}
