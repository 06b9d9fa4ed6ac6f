/*
 * report_rows: the view "sites": one row per callsite, grouped by line, function, file, module or
 * stack. Text shows the metric asked for, its share, and three numbers beside it; JSON and CSV
 * have every number.
 */
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "report.h"
#include "text.h"

static void row_cells(const struct ht_report *r, size_t rank, const struct ht_row *row)
{
	struct ht_emitter *e = r->e;
	char *name = ht_report_row_name(r, row), *site = ht_report_row_site(r, row);
	ht_emit_cell(e, ht_number(rank + 1));
	ht_emit_cell(e, ht_string(name));
	ht_emit_cell(e, ht_report_metric(&row->self, r->metric));
	ht_emit_cell(e, ht_report_spread(&row->self, r->metric));
	ht_emit_cell(e, ht_share((double)ht_counters_metric(&row->self, r->metric),
				 (double)ht_counters_metric(&r->a->totals.c, r->metric)));
	ht_emit_cell(e, ht_report_companion(&row->self, r->metric));
	ht_emit_cell(e, ht_string(site));
	free(name);
	free(site);
	ht_report_name_cells(r, row);
	ht_report_counter_cells(e, &row->self);
	if (r->by == HT_BY_FUNCTION) {
		ht_report_counter_cells(e, &row->self);
		ht_report_counter_cells(e, &row->total);
	}
	ht_emit_row(e);
}

int ht_report_sites(struct ht_report *r, struct ht_diag *d)
{
	(void)d;
	struct ht_column columns[] = {
	    {.key = "rank", .flags = HT_COLUMN_TEXT_ONLY, .heading = ""},
	    {.key = "name",
	     .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_FLEX,
	     .heading = "callsite"},
	    {.key = "metric",
	     .flags = HT_COLUMN_TEXT_ONLY,
	     .heading = ht_report_metric_heading(r->metric)},
	    {.key = "spread", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_ESTIMATE, .heading = "±"},
	    {.key = "share", .flags = HT_COLUMN_TEXT_ONLY, .heading = "%"},
	    {.key = "companion",
	     .flags = HT_COLUMN_TEXT_ONLY,
	     .heading = ht_report_companion_heading(r->metric)},
	    {.key = "site",
	     .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_KEEP_END,
	     .heading = "site",
	     .widest = 28},
	    HT_NAME_COLUMNS,
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
		columns[6].heading = "";
	ht_analysis_rows(r->a, r->metric, r->by == HT_BY_FUNCTION && r->e->format != HT_EMIT_TEXT,
			 &rows);
	size_t limit = ht_rows_limit(r->e->format == HT_EMIT_TEXT ? 20 : SIZE_MAX);
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
	return 0;
}
