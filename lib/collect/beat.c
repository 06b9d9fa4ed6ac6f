/*
 * beat: the sign of life. A thread of its own moves every segment's heartbeat, so that a target can tell a
 * collector that is busy (a slow disk, a large block, a long look at /proc) from one that is dead or stopped.
 * It touches nothing but these words, under a lock that is never held for long.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "collector.h"

#define BEAT_NS (25 * 1000000) /* half of what ring.h promises */

struct ht_beat {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stopped;
	bool runs, stop;
	struct ht_segment **segments;
	size_t count, cap;
};

static void *keep_beating(void *p)
{
	struct ht_beat *b = p;
	struct timespec at;
	pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		for (size_t i = 0; i < b->count; i++)
			__atomic_fetch_add(&b->segments[i]->heartbeat, 1, __ATOMIC_RELAXED);
		clock_gettime(CLOCK_MONOTONIC, &at);
		at.tv_nsec += BEAT_NS;
		at.tv_sec += at.tv_nsec / 1000000000;
		at.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&b->stopped, &b->lock, &at);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

struct ht_beat *ht_beat_new(void)
{
	struct ht_beat *b = ht_xcalloc(1, sizeof(*b));
	pthread_attr_t a;
	pthread_condattr_t monotonic;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&b->stopped, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 64 << 10);
	b->runs = !pthread_create(&b->thread, &a, keep_beating, b);
	pthread_attr_destroy(&a);
	return b;
}

void ht_beat_free(struct ht_beat *b)
{
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->stopped);
	pthread_mutex_unlock(&b->lock);
	if (b->runs)
		pthread_join(b->thread, NULL);
	pthread_cond_destroy(&b->stopped);
	pthread_mutex_destroy(&b->lock);
	free(b->segments);
	free(b);
}

void ht_beat_add(struct ht_beat *b, struct ht_segment *s)
{
	pthread_mutex_lock(&b->lock);
	if (b->count == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 16;
		b->segments = ht_xrealloc(b->segments, b->cap, sizeof(struct ht_segment *));
	}
	b->segments[b->count++] = s;
	pthread_mutex_unlock(&b->lock);
}

void ht_beat_remove(struct ht_beat *b, struct ht_segment *s)
{
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < b->count; i++)
		if (b->segments[i] == s)
			b->segments[i] = b->segments[--b->count];
	pthread_mutex_unlock(&b->lock);
}
