/*
 * report: what a trace says, for people: the summary screen, and views of it. A view is a line in
 * the table below; its rendering stands in report_*.c, its numbers come from lib/analyze.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "facts.h"
#include "reading.h"
#include "report.h"

enum { CURVE_BUCKETS = 20 };

static const struct view {
	const char *name;
	void (*show)(struct ht_report *r);
} views[] = {
    {"summary", ht_report_summary},	{"sites", ht_report_sites},	{"tree", ht_report_tree},
    {"callers", ht_report_callers},	{"threads", ht_report_threads}, {"sizes", ht_report_sizes},
    {"lifetimes", ht_report_lifetimes}, {"modules", ht_report_sites},
};
static const char *const view_names[] = {"summary", "sites",	 "tree",    "callers", "threads",
					 "sizes",   "lifetimes", "modules", NULL};
enum { VIEW_SITES = 1, VIEW_TREE = 2, VIEW_CALLERS = 3, VIEW_MODULES = 7 };
static const char *const by_names[] = {"line", "function", "file", "module", "stack", NULL};
static const char *const metric_names[] = {"peak",   "live",	  "bytes", "allocs",
					   "leaked", "temporary", NULL};

static struct {
	int view, by, metric;
	bool view_given, by_given, metric_given, limit_given, json, csv;
	uint64_t limit, temporary;
	const char *output;
} settings = {.temporary = 1};

static const struct ht_option options[] = {
    {.name = "view",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.view,
     .given = &settings.view_given,
     .choices = view_names,
     .argument = "VIEW",
     .help = "summary, sites, tree, callers, threads, sizes, lifetimes or modules",
     .fallback = "summary"},
    {.name = "by",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.by,
     .given = &settings.by_given,
     .choices = by_names,
     .argument = "WHAT",
     .help = "what makes a row: line, function, file, module or stack",
     .fallback = "line, in trees function"},
    {.name = "metric",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.metric,
     .given = &settings.metric_given,
     .choices = metric_names,
     .argument = "NUMBER",
     .help = "order of rows: peak, live, bytes, allocs, leaked or temporary",
     .fallback = "peak"},
    {.name = "limit",
     .letter = 'n',
     .kind = HT_OPTION_NUMBER,
     .value = &settings.limit,
     .given = &settings.limit_given,
     .argument = "N",
     .help = "rows shown; 0: all; the default depends on the view, JSON and CSV have all"},
    {.name = "temporary",
     .kind = HT_OPTION_NUMBER,
     .value = &settings.temporary,
     .argument = "N",
     .help = "temporary: freed after at most N other allocations of its thread",
     .fallback = "1"},
    {.name = "json", .kind = HT_OPTION_FLAG, .value = &settings.json, .help = "print JSON"},
    {.name = "csv",
     .kind = HT_OPTION_FLAG,
     .value = &settings.csv,
     .help = "print the rows as CSV"},
    {.name = "output",
     .letter = 'o',
     .kind = HT_OPTION_STRING,
     .value = &settings.output,
     .argument = "FILE",
     .help = "write to FILE instead of standard output"},
    {0},
};
static const struct ht_option *const tables[] = {
    options, ht_range_options, ht_moment_options, ht_filter_options, ht_symbol_options, NULL};

/* Before the analysis: it groups while it reads. */
static void choose_view(void)
{
	/* Asking for an order or a grouping asks for the rows. */
	if (!settings.view_given && (settings.by_given || settings.metric_given))
		settings.view = VIEW_SITES;
	if (settings.view == VIEW_MODULES)
		settings.by = HT_BY_MODULE;
	else if (!settings.by_given &&
		 (settings.view == VIEW_TREE || settings.view == VIEW_CALLERS))
		settings.by = HT_BY_FUNCTION;
}

static void fill_report(struct ht_report *r)
{
	r->by = (enum ht_by)settings.by;
	r->metric = (enum ht_metric)settings.metric;
	r->limit = settings.limit;
	r->limit_given = settings.limit_given;
}

/* How well names could be found, module by module. */
static void emit_symbols(struct ht_emitter *e, const struct ht_analysis *a)
{
	static const char *const kinds[] = {
	    [HT_SYMBOLS_DWARF] = "dwarf",     [HT_SYMBOLS_SYMTAB] = "symtab",
	    [HT_SYMBOLS_DYNSYM] = "dynsym",   [HT_SYMBOLS_NONE] = "none",
	    [HT_SYMBOLS_MISSING] = "missing", [HT_SYMBOLS_MISMATCH] = "mismatch",
	    [HT_SYMBOLS_BROKEN] = "broken",   [HT_SYMBOLS_LIMIT] = "limit",
	};
	const struct ht_symbol_quality *q = ht_stacks_quality(a->stacks);
	ht_emit_object(e, "symbols");
	ht_emit_json(e, "frames", ht_count(q->frames));
	ht_emit_json(e, "resolved", ht_count(q->resolved));
	ht_emit_array(e, "modules");
	for (size_t i = 0; i < q->module_count; i++) {
		const struct ht_module_quality *m = &q->modules[i];
		ht_emit_object(e, NULL);
		ht_emit_json(e, "path", ht_string(m->path));
		ht_emit_json(e, "kind",
			     ht_string(m->kind < HT_ARRAY_SIZE(kinds) ? kinds[m->kind] : NULL));
		ht_emit_json(e, "reason", ht_string(m->reason && *m->reason ? m->reason : NULL));
		ht_emit_json(e, "frames", ht_count(m->frames));
		ht_emit_json(e, "resolved", ht_count(m->resolved));
		ht_emit_close(e);
	}
	ht_emit_close(e);
	ht_emit_close(e);
}

static void emit_head(struct ht_emitter *e, const struct ht_report *r)
{
	const struct ht_trace *t = r->a->trace;
	const struct ht_words all = ht_fact_words(t);
	struct ht_words words = all;
	const char *word;
	ht_emit_json(e, "view", ht_string(view_names[settings.view]));
	ht_emit_json(e, "by", ht_string(by_names[settings.by]));
	ht_emit_json(e, "metric", ht_string(metric_names[settings.metric]));
	ht_emit_json(e, "temporary_limit", ht_number(settings.temporary));
	ht_emit_array(e, "command");
	while (ht_words_next(&words, &word))
		ht_emit_json(e, NULL, ht_string(word));
	ht_emit_close(e);
	ht_emit_object(e, "totals");
	ht_emit_json(e, "complete", ht_bool(ht_fact_complete(t)));
	ht_emit_json(e, "verdict", ht_string(ht_fact_verdict(t)));
	ht_emit_json(e, "duration_ns", ht_ns(ht_trace_duration_ns(t)));
	ht_emit_json(e, "threads", ht_count(r->a->totals.threads));
	ht_emit_totals(e, r->a);
	ht_emit_close(e);
	emit_symbols(e, r->a);
}

static int render(struct ht_analysis *a, const char *path, struct ht_diag *d)
{
	struct ht_output out;
	struct ht_emitter e;
	struct ht_report r = {.a = a, .e = &e, .path = path};
	int code = ht_output_open(&out, settings.output, path, d);
	if (code)
		return code;
	fill_report(&r);
	ht_emit_begin(&e,
		      settings.json  ? HT_EMIT_JSON
		      : settings.csv ? HT_EMIT_CSV
				     : HT_EMIT_TEXT,
		      &out, "heaptide.report/1");
	emit_head(&e, &r);
	views[settings.view].show(&r);
	ht_emit_end(&e);
	return ht_output_close(&out, d);
}

static int run(int argc, char **argv)
{
	struct ht_trace *t;
	struct ht_analysis *a = NULL;
	struct ht_analysis_options o;
	struct ht_diag d = {0};
	(void)argc;
	if (settings.json && settings.csv) {
		ht_fail(&d, HT_ERR_USAGE, "--csv: cannot be combined with --json");
		return ht_give_up(HT_ERR_USAGE, &d);
	}
	choose_view();
	int status = ht_reading_open(&t, argv[0]);
	if (status)
		return status;
	ht_analysis_options_init(&o);
	o.sites = true;
	o.symbols = true;
	o.by = (enum ht_by)settings.by;
	o.temporary = settings.temporary;
	o.series_buckets = CURVE_BUCKETS;
	int r = ht_reading_options(t, &o, &d);
	status = r ? ht_give_up(r, &d) : ht_reading_analyze(&a, t, &o);
	if (!status) {
		r = render(a, argv[0], &d);
		status = r ? ht_give_up(r, &d) : ht_reading_status(t);
		ht_analysis_free(a);
	}
	ht_trace_close(t);
	return status;
}

const struct ht_command ht_cmd_report = {
    .name = "report",
    .purpose = HT_PURPOSE_READ,
    .arguments = "TRACE",
    .summary = "show where the memory went",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
