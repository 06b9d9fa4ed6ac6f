/*
 * timeline_build_said: logs and marks, and who made which thread. Few blocks of a trace have such events; the others
 * are not decoded.
 */
#include <stdlib.h>

#include "timeline_build_work.h"

static uint32_t thread_at(const struct ht_event_arrays *e, size_t i, size_t *run, size_t *end)
{
	while (i >= *end)
		*end += e->runs[(*run)++].count;
	return e->runs[*run - 1].thread;
}

static void start(struct ht_timeline_work *w, uint32_t thread, uint64_t creator)
{
	uint32_t made = w->thread_of[thread];
	if (made && creator && creator - 1 < w->a->thread_count)
		w->threads.items[made - 1].creator = w->thread_of[creator - 1];
}

static const char *string(struct ht_timeline_work *w, uint64_t id)
{
	return id <= UINT32_MAX ? ht_timeline_text(w, ht_trace_string(w->trace, (uint32_t)id, NULL)) : "";
}

/* An event without a name is none to viewers. */
static const char *named(const char *text, const char *otherwise)
{
	return *text ? text : otherwise;
}

static void say(struct ht_timeline_work *w, uint32_t thread, unsigned op, const struct ht_event_arrays *e,
		const struct ht_event_extra *x)
{
	uint32_t known = w->thread_of[thread];
	uint64_t ns = e->time[x->event];
	if (!known || !ht_timeline_inside(w, ns))
		return;
	bool mark = op == HT_OP_MARK;
	*HT_TIMELINE_ADD(w->instants) = (struct ht_timeline_instant){
		.thread = known - 1,
		.time_ns = ns,
		.category = mark ? "mark" : named(string(w, x->extra), "log"),
		.message = named(string(w, mark ? x->extra : x->extra2), mark ? "mark" : "log"),
		.stack = ht_timeline_stack(w, e->stack[x->event]),
	};
}

/* Extras have all the events that matter here, and are few. */
static void read_block(struct ht_timeline_work *w, const struct ht_event_arrays *e)
{
	size_t run = 0, end = 0;
	for (size_t i = 0; i < e->extra_count; i++) {
		const struct ht_event_extra *x = &e->extras[i];
		unsigned op = e->op[x->event] & HT_EVENT_OP;
		uint32_t thread = thread_at(e, x->event, &run, &end);
		if (thread >= w->a->thread_count)
			continue;
		if (op == HT_OP_THREAD_START)
			start(w, thread, x->extra);
		else if (op == HT_OP_LOG || op == HT_OP_MARK)
			say(w, thread, op, e, x);
	}
}

static int by_time(const void *pa, const void *pb)
{
	const struct ht_timeline_instant *a = pa, *b = pb;
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns ? -1 : 1;
	return a->thread < b->thread ? -1 : a->thread > b->thread;
}

void ht_timeline_said(struct ht_timeline_work *w)
{
	const uint32_t one = 1, wanted = one << HT_OP_LOG | one << HT_OP_MARK | one << HT_OP_THREAD_START;
	struct ht_event_arrays e = {0};
	struct ht_diag d;
	for (size_t i = ht_trace_block_at_time(w->trace, w->from_ns); i < ht_trace_block_count(w->trace); i++) {
		uint32_t ops;
		if (ht_trace_block(w->trace, i)->first_ns > w->to_ns)
			break;
		/* what cannot be read is counted by the walk */
		if (ht_trace_block_ops(w->trace, i, &e, &ops) == 0 && (ops & wanted) &&
		    ht_trace_block_arrays(w->trace, i, &e, &d) == 0)
			read_block(w, &e);
	}
	ht_event_arrays_release(&e);
	if (w->instants.count)
		qsort(w->instants.items, w->instants.count, sizeof(*w->instants.items), by_time);
}
