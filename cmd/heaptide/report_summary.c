/*
 * report_summary: the screen that `heaptide report TRACE` shows first: what ran, how far to trust
 * it, the curves, who held the peak, who allocates, what was short-lived, what stayed; then what to
 * do next. In JSON and CSV the same command yields the rows of the view "sites" with the totals.
 */
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "options.h"
#include "report.h"
#include "text.h"

enum { CURVE = 16, ROWS = 3, CHAIN = 3, WIDEST_SITE = 20 };

/* --- curves and totals -------------------------------------------------------------------- */

static void curve(struct ht_emitter *e, const struct ht_analysis *a, bool rss)
{
	uint64_t *values = ht_xcalloc(a->series_count, sizeof(*values));
	for (size_t i = 0; i < a->series_count; i++)
		values[i] = rss ? a->series[i].rss_bytes : a->series[i].live_bytes;
	struct ht_buf b = {0};
	ht_text_sparkline(&b, values, a->series_count, CURVE);
	ht_emit_text(e, "%.*s", (int)b.len, b.data ? (char *)b.data : "");
	ht_buf_release(&b);
	free(values);
}

static double seconds(const struct ht_analysis *a)
{
	return (double)(a->totals.last_ns - a->totals.first_ns) / 1e9;
}

static void say_totals(struct ht_report *r)
{
	struct ht_emitter *e = r->e;
	const struct ht_analysis *a = r->a;
	const struct ht_counters *c = &a->totals.c;
	double s = seconds(a);
	ht_emit_text(e, "live bytes  ");
	curve(e, a, false);
	ht_emit_item(e, "peak", "peak", ht_bytes(c->peak_bytes));
	ht_say_spread(e, c, HT_SPREAD_PEAK_BYTES, c->peak_bytes);
	if (a->totals.has_peak)
		ht_emit_text(e, " at %s", ht_text_ns(a->totals.peak_time_ns).s);
	if (a->has_rss) {
		ht_emit_text(e, "      RSS  ");
		curve(e, a, true);
		ht_emit_item(e, "max_rss", "max", ht_bytes(a->max_rss_bytes));
	}
	ht_emit_newline(e);
	ht_emit_item(e, "allocations", "allocations", ht_count(c->allocs));
	ht_say_spread(e, c, HT_SPREAD_ALLOCS, c->allocs);
	if (s > 0)
		ht_emit_text(e, " (%s)", ht_text_rate((double)c->allocs / s).s);
	ht_emit_item(e, "bytes", "bytes", ht_bytes(c->bytes));
	ht_say_spread(e, c, HT_SPREAD_BYTES, c->bytes);
	ht_emit_item(e, "temporary", "temporary",
		     a->sample_bytes ? ht_null() : ht_share((double)c->temporary, (double)c->allocs));
	ht_emit_item(e, "leaked", "not freed", ht_bytes(c->leaked_bytes));
	ht_say_spread(e, c, HT_SPREAD_LEAKED_BYTES, c->leaked_bytes);
	ht_emit_text(e, " (%s)", ht_text_count(c->leaked_objects).s);
	ht_emit_newline(e);
	ht_emit_strange_frees(e, &a->totals, "odd frees   ");
}

static void say_sizes(struct ht_report *r)
{
	const struct ht_size_class *sizes = r->a->sizes;
	uint64_t counts[HT_SIZE_CLASSES];
	size_t first = HT_SIZE_CLASSES, last = 0, top = 0;
	for (size_t i = 0; i < HT_SIZE_CLASSES; i++) {
		counts[i] = sizes[i].allocs;
		if (!counts[i])
			continue;
		first = first == HT_SIZE_CLASSES ? i : first;
		last = i;
		if (counts[i] > counts[top])
			top = i;
	}
	if (first == HT_SIZE_CLASSES)
		return;
	struct ht_buf b = {0};
	ht_text_sparkline(&b, counts + first, last - first + 1, HT_SIZE_CLASSES);
	ht_emit_text(r->e, "sizes       %.*s   %s to %s", (int)b.len, (char *)b.data,
		     ht_text_bytes(sizes[first].min).s, ht_text_bytes(sizes[last].max).s);
	ht_buf_release(&b);
	ht_emit_text(r->e, ", most of %s to %s (%s)\n", ht_text_bytes(sizes[top].min).s,
		     ht_text_bytes(sizes[top].max).s,
		     ht_text_share((double)counts[top] / (double)r->a->totals.c.allocs).s);
}

static void say_threads(struct ht_report *r)
{
	const struct ht_analysis *a = r->a;
	const struct ht_thread_totals *best[ROWS] = {0};
	if (a->totals.threads < 2 || !a->totals.c.allocs)
		return;
	for (size_t i = 0; i < a->thread_count; i++) {
		const struct ht_thread_totals *t = &a->threads[i];
		for (size_t k = 0; k < ROWS && t->selected; k++) {
			if (best[k] && best[k]->c.allocs >= t->c.allocs)
				continue;
			memmove(best + k + 1, best + k, (ROWS - 1 - k) * sizeof(*best));
			best[k] = t;
			break;
		}
	}
	ht_emit_text(r->e, "threads     allocations by");
	for (size_t k = 0; k < ROWS && best[k] && best[k]->c.allocs; k++) {
		ht_emit_clean(r->e, k ? ", " : " ", *best[k]->name ? best[k]->name : "thread", "");
		ht_emit_text(
		    r->e, " (%u) %s", best[k]->tid,
		    ht_text_share((double)best[k]->c.allocs / (double)a->totals.c.allocs).s);
	}
	ht_emit_newline(r->e);
}

/* --- sections ----------------------------------------------------------------------------- */

struct section {
	enum ht_metric metric;
	const char *title, *heading, *companion;
	double per_second; /* > 0: the companion is a rate over so many seconds */
	struct ht_rows rows;
	size_t shown;
};

static char *section_site(const struct ht_row *row)
{
	return ht_report_site(row->file ? row->file : row->frame->file, row->line,
			      row->frame->module);
}

static void number_cells(struct ht_report *r, const struct section *s, const struct ht_counters *c)
{
	ht_emit_cell(r->e, ht_report_metric(c, s->metric));
	ht_emit_cell(r->e, ht_report_spread(c, s->metric));
	ht_emit_cell(r->e, ht_share((double)ht_counters_metric(c, s->metric),
				    (double)ht_counters_metric(&r->a->totals.c, s->metric)));
	if (s->per_second > 0)
		ht_emit_cell(r->e, ht_string(ht_text_rate((double)c->allocs / s->per_second).s));
	else
		ht_emit_cell(r->e, ht_report_companion(c, s->metric));
}

static void section_row(struct ht_report *r, const struct section *s, size_t i)
{
	const struct ht_row *row = &s->rows.items[i];
	char *chain = ht_report_chain(r->a, row->node, CHAIN), *site = section_site(row);
	ht_emit_cell(r->e, ht_number(i + 1));
	ht_emit_cell(r->e, ht_string(chain));
	number_cells(r, s, &row->self);
	ht_emit_cell(r->e, ht_string(site));
	ht_emit_row(r->e);
	free(chain);
	free(site);
}

/* "and 214 more sites": what the rows shown leave of the sum. */
static void rest_row(struct ht_report *r, const struct section *s)
{
	struct ht_counters rest = {0};
	size_t count = 0;
	for (size_t i = s->shown; i < s->rows.count; i++) {
		ht_counters_add(&rest, &s->rows.items[i].self);
		count += ht_counters_metric(&s->rows.items[i].self, s->metric) != 0;
	}
	if (!count)
		return;
	char *text =
	    ht_xasprintf("and %s more site%s", ht_text_count(count).s, count == 1 ? "" : "s");
	ht_emit_cell(r->e, ht_omit());
	ht_emit_cell(r->e, ht_string(text));
	number_cells(r, s, &rest);
	ht_emit_row(r->e);
	free(text);
}

static void collect_section(struct ht_report *r, struct section *s, size_t *site_width)
{
	size_t limit = ht_rows_limit(ROWS);
	if (!ht_counters_metric(&r->a->totals.c, s->metric))
		return;
	ht_analysis_rows(r->a, s->metric, false, &s->rows);
	while (s->shown < s->rows.count && s->shown < limit &&
	       ht_counters_metric(&s->rows.items[s->shown].self, s->metric)) {
		char *site = section_site(&s->rows.items[s->shown++]);
		size_t width = ht_text_width(site);
		free(site);
		if (width > *site_width)
			*site_width = width;
	}
}

/* site_width is the same in all sections, so that their columns stand below each other. */
static void show_section(struct ht_report *r, const struct section *s, size_t site_width)
{
	const unsigned site = (unsigned)(site_width < WIDEST_SITE ? site_width : WIDEST_SITE);
	const struct ht_column columns[] = {
	    {.key = "rank", .heading = "", .narrowest = 2},
	    {.key = "name", .heading = s->title, .flags = HT_COLUMN_LEFT | HT_COLUMN_FLEX},
	    {.key = "metric", .heading = s->heading, .narrowest = 9},
	    {.key = "spread", .flags = HT_COLUMN_ESTIMATE, .heading = "±", .narrowest = 6},
	    {.key = "share", .heading = "%", .narrowest = 7},
	    {.key = "companion", .heading = s->companion, .narrowest = 9},
	    {.key = "site",
	     .heading = "site",
	     .flags = HT_COLUMN_LEFT | HT_COLUMN_KEEP_END,
	     .widest = site,
	     .narrowest = site},
	    {0}};
	if (!s->shown)
		return;
	ht_emit_text(r->e, "\n");
	ht_emit_table(r->e, "section", columns);
	for (size_t i = 0; i < s->shown; i++)
		section_row(r, s, i);
	rest_row(r, s);
	ht_emit_table_end(r->e, UINT64_MAX);
}

static void show_sections(struct ht_report *r)
{
	char *temporary = ht_xasprintf("Temporary (at most %s allocation%s later)",
				       ht_text_count(r->a->options.temporary).s,
				       r->a->options.temporary == 1 ? "" : "s");
	struct section sections[] = {
	    {HT_METRIC_PEAK, "Who held the peak", "bytes", "blocks", 0, {0}, 0},
	    {HT_METRIC_ALLOCS, "Who allocates most", "calls", "per s", seconds(r->a), {0}, 0},
	    {HT_METRIC_TEMPORARY, temporary, "calls", "bytes", 0, {0}, 0},
	    {HT_METRIC_LEAKED, "Not freed at the end", "bytes", "blocks", 0, {0}, 0},
	};
	size_t site_width = 4; /* of the heading */
	for (size_t i = 0; i < HT_ARRAY_SIZE(sections); i++)
		collect_section(r, &sections[i], &site_width);
	for (size_t i = 0; i < HT_ARRAY_SIZE(sections); i++) {
		show_section(r, &sections[i], site_width);
		if (sections[i].rows.items)
			ht_rows_release(&sections[i].rows);
	}
	free(temporary);
}

static void say_next(struct ht_report *r)
{
	enum { COMMAND = 46 }; /* columns before what it is for */
	const struct {
		const char *command, *why;
	} all[] = {
	    {"report --list", "annotated source"},
	    {"report --view=callers", "who is behind each callsite"},
	    {"report --view=lifetimes", "how long blocks live, site by site"},
	    {"report --view=modules", "why names are missing, and what helps"},
	};
	const struct ht_symbol_quality *q = ht_stacks_quality(r->a->stacks);
	size_t shown = HT_ARRAY_SIZE(all) - 1;
	for (size_t i = 0; i < q->module_count; i++)
		if (ht_report_poor_symbols(&q->modules[i]) || (q->modules[i].reason && *q->modules[i].reason))
			shown = HT_ARRAY_SIZE(all);
	char *function = ht_report_hottest(r);
	bool plain = function && strspn(function, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:") ==
				     strlen(function);
	for (size_t i = 0; i < shown; i++) {
		struct ht_buf b = {0};
		/* A name that a shell or an expression would read otherwise is left out: the view finds it. */
		const char *list = i ? "" : plain ? function : "";
		ht_buf_printf(&b, "heaptide %s%s%s ", !i && !plain ? "report --view=list" : all[i].command,
			      *list ? " " : "", list);
		ht_text_clean(&b, r->path);
		ht_buf_byte(&b, '\0');
		size_t width = ht_text_width((char *)b.data);
		ht_emit_text(r->e, "%s%s%*s  %s\n", i ? "      " : "\nnext: ", (char *)b.data,
			     width < COMMAND ? (int)(COMMAND - width) : 0, "", all[i].why);
		ht_buf_release(&b);
	}
	free(function);
	ht_emit_clean(r->e, "      heaptide export --format=pprof -o heap.pb.gz ", r->path,
		      " && go tool pprof -http=: heap.pb.gz\n");
}

int ht_report_summary(struct ht_report *r, struct ht_diag *d)
{
	if (r->e->format != HT_EMIT_TEXT) {
		return ht_report_sites(r, d);
	}
	ht_report_head(r);
	if (ht_report_unrecorded(r))
		return 0;
	if (!r->a->totals.c.allocs) {
		ht_emit_text(r->e, "no allocations are in this trace%s\n",
			     ht_fact_complete(r->a->trace) ? "" : ", which is not complete");
		return 0;
	}
	say_totals(r);
	say_sizes(r);
	say_threads(r);
	show_sections(r);
	say_next(r);
	return 0;
}
