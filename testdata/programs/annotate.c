/*
 * annotate: a program that uses heaptide.h in each way, so that a test can count what arrived.
 *
 *	annotate THREADS ROUNDS		each thread: ROUNDS times region "round" with 3 allocations in it, of which the inner
 *					region "inner" has 2; one task "request" a round, begun here and finished by
 *					the next thread. Then 5 allocations within a pause, and what goes with them.
 *	annotate --cost N		N regions without anything in them; prints ns for a loop with and without
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "heaptide.h"

#define THREADS_MAX 16

static long rounds;
static uint64_t task_of[THREADS_MAX];
static pthread_barrier_t all;
static long threads;
static void *volatile keep;

static void touch(size_t n)
{
	keep = malloc(n);
	free(keep);
}

static void *run(void *arg)
{
	long self = (long)arg;
	char name[16];
	for (long i = 0; i < rounds; i++) {
		strcpy(name, "round"); /* a name on the stack: it is copied */
		heaptide_region_begin(name);
		touch(100);
		strcpy(name, "inner");
		heaptide_region_begin(name);
		touch(200);
		touch(300);
		heaptide_region_end("inner");
		heaptide_region_end("round");
		task_of[self] = heaptide_task_begin("request");
		pthread_barrier_wait(&all);
		uint64_t theirs = task_of[(self + 1) % threads];
		heaptide_task_enter(theirs);
		touch(400);
		heaptide_task_leave(theirs);
		heaptide_task_end(theirs);
		pthread_barrier_wait(&all);
	}
	return NULL;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void cost(long n)
{
	double best_with = 1e18, best_without = 1e18;
	for (int round = 0; round < 5; round++) {
		double a = now();
		for (long i = 0; i < n; i++)
			__asm__ volatile("" ::: "memory");
		double b = now();
		for (long i = 0; i < n; i++) {
			heaptide_region_begin("cost");
			__asm__ volatile("" ::: "memory");
			heaptide_region_end("cost");
		}
		double c = now();
		if (b - a < best_without)
			best_without = b - a;
		if (c - b < best_with)
			best_with = c - b;
	}
	printf("%.3f %.3f\n", best_without / (double)n, best_with / (double)n);
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS_MAX];
	if (argc == 3 && !strcmp(argv[1], "--cost")) {
		cost(atol(argv[2]));
		return 0;
	}
	threads = argc > 1 ? atol(argv[1]) : 1;
	rounds = argc > 2 ? atol(argv[2]) : 1;
	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	pthread_barrier_init(&all, NULL, (unsigned)threads);
	heaptide_mark("begin");
	for (long i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, run, (void *)i);
	for (long i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	heaptide_log("note", "all rounds are done");
	heaptide_log("note", NULL);
	void *before = malloc(1234);
	heaptide_pause();
	heaptide_pause();
	void *volatile meant = malloc(4321); /* not recorded, though its free is */
	for (int i = 0; i < 4; i++)
		touch(4321);
	free(before); /* recorded before: its free counts */
	heaptide_resume();
	int inside = heaptide_recording();
	heaptide_resume();
	heaptide_resume(); /* one too many does nothing */
	free(meant);
	heaptide_mark("end");
	printf("recording %d, while paused %d\n", heaptide_recording(), inside);
	return 0;
}
