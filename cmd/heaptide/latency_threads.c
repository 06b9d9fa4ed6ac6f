/*
 * latency_threads: what each thread's time went for. Text puts threads together whose names differ in numbers only:
 * worker-1 and worker-2 are worker-* ×2.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "latency_views.h"
#include "text.h"

/* Kinds of blocking that get a column of their own in text, and what columns take. */
enum { OWN_PARTS = 4, ROWS = 24, SCREEN = 100, NAME_WIDTH = 20, FIXED_WIDTH = 38, PART_WIDTH = 9 };

struct sum {
	struct ht_breakdown b;
	uint64_t parts[HT_BLOCKED_PARTS];
	uint64_t voluntary, involuntary;
};

static void add_thread(const struct ht_latency *l, const struct ht_latency_thread *t, struct sum *s)
{
	struct ht_breakdown b = {0};
	ht_breakdown_add(l, t, t->start_ns, t->end_ns, &b);
	s->b.total_ns += b.total_ns;
	s->b.running_ns += b.running_ns;
	s->b.runnable_ns += b.runnable_ns;
	s->b.allocator_ns += b.allocator_ns;
	s->b.unknown_ns += b.unknown_ns;
	s->b.faults += b.faults;
	for (unsigned k = 0; k < HT_WAIT_KINDS; k++)
		s->parts[ht_blocked_part(k)] += b.blocked_ns[k];
	s->voluntary += t->voluntary;
	s->involuntary += t->involuntary;
}

/* --- data --------------------------------------------------------------------------------- */

/* What the kernel had counted then: of waits for a processor those that were over. */
static void add_up_to(const struct ht_latency_thread *t, uint64_t ns, uint64_t *ran, uint64_t *ready)
{
	for (size_t i = 0; i < t->span_count && t->spans[i].begin_ns < ns; i++) {
		const struct ht_span *s = &t->spans[i];
		if (s->state == HT_STATE_RUNNING)
			*ran += (s->end_ns < ns ? s->end_ns : ns) - s->begin_ns;
		else if (s->state == HT_STATE_RUNNABLE && s->end_ns <= ns)
			*ready += s->end_ns - s->begin_ns;
	}
}

static void data_row(const struct ht_latency_show *x, const struct ht_latency_thread *t)
{
	struct ht_emitter *e = x->e;
	const struct ht_thread_info *info = ht_trace_thread(x->l->trace, t->id);
	const struct ht_image *image = info ? ht_trace_image(x->l->trace, info->image) : NULL;
	struct sum s = {0};
	add_thread(x->l, t, &s);
	ht_emit_cell(e, ht_number(ht_latency_tid(x->l, t->id)));
	ht_emit_cell(e, ht_latency_name(x->l, t->id));
	ht_emit_cell(e, image ? ht_number(image->pid) : ht_null());
	ht_emit_cell(e, ht_ns(t->start_ns));
	ht_emit_cell(e, ht_ns(t->end_ns));
	ht_emit_cell(e, ht_ns(s.b.total_ns));
	ht_emit_cell(e, ht_ns(s.b.running_ns));
	ht_emit_cell(e, ht_ns(s.b.runnable_ns));
	for (unsigned p = 0; p < HT_BLOCKED_PARTS; p++)
		ht_emit_cell(e, ht_ns(s.parts[p]));
	ht_emit_cell(e, ht_ns(s.b.allocator_ns));
	ht_emit_cell(e, ht_ns(s.b.unknown_ns));
	ht_emit_cell(e, t->switched ? ht_count(s.voluntary) : ht_null());
	ht_emit_cell(e, t->switched ? ht_count(s.involuntary) : ht_null());
	ht_emit_cell(e, ht_count(t->wait_count));
	ht_emit_cell(e, ht_count(s.b.faults));
	ht_emit_cell(e, t->kernel_known ? ht_ns(t->kernel_running_ns) : ht_null());
	ht_emit_cell(e, t->kernel_known ? ht_ns(t->kernel_runnable_ns) : ht_null());
	ht_emit_cell(e, t->kernel_known ? ht_ns(t->kernel_time_ns) : ht_null());
	uint64_t ran = 0, ready = 0;
	add_up_to(t, t->kernel_time_ns, &ran, &ready);
	ht_emit_cell(e, t->kernel_known ? ht_ns(ran) : ht_null());
	ht_emit_cell(e, t->kernel_known ? ht_ns(ready) : ht_null());
	ht_emit_row(e);
}

static const struct ht_latency_thread **by_total(const struct ht_latency *l);

static void data(struct ht_latency_show *x)
{
	static struct ht_column columns[64];
	static const char *const before[] = {"tid",    "name",	   "pid",	 "start_ns",
					     "end_ns", "total_ns", "running_ns", "runnable_ns"};
	static const char *const after[] = {"allocator_ns",
					    "unknown_ns",
					    "switches.voluntary",
					    "switches.involuntary",
					    "waits",
					    "faults",
					    "kernel.running_ns",
					    "kernel.runnable_ns",
					    "kernel.time_ns",
					    "kernel.seen_running_ns",
					    "kernel.seen_runnable_ns"};
	static char parts[HT_BLOCKED_PARTS][32];
	size_t n = 0, shown = x->l->thread_count < x->limit ? x->l->thread_count : x->limit;
	for (size_t i = 0; i < HT_ARRAY_SIZE(before); i++)
		columns[n++] = (struct ht_column){.key = before[i]};
	for (unsigned p = 0; p < HT_BLOCKED_PARTS; p++) {
		snprintf(parts[p], sizeof(parts[p]), "blocked_ns.%s", ht_blocked_part_names[p]);
		columns[n++] = (struct ht_column){.key = parts[p]};
	}
	for (size_t i = 0; i < HT_ARRAY_SIZE(after); i++)
		columns[n++] = (struct ht_column){.key = after[i]};
	columns[n] = (struct ht_column){.key = NULL};
	const struct ht_latency_thread **order = by_total(x->l);
	ht_emit_table(x->e, "rows", columns);
	for (size_t i = 0; i < shown; i++)
		data_row(x, order[i]);
	ht_emit_table_end(x->e, x->l->thread_count - shown);
	free(order);
}

/* --- order -------------------------------------------------------------------------------- */

static uint64_t total(const struct ht_latency_thread *t)
{
	return t->end_ns - t->start_ns;
}

static int longest_first(const void *pa, const void *pb)
{
	const struct ht_latency_thread *a = *(const struct ht_latency_thread *const *)pa,
				       *b = *(const struct ht_latency_thread *const *)pb;
	if (total(a) != total(b))
		return total(a) > total(b) ? -1 : 1;
	return (a->id > b->id) - (a->id < b->id);
}

static const struct ht_latency_thread **by_total(const struct ht_latency *l)
{
	const struct ht_latency_thread **order = ht_xcalloc(l->thread_count + 1, sizeof(*order));
	for (size_t i = 0; i < l->thread_count; i++)
		order[i] = &l->threads[i];
	qsort(order, l->thread_count, sizeof(*order), longest_first);
	return order;
}

/* --- groups ------------------------------------------------------------------------------- */

struct group {
	char *pattern; /* heap */
	const struct ht_latency_thread *first;
	size_t threads;
	struct sum sum;
};

/* "worker-12" is "worker-*". */
static char *pattern_of(const struct ht_latency *l, const struct ht_latency_thread *t)
{
	struct ht_buf b = {0}, clean = {0};
	ht_text_clean(&clean, ht_latency_thread_name(l, t->id));
	for (size_t i = 0; i < clean.len; i++) {
		if (!isdigit(clean.data[i]))
			ht_buf_byte(&b, clean.data[i]);
		else if (!i || !isdigit(clean.data[i - 1]))
			ht_buf_byte(&b, '*');
	}
	ht_buf_byte(&b, '\0');
	ht_buf_release(&clean);
	return (char *)b.data;
}

static int by_pattern(const void *pa, const void *pb)
{
	const struct group *a = pa, *b = pb;
	int order = strcmp(a->pattern, b->pattern);
	return order ? order : (a->first->id > b->first->id) - (a->first->id < b->first->id);
}

static int by_group_total(const void *pa, const void *pb)
{
	const struct group *a = pa, *b = pb;
	if (a->sum.b.total_ns != b->sum.b.total_ns)
		return a->sum.b.total_ns > b->sum.b.total_ns ? -1 : 1;
	return strcmp(a->pattern, b->pattern);
}

static struct group *make_groups(const struct ht_latency *l, size_t *count)
{
	struct group *g = ht_xcalloc(l->thread_count + 1, sizeof(*g));
	size_t n = 0;
	for (size_t i = 0; i < l->thread_count; i++)
		g[i] = (struct group){.pattern = pattern_of(l, &l->threads[i]), .first = &l->threads[i]};
	qsort(g, l->thread_count, sizeof(*g), by_pattern);
	for (size_t i = 0; i < l->thread_count; i++) {
		bool same = n && !strcmp(g[n - 1].pattern, g[i].pattern);
		const struct ht_latency_thread *t = g[i].first;
		if (same)
			free(g[i].pattern);
		else
			g[n++] = g[i];
		g[n - 1].threads++;
		add_thread(l, t, &g[n - 1].sum);
	}
	qsort(g, n, sizeof(*g), by_group_total);
	*count = n;
	return g;
}

/* --- text --------------------------------------------------------------------------------- */

struct layout {
	unsigned own[OWN_PARTS]; /* parts with a column, in the order of the contract */
	unsigned own_count;
	bool rest, allocator, unknown;
	struct ht_column columns[OWN_PARTS + 10];
};

/* A block of a nanosecond is what is left where a thread was ready nearly at once: no column is made for such. */
static bool occurs(uint64_t ns)
{
	return ns >= 1000;
}

/* The parts that have most time get a column; what is left of them is one more. */
static void choose_parts(struct layout *y, const struct sum *all, size_t name_width)
{
	bool own[HT_BLOCKED_PARTS] = {false};
	unsigned occurring = 0;
	for (unsigned p = 0; p < HT_BLOCKED_PARTS; p++)
		occurring += occurs(all->parts[p]);
	y->allocator = occurs(all->b.allocator_ns);
	y->unknown = occurs(all->b.unknown_ns);
	unsigned room = (unsigned)(SCREEN - FIXED_WIDTH - name_width) / PART_WIDTH - y->allocator - y->unknown;
	room -= occurring > room || occurring > OWN_PARTS;
	for (unsigned n = 0; n < OWN_PARTS && n < room; n++) {
		unsigned best = HT_BLOCKED_PARTS;
		for (unsigned p = 0; p < HT_BLOCKED_PARTS; p++)
			if (!own[p] && occurs(all->parts[p]) && (best == HT_BLOCKED_PARTS || all->parts[p] > all->parts[best]))
				best = p;
		if (best < HT_BLOCKED_PARTS)
			own[best] = true;
	}
	for (unsigned p = 0; p < HT_BLOCKED_PARTS; p++) {
		if (own[p])
			y->own[y->own_count++] = p;
		else
			y->rest |= occurs(all->parts[p]);
	}
}

static void make_columns(struct layout *y)
{
	size_t n = 0;
	y->columns[n++] =
	    (struct ht_column){.key = "thread", .heading = "thread", .flags = HT_COLUMN_LEFT, .widest = NAME_WIDTH};
	y->columns[n++] = (struct ht_column){.key = "total", .heading = "total"};
	y->columns[n++] = (struct ht_column){.key = "running", .heading = "running"};
	y->columns[n++] = (struct ht_column){.key = "runnable", .heading = "runnable"};
	for (unsigned i = 0; i < y->own_count; i++)
		y->columns[n++] = (struct ht_column){.key = "part", .heading = ht_blocked_part_names[y->own[i]]};
	if (y->rest)
		y->columns[n++] = (struct ht_column){.key = "rest", .heading = "rest"};
	if (y->allocator)
		y->columns[n++] = (struct ht_column){.key = "allocator", .heading = "alloc"};
	if (y->unknown)
		y->columns[n++] = (struct ht_column){.key = "unknown", .heading = "unknown"};
	y->columns[n++] = (struct ht_column){.key = "switches", .heading = "switches"};
	y->columns[n] = (struct ht_column){.key = NULL};
}

static struct ht_value some_ns(uint64_t ns)
{
	return occurs(ns) ? ht_ns(ns) : ht_null();
}

static char *group_name(const struct ht_latency *l, const struct group *g)
{
	return g->threads > 1 ? ht_xasprintf("%s ×%zu", g->pattern, g->threads)
			      : ht_xstrdup(ht_latency_thread_name(l, g->first->id));
}

static size_t name_width(const struct ht_latency *l, const struct group *groups, size_t count)
{
	size_t most = 0;
	for (size_t i = 0; i < count && most < NAME_WIDTH; i++) {
		char *name = group_name(l, &groups[i]);
		size_t width = ht_text_width(name);
		most = width > most ? width : most;
		free(name);
	}
	return most < NAME_WIDTH ? most : NAME_WIDTH;
}

static void text_row(struct ht_emitter *e, const struct layout *y, const struct ht_latency *l, const struct group *g)
{
	uint64_t rest = 0;
	char *name = group_name(l, g);
	ht_emit_cell(e, ht_string(name));
	ht_emit_cell(e, ht_ns(g->sum.b.total_ns));
	ht_emit_cell(e, some_ns(g->sum.b.running_ns));
	ht_emit_cell(e, some_ns(g->sum.b.runnable_ns));
	for (unsigned p = 0; p < HT_BLOCKED_PARTS; p++)
		rest += g->sum.parts[p];
	for (unsigned i = 0; i < y->own_count; i++) {
		ht_emit_cell(e, some_ns(g->sum.parts[y->own[i]]));
		rest -= g->sum.parts[y->own[i]];
	}
	if (y->rest)
		ht_emit_cell(e, some_ns(rest));
	if (y->allocator)
		ht_emit_cell(e, some_ns(g->sum.b.allocator_ns));
	if (y->unknown)
		ht_emit_cell(e, some_ns(g->sum.b.unknown_ns));
	ht_emit_cell(e, g->first->switched ? ht_count(g->sum.voluntary + g->sum.involuntary) : ht_null());
	ht_emit_row(e);
	free(name);
}

/* --- the view ----------------------------------------------------------------------------- */

static int show(struct ht_latency_show *x, struct ht_diag *d)
{
	struct layout y = {.own_count = 0};
	struct sum all = {0};
	size_t count;
	(void)d;
	if (x->e->format != HT_EMIT_TEXT) {
		data(x);
		return 0;
	}
	struct group *g = make_groups(x->l, &count);
	for (size_t i = 0; i < x->l->thread_count; i++)
		add_thread(x->l, &x->l->threads[i], &all);
	size_t shown = count < x->limit ? count : x->limit;
	choose_parts(&y, &all, name_width(x->l, g, shown));
	make_columns(&y);
	ht_emit_table(x->e, "rows", y.columns);
	for (size_t i = 0; i < shown; i++)
		text_row(x->e, &y, x->l, &g[i]);
	ht_emit_table_end(x->e, count - shown);
	if (x->l->thread_count)
		ht_latency_say_worst(x);
	ht_say_unrecorded(x->e, x->a->trace, HT_CLASSES_OF_STATES);
	for (size_t i = 0; i < count; i++)
		free(g[i].pattern);
	free(g);
	return 0;
}

const struct ht_latency_view ht_latency_threads = {
    .name = "threads",
    .needs = HT_CLASSES_OF_STATES,
    .nothing = "nothing waited",
    .next = "latency --view=blocking",
    .rows = ROWS,
    .times = true,
    .states = true,
    .idle = HT_CHOICES_OF_STACKS | HT_CHOICE_ALLOCATORS | HT_CHOICES_OF_SIZES | HT_CHOICES_OF_NAMES,
    .show = show,
};
