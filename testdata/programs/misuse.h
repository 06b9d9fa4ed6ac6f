/*
 * misuse: what misuse_locks.c and misuse_waits.c share. They run through tables of what programs do to locks and waits,
 * right and wrong, and print what came of it: the same with and without a hook, to the byte.
 */
#ifndef MISUSE_H
#define MISUSE_H

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* Each answer, by name; and that the call left errno alone, as it stood before. */
#define SAY(expression)                                                                    \
	do {                                                                               \
		errno = 77;                                                                \
		int said_ = (expression), errno_ = errno;                                  \
		printf("%-64s %s%s\n", #expression, strerrorname_np(said_) && said_ > 0    \
								? strerrorname_np(said_)   \
								: number(said_),           \
		       errno_ == 77 ? "" : ", errno changed");                             \
	} while (0)
/* The same of a call that answers by errno. */
#define SAY_ERRNO(expression)                                                              \
	do {                                                                               \
		errno = 77;                                                                \
		int said_ = (expression), errno_ = errno;                                  \
		printf("%-64s %d %s\n", #expression, said_, strerrorname_np(errno_) ? strerrorname_np(errno_) : "?"); \
	} while (0)

static inline const char *number(int n)
{
	static char text[16];
	snprintf(text, sizeof(text), "%d", n);
	return text;
}

/* In `ms` milliseconds from now; as a pointer to one of this thread's own. */
static inline const struct timespec *in_ms(clockid_t clock, long ms)
{
	static _Thread_local struct timespec t;
	clock_gettime(clock, &t);
	t.tv_nsec += ms % 1000 * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return &t;
}

static inline void rest_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	while (nanosleep(&t, &t) != 0)
		;
}

/* Returns when the thread sleeps: seen asleep three times in a row. */
static inline void until_asleep(volatile int *tid)
{
	char path[64], text[256];
	for (int seen = 0; seen < 3; rest_ms(5)) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/stat", *tid);
		FILE *f = *tid ? fopen(path, "r") : NULL;
		const char *end = f && fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
		seen = end && end[1] == ' ' && end[2] == 'S' ? seen + 1 : 0;
		if (f)
			fclose(f);
	}
}

static inline void *shared_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* A function on a thread of its own, to its end; what it returns. */
static inline void *elsewhere(void *(*routine)(void *), void *arg)
{
	pthread_t thread;
	void *result = NULL;
	if (pthread_create(&thread, NULL, routine, arg) == 0)
		pthread_join(thread, &result);
	return result;
}

#endif
