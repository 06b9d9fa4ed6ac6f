/* latency_breakdown: what a thread's spans add up to, and how parts are called. See latency.h. */
#include <stdio.h>

#include "latency.h"

/* --- parts -------------------------------------------------------------------------------- */

enum part { MUTEX, COND, SEM, RWLOCK, JOIN, BARRIER, NET, DISK, PIPE, POLL, SLEEP, OTHER };

const char *const ht_blocked_part_names[HT_BLOCKED_PARTS] = {
    [MUTEX] = "mutex",	   [COND] = "cond", [SEM] = "sem",   [RWLOCK] = "rwlock", [JOIN] = "join",
    [BARRIER] = "barrier", [NET] = "net",   [DISK] = "disk", [PIPE] = "pipe",	  [POLL] = "poll",
    [SLEEP] = "sleep",	   [OTHER] = "other",
};

unsigned ht_blocked_part(unsigned kind)
{
	static const uint8_t parts[HT_WAIT_KINDS] = {
	    [HT_WAIT_NONE] = OTHER,	 [HT_WAIT_MUTEX] = MUTEX, [HT_WAIT_RWLOCK] = RWLOCK, [HT_WAIT_SPIN] = OTHER,
	    [HT_WAIT_COND] = COND,	 [HT_WAIT_BARRIER] = BARRIER, [HT_WAIT_SEM] = SEM,   [HT_WAIT_JOIN] = JOIN,
	    [HT_WAIT_ONCE] = OTHER,	 [HT_WAIT_SLEEP] = SLEEP, [HT_WAIT_POLL] = POLL,     [HT_WAIT_NET] = NET,
	    [HT_WAIT_PIPE] = PIPE,	 [HT_WAIT_DISK] = DISK,	  [HT_WAIT_OTHER] = OTHER,
	};
	return kind < HT_WAIT_KINDS ? parts[kind] : OTHER;
}

/* --- sums --------------------------------------------------------------------------------- */

static bool left_by_itself(const struct ht_span *s)
{
	return s->state == HT_STATE_BLOCKED || s->state == HT_STATE_ALLOCATOR;
}

static void add_span(const struct ht_span *s, uint64_t ns, struct ht_breakdown *b)
{
	b->total_ns += ns;
	switch (s->state) {
	case HT_STATE_RUNNING:
		b->running_ns += ns;
		break;
	case HT_STATE_RUNNABLE:
		b->runnable_ns += ns;
		break;
	case HT_STATE_BLOCKED:
		b->blocked_ns[s->kind < HT_WAIT_KINDS ? s->kind : HT_WAIT_OTHER] += ns;
		break;
	case HT_STATE_ALLOCATOR:
		b->allocator_ns += ns;
		break;
	default:
		b->unknown_ns += ns;
	}
}

/* A switch is where a thread stops running: what follows says of which kind. */
static void add_switch(const struct ht_span *before, const struct ht_span *s, struct ht_breakdown *b)
{
	if (before->state != HT_STATE_RUNNING)
		return;
	if (left_by_itself(s))
		b->voluntary++;
	else if (s->state == HT_STATE_RUNNABLE)
		b->involuntary++;
}

size_t ht_latency_span_at(const struct ht_latency_thread *t, uint64_t ns)
{
	size_t lo = 0, hi = t->span_count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (t->spans[mid].end_ns <= ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t ht_latency_fault_at(const struct ht_latency *l, const struct ht_latency_thread *t, uint64_t ns)
{
	return t->first_fault + HT_LOWER_BOUND(l->faults + t->first_fault, t->fault_count, time_ns, ns);
}

void ht_breakdown_add(const struct ht_latency *l, const struct ht_latency_thread *t, uint64_t from, uint64_t to,
		      struct ht_breakdown *b)
{
	if (from >= to)
		return;
	for (size_t i = ht_latency_span_at(t, from); i < t->span_count && t->spans[i].begin_ns < to; i++) {
		const struct ht_span *s = &t->spans[i];
		uint64_t begin = s->begin_ns > from ? s->begin_ns : from, end = s->end_ns < to ? s->end_ns : to;
		add_span(s, end - begin, b);
		if (t->switched && i && s->begin_ns >= from)
			add_switch(s - 1, s, b);
	}
	if (t->fault_count)
		b->faults += ht_latency_fault_at(l, t, to) - ht_latency_fault_at(l, t, from);
}

/* --- names -------------------------------------------------------------------------------- */

const char *ht_latency_thread_name(const struct ht_latency *l, uint32_t thread)
{
	static char text[8][24];
	static unsigned next;
	const struct ht_thread_info *info = ht_trace_thread(l->trace, thread);
	const char *name = info ? ht_trace_string(l->trace, info->name, NULL) : "";
	if (*name)
		return name;
	char *out = text[next++ % HT_ARRAY_SIZE(text)];
	snprintf(out, sizeof(text[0]), "tid %u", info ? info->tid : 0);
	return out;
}
