/*
 * latency_calibrate: the kernel counts for each thread how long it was ready and waited for a processor. Up to any
 * reading that is exactly
 *
 *	preemptions (known from the switches) + from ready to running, after each block
 *
 * so what user space said of the second part, since the last reading, is made to add up to the rest: where it said
 * too much, each loses the same, as far as it goes (a timer is late by so much whatever comes after it); where it
 * said too little, blocks of which it knew nothing get the same each, as far as they are that long, and then those of
 * which it did grow. A wait that ends while it is read may be in one and not in the other: so each reading is
 * compared with all that was given up to it, and what is off comes right with the next one.
 *
 * The first reading also counts what was before the first switch that is known: the thread's first wait for a
 * processor, unless its creation is known, and, where a program was started, those of the process before it. They are
 * hidden, and get the same as a block of which nothing is known; how many they are, the kernel's count of slices
 * tells. Where they are many, nothing is concluded.
 *
 * It also counts how long a thread has run, and the switch to it, some microseconds, as a part of that; the stamps of
 * switches lie behind it. So where there are many, each run begins that much earlier, or later where the sum says
 * less; but not before its processor was free. This sum is exact while the thread is off its processor. While it
 * runs, it lags, at most by what it has run: if that is much, it is left out.
 *
 * Where it says much less, the thread was on a processor that was none: a host had given it to another machine. That
 * was in the longest run, if it has room for it; there it is unknown from where to where.
 *
 * Nobody can read the sums of a thread that is gone. What it did behind its last reading, a small part of its life,
 * is taken to be as far off as the pieces before it usually were.
 */
#include <stdlib.h>
#include <string.h>

#include "latency_segments.h"

#define STALE 5000 /* ns: so much may be missing in what is read of a thread that runs */
#define ANY UINT64_MAX
#define STAMP_LATE 20000000 /* ns by which a reading's stamp may be late: the recorder was put aside */
#define STAMP_EARLY 100000  /* or early: clocks */
enum { ROUNDS = 24, SWITCHES_LEAST = 8, PIECES = 15 };
#define LATER_MOST 10000    /* ns: that a run may be counted to begin behind its stamp */
#define SWITCH_MOST 100000  /* ns: that one takes; more is something else */
#define STOLEN_LEAST 500000 /* ns: hosts give machines a millisecond or more at a time; less is the stamps' noise */

struct piece {
	struct ht_segment *first, *end; /* segments that end in it */
	uint64_t preempted, said, rest; /* said: of known blocks; rest: of the kernel's, what is not preemption */
	uint64_t hidden;		/* waits for a processor before all segments */
	uint64_t unseen;		/* ns of the rest that may be of when nobody told of the thread any more */
	uint64_t switches;
	bool lost;			/* what it did in part of it is unknown */
};
/* What blocks, [1] those of which user space knew something, were given or lost each, in the last pieces that had
 * any. */
struct learnt {
	int64_t each[2][PIECES];
	size_t count[2];
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

static bool is_off(const struct ht_segment *g)
{
	return g->how == HT_SEGMENT_OFF || g->how == HT_SEGMENT_PREEMPTED;
}

/* What ends up to a reading: by its stamp, and, where it is known how many slices began up to it, by that: it may
 * have been stamped a good while after it was read. */
static struct piece take(struct ht_segment *first, struct ht_segment *end, uint64_t until, uint64_t slices)
{
	struct piece p = {.first = first};
	for (; first < end; first++) {
		bool begins = is_off(first);
		if (begins && p.switches >= slices && first->end_ns + STAMP_LATE > until)
			break;
		if (first->end_ns > until + (slices != ANY && p.switches < slices ? STAMP_EARLY : 0))
			break;
		p.switches += begins;
		if (first->how == HT_SEGMENT_PREEMPTED)
			p.preempted += first->end_ns - first->begin_ns;
		else if (first->how == HT_SEGMENT_OFF && first->known)
			p.said += waited(first);
		else if (first->how == HT_SEGMENT_UNKNOWN)
			p.lost = true;
	}
	p.end = first;
	return p;
}

/* How many slices began since a reading, or the thread's creation. */
static uint64_t slices_since(const struct ht_thread_story *s, const struct ht_schedstat *before,
			     const struct ht_schedstat *k)
{
	if (s->l->lost_switches || (!before && !s->created) || (before && k->slices < before->slices))
		return ANY;
	return k->slices - (before ? before->slices : 0);
}

/* Takes so much from known blocks together, from each the same as far as it goes. */
static void shorten(const struct piece *p, uint64_t less)
{
	for (unsigned round = 0; round < ROUNDS && less; round++) {
		uint64_t open = 0;
		for (const struct ht_segment *g = p->first; g < p->end; g++)
			open += g->how == HT_SEGMENT_OFF && g->known && waited(g);
		uint64_t each = open ? less / open + 1 : 0;
		if (!each)
			return;
		for (struct ht_segment *g = p->first; g < p->end && less; g++) {
			if (g->how != HT_SEGMENT_OFF || !g->known)
				continue;
			uint64_t one = each < waited(g) ? each : waited(g);
			one = one < less ? one : less;
			set_waited(g, waited(g) - one);
			less -= one;
		}
	}
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

/* The slices up to a reading, behind `before` slices, of which no switch of the first piece tells. */
static uint64_t hidden_waits(const struct ht_thread_story *s, const struct piece *p, const struct ht_schedstat *k,
			     const struct ht_schedstat *before)
{
	/* One begins with the first switch, or had begun before it. */
	bool comes = s->switches[s->own_switches[0]].how == HT_SWITCH_IN;
	uint64_t least = !s->created && (comes || !before), slices = k->slices - (before ? before->slices : 0);
	return slices > p->switches + least ? slices - p->switches : least;
}

/* What happened before may have been of quite another kind: a shell that waits for its turn, then becomes a program. */
static bool mostly_hidden(const struct piece *p)
{
	uint64_t open = 0;
	for (const struct ht_segment *g = p->first; g < p->end; g++)
		open += g->how == HT_SEGMENT_OFF && !g->known;
	return p->hidden > 1 && p->hidden * 4 > open;
}

/* --- running ------------------------------------------------------------------------------ */

/* How much earlier a run may begin: its processor had another thread before, and it slept. Or how much later. */
static uint64_t room(const struct ht_segment *run, bool longer)
{
	if (!longer)
		return most(run);
	return run->idle_ns < most(run - 1) ? run->idle_ns : most(run - 1);
}

static void begin_at(struct ht_segment *run, uint64_t ns)
{
	struct ht_segment *off = run - 1;
	bool at_once = off->ready_ns == off->end_ns || off->ready_ns > ns;
	run->idle_ns -= ns < run->begin_ns ? (uint32_t)(run->begin_ns - ns) : 0;
	run->begin_ns = off->end_ns = ns;
	if (at_once)
		off->ready_ns = ns;
}

/* Makes a piece's runs so much longer together, or shorter, each by the same as far as there is room: a thread is
 * picked before the switch that is stamped. Returns by how much. */
static int64_t run_by(const struct ht_thread_story *s, const struct piece *p, int64_t more)
{
	bool longer = more > 0;
	uint64_t want = longer ? (uint64_t)more : (uint64_t)-more, given = 0;
	for (unsigned round = 0; round < ROUNDS && given < want; round++) {
		uint64_t open = 0;
		for (const struct ht_segment *g = p->first; g < p->end; g++)
			open += g > s->segments && g->how == HT_SEGMENT_RUN && is_off(g - 1) && room(g, longer);
		uint64_t each = open ? (want - given) / open : 0;
		if (!each)
			break;
		for (struct ht_segment *g = p->first; g < p->end; g++) {
			if (g == s->segments || g->how != HT_SEGMENT_RUN || !is_off(g - 1))
				continue;
			uint64_t one = each < room(g, longer) ? each : room(g, longer);
			begin_at(g, longer ? g->begin_ns - one : g->begin_ns + one);
			given += one;
		}
	}
	return longer ? (int64_t)given : -(int64_t)given;
}

static uint64_t run_in(const struct piece *p)
{
	uint64_t ran = 0;
	for (const struct ht_segment *g = p->first; g < p->end; g++)
		ran += g->how == HT_SEGMENT_RUN ? g->end_ns - g->begin_ns : 0;
	return ran;
}

/* Had the thread been on a processor for long, at the end of a piece? */
static bool runs_after(const struct piece *p, const struct ht_segment *end, uint64_t time)
{
	return p->end < end && p->end->how == HT_SEGMENT_RUN && p->end->begin_ns + STALE < time;
}

/* So much of the longest run that has room for it was none. Returns how many segments there are more. */
static size_t steal(struct ht_thread_story *s, const struct piece *p, uint64_t ns)
{
	struct ht_segment *longest = NULL;
	for (struct ht_segment *g = p->first; g < p->end; g++)
		if (g->how == HT_SEGMENT_RUN && (!longest || most(g) > most(longest)))
			longest = g;
	if (!longest || longest->end_ns - longest->begin_ns <= ns)
		return 0;
	struct ht_segment taken = {.begin_ns = longest->end_ns - ns,
				   .end_ns = longest->end_ns,
				   .cpu = HT_NO_CPU,
				   .how = HT_SEGMENT_STOLEN};
	longest->end_ns = taken.begin_ns;
	size_t behind = (size_t)(longest - s->segments) + 1;
	ht_story_add(s, HT_SEGMENT_STOLEN, 0, 0); /* room for it */
	memmove(s->segments + behind + 1, s->segments + behind, (s->count - 1 - behind) * sizeof(*s->segments));
	s->segments[behind] = taken;
	return 1;
}

void ht_story_calibrate_runs(struct ht_thread_story *s)
{
	struct ht_segment *at = s->segments, *end = at + s->count;
	int64_t before = 0; /* what was missing at the last reading */
	uint64_t seen = 0, switches = 0;
	int64_t longer = 0;
	bool whole = s->created; /* nothing is hidden in front of the first piece, or it was left out */
	const struct ht_schedstat *last = NULL; /* that was used, with segments before it */
	for (size_t i = 0; i < s->stat_count; i++) {
		const struct ht_schedstat *k = &s->stats[i];
		struct piece p = take(at, end, k->time_ns, slices_since(s, last, k));
		if (k->time_ns > s->thread->end_ns || runs_after(&p, end, k->time_ns))
			continue;
		int64_t missing = (int64_t)(k->running_ns - seen - run_in(&p)), more = missing - before;
		if (whole && p.switches < SWITCHES_LEAST && more > -STOLEN_LEAST)
			continue;
		seen += run_in(&p);
		at = p.end;
		bool known = !p.lost && (whole || (p.first < p.end && hidden_waits(s, &p, k, NULL) == 1));
		whole = true;
		last = at > s->segments ? k : NULL;
		if (!known || more > SWITCH_MOST * (int64_t)p.switches) {
			before = missing;
		} else if (more > -LATER_MOST * (int64_t)p.switches) {
			int64_t given = run_by(s, &p, more);
			before += given;
			longer += given;
			switches += p.switches;
		} else if (more <= -STOLEN_LEAST) {
			size_t next = (size_t)(at - s->segments);
			next += steal(s, &p, (uint64_t)-more);
			at = s->segments + next;
			end = s->segments + s->count;
			before = missing;
		}
	}
	struct piece rest = take(at, end, UINT64_MAX, ANY);
	if (switches && !rest.lost)
		run_by(s, &rest, longer / (int64_t)switches * (int64_t)rest.switches);
}

/* --- ready -------------------------------------------------------------------------------- */

/* What the blocks of a piece, known or not, waited; and how many they are. */
static uint64_t ready_in(const struct piece *p, bool known, uint64_t *blocks)
{
	uint64_t ready = 0;
	for (const struct ht_segment *g = p->first; g < p->end; g++)
		if (g->how == HT_SEGMENT_OFF && g->known == known) {
			ready += waited(g);
			*blocks += 1;
		}
	return ready;
}

static void note(struct learnt *l, bool known, int64_t more, uint64_t blocks)
{
	if (blocks)
		l->each[known][l->count[known]++ % PIECES] = more / (int64_t)blocks;
}

static uint64_t learn(struct learnt *l, const struct piece *p)
{
	uint64_t blocks[2] = {0, 0};
	uint64_t unknown = ready_in(p, false, &blocks[0]), known = ready_in(p, true, &blocks[1]);
	note(l, false, (int64_t)unknown, blocks[0]);
	note(l, true, (int64_t)(known - p->said), blocks[1]);
	return unknown + known;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* One odd piece does not count. */
static int64_t usual(struct learnt *l, bool known)
{
	size_t n = l->count[known] < PIECES ? l->count[known] : PIECES;
	qsort(l->each[known], n, sizeof(l->each[known][0]), by_size);
	return n ? l->each[known][n / 2] : 0;
}

static void settle(const struct piece *p)
{
	uint64_t more = p->rest > p->said + p->unseen ? p->rest - p->said - p->unseen : 0;
	if (p->rest < p->said)
		shorten(p, p->said - p->rest);
	else if (!mostly_hidden(p))
		more = spread(p, false, more);
	if (more && !p->hidden)
		spread(p, true, more);
}

static void extrapolate(struct learnt *l, struct piece *rest)
{
	const int64_t more[2] = {usual(l, false), usual(l, true)};
	for (struct ht_segment *g = rest->first; g < rest->end; g++) {
		int64_t ns = (int64_t)waited(g) + more[g->known];
		if (g->how == HT_SEGMENT_OFF)
			set_waited(g, ns > 0 ? (uint64_t)ns : 0);
	}
}

void ht_story_calibrate(struct ht_thread_story *s)
{
	struct ht_segment *at = s->segments, *end = at + s->count;
	struct learnt l = {0};
	const struct ht_schedstat *before = NULL;
	uint64_t given = 0, last = 0; /* up to the last reading: by the segments; by the kernel */
	for (size_t i = 0; i < s->stat_count; i++) {
		const struct ht_schedstat *k = &s->stats[i];
		struct piece p = take(at, end, k->time_ns, slices_since(s, at > s->segments ? before : NULL, k));
		if (k->runnable_ns < last)
			continue;
		if (k->time_ns > s->thread->end_ns && at > s->segments && k->slices != before->slices + p.switches)
			p.unseen = k->time_ns - s->thread->end_ns;
		last = k->runnable_ns;
		if (at == s->segments) /* none had segments before */
			p.hidden = hidden_waits(s, &p, k, before);
		before = k;
		at = p.end;
		if (p.lost || (p.first == p.end && p.hidden)) {
			given = last;
			continue;
		}
		p.rest = last > given + p.preempted ? last - given - p.preempted : 0;
		settle(&p);
		given += p.preempted + learn(&l, &p);
		if (p.hidden)
			given = last;
	}
	struct piece rest = take(at, end, UINT64_MAX, ANY);
	extrapolate(&l, &rest);
}
