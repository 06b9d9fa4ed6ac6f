/*
 * churn: threads that replace random blocks of theirs, and now and then free a block of another thread.
 *
 *	churn THREADS OPERATIONS	prints {"operations": OPERATIONS, "ns": TIME OF THE LOOPS}
 *
 * An operation is one free and one malloc of 16 to 527 bytes in one of the thread's 4096 slots; OPERATIONS are shared
 * out evenly. With one operation in 64 the block to free is first exchanged for one in a table that all threads
 * share: what comes back is mostly another thread's. Every slot is full when the clock starts and none is emptied before
 * it stops, so that the number of events depends on the arguments alone. Threads are bound to the processors in turn,
 * as the scheduler may take longer than the whole run lasts to move one of two away from the other.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SLOTS  4096
#define SHARED 1024
#define MOST   256

static _Atomic(char *) shared[SHARED];
static pthread_barrier_t start_line, finish_line;
static long each;

static long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* Binds thread number `index` to one of the processors we may use. */
static void bind_thread(pthread_t thread, long index)
{
	cpu_set_t all, one;
	if (sched_getaffinity(0, sizeof all, &all) < 0)
		abort();
	int skip = (int)(index % CPU_COUNT(&all)), cpu = 0;
	while (!CPU_ISSET(cpu, &all) || skip-- > 0)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (pthread_setaffinity_np(thread, sizeof one, &one) != 0)
		abort();
}

/* xorshift64*, the high bits */
static uint64_t random_bits(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545F4914F6CDD1Dull) >> 16;
}

static char *block(uint64_t bits)
{
	char *p = malloc(16 + (bits & 511));
	if (!p)
		abort();
	*p = 1;
	return p;
}

static void *work(void *arg)
{
	uint64_t state = 88172645463325252ull + (uintptr_t)arg * 0x9E3779B97F4A7C15ull;
	char **slots = calloc(SLOTS, sizeof *slots);
	if (!slots)
		abort();
	for (int i = 0; i < SLOTS; i++)
		slots[i] = block(random_bits(&state));
	pthread_barrier_wait(&start_line);
	for (long i = 0; i < each; i++) {
		uint64_t bits = random_bits(&state);
		char **slot = &slots[bits % SLOTS], *old = *slot;
		if ((bits >> 12 & 63) == 0)
			old = atomic_exchange_explicit(&shared[bits >> 18 & (SHARED - 1)], old, memory_order_acq_rel);
		free(old);
		*slot = block(bits >> 28);
	}
	pthread_barrier_wait(&finish_line);
	for (int i = 0; i < SLOTS; i++)
		free(slots[i]);
	free(slots);
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = argc > 2 ? atol(argv[1]) : 0, operations = argc > 2 ? atol(argv[2]) : 0;
	if (threads < 1 || threads > MOST || operations < threads) {
		fprintf(stderr, "usage: churn THREADS OPERATIONS	(1 to %d threads)\n", MOST);
		return 2;
	}
	each = operations / threads;
	pthread_barrier_init(&start_line, NULL, (unsigned)threads + 1);
	pthread_barrier_init(&finish_line, NULL, (unsigned)threads + 1);
	for (uint64_t i = 0; i < SHARED; i++)
		shared[i] = block(i);

	pthread_t id[MOST];
	for (long i = 0; i < threads; i++) {
		if (pthread_create(&id[i], NULL, work, (void *)i) != 0)
			abort();
		bind_thread(id[i], i);
	}
	pthread_barrier_wait(&start_line);
	long long start = now_ns();
	pthread_barrier_wait(&finish_line);
	long long ns = now_ns() - start;
	for (long i = 0; i < threads; i++)
		pthread_join(id[i], NULL);
	for (int i = 0; i < SHARED; i++)
		free(shared[i]);
	printf("{\"operations\": %ld, \"ns\": %lld}\n", each * threads, ns);
	return 0;
}
