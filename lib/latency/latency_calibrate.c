/*
 * latency_calibrate: the kernel counts for each thread how long it was ready and waited for a processor. Between two
 * readings that is exactly
 *
 *	preemptions (known from the switches) + from ready to running, after each block
 *
 * so what user space said of the second part is made to add up to the rest: where it said too much, all of it shrinks;
 * where it said too little, blocks of which it knew nothing get the same each, as far as they are that long, and then
 * those of which it did grow.
 *
 * The first reading also counts what was before the first switch that is known: the thread's first wait for a processor
 * and, where a program was started, those of the process before it. They are hidden, and get the same as a block of
 * which nothing is known; how many they are, the kernel's count of slices tells. Where they are many, nothing is concluded.
 *
 * It also counts how long a thread has run, and the switch itself, some microseconds, as a part of that; the stamps of
 * switches lie inside of it. So where there are many, each run is made that much longer.
 */
#include "latency_segments.h"

enum { ROUNDS = 24, SWITCHES_LEAST = 8 };
#define SWITCH_MOST 20000 /* ns: that one takes; more is something else */

struct piece {
	struct ht_segment *first, *end; /* segments that end in it */
	uint64_t said, rest;		/* of known blocks; of the kernel's, what is not preemption */
	uint64_t hidden;		/* waits for a processor before all segments */
	bool lost;			/* what it did in part of it is unknown */
};

static uint64_t waited(const struct ht_segment *g)
{
	return g->end_ns - g->ready_ns;
}
/* At least 1 ns of every block is one. */
static uint64_t most(const struct ht_segment *g)
{
	return g->end_ns - g->begin_ns - 1;
}
static void set_waited(struct ht_segment *g, uint64_t ns)
{
	g->ready_ns = g->end_ns - (ns < most(g) ? ns : most(g));
}

static struct piece take(struct ht_segment *first, struct ht_segment *end, uint64_t until, uint64_t kernel)
{
	struct piece p = {.first = first};
	uint64_t preempted = 0;
	for (; first < end && first->end_ns <= until; first++) {
		if (first->how == HT_SEGMENT_PREEMPTED)
			preempted += first->end_ns - first->begin_ns;
		else if (first->how == HT_SEGMENT_OFF && first->known)
			p.said += waited(first);
		else if (first->how == HT_SEGMENT_UNKNOWN)
			p.lost = true;
	}
	p.end = first;
	p.rest = kernel > preempted ? kernel - preempted : 0;
	return p;
}

static void shrink(const struct piece *p)
{
	double factor = (double)p->rest / (double)p->said;
	for (struct ht_segment *g = p->first; g < p->end; g++)
		if (g->how == HT_SEGMENT_OFF && g->known)
			set_waited(g, (uint64_t)((double)waited(g) * factor));
}

/* Gives blocks, known or not, so much more together, each the same as far as it goes. The rest that did not fit comes
 * back. */
static uint64_t spread(const struct piece *p, bool known, uint64_t more)
{
	for (unsigned round = 0; round < ROUNDS && more; round++) {
		uint64_t open = 0, given = 0;
		for (struct ht_segment *g = p->first; g < p->end; g++)
			open += g->how == HT_SEGMENT_OFF && g->known == known && waited(g) < most(g);
		uint64_t each = open ? more / (open + p->hidden) : 0;
		if (!each)
			break;
		given = each * p->hidden;
		for (struct ht_segment *g = p->first; g < p->end; g++) {
			if (g->how != HT_SEGMENT_OFF || g->known != known || waited(g) >= most(g))
				continue;
			uint64_t had = waited(g);
			set_waited(g, had + each);
			given += waited(g) - had;
		}
		more -= given;
	}
	return more;
}

/* The slices up to the first reading that no switch tells of, and the one whose beginning is the first switch. */
static uint64_t hidden_waits(const struct piece *p, const struct ht_schedstat *k)
{
	uint64_t seen = 0;
	for (const struct ht_segment *g = p->first; g < p->end; g++)
		seen += g->how == HT_SEGMENT_OFF || g->how == HT_SEGMENT_PREEMPTED;
	return k->slices > seen ? k->slices - seen : 1;
}

/* What happened before may have been of quite another kind: a shell that waits for its turn, then becomes a program. */
static bool mostly_hidden(const struct piece *p)
{
	uint64_t open = 0;
	for (const struct ht_segment *g = p->first; g < p->end; g++)
		open += g->how == HT_SEGMENT_OFF && !g->known;
	return p->hidden > 1 && p->hidden * 4 > open;
}

/* How much of the run at a reading lies in front of it. */
static uint64_t run_until(const struct ht_segment *at, const struct ht_segment *end, uint64_t time)
{
	return at < end && at->how == HT_SEGMENT_RUN && at->begin_ns < time ? time - at->begin_ns : 0;
}

/* `more` than its runs are long a thread has run in a piece: the switches at their ends. */
static void run_longer(const struct piece *p, uint64_t more)
{
	uint64_t switches = 0;
	for (const struct ht_segment *g = p->first; g < p->end; g++)
		switches += g->how == HT_SEGMENT_OFF || g->how == HT_SEGMENT_PREEMPTED;
	uint64_t each = switches >= SWITCHES_LEAST ? more / switches : 0;
	if (!each || each > SWITCH_MOST)
		return;
	for (struct ht_segment *g = p->first + 1; g < p->end; g++) {
		if (g[-1].how != HT_SEGMENT_RUN || (g->how != HT_SEGMENT_OFF && g->how != HT_SEGMENT_PREEMPTED))
			continue;
		uint64_t room = (g->how == HT_SEGMENT_OFF ? g->ready_ns : g->end_ns) - g->begin_ns - 1;
		g->begin_ns += each < room ? each : room;
		g[-1].end_ns = g->begin_ns;
	}
}

void ht_story_calibrate_runs(struct ht_thread_story *s)
{
	struct ht_segment *at = s->segments, *end = at + s->count;
	int64_t before = 0;
	uint64_t seen = 0;
	for (size_t i = 0; i < s->stat_count; i++) {
		const struct ht_schedstat *k = &s->stats[i];
		struct piece p = take(at, end, k->time_ns, 0);
		for (const struct ht_segment *g = p.first; g < p.end; g++)
			seen += g->how == HT_SEGMENT_RUN ? g->end_ns - g->begin_ns : 0;
		at = p.end;
		int64_t missing = (int64_t)(k->running_ns - seen - run_until(at, end, k->time_ns)), more = missing - before;
		before = missing;
		if (more > 0 && !p.lost && p.first < p.end && (i || hidden_waits(&p, k) == 1))
			run_longer(&p, (uint64_t)more);
	}
}

void ht_story_calibrate(struct ht_thread_story *s)
{
	struct ht_segment *at = s->segments, *end = at + s->count;
	uint64_t before = 0;
	for (size_t i = 0; i < s->stat_count; i++) {
		const struct ht_schedstat *k = &s->stats[i];
		if (k->runnable_ns < before)
			continue;
		struct piece p = take(at, end, k->time_ns, k->runnable_ns - before);
		before = k->runnable_ns;
		at = p.end;
		if (!i)
			p.hidden = hidden_waits(&p, k);
		if (p.lost || p.first == p.end)
			continue;
		uint64_t more = p.rest > p.said ? p.rest - p.said : 0;
		if (p.rest < p.said)
			shrink(&p);
		else if (!mostly_hidden(&p))
			more = spread(&p, false, more);
		if (more && !p.hidden)
			spread(&p, true, more);
	}
}
