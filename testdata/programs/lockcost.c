/*
 * lockcost [MILLIONS]: what an uncontended lock and unlock of a mutex costs through the names that the program is bound
 * to (the hook's, when it is recorded) and through libc's own, measured in turns in one run. Run it as
 *
 *	heaptide record --events=+sync -o lockcost.tide -- lockcost 100
 *
 * and without; a line for a process with one thread, and one after its second.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef int mutex_call(pthread_mutex_t *);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double pairs(mutex_call *lock, mutex_call *unlock, long count)
{
	double begin = seconds();
	for (long i = 0; i < count; i++) {
		lock(&mutex);
		unlock(&mutex);
	}
	return (seconds() - begin) * 1e9 / (double)count;
}

static void compare(const char *threads, long count)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	mutex_call *lock = (mutex_call *)dlsym(libc, "pthread_mutex_lock");
	mutex_call *unlock = (mutex_call *)dlsym(libc, "pthread_mutex_unlock");
	double native = 1e9, bound = 1e9;
	for (int turn = 0; turn < 10; turn++) { /* the best of each: the rest is the machine's */
		double n = pairs(lock, unlock, count / 10), b = pairs(pthread_mutex_lock, pthread_mutex_unlock, count / 10);
		native = n < native ? n : native;
		bound = b < bound ? b : bound;
	}
	printf("{\"threads\": \"%s\", \"pairs\": %ld, "
	       "\"libc_ns\": %.2f, \"bound_ns\": %.2f, \"more_ns\": %.2f, \"hooked\": %s}\n",
	       threads, count, native, bound, bound - native, lock == pthread_mutex_lock ? "false" : "true");
}

static void *nothing(void *arg)
{
	return arg;
}

int main(int argc, char **argv)
{
	long count = (argc > 1 ? atol(argv[1]) : 100) * 1000000;
	pthread_t thread;
	compare("one", count);
	pthread_create(&thread, NULL, nothing, NULL);
	pthread_join(thread, NULL);
	compare("several", count);
	return 0;
}
