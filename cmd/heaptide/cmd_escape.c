/*
 * escape: how far the blocks of each callsite travelled, from evidence. A view is a line in the table below; its rendering
 * stands in escape_*.c, its numbers come from lib/escape.
 */
#include <stdlib.h>

#include "command.h"
#include "escape.h"
#include "facts.h"
#include "reading.h"
#include "recorded.h"
#include "result.h"

enum { LINES_IN_TEXT = 40 };
/* Instructions read: a bound on the time that this takes, beside that of reading the trace. */
enum { CODE_LEAST = 30000, CODE_SHARE = 40 };

static const struct view {
	const char *name;
	bool verdicts; /* it needs them */
	int (*show)(struct ht_escape *x, struct ht_diag *d);
} views[] = {
    {"verdicts", true, ht_escape_lines},       {"growth", false, ht_escape_growth},
    {"churn", false, ht_escape_churn},	       {"sizes", false, ht_escape_sizes_view},
    {"lifetimes", false, ht_escape_lifetimes},
};
static const char *const view_names[] = {"verdicts", "growth", "churn", "sizes", "lifetimes", NULL};
enum { VIEW_GROWTH = 1, VIEW_CHURN = 2, VIEW_LIFETIMES = 4 };

static struct {
	int view;
	const char *list;
	/* Passes of the view; one of them. */
	struct ht_fates *fates;
	struct ht_growth_pass *growth;
	struct ht_pools_pass *pools;
} settings;

static const struct ht_option options[] = {
    {.name = "view",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.view,
     .choices = view_names,
     .argument = "VIEW",
     .help = "verdicts, growth, churn, sizes or lifetimes",
     .fallback = "verdicts"},
    {.name = "list",
     .kind = HT_OPTION_STRING,
     .value = &settings.list,
     .argument = "RE",
     .help = "show the verdicts in the source of functions with such a name"},
    {0},
};
static const struct ht_option *const tables[] = {options,	       ht_rows_options,	  ht_result_options, ht_range_options,
						 ht_filter_options, ht_symbol_options, NULL};

static size_t make_passes(void *ctx, struct ht_analysis *a, struct ht_pass *passes)
{
	(void)ctx;
	if (settings.view == VIEW_GROWTH)
		passes[0] = ht_growth_pass(settings.growth = ht_growth_new(a));
	else if (settings.view == VIEW_CHURN)
		passes[0] = ht_pools_pass(settings.pools = ht_pools_new(a));
	else
		passes[0] = ht_fates_pass(settings.fates = ht_fates_new(a, settings.view == VIEW_LIFETIMES));
	return 1;
}

static void emit_head(struct ht_emitter *e, const struct ht_escape *x)
{
	const struct ht_trace *t = x->a->trace;
	ht_emit_json(e, "view", ht_string(view_names[settings.view]));
	ht_emit_json(e, "complete", ht_bool(ht_fact_complete(t)));
	ht_emit_json(e, "verdict", ht_string(ht_fact_verdict(t)));
	ht_emit_json(e, "free_stacks", ht_bool(!x->no_free_stacks));
	ht_emit_json(e, "sampled", ht_bool(ht_trace_settings(t)->sample_bytes > 0));
	ht_emit_unrecorded(e, t, HT_CLASS_BIT(ALLOC));
	if (!x->verdicts)
		return;
	ht_emit_object(e, "blocks");
	ht_emit_json(e, "all", ht_count(x->verdicts->all));
	ht_emit_json(e, "known", ht_count(x->verdicts->known));
	for (unsigned k = 0; k < HT_MIXED; k++)
		ht_emit_json(e, ht_verdict_names[k], ht_count(x->verdicts->blocks[k]));
	ht_emit_close(e);
}

static int show_view(struct ht_escape *x, struct ht_diag *d)
{
	struct ht_result result;
	int code = ht_result_open(&result, "heaptide.escape/1", x->path, d);
	if (code)
		return code;
	x->e = &result.e;
	x->limit = ht_rows_limit(result.e.format == HT_EMIT_TEXT ? LINES_IN_TEXT : SIZE_MAX);
	emit_head(&result.e, x);
	if (!ht_say_unrecorded(&result.e, x->a->trace, HT_CLASS_BIT(ALLOC)) || result.e.format != HT_EMIT_TEXT)
		code = x->list ? ht_escape_list(x, d) : views[settings.view].show(x, d);
	if (code) {
		ht_output_abandon(&result.out);
		return code;
	}
	return ht_result_close(&result, d);
}

static uint64_t births(const struct ht_trace *t)
{
	uint64_t n = 0;
	for (size_t i = 0; i < ht_trace_block_count(t); i++)
		n += ht_trace_block(t, i)->births;
	return n;
}

static int show(struct ht_analysis *a, const char *path, struct ht_diag *d)
{
	struct ht_escape x = {
	    .a = a,
	    .fates = settings.fates,
	    .path = path,
	    .list = settings.list,
	    .no_free_stacks = !ht_trace_settings(a->trace)->free_stacks,
	};
	struct ht_verdicts verdicts = {0};
	if (views[settings.view].verdicts) {
		struct ht_code *code = ht_code_new(a->trace, a->options.symbolize.sysroot, CODE_LEAST + births(a->trace) / CODE_SHARE);
		ht_verdicts_reach(&verdicts, settings.fates, code);
		ht_code_free(code);
		x.verdicts = &verdicts;
	}
	struct ht_escape_sizes *sizes = settings.fates ? ht_escape_sizes(&x) : NULL;
	x.sizes = sizes;
	struct ht_growth growth = {0};
	struct ht_pools pools = {0};
	if (settings.growth)
		ht_growth_finish(settings.growth, &growth);
	if (settings.pools)
		ht_pools_finish(settings.pools, &pools);
	x.growth = &growth;
	x.pools = &pools;
	int code = show_view(&x, d);
	free(sizes);
	ht_growth_release(&growth);
	ht_pools_release(&pools);
	ht_verdicts_release(&verdicts);
	ht_fates_free(settings.fates);
	return code;
}

static int check(struct ht_diag *d)
{
	if (settings.list && settings.view)
		return ht_fail(d, HT_ERR_USAGE, "--list shows verdicts: it does not go with --view=%s", view_names[settings.view]);
	const int code = settings.list ? ht_choices_refuse(HT_CHOICE_LIMIT, "--list", d) : 0;
	return code ? code : ht_result_check(d);
}

static int run(int argc, char **argv)
{
	struct ht_diag d = {0};
	(void)argc;
	if (check(&d))
		return ht_give_up(HT_ERR_USAGE, &d);
	return ht_reading_run_passes(argv[0], make_passes, NULL, show);
}

const struct ht_command ht_cmd_escape = {
    .name = "escape",
    .purpose = HT_PURPOSE_READ,
    .arguments = "TRACE",
    .summary = "say how far blocks travel from where they were allocated",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
