/*
 * timeline_build_heaps: each process' heap at its own peak, as a profile. All in the one walk: the steps of a process
 * go to a tally of its own (lib/analyze/tally.h), as if it were the only one selected.
 */
#include <stdlib.h>

#include "estimate.h"
#include "tally.h"
#include "timeline_build_work.h"

/* What an analysis of one process would be. The stacks are those of the whole. */
struct heap {
	struct ht_analysis a;
	struct ht_tally_pass tally;
	struct ht_estimate *estimate; /* NULL: every allocation is there */
	struct ht_step *steps;
	size_t count, cap;
};
struct ht_timeline_heaps {
	const struct ht_timeline_work *w;
	struct heap *items; /* of the first processes */
	size_t count;
};

void ht_timeline_heaps_begin(struct ht_timeline_work *w, bool wanted)
{
	struct ht_timeline_heaps *h = wanted ? ht_xcalloc(1, sizeof(*h)) : NULL;
	w->heaps = h;
	if (!h)
		return;
	h->w = w;
	h->count = w->processes.count < HT_TIMELINE_HEAPS ? w->processes.count : HT_TIMELINE_HEAPS;
	w->made.other_heaps = w->processes.count - h->count;
	h->items = ht_xcalloc(h->count, sizeof(*h->items));
	for (size_t p = 0; p < h->count; p++) {
		struct heap *x = &h->items[p];
		x->a = *w->a;
		x->a.options.sites = true;
		x->a.options.other_passes = NULL;
		x->a.options.selection.process = w->processes.items[p].pid;
		x->a.images = ht_xcalloc(x->a.image_count, sizeof(*x->a.images));
		x->a.threads = ht_xcalloc(x->a.thread_count, sizeof(*x->a.threads));
		for (size_t i = 0; i < x->a.image_count; i++) {
			x->a.images[i] = w->a->images[i];
			x->a.images[i].selected = w->process_of[i] == p + 1;
		}
		for (size_t i = 0; i < x->a.thread_count; i++)
			x->a.threads[i] = w->a->threads[i];
		ht_tally_init(&x->tally, &x->a, x->a.stacks);
		x->estimate = ht_estimate_new(&x->a);
	}
}

/* --- the pass ----------------------------------------------------------------------------- */

static void hand_on(struct heap *x)
{
	const struct ht_pass tally = ht_tally_pass(&x->tally);
	tally.steps(tally.state, x->steps, x->count);
	if (x->estimate) {
		const struct ht_pass estimate = ht_estimate_pass(x->estimate);
		estimate.steps(estimate.state, x->steps, x->count);
	}
	x->count = 0;
}

static void steps(void *state, const struct ht_step *all, size_t count)
{
	struct ht_timeline_heaps *h = state;
	const struct ht_timeline_work *w = h->w;
	for (size_t i = 0; i < count; i++) {
		const struct ht_step *s = &all[i];
		uint32_t image = s->selected ? w->a->threads[s->owner].image : UINT32_MAX;
		uint32_t process = image < w->a->image_count ? w->process_of[image] : 0;
		if (!process || process > h->count)
			continue;
		struct heap *x = &h->items[process - 1];
		if (x->count == x->cap) {
			x->cap = x->cap ? x->cap * 2 : 256;
			x->steps = ht_xrealloc(x->steps, x->cap, sizeof(*x->steps));
		}
		x->steps[x->count++] = *s;
	}
	for (size_t p = 0; p < h->count; p++)
		if (h->items[p].count)
			hand_on(&h->items[p]);
}

struct ht_pass ht_timeline_heaps_pass(struct ht_timeline_work *w)
{
	return (struct ht_pass){.name = "heaps", .state = w->heaps, .steps = w->heaps ? steps : NULL};
}

/* --- profiles ----------------------------------------------------------------------------- */

void ht_timeline_heaps_take(struct ht_timeline_work *w)
{
	struct ht_timeline_heaps *h = w->heaps;
	for (size_t i = 0; h && i < h->count; i++) {
		struct heap *x = &h->items[i];
		ht_tally_finish(&x->tally);
		if (x->estimate)
			ht_estimate_finish(x->estimate);
		free(x->steps);
		x->steps = NULL;
		if (!x->a.totals.has_peak || !ht_timeline_inside(w, x->a.totals.peak_time_ns))
			continue;
		*HT_TIMELINE_ADD(w->heap_list) = (struct ht_timeline_heap){
			.process = (uint32_t)i,
			.time_ns = x->a.totals.peak_time_ns,
			.profile = ht_analysis_profile(&x->a, HT_PROFILE_PEAK, NULL, 0, NULL),
			.objects_value = 0,
			.bytes_value = 1,
		};
	}
}

void ht_timeline_heaps_free(struct ht_timeline_work *w)
{
	struct ht_timeline_heaps *h = w->heaps;
	for (size_t i = 0; i < w->heap_list.count; i++)
		ht_profile_free(w->heap_list.items[i].profile);
	free(w->heap_list.items);
	if (!h)
		return;
	for (size_t i = 0; i < h->count; i++) {
		ht_sites_free(h->items[i].a.sites);
		ht_spreads_free(h->items[i].a.spreads);
		free(h->items[i].a.images);
		free(h->items[i].a.threads);
	}
	free(h->items);
	free(h);
}
