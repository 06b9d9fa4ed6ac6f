/*
 * latency_segments: what one thread did from its first known moment to its last, before it is cut to what is selected.
 *
 *	switches	      IN ── OUT(blocked) ──────── IN ── OUT(preempted) ── IN ── OUT ...
 *	segments	      RUN │ OFF [begin, ready, end] │ RUN │ PREEMPTED	    │ RUN
 *
 * An OFF segment is BLOCKED up to `ready` and RUNNABLE from there on. First `ready` is what the waits' wakes and
 * deadlines say (latency_segments.c), then what the kernel's sums leave of it (latency_calibrate.c).
 */
#ifndef HT_LATENCY_SEGMENTS_H
#define HT_LATENCY_SEGMENTS_H

#include "latency.h"
#include "latency_wakers.h"

enum ht_segment_how {
	HT_SEGMENT_UNKNOWN,
	HT_SEGMENT_RUN,
	HT_SEGMENT_PREEMPTED,
	HT_SEGMENT_OFF,
	HT_SEGMENT_STOLEN, /* on a processor, which did not run */
};

struct ht_segment {
	uint64_t begin_ns, end_ns;
	uint64_t ready_ns;    /* OFF: begin_ns < ready_ns <= end_ns */
	uint32_t wait, stall; /* index + 1, that it lies in */
	uint32_t idle_ns;     /* RUN: so long no thread that is known was on its processor before; at most */
	uint16_t cpu;	      /* RUN */
	uint8_t how;
	bool known;	      /* OFF: something says when it was ready */
};

/* What there is of one thread; the same buffer serves all. */
struct ht_thread_story {
	struct ht_latency *l; /* wakes of waits may be corrected */
	const struct ht_wake_lists *lists;
	const struct ht_latency_thread *thread; /* its waits and stalls; start_ns, end_ns not yet cut */
	const struct ht_switch *switches;	/* all threads' */
	const uint32_t *own_switches;		/* positions of its own, by time */
	const uint32_t *idle_ns;		/* of each switch: since the last one on its processor */
	size_t switch_count;
	const struct ht_schedstat *stats;	/* its own, by time */
	size_t stat_count;
	bool created;				/* its first segment begins with its creation */
	struct ht_segment *segments;
	size_t count, cap;
};

static inline struct ht_segment *ht_story_add(struct ht_thread_story *s, unsigned how, uint64_t begin, uint64_t end)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 1024;
		s->segments = ht_xrealloc(s->segments, s->cap, sizeof(*s->segments));
	}
	struct ht_segment *g = &s->segments[s->count++];
	*g = (struct ht_segment){
	    .begin_ns = begin, .end_ns = end, .ready_ns = end, .cpu = HT_NO_CPU, .how = (uint8_t)how};
	return g;
}

/* Replaces the segments, from the thread's switches; and, where there are none, from its waits and the kernel's sums.
 */
void ht_story_from_switches(struct ht_thread_story *s);
void ht_story_from_waits(struct ht_thread_story *s);
/* Makes what was RUNNING, then what was RUNNABLE, agree with the kernel's sums; of a story from switches. */
void ht_story_calibrate_runs(struct ht_thread_story *s);
void ht_story_calibrate(struct ht_thread_story *s);
/* The moment from which a wait that was slept through up to `end` was over, UINT64_MAX if nothing says: its wake, a
 * deadline. */
uint64_t ht_story_ready(const struct ht_thread_story *s, uint32_t wait, uint64_t begin, uint64_t end, bool last);

#endif
