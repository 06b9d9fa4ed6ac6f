/* reading: see reading.h. */
#include "reading.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "progress.h"

/* Analyses grow few big tables from few threads: one heap that grows in great steps, and keeps what it has, takes a third
 * fewer page faults, and no calls that interrupt the other processors. */
static void settle_heap(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

int ht_reading_open(struct ht_trace **t, const char *path)
{
	struct ht_diag d = {0};
	settle_heap();
	int r = ht_trace_open(t, path, &d);
	if (r == 0)
		return 0;
	if (!d.hint[0] && r == HT_ERR_NOT_A_TRACE)
		ht_hint(&d, "`heaptide record COMMAND` makes a trace");
	return ht_give_up(r, &d);
}

int ht_reading_status(const struct ht_trace *t)
{
	switch (ht_trace_verdict(t)) {
	case HT_VERDICT_OK:
		return 0;
	case HT_VERDICT_TRUNCATED:
		ht_warn("%s", ht_trace_verdict_text(t));
		return 4;
	case HT_VERDICT_DAMAGED:
		ht_warn("%s: showing what can be read", ht_trace_verdict_text(t));
		return 4;
	}
	return 4;
}

/* A share is of the span of the selected images; NONE leaves the default. */
static uint64_t moment(const struct ht_time_value *v, uint64_t start, uint64_t end,
		       uint64_t otherwise)
{
	if (v->kind == HT_TIME_NS)
		return v->ns;
	if (v->kind == HT_TIME_SHARE)
		return start + (uint64_t)((double)(end - start) * v->share);
	return otherwise;
}

static bool thread_exists(const struct ht_trace *t, const struct ht_selection *s)
{
	for (uint32_t i = 0; i < ht_trace_thread_count(t); i++)
		if (ht_reading_thread_selected(t, s, i))
			return true;
	return false;
}

void ht_reading_symbols(struct ht_analysis_options *o)
{
	o->symbolize = (struct ht_symbolize_options){
	    .sysroot = ht_symbol_settings.sysroot,
	    .debug_dirs = ht_symbol_settings.debug_dirs.items,
	    .debug_dir_count = ht_symbol_settings.debug_dirs.count,
	    .source_root = ht_symbol_settings.source_root,
	    .no_inline = ht_symbol_settings.no_inline,
	    .demangle = (enum ht_demangle)ht_symbol_settings.demangle,
	    .fetch = ht_symbol_settings.debuginfod,
	    .cache = !ht_symbol_settings.no_cache,
	};
	o->progress = ht_progress;
}

int ht_reading_options(const struct ht_trace *t, struct ht_analysis_options *o, struct ht_diag *d)
{
	const struct ht_selection_settings *in = &ht_selection_settings;
	struct ht_selection *s = &o->selection;
	uint64_t start, end;
	ht_analysis_span(t, (uint32_t)in->process, &start, &end);
	s->from_ns = moment(&in->from, start, end, 0);
	s->to_ns = moment(&in->to, start, end, UINT64_MAX);
	if (s->from_ns > s->to_ns)
		return ht_fail(d, HT_ERR_USAGE, "--from: lies after --to");
	s->at_ns = moment(&in->at, start, end, 0);
	s->at = in->at.kind == HT_TIME_PEAK				    ? HT_AT_PEAK
		: in->at.kind == HT_TIME_NS || in->at.kind == HT_TIME_SHARE ? HT_AT_TIME
									    : HT_AT_END;
	s->thread = in->thread;
	s->process = (uint32_t)in->process;
	s->focus = in->focus;
	s->ignore = in->ignore;
	s->hide = in->hide;
	s->module = in->module;
	s->min_size = in->min_size;
	s->max_size = in->max_size;
	if (s->min_size > s->max_size)
		return ht_fail(d, HT_ERR_USAGE, "--min-size: is above --max-size");
	s->region = in->region;
	s->task = in->task;
	ht_reading_symbols(o);
	if (in->allocators)
		o->allocators = in->allocators;
	o->temporary = in->temporary;
	if ((s->thread || s->process) && !thread_exists(t, s))
		ht_warn("--thread, --process: nothing in this trace matches");
	return 0;
}

int ht_reading_analyze(struct ht_analysis **a, struct ht_trace *t, struct ht_analysis_options *o)
{
	struct ht_diag d = {0};
	int r = ht_analyze(a, t, o, &d);
	ht_progress_end();
	return r ? ht_give_up(r, &d) : 0;
}

int ht_reading_run(const char *path, struct ht_analysis_options *o, ht_reading_show *show)
{
	struct ht_trace *t;
	struct ht_analysis *a = NULL;
	struct ht_diag d = {0};
	int status = ht_reading_open(&t, path);
	if (status)
		return status;
	int r = ht_reading_options(t, o, &d);
	status = r ? ht_give_up(r, &d) : ht_reading_analyze(&a, t, o);
	if (!status) {
		const struct ht_selection *s = &a->options.selection;
		if ((s->region || s->task) && a->walked && !a->totals.region_instances)
			ht_warn("--region, --task: nothing in this trace matches");
		r = show(a, path, &d);
		status = r ? ht_give_up(r, &d) : ht_reading_status(t);
		ht_analysis_free(a);
	}
	ht_trace_close(t);
	return status;
}

int ht_reading_run_passes(const char *path, size_t (*passes)(void *ctx, struct ht_analysis *a, struct ht_pass *passes),
			  void *ctx, ht_reading_show *show)
{
	struct ht_analysis_options o;
	ht_analysis_options_init(&o);
	o.symbols = true;
	o.by = HT_BY_LINE;
	o.other_passes = passes;
	o.other_ctx = ctx;
	return ht_reading_run(path, &o, show);
}

bool ht_reading_thread_selected(const struct ht_trace *t, const struct ht_selection *s,
				uint32_t thread)
{
	const struct ht_thread_info *info = ht_trace_thread(t, thread);
	if (!info)
		return !s->thread && !s->process;
	const struct ht_image *image = ht_trace_image(t, info->image);
	if (s->process && (!image || image->pid != s->process))
		return false;
	char tid[16];
	snprintf(tid, sizeof(tid), "%u", info->tid);
	return !s->thread || !strcmp(s->thread, tid) ||
	       !strcmp(s->thread, ht_trace_string(t, info->name, NULL));
}
