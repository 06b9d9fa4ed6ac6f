/*
 * timeline_build: see timeline_build.h. Here: the order of things. What is shown is settled first (windows), then the
 * model of time is read, then the events are walked once, and then every part is made from these.
 */
#include "timeline_build.h"

#include <stdlib.h>

#include "recorded.h"
#include "timeline_build_work.h"

#define LEAST_BLOCKED_NS 1000000

/* Called by ht_analyze when it is known who is selected. */
static size_t make_passes(void *ctx, struct ht_analysis *a, struct ht_pass *passes)
{
	struct ht_timeline_work *w = ctx;
	w->a = a;
	a->sample_bytes = ht_trace_settings(a->trace)->sample_bytes;
	ht_timeline_who(w);
	ht_timeline_levels_begin(w);
	ht_timeline_bursts_begin(w);
	ht_timeline_heaps_begin(w, w->heaps_wanted);
	passes[0] = ht_timeline_levels_pass(w);
	passes[1] = ht_timeline_bursts_pass(w);
	passes[2] = ht_timeline_heaps_pass(w);
	return 3;
}

/* --- what is missing ---------------------------------------------------------------------- */

/* Were threads blocked, and nothing says in which call? */
static bool blocked_somewhere(const struct ht_timeline_work *w)
{
	uint64_t ns = 0;
	for (size_t i = 0; i < w->spans.count; i++)
		if (w->spans.items[i].state == HT_TIMELINE_BLOCKED)
			ns += w->spans.items[i].end_ns - w->spans.items[i].begin_ns;
	return ns > LEAST_BLOCKED_NS;
}

/* What follows from classes that were not asked for, or NULL. */
static const char *consequence(const struct ht_timeline_work *w, uint32_t classes)
{
	if (!w->model)
		return classes & HT_CLASSES_OF_STATES ? "what threads did is not known" : NULL;
	if (classes & HT_CLASS_BIT(SCHED))
		return "what threads did is known from waits alone";
	if (classes & HT_CLASSES_OF_WAITS)
		return w->model->wait_count ? "not all blocks have a reason" : "why threads were blocked is not known";
	return NULL;
}

/* One line; heap. */
static char *missing(const struct ht_timeline_work *w)
{
	const uint32_t not = ht_unrecorded(w->trace, HT_CLASS_BIT(ALLOC) | HT_CLASSES_OF_STATES);
	if (not)
		return ht_unrecorded_text(not, consequence(w, not));
	if (!w->model)
		return ht_recorded_nothing(w->trace, HT_CLASSES_OF_STATES,
					   "neither waits nor context switches are in this trace: what threads did is not known");
	if (!*w->model->source)
		return ht_recorded_nothing(w->trace, HT_CLASS_BIT(SCHED),
					   "no context switches were recorded: what threads did is known from waits alone");
	if (!w->model->switch_count && w->model->resolution_ns > 1000)
		return ht_xstrdup("context switches could not be seen in recording: what threads did is known from waits, "
				  "and from sums that were read now and then");
	if (!w->model->wait_count && blocked_somewhere(w))
		return ht_recorded_nothing(w->trace, HT_CLASSES_OF_WAITS,
					   "no waits are in this trace: why threads were blocked is not known");
	return ht_xstrdup("");
}

static void hand_over(struct ht_timeline_work *w)
{
	struct ht_timeline *t = &w->made.timeline;
	const struct ht_trace_settings *s = ht_trace_settings(w->trace);
	struct ht_buf line = {0};
	for (const char *at = s->command; at && *at; at += strlen(at) + 1)
		ht_buf_printf(&line, "%s%s", line.len ? " " : "", at);
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] < ' ')
			line.data[i] = ' ';
	ht_buf_byte(&line, '\0');
	*t = (struct ht_timeline){
		.command = ht_timeline_text(w, (const char *)line.data),
		.hostname = ht_timeline_text(w, s->hostname),
		.source = ht_timeline_text(w, w->model ? w->model->source : ""),
		.from_ns = w->from_ns,
		.to_ns = w->to_ns,
		.clock_utc_ns = s->start_utc_ns,
		.clock_monotonic_ns = s->start_monotonic_ns,
		.clock_boottime_ns = s->start_boottime_ns,
	};
	ht_buf_release(&line);
#define HAND_OVER(field, list, number)   \
	t->field = w->list.items;        \
	t->number = w->list.count
	HAND_OVER(processes, processes, process_count);
	HAND_OVER(threads, threads, thread_count);
	HAND_OVER(spans, spans, span_count);
	HAND_OVER(switches, switches, switch_count);
	HAND_OVER(slices, slices, slice_count);
	HAND_OVER(arrows, arrows, arrow_count);
	HAND_OVER(tasks, tasks, task_count);
	HAND_OVER(instants, instants, instant_count);
	HAND_OVER(counters, counters, counter_count);
	HAND_OVER(heaps, heap_list, heap_count);
	HAND_OVER(frames, frames, frame_count);
	HAND_OVER(stacks, stacks, stack_count);
#undef HAND_OVER
}

/* --- the whole ---------------------------------------------------------------------------- */

static void make(struct ht_timeline_work *w)
{
	ht_timeline_heaps_take(w);
	ht_timeline_spans(w);
	ht_timeline_switches(w);
	ht_timeline_slices(w);
	ht_timeline_tasks(w);
	ht_timeline_said(w);
	ht_timeline_counters(w);
	w->made.missing = w->missing = missing(w);
	w->made.damaged_blocks = w->a->totals.damaged_blocks;
	if (w->model) {
		w->made.damaged_blocks += w->model->damaged_blocks;
		w->made.lost_switches = w->model->lost_switches;
		w->made.resolution_ns = w->model->resolution_ns;
	}
	hand_over(w);
}

static int walk(struct ht_timeline_work *w, const struct ht_timeline_options *o, struct ht_diag *d)
{
	struct ht_analysis_options ao = o->analysis;
	struct ht_analysis *a = NULL;
	ao.selection.from_ns = w->from_ns;
	ao.selection.to_ns = w->to_ns;
	ao.selection.region = ao.selection.task = NULL;
	ao.other_passes = make_passes;
	ao.other_ctx = w;
	int r = ht_analyze(&a, w->trace, &ao, d);
	if (r < 0)
		return r;
	w->a = a;
	make(w);
	return 0;
}

static int read_model(struct ht_timeline_work *w, const struct ht_timeline_options *o, struct ht_diag *d)
{
	struct ht_latency_options lo = {
		.selection = o->analysis.selection,
		.jobs = o->analysis.jobs,
		.progress = o->analysis.progress,
		.progress_ctx = o->analysis.progress_ctx,
	};
	lo.selection.from_ns = w->from_ns;
	lo.selection.to_ns = w->to_ns;
	int r = ht_latency_read(&w->own_model, w->trace, &lo, d);
	w->model = r ? NULL : w->own_model;
	return r < 0 ? r : 0;
}

static void settle_span(struct ht_timeline_work *w, const struct ht_timeline_options *o)
{
	const struct ht_selection *s = &o->analysis.selection;
	ht_analysis_span(w->trace, s->process, &w->from_ns, &w->to_ns);
	w->made.part = s->to_ns < w->to_ns || s->from_ns > w->from_ns || o->task;
	if (s->to_ns < w->to_ns)
		w->to_ns = s->to_ns;
	if (s->from_ns > w->from_ns)
		w->from_ns = s->from_ns;
	if (w->to_ns < w->from_ns)
		w->to_ns = w->from_ns;
}

static int build(struct ht_timeline_made **out, struct ht_trace *t, const struct ht_latency *model, bool read,
		 const struct ht_timeline_options *o, struct ht_diag *d)
{
	struct ht_timeline_work *w = ht_xcalloc(1, sizeof(*w));
	w->trace = t;
	w->model = model;
	w->heaps_wanted = o->heaps;
	settle_span(w, o);
	int r = ht_timeline_windows(w, o);
	if (!r && read)
		r = read_model(w, o, d);
	if (!r)
		r = walk(w, o, d);
	if (r)
		ht_timeline_free(&w->made);
	else
		*out = &w->made;
	return r;
}

int ht_timeline_build(struct ht_timeline_made **out, struct ht_trace *t, const struct ht_timeline_options *o,
		      struct ht_diag *d)
{
	return build(out, t, NULL, true, o, d);
}

int ht_timeline_build_of(struct ht_timeline_made **out, struct ht_trace *t, const struct ht_latency *model,
			 const struct ht_timeline_options *o, struct ht_diag *d)
{
	return build(out, t, model, false, o, d);
}

void ht_timeline_free(struct ht_timeline_made *m)
{
	struct ht_timeline_work *w = (struct ht_timeline_work *)m;
	if (!w)
		return;
	for (size_t i = 0; i < w->counters.count; i++)
		free((void *)(uintptr_t)w->counters.items[i].points);
	for (size_t i = 0; i < w->tasks.count; i++)
		free((void *)(uintptr_t)w->tasks.items[i].pieces);
	free(w->missing);
	ht_timeline_levels_free(w->levels);
	ht_timeline_bursts_free(w->bursts);
	ht_timeline_heaps_free(w);
	ht_timeline_names_release(w);
	ht_instances_release(&w->tasks_read);
	if (w->own_model)
		ht_latency_free(w->own_model);
	ht_analysis_free(w->a);
	free(w->windows.items);
	free(w->process_of);
	free(w->thread_of);
	free(w->ids);
	free(w->next_id);
	free(w->processes.items);
	free(w->threads.items);
	free(w->spans.items);
	free(w->switches.items);
	free(w->slices.items);
	free(w->arrows.items);
	free(w->tasks.items);
	free(w->instants.items);
	free(w->counters.items);
	free(w);
}
