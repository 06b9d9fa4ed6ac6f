/*
 * readahead: see readahead.h.
 *
 * A fixed ring of slots. Block i always goes to slot i % slots; a worker may start block i once the
 * caller has left block i - slots. One mutex guards the three counters and the slots' states; decoding
 * itself needs none, as each slot has one owner at a time:
 *
 *	taken < given + slots		taken: blocks handed to workers; given: asked for by the caller,
 *					who still reads the slot of block given - 1
 */
#include "readahead.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_JOBS 4
#define SLOTS_PER_JOB 2

struct slot {
	struct ht_events events;
	int result;
	bool ready;
};

struct ht_readahead {
	const struct ht_trace *trace;
	size_t blocks;
	size_t taken, given; /* blocks */
	bool stop;
	struct slot *slots;
	size_t slot_count;
	pthread_t threads[MAX_JOBS];
	unsigned thread_count; /* 0: decode in the caller's thread */
	pthread_mutex_t mutex;
	pthread_cond_t room, ready; /* for workers, for the caller */
};

static unsigned jobs_for(unsigned asked, size_t blocks)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned jobs = asked ? asked : cpus > 1 ? (unsigned)cpus : 1;
	if (jobs > MAX_JOBS)
		jobs = MAX_JOBS;
	return blocks < 4 ? 1 : jobs;
}

static void *work(void *arg)
{
	struct ht_readahead *r = arg;
	pthread_mutex_lock(&r->mutex);
	for (;;) {
		while (!r->stop && r->taken < r->blocks && r->taken + 1 >= r->given + r->slot_count)
			pthread_cond_wait(&r->room, &r->mutex);
		if (r->stop || r->taken == r->blocks)
			break;
		size_t block = r->taken++;
		struct slot *s = &r->slots[block % r->slot_count];
		pthread_mutex_unlock(&r->mutex);
		int result = ht_trace_block_decode(r->trace, block, &s->events, NULL);
		pthread_mutex_lock(&r->mutex);
		s->result = result;
		s->ready = true;
		pthread_cond_signal(&r->ready);
	}
	pthread_mutex_unlock(&r->mutex);
	return NULL;
}

struct ht_readahead *ht_readahead_new(const struct ht_trace *t, unsigned jobs)
{
	struct ht_readahead *r = ht_xcalloc(1, sizeof(*r));
	r->trace = t;
	r->blocks = ht_trace_block_count(t);
	jobs = jobs_for(jobs, r->blocks);
	r->slot_count = jobs > 1 ? (size_t)jobs * SLOTS_PER_JOB + 1 : 1;
	r->slots = ht_xcalloc(r->slot_count, sizeof(*r->slots));
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->room, NULL);
	pthread_cond_init(&r->ready, NULL);
	while (jobs > 1 && r->thread_count < jobs &&
	       pthread_create(&r->threads[r->thread_count], NULL, work, r) == 0)
		r->thread_count++;
	return r;
}

static void wait_for_block(struct ht_readahead *r, struct slot *s)
{
	pthread_mutex_lock(&r->mutex);
	r->given++;
	pthread_cond_broadcast(&r->room);
	while (!s->ready)
		pthread_cond_wait(&r->ready, &r->mutex);
	s->ready = false;
	pthread_mutex_unlock(&r->mutex);
}

const struct ht_events *ht_readahead_next(struct ht_readahead *r, int *result)
{
	if (r->given == r->blocks)
		return NULL;
	struct slot *s = &r->slots[r->given % r->slot_count];
	if (r->thread_count) {
		wait_for_block(r, s);
	} else {
		s->result = ht_trace_block_decode(r->trace, r->given++, &s->events, NULL);
	}
	*result = s->result;
	if (s->result < 0)
		s->events.count = 0;
	return &s->events;
}

void ht_readahead_free(struct ht_readahead *r)
{
	pthread_mutex_lock(&r->mutex);
	r->stop = true;
	pthread_cond_broadcast(&r->room);
	pthread_mutex_unlock(&r->mutex);
	for (unsigned i = 0; i < r->thread_count; i++)
		pthread_join(r->threads[i], NULL);
	for (size_t i = 0; i < r->slot_count; i++)
		ht_events_release(&r->slots[i].events);
	pthread_mutex_destroy(&r->mutex);
	pthread_cond_destroy(&r->room);
	pthread_cond_destroy(&r->ready);
	free(r->slots);
	free(r);
}
