/*
 * check: may this build ship? Holds a trace against a budget: rules of the command line, of a file, or "no more than the
 * baseline". Exit 1 when one is broken, with the stack that broke it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "check_junit.h"
#include "diff.h"
#include "facts.h"
#include "result.h"
#include "text.h"

static struct {
	const char *budget, *baseline, *junit;
	struct ht_string_list max_allocs, max_peak, max_leaked, max_temporary;
	double tolerance;
	bool tolerance_given, markdown;
} settings;

static const struct ht_option options[] = {
    {.name = "budget",
     .kind = HT_OPTION_STRING,
     .value = &settings.budget,
     .argument = "FILE",
     .help = "rules, one a line: PATTERN METRIC LIMIT or PATTERN METRIC +GROWTH"},
    {.name = "max-allocs",
     .kind = HT_OPTION_LIST,
     .value = &settings.max_allocs,
     .argument = "[RE=]N",
     .help = "at most N allocations, in all or under functions that match RE"},
    {.name = "max-peak",
     .kind = HT_OPTION_LIST,
     .value = &settings.max_peak,
     .argument = "[RE=]S",
     .help = "at most S bytes live at the peak"},
    {.name = "max-leaked",
     .kind = HT_OPTION_LIST,
     .value = &settings.max_leaked,
     .argument = "[RE=]S",
     .help = "at most S bytes not freed at the end"},
    {.name = "max-temporary",
     .kind = HT_OPTION_LIST,
     .value = &settings.max_temporary,
     .argument = "[RE=]N",
     .help = "at most N temporary allocations"},
    {.name = "baseline",
     .kind = HT_OPTION_STRING,
     .value = &settings.baseline,
     .argument = "TRACE",
     .help = "what growth is measured against"},
    {.name = "tolerance",
     .kind = HT_OPTION_CUSTOM,
     .value = &settings.tolerance,
     .given = &settings.tolerance_given,
     .parse = ht_rules_percent,
     .argument = "P",
     .help = "no total may grow by more than P percent over the baseline",
     .fallback = "0, where there is a baseline and no other rule"},
    {.name = "junit", .kind = HT_OPTION_STRING, .value = &settings.junit, .argument = "FILE", .help = "also write a JUnit report"},
    {.name = "markdown", .kind = HT_OPTION_FLAG, .value = &settings.markdown, .help = "print Markdown, for a pull request"},
    {0},
};
static const struct ht_option *const tables[] = {options,	    ht_result_options, ht_range_options, ht_moment_options,
						 ht_filter_options, ht_symbol_options, NULL};

/* --- the rules ----------------------------------------------------------------------------- */

static int add_maxima(struct ht_rules *r, const struct ht_string_list *list, enum ht_compare_value metric, const char *name,
		      struct ht_diag *d)
{
	for (size_t i = 0; i < list->count; i++) {
		struct ht_diag why = {0};
		int code = ht_rules_maximum(r, metric, list->items[i], &why);
		if (code)
			return ht_fail(d, code, "--%s: %s", name, why.text);
	}
	return 0;
}

static int collect_rules(struct ht_rules *r, struct ht_diag *d)
{
	int code = ht_result_check(d);
	if (!code)
		code = add_maxima(r, &settings.max_allocs, HT_CV_ALLOCS, "max-allocs", d);
	if (!code)
		code = add_maxima(r, &settings.max_peak, HT_CV_PEAK_BYTES, "max-peak", d);
	if (!code)
		code = add_maxima(r, &settings.max_leaked, HT_CV_LEAKED_BYTES, "max-leaked", d);
	if (!code)
		code = add_maxima(r, &settings.max_temporary, HT_CV_TEMPORARY, "max-temporary", d);
	if (!code && settings.budget)
		code = ht_rules_file(r, settings.budget, d);
	if (code)
		return code;
	if (settings.tolerance_given && !settings.baseline)
		return ht_fail(d, HT_ERR_USAGE, "--tolerance: wants --baseline");
	for (size_t i = 0; i < r->count; i++)
		if (r->items[i].growth && !settings.baseline)
			return r->items[i].file ? ht_fail(d, HT_ERR_USAGE, "%s:%u: growth wants --baseline", r->items[i].file,
							  r->items[i].line)
						: ht_fail(d, HT_ERR_USAGE, "%s: growth wants --baseline", r->items[i].text);
	if (settings.markdown && ht_result_is_data())
		return ht_fail(d, HT_ERR_USAGE, "--markdown: cannot be combined with --json or --csv");
	if (!r->count && !settings.baseline)
		return ht_fail(d, HT_ERR_USAGE, "check: no rule: --budget, --max-..., or --baseline");
	code = ht_choices_refuse(HT_CHOICE_AT, "check: no metric is of one moment", d);
	const bool totals = settings.baseline && (settings.tolerance_given || !r->count); /* of every metric */
	if (code || totals || ht_rules_ask(r, HT_CV_TEMPORARY))
		return code;
	return ht_choices_refuse(HT_CHOICE_TEMPORARY, "these rules: none is of temporary allocations", d);
}

/* --- the verdicts -------------------------------------------------------------------------- */

static char *broke_it(const struct ht_compare *c, const struct ht_judgement *v)
{
	if (!v->row)
		return ht_xstrdup("");
	char *chain = ht_runs_chain(c, v->row, 12);
	double part = v->row->new[v->rule->metric] - (v->rule->growth ? v->row->old[v->rule->metric] : 0);
	char *text = ht_xasprintf("%s by %s", ht_diff_number(v->rule->metric, part, v->rule->growth).s, chain);
	free(chain);
	return text;
}

char *ht_check_message(const struct ht_judgement *v)
{
	enum ht_compare_value m = v->rule->metric;
	struct ht_buf text = {0};
	ht_buf_printf(&text, "%s", ht_diff_number(m, v->new, false).s);
	if (v->rule->growth)
		ht_buf_printf(&text, ", baseline %s", ht_diff_number(m, v->old, false).s);
	ht_buf_printf(&text, ", at most %s", ht_diff_number(m, v->allowed, false).s);
	if (v->broken)
		ht_buf_printf(&text, ": %s too %s", ht_diff_number(m, v->new - v->allowed, false).s,
			      m == HT_CV_ALLOCS || m == HT_CV_TEMPORARY ? "many" : "much");
	if (!v->met && v->rule->pattern)
		ht_buf_printf(&text, " (nothing matches the pattern)");
	ht_buf_byte(&text, '\0');
	return (char *)text.data;
}

static void write_text(const struct ht_compare *c, const struct ht_judgement *v, size_t n, size_t broken, struct ht_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		char *message = ht_check_message(&v[i]), *stack = broke_it(c, &v[i]);
		ht_buf_printf(out, "%s  ", v[i].broken ? "FAILED" : "ok    ");
		ht_text_clean(out, v[i].rule->text);
		ht_buf_printf(out, ": %s\n", message);
		if (v[i].broken && *stack)
			ht_buf_printf(out, "        most of it: %s\n", stack);
		free(message);
		free(stack);
	}
	ht_buf_printf(out, "%zu of %zu rules held\n", n - broken, n);
}

static void write_markdown(const struct ht_compare *c, const struct ht_judgement *v, size_t n, size_t broken, struct ht_buf *out)
{
	ht_buf_printf(out, "**%zu of %zu allocation rules held**\n\n| | rule | found | most of it |\n|---|---|---|---|\n", n - broken, n);
	for (size_t i = 0; i < n; i++) {
		char *message = ht_check_message(&v[i]), *stack = broke_it(c, &v[i]);
		ht_buf_printf(out, "| %s |", v[i].broken ? "failed" : "ok");
		ht_diff_markdown_cell(out, v[i].rule->text);
		ht_buf_printf(out, " %s |", message);
		if (v[i].broken && *stack)
			ht_diff_markdown_cell(out, stack);
		else
			ht_buf_printf(out, " |");
		ht_buf_printf(out, "\n");
		free(message);
		free(stack);
	}
}

/* What a trace without allocations would have to tell is null. */
static void write_data(const struct ht_compare *c, const struct ht_judgement *v, size_t n, size_t broken,
		       const struct ht_runs *runs, struct ht_emitter *e)
{
	static const struct ht_column columns[] = {{.key = "rule"},   {.key = "file"},	   {.key = "line"},
						   {.key = "metric"}, {.key = "broken"},   {.key = "old"},
						   {.key = "new"},    {.key = "allowed"},  {.key = "matched"},
						   {.key = "stack"},  {.key = "stack_amount"}, {0}};
	const struct ht_runs_side *old = &runs->sides[HT_OLD], *new = &runs->sides[HT_NEW];
	const bool known = !runs->bare.count;
	ht_emit_json(e, "held", known ? ht_number(n - broken) : ht_null());
	ht_emit_json(e, "broken", known ? ht_number(broken) : ht_null());
	ht_emit_classes(e, "not_recorded", new->classes_known, new->not_recorded);
	if (settings.baseline)
		ht_emit_classes(e, "baseline_not_recorded", old->classes_known, old->not_recorded);
	ht_emit_table(e, "rows", columns);
	for (size_t i = 0; i < n; i++) {
		const struct ht_rule *rule = v[i].rule;
		const struct ht_compare_row *row = known ? v[i].row : NULL;
		char *chain = row ? ht_runs_chain(c, row, SIZE_MAX) : NULL;
		size_t metric = 0;
		while (ht_rule_values[metric] != rule->metric)
			metric++;
		ht_emit_cell(e, ht_string(rule->text));
		ht_emit_cell(e, ht_string(rule->file));
		ht_emit_cell(e, rule->file ? ht_number(rule->line) : ht_null());
		ht_emit_cell(e, ht_string(ht_rule_metrics[metric]));
		ht_emit_cell(e, known ? ht_bool(v[i].broken) : ht_null());
		ht_emit_cell(e, rule->growth && !old->not_recorded ? ht_diff_value(v[i].old) : ht_null());
		ht_emit_cell(e, !new->not_recorded ? ht_diff_value(v[i].new) : ht_null());
		ht_emit_cell(e, !rule->growth || !old->not_recorded ? ht_diff_value(v[i].allowed) : ht_null());
		ht_emit_cell(e, known ? ht_bool(v[i].met) : ht_null());
		ht_emit_cell(e, ht_string(chain));
		ht_emit_cell(e, row ? ht_diff_value(row->new[rule->metric]) : ht_null());
		ht_emit_row(e);
		free(chain);
	}
	ht_emit_table_end(e, 0);
}

static int write_junit(const struct ht_compare *c, const struct ht_judgement *v, size_t n, const char *trace, struct ht_diag *d)
{
	struct ht_output out;
	int code = ht_output_open(&out, settings.junit, trace, d);
	if (code)
		return code;
	char **stacks = ht_xcalloc(n + 1, sizeof(*stacks));
	for (size_t i = 0; i < n; i++)
		stacks[i] = broke_it(c, &v[i]);
	ht_check_junit(&out.buf, v, n, stacks, trace);
	for (size_t i = 0; i < n; i++)
		free(stacks[i]);
	free(stacks);
	return ht_output_close(&out, d);
}

static int show(const struct ht_compare *c, const struct ht_judgement *v, size_t n, size_t broken, const struct ht_runs *runs,
		const char *trace, struct ht_diag *d)
{
	struct ht_result result;
	int code = ht_result_open(&result, "heaptide.check/1", trace, d);
	if (code)
		return code;
	if (settings.markdown)
		write_markdown(c, v, n, broken, &result.out.buf);
	else if (result.e.format == HT_EMIT_TEXT)
		write_text(c, v, n, broken, &result.out.buf);
	else
		write_data(c, v, n, broken, runs, &result.e);
	code = ht_result_close(&result, d);
	return code || !settings.junit || runs->bare.count ? code : write_junit(c, v, n, trace, d);
}

/* Finishes, judges and shows; the exit status. */
static int conclude(struct ht_runs *runs, struct ht_compare *c, struct ht_rules *rules, const char *trace)
{
	struct ht_diag d = {0};
	if (runs->sampled && ht_rules_ask(rules, HT_CV_TEMPORARY))
		return ht_give_up(ht_fail(&d, HT_ERR_USAGE, "temporary: not known of a sampled trace"), &d);
	if (settings.baseline && (settings.tolerance_given || !rules->count))
		ht_rules_tolerance(rules, settings.tolerance, !runs->sampled);
	struct ht_judgement *v = ht_xcalloc(rules->count, sizeof(*v));
	size_t broken = 0;
	ht_compare_finish(c);
	const int unknown = ht_runs_unrecorded(runs, "no rule can be judged");
	if (!unknown)
		ht_runs_warn(runs, c);
	if (!unknown && runs->sampled)
		ht_warn("numbers of sampled traces are estimates: leave them room");
	for (size_t i = 0; i < rules->count; i++) {
		v[i] = ht_rule_judge(&rules->items[i], c, true);
		broken += v[i].broken;
	}
	/* Programs are told what there is. */
	int code = !unknown || ht_result_is_data() ? show(c, v, rules->count, broken, runs, trace, &d) : 0;
	free(v);
	return code ? ht_give_up(code, &d) : unknown ? unknown : broken ? 1 : runs->status;
}

static int run(int argc, char **argv)
{
	struct ht_rules rules = {0};
	struct ht_diag d = {0};
	(void)argc;
	int status = 0, code = collect_rules(&rules, &d);
	if (code) {
		ht_rules_release(&rules);
		return ht_give_up(code, &d);
	}
	struct ht_runs runs = {0};
	struct ht_compare *c = ht_compare_new(HT_COMPARE_STACK, HT_CV_ALLOCS);
	if (settings.baseline)
		status = ht_runs_add(&runs, c, NULL, HT_OLD, settings.baseline);
	if (!status)
		status = ht_runs_add(&runs, c, NULL, HT_NEW, argv[0]);
	if (!status)
		status = conclude(&runs, c, &rules, argv[0]);
	ht_compare_free(c);
	ht_runs_release(&runs);
	ht_rules_release(&rules);
	return status;
}

const struct ht_command ht_cmd_check = {
    .name = "check",
    .purpose = HT_PURPOSE_CHECK,
    .arguments = "TRACE",
    .summary = "hold a trace against a budget, for continuous integration",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
