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
#include "recorded.h"
#include "report.h"
#include "result.h"
#include "text.h"

enum { CURVE_BUCKETS = 16 };

static const struct view {
	const char *name;
	int (*show)(struct ht_report *r, struct ht_diag *d);
	const char *next; /* what to run next; the summary says so itself */
} views[] = {
    {"summary", ht_report_summary, NULL},
    {"sites", ht_report_sites, "report --view=callers"},
    {"tree", ht_report_tree, "report --view=callers"},
    {"callers", ht_report_callers, "report --view=list"},
    {"list", ht_report_list, "report --view=callers"},
    {"sizes", ht_report_sizes, "report --view=lifetimes"},
    {"lifetimes", ht_report_lifetimes, "escape"},
    {"threads", ht_report_threads, "report --view=tree"},
    {"modules", ht_report_sites, "symbolize"},
};
static const char *const view_names[] = {"summary", "sites",	 "tree",    "callers", "list",
					 "sizes",   "lifetimes", "threads", "modules", NULL};
enum { VIEW_SUMMARY = 0, VIEW_SITES = 1, VIEW_TREE = 2, VIEW_CALLERS = 3, VIEW_LIST = 4, VIEW_SIZES = 5, VIEW_LIFETIMES = 6,
       VIEW_THREADS = 7, VIEW_MODULES = 8 };
static const char *const by_names[] = {"line", "function", "file", "module", "stack", NULL};
static const char *const metric_names[] = {"peak",   "live",	  "bytes", "allocs",
					   "leaked", "temporary", NULL};

static struct {
	int view, by, metric;
	bool view_given, by_given, metric_given;
	const char *list;
} settings;

static const struct ht_option options[] = {
    {.name = "view",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.view,
     .given = &settings.view_given,
     .choices = view_names,
     .argument = "VIEW",
     .help = "summary, sites, tree, callers, list, sizes, lifetimes, threads or modules",
     .fallback = "summary"},
    {.name = "list",
     .kind = HT_OPTION_STRING,
     .value = &settings.list,
     .argument = "RE",
     .help = "annotate the source of functions with such a name (--view=list)",
     .fallback = "the hottest function"},
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
    {0},
};
static const struct ht_option *const tables[] = {
    options,	       ht_rows_options,	  ht_result_options, ht_range_options,
    ht_moment_options, ht_filter_options, ht_symbol_options, NULL};

static int check(struct ht_diag *d)
{
	if (settings.list && settings.view_given && settings.view != VIEW_LIST)
		return ht_fail(d, HT_ERR_USAGE, "--list: cannot be combined with --view=%s", view_names[settings.view]);
	if (settings.by_given && settings.view_given &&
	    (settings.view == VIEW_LIST || settings.view == VIEW_SIZES || settings.view == VIEW_THREADS ||
	     settings.view == VIEW_MODULES))
		return ht_fail(d, HT_ERR_USAGE, "--by: the view %s has rows of its own", view_names[settings.view]);
	return ht_result_check(d);
}

/* Before the analysis: it groups while it reads. */
static void choose_view(void)
{
	/* Text shows one number, and asking for a moment asks for what was live then. Data has all of them. */
	if (ht_chosen(HT_CHOICE_AT) && !settings.metric_given && !ht_result_is_data()) {
		settings.metric = HT_METRIC_LIVE;
		settings.metric_given = true;
	}
	/* Asking for an order or a grouping asks for the rows. */
	if (!settings.view_given && settings.list)
		settings.view = VIEW_LIST;
	else if (!settings.view_given && (settings.by_given || settings.metric_given))
		settings.view = VIEW_SITES;
	if (settings.view == VIEW_MODULES)
		settings.by = HT_BY_MODULE;
	else if (!settings.by_given &&
		 (settings.view == VIEW_TREE || settings.view == VIEW_CALLERS))
		settings.by = HT_BY_FUNCTION;
}

/* Options that would change nothing in the view. */
static int refuse_idle(struct ht_diag *d)
{
	const bool sizes = settings.view == VIEW_SIZES, summary = settings.view == VIEW_SUMMARY;
	char view[64], metric[64];
	snprintf(view, sizeof(view), "--view=%s", view_names[settings.view]);
	snprintf(metric, sizeof(metric), "--metric=%s", metric_names[settings.metric]);
	int code = 0;
	if (sizes || settings.view == VIEW_THREADS) /* of all blocks */
		code = ht_choices_refuse(HT_CHOICES_OF_STACKS | HT_CHOICE_HIDE | HT_CHOICE_ALLOCATORS | HT_CHOICES_OF_SIZES |
					     HT_CHOICES_OF_NAMES, view, d);
	if (!code && sizes && settings.metric_given && settings.metric != HT_METRIC_PEAK && settings.metric != HT_METRIC_LIVE)
		code = ht_fail(d, HT_ERR_USAGE, "--metric: no effect on %s but with peak or live", view);
	if (!code && !ht_result_is_data() && (summary || settings.metric != HT_METRIC_LIVE))
		code = ht_choices_refuse(HT_CHOICE_AT, summary ? view : metric, d);
	if (!code && !ht_result_is_data() && !summary && !sizes && settings.metric != HT_METRIC_TEMPORARY)
		code = ht_choices_refuse(HT_CHOICE_TEMPORARY, metric, d);
	return code;
}

static void fill_report(struct ht_report *r)
{
	r->by = (enum ht_by)settings.by;
	r->metric = (enum ht_metric)settings.metric;
	r->metric_given = settings.metric_given;
	r->list = settings.list;
}

/* How well names could be found, module by module. */
static void emit_symbols(struct ht_emitter *e, const struct ht_analysis *a)
{
	const struct ht_symbol_quality *q = ht_stacks_quality(a->stacks);
	ht_emit_object(e, "symbols");
	ht_emit_json(e, "frames", ht_count(q->frames));
	ht_emit_json(e, "resolved", ht_count(q->resolved));
	ht_emit_array(e, "modules");
	for (size_t i = 0; i < q->module_count; i++) {
		const struct ht_module_quality *m = &q->modules[i];
		ht_emit_object(e, NULL);
		ht_emit_json(e, "path", ht_string(m->path));
		ht_emit_json(e, "kind", ht_string(ht_report_symbols_kind(m->kind)));
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
	ht_emit_json(e, "temporary_limit", ht_number(r->a->options.temporary));
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

bool ht_report_unrecorded(const struct ht_report *r)
{
	return ht_say_unrecorded(r->e, r->a->trace, HT_CLASS_BIT(ALLOC));
}

/* What keeps names from being better, and what to install or pass: once for each module. */
static void say_reasons(struct ht_emitter *e, const struct ht_analysis *a)
{
	const struct ht_symbol_quality *q = ht_stacks_quality(a->stacks);
	bool any = false;
	for (size_t i = 0; i < q->module_count; i++) {
		const struct ht_module_quality *m = &q->modules[i];
		struct ht_buf b = {0};
		if (!m->reason || !*m->reason)
			continue;
		ht_text_clean(&b, m->path);
		ht_buf_append(&b, ": ", 2);
		ht_text_clean(&b, m->reason);
		ht_buf_byte(&b, '\0');
		ht_emit_text(e, "%s%s\n", any ? "" : "\n", (char *)b.data);
		ht_buf_release(&b);
		any = true;
	}
}

static int show(struct ht_analysis *a, const char *path, struct ht_diag *d)
{
	struct ht_result result;
	struct ht_report r = {.a = a, .e = &result.e, .path = path};
	if (a->sample_bytes && settings.metric == HT_METRIC_TEMPORARY)
		return ht_fail(d, HT_ERR_USAGE, "%s: which blocks were temporary cannot be told from a sample", path);
	int code = ht_result_open(&result, "heaptide.report/1", path, d);
	if (code)
		return code;
	result.e.estimates = a->sample_bytes != 0;
	fill_report(&r);
	emit_head(&result.e, &r);
	if (a->sample_bytes && settings.view != VIEW_SUMMARY) {
		ht_say_sampled(&result.e, a);
		ht_emit_text(&result.e, "\n");
	}
	if (settings.view != VIEW_SUMMARY && ht_report_unrecorded(&r))
		ht_emit_text(&result.e, "\n");
	code = views[settings.view].show(&r, d);
	if (!code && settings.view == VIEW_MODULES)
		say_reasons(&result.e, a);
	if (code) {
		ht_output_abandon(&result.out);
		return code;
	}
	if (views[settings.view].next)
		ht_say_next(&result.e, views[settings.view].next, path);
	return ht_result_close(&result, d);
}

static int run(int argc, char **argv)
{
	struct ht_analysis_options o;
	struct ht_diag d = {0};
	(void)argc;
	if (check(&d))
		return ht_give_up(HT_ERR_USAGE, &d);
	choose_view();
	if (refuse_idle(&d))
		return ht_give_up(HT_ERR_USAGE, &d);
	ht_analysis_options_init(&o);
	o.sites = true;
	o.symbols = true;
	o.by = (enum ht_by)settings.by;
	o.lifetimes = settings.view == VIEW_LIFETIMES;
	o.series_buckets = CURVE_BUCKETS;
	return ht_reading_run(argv[0], &o, show);
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
