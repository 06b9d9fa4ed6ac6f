/*
 * Hand-off through a queue to a thread, which frees.
 * truth: produce escapes-thread consumer
 * link: -pthread
 */
#include <pthread.h>

#include "escape.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static void *queue[TIMES + 1];
static size_t head, tail;

static void put(void *p)
{
	pthread_mutex_lock(&lock);
	queue[tail++] = p;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&lock);
}

static NOINLINE void produce(size_t n)
{
	void *p = malloc(n + 1);
	use(p);
	put(p);
}

static void *consumer(void *unused)
{
	for (void *p = unused;;) {
		pthread_mutex_lock(&lock);
		while (head == tail)
			pthread_cond_wait(&changed, &lock);
		p = queue[head++];
		pthread_mutex_unlock(&lock);
		if (!p)
			return NULL;
		free(p);
	}
}

int main(void)
{
	pthread_t t;
	pthread_create(&t, NULL, consumer, NULL);
	for (size_t i = 0; i < TIMES; i++)
		produce(i);
	put(NULL);
	pthread_join(t, NULL);
	return 0;
}
