/*
 * Allocations in a signal handler that arrives at any instruction, the hook's own among them.
 *
 *	nested [-j] SECONDS     prints "mallocs frees" as the program counted them
 *
 * -j: every 50th handler leaves by siglongjmp, so that the hook is thrown out of whatever it was doing.
 * To be run over libreentrant_alloc.so, which may be interrupted; it ends before that allocator's arena does.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define MOST 2000000 /* of 370 bytes on average, out of 1 GiB */

static volatile long mallocs, frees, handlers;
static volatile sig_atomic_t jumping;
static sigjmp_buf home;
static void *volatile sink;

static void on_alarm(int sig)
{
	(void)sig;
	handlers++;
	void *p = malloc(24);
	mallocs++;
	sink = p;
	free(p);
	frees++;
	if (jumping && handlers % 50 == 0)
		siglongjmp(home, 1);
}

static __attribute__((noinline)) void work(int depth)
{
	volatile char room[40];
	room[0] = (char)depth;
	if (depth > 0) {
		work(depth - 1);
		room[1] = room[0];
		return;
	}
	for (int i = 0; i < 100; i++) {
		void *p = malloc((size_t)i * 7 + 1);
		__atomic_fetch_add(&mallocs, 1, __ATOMIC_RELAXED);
		sink = p;
		free(p);
		__atomic_fetch_add(&frees, 1, __ATOMIC_RELAXED);
	}
}

static unsigned next(void)
{
	static unsigned state = 12345;
	state = state * 1103515245 + 12345;
	return state >> 16;
}

static double seconds;
static int jump;

static void *run(void *unused)
{
	(void)unused;
	sigset_t alarm;
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
	struct itimerval every = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &every, NULL);
	struct timespec t0, t;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	if (sigsetjmp(home, 1)) {
		/* thrown out of work(), perhaps out of the hook */
	}
	jumping = jump;
	do {
		work((int)(next() % 20)); /* not rand(): a jump out of it would leave its lock held */
		clock_gettime(CLOCK_MONOTONIC, &t);
	} while (mallocs < MOST && (double)(t.tv_sec - t0.tv_sec) + (double)(t.tv_nsec - t0.tv_nsec) / 1e9 < seconds);
	jumping = 0;
	setitimer(ITIMER_REAL, &never, NULL);
	return NULL;
}

/* -j: some handlers jump; -t: in a thread, which has a function of the hook at the bottom of its stack */
int main(int argc, char **argv)
{
	int in_thread = argc > 2 && strcmp(argv[1], "-t") == 0;
	jump = in_thread || (argc > 2 && strcmp(argv[1], "-j") == 0);
	seconds = argc > 1 ? atof(argv[argc - 1]) : 1;
	struct sigaction sa = {.sa_handler = on_alarm};
	sigaction(SIGALRM, &sa, NULL);
	if (in_thread) {
		pthread_t thread;
		sigset_t alarm;
		sigemptyset(&alarm);
		sigaddset(&alarm, SIGALRM);
		pthread_sigmask(SIG_BLOCK, &alarm, NULL);
		if (pthread_create(&thread, NULL, run, NULL))
			return 1;
		pthread_join(thread, NULL);
	} else {
		run(NULL);
	}
	fprintf(stderr, "%ld %ld %ld\n", mallocs, frees, handlers);
	return 0;
}
