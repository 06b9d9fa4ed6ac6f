/*
 * diff: what changed between two builds. Reads any number of runs a side, lets lib/compare match them, shows the rows, and
 * with --fail-on turns a change into an exit status.
 */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "delta_profile.h"
#include "diff.h"
#include "pprof.h"
#include "result.h"

static const char *const by_names[] = {"function", "line", "file", "module", "stack", NULL};

static struct {
	struct ht_string_list old, new, fail_on;
	int by, metric;
	struct ht_per_value {
		enum ht_per per;
		const char *region;
	} per;
	double threshold;
	bool markdown;
	const char *pprof, *folded;
} settings;

static int parse_per(void *value, const char *text, struct ht_diag *d)
{
	struct ht_per_value *p = value;
	if (!*text)
		return ht_fail(d, HT_ERR_USAGE, "run, second, or the name of a region or task");
	p->per = !strcmp(text, "run") ? HT_PER_RUN : !strcmp(text, "second") ? HT_PER_SECOND : HT_PER_REGION;
	p->region = text;
	return 0;
}

static const struct ht_option options[] = {
    {.name = "old", .kind = HT_OPTION_FILES, .value = &settings.old, .argument = "TRACE...", .help = "runs of the old build"},
    {.name = "new", .kind = HT_OPTION_FILES, .value = &settings.new, .argument = "TRACE...", .help = "runs of the new build"},
    {.name = "by",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.by,
     .choices = by_names,
     .argument = "WHAT",
     .help = "what makes a row: function, line, file, module or stack",
     .fallback = "function"},
    {.name = "metric",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.metric,
     .choices = ht_rule_metrics,
     .argument = "NUMBER",
     .help = "what is compared: allocs, bytes, peak, leaked or temporary",
     .fallback = "allocs"},
    {.name = "per",
     .kind = HT_OPTION_CUSTOM,
     .value = &settings.per,
     .parse = parse_per,
     .argument = "WHAT",
     .help = "run, second, or a region or task of heaptide.h: numbers inside it for each instance",
     .fallback = "run"},
    {.name = "threshold",
     .kind = HT_OPTION_CUSTOM,
     .value = &settings.threshold,
     .parse = ht_rules_percent,
     .argument = "P",
     .help = "fold rows that changed by less than P percent",
     .fallback = "0"},
    {.name = "fail-on",
     .kind = HT_OPTION_LIST,
     .value = &settings.fail_on,
     .argument = "EXPR",
     .help = "exit with 1 when it holds: 'allocs>2%', 'parse_*:bytes>0'"},
    {.name = "markdown", .kind = HT_OPTION_FLAG, .value = &settings.markdown, .help = "print Markdown, for a pull request"},
    {.name = "pprof",
     .kind = HT_OPTION_STRING,
     .value = &settings.pprof,
     .argument = "FILE",
     .help = "also write the differences as a pprof profile"},
    {.name = "folded",
     .kind = HT_OPTION_STRING,
     .value = &settings.folded,
     .argument = "FILE",
     .help = "also write stacks with old and new numbers, for a difference flame graph"},
    {0},
};
static const struct ht_option *const tables[] = {options,	       ht_rows_options,	  ht_result_options, ht_range_options,
						 ht_moment_options, ht_filter_options, ht_symbol_options, NULL};

/* Exports want stacks, whatever the rows are by: then `stacks` is filled from the same reading. */
static int read_runs(struct ht_runs *r, struct ht_compare *c, struct ht_compare *stacks)
{
	const struct ht_string_list *sides[2] = {&settings.old, &settings.new};
	int status = 0;
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < sides[side]->count && !status; i++)
			status = ht_runs_add(r, c, stacks, (enum ht_side)side, sides[side]->items[i]);
	return status;
}

static int write_pprof(const struct ht_compare *c, struct ht_diag *d)
{
	struct ht_output out;
	int code = ht_output_open(&out, settings.pprof, settings.old.items[0], d);
	if (code)
		return code;
	const struct ht_profile *p = ht_delta_profile(c);
	code = ht_exporter_pprof.write_profile(p, 0, out.fd, d);
	ht_delta_profile_free(p);
	if (code)
		ht_output_abandon(&out);
	return code ? code : ht_output_close(&out, d);
}

static int write_folded(const struct ht_diff *f, struct ht_diag *d)
{
	struct ht_output out;
	int code = ht_output_open(&out, settings.folded, settings.old.items[0], d);
	if (code)
		return code;
	ht_diff_folded(f, &out.buf);
	return ht_output_close(&out, d);
}

static int write_exports(const struct ht_diff *f, struct ht_compare *stacks, struct ht_diag *d)
{
	struct ht_diff by_stack = *f;
	if (stacks)
		ht_compare_finish(stacks);
	by_stack.c = stacks ? stacks : f->c;
	int code = settings.pprof ? write_pprof(by_stack.c, d) : 0;
	return code || !settings.folded ? code : write_folded(&by_stack, d);
}

static int show(const struct ht_diff *f, struct ht_diag *d)
{
	struct ht_result result;
	int code = ht_result_open(&result, "heaptide.diff/1", settings.old.items[0], d);
	if (code)
		return code;
	if (settings.markdown)
		ht_diff_markdown(f, &result.out.buf);
	else if (result.e.format == HT_EMIT_TEXT)
		ht_diff_text(f, &result.e);
	else
		ht_diff_data(f, &result.e);
	return ht_result_close(&result, d);
}

static int check_settings(int argc, char **argv, struct ht_rules *rules, struct ht_diag *d)
{
	if (argc == 2 && !settings.old.count && !settings.new.count) {
		settings.old = (struct ht_string_list){(const char **)argv, 1};
		settings.new = (struct ht_string_list){(const char **)argv + 1, 1};
	} else if (argc || !settings.old.count || !settings.new.count) {
		return ht_fail(d, HT_ERR_USAGE, "diff: wants OLD NEW, or --old TRACE... --new TRACE...");
	}
	if (settings.old.count + settings.new.count > HT_SIGNIFICANCE_RUNS)
		return ht_fail(d, HT_ERR_USAGE, "diff: at most %u runs, both sides together", HT_SIGNIFICANCE_RUNS);
	enum ht_compare_value metric = ht_rule_values[settings.metric];
	if (settings.per.per == HT_PER_REGION && metric != HT_CV_ALLOCS && metric != HT_CV_BYTES && metric != HT_CV_TEMPORARY)
		return ht_fail(d, HT_ERR_USAGE, "--per=%s: only allocs, bytes and temporary can be divided by instances",
			       settings.per.region);
	if (settings.per.per == HT_PER_REGION && (ht_selection_settings.region || ht_selection_settings.task))
		return ht_fail(d, HT_ERR_USAGE, "--per=%s: cannot be combined with --region or --task", settings.per.region);
	if (settings.markdown && ht_result_is_data())
		return ht_fail(d, HT_ERR_USAGE, "--markdown: cannot be combined with --json or --csv");
	int code = ht_result_check(d);
	if (!code)
		code = ht_choices_refuse(HT_CHOICE_AT, "diff: no metric is of one moment", d);
	for (size_t i = 0; !code && i < settings.fail_on.count; i++) {
		struct ht_diag why = {0};
		code = ht_rules_expression(rules, settings.fail_on.items[i], &why);
		if (code)
			ht_fail(d, code, "--fail-on: %s", why.text);
	}
	if (!code && metric != HT_CV_TEMPORARY && !ht_rules_ask(rules, HT_CV_TEMPORARY) && !ht_result_is_data())
		code = ht_choices_refuse(HT_CHOICE_TEMPORARY, "what is compared: --metric=temporary", d);
	return code;
}

/* A change within noise breaks nothing. */
static struct ht_judgement *judge(const struct ht_rules *rules, const struct ht_compare *c, bool *broken)
{
	struct ht_judgement *v = ht_xcalloc(rules->count + 1, sizeof(*v));
	for (size_t i = 0; i < rules->count; i++) {
		v[i] = ht_rule_judge(&rules->items[i], c, false);
		v[i].broken &= v[i].news;
		*broken |= v[i].broken;
	}
	return v;
}

/* Finishes, judges, shows and exports; the exit status. */
static int conclude(struct ht_runs *runs, struct ht_compare *c, struct ht_compare *stacks, const struct ht_rules *rules)
{
	struct ht_diag d = {0};
	bool broken = false;
	if (runs->sampled && (c->metric == HT_CV_TEMPORARY || ht_rules_ask(rules, HT_CV_TEMPORARY)))
		return ht_give_up(ht_fail(&d, HT_ERR_USAGE, "temporary: not known of a sampled trace"), &d);
	ht_compare_finish(c);
	const int unknown = ht_runs_unrecorded(runs, "nothing can be compared");
	if (!unknown)
		ht_runs_warn(runs, c);
	struct ht_judgement *verdicts = judge(rules, c, &broken);
	struct ht_diff f = {.c = c,
			    .runs = runs,
			    .metric = ht_rule_metrics[settings.metric],
			    .by = by_names[settings.by],
			    .threshold = settings.threshold,
			    .limit = ht_rows_limit(settings.markdown || !ht_result_is_data() ? 20 : SIZE_MAX),
			    .verdicts = verdicts,
			    .verdict_count = unknown ? 0 : rules->count};
	int code = !unknown || ht_result_is_data() ? show(&f, &d) : 0; /* programs are told what there is */
	if (!code && !unknown)
		code = write_exports(&f, stacks, &d);
	free(verdicts);
	return code ? ht_give_up(code, &d) : unknown ? unknown : broken ? 1 : runs->status;
}

static int run(int argc, char **argv)
{
	struct ht_rules rules = {0};
	struct ht_diag d = {0};
	int status, code = check_settings(argc, argv, &rules, &d);
	if (code) {
		ht_rules_release(&rules);
		return ht_give_up(code, &d);
	}
	struct ht_runs runs = {.per = settings.per.per, .region = settings.per.region};
	enum ht_compare_value metric = ht_rule_values[settings.metric];
	bool exports = (settings.pprof || settings.folded) && settings.by != HT_COMPARE_STACK;
	struct ht_compare *c = ht_compare_new((enum ht_compare_by)settings.by, metric);
	struct ht_compare *stacks = exports ? ht_compare_new(HT_COMPARE_STACK, metric) : NULL;
	status = read_runs(&runs, c, stacks);
	if (!status)
		status = conclude(&runs, c, stacks, &rules);
	ht_compare_free(c);
	if (stacks)
		ht_compare_free(stacks);
	ht_runs_release(&runs);
	ht_rules_release(&rules);
	return status;
}

const struct ht_command ht_cmd_diff = {
    .name = "diff",
    .purpose = HT_PURPOSE_READ,
    .arguments = "OLD NEW | --old TRACE... --new TRACE...",
    .summary = "show what changed between two builds",
    .options = tables,
    .min_arguments = 0,
    .max_arguments = 2,
    .run = run,
};
