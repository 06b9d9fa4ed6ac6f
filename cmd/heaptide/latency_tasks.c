/*
 * latency_tasks: the views "tasks" and "regions": how long they took, what that time went for, the slowest, and what
 * the slow ones have that the usual ones have not.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "latency_tasks.h"
#include "progress.h"
#include "reading.h"
#include "wait_sites.h"

/* --- what JSON and CSV say of a time -------------------------------------------------------- */

#define PARTS(prefix)                                                                                                  \
	{.key = prefix "total_ns", .flags = HT_COLUMN_DATA_ONLY},                                                      \
		{.key = prefix "running_ns", .flags = HT_COLUMN_DATA_ONLY},                                            \
		{.key = prefix "runnable_ns", .flags = HT_COLUMN_DATA_ONLY},                                           \
		{.key = prefix "blocked_ns.mutex", .flags = HT_COLUMN_DATA_ONLY},                                      \
		{.key = prefix "blocked_ns.cond", .flags = HT_COLUMN_DATA_ONLY},                                       \
		{.key = prefix "blocked_ns.sem", .flags = HT_COLUMN_DATA_ONLY},                                        \
		{.key = prefix "blocked_ns.rwlock", .flags = HT_COLUMN_DATA_ONLY},                                     \
		{.key = prefix "blocked_ns.join", .flags = HT_COLUMN_DATA_ONLY},                                       \
		{.key = prefix "blocked_ns.barrier", .flags = HT_COLUMN_DATA_ONLY},                                    \
		{.key = prefix "blocked_ns.net", .flags = HT_COLUMN_DATA_ONLY},                                        \
		{.key = prefix "blocked_ns.disk", .flags = HT_COLUMN_DATA_ONLY},                                       \
		{.key = prefix "blocked_ns.pipe", .flags = HT_COLUMN_DATA_ONLY},                                       \
		{.key = prefix "blocked_ns.poll", .flags = HT_COLUMN_DATA_ONLY},                                       \
		{.key = prefix "blocked_ns.sleep", .flags = HT_COLUMN_DATA_ONLY},                                      \
		{.key = prefix "blocked_ns.other", .flags = HT_COLUMN_DATA_ONLY},                                      \
		{.key = prefix "allocator_ns", .flags = HT_COLUMN_DATA_ONLY},                                          \
		{.key = prefix "unknown_ns", .flags = HT_COLUMN_DATA_ONLY},                                            \
		{.key = prefix "waiting_ns", .flags = HT_COLUMN_DATA_ONLY},                                            \
		{.key = prefix "switches.voluntary", .flags = HT_COLUMN_DATA_ONLY},                                    \
	{                                                                                                              \
		.key = prefix "switches.involuntary", .flags = HT_COLUMN_DATA_ONLY                                     \
	}

static void parts_cells(const struct ht_tasks_told *w, const struct ht_time_parts *p)
{
	struct ht_emitter *e = w->x->e;
	uint64_t total = 0;
	for (unsigned k = 0; k < HT_TIME_PARTS; k++)
		total += p->ns[k];
	ht_emit_cell(e, ht_ns(total));
	ht_emit_cell(e, ht_ns(p->ns[HT_PART_RUNNING]));
	ht_emit_cell(e, ht_ns(p->ns[HT_PART_RUNNABLE]));
	for (unsigned k = 0; k < HT_BLOCKED_PARTS; k++)
		ht_emit_cell(e, ht_ns(p->ns[HT_PART_BLOCKED + k]));
	ht_emit_cell(e, ht_ns(p->ns[HT_PART_ALLOCATOR]));
	ht_emit_cell(e, ht_ns(p->ns[HT_PART_UNKNOWN]));
	ht_emit_cell(e, w->tasks ? ht_ns(p->ns[HT_PART_WAITING]) : ht_omit());
	ht_emit_cell(e, ht_count(p->voluntary));
	ht_emit_cell(e, ht_count(p->involuntary));
}

/* --- rows ---------------------------------------------------------------------------------- */

static void histogram_cell(const struct ht_tasks_told *w, const struct ht_instance_group *g)
{
	struct ht_emit_field fields[3 * HT_DURATION_BUCKETS];
	struct ht_tasks_histogram h;
	size_t n = 0;
	ht_tasks_histogram(g, &h);
	for (unsigned k = h.first; k < h.end; k++) {
		fields[n++] = (struct ht_emit_field){"min_ns", ht_ns(ht_duration_bound(k))};
		fields[n++] = (struct ht_emit_field){"max_ns", ht_ns(ht_duration_bound(k + 1) - 1)};
		fields[n++] = (struct ht_emit_field){"count", ht_count(h.counts[k])};
	}
	ht_emit_cell(w->x->e, ht_objects(fields, 3, h.end - h.first));
}

static void group_row(const struct ht_tasks_told *w, const struct ht_instance_group *g)
{
	struct ht_emitter *e = w->x->e;
	const struct ht_quantiles *q = &g->duration;
	ht_emit_cell(e, ht_string(g->name));
	ht_emit_cell(e, ht_count(g->count));
	ht_emit_cell(e, ht_count(g->cut));
	ht_emit_cell(e, ht_ns(q->p50));
	ht_emit_cell(e, ht_ns(q->p90));
	ht_emit_cell(e, ht_ns(q->p99));
	ht_emit_cell(e, ht_ns(q->p999));
	ht_emit_cell(e, ht_ns(q->max));
	ht_emit_cell(e, ht_ns(q->sum));
	ht_emit_cell(e, ht_count(g->allocs));
	ht_emit_cell(e, ht_bytes(g->bytes));
	ht_emit_cell(e, ht_real(sqrt(g->variance.allocs)));
	ht_emit_cell(e, ht_real(sqrt(g->variance.bytes)));
	parts_cells(w, &g->parts);
	if (e->format == HT_EMIT_TEXT)
		ht_emit_cell(e, ht_omit());
	else
		histogram_cell(w, g);
	ht_emit_row(e);
}

static void rows(const struct ht_tasks_told *w, size_t shown)
{
	const struct ht_column columns[] = {
	    {.key = "name", .heading = w->one, .flags = HT_COLUMN_LEFT | HT_COLUMN_FLEX},
	    {.key = "count", .heading = "count"},
	    {.key = "cut", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "duration_ns.p50", .heading = "p50"},
	    {.key = "duration_ns.p90", .heading = "p90"},
	    {.key = "duration_ns.p99", .heading = "p99"},
	    {.key = "duration_ns.p999", .heading = "p99.9"},
	    {.key = "duration_ns.max", .heading = "max"},
	    {.key = "total_ns", .heading = "in all"},
	    {.key = "allocs", .heading = "allocs"},
	    {.key = "bytes", .heading = "bytes"},
	    {.key = "allocs_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    PARTS("breakdown_ns."),
	    {.key = "histogram", .flags = HT_COLUMN_DATA_ONLY},
	    {0}};
	ht_emit_table(w->x->e, "rows", columns);
	for (size_t i = 0; i < shown; i++)
		group_row(w, &w->groups->items[i]);
	ht_emit_table_end(w->x->e, w->groups->count - shown);
}

/* --- the slowest --------------------------------------------------------------------------- */

static void slow_row(const struct ht_tasks_told *w, const struct ht_instance_group *g, size_t rank)
{
	const struct ht_instance *i = &w->in->items[g->members[rank]];
	struct ht_emitter *e = w->x->e;
	struct ht_time_parts parts = {.voluntary = 0};
	uint32_t threads[HT_TASKS_THREADS];
	struct ht_emit_field fields[2 * HT_TASKS_THREADS];
	char *names[HT_TASKS_THREADS];
	const size_t n = ht_tasks_threads(w, i, threads);
	ht_instance_parts(w->in, i, w->x->l, &parts);
	for (size_t k = 0; k < n; k++) {
		struct ht_buf b = {0};
		const struct ht_thread_info *t = ht_trace_thread(w->x->a->trace, threads[k]);
		ht_tasks_thread_name(&b, w->x, threads[k]);
		ht_buf_byte(&b, '\0');
		names[k] = (char *)b.data;
		fields[2 * k] = (struct ht_emit_field){"name", ht_string(names[k])};
		fields[2 * k + 1] = (struct ht_emit_field){"tid", ht_number(t ? t->tid : 0)};
	}
	ht_emit_cell(e, ht_string(g->name));
	ht_emit_cell(e, ht_number(rank + 1));
	ht_emit_cell(e, i->task ? ht_number(i->task) : ht_omit());
	ht_emit_cell(e, ht_ns(i->begin_ns));
	ht_emit_cell(e, ht_ns(i->end_ns - i->begin_ns));
	ht_emit_cell(e, ht_bool(i->cut));
	ht_emit_cell(e, ht_objects(fields, 2, n));
	ht_emit_cell(e, ht_count(i->allocs));
	ht_emit_cell(e, ht_bytes(i->bytes));
	parts_cells(w, &parts);
	ht_emit_row(e);
	for (size_t k = 0; k < n; k++)
		free(names[k]);
}

static void slowest(const struct ht_tasks_told *w, size_t shown)
{
	static const struct ht_column columns[] = {
	    {.key = "name"}, {.key = "rank"},	 {.key = "task"},   {.key = "start_ns"}, {.key = "duration_ns"},
	    {.key = "cut"},  {.key = "threads"}, {.key = "allocs"}, {.key = "bytes"},	 PARTS("breakdown_ns."),
	    {0}};
	ht_emit_table(w->x->e, "slowest", columns);
	for (size_t i = 0; i < shown; i++)
		for (size_t k = 0; k < w->groups->items[i].count && k < HT_TASKS_SLOWEST; k++)
			slow_row(w, &w->groups->items[i], k);
	ht_emit_table_end(w->x->e, UINT64_MAX);
}

/* --- slow against usual -------------------------------------------------------------------- */

static void difference_row(const struct ht_tasks_told *w, const struct ht_instance_group *g,
			   const struct ht_difference *d)
{
	const struct ht_culprit *c = &d->culprit;
	const struct ht_latency_show *x = w->x;
	const struct ht_frame *at = c->kind ? ht_wait_callsite(x->a->stacks, c->stack) : NULL;
	const struct ht_frame *by = c->ended_stack ? ht_wait_callsite(x->a->stacks, c->ended_stack) : NULL;
	const struct ht_thread_info *t = c->ended_by_known ? ht_trace_thread(x->a->trace, c->ended_by) : NULL;
	struct ht_emitter *e = x->e;
	ht_emit_cell(e, ht_string(g->name));
	ht_emit_cell(e, ht_string(ht_time_part_name(d->part)));
	ht_emit_cell(e, ht_number(g->slow));
	ht_emit_cell(e, ht_number(g->usual));
	ht_emit_cell(e, ht_ns((uint64_t)d->slow_ns));
	ht_emit_cell(e, ht_ns((uint64_t)d->usual_ns));
	ht_emit_cell(e, ht_ns((uint64_t)(d->slow_ns - d->usual_ns)));
	ht_emit_cell(e, ht_string(c->kind ? ht_wait_kind_names[c->kind] : NULL));
	ht_emit_cell(e, c->object ? ht_hex(c->object) : ht_null());
	ht_emit_cell(e, c->kind ? ht_count(c->waits) : ht_null());
	ht_emit_cell(e, c->kind ? ht_ns(c->wait_ns) : ht_null());
	ht_emit_cell(e, ht_string(at ? at->function : NULL));
	ht_emit_cell(e, ht_string(at ? at->file : NULL));
	ht_emit_cell(e, at && at->line ? ht_number(at->line) : ht_null());
	ht_emit_cell(e, t ? ht_number(t->tid) : ht_null());
	ht_emit_cell(e, t && t->name ? ht_string(ht_trace_string(x->a->trace, t->name, NULL)) : ht_null());
	ht_emit_cell(e, ht_string(by ? by->function : NULL));
	ht_emit_cell(e, ht_string(by ? by->file : NULL));
	ht_emit_cell(e, by && by->line ? ht_number(by->line) : ht_null());
	ht_emit_row(e);
}

static void differences(const struct ht_tasks_told *w, size_t shown)
{
	static const struct ht_column columns[] = {
	    {.key = "name"},	      {.key = "part"},		  {.key = "slow_count"},    {.key = "usual_count"},
	    {.key = "slow_ns"},	      {.key = "usual_ns"},	  {.key = "delta_ns"},	    {.key = "kind"},
	    {.key = "lock"},	      {.key = "waits"},		  {.key = "wait_ns"},	    {.key = "function"},
	    {.key = "file"},	      {.key = "line"},		  {.key = "ended_by.tid"},  {.key = "ended_by.name"},
	    {.key = "ended_by.function"}, {.key = "ended_by.file"}, {.key = "ended_by.line"}, {0}};
	ht_emit_table(w->x->e, "slow_vs_fast", columns);
	for (size_t i = 0; i < shown; i++)
		for (size_t k = 0; k < w->groups->items[i].difference_count; k++)
			difference_row(w, &w->groups->items[i], &w->groups->items[i].differences[k]);
	ht_emit_table_end(w->x->e, UINT64_MAX);
}

/* --- the view ------------------------------------------------------------------------------ */

static bool *selected_threads(const struct ht_analysis *a)
{
	const struct ht_selection *s = &a->options.selection;
	const uint32_t n = ht_trace_thread_count(a->trace);
	if (!s->thread && !s->process)
		return NULL;
	bool *flags = ht_xcalloc(n + 1ull, sizeof(*flags));
	for (uint32_t i = 0; i < n; i++)
		flags[i] = ht_reading_thread_selected(a->trace, s, i);
	return flags;
}

static uint64_t samples(const struct ht_trace *t)
{
	uint64_t n = 0;
	for (size_t i = 0; i < ht_trace_block_count(t); i++)
		n += ht_trace_block(t, i)->births;
	return n;
}

static int show(struct ht_latency_show *x, enum ht_instances_of what)
{
	const struct ht_selection *s = &x->a->options.selection;
	struct ht_instances in;
	struct ht_instance_groups groups;
	struct ht_tasks_told w = {.x = x, .in = &in, .groups = &groups};
	bool *threads = selected_threads(x->a);
	const struct ht_instances_options o = {
	    .what = what,
	    .name = what == HT_INSTANCES_TASKS ? s->task : s->region,
	    .threads = threads,
	    .from_ns = s->from_ns,
	    .to_ns = s->to_ns,
	    .progress = ht_progress,
	};
	w.tasks = what == HT_INSTANCES_TASKS;
	w.one = w.tasks ? "task" : "region";
	w.many = w.tasks ? "tasks" : "regions";
	ht_instances_read(&in, x->a->trace, &o);
	ht_progress_end();
	ht_instance_groups_make(&groups, x->a->trace, &in, x->l);
	size_t shown = groups.count < x->limit ? groups.count : x->limit;
	ht_emit_json(x->e, "cut", ht_count(in.cut));
	ht_emit_json(x->e, "unmatched", ht_count(in.unmatched));
	ht_emit_json(x->e, "damaged_event_blocks", ht_count(in.damaged_blocks));
	const uint64_t rate = ht_trace_settings(x->a->trace)->sample_bytes;
	x->e->estimates = rate > 0;
	if (rate) {
		ht_emit_object(x->e, "sampled");
		ht_emit_json(x->e, "rate", ht_bytes(rate));
		ht_emit_json(x->e, "samples", ht_count(samples(x->a->trace)));
		ht_emit_close(x->e);
		ht_emit_text(x->e, "a sampled recording: allocations and bytes are estimates\n\n");
	}
	if (groups.count || x->e->format != HT_EMIT_TEXT)
		rows(&w, shown);
	if (x->e->format == HT_EMIT_TEXT) {
		ht_tasks_say(&w, shown);
	} else if (x->e->format == HT_EMIT_JSON) {
		slowest(&w, shown);
		differences(&w, shown);
	}
	ht_instance_groups_release(&groups);
	ht_instances_release(&in);
	free(threads);
	return 0;
}

static int show_tasks(struct ht_latency_show *x, struct ht_diag *d)
{
	(void)d;
	return show(x, HT_INSTANCES_TASKS);
}

static int show_regions(struct ht_latency_show *x, struct ht_diag *d)
{
	(void)d;
	return show(x, HT_INSTANCES_REGIONS);
}

const struct ht_latency_view ht_latency_tasks = {
    .name = "tasks",
    .needs = HT_CLASS_BIT(ALLOC) | HT_CLASSES_OF_STATES,
    .idle = HT_CHOICES_OF_STACKS | HT_CHOICE_ALLOCATORS | HT_CHOICES_OF_SIZES | HT_CHOICE_REGION,
    .next = "latency --view=regions",
    .rows = 20,
    .show = show_tasks,
};
const struct ht_latency_view ht_latency_regions = {
    .name = "regions",
    .needs = HT_CLASS_BIT(ALLOC) | HT_CLASSES_OF_STATES,
    .idle = HT_CHOICES_OF_STACKS | HT_CHOICE_ALLOCATORS | HT_CHOICES_OF_SIZES | HT_CHOICE_TASK,
    .next = "latency --view=locks",
    .rows = 20,
    .show = show_regions,
};
