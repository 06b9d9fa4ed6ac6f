/*
 * crew: see crew.h.
 *
 * Decoded blocks and batches stand in two rings; one mutex guards the counters, nobody holds it at work.
 *
 *	resolving <= decoding <= resolving + slots	blocks: that one is resolved; those in front of it are being or are decoded
 *	passed <= sent <= passed + BATCHES		batches: that one is passed; those in front of it are or were filled
 */
#include "crew.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define MAX_THREADS 4
#define BATCHES 4
#define PAUSES 200 /* some tens of microseconds, unless others want the processor */
#define BUDGET (32u << 20) /* bytes of decoded events, unless blocks are so big that two take more */
#define EVENT_BYTES 37	   /* in struct ht_event_arrays */

struct slot {
	struct ht_event_arrays events;
	int code;
	bool ready;
};

struct crew {
	const struct ht_crew_job *job;
	struct slot *slots;
	size_t slot_count;
	struct ht_batch batches[BATCHES];
	size_t decoding, resolving; /* blocks: next to be decoded, at or next to be resolved */
	uint64_t sent, passed;
	bool busy_resolving, busy_passing;
	bool resolved; /* all there is */
	unsigned waiting;
	pthread_mutex_t mutex;
	pthread_cond_t change;
};

void ht_batch_grow(struct ht_batch *b)
{
	b->cap = b->cap ? b->cap * 2 : HT_BATCH + 16; /* one event is a step or two, mostly */
	b->steps = ht_xrealloc(b->steps, b->cap, sizeof(*b->steps));
}

static struct slot *slot_of(const struct crew *c, size_t block)
{
	return &c->slots[block % c->slot_count];
}

/* --- what can be done, and doing it: with the mutex, given away for the work itself ----------- */

static bool can_pass(const struct crew *c)
{
	return !c->busy_passing && c->passed < c->sent;
}

static bool can_resolve(const struct crew *c)
{
	return !c->busy_resolving && !c->resolved && c->sent < c->passed + BATCHES &&
	       (c->resolving == c->job->end || (c->resolving < c->decoding && slot_of(c, c->resolving)->ready));
}

static bool can_decode(const struct crew *c)
{
	return !c->resolved && c->decoding < c->job->end && c->decoding < c->resolving + c->slot_count;
}

static void pass_batch(struct crew *c)
{
	const struct ht_crew_job *job = c->job;
	struct ht_batch *b = &c->batches[c->passed % BATCHES];
	c->busy_passing = true;
	pthread_mutex_unlock(&c->mutex);
	for (size_t i = 0; i < job->pass_count; i++)
		if (job->passes[i].steps && b->count)
			job->passes[i].steps(job->passes[i].state, b->steps, b->count);
	b->count = 0;
	pthread_mutex_lock(&c->mutex);
	c->busy_passing = false;
	c->passed++;
}

static void resolve_events(struct crew *c)
{
	const struct ht_crew_job *job = c->job;
	size_t block = c->resolving;
	struct slot *s = block < job->end ? slot_of(c, block) : NULL;
	struct ht_batch *b = &c->batches[c->sent % BATCHES];
	c->busy_resolving = true;
	pthread_mutex_unlock(&c->mutex);
	enum ht_resolved r = job->resolve(job->ctx, block, s ? &s->events : NULL, s ? s->code : 0, b);
	pthread_mutex_lock(&c->mutex);
	c->busy_resolving = false;
	c->sent += r != HT_RESOLVED_NEXT;
	c->resolved = r == HT_RESOLVED_STOP;
	if (s && r != HT_RESOLVED_FULL) {
		s->ready = false;
		c->resolving++;
	}
}

static void decode_block(struct crew *c)
{
	size_t block = c->decoding++;
	struct slot *s = slot_of(c, block);
	pthread_mutex_unlock(&c->mutex);
	int code = ht_trace_block_arrays(c->job->trace, block, &s->events, NULL);
	pthread_mutex_lock(&c->mutex);
	s->code = code;
	s->ready = true;
}

/* Most waits are for the rest of a batch, and shorter than what the system takes to put a thread aside and wake it up. */
static void pause_briefly(struct crew *c)
{
	pthread_mutex_unlock(&c->mutex);
	sched_yield();
	pthread_mutex_lock(&c->mutex);
}

static void *work(void *arg)
{
	struct crew *c = arg;
	unsigned pauses = 0;
	pthread_mutex_lock(&c->mutex);
	while (!c->resolved || c->passed < c->sent) {
		if (can_pass(c)) {
			pass_batch(c);
		} else if (can_resolve(c)) {
			resolve_events(c);
		} else if (can_decode(c)) {
			decode_block(c);
		} else if (pauses++ < PAUSES) {
			pause_briefly(c);
			continue;
		} else {
			c->waiting++;
			pthread_cond_wait(&c->change, &c->mutex);
			c->waiting--;
			continue;
		}
		pauses = 0;
		if (c->waiting)
			pthread_cond_broadcast(&c->change);
	}
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

/* --- the crew --------------------------------------------------------------------------------- */

static unsigned threads_for(const struct ht_crew_job *job)
{
	cpu_set_t ours;
	int cpus = sched_getaffinity(0, sizeof(ours), &ours) == 0 ? CPU_COUNT(&ours) : 1;
	unsigned n = job->threads ? job->threads : (unsigned)cpus;
	return n > MAX_THREADS ? MAX_THREADS : n;
}

static size_t slots_for(const struct ht_crew_job *job, unsigned threads)
{
	uint64_t most = 1;
	for (size_t i = job->first; i < job->end; i++)
		if (ht_trace_block(job->trace, i)->events > most)
			most = ht_trace_block(job->trace, i)->events;
	size_t slots = BUDGET / (EVENT_BYTES * most);
	if (slots > threads)
		slots = threads;
	return slots < 2 ? 2 : slots;
}

void ht_crew_run(const struct ht_crew_job *job)
{
	unsigned threads = threads_for(job), started = 0;
	pthread_t others[MAX_THREADS];
	struct crew c = {.job = job, .decoding = job->first, .resolving = job->first};
	c.slot_count = threads > 1 ? slots_for(job, threads) : 1;
	c.slots = ht_xcalloc(c.slot_count, sizeof(*c.slots));
	pthread_mutex_init(&c.mutex, NULL);
	pthread_cond_init(&c.change, NULL);
	while (started + 1 < threads && pthread_create(&others[started], NULL, work, &c) == 0)
		started++;
	work(&c);
	for (unsigned i = 0; i < started; i++)
		pthread_join(others[i], NULL);
	for (size_t i = 0; i < c.slot_count; i++)
		ht_event_arrays_release(&c.slots[i].events);
	for (size_t i = 0; i < BATCHES; i++)
		free(c.batches[i].steps);
	free(c.slots);
	pthread_mutex_destroy(&c.mutex);
	pthread_cond_destroy(&c.change);
}
