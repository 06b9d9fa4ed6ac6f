/* latency_segments: see latency_segments.h. Here: from switches; latency_polled.c does without. */
#include "latency_segments.h"

#include <string.h>

/* A signal's handler may wait inside of a wait, and so on; not deeper than this. */
enum { NESTED = 8 };

/* --- the call that a thread slept in ------------------------------------------------------ */

/* Walks waits, or stalls, along with ascending gaps. */
struct inside {
	size_t next; /* the first that begins later than the gap */
};

static const struct ht_wait *wait_at(const struct ht_thread_story *s, size_t i)
{
	return &s->l->waits[s->thread->first_wait + i].w;
}
static const struct ht_stall *stall_at(const struct ht_thread_story *s, size_t i)
{
	return &s->l->stalls[s->thread->first_stall + i];
}

/* The wait begun last of those that hold all of the gap, else of those that hold its begin; index + 1. */
static uint32_t wait_around(const struct ht_thread_story *s, struct inside *at, uint64_t begin, uint64_t end)
{
	const uint64_t slack = HT_CLOCK_TOLERANCE_NS;
	uint32_t partly = 0;
	while (at->next < s->thread->wait_count && wait_at(s, at->next)->begin_ns <= begin + slack)
		at->next++;
	for (size_t i = at->next, n = 0; i > 0 && n < NESTED; i--, n++) {
		const struct ht_wait *w = wait_at(s, i - 1);
		uint32_t index = (uint32_t)(s->thread->first_wait + i);
		if (w->end_ns + slack >= end)
			return index;
		if (!partly && w->begin_ns <= begin && w->end_ns > begin)
			partly = index;
	}
	return partly;
}

static uint32_t stall_around(const struct ht_thread_story *s, struct inside *at, uint64_t begin, uint64_t end)
{
	while (at->next < s->thread->stall_count && stall_at(s, at->next)->begin_ns <= begin + HT_CLOCK_TOLERANCE_NS)
		at->next++;
	for (size_t i = at->next, n = 0; i > 0 && n < NESTED; i--, n++)
		if (stall_at(s, i - 1)->end_ns + HT_CLOCK_TOLERANCE_NS >= end)
			return (uint32_t)(s->thread->first_stall + i);
	return 0;
}

/* A moment inside of the gap at which the thread was awake: a wait of its began or ended. UINT64_MAX: there is none. */
static uint64_t awake_within(const struct ht_thread_story *s, struct inside *at, const struct ht_segment *g)
{
	uint64_t first = UINT64_MAX;
	if (g->end_ns - g->begin_ns <= 2 * HT_CLOCK_TOLERANCE_NS)
		return first;
	const uint64_t begin = g->begin_ns + HT_CLOCK_TOLERANCE_NS, end = g->end_ns - HT_CLOCK_TOLERANCE_NS;
	while (at->next < s->thread->wait_count && wait_at(s, at->next)->begin_ns <= begin)
		at->next++;
	if (at->next < s->thread->wait_count)
		first = wait_at(s, at->next)->begin_ns;
	for (size_t i = at->next, n = 0; i > 0 && n < NESTED; i--, n++) {
		uint64_t ended = wait_at(s, i - 1)->end_ns;
		if (ended > begin && ended < first)
			first = ended;
	}
	return first < end ? first : UINT64_MAX;
}

/* Where switches were lost, two gaps may seem one: what comes behind a moment at which the thread was awake is unknown.
 */
static void cut_contradicted(struct ht_thread_story *s)
{
	struct inside waits = {0};
	size_t n = s->count;
	for (size_t i = 0; i < n; i++) {
		struct ht_segment g = s->segments[i];
		uint64_t awake = UINT64_MAX;
		if (g.how == HT_SEGMENT_OFF || g.how == HT_SEGMENT_PREEMPTED)
			awake = awake_within(s, &waits, &g);
		if (awake != UINT64_MAX) {
			ht_story_add(s, g.how, g.begin_ns, awake);
			ht_story_add(s, HT_SEGMENT_UNKNOWN, awake, g.end_ns);
		} else {
			*ht_story_add(s, g.how, g.begin_ns, g.end_ns) = g;
		}
	}
	s->count -= n;
	if (n)
		memmove(s->segments, s->segments + n, s->count * sizeof(*s->segments));
}

static void find_calls(struct ht_thread_story *s)
{
	struct inside waits = {0}, stalls = {0};
	for (size_t i = 0; i < s->count; i++) {
		struct ht_segment *g = &s->segments[i];
		if (g->how != HT_SEGMENT_OFF && g->how != HT_SEGMENT_PREEMPTED)
			continue;
		g->wait = wait_around(s, &waits, g->begin_ns, g->end_ns);
		g->stall = stall_around(s, &stalls, g->begin_ns, g->end_ns);
		/* One inside the other: the inner one is what it slept in. */
		if (g->wait && g->stall) {
			if (s->l->stalls[g->stall - 1].begin_ns > s->l->waits[g->wait - 1].w.begin_ns)
				g->wait = 0;
			else
				g->stall = 0;
		}
	}
}

/* --- when it could have gone on ----------------------------------------------------------- */

/* How late the kernel may let a timer be, so that several fall together. */
static uint64_t timer_slack(const struct ht_wait *w)
{
	const uint64_t least = 50000, most = 100000000;
	uint64_t share = w->detail / 1000;
	if (w->kind != HT_WAIT_POLL || share < least)
		return least;
	return share < most ? share : most;
}

static bool timed_out(const struct ht_wait *w)
{
	return w->detail &&
	       (w->outcome == HT_OUTCOME_TIMEOUT || (w->kind == HT_WAIT_SLEEP && w->outcome == HT_OUTCOME_OK));
}

/* The wake may be stamped a little before the kernel saw the thread leave; from then on it was ready. */
static uint64_t settled(uint64_t ready, uint64_t begin, uint64_t end)
{
	if (ready + HT_CLOCK_TOLERANCE_NS < begin || ready > end + HT_CLOCK_TOLERANCE_NS)
		return UINT64_MAX;
	return ready <= begin ? begin + 1 : ready < end ? ready : end;
}

/* A close is one of several, and the last one may be that of a process which just ended: it tells who, but not when. */
static bool tells_when(const struct ht_latency *l, uint32_t wake)
{
	return l->wakes[wake - 1].call != HT_CALL_CLOSE;
}

uint64_t ht_story_ready(const struct ht_thread_story *s, uint32_t wait, uint64_t begin, uint64_t end, bool last)
{
	const struct ht_waited *w = &s->l->waits[wait - 1];
	uint64_t from = begin > HT_CLOCK_TOLERANCE_NS ? begin - HT_CLOCK_TOLERANCE_NS : 0;
	if (last && timed_out(&w->w)) {
		uint64_t due = w->w.begin_ns + (w->w.detail - 1) + timer_slack(&w->w);
		return due < w->w.begin_ns || due > end ? end : due <= begin ? begin + 1 : due;
	}
	uint64_t waked = w->wake ? s->l->wakes[w->wake - 1].time_ns : UINT64_MAX;
	uint64_t ready = w->wake && tells_when(s->l, w->wake) ? settled(waked, begin, end) : UINT64_MAX;
	/* Signalled before: now it sleeps for the mutex, of which nothing is known. */
	if (ready != UINT64_MAX || !w->object || (w->w.kind == HT_WAIT_COND && waked < begin))
		return ready;
	/* Waked, but in vain: it slept again. */
	uint32_t wake = ht_wake_within(s->l, s->lists, w->object, w->w.thread, from, end, true);
	return wake && tells_when(s->l, wake) ? settled(s->l->wakes[wake - 1].time_ns, begin, end) : UINT64_MAX;
}

/* What was posted or written may be taken by others, and then the waiter sleeps again: the wake that ended its wait
 * came while it slept last. */
static void correct_wake(const struct ht_thread_story *s, const struct ht_segment *g)
{
	struct ht_waited *w = &s->l->waits[g->wait - 1];
	if (w->w.kind < HT_WAIT_SEM || w->w.kind == HT_WAIT_JOIN || w->w.kind == HT_WAIT_ONCE || !w->wake)
		return;
	uint64_t waked = s->l->wakes[w->wake - 1].time_ns;
	if (waked >= g->begin_ns || g->begin_ns - waked <= HT_CLOCK_TOLERANCE_NS)
		return;
	uint32_t wake = ht_wake_within(s->l, s->lists, w->object, w->w.thread, g->begin_ns, g->end_ns, false);
	if (wake && ht_wake_fits(&s->l->wakes[wake - 1], &w->w))
		w->wake = wake;
}

static void find_ready(struct ht_thread_story *s)
{
	uint32_t later = 0; /* the wait of the OFF segment after this one */
	for (size_t i = s->count; i > 0; i--) {
		struct ht_segment *g = &s->segments[i - 1];
		if (g->how != HT_SEGMENT_OFF)
			continue;
		uint64_t ready = UINT64_MAX;
		bool last = g->wait != later;
		if (g->wait && last)
			correct_wake(s, g);
		if (g->wait)
			ready = ht_story_ready(s, g->wait, g->begin_ns, g->end_ns, last);
		later = g->wait;
		g->known = ready != UINT64_MAX;
		g->ready_ns = g->known ? ready : g->end_ns;
	}
}

/* --- from switches ------------------------------------------------------------------------ */

static unsigned how_of(const struct ht_switch *before, const struct ht_switch *after)
{
	bool on = before->how == HT_SWITCH_IN;
	if (on == (after->how == HT_SWITCH_IN))
		return HT_SEGMENT_UNKNOWN; /* the one in between was lost */
	return on ? HT_SEGMENT_RUN : before->how == HT_SWITCH_PREEMPTED ? HT_SEGMENT_PREEMPTED : HT_SEGMENT_OFF;
}

/* A segment that begins with a switch. */
static void add(struct ht_thread_story *s, unsigned how, uint32_t first, uint64_t end)
{
	const struct ht_switch *w = &s->switches[first];
	if (w->time_ns >= end)
		return;
	struct ht_segment *g = ht_story_add(s, how, w->time_ns, end);
	if (how != HT_SEGMENT_RUN)
		return;
	g->cpu = w->cpu;
	g->idle_ns = s->idle_ns[first];
}

/* Does the thread's start mean its creation? Of all but a program's first one, as long as the recorder missed
 * nothing. */
static bool starts_when_created(const struct ht_thread_story *s)
{
	const struct ht_thread_info *t = ht_trace_thread(s->l->trace, s->thread->id);
	const struct ht_image *i = t ? ht_trace_image(s->l->trace, t->image) : NULL;
	return i && !s->l->lost_switches && (t->tid != i->pid || i->kind == HT_IMAGE_FORK);
}

static void before_first(struct ht_thread_story *s, const struct ht_switch *first)
{
	/* It ran from its first event on. If it comes onto a processor later, it waited for its first one, or its
	 * leaving was lost. */
	bool comes = first->how == HT_SWITCH_IN;
	s->created = comes && s->thread->start_ns < first->time_ns && starts_when_created(s);
	unsigned how = !comes ? HT_SEGMENT_RUN : s->created ? HT_SEGMENT_PREEMPTED : HT_SEGMENT_UNKNOWN;
	if (s->thread->start_ns < first->time_ns)
		ht_story_add(s, how, s->thread->start_ns, first->time_ns)->cpu = comes ? HT_NO_CPU : first->cpu;
}

static void after_last(struct ht_thread_story *s, uint32_t at)
{
	const struct ht_switch *last = &s->switches[at];
	static const uint8_t hows[] = {[HT_SWITCH_IN] = HT_SEGMENT_RUN,
				       [HT_SWITCH_BLOCKED] = HT_SEGMENT_OFF,
				       [HT_SWITCH_PREEMPTED] = HT_SEGMENT_PREEMPTED};
	unsigned how = last->how < HT_ARRAY_SIZE(hows) ? hows[last->how] : HT_SEGMENT_UNKNOWN;
	add(s, how, at, s->thread->end_ns);
}

void ht_story_from_switches(struct ht_thread_story *s)
{
	s->count = 0;
	before_first(s, &s->switches[s->own_switches[0]]);
	for (size_t i = 1; i < s->switch_count; i++) {
		uint32_t at = s->own_switches[i - 1];
		const struct ht_switch *after = &s->switches[s->own_switches[i]];
		add(s, how_of(&s->switches[at], after), at, after->time_ns);
	}
	after_last(s, s->own_switches[s->switch_count - 1]);
	if (s->l->lost_switches)
		cut_contradicted(s);
	find_calls(s);
	find_ready(s);
}
