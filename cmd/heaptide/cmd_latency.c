/*
 * latency: where the time of threads went. A view is a line in the table below; it stands in a file of its own,
 * latency_*.c, its numbers come from lib/latency.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "facts.h"
#include "latency_views.h"
#include "progress.h"
#include "reading.h"
#include "result.h"
#include "text.h"

static const struct ht_latency_view *const views[] = {
    &ht_latency_threads, &ht_latency_blocking, &ht_latency_locks, &ht_latency_io, &ht_latency_scheduler,
    &ht_latency_stalls,	 &ht_latency_faults,   &ht_latency_tasks, &ht_latency_regions,
};
static const char *const view_names[] = {"threads", "blocking", "locks", "io", "scheduler",
					 "stalls",  "faults",   "tasks", "regions", NULL};
static const char *const by_names[] = {"site", "code", NULL};

static struct {
	int view;
	bool by_given;
} settings;

static const struct ht_option options[] = {
    {.name = "view",
     .kind = HT_OPTION_CHOICE,
     .value = &settings.view,
     .choices = view_names,
     .argument = "VIEW",
     .help = "threads, blocking, locks, io, scheduler, stalls, faults, tasks or regions",
     .fallback = "threads"},
    {.name = "by",
     .kind = HT_OPTION_CHOICE,
     .value = &ht_latency_faults_by,
     .given = &settings.by_given,
     .choices = by_names,
     .argument = "WHAT",
     .help = "faults: by the site that allocated the memory, or by the code that touched it",
     .fallback = "site"},
    {0},
};
static const struct ht_option *const tables[] = {options,	       ht_rows_options,	  ht_result_options, ht_range_options,
						 ht_filter_options, ht_symbol_options, NULL};

/* What one run of the command has. */
static struct {
	struct ht_latency_show show;
	struct ht_latency *latency;
	int code; /* of reading it */
	struct ht_diag d;
} run_of;

/* --- reading ------------------------------------------------------------------------------ */

/* The model is read first: passes over the events may ask it. */
static size_t make_passes(void *ctx, struct ht_analysis *a, struct ht_pass *passes)
{
	const struct ht_latency_view *view = ctx;
	const struct ht_latency_options o = {
	    .selection = a->options.selection, .jobs = a->options.jobs, .progress = ht_progress};
	run_of.code = ht_latency_read(&run_of.latency, a->trace, &o, &run_of.d);
	run_of.show = (struct ht_latency_show){.a = a, .l = run_of.latency};
	if (run_of.code < 0 || (!run_of.latency && view->times) || !view->passes)
		return 0;
	return view->passes(&run_of.show, passes);
}

/* --- the head ----------------------------------------------------------------------------- */

static unsigned count_cpus(const struct ht_latency *l)
{
	static bool seen[HT_NO_CPU];
	unsigned n = 0;
	for (size_t i = 0; i < l->switch_count; i++) {
		uint16_t cpu = l->switches[i].cpu;
		if (cpu != HT_NO_CPU && !seen[cpu]) {
			seen[cpu] = true;
			n++;
		}
	}
	return n;
}

static void emit_head(struct ht_emitter *e, const struct ht_latency_show *x, unsigned cpus)
{
	const struct ht_trace *t = x->a->trace;
	const struct ht_latency *l = x->l;
	ht_emit_json(e, "view", ht_string(view_names[settings.view]));
	ht_emit_json(e, "complete", ht_bool(ht_fact_complete(t)));
	ht_emit_json(e, "verdict", ht_string(ht_fact_verdict(t)));
	ht_emit_json(e, "source", ht_string(l && *l->source ? l->source : NULL));
	ht_emit_json(e, "resolution_ns", l && l->resolution_ns ? ht_ns(l->resolution_ns) : ht_null());
	ht_emit_json(e, "from_ns", l ? ht_ns(l->from_ns) : ht_null());
	ht_emit_json(e, "to_ns", l ? ht_ns(l->to_ns) : ht_null());
	ht_emit_json(e, "cpus", cpus ? ht_count(cpus) : ht_null());
	ht_emit_json(e, "waits", ht_count(l ? l->wait_count : 0));
	ht_emit_json(e, "wakes", ht_count(l ? l->wake_count : 0));
	ht_emit_json(e, "switches", ht_count(l ? l->switch_count : 0));
	ht_emit_json(e, "lost_switches", l ? ht_count(l->lost_switches) : ht_null());
	ht_emit_json(e, "damaged_blocks", ht_count(l ? l->damaged_blocks : 0));
	ht_emit_unrecorded(e, t, views[settings.view]->needs);
}

/* "12.4 s on 2 CPUs · context switches from perf, per CPU · times true within 1.00 µs" */
static void say_head(struct ht_emitter *e, const struct ht_latency *l, unsigned cpus)
{
	ht_emit_text(e, "%s", ht_text_ns(l->to_ns - l->from_ns).s);
	if (cpus)
		ht_emit_text(e, " on %u CPU%s", cpus, cpus == 1 ? "" : "s");
	struct ht_buf source = {0};
	ht_text_clean(&source, l->source);
	ht_buf_byte(&source, '\0');
	if (l->switch_count)
		ht_emit_text(e, " · context switches from %s · clock error ≤ %s", (char *)source.data,
			     ht_text_ns(l->resolution_ns).s);
	else if (l->resolution_ns)
		ht_emit_text(e, " · no context switches: from waits and %s",
			     *l->source ? (char *)source.data : "the kernel's sums");
	else
		ht_emit_text(e, " · no context switches: from waits alone");
	ht_buf_release(&source);
	if (l->lost_switches)
		ht_emit_text(e, " · %s lost", ht_text_count(l->lost_switches).s);
	ht_emit_newline(e);
	if (l->damaged_blocks)
		ht_emit_text(e, "%s damaged blocks of times were skipped\n", ht_text_count(l->damaged_blocks).s);
	ht_emit_text(e, "\n");
}

/* --- showing ------------------------------------------------------------------------------ */

void ht_latency_nothing(const struct ht_latency_show *x, const char *what, uint32_t classes)
{
	const struct ht_trace *t = x->a->trace;
	const char *source = ht_trace_settings(t)->sched;
	char *line = ht_recorded_nothing(t, classes, what);
	ht_emit_text(x->e, "%s\n", line);
	free(line);
	/* Asked for, but the kernel may have refused: the source says so. */
	const bool kernel = !(classes & ~(uint32_t)(HT_CLASS_BIT(SCHED) | HT_CLASS_BIT(FAULT)));
	if (kernel && *source && ht_recorded(t, classes) == HT_RECORDED_YES)
		ht_emit_clean(x->e, "source: ", source, "\n");
}

/* Has the trace nothing that the view could show? */
static bool lacks(const struct ht_latency_view *view, const struct ht_latency_show *x)
{
	return (!x->l && view->times) || ((!x->l || !x->l->states_known) && view->states);
}

static int render(const struct ht_latency_view *view, struct ht_latency_show *x, struct ht_diag *d)
{
	/* Tables for programs have their columns all the same. */
	const struct ht_latency none = {.trace = x->a->trace, .source = ""};
	bool absent = lacks(view, x);
	if (absent && x->e->format == HT_EMIT_TEXT) {
		ht_latency_nothing(x, ht_recorded(x->a->trace, view->needs) == HT_RECORDED_UNKNOWN
					      ? "this trace holds no waits and no context switches"
					      : view->nothing,
				   view->needs);
		return 0;
	}
	if (absent)
		x->l = &none;
	int code = view->show(x, d);
	if (!code && view->next)
		ht_say_next(x->e, view->next, x->path);
	return code;
}

static int show(struct ht_analysis *a, const char *path, struct ht_diag *d)
{
	const struct ht_latency_view *view = views[settings.view];
	struct ht_latency_show *x = &run_of.show;
	struct ht_result result;
	(void)a;
	ht_progress_end();
	if (run_of.code < 0)
		return ht_fail(d, run_of.code, "%s: %s", path, run_of.d.text);
	int code = ht_result_open(&result, "heaptide.latency/1", path, d);
	if (!code) {
		unsigned cpus = x->l ? count_cpus(x->l) : 0;
		x->e = &result.e;
		x->path = path;
		x->limit = ht_rows_limit(result.e.format == HT_EMIT_TEXT ? view->rows : SIZE_MAX);
		emit_head(&result.e, x, cpus);
		if (x->l && !lacks(view, x))
			say_head(&result.e, x->l, cpus);
		code = render(view, x, d);
		if (code)
			ht_output_abandon(&result.out);
		else
			code = ht_result_close(&result, d);
	}
	if (view->release && x->state)
		view->release(x->state);
	ht_latency_free(run_of.latency);
	return code;
}

static int check(struct ht_diag *d)
{
	const struct ht_latency_view *view = views[settings.view];
	char what[64];
	snprintf(what, sizeof(what), "--view=%s", view->name);
	if (settings.by_given && view != &ht_latency_faults)
		return ht_fail(d, HT_ERR_USAGE, "--by: no effect on %s, but on --view=faults", what);
	const int code = ht_choices_refuse(view->idle, what, d);
	if (code && (ht_chosen(HT_CHOICE_REGION) || ht_chosen(HT_CHOICE_TASK)))
		ht_hint(d, "--view=regions takes --region, --view=tasks takes --task");
	return code ? code : ht_result_check(d);
}

static int run(int argc, char **argv)
{
	struct ht_diag d = {0};
	(void)argc;
	if (check(&d))
		return ht_give_up(HT_ERR_USAGE, &d);
	return ht_reading_run_passes(argv[0], make_passes, (void *)views[settings.view], show);
}

const struct ht_command ht_cmd_latency = {
    .name = "latency",
    .purpose = HT_PURPOSE_READ,
    .arguments = "TRACE",
    .summary = "show where the time went: running, waiting, and for whom",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
