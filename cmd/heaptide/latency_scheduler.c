/* latency_scheduler: how long threads that could go on waited for a processor, and who let them go on. */
#include <stdlib.h>

#include "latency_views.h"
#include "wake_ups.h"

enum { ROWS = 24, WIDTH = 4 };

/* tid, name, count, stack of each; heap. */
static struct ht_emit_field *wakers_of(const struct ht_latency_show *x, const struct ht_wake_up_rows *r,
				       const struct ht_share *s, size_t n)
{
	struct ht_emit_field *fields = ht_xcalloc(n * WIDTH + 1, sizeof(*fields));
	for (size_t i = 0; i < n; i++) {
		uint32_t node = ht_shares_most(&r->stacks, (uint32_t)(s + i - r->wakers.items), 0);
		struct ht_emit_field *f = &fields[i * WIDTH];
		f[0] = (struct ht_emit_field){"tid", ht_number(ht_latency_tid(x->l, s[i].key))};
		f[1] = (struct ht_emit_field){"name", ht_latency_name(x->l, s[i].key)};
		f[2] = (struct ht_emit_field){"count", ht_count(s[i].count)};
		f[3] = (struct ht_emit_field){"stack", ht_latency_stack_copy(x, node)};
	}
	return fields;
}

static void wakers_cell(const struct ht_latency_show *x, const struct ht_wake_up_rows *r, const struct ht_share *s,
			size_t n)
{
	n = x->e->format == HT_EMIT_TEXT ? 0 : n;
	struct ht_emit_field *fields = wakers_of(x, r, s, n);
	ht_emit_cell(x->e, ht_objects(fields, WIDTH, n));
	for (size_t i = 0; i < n; i++)
		ht_latency_stack_free(&fields[i * WIDTH + 3].value);
	free(fields);
}

static struct ht_value quantile(const struct ht_quantiles *q, uint64_t ns)
{
	return q->count ? ht_ns(ns) : ht_null();
}

/* Threads of the same name are told apart by their tid. */
static char *thread_text(const struct ht_latency *l, uint32_t id)
{
	const struct ht_thread_info *info = ht_trace_thread(l->trace, id);
	bool alone = true;
	for (size_t i = 0; info && info->name && i < l->thread_count && alone; i++)
		alone = l->threads[i].id == id || ht_trace_thread(l->trace, l->threads[i].id)->name != info->name;
	return alone ? ht_xstrdup(ht_latency_thread_name(l, id))
		     : ht_xasprintf("%s %u", ht_latency_thread_name(l, id), info->tid);
}

static void row(const struct ht_latency_show *x, const struct ht_wake_up_rows *r, uint32_t i)
{
	struct ht_emitter *e = x->e;
	const struct ht_wake_ups *w = &r->items[i];
	const struct ht_latency_thread *t = &x->l->threads[i];
	size_t n;
	const struct ht_share *wakers = ht_shares_of(&r->wakers, i, &n);
	char *name = e->format == HT_EMIT_TEXT ? thread_text(x->l, t->id) : NULL;
	ht_emit_cell(e, ht_string(name));
	free(name);
	ht_emit_cell(e, ht_number(ht_latency_tid(x->l, t->id)));
	ht_emit_cell(e, ht_latency_name(x->l, t->id));
	ht_emit_cell(e, ht_count(w->wakeups));
	ht_emit_cell(e, quantile(&w->latency, w->latency.p50));
	ht_emit_cell(e, quantile(&w->latency, w->latency.p90));
	ht_emit_cell(e, quantile(&w->latency, w->latency.p99));
	ht_emit_cell(e, quantile(&w->latency, w->latency.max));
	ht_emit_cell(e, ht_ns(w->latency.sum));
	ht_emit_cell(e, ht_count(w->preemptions));
	ht_emit_cell(e, ht_ns(w->preempted_ns));
	ht_emit_cell(e, quantile(&w->preemption, w->preemption.max));
	ht_emit_cell(e, n ? ht_string(ht_latency_thread_name(x->l, wakers[0].key)) : ht_null());
	wakers_cell(x, r, wakers, n);
	ht_emit_cell(e, ht_count(w->unknown_wakers));
	ht_emit_row(e);
}

static const struct ht_wake_ups *ordered; /* qsort has no context */

static int by_time(const void *pa, const void *pb)
{
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	uint64_t x = ordered[a].latency.sum + ordered[a].preempted_ns,
		 y = ordered[b].latency.sum + ordered[b].preempted_ns;
	if (x != y)
		return x > y ? -1 : 1;
	return (a > b) - (a < b);
}

static int show(struct ht_latency_show *x, struct ht_diag *d)
{
	static const struct ht_column columns[] = {
	    {.key = "thread", .heading = "thread", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_FLEX},
	    {.key = "tid", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "name", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "wakeups", .heading = "wake-ups"},
	    {.key = "latency_ns.p50", .heading = "p50"},
	    {.key = "latency_ns.p90", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "latency_ns.p99", .heading = "p99"},
	    {.key = "latency_ns.max", .heading = "max"},
	    {.key = "latency_ns.sum", .heading = "time"},
	    {.key = "preemptions.count", .heading = "preempted"},
	    {.key = "preemptions.ns", .heading = "for"},
	    {.key = "preemptions.max_ns", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "waker", .heading = "woken by", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT, .widest = 12},
	    {.key = "wakers", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "unknown_wakers", .flags = HT_COLUMN_DATA_ONLY},
	    {0}};
	const struct ht_latency *l = x->l;
	struct ht_wake_up_rows rows;
	(void)d;
	ht_wake_ups_make(&rows, l);
	uint32_t *order = ht_xcalloc(l->thread_count + 1, sizeof(*order));
	uint64_t unknown = 0;
	for (size_t i = 0; i < l->thread_count; i++) {
		order[i] = (uint32_t)i;
		unknown += rows.items[i].unknown_wakers;
	}
	ordered = rows.items;
	qsort(order, l->thread_count, sizeof(*order), by_time);
	size_t shown = l->thread_count < x->limit ? l->thread_count : x->limit;
	ht_emit_json(x->e, "unknown_wakers", ht_count(unknown));
	ht_emit_table(x->e, "rows", columns);
	for (size_t i = 0; i < shown; i++)
		row(x, &rows, order[i]);
	ht_emit_table_end(x->e, l->thread_count - shown);
	if (!l->switch_count)
		ht_latency_nothing(x, "no context switches: when threads were ready only waits tell", HT_CLASS_BIT(SCHED));
	else
		ht_emit_text(
		    x->e, "\np50, p99, max, time: from being ready to running, after a block; woken by: mostly\n");
	free(order);
	ht_wake_ups_release(&rows);
	return 0;
}

const struct ht_latency_view ht_latency_scheduler = {
    .name = "scheduler",
    .needs = HT_CLASS_BIT(SCHED),
    .nothing = "no context switches were seen",
    .next = "latency --view=threads",
    .rows = ROWS,
    .times = true,
    .states = true,
    .idle = HT_CHOICES_OF_STACKS | HT_CHOICE_ALLOCATORS | HT_CHOICES_OF_SIZES | HT_CHOICES_OF_NAMES,
    .show = show,
};
