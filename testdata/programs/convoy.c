/*
 * convoy: threads that queue for one mutex, hold it for a while, and have little else to do; one of them holds it
 * longer.
 *
 *	convoy TRUTH.json [THREADS [ROUNDS [HOLD_US]]]
 */
#include "time_truth.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct truth_lock *the_mutex, *the_join;
static long threads = 6, rounds = 500, hold_us = 50;

static void *queue(void *of)
{
	long me = (long)(intptr_t)of;
	struct timespec elsewhere = {0, 20000};
	char name[16];
	snprintf(name, sizeof name, me ? "queue-%ld" : "slow-%ld", me);
	truth_begin(name);
	for (long i = 0; i < rounds; i++) {
		TRUTH_LOCK(the_mutex, pthread_mutex_trylock(&mutex), pthread_mutex_lock(&mutex));
		truth_work((uint64_t)hold_us * (me ? 1000 : 3000));
		pthread_mutex_unlock(&mutex);
		nanosleep(&elsewhere, NULL); /* else whoever lets go is the first to have it again */
	}
	truth_end();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[32];
	if (argc < 2)
		return 2;
	threads = argc > 2 ? atol(argv[2]) : threads;
	rounds = argc > 3 ? atol(argv[3]) : rounds;
	hold_us = argc > 4 ? atol(argv[4]) : hold_us;
	truth_begin("main");
	the_mutex = truth_lock(&mutex, TRUTH_MUTEX);
	the_join = truth_lock(NULL, TRUTH_JOIN);
	for (long i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, queue, (void *)(intptr_t)i);
	for (long i = 0; i < threads; i++)
		TRUTH_LOCK(the_join, pthread_tryjoin_np(thread[i], NULL), pthread_join(thread[i], NULL));
	return truth_write(argv[1]);
}
