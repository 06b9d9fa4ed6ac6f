/*
 * group_stacks: equal stacks of all runs become one, and stacks become groups: what will be rows. By line, the key of a stack
 * holds the callsite's line, too, as lines.c has made it comparable.
 */
#include "work.h"

#include <stdlib.h>
#include <string.h>

struct index {
	uint32_t *places, mask;
};

static struct index index_for(size_t n)
{
	struct index x = {NULL, 63};
	while (x.mask < 2 * n)
		x.mask = 2 * x.mask + 1;
	x.places = ht_xcalloc(x.mask + 1ull, sizeof(*x.places));
	return x;
}

static uint64_t hash_stack(const uint32_t *frames, uint32_t depth, uint32_t line)
{
	uint64_t h = line + 1;
	for (uint32_t i = 0; i < depth; i++)
		h = (h ^ frames[i]) * 0x9e3779b97f4a7c15ull, h ^= h >> 29;
	return h;
}

static uint32_t unite(struct ht_compare_work *w, struct index *x, const struct raw_stack *r, uint32_t line)
{
	uint32_t i = (uint32_t)hash_stack(w->pool + r->at, r->depth, line) & x->mask;
	for (; x->places[i]; i = (i + 1) & x->mask) {
		const struct whole_stack *s = &w->stacks[x->places[i] - 1];
		if (s->depth == r->depth && s->line == line &&
		    !memcmp(w->pool + s->at, w->pool + r->at, r->depth * sizeof(*w->pool)))
			return x->places[i] - 1;
	}
	w->stacks[w->stack_count] = (struct whole_stack){.at = r->at, .depth = r->depth, .line = line};
	x->places[i] = (uint32_t)++w->stack_count;
	return x->places[i] - 1;
}

void unite_stacks(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	struct index x = index_for(w->raw_count);
	w->stacks = ht_xcalloc(w->raw_count + 1, sizeof(*w->stacks));
	uint32_t *of = ht_xcalloc(w->raw_count + 1, sizeof(*of));
	for (size_t i = 0; i < w->raw_count; i++)
		of[i] = unite(w, &x, &w->raw[i], c->by == HT_COMPARE_LINE ? w->raw[i].line : 0);
	w->stack_values = ht_xcalloc(w->stack_count + 1, w->runs * HT_CV_COUNT * sizeof(double));
	for (size_t i = 0; i < w->raw_count; i++) {
		double *v = stack_value(w, of[i]) + w->run_place[w->raw[i].run] * HT_CV_COUNT;
		for (unsigned k = 0; k < HT_CV_COUNT; k++)
			v[k] += w->raw[i].values[k];
		struct whole_stack *s = &w->stacks[of[i]];
		if (!s->shown_line || w->run_side[w->raw[i].run] == HT_NEW)
			s->shown_line = w->raw[i].shown_line;
	}
	free(of);
	free(x.places);
}

double side_mean(const struct ht_compare *c, const double *values, enum ht_side side, enum ht_compare_value v)
{
	unsigned first = side == HT_OLD ? 0 : c->runs[HT_OLD];
	double sum = 0;
	for (unsigned i = 0; i < c->runs[side]; i++)
		sum += values[(first + i) * HT_CV_COUNT + v];
	return c->runs[side] ? sum / c->runs[side] : 0;
}

/* What makes a row: its stack's number, or a hash of what the grouping looks at. */
static uint64_t group_key(const struct ht_compare *c, uint32_t stack)
{
	const struct ht_compare_work *w = c->work;
	const struct whole_stack *s = &w->stacks[stack];
	if (c->by == HT_COMPARE_STACK)
		return stack;
	if (!s->depth)
		return UINT64_MAX;
	uint32_t callsite = w->pool[s->at];
	const struct ht_compare_frame *f = &w->frames.items[callsite];
	switch (c->by) {
	case HT_COMPARE_LINE:
		return (uint64_t)callsite << 32 | s->line;
	case HT_COMPARE_FILE:
		return ht_hash_text(HT_HASH_START, *f->file ? f->file : f->module);
	case HT_COMPARE_MODULE:
		return ht_hash_text(HT_HASH_START, f->module);
	default:
		return callsite;
	}
}

static uint32_t group_of(struct ht_compare_work *w, struct index *x, uint64_t *keys, uint64_t key, uint32_t stack)
{
	uint32_t i = (uint32_t)(key * 0x9e3779b97f4a7c15ull >> 32) & x->mask;
	for (; x->places[i]; i = (i + 1) & x->mask)
		if (keys[x->places[i] - 1] == key)
			return x->places[i] - 1;
	keys[w->group_count] = key;
	w->groups[w->group_count].stack = stack;
	x->places[i] = (uint32_t)++w->group_count;
	return x->places[i] - 1;
}

void group_stacks(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	struct index x = index_for(w->stack_count);
	uint64_t *keys = ht_xcalloc(w->stack_count + 1, sizeof(*keys));
	double *heaviest = ht_xcalloc(w->stack_count + 1, sizeof(*heaviest));
	size_t width = (size_t)w->runs * HT_CV_COUNT;
	w->groups = ht_xcalloc(w->stack_count + 1, sizeof(*w->groups));
	for (uint32_t i = 0; i < w->stack_count; i++)
		w->stacks[i].group = group_of(w, &x, keys, group_key(c, i), i);
	w->group_values = ht_xcalloc(w->group_count + 1, width * sizeof(double));
	for (uint32_t i = 0; i < w->stack_count; i++) {
		uint32_t g = w->stacks[i].group;
		const double *v = stack_value(w, i);
		double *to = group_value(w, g), weight = 0;
		for (size_t k = 0; k < width; k++)
			to[k] += v[k];
		weight = side_mean(c, v, HT_NEW, c->metric) + 1e-9 * side_mean(c, v, HT_OLD, c->metric) +
			 1e-12 * side_mean(c, v, HT_NEW, HT_CV_ALLOCS);
		if (weight > heaviest[g]) {
			heaviest[g] = weight;
			w->groups[g].stack = i;
		}
	}
	for (size_t g = 0; g < w->group_count; g++) {
		struct group *k = &w->groups[g];
		const double *v = group_value(w, g);
		k->old_weight = side_mean(c, v, HT_OLD, HT_CV_ALLOCS);
		k->new_weight = side_mean(c, v, HT_NEW, HT_CV_ALLOCS);
		k->old_bytes = side_mean(c, v, HT_OLD, HT_CV_BYTES);
		k->new_bytes = side_mean(c, v, HT_NEW, HT_CV_BYTES);
		k->only_new = k->old_weight <= 0;
	}
	free(x.places);
	free(keys);
	free(heaviest);
}

char *group_text(const struct ht_compare *c, const struct group *g)
{
	const struct ht_compare_work *w = c->work;
	const struct whole_stack *s = &w->stacks[g->stack];
	if (!s->depth)
		return ht_xstrdup("?");
	const struct ht_compare_frame *f = &w->frames.items[w->pool[s->at]];
	if (c->by == HT_COMPARE_FILE)
		return ht_xstrdup(*f->file ? f->file : f->module);
	return ht_compare_frame_text(f);
}
