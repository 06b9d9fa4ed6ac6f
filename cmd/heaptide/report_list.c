/*
 * report_list: the view "list": the source of chosen functions, with what each line allocated
 * beside it. Text shows the lines that allocate and a few around them; JSON and CSV have the
 * former, a row each.
 */
#include <stdlib.h>
#include <string.h>

#include "listing.h"
#include "options.h"
#include "report.h"
#include "source_text.h"
#include "text.h"

enum { AROUND = 3, FUNCTIONS = 5, TAB = 4 };

/* --- which functions ---------------------------------------------------------------------- */

/* An expression for exactly this name. */
static char *quoted(const char *name)
{
	struct ht_buf b = {0};
	ht_buf_byte(&b, '^');
	for (; *name; name++) {
		if (strchr("^.[]$()|*+?{}\\", *name))
			ht_buf_byte(&b, '\\');
		ht_buf_byte(&b, (uint8_t)*name);
	}
	ht_buf_append(&b, "$", 2);
	return (char *)b.data;
}

char *ht_report_hottest(const struct ht_report *r)
{
	struct ht_rows rows;
	char *name = NULL;
	ht_analysis_rows(r->a, r->metric, false, &rows);
	for (size_t i = 0; i < rows.count && !name; i++) {
		const char *function =
		    ht_stacks_callsite(r->a->stacks, rows.items[i].node)->function;
		name = function ? ht_xstrdup(function) : NULL;
	}
	ht_rows_release(&rows);
	return name;
}

/* --- data --------------------------------------------------------------------------------- */

static void data_row(struct ht_report *r, const struct ht_listed_function *f,
		     const struct ht_listed_line *line, const struct ht_source_file *source)
{
	struct ht_emitter *e = r->e;
	ht_emit_cell(e, ht_string(f->name));
	ht_emit_cell(e, ht_string(f->file));
	ht_emit_cell(e, line->line ? ht_number(line->line) : ht_null());
	ht_emit_cell(e, ht_string(f->module && *f->module ? f->module : NULL));
	ht_emit_cell(e, ht_bool(f->inlined));
	ht_emit_cell(e, ht_string(ht_source_line(source, line->line)));
	ht_report_counter_cells(e, &line->self);
	ht_report_counter_cells(e, &line->self);
	ht_report_counter_cells(e, &line->total);
	ht_emit_row(e);
}

static void show_data(struct ht_report *r, const struct ht_listing *l, size_t shown,
		      struct ht_sources *sources)
{
	static const struct ht_column columns[] = {{.key = "function"},
						   {.key = "file"},
						   {.key = "line"},
						   {.key = "module"},
						   {.key = "inlined"},
						   {.key = "source"},
						   HT_COUNTER_COLUMNS(""),
						   HT_COUNTER_COLUMNS("self."),
						   HT_COUNTER_COLUMNS("total."),
						   {0}};
	size_t left_out = 0;
	ht_emit_table(r->e, "rows", columns);
	for (size_t i = 0; i < l->count; i++) {
		const struct ht_listed_function *f = &l->items[i];
		const struct ht_source_file *source =
		    f->file ? ht_source_file(sources, f->file) : NULL;
		for (size_t k = 0; k < f->line_count && i < shown; k++)
			data_row(r, f, &f->lines[k], source);
		left_out += i < shown ? 0 : f->line_count;
	}
	ht_emit_table_end(r->e, left_out);
	ht_emit_array(r->e, "missing_sources");
	for (size_t i = 0; i < sources->count; i++)
		if (!sources->files[i].found)
			ht_emit_json(r->e, NULL, ht_string(sources->files[i].path));
	ht_emit_close(r->e);
}

/* --- text --------------------------------------------------------------------------------- */

static void line_cells(struct ht_report *r, const struct ht_listed_line *hit, uint32_t number,
		       const char *source)
{
	const struct ht_counters *c = hit ? &hit->total : NULL;
	bool called = hit && !hit->self.allocs;
	ht_emit_cell(r->e, c ? ht_count(c->allocs) : ht_omit());
	ht_emit_cell(r->e, c ? ht_bytes(c->bytes) : ht_omit());
	ht_emit_cell(r->e, c ? ht_bytes(c->peak_bytes) : ht_omit());
	ht_emit_cell(r->e, c ? ht_bytes(c->leaked_bytes) : ht_omit());
	ht_emit_cell(r->e, c ? ht_report_spread(c, r->metric) : ht_omit());
	ht_emit_cell(r->e, called ? ht_string("→") : ht_omit());
	ht_emit_cell(r->e, number ? ht_number(number) : hit ? ht_null() : ht_omit());
	struct ht_buf b = {0};
	for (; source && *source; source++)
		if (*source == '\t')
			ht_buf_printf(&b, "%*s", (int)(TAB - b.len % TAB), "");
		else
			ht_buf_byte(&b, (uint8_t)*source);
	ht_buf_byte(&b, '\0');
	ht_emit_cell(r->e, ht_string((char *)b.data));
	ht_buf_release(&b);
	ht_emit_row(r->e);
}

/* From the function's head, if it is near, to a little after the last line that allocates. */
static void function_lines(struct ht_report *r, const struct ht_listed_function *f,
			   const struct ht_source_file *source)
{
	uint32_t next = 1; /* line to be shown next at the earliest */
	for (size_t k = 0; k < f->line_count; k++) {
		const struct ht_listed_line *hit = &f->lines[k];
		uint32_t from = hit->line > AROUND ? hit->line - AROUND : 1;
		uint32_t to = hit->line + AROUND,
			 after = k + 1 < f->line_count ? f->lines[k + 1].line : UINT32_MAX;
		bool head = !k && f->start_line && f->start_line < hit->line &&
			    hit->line - f->start_line <= 4 * AROUND;
		from = head ? f->start_line : from;
		if (!source || !source->found || !hit->line) {
			line_cells(r, hit, hit->line, NULL);
			continue;
		}
		if (k && from > next)
			line_cells(r, NULL, 0, "…");
		for (uint32_t n = from > next ? from : next; n < hit->line; n++)
			line_cells(r, NULL, n, ht_source_line(source, n));
		line_cells(r, hit, hit->line, ht_source_line(source, hit->line));
		for (next = hit->line + 1; next <= to && next < after && next <= source->line_count;
		     next++)
			line_cells(r, NULL, next, ht_source_line(source, next));
	}
}

static void show_function(struct ht_report *r, const struct ht_listed_function *f,
			  struct ht_sources *sources)
{
	const char *spread = ht_report_spread_heading(r->metric);
	const struct ht_column columns[] = {
	    {.key = "allocs", .heading = "allocs", .narrowest = 9},
	    {.key = "bytes", .heading = "bytes", .narrowest = 8},
	    {.key = "peak", .heading = "at peak", .narrowest = 8},
	    {.key = "leaked", .heading = "not freed", .narrowest = 9},
	    {.key = "spread", .flags = HT_COLUMN_ESTIMATE, .heading = spread},
	    {.key = "called", .heading = "", .narrowest = 1},
	    {.key = "line", .heading = "line", .narrowest = 5},
	    {.key = "source", .heading = "", .flags = HT_COLUMN_LEFT | HT_COLUMN_FLEX},
	    {0}};
	struct ht_buf head = {0};
	const struct ht_source_file *source = f->file ? ht_source_file(sources, f->file) : NULL;
	ht_text_clean(&head, f->name);
	ht_buf_printf(&head, "%s   ", f->inlined ? " (inlined)" : "");
	ht_text_clean(&head, f->file ? f->file : f->module && *f->module ? f->module : "");
	ht_emit_text(r->e, "%s%.*s%s\n", ht_text_bold(), (int)head.len, (char *)head.data,
		     ht_text_plain());
	ht_buf_release(&head);
	ht_emit_text(r->e, "%s %s, %s of all%s\n", ht_report_metric_heading(r->metric),
		     r->metric == HT_METRIC_ALLOCS || r->metric == HT_METRIC_TEMPORARY
			 ? ht_text_count(ht_counters_metric(&f->total, r->metric)).s
			 : ht_text_bytes(ht_counters_metric(&f->total, r->metric)).s,
		     ht_text_share((double)ht_counters_metric(&f->total, r->metric) /
				   (double)ht_counters_metric(&r->a->totals.c, r->metric))
			 .s,
		     f->self.allocs ? "" : ", by what it calls");
	ht_emit_table(r->e, "lines", columns);
	function_lines(r, f, source);
	ht_emit_table_end(r->e, UINT64_MAX);
	ht_emit_text(r->e, "\n");
}

static void show_text(struct ht_report *r, const struct ht_listing *l, size_t shown,
		      struct ht_sources *sources)
{
	bool calls = false;
	for (size_t i = 0; i < shown; i++) {
		const struct ht_listed_function *f = &l->items[i];
		show_function(r, f, sources);
		for (size_t k = 0; k < f->line_count; k++)
			calls |= !f->lines[k].self.allocs;
	}
	if (calls)
		ht_emit_text(r->e, "→ allocated by what the line calls\n");
	if (shown < l->count)
		ht_emit_text(r->e, "and %s more functions (-n 0 shows all)\n",
			     ht_text_count(l->count - shown).s);
	if (!l->count)
		ht_emit_text(r->e, "no function of that name allocates\n");
	ht_sources_say(r->e, sources);
}

int ht_report_list(struct ht_report *r, struct ht_diag *d)
{
	struct ht_listing listing;
	struct ht_sources sources = {
	    .root = r->a->options.symbolize.source_root,
	    .recorded_utc_ns = ht_trace_settings(r->a->trace)->start_utc_ns,
	    .stacks = r->a->stacks,
	};
	char *hottest = r->list ? NULL : ht_report_hottest(r);
	char *expression = r->list   ? ht_xstrdup(r->list)
			   : hottest ? quoted(hottest)
				     : ht_xstrdup("^$");
	int code = ht_analysis_listing(r->a, expression, r->metric, &listing, d);
	if (!code) {
		bool text = r->e->format == HT_EMIT_TEXT;
		size_t limit = ht_rows_limit(text ? FUNCTIONS : SIZE_MAX);
		size_t shown = listing.count < limit ? listing.count : limit;
		(text ? show_text : show_data)(r, &listing, shown, &sources);
		ht_listing_release(&listing);
	}
	ht_sources_release(&sources);
	free(expression);
	free(hottest);
	return code;
}
