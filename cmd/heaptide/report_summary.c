/*
 * report_summary: the screen that `heaptide report TRACE` shows first: what ran, how far to trust
 * it, the curves, who held the peak, who allocates, what was short-lived, what stayed; then what to
 * do next. In JSON and CSV the same command yields the rows of the view "sites" with the totals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "options.h"
#include "report.h"
#include "text.h"

enum { CURVE = 16, ROWS = 3, CHAIN = 3, WIDEST_SITE = 20 };

static void clean_text(struct ht_emitter *e, const char *before, const char *name,
		       const char *after)
{
	struct ht_buf b = {0};
	ht_text_clean(&b, name);
	ht_emit_text(e, "%s%.*s%s", before, (int)b.len, b.data ? (char *)b.data : "", after);
	ht_buf_release(&b);
}

/* --- head --------------------------------------------------------------------------------- */

static int by_pid(const void *a, const void *b)
{
	uint32_t pa = *(const uint32_t *)a, pb = *(const uint32_t *)b;
	return pa < pb ? -1 : pa > pb;
}

/* Processes other than the first image's; images that follow each other by exec share one. */
static uint32_t other_processes(const struct ht_trace *t)
{
	uint32_t n = ht_trace_image_count(t), others = 0;
	uint32_t *pids = ht_xcalloc(n, sizeof(*pids));
	for (uint32_t i = 0; i < n; i++)
		pids[i] = ht_trace_image(t, i)->pid;
	const uint32_t first = n ? pids[0] : 0;
	qsort(pids, n, sizeof(*pids), by_pid);
	for (uint32_t i = 0; i < n; i++)
		others += pids[i] != first && (i == 0 || pids[i] != pids[i - 1]);
	free(pids);
	return others;
}

/* "pid 4711 + 3 children". */
static void say_processes(struct ht_emitter *e, const struct ht_trace *t)
{
	const struct ht_image *first = ht_trace_image(t, 0);
	uint32_t others = other_processes(t);
	if (!first)
		return;
	ht_emit_text(e, " · pid %u", first->pid);
	if (others)
		ht_emit_text(e, " + %u child%s", others, others == 1 ? "" : "ren");
}

static void say_selection(struct ht_emitter *e, const struct ht_selection *s)
{
	if (s->from_ns == 0 && s->to_ns == UINT64_MAX && !s->thread && !s->process)
		return;
	ht_emit_text(e, "only ");
	if (s->from_ns || s->to_ns != UINT64_MAX)
		ht_emit_text(e, "%s to %s ", ht_text_ns(s->from_ns).s,
			     s->to_ns == UINT64_MAX ? "the end" : ht_text_ns(s->to_ns).s);
	if (s->process)
		ht_emit_text(e, "of process %u ", s->process);
	if (s->thread)
		clean_text(e, "of thread ", s->thread, " ");
	ht_emit_text(e, "is counted below");
	ht_emit_newline(e);
}

/* Rows alone are filtered, never totals: without a word that looks like an error. */
static void say_filters(struct ht_emitter *e, const struct ht_selection *s)
{
	const struct {
		const char *name;
		bool given;
	} all[] = {
	    {"--focus", s->focus},	{"--ignore", s->ignore},
	    {"--module", s->module},	{"--min-size", s->min_size != 0},
	    {"--max-size", s->max_size != UINT64_MAX}, {"--region", s->region},
	    {"--task", s->task},
	};
	bool any = false;
	for (size_t i = 0; i < HT_ARRAY_SIZE(all); i++) {
		if (all[i].given)
			ht_emit_text(e, "%s%s", any ? ", " : "", all[i].name);
		any |= all[i].given;
	}
	if (any)
		ht_emit_text(e, " choose among the rows; totals and peak are of everything\n");
}

static bool poor(const struct ht_module_quality *m)
{
	return m->kind != HT_SYMBOLS_DWARF && m->frames;
}

/* What is wrong with a module beyond having been built or installed without debug information. */
static const char *trouble(enum ht_symbols_kind kind)
{
	switch (kind) {
	case HT_SYMBOLS_MISSING:
		return " (not found)";
	case HT_SYMBOLS_MISMATCH:
		return " (another build)";
	case HT_SYMBOLS_BROKEN:
		return " (broken)";
	case HT_SYMBOLS_LIMIT:
		return " (too large)";
	default:
		return "";
	}
}

static void say_poor_modules(struct ht_emitter *e, const struct ht_symbol_quality *q, size_t count)
{
	enum { ROOM = 36 }; /* what the line has left for names */
	size_t named = 0, used = 0;
	ht_emit_text(e, " (%zu module%s without debug info: ", count, count == 1 ? "" : "s");
	for (size_t i = 0; i < q->module_count; i++) {
		if (!poor(&q->modules[i]))
			continue;
		char *name = ht_report_site(NULL, 0, q->modules[i].path),
		     *fit = ht_text_fit(name, 16, false);
		char *text =
		    ht_xasprintf("%s%s%s", named ? ", " : "", fit, trouble(q->modules[i].kind));
		used += ht_text_width(text);
		if (used <= ROOM) {
			ht_emit_text(e, "%s", text);
			named++;
		}
		free(text);
		free(fit);
		free(name);
	}
	ht_emit_text(e, "%s)", count > named ? ", …" : "");
}

static void say_symbols(struct ht_emitter *e, const struct ht_analysis *a)
{
	const struct ht_symbol_quality *q = ht_stacks_quality(a->stacks);
	size_t count = 0;
	if (!q->frames)
		return;
	ht_emit_text(e, "symbols: %s of frames",
		     ht_text_share((double)q->resolved / (double)q->frames).s);
	for (size_t i = 0; i < q->module_count; i++)
		count += poor(&q->modules[i]);
	if (count)
		say_poor_modules(e, q, count);
	ht_emit_newline(e);
}

static void say_head(struct ht_report *r)
{
	const struct ht_trace *t = r->a->trace;
	char *command = ht_fact_command(t), *fit = ht_text_fit(command, 60, false);
	ht_emit_text(r->e, "%s", fit);
	free(fit);
	free(command);
	say_processes(r->e, t);
	ht_emit_text(r->e, " · %s · %s thread%s", ht_text_ns(ht_trace_duration_ns(t)).s,
		     ht_text_count(r->a->totals.threads).s, r->a->totals.threads == 1 ? "" : "s");
	ht_emit_text(r->e, " · %s\n", ht_text_utc(ht_trace_settings(t)->start_utc_ns).s);
	ht_emit_completeness(r->e, r->a);
	ht_emit_newline(r->e);
	ht_say_sampled(r->e, r->a);
	say_symbols(r->e, r->a);
	say_selection(r->e, &r->a->options.selection);
	say_filters(r->e, &r->a->options.selection);
	ht_emit_text(r->e, "\n");
}

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
		clean_text(r->e, k ? ", " : " ", *best[k]->name ? best[k]->name : "thread", "");
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
		if (poor(&q->modules[i]) || (q->modules[i].reason && *q->modules[i].reason))
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
	clean_text(r->e, "      heaptide export --format=pprof -o heap.pb.gz ", r->path,
		   " && go tool pprof -http=: heap.pb.gz\n");
}

int ht_report_summary(struct ht_report *r, struct ht_diag *d)
{
	if (r->e->format != HT_EMIT_TEXT) {
		return ht_report_sites(r, d);
	}
	say_head(r);
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
