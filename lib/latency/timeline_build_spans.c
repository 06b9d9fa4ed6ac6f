/*
 * timeline_build_spans: what threads did, and what processors did. A processor's switches follow from the times that
 * threads ran on it, so that they chain by construction: who comes next is who leaves after that, also where a switch
 * was lost.
 */
#include <stdlib.h>

#include "timeline_build_work.h"

/* --- states ------------------------------------------------------------------------------- */

static uint8_t state_of(const struct ht_span *s, const struct ht_span *before)
{
	switch (s->state) {
	case HT_STATE_RUNNING:
		return HT_TIMELINE_RUNNING;
	case HT_STATE_RUNNABLE:
		return before && before->state == HT_STATE_RUNNING && before->end_ns == s->begin_ns
			       ? HT_TIMELINE_PREEMPTED : HT_TIMELINE_RUNNABLE;
	case HT_STATE_BLOCKED:
		return s->kind == HT_WAIT_DISK ? HT_TIMELINE_IO : HT_TIMELINE_BLOCKED;
	case HT_STATE_ALLOCATOR:
		return HT_TIMELINE_ALLOCATOR;
	default:
		return HT_TIMELINE_UNKNOWN;
	}
}

static const char *reason_of(struct ht_timeline_work *w, const struct ht_span *s)
{
	if (s->state != HT_STATE_BLOCKED)
		return "";
	if (s->wait && s->wait <= w->model->wait_count)
		return ht_timeline_wait_text(w, &w->model->waits[s->wait - 1].w);
	return s->kind < HT_WAIT_KINDS ? ht_timeline_text(w, ht_wait_kind_names[s->kind]) : "";
}

/* Up to there nothing is known, if the thread's last span ends before. False: something is known of it already. */
static bool fill(struct ht_timeline_work *w, size_t first, uint32_t thread, uint64_t ns)
{
	uint64_t reached = w->threads.items[thread].start_ns;
	if (w->spans.count > first)
		reached = w->spans.items[w->spans.count - 1].end_ns;
	if (ns > reached)
		*HT_TIMELINE_ADD(w->spans) = (struct ht_timeline_span){
			.thread = thread, .cpu = UINT16_MAX, .begin_ns = reached, .end_ns = ns, .what = ""};
	return ns >= reached;
}

/* Cut to what is not told yet of the thread's life. */
static void add_span(struct ht_timeline_work *w, size_t first, struct ht_timeline_span s)
{
	const struct ht_timeline_thread *t = &w->threads.items[s.thread];
	if (!fill(w, first, s.thread, s.begin_ns < t->end_ns ? s.begin_ns : t->end_ns))
		s.begin_ns = w->spans.items[w->spans.count - 1].end_ns;
	s.end_ns = s.end_ns < t->end_ns ? s.end_ns : t->end_ns;
	if (s.begin_ns >= s.end_ns)
		return;
	struct ht_timeline_span *last = w->spans.count > first ? &w->spans.items[w->spans.count - 1] : NULL;
	if (last && last->state == s.state && last->cpu == s.cpu && last->what == s.what)
		last->end_ns = s.end_ns;
	else
		*HT_TIMELINE_ADD(w->spans) = s;
}

static void add_spans(struct ht_timeline_work *w, uint32_t thread, size_t first, const struct ht_latency_thread *timed)
{
	for (size_t i = 0; timed && i < timed->span_count; i++) {
		const struct ht_span *s = &timed->spans[i];
		struct ht_timeline_span out = {
			.thread = thread,
			.state = state_of(s, i ? s - 1 : NULL),
			.cpu = s->state == HT_STATE_RUNNING ? s->cpu : UINT16_MAX,
			.what = reason_of(w, s),
		};
		struct ht_timeline_window part;
		for (size_t at = 0; ht_timeline_part(w, s->begin_ns, s->end_ns, &at, &part);) {
			out.begin_ns = part.from_ns;
			out.end_ns = part.to_ns;
			add_span(w, first, out);
		}
	}
}

static void add_thread(struct ht_timeline_work *w, uint32_t thread)
{
	const size_t first = w->spans.count;
	for (uint32_t id = w->ids[thread] + 1; id; id = w->next_id[id - 1])
		add_spans(w, thread, first, ht_latency_thread(w->model, id - 1));
	fill(w, first, thread, w->threads.items[thread].end_ns);
}

void ht_timeline_spans(struct ht_timeline_work *w)
{
	for (uint32_t i = 0; w->model && i < w->threads.count; i++)
		add_thread(w, i);
}

/* --- processors --------------------------------------------------------------------------- */

struct stay {
	uint64_t begin_ns, end_ns;
	uint32_t thread; /* + 1 */
	uint16_t cpu;
	bool preempted, sleeps; /* at its end */
};

static int by_cpu(const void *pa, const void *pb)
{
	const struct stay *a = pa, *b = pb;
	if (a->cpu != b->cpu)
		return a->cpu < b->cpu ? -1 : 1;
	if (a->begin_ns != b->begin_ns)
		return a->begin_ns < b->begin_ns ? -1 : 1;
	return (a->thread > b->thread) - (a->thread < b->thread);
}

static int by_time(const void *pa, const void *pb)
{
	const struct ht_timeline_switch *a = pa, *b = pb;
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return a->cpu < b->cpu ? -1 : a->cpu > b->cpu;
}

static void leave(struct ht_timeline_work *w, const struct stay *now, uint64_t ns, uint32_t next)
{
	*HT_TIMELINE_ADD(w->switches) = (struct ht_timeline_switch){
		.time_ns = ns,
		.cpu = now->cpu,
		.prev = now->thread,
		.next = next,
		.preempted = now->thread && (now->preempted || (now->end_ns > ns && !now->sleeps)),
	};
}

/* Stays on one processor, by begin. Two at a time can only be where clocks are off, or in a switch that the kernel
 * counts as the later one's: that one comes. At one instant a processor switches once. */
static void chain(struct ht_timeline_work *w, const struct stay *stays, size_t count)
{
	struct stay now = {.cpu = stays[0].cpu};
	for (size_t i = 0; i < count; i++) {
		const struct stay *s = &stays[i];
		if (i + 1 < count && stays[i + 1].begin_ns == s->begin_ns)
			continue;
		if (now.thread && now.end_ns < s->begin_ns) {
			leave(w, &now, now.end_ns, 0);
			now = (struct stay){.cpu = s->cpu};
		}
		if (now.thread != s->thread)
			leave(w, &now, s->begin_ns, s->thread);
		now = *s;
	}
	if (now.thread)
		leave(w, &now, now.end_ns, 0);
}

void ht_timeline_switches(struct ht_timeline_work *w)
{
	HT_TIMELINE_LIST(struct stay) stays = {0};
	for (size_t i = 0; i < w->spans.count; i++) {
		const struct ht_timeline_span *s = &w->spans.items[i];
		if (s->state != HT_TIMELINE_RUNNING || s->cpu == UINT16_MAX)
			continue;
		bool more = i + 1 < w->spans.count && s[1].thread == s->thread;
		*HT_TIMELINE_ADD(stays) = (struct stay){
			.begin_ns = s->begin_ns,
			.end_ns = s->end_ns,
			.thread = s->thread + 1,
			.cpu = s->cpu,
			.preempted = more && s[1].state == HT_TIMELINE_PREEMPTED,
			.sleeps = more && (s[1].state == HT_TIMELINE_BLOCKED || s[1].state == HT_TIMELINE_IO ||
					   s[1].state == HT_TIMELINE_ALLOCATOR),
		};
	}
	if (stays.count)
		qsort(stays.items, stays.count, sizeof(*stays.items), by_cpu);
	for (size_t i = 0, n; i < stays.count; i += n) {
		for (n = 1; i + n < stays.count && stays.items[i + n].cpu == stays.items[i].cpu;)
			n++;
		chain(w, &stays.items[i], n);
	}
	free(stays.items);
	if (w->switches.count)
		qsort(w->switches.items, w->switches.count, sizeof(*w->switches.items), by_time);
}
