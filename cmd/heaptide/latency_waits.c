/* latency_waits: the views "blocking" and "io": waits by what was waited for and the code that waited. */
#include <stdlib.h>

#include "facts.h"
#include "latency_views.h"
#include "wait_sites.h"

enum { ROWS = 20, WAKERS = 64 };
#define NOTHING "nothing waited"
#define NOTHING_IO "no call on a descriptor waited, and nobody slept"

/* Who ended them, for a cell that is emitted at once. */
static struct ht_value wakers_of(const struct ht_latency *l, const struct ht_share *s, size_t n)
{
	enum { WIDTH = 4 };
	static struct ht_emit_field fields[WAKERS * WIDTH];
	n = n < WAKERS ? n : WAKERS;
	for (size_t i = 0; i < n; i++) {
		struct ht_emit_field *f = &fields[i * WIDTH];
		f[0] = (struct ht_emit_field){"name", ht_latency_name(l, s[i].key)};
		f[1] = (struct ht_emit_field){"tid", ht_number(ht_latency_tid(l, s[i].key))};
		f[2] = (struct ht_emit_field){"count", ht_count(s[i].count)};
		f[3] = (struct ht_emit_field){"wait_ns", ht_number(s[i].ns)};
	}
	return ht_objects(fields, WIDTH, n);
}

static struct ht_value main_waker(const struct ht_latency *l, const struct ht_share *s, size_t n)
{
	return n ? ht_string(ht_latency_thread_name(l, s[0].key)) : ht_null();
}

static void row(struct ht_latency_show *x, const struct ht_wait_sites *sites, size_t i, bool io)
{
	struct ht_emitter *e = x->e;
	const struct ht_wait_site *s = &sites->items[i];
	size_t n;
	const struct ht_share *wakers = ht_wait_site_wakers(sites, i, &n);
	ht_emit_cell(e, ht_string(io ? ht_blocked_part_names[ht_blocked_part(s->kind)] : ht_wait_kind_names[s->kind]));
	ht_latency_site_cells(x, s->node);
	ht_emit_cell(e, ht_count(s->count));
	ht_emit_cell(e, ht_ns(s->wait_ns));
	ht_emit_cell(e, ht_ns(s->blocked_ns));
	ht_emit_cell(e, ht_ns(s->runnable_ns));
	ht_emit_cell(e, ht_ns(s->wait.p50));
	ht_emit_cell(e, ht_ns(s->wait.p99));
	ht_emit_cell(e, ht_ns(s->wait.max));
	if (io)
		ht_emit_cell(e, ht_bytes(s->bytes));
	else
		ht_emit_cell(e, main_waker(x->l, wakers, n));
	ht_emit_cell(e, ht_count(s->timeouts));
	ht_emit_cell(e, ht_count(s->failed));
	ht_emit_cell(e, wakers_of(x->l, wakers, n));
	ht_emit_cell(e, ht_count(s->wakers_unknown));
	ht_emit_row(e);
}

static void rows(struct ht_latency_show *x, uint32_t kinds, const struct ht_column *columns, bool io)
{
	struct ht_wait_sites sites;
	ht_wait_sites_make(&sites, x->l, x->a->stacks, kinds);
	size_t shown = sites.count < x->limit ? sites.count : x->limit;
	if (sites.count || x->e->format != HT_EMIT_TEXT) {
		ht_emit_table(x->e, "rows", columns);
		for (size_t i = 0; i < shown; i++)
			row(x, &sites, i, io);
		ht_emit_table_end(x->e, sites.count - shown);
	}
	if (!sites.count && sites.hidden)
		ht_emit_text(x->e, "no wait is left by the filters\n");
	else if (!sites.count)
		ht_latency_nothing(x, io ? NOTHING_IO : NOTHING, io ? HT_CLASS_BIT(IO) : HT_CLASSES_OF_WAITS);
	else
		ht_emit_text(
		    x->e,
		    "\ntime: in the call; blocked: of it off the processor, until what it waited for was there\n");
	if (sites.count && !io)
		ht_say_unrecorded(x->e, x->a->trace, HT_CLASSES_OF_WAITS);
	ht_wait_sites_release(&sites);
}

#define HEAD(kind_heading)                                                                                             \
	{.key = "kind", .heading = kind_heading, .flags = HT_COLUMN_LEFT}, HT_LATENCY_SITE_COLUMNS,                    \
		{.key = "count", .heading = "waits"}, {.key = "wait_ns", .heading = "time"},                           \
		{.key = "blocked_ns", .heading = "blocked"}, {.key = "runnable_ns", .flags = HT_COLUMN_DATA_ONLY},     \
		{.key = "p50_ns", .flags = HT_COLUMN_DATA_ONLY}, {.key = "p99_ns", .heading = "p99"},                  \
	{                                                                                                              \
		.key = "max_ns", .heading = "max"                                                                      \
	}
#define TAIL                                                                                                           \
	{.key = "timeouts", .flags = HT_COLUMN_DATA_ONLY}, {.key = "failed", .flags = HT_COLUMN_DATA_ONLY},            \
		{.key = "wakers", .flags = HT_COLUMN_DATA_ONLY},                                                       \
	{                                                                                                              \
		.key = "unknown_wakers", .flags = HT_COLUMN_DATA_ONLY                                                  \
	}

static int show_blocking(struct ht_latency_show *x, struct ht_diag *d)
{
	static const struct ht_column columns[] = {
	    HEAD("for"),
	    {.key = "waker", .heading = "ended by", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT, .widest = 12},
	    TAIL,
	    {0}};
	(void)d;
	rows(x, UINT32_MAX, columns, false);
	return 0;
}

static int show_io(struct ht_latency_show *x, struct ht_diag *d)
{
	static const struct ht_column columns[] = {HEAD("on"), {.key = "bytes", .heading = "bytes"}, TAIL, {0}};
	const uint32_t kinds = 1u << HT_WAIT_SLEEP | 1u << HT_WAIT_POLL | 1u << HT_WAIT_NET | 1u << HT_WAIT_PIPE |
			       1u << HT_WAIT_DISK | 1u << HT_WAIT_OTHER;
	(void)d;
	rows(x, kinds, columns, true);
	return 0;
}

const struct ht_latency_view ht_latency_blocking = {
    .name = "blocking",
    .needs = HT_CLASSES_OF_WAITS,
    .nothing = NOTHING,
    .next = "latency --view=locks",
    .rows = ROWS,
    .times = true,
    .states = true,
    .idle = HT_CHOICE_ALLOCATORS | HT_CHOICES_OF_SIZES | HT_CHOICES_OF_NAMES,
    .show = show_blocking,
};
const struct ht_latency_view ht_latency_io = {
    .name = "io",
    .needs = HT_CLASS_BIT(IO),
    .nothing = NOTHING_IO,
    .next = "latency --view=scheduler",
    .rows = ROWS,
    .times = true,
    .states = true,
    .idle = HT_CHOICE_ALLOCATORS | HT_CHOICES_OF_SIZES | HT_CHOICES_OF_NAMES,
    .show = show_io,
};
