/* analyze: see analyze.h. Here: who is selected, which passes run, and who owns what. */
#include "analyze.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "census.h"
#include "estimate.h"
#include "labelled.h"
#include "lifespans.h"
#include "tally.h"

#define MAX_SERIES_BUCKETS 1000000

void ht_analysis_options_init(struct ht_analysis_options *o)
{
	*o = (struct ht_analysis_options){
		.selection = {.to_ns = UINT64_MAX, .max_size = UINT64_MAX},
		.allocators = HT_ALLOCATORS,
		.temporary = 1,
	};
}

/* --- selection ---------------------------------------------------------------------------- */

static bool image_chosen(const struct ht_trace *t, uint32_t image, uint32_t process)
{
	const struct ht_image *m = ht_trace_image(t, image);
	return m && (!process || m->pid == process);
}

static bool thread_chosen(const struct ht_trace *t, const struct ht_thread_info *i, const char *wanted)
{
	if (!wanted)
		return true;
	if (!strcmp(ht_trace_string(t, i->name, NULL), wanted))
		return true;
	char *end;
	errno = 0;
	unsigned long tid = strtoul(wanted, &end, 10);
	return wanted[0] >= '0' && wanted[0] <= '9' && !*end && !errno && tid == i->tid;
}

void ht_analysis_span(const struct ht_trace *t, uint32_t process, uint64_t *start_ns, uint64_t *end_ns)
{
	uint64_t start = UINT64_MAX, end = 0;
	for (uint32_t i = 0; i < ht_trace_image_count(t); i++) {
		if (!image_chosen(t, i, process))
			continue;
		const struct ht_image *m = ht_trace_image(t, i);
		uint64_t last = m->end_ns == UINT64_MAX ? ht_trace_duration_ns(t) : m->end_ns;
		start = m->start_ns < start ? m->start_ns : start;
		end = last > end ? last : end;
	}
	*start_ns = start == UINT64_MAX ? 0 : start;
	*end_ns = end > *start_ns ? end : *start_ns;
}

static void set_span(struct ht_analysis *a)
{
	const struct ht_selection *sel = &a->options.selection;
	struct ht_totals *t = &a->totals;
	ht_analysis_span(a->trace, sel->process, &t->first_ns, &t->last_ns);
	if (sel->to_ns < t->last_ns)
		t->last_ns = sel->to_ns;
	if (sel->from_ns > t->first_ns)
		t->first_ns = sel->from_ns;
	if (t->last_ns < t->first_ns)
		t->last_ns = t->first_ns;
}

/* One flag per image and per thread; fills in who they are on the way. */
static void select_population(struct ht_analysis *a, bool *images, bool *threads)
{
	const struct ht_trace *t = a->trace;
	const struct ht_selection *sel = &a->options.selection;
	for (uint32_t i = 0; i < a->image_count; i++) {
		images[i] = image_chosen(t, i, sel->process);
		a->totals.images += images[i];
		a->images[i].image = i;
		a->images[i].selected = images[i];
		a->images[i].ended = ht_trace_image(t, i)->end_ns != UINT64_MAX;
	}
	for (uint32_t i = 0; i < a->thread_count; i++) {
		const struct ht_thread_info *info = ht_trace_thread(t, i);
		bool known = info->image < a->image_count;
		threads[i] = known && images[info->image] && thread_chosen(t, info, sel->thread);
		a->totals.threads += threads[i];
		if (known)
			a->images[info->image].threads += threads[i];
		a->threads[i].thread = i;
		a->threads[i].image = info->image;
		a->threads[i].tid = info->tid;
		a->threads[i].selected = threads[i];
		a->threads[i].name = ht_trace_string(t, info->name, NULL);
	}
}

/* --- the run ------------------------------------------------------------------------------ */

size_t ht_no_passes(void *ctx, struct ht_analysis *a, struct ht_pass *passes)
{
	(void)ctx;
	(void)a;
	(void)passes;
	return 0;
}

static void run_other_passes(struct ht_analysis *a, const bool *threads)
{
	struct ht_pass passes[HT_OTHER_PASSES];
	struct ht_walk_result result;
	size_t count = a->options.other_passes(a->options.other_ctx, a, passes);
	if (!count)
		return; /* only stacks are wanted */
	ht_walk(a->trace, &a->options, threads, passes, count, &result);
	a->walked = true;
	a->totals.region_instances = result.region_instances;
	a->totals.damaged_blocks = result.damaged_blocks;
}

static void run_passes(struct ht_analysis *a, const bool *images, const bool *threads)
{
	struct ht_tally_pass tally;
	struct ht_census census;
	struct ht_series series;
	struct ht_walk_result result;
	ht_tally_init(&tally, a, a->stacks);
	ht_census_init(&census, a, a->stacks);
	ht_series_init(&series, a, images);
	struct ht_pass passes[7] = {
		ht_tally_pass(&tally),
		ht_census_pass(&census),
		ht_lifetimes_pass(a),
		ht_series_pass(&series),
	};
	size_t pass_count = 4;
	if (a->options.lifetimes) {
		a->lifespans = ht_lifespans_new(a);
		passes[pass_count++] = ht_lifespans_pass(a->lifespans);
	}
	if (a->options.labels) {
		a->labelled = ht_labelled_new(a);
		passes[pass_count++] = ht_labelled_pass(a->labelled);
	}
	struct ht_estimate *estimate = ht_estimate_new(a);
	if (estimate)
		passes[pass_count++] = ht_estimate_pass(estimate);
	ht_walk(a->trace, &a->options, threads, passes, pass_count, &result);
	a->walked = true;
	a->totals.region_instances = result.region_instances;
	a->totals.damaged_blocks = result.damaged_blocks;
	ht_count_times(a);
	ht_tally_finish(&tally);
	if (estimate)
		ht_estimate_finish(estimate);
	ht_census_release(&census);
}

int ht_analyze(struct ht_analysis **out, struct ht_trace *t, const struct ht_analysis_options *o,
	       struct ht_diag *d)
{
	struct ht_analysis *a = ht_xcalloc(1, sizeof(*a));
	a->trace = t;
	a->options = *o;
	if (a->options.series_buckets > MAX_SERIES_BUCKETS)
		a->options.series_buckets = MAX_SERIES_BUCKETS;
	int code = ht_stacks_new(&a->stacks, t, &a->options, d);
	if (code < 0) {
		ht_analysis_free(a);
		return code;
	}
	a->image_count = ht_trace_image_count(t);
	a->thread_count = ht_trace_thread_count(t);
	a->images = ht_xcalloc(a->image_count, sizeof(*a->images));
	a->threads = ht_xcalloc(a->thread_count, sizeof(*a->threads));
	bool *images = ht_xcalloc(a->image_count, sizeof(*images));
	bool *threads = ht_xcalloc(a->thread_count, sizeof(*threads));
	select_population(a, images, threads);
	set_span(a);
	if (o->other_passes)
		run_other_passes(a, threads);
	else
		run_passes(a, images, threads);
	free(images);
	free(threads);
	*out = a;
	return 0;
}

void ht_analysis_free(struct ht_analysis *a)
{
	if (!a)
		return;
	ht_sites_free(a->sites);
	ht_lifespans_free(a->lifespans);
	ht_labelled_free(a->labelled);
	ht_spreads_free(a->spreads);
	ht_stacks_free(a->stacks);
	free(a->images);
	free(a->threads);
	free(a->series);
	free(a);
}

static bool incomplete(struct ht_diag *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool incomplete(struct ht_diag *why, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ht_fail(why, HT_OK, "%s", text);
	return false;
}

bool ht_analysis_complete(const struct ht_analysis *a, struct ht_diag *why)
{
	const struct ht_trace *t = a->trace;
	const struct ht_trace_settings *settings = ht_trace_settings(t);
	bool footer;
	const struct ht_trace_totals *totals = ht_trace_totals(t, &footer);
	if (ht_trace_verdict(t) != HT_VERDICT_OK)
		return incomplete(why, "%s", ht_trace_verdict_text(t));
	for (unsigned i = 0; footer && i < HT_LOST_COUNT; i++)
		if (totals->lost[i])
			return incomplete(why, "%llu events lost: %s", (unsigned long long)totals->lost[i],
					  ht_lost_names[i]);
	if (settings->flags && strstr(settings->flags, "shadowed_by="))
		return incomplete(why, "another allocator shadows the hook");
	for (size_t i = 0; i < a->image_count; i++)
		if (!a->images[i].ended)
			return incomplete(why, "pid %u was still running", ht_trace_image(t, (uint32_t)i)->pid);
	return true;
}
