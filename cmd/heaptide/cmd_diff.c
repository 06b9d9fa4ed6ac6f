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
	uint64_t limit;
	bool limit_given, markdown;
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
    {.name = "limit",
     .letter = 'n',
     .kind = HT_OPTION_NUMBER,
     .value = &settings.limit,
     .given = &settings.limit_given,
     .argument = "N",
     .help = "rows shown; 0: all; 20 in text, all in JSON and CSV"},
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
static const struct ht_option *const tables[] = {options,	    ht_result_options, ht_range_options, ht_moment_options,
						 ht_filter_options, ht_symbol_options, NULL};

static struct ht_compare *read_runs(struct ht_runs *r, enum ht_compare_by by, int *status)
{
	struct ht_compare *c = ht_compare_new(by, ht_rule_values[settings.metric]);
	const struct ht_string_list *sides[2] = {&settings.old, &settings.new};
	*status = 0;
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < sides[side]->count && !*status; i++)
			*status = ht_runs_add(r, c, (enum ht_side)side, sides[side]->items[i], false);
	return c;
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

/* Exports want stacks, whatever the rows are by. */
static int write_exports(const struct ht_diff *f, struct ht_diag *d)
{
	if (!settings.pprof && !settings.folded)
		return 0;
	struct ht_runs again = {.per = f->runs->per, .region = f->runs->region};
	struct ht_diff stacks = *f;
	int code = 0, status = 0;
	struct ht_compare *c = f->c->by == HT_COMPARE_STACK ? NULL : read_runs(&again, HT_COMPARE_STACK, &status);
	if (c && !status) {
		ht_compare_finish(c);
		stacks.c = c;
	}
	if (!status && settings.pprof)
		code = write_pprof(stacks.c, d);
	if (!status && !code && settings.folded)
		code = write_folded(&stacks, d);
	if (c)
		ht_compare_free(c);
	ht_runs_release(&again);
	return status ? ht_fail(d, HT_ERR_SYSTEM, "the traces could not be read a second time") : code;
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
	int code = ht_result_check(d);
	for (size_t i = 0; !code && i < settings.fail_on.count; i++) {
		struct ht_diag why = {0};
		code = ht_rules_expression(rules, settings.fail_on.items[i], &why);
		if (code)
			ht_fail(d, code, "--fail-on: %s", why.text);
	}
	return code;
}

/* A change within noise breaks nothing. */
static struct ht_judgement *judge(const struct ht_rules *rules, const struct ht_compare *c, bool *broken)
{
	struct ht_judgement *v = ht_xcalloc(rules->count + 1, sizeof(*v));
	for (size_t i = 0; i < rules->count; i++) {
		const struct ht_rule *rule = &rules->items[i];
		v[i] = ht_rule_judge(rule, c, false);
		v[i].broken &= rule->pattern ? v[i].news : !c->total.tested || rule->metric != c->metric || c->total.significance.news;
		*broken |= v[i].broken;
	}
	return v;
}

static int run(int argc, char **argv)
{
	struct ht_rules rules = {0};
	struct ht_diag d = {0};
	bool broken = false;
	int status, code = check_settings(argc, argv, &rules, &d);
	if (code) {
		ht_rules_release(&rules);
		return ht_give_up(code, &d);
	}
	struct ht_runs runs = {.per = settings.per.per, .region = settings.per.region};
	struct ht_compare *c = read_runs(&runs, (enum ht_compare_by)settings.by, &status);
	if (!status) {
		ht_runs_warn(&runs);
		ht_compare_finish(c);
		struct ht_judgement *verdicts = judge(&rules, c, &broken);
		struct ht_diff f = {.c = c,
				    .runs = &runs,
				    .metric = ht_rule_metrics[settings.metric],
				    .by = by_names[settings.by],
				    .threshold = settings.threshold,
				    .limit = 20,
				    .verdicts = verdicts,
				    .verdict_count = rules.count};
		if (settings.limit_given)
			f.limit = settings.limit ? settings.limit : SIZE_MAX;
		code = show(&f, &d);
		if (!code)
			code = write_exports(&f, &d);
		status = code ? ht_give_up(code, &d) : broken ? 1 : runs.status;
		free(verdicts);
	}
	ht_compare_free(c);
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
