/*
 * producer: some threads make what others use, through a small queue with a mutex and two conditions; the makers are
 * slow.
 *
 *	producer TRUTH.json [ITEMS [PRODUCERS [CONSUMERS]]]
 */
#include "time_truth.h"

#define ROOM 4
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static struct truth_lock *the_mutex, *when_filled, *when_emptied;
static long items = 4000, made, used, in_queue;

static void take(void)
{
	TRUTH_LOCK(the_mutex, pthread_mutex_trylock(&mutex), pthread_mutex_lock(&mutex));
}

static void await(pthread_cond_t *cond, struct truth_lock *o)
{
	TRUTH_LOCK(o, 1, pthread_cond_wait(cond, &mutex));
}

static void *produce(void *unused)
{
	truth_begin("producer");
	for (;;) {
		truth_work(100000);
		take();
		while (in_queue == ROOM)
			await(&emptied, when_emptied);
		bool more = made < items;
		if (more) {
			made++;
			in_queue++;
			pthread_cond_signal(&filled);
		}
		pthread_mutex_unlock(&mutex);
		if (!more)
			break;
	}
	truth_end();
	return unused;
}

static void *consume(void *unused)
{
	truth_begin("consumer");
	for (;;) {
		take();
		while (in_queue == 0 && used < items)
			await(&filled, when_filled);
		bool more = used < items;
		if (more) {
			used++;
			in_queue--;
			pthread_cond_signal(&emptied);
		}
		if (used == items)
			pthread_cond_broadcast(&filled);
		pthread_mutex_unlock(&mutex);
		if (!more)
			break;
		truth_work(20000);
	}
	truth_end();
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread[32];
	if (argc < 2)
		return 2;
	items = argc > 2 ? atol(argv[2]) : items;
	long producers = argc > 3 ? atol(argv[3]) : 1, all = producers + (argc > 4 ? atol(argv[4]) : 3);
	truth_begin("main");
	the_mutex = truth_lock(&mutex, TRUTH_MUTEX);
	when_filled = truth_lock(&filled, TRUTH_COND);
	when_emptied = truth_lock(&emptied, TRUTH_COND);
	struct truth_lock *ends = truth_lock(NULL, TRUTH_JOIN);
	for (long i = 0; i < all; i++)
		pthread_create(&thread[i], NULL, i < producers ? produce : consume, NULL);
	for (long i = 0; i < all; i++)
		TRUTH_LOCK(ends, pthread_tryjoin_np(thread[i], NULL), pthread_join(thread[i], NULL));
	return truth_write(argv[1]);
}
