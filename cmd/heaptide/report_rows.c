/*
 * report_rows: the view "sites": one row per callsite, grouped by line, function, file, module or
 * stack. Text shows the metric asked for, its share, and three numbers beside it; JSON and CSV
 * have every number.
 */
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "text.h"

enum { CHAIN = 3, MAX_STACK = 512 };

/* A row as text names it: what was grouped, then what leads there. */
static char *row_name(const struct ht_report *r, const struct ht_row *row)
{
	if (r->by == HT_BY_LINE || r->by == HT_BY_STACK ||
	    (r->by == HT_BY_FUNCTION && row->function))
		return ht_report_chain(r->a, row->node, r->by == HT_BY_FUNCTION ? 1 : CHAIN);
	if (r->by == HT_BY_FUNCTION)
		return ht_report_frame_name(row->frame);
	const char *name = r->by == HT_BY_FILE ? row->file : row->module;
	struct ht_buf b = {0};
	ht_text_clean(&b, name && *name		? name
			  : r->by == HT_BY_FILE ? "(file unknown)"
						: "(no file)");
	ht_buf_byte(&b, '\0');
	return (char *)b.data;
}

static char *row_site(const struct ht_report *r, const struct ht_row *row)
{
	if (r->by == HT_BY_FILE || r->by == HT_BY_MODULE)
		return ht_xstrdup("");
	const struct ht_frame *f = row->frame;
	return ht_report_site(row->file ? row->file : f->file, row->line, f->module);
}

static void stack_cell(const struct ht_report *r, const struct ht_row *row)
{
	static const struct ht_frame *frames[MAX_STACK];
	static struct ht_emit_frame shown[MAX_STACK];
	static char ids[MAX_STACK][2 * HT_BUILD_ID_MAX + 1];
	if (r->e->format == HT_EMIT_TEXT) {
		ht_emit_cell(r->e, ht_omit());
		return;
	}
	size_t n = ht_stacks_expand(r->a->stacks, row->node, true, frames, MAX_STACK);
	if (n > MAX_STACK)
		n = MAX_STACK;
	for (size_t i = 0; i < n; i++)
		shown[i] = ht_report_emit_frame(r->a, frames[i], ids[i]);
	ht_emit_cell(r->e, ht_frames(shown, n));
}

static void row_cells(const struct ht_report *r, size_t rank, const struct ht_row *row)
{
	struct ht_emitter *e = r->e;
	bool grouped = r->by == HT_BY_FILE || r->by == HT_BY_MODULE;
	bool unresolved = !row->function && !grouped;
	char id[2 * HT_BUILD_ID_MAX + 1];
	char *name = row_name(r, row), *site = row_site(r, row);
	ht_emit_cell(e, ht_number(rank + 1));
	ht_emit_cell(e, ht_string(name));
	ht_emit_cell(e, ht_report_metric(&row->self, r->metric));
	ht_emit_cell(e, ht_share((double)ht_counters_metric(&row->self, r->metric),
				 (double)ht_counters_metric(&r->a->totals.c, r->metric)));
	ht_emit_cell(e, ht_report_companion(&row->self, r->metric));
	ht_emit_cell(e, ht_string(site));
	free(name);
	free(site);
	ht_emit_cell(e, ht_string(row->function));
	ht_emit_cell(e, ht_string(row->file));
	ht_emit_cell(e, row->line ? ht_number(row->line) : ht_null());
	ht_emit_cell(e, ht_string(row->module && *row->module ? row->module : NULL));
	ht_emit_cell(e, ht_bool(row->inlined));
	const char *build_id =
	    unresolved ? ht_build_id_text(r->a->trace, row->frame->module_id, id) : "";
	ht_emit_cell(e, unresolved ? ht_string(*build_id ? build_id : NULL) : ht_omit());
	ht_emit_cell(e, unresolved ? ht_hex(row->frame->address) : ht_omit());
	ht_emit_cell(e, unresolved ? ht_string(row->frame->reason) : ht_omit());
	stack_cell(r, row);
	ht_emit_cell(e, ht_count(row->stacks));
	ht_report_counter_cells(e, &row->self);
	if (r->by == HT_BY_FUNCTION) {
		ht_report_counter_cells(e, &row->self);
		ht_report_counter_cells(e, &row->total);
	}
	ht_emit_row(e);
}

#define NAME_COLUMNS                                                                               \
	{.key = "function", .flags = HT_COLUMN_DATA_ONLY},                                         \
	    {.key = "file", .flags = HT_COLUMN_DATA_ONLY},                                         \
	    {.key = "line", .flags = HT_COLUMN_DATA_ONLY},                                         \
	    {.key = "module", .flags = HT_COLUMN_DATA_ONLY},                                       \
	    {.key = "inlined", .flags = HT_COLUMN_DATA_ONLY},                                      \
	    {.key = "build_id", .flags = HT_COLUMN_DATA_ONLY},                                     \
	    {.key = "address", .flags = HT_COLUMN_DATA_ONLY},                                      \
	    {.key = "unresolved", .flags = HT_COLUMN_DATA_ONLY},                                   \
	    {.key = "stack", .flags = HT_COLUMN_DATA_ONLY},                                        \
	{                                                                                          \
		.key = "stacks", .flags = HT_COLUMN_DATA_ONLY                                      \
	}

void ht_report_sites(struct ht_report *r)
{
	struct ht_column columns[] = {
	    {.key = "rank", .flags = HT_COLUMN_TEXT_ONLY, .heading = ""},
	    {.key = "name",
	     .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_FLEX,
	     .heading = "callsite"},
	    {.key = "metric",
	     .flags = HT_COLUMN_TEXT_ONLY,
	     .heading = ht_report_metric_heading(r->metric)},
	    {.key = "share", .flags = HT_COLUMN_TEXT_ONLY, .heading = "%"},
	    {.key = "companion",
	     .flags = HT_COLUMN_TEXT_ONLY,
	     .heading = ht_report_companion_heading(r->metric)},
	    {.key = "site",
	     .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_KEEP_END,
	     .heading = "site",
	     .widest = 28},
	    NAME_COLUMNS,
	    HT_COUNTER_COLUMNS(""),
	    HT_COUNTER_COLUMNS("self."),
	    HT_COUNTER_COLUMNS("total."),
	    {0}};
	struct ht_rows rows;
	if (r->by != HT_BY_FUNCTION)
		/* Without callees in it, a row has no self and total. */
		for (size_t i = 0; i < HT_ARRAY_SIZE(columns); i++)
			if (columns[i].key && !strcmp(columns[i].key, "self.allocs"))
				columns[i].key = NULL;
	static const char *const headings[] = {"callsite", "function", "file", "module", "stack"};
	columns[1].heading = headings[r->by];
	if (r->by == HT_BY_FILE || r->by == HT_BY_MODULE)
		columns[5].heading = "";
	ht_analysis_rows(r->a, r->metric, r->by == HT_BY_FUNCTION && r->e->format != HT_EMIT_TEXT,
			 &rows);
	size_t limit = ht_report_limit(r, r->e->format == HT_EMIT_TEXT ? 20 : SIZE_MAX);
	size_t shown = rows.count < limit ? rows.count : limit;
	/* Rows are sorted: what adds nothing to the metric stands last, and is left to JSON. */
	while (r->e->format == HT_EMIT_TEXT && shown &&
	       !ht_counters_metric(&rows.items[shown - 1].self, r->metric))
		shown--;
	ht_emit_table(r->e, "rows", columns);
	for (size_t i = 0; i < shown; i++)
		row_cells(r, i, &rows.items[i]);
	ht_emit_table_end(r->e, rows.count - shown);
	if (shown == limit && shown < rows.count)
		ht_emit_text(r->e, "   and %s more rows (-n 0 shows all)\n",
			     ht_text_count(rows.count - shown).s);
	if (!shown)
		ht_emit_text(r->e, "nothing matches\n");
	ht_rows_release(&rows);
}
