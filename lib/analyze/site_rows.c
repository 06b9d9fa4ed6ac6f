/*
 * site_rows: sites to the rows of a table. The stacks that the filters let through are grouped by their
 * callsite's key, so a key is a row; "total" walks each stack once and adds its counters to every
 * key on it, once each.
 */
#include <stdlib.h>

#include "tally.h"

struct row_build {
	const struct ht_analysis *a;
	enum ht_metric metric;
	struct ht_row *items; /* per key, or per site */
	uint64_t *best;	      /* per row: value of its heaviest stack, + 1; 0 = none yet */
};

/* What the grouping knows of a frame. */
static void describe(struct ht_row *r, const struct ht_frame *f, enum ht_by by)
{
	r->frame = f;
	switch (by) {
	case HT_BY_MODULE:
		r->module = f->module;
		break;
	case HT_BY_FILE:
		r->file = f->file;
		r->module = f->file ? NULL : f->module;
		break;
	default:
		r->function = f->function;
		r->file = f->file;
		r->module = f->module;
		if (by != HT_BY_FUNCTION) {
			r->line = f->line;
			r->inlined = f->inlined;
		}
		break;
	}
}

static void add_self(struct row_build *b, uint32_t row, const struct ht_site *site)
{
	struct ht_row *r = &b->items[row];
	const struct ht_stacks *s = b->a->stacks;
	uint64_t value = ht_counters_metric(&site->c, b->metric) + 1;
	if (!b->best[row])
		describe(r, ht_stacks_callsite(s, site->node), b->a->options.by);
	if (value > b->best[row]) {
		b->best[row] = value;
		r->node = site->node;
	}
	r->stacks++;
	ht_counters_add(&r->self, &site->c);
}

/* From the callsite outward, as the callsite's own row is among them; visited: per key, the site + 1 that came last. */
static void add_total(const struct ht_analysis *a, uint32_t number, uint32_t *frames, uint32_t *visited)
{
	const struct ht_stacks *s = a->stacks;
	const struct ht_site *site = &a->sites->items[number];
	size_t n = ht_stacks_visible(s, site->node, frames, HT_STACK_MAX_FRAMES);
	for (size_t i = 0; i < n; i++) {
		uint32_t key = s->keys[frames[i]];
		struct ht_row_total *t = &a->sites->totals[key];
		if (visited[key] == number + 1)
			continue;
		visited[key] = number + 1;
		if (!t->frame)
			t->frame = &s->frames[frames[i]];
		ht_counters_add(&t->c, &site->c);
	}
}

/* Whatever the order of the rows, their totals are the same: found once, for all. */
static void find_totals(const struct ht_analysis *a)
{
	struct ht_sites *sites = a->sites;
	if (sites->totals)
		return;
	uint32_t *frames = ht_xcalloc(HT_STACK_MAX_FRAMES, sizeof(*frames));
	uint32_t *visited = ht_xcalloc(a->stacks->key_count, sizeof(*visited));
	sites->totals = ht_xcalloc(a->stacks->key_count, sizeof(*sites->totals));
	for (uint32_t i = 0; i < sites->count; i++)
		if (ht_site_counts(&sites->items[i]))
			add_total(a, i, frames, visited);
	free(frames);
	free(visited);
}

static void take_totals(struct row_build *b)
{
	find_totals(b->a);
	for (uint32_t i = 0; i < b->a->stacks->key_count; i++) {
		const struct ht_row_total *t = &b->a->sites->totals[i];
		if (!t->frame)
			continue;
		describe(&b->items[i], t->frame, b->a->options.by);
		b->items[i].total = t->c;
	}
}

static void set_own_peak(struct ht_counters *c, const struct ht_sites *s, uint32_t row)
{
	const struct ht_level *l = &s->levels[row];
	c->own_peak_known = true;
	c->own_peak_bytes = l->peak_bytes;
	c->own_peak_objects = l->peak_objects;
	c->own_peak_time_ns = l->peak_ns;
	if (c->spread && s->level_variances)
		c->spread->variance[HT_SPREAD_OWN_PEAK_BYTES] = s->level_variances[row];
}

static int compare_rows(const void *pa, const void *pb, void *ctx)
{
	const struct ht_row *a = pa, *b = pb;
	enum ht_metric m = *(const enum ht_metric *)ctx;
	uint64_t va = ht_counters_metric(&a->self, m), vb = ht_counters_metric(&b->self, m);
	int order;
	if (va != vb)
		return va > vb ? -1 : 1;
	va = ht_counters_metric(&a->total, m), vb = ht_counters_metric(&b->total, m);
	if (va != vb)
		return va > vb ? -1 : 1;
	if ((order = ht_text_order(a->function, b->function)) || (order = ht_text_order(a->file, b->file)))
		return order;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if ((order = ht_text_order(a->module, b->module)))
		return order;
	if (a->frame->address != b->frame->address)
		return a->frame->address < b->frame->address ? -1 : 1;
	return a->node < b->node ? -1 : a->node > b->node;
}

static void fill(struct row_build *b, const struct ht_sites *sites)
{
	if (b->a->options.by != HT_BY_STACK)
		take_totals(b);
	for (uint32_t i = 0; i < sites->count; i++)
		if (ht_site_counts(&sites->items[i]))
			add_self(b, sites->items[i].row, &sites->items[i]);
}

void ht_analysis_rows(const struct ht_analysis *a, enum ht_metric metric, bool with_callees, struct ht_rows *out)
{
	const struct ht_sites *sites = a->sites;
	*out = (struct ht_rows){0};
	if (!sites)
		return;
	bool by_stack = a->options.by == HT_BY_STACK;
	uint32_t count = by_stack ? sites->count : a->stacks->key_count;
	struct row_build b = {
		.a = a,
		.metric = metric,
		.items = ht_xcalloc(count, sizeof(*b.items)),
		.best = ht_xcalloc(count, sizeof(*b.best)),
	};
	fill(&b, sites);
	for (uint32_t i = 0; i < count; i++) {
		if (!b.items[i].stacks && !(with_callees && b.items[i].frame))
			continue;
		if (i < sites->level_count)
			set_own_peak(&b.items[i].self, sites, i);
		if (by_stack)
			b.items[i].total = b.items[i].self;
		ht_counters_add(&out->sum, &b.items[i].self);
		b.items[out->count++] = b.items[i];
	}
	qsort_r(b.items, out->count, sizeof(*b.items), compare_rows, &metric);
	out->items = b.items;
	free(b.best);
}

void ht_rows_release(struct ht_rows *r)
{
	free(r->items);
	*r = (struct ht_rows){0};
}
