/*
 * latency_polled: a thread without switches. It was blocked in its waits, up to the wakes that ended them; of the rest
 * the kernel's sums, where they were read, say how much it ran and how much it was ready. That much of every part of it
 * is shown as such, in this order: running, runnable, blocked in no call that is recorded.
 */
#include "latency_segments.h"

/* The kernel brings a running thread's sum up to date once a tick: less than this may be missing. */
#define STALE_NS UINT64_C(10000000)

/* --- waits -------------------------------------------------------------------------------- */

/* Waits as OFF segments that do not overlap, and what lies between them as RUN. */
static void lay_out(struct ht_thread_story *s)
{
	uint64_t at = s->thread->start_ns, end = s->thread->end_ns;
	for (size_t i = 0; i < s->thread->wait_count; i++) {
		size_t index = s->thread->first_wait + i;
		const struct ht_wait *w = &s->l->waits[index].w;
		uint64_t begin = w->begin_ns > at ? w->begin_ns : at, until = w->end_ns < end ? w->end_ns : end;
		if (w->kind == HT_WAIT_SPIN || begin >= until)
			continue;
		if (begin > at)
			ht_story_add(s, HT_SEGMENT_RUN, at, begin);
		struct ht_segment *g = ht_story_add(s, HT_SEGMENT_OFF, begin, until);
		g->wait = (uint32_t)index + 1;
		uint64_t ready = ht_story_ready(s, g->wait, begin, until, true);
		g->known = ready != UINT64_MAX;
		g->ready_ns = g->known ? ready : until;
		at = until;
	}
	if (at < end)
		ht_story_add(s, HT_SEGMENT_RUN, at, end);
}

/* --- what the kernel says ----------------------------------------------------------------- */

struct shares {
	double run, ready; /* of the time outside waits; the rest it was blocked */
};

/* From the segments in [from, to): how much of what is not a wait it ran, and was ready. */
static struct shares shares_of(const struct ht_segment *g, size_t n, uint64_t from, uint64_t to, uint64_t ran,
			       uint64_t ready)
{
	uint64_t outside = 0, said = 0;
	for (size_t i = 0; i < n && g[i].begin_ns < to; i++) {
		uint64_t begin = g[i].begin_ns > from ? g[i].begin_ns : from, end = g[i].end_ns < to ? g[i].end_ns : to;
		if (begin >= end)
			continue;
		if (g[i].how == HT_SEGMENT_RUN)
			outside += end - begin;
		else if (g[i].end_ns <= to)
			said += g[i].end_ns - g[i].ready_ns;
	}
	ready = ready > said ? ready - said : 0;
	ran = ran < outside ? ran : outside;
	ready = ready < outside - ran ? ready : outside - ran;
	if (outside - ran - ready < STALE_NS)
		ran = outside - ready;
	return outside ? (struct shares){(double)ran / (double)outside, (double)ready / (double)outside}
		       : (struct shares){1, 0};
}

static void add_part(struct ht_thread_story *s, uint64_t begin, uint64_t end, const struct shares *share)
{
	uint64_t ran = (uint64_t)((double)(end - begin) * share->run),
		 ready = (uint64_t)((double)(end - begin) * share->ready);
	/* What rounding leaves is a nanosecond or two. */
	if (end - begin - ran - ready < 3)
		ran = end - begin - ready;
	if (ran)
		ht_story_add(s, HT_SEGMENT_RUN, begin, begin + ran);
	if (ready)
		ht_story_add(s, HT_SEGMENT_PREEMPTED, begin + ran, begin + ran + ready);
	if (begin + ran + ready < end)
		ht_story_add(s, HT_SEGMENT_OFF, begin + ran + ready, end);
}

/* Segments [0, n) become those behind them, piece by piece between two readings. */
static void apply_sums(struct ht_thread_story *s, size_t n)
{
	size_t at = 0;
	uint64_t from = s->thread->start_ns, ran = 0, ready = 0;
	for (size_t k = 0; n && k <= s->stat_count; k++) {
		const struct ht_schedstat *stat = k < s->stat_count ? &s->stats[k] : NULL;
		struct shares share = {1, 0};
		uint64_t to = stat ? stat->time_ns : UINT64_MAX;
		if (stat && (to <= from || stat->running_ns < ran || stat->runnable_ns < ready))
			continue;
		if (stat) {
			share = shares_of(s->segments + at, n - at, from, to, stat->running_ns - ran,
					  stat->runnable_ns - ready);
			ran = stat->running_ns;
			ready = stat->runnable_ns;
		}
		for (; at < n && s->segments[at].begin_ns < to; at++) {
			struct ht_segment g = s->segments[at];
			uint64_t begin = g.begin_ns > from ? g.begin_ns : from, end = g.end_ns < to ? g.end_ns : to;
			if (g.how == HT_SEGMENT_RUN)
				add_part(s, begin, end, &share);
			else if (g.begin_ns >= from)
				*ht_story_add(s, HT_SEGMENT_OFF, g.begin_ns, g.end_ns) = g;
			if (g.end_ns > to)
				break; /* the next reading goes on with it */
		}
		from = to;
	}
}

void ht_story_from_waits(struct ht_thread_story *s)
{
	s->count = 0;
	if (!s->l->states_known) {
		if (s->thread->start_ns < s->thread->end_ns)
			ht_story_add(s, HT_SEGMENT_UNKNOWN, s->thread->start_ns, s->thread->end_ns);
		return;
	}
	lay_out(s);
	size_t n = s->count;
	apply_sums(s, n);
	s->count -= n;
	for (size_t i = 0; i < s->count; i++)
		s->segments[i] = s->segments[n + i];
}
