/*
 * crew: the threads that do a walk. Three kinds of work, each in the trace's order where order counts:
 *
 *	decode   a block of events becomes arrays: any number at a time
 *	resolve  events become steps, a batch at a time: one at a time, in order (walk.c)
 *	passes   the passes look at a batch: one at a time, in order
 *
 * Whoever is free takes what is furthest on; with one thread, that is the serial program. So no work waits for a
 * thread that the system has put aside, and what comes out does not depend on how many there are.
 */
#ifndef HT_CREW_H
#define HT_CREW_H

#include "pass.h"

/* Some 50 us of work, so that handing it over costs nothing, and 256 KB, so that it stays in a cache. */
#define HT_BATCH 4096

struct ht_batch {
	struct ht_step *steps;
	size_t count, cap; /* an image's end may make it longer than HT_BATCH */
};

void ht_batch_grow(struct ht_batch *b);
/* The place of the next step, good until the one after it. */
static inline struct ht_step *ht_batch_step(struct ht_batch *b)
{
	if (__builtin_expect(b->count == b->cap, 0))
		ht_batch_grow(b);
	return &b->steps[b->count++];
}

enum ht_resolved {
	HT_RESOLVED_FULL, /* the batch: there is more in this block */
	HT_RESOLVED_NEXT, /* the block is done */
	HT_RESOLVED_STOP, /* all is done: no further block is wanted */
};

struct ht_crew_job {
	const struct ht_trace *trace;
	size_t first, end; /* blocks of events */
	unsigned threads;  /* 0: as many as CPUs allow, at most 4 */
	/* Adds steps of the block's next events to the batch, until HT_BATCH or more are in it. A damaged block comes with
	 * count 0 and code < 0; behind the last one, events is NULL, and the rest is to be added and STOP returned. */
	enum ht_resolved (*resolve)(void *ctx, size_t block, const struct ht_event_arrays *events, int code,
				    struct ht_batch *batch);
	void *ctx;
	const struct ht_pass *passes;
	size_t pass_count;
};
/* Returns when the passes have seen every step. */
void ht_crew_run(const struct ht_crew_job *job);

#endif
