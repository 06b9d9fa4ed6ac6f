/*
 * latency_read: makes the model. Records of all threads are loaded and ordered; wakers are found among all of them;
 * then what the selection does not want goes, and each selected thread's story becomes its spans.
 */
#include <stdlib.h>
#include <string.h>

#include "latency_load.h"
#include "latency_order.h"
#include "latency_segments.h"
#include "latency_select.h"
#include "latency_wakers.h"

/* --- spans -------------------------------------------------------------------------------- */

struct spans {
	struct ht_span *items;
	size_t count, cap;
	uint64_t from, to;
};

static void add_span(struct spans *out, const struct ht_segment *g, unsigned state, uint64_t begin, uint64_t end)
{
	begin = begin > out->from ? begin : out->from;
	end = end < out->to ? end : out->to;
	if (begin >= end)
		return;
	if (out->count == out->cap) {
		out->cap = out->cap ? 2 * out->cap : 64;
		out->items = ht_xrealloc(out->items, out->cap, sizeof(*out->items));
	}
	bool on = state == HT_STATE_RUNNING;
	out->items[out->count++] = (struct ht_span){
	    .begin_ns = begin,
	    .end_ns = end,
	    .wait = on ? 0 : g->wait,
	    .stall = on ? 0 : g->stall,
	    .cpu = on ? g->cpu : HT_NO_CPU,
	    .state = (uint8_t)state,
	};
}

/* SPIN runs: if it slept, that was not for the lock. */
static uint8_t kind_of(const struct ht_latency *l, const struct ht_segment *g)
{
	unsigned kind = g->wait ? l->waits[g->wait - 1].w.kind : HT_WAIT_NONE;
	return (uint8_t)(kind == HT_WAIT_SPIN ? HT_WAIT_NONE : kind);
}

static void add_off(const struct ht_latency *l, struct spans *out, const struct ht_segment *g)
{
	size_t before = out->count;
	add_span(out, g, g->stall ? HT_STATE_ALLOCATOR : HT_STATE_BLOCKED, g->begin_ns, g->ready_ns);
	if (out->count > before && !g->stall)
		out->items[before].kind = kind_of(l, g);
	add_span(out, g, HT_STATE_RUNNABLE, g->ready_ns, g->end_ns);
}

static void make_spans(const struct ht_thread_story *s, struct ht_latency_thread *t)
{
	struct spans out = {.from = t->start_ns > s->l->from_ns ? t->start_ns : s->l->from_ns,
			    .to = t->end_ns < s->l->to_ns ? t->end_ns : s->l->to_ns};
	for (size_t i = 0; i < s->count; i++) {
		const struct ht_segment *g = &s->segments[i];
		if (g->how == HT_SEGMENT_OFF)
			add_off(s->l, &out, g);
		else
			add_span(&out, g,
				 g->how == HT_SEGMENT_RUN	  ? HT_STATE_RUNNING
				 : g->how == HT_SEGMENT_PREEMPTED ? HT_STATE_RUNNABLE
								  : HT_STATE_UNKNOWN,
				 g->begin_ns, g->end_ns);
	}
	t->start_ns = out.from;
	t->end_ns = out.to > out.from ? out.to : out.from;
	t->spans = ht_xrealloc(out.items, out.count + 1, sizeof(*out.items)); /* not NULL, so that walks need not ask */
	t->span_count = out.count;
	for (size_t i = 0; i < s->switch_count; i++) {
		const struct ht_switch *w = &s->switches[s->own_switches[i]];
		bool counts = w->time_ns >= out.from && w->time_ns < out.to;
		t->voluntary += counts && w->how == HT_SWITCH_BLOCKED;
		t->involuntary += counts && w->how == HT_SWITCH_PREEMPTED;
	}
}

static void take_kernel_sums(const struct ht_thread_story *s, struct ht_latency_thread *t)
{
	if (!s->stat_count)
		return;
	const struct ht_schedstat *k = &s->stats[s->stat_count - 1];
	t->kernel_known = true;
	t->kernel_running_ns = k->running_ns;
	t->kernel_runnable_ns = k->runnable_ns;
	t->kernel_time_ns = k->time_ns;
}

/* --- threads ------------------------------------------------------------------------------ */

/* Where each thread's records stand. */
struct places {
	size_t *waits, *stalls, *faults, *switches, *stats; /* first of each thread, and the end */
	uint32_t *own_switches;
};

static size_t *firsts(size_t threads)
{
	return ht_xcalloc(threads + 2, sizeof(size_t));
}

static void group_by_thread(struct ht_latency *l, struct ht_latency_records *r, struct places *p, size_t threads)
{
	*p = (struct places){firsts(threads), firsts(threads), firsts(threads), firsts(threads), firsts(threads), NULL};
	l->waits = ht_group(l->waits, l->wait_count, sizeof(*l->waits), offsetof(struct ht_waited, w.thread), p->waits,
			    threads);
	l->stalls = ht_group(l->stalls, l->stall_count, sizeof(*l->stalls), offsetof(struct ht_stall, thread),
			     p->stalls, threads);
	l->faults = ht_group(l->faults, l->fault_count, sizeof(*l->faults), offsetof(struct ht_fault, thread),
			     p->faults, threads);
	r->schedstats = ht_group(r->schedstats, r->schedstat_count, sizeof(*r->schedstats),
				 offsetof(struct ht_schedstat, thread), p->stats, threads);
	p->own_switches = ht_group_positions(l->switches, l->switch_count, sizeof(*l->switches),
					     offsetof(struct ht_switch, thread), p->switches, threads);
}

static void release_places(struct places *p)
{
	free(p->waits);
	free(p->stalls);
	free(p->faults);
	free(p->switches);
	free(p->stats);
	free(p->own_switches);
}

static void tell_thread(struct ht_thread_story *s, struct ht_latency_thread *t, const struct places *p,
			const struct ht_schedstat *stats)
{
	uint32_t id = t->id;
	t->first_wait = p->waits[id];
	t->wait_count = p->waits[id + 1] - p->waits[id];
	t->first_stall = p->stalls[id];
	t->stall_count = p->stalls[id + 1] - p->stalls[id];
	t->first_fault = p->faults[id];
	t->fault_count = p->faults[id + 1] - p->faults[id];
	s->thread = t;
	s->own_switches = p->own_switches + p->switches[id];
	s->switch_count = p->switches[id + 1] - p->switches[id];
	s->stats = stats + p->stats[id];
	s->stat_count = p->stats[id + 1] - p->stats[id];
	t->switched = s->switch_count > 0;
	if (t->switched) {
		ht_story_from_switches(s);
		ht_story_calibrate_runs(s);
		ht_story_calibrate(s);
	} else {
		ht_story_from_waits(s);
	}
	make_spans(s, t);
	take_kernel_sums(s, t);
}

/* How far apart a thread's readings are, on average. */
static uint64_t polling_interval(const struct ht_schedstat *stats, size_t count)
{
	uint64_t sum = 0, n = 0;
	for (size_t i = 1; i < count; i++) {
		if (stats[i].thread != stats[i - 1].thread)
			continue;
		sum += stats[i].time_ns - stats[i - 1].time_ns;
		n++;
	}
	return n ? sum / n : 0;
}

/* --- the whole ---------------------------------------------------------------------------- */

/* For each switch, how long ago the one before it on its processor was, if there was one; as long as can be, if not.
 * The kernel picks who comes before it stamps who leaves: a microsecond may be of both. */
static uint32_t *idle_before(const struct ht_latency *l)
{
	enum { CPUS = UINT16_MAX + 1, BOTH_NS = 1500 };
	struct { uint64_t last, before; } *cpus = ht_xcalloc(CPUS, sizeof(*cpus)), *c;
	uint32_t *idle = ht_xmalloc((l->switch_count + 1) * sizeof(*idle));
	for (size_t i = 0; i < l->switch_count; i++) {
		const struct ht_switch *w = &l->switches[i];
		c = &cpus[w->cpu];
		uint64_t both = (c->last - c->before) / 2, ns = UINT64_MAX;
		if (c->last)
			ns = w->time_ns - c->last + (both < BOTH_NS ? both : BOTH_NS);
		idle[i] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
		c->before = c->last;
		c->last = w->time_ns;
	}
	free(cpus);
	return idle;
}

static void tell_threads(struct ht_latency *l, struct ht_latency_records *r, const struct ht_wake_lists *lists,
			 const struct ht_latency_options *o)
{
	struct places places;
	group_by_thread(l, r, &places, ht_trace_thread_count(l->trace));
	uint32_t *idle = idle_before(l);
	struct ht_thread_story story = {.l = l, .lists = lists, .switches = l->switches, .idle_ns = idle};
	for (size_t i = 0; i < l->thread_count; i++) {
		tell_thread(&story, &l->threads[i], &places, r->schedstats);
		if (o->progress)
			o->progress(o->progress_ctx, "threads", i + 1, l->thread_count);
	}
	l->resolution_ns = l->switch_count ? 1000 : polling_interval(r->schedstats, r->schedstat_count);
	free(story.segments);
	free(idle);
	release_places(&places);
}

int ht_latency_read(struct ht_latency **out, const struct ht_trace *t, const struct ht_latency_options *o,
		    struct ht_diag *d)
{
	struct ht_latency_records r;
	*out = NULL;
	if (!ht_trace_time_block_count(t))
		return HT_ABSENT;
	ht_latency_load(&r, t, o);
	if (r.wait_count >= UINT32_MAX || r.wake_count >= UINT32_MAX || r.stall_count >= UINT32_MAX ||
	    r.switch_count >= UINT32_MAX) {
		ht_latency_records_release(&r);
		return ht_fail(d, HT_ERR_LIMIT, "more than %u waits, wakes, stalls or context switches", UINT32_MAX);
	}
	struct ht_latency *l = ht_xcalloc(1, sizeof(*l));
	*l = (struct ht_latency){
	    .trace = t,
	    .waits = r.waits,
	    .wakes = r.wakes,
	    .stalls = r.stalls,
	    .faults = r.faults,
	    .switches = r.switches,
	    .wait_count = r.wait_count,
	    .wake_count = r.wake_count,
	    .stall_count = r.stall_count,
	    .fault_count = r.fault_count,
	    .switch_count = r.switch_count,
	    .source = ht_trace_settings(t)->sched,
	    .states_known = r.wait_count || r.switch_count || r.schedstat_count,
	    .lost_switches = ht_trace_totals(t, NULL)->lost[HT_LOST_SCHED],
	    .damaged_blocks = r.damaged_blocks,
	};
	if (!l->source)
		l->source = "";
	struct ht_wake_lists lists;
	ht_latency_choose_threads(l, r.schedstats, r.schedstat_count, o);
	ht_latency_find_wakers(l, &lists);
	tell_threads(l, &r, &lists, o);
	ht_latency_keep_chosen(l);
	ht_wake_lists_release(&lists);
	free(r.schedstats);
	*out = l;
	return 0;
}

void ht_latency_free(struct ht_latency *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->thread_count; i++)
		free(l->threads[i].spans);
	free(l->threads);
	free(l->waits);
	free(l->wakes);
	free(l->wake_objects);
	free(l->stalls);
	free(l->faults);
	free(l->switches);
	free(l);
}
