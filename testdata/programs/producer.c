/*
 * producer: some threads make what others use, through a small queue with a mutex and two conditions; the makers are
 * slow.
 *
 *	producer TRUTH.json [ITEMS [PRODUCERS [CONSUMERS]]]
 */
#include "lock_truth.h"

#define ROOM 4
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static struct lock_object *the_mutex, *when_filled, *when_emptied;
static long items = 4000, made, used, in_queue;

static void take(void)
{
	LOCK_TRUTH(the_mutex, pthread_mutex_trylock(&mutex), pthread_mutex_lock(&mutex));
}

static void await(pthread_cond_t *cond, struct lock_object *o)
{
	LOCK_TRUTH(o, 1, pthread_cond_wait(cond, &mutex));
}

static void *produce(void *unused)
{
	lock_begin("producer");
	for (;;) {
		lock_work(100000);
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
			return unused;
	}
}

static void *consume(void *unused)
{
	lock_begin("consumer");
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
			return unused;
		lock_work(20000);
	}
}

int main(int argc, char **argv)
{
	pthread_t thread[32];
	if (argc < 2)
		return 2;
	items = argc > 2 ? atol(argv[2]) : items;
	long producers = argc > 3 ? atol(argv[3]) : 1, all = producers + (argc > 4 ? atol(argv[4]) : 3);
	lock_begin("main");
	the_mutex = lock_object(&mutex, LOCK_MUTEX);
	when_filled = lock_object(&filled, LOCK_COND);
	when_emptied = lock_object(&emptied, LOCK_COND);
	struct lock_object *ends = lock_object(NULL, LOCK_JOIN);
	for (long i = 0; i < all; i++)
		pthread_create(&thread[i], NULL, i < producers ? produce : consume, NULL);
	for (long i = 0; i < all; i++)
		LOCK_TRUTH(ends, pthread_tryjoin_np(thread[i], NULL), pthread_join(thread[i], NULL));
	return lock_write(argv[1]);
}
