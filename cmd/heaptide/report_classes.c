/*
 * report_classes: the views "threads" and "sizes": small tables whose rows are there anyway after the
 * one read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "report.h"
#include "text.h"

void ht_report_bar(char *out, size_t size, double share)
{
	static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	int n = share > 0 ? (int)(share * HT_REPORT_BAR * 8 + 0.5) : 0;
	size_t at = 0;
	out[0] = '\0';
	if (n > HT_REPORT_BAR * 8)
		n = HT_REPORT_BAR * 8;
	for (; n >= 8; n -= 8)
		at += (size_t)snprintf(out + at, size - at, "█");
	snprintf(out + at, size - at, "%s", eighths[n]);
}

/* --- threads ------------------------------------------------------------------------------ */

static enum ht_metric thread_metric;

static int by_thread_metric(const void *pa, const void *pb)
{
	const struct ht_thread_totals *a = *(const struct ht_thread_totals *const *)pa;
	const struct ht_thread_totals *b = *(const struct ht_thread_totals *const *)pb;
	uint64_t ma = ht_counters_metric(&a->c, thread_metric),
		 mb = ht_counters_metric(&b->c, thread_metric);
	if (ma != mb)
		return ma < mb ? 1 : -1;
	int names = strcmp(a->name, b->name);
	return names ? names : a->thread < b->thread ? -1 : a->thread > b->thread;
}

static const struct ht_thread_totals **sorted_threads(const struct ht_analysis *a, enum ht_metric m,
						      size_t *count)
{
	const struct ht_thread_totals **list = ht_xcalloc(a->thread_count, sizeof(*list));
	*count = 0;
	for (size_t i = 0; i < a->thread_count; i++)
		if (a->threads[i].selected)
			list[(*count)++] = &a->threads[i];
	thread_metric = m;
	qsort(list, *count, sizeof(*list), by_thread_metric);
	return list;
}

int ht_report_threads(struct ht_report *r, struct ht_diag *d)
{
	(void)d;
	const struct ht_column columns[] = {
	    {.key = "tid", .heading = "tid"},
	    {.key = "pid", .heading = "pid"},
	    {.key = "name", .heading = "thread", .flags = HT_COLUMN_LEFT | HT_COLUMN_FLEX},
	    {.key = "t_allocs", .heading = "allocations", .flags = HT_COLUMN_TEXT_ONLY},
	    {.key = "t_bytes", .heading = "bytes", .flags = HT_COLUMN_TEXT_ONLY},
	    {.key = "t_peak", .heading = "at peak", .flags = HT_COLUMN_TEXT_ONLY},
	    {.key = "t_leaked", .heading = "not freed", .flags = HT_COLUMN_TEXT_ONLY},
	    {.key = "spread",
	     .heading = ht_report_spread_heading(r->metric),
	     .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "freed_foreign", .heading = "freed of others"},
	    HT_COUNTER_COLUMNS(""),
	    {0}};
	size_t count;
	const struct ht_thread_totals **list = sorted_threads(r->a, r->metric, &count);
	size_t limit = ht_rows_limit(r->e->format == HT_EMIT_TEXT ? 40 : SIZE_MAX), shown = count < limit ? count : limit;
	ht_emit_table(r->e, "rows", columns);
	for (size_t i = 0; i < shown; i++) {
		const struct ht_thread_totals *t = list[i];
		const struct ht_image *image = ht_trace_image(r->a->trace, t->image);
		ht_emit_cell(r->e, ht_number(t->tid));
		ht_emit_cell(r->e, image ? ht_number(image->pid) : ht_null());
		ht_emit_cell(r->e, ht_string(*t->name ? t->name : NULL));
		ht_emit_cell(r->e, ht_count(t->c.allocs));
		ht_emit_cell(r->e, ht_bytes(t->c.bytes));
		ht_emit_cell(r->e, ht_bytes(t->c.peak_bytes));
		ht_emit_cell(r->e, ht_bytes(t->c.leaked_bytes));
		ht_emit_cell(r->e, ht_report_spread(&t->c, r->metric));
		ht_emit_cell(r->e, ht_count(t->freed_foreign));
		ht_report_counter_cells(r->e, &t->c);
		ht_emit_row(r->e);
	}
	ht_emit_table_end(r->e, count - shown);
	if (shown < count)
		ht_emit_text(r->e, "and %s more threads (-n 0 shows all)\n",
			     ht_text_count(count - shown).s);
	free(list);
	return 0;
}

/* --- sizes -------------------------------------------------------------------------------- */

/* "64 – 127 B" up to 1 KB, beyond in powers: "64 KB – 128 KB". */
static void size_range(char *out, size_t n, const struct ht_size_class *c)
{
	if (c->min == c->max)
		snprintf(out, n, "%s", ht_text_bytes(c->min).s);
	else if (c->max < 1024)
		snprintf(out, n, "%llu – %s", (unsigned long long)c->min, ht_text_bytes(c->max).s);
	else
		snprintf(out, n, "%s – %s", ht_text_bytes(c->min).s, ht_text_bytes(c->max).s);
}

/* What a class may be off by, as a share of its bytes and in numbers. */
static void size_spread_cells(struct ht_emitter *e, const struct ht_size_class *k)
{
	static const enum ht_spread_of of[] = {
	    HT_SPREAD_ALLOCS,	  HT_SPREAD_BYTES,	  HT_SPREAD_LIVE_OBJECTS,
	    HT_SPREAD_LIVE_BYTES, HT_SPREAD_PEAK_OBJECTS, HT_SPREAD_PEAK_BYTES};
	const struct ht_counters c = {.bytes = k->bytes, .spread = k->spread};
	ht_emit_cell(e, ht_report_spread(&c, HT_METRIC_BYTES));
	for (size_t i = 0; i < HT_ARRAY_SIZE(of); i++)
		ht_emit_cell(e, ht_real(ht_counters_stderr(&c, of[i])));
}

int ht_report_sizes(struct ht_report *r, struct ht_diag *d)
{
	(void)d;
	const bool live = r->metric == HT_METRIC_LIVE;
	const struct ht_column columns[] = {
	    {.key = "range", .heading = "requested", .flags = HT_COLUMN_TEXT_ONLY},
	    {.key = "min", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "max", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "allocs", .heading = "allocations"},
	    {.key = "share", .heading = "%", .flags = HT_COLUMN_TEXT_ONLY},
	    {.key = "bytes", .heading = "bytes"},
	    {.key = "live_objects", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "live_bytes", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "peak_objects", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "peak_bytes", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "snapshot",
	     .heading = ht_report_metric_heading(live ? HT_METRIC_LIVE : HT_METRIC_PEAK),
	     .flags = HT_COLUMN_TEXT_ONLY},
	    {.key = "spread",
	     .heading = ht_report_spread_heading(HT_METRIC_BYTES),
	     .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "allocs_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "live_objects_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "live_bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "peak_objects_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "peak_bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "temporary", .heading = "temporary"},
	    {.key = "bar", .heading = "", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT},
	    {0}};
	char range[100], bars[4 * HT_REPORT_BAR + 8];
	uint64_t most = 0;
	for (size_t i = 0; i < HT_SIZE_CLASSES; i++)
		if (r->a->sizes[i].allocs > most)
			most = r->a->sizes[i].allocs;
	size_t limit = ht_rows_limit(SIZE_MAX), count = 0;
	ht_emit_table(r->e, "rows", columns);
	for (size_t i = 0; i < HT_SIZE_CLASSES; i++) {
		const struct ht_size_class *c = &r->a->sizes[i];
		if (!c->allocs || count++ >= limit)
			continue;
		size_range(range, sizeof(range), c);
		ht_report_bar(bars, sizeof(bars), (double)c->allocs / (double)most);
		ht_emit_cell(r->e, ht_string(range));
		ht_emit_cell(r->e, ht_bytes(c->min));
		ht_emit_cell(r->e, ht_bytes(c->max));
		ht_emit_cell(r->e, ht_count(c->allocs));
		ht_emit_cell(r->e, ht_share((double)c->allocs, (double)r->a->totals.c.allocs));
		ht_emit_cell(r->e, ht_bytes(c->bytes));
		ht_emit_cell(r->e, ht_count(c->live_objects));
		ht_emit_cell(r->e, ht_bytes(c->live_bytes));
		ht_emit_cell(r->e, ht_count(c->peak_objects));
		ht_emit_cell(r->e, ht_bytes(c->peak_bytes));
		ht_emit_cell(r->e, ht_bytes(live ? c->live_bytes : c->peak_bytes));
		size_spread_cells(r->e, c);
		ht_emit_cell(r->e, r->a->sample_bytes ? ht_null() : ht_count(c->temporary));
		ht_emit_cell(r->e, ht_string(bars));
		ht_emit_row(r->e);
	}
	ht_emit_table_end(r->e, count > limit ? count - limit : 0);
	if (count > limit)
		ht_emit_text(r->e, "and %s more sizes (-n 0 shows all)\n", ht_text_count(count - limit).s);
	return 0;
}
