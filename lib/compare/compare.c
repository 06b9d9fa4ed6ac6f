/*
 * compare: see compare.h. Adding keeps samples as they are, because only with both sides at hand is it known which
 * addresses mean the same. Finishing unites equal stacks, then groups them into rows.
 */
#include "work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const ht_compare_status_names[] = {
	[HT_ROW_SAME] = "same",	  [HT_ROW_NEW] = "new",	      [HT_ROW_GONE] = "gone",
	[HT_ROW_GREW] = "grew",	  [HT_ROW_SHRANK] = "shrank", [HT_ROW_RENAMED] = "renamed",
};

/* Which value of a whole profile each of ours is. */
static const enum ht_whole_value whole_value[HT_CV_COUNT] = {
	[HT_CV_ALLOCS] = HT_WHOLE_ALLOC_OBJECTS,	  [HT_CV_BYTES] = HT_WHOLE_ALLOC_SPACE,
	[HT_CV_PEAK_OBJECTS] = HT_WHOLE_PEAK_OBJECTS,	  [HT_CV_PEAK_BYTES] = HT_WHOLE_PEAK_SPACE,
	[HT_CV_LEAKED_OBJECTS] = HT_WHOLE_LEAKED_OBJECTS, [HT_CV_LEAKED_BYTES] = HT_WHOLE_LEAKED_SPACE,
	[HT_CV_TEMPORARY] = HT_WHOLE_TEMPORARY_OBJECTS,
};

struct ht_compare *ht_compare_new(enum ht_compare_by by, enum ht_compare_value metric)
{
	struct ht_compare *c = ht_xcalloc(1, sizeof(*c));
	c->by = by;
	c->metric = metric;
	c->work = ht_xcalloc(1, sizeof(*c->work));
	return c;
}

/* --- adding -------------------------------------------------------------------------------- */

static void see_module(struct ht_compare_work *w, const char *name, const char *build_id, enum ht_side side)
{
	for (size_t i = 0; i < w->module_count; i++)
		if (!strcmp(w->modules[i].name, name) && !strcmp(w->modules[i].build_id, build_id)) {
			w->modules[i].sides |= 1u << side;
			return;
		}
	w->modules = ht_xrealloc(w->modules, w->module_count + 1, sizeof(*w->modules));
	w->modules[w->module_count++] = (struct module_seen){ht_xstrdup(name), ht_xstrdup(build_id), 1u << side};
}

/* The module part of frames, by mapping + 1; [0]: of no file. Mapping 0 is the program, whatever it is called. */
static char **module_names(struct ht_compare_work *w, const struct ht_profile *p, enum ht_side side)
{
	char **names = ht_xcalloc(p->mapping_count + 1, sizeof(*names));
	names[0] = ht_xstrdup("");
	for (size_t i = 0; i < p->mapping_count; i++) {
		names[i + 1] = i ? frame_module_name(p->mappings[i].file) : ht_xstrdup("");
		see_module(w, names[i + 1], p->mappings[i].build_id, side);
	}
	return names;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

struct adding {
	struct ht_compare_work *w;
	const struct ht_profile *p;
	char **modules;
};

static uint32_t intern_line(struct adding *a, const struct ht_profile_location *l, const struct ht_profile_line *line)
{
	const struct ht_profile_function *f = line ? &a->p->functions[line->function] : NULL;
	struct ht_compare_frame frame = {
		.function = f ? f->name : NULL,
		.module = a->modules[l->mapping],
		.file = f ? base_name(f->file) : "",
		.address = f ? 0 : l->address,
	};
	return frame_intern(&a->w->frames, &frame);
}

static void push(struct ht_compare_work *w, uint32_t frame)
{
	if (w->pool_count == w->pool_cap) {
		w->pool_cap = w->pool_cap ? 2 * w->pool_cap : 4096;
		w->pool = ht_xrealloc(w->pool, w->pool_cap, sizeof(*w->pool));
	}
	w->pool[w->pool_count++] = frame;
}

/* The callsite's line, counted from its function's first. */
static uint32_t relative_line(const struct ht_profile *p, const struct ht_profile_line *line)
{
	uint32_t start = p->functions[line->function].start_line;
	return start && line->line >= start ? line->line - start + 1 : line->line;
}

static void add_sample(struct adding *a, const struct ht_profile_sample *s, struct raw_stack *r)
{
	r->at = a->w->pool_count;
	r->line = r->shown_line = 0;
	for (size_t i = s->callsite; i < s->location_count; i++) {
		const struct ht_profile_location *l = &a->p->locations[s->locations[i]];
		size_t first = i == s->callsite ? s->callsite_line : 0;
		if (i == s->callsite && first < l->line_count) {
			r->line = relative_line(a->p, &l->lines[first]);
			r->shown_line = l->lines[first].line;
		}
		for (size_t k = first; k < l->line_count; k++)
			push(a->w, intern_line(a, l, &l->lines[k]));
		if (!l->line_count)
			push(a->w, intern_line(a, l, NULL));
	}
	r->depth = (uint32_t)(a->w->pool_count - r->at);
}

void ht_compare_add(struct ht_compare *c, enum ht_side side, const struct ht_profile *p, double scale)
{
	struct ht_compare_work *w = c->work;
	struct adding a = {.w = w, .p = p, .modules = module_names(w, p, side)};
	w->run_side = ht_xrealloc(w->run_side, w->run_count + 1, sizeof(*w->run_side));
	w->run_side[w->run_count] = side;
	if (w->raw_cap < w->raw_count + p->sample_count) {
		w->raw_cap = w->raw_count + p->sample_count;
		w->raw = ht_xrealloc(w->raw, w->raw_cap, sizeof(*w->raw));
	}
	for (size_t i = 0; i < p->sample_count; i++) {
		struct raw_stack *r = &w->raw[w->raw_count++];
		add_sample(&a, &p->samples[i], r);
		r->run = w->run_count;
		for (unsigned v = 0; v < HT_CV_COUNT; v++)
			r->values[v] = (double)p->samples[i].values[whole_value[v]] * scale;
	}
	w->run_count++;
	c->runs[side]++;
	for (size_t i = 0; i <= p->mapping_count; i++)
		free(a.modules[i]);
	free(a.modules);
}

/* --- uniting ------------------------------------------------------------------------------- */

/* An address in a file that is not on both sides means nothing to the other: all such of a file are one. */
static void common_frames(struct ht_compare_work *w)
{
	uint32_t count = w->frames.count, *common = ht_xcalloc(count + 1ull, sizeof(*common));
	for (uint32_t i = 0; i < count; i++) {
		struct ht_compare_frame f = w->frames.items[i];
		bool both = false;
		common[i] = i;
		for (size_t m = 0; m < w->module_count; m++)
			both |= w->modules[m].sides == 3 && *w->modules[m].build_id && !strcmp(w->modules[m].name, f.module);
		if (!f.address || both)
			continue;
		f.address = 0;
		common[i] = frame_intern(&w->frames, &f);
	}
	for (size_t i = 0; i < w->pool_count; i++)
		w->pool[i] = common[w->pool[i]];
	free(common);
}

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

static void place_runs(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	unsigned next[2] = {0, c->runs[HT_OLD]};
	w->runs = w->run_count;
	w->run_place = ht_xcalloc(w->run_count + 1ull, sizeof(*w->run_place));
	for (unsigned i = 0; i < w->run_count; i++)
		w->run_place[i] = next[w->run_side[i]]++;
}

static void unite_all(struct ht_compare *c)
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

/* --- grouping ------------------------------------------------------------------------------ */

double side_mean(const struct ht_compare *c, const double *values, enum ht_side side, enum ht_compare_value v)
{
	unsigned first = side == HT_OLD ? 0 : c->runs[HT_OLD];
	double sum = 0;
	for (unsigned i = 0; i < c->runs[side]; i++)
		sum += values[(first + i) * HT_CV_COUNT + v];
	return sum / c->runs[side];
}

/* What makes a row: its stack's number, or a hash of what the grouping looks at. */
static uint64_t group_key(const struct ht_compare *c, uint32_t stack)
{
	const struct ht_compare_work *w = c->work;
	const struct whole_stack *s = &w->stacks[stack];
	if (c->by == HT_COMPARE_STACK || !s->depth)
		return stack;
	uint32_t callsite = w->pool[s->at];
	const struct ht_compare_frame *f = &w->frames.items[callsite];
	uint64_t h = 0xcbf29ce484222325ull;
	switch (c->by) {
	case HT_COMPARE_LINE:
		return (uint64_t)callsite << 32 | s->line;
	case HT_COMPARE_FILE:
		for (const char *t = *f->file ? f->file : f->module; *t; t++)
			h = (h ^ (uint8_t)*t) * 0x100000001b3ull;
		return h;
	case HT_COMPARE_MODULE:
		for (const char *t = f->module; *t; t++)
			h = (h ^ (uint8_t)*t) * 0x100000001b3ull;
		return h;
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

static void group_all(struct ht_compare *c)
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
		k->line = w->stacks[k->stack].line;
		k->only_new = k->old_weight <= 0;
	}
	free(x.places);
	free(keys);
	free(heaviest);
}

/* --- rows ---------------------------------------------------------------------------------- */

static const char *keep_text(struct ht_compare_work *w, char *text)
{
	w->texts = ht_xrealloc(w->texts, w->text_count + 1, sizeof(*w->texts));
	w->texts[w->text_count++] = text;
	return text;
}

/* Means of several runs are sums of whole numbers: what is left of equal ones is rounding. */
static bool equal(double a, double b)
{
	return fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static void fill_numbers(const struct ht_compare *c, const double *values, struct ht_compare_row *r)
{
	for (unsigned v = 0; v < HT_CV_COUNT; v++) {
		r->old[v] = side_mean(c, values, HT_OLD, v);
		r->new[v] = side_mean(c, values, HT_NEW, v);
		if (equal(r->old[v], r->new[v]))
			r->new[v] = r->old[v];
		r->in_old |= r->old[v] != 0;
		r->in_new |= r->new[v] != 0;
	}
}

static enum ht_compare_status status_of(const struct ht_compare *c, const struct ht_compare_row *r)
{
	double old = r->old[c->metric], new = r->new[c->metric];
	if (r->renamed_from)
		return HT_ROW_RENAMED;
	if (r->in_new && !r->in_old)
		return HT_ROW_NEW;
	if (r->in_old && !r->in_new)
		return HT_ROW_GONE;
	return new > old ? HT_ROW_GREW : new < old ? HT_ROW_SHRANK : HT_ROW_SAME;
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
	return frame_text(f);
}

/* The frame of the row's stack that was renamed between the sides, SIZE_MAX: none. By line only the callsite counts. */
static size_t renamed_frame(const struct ht_compare *c, const struct ht_compare_row *r)
{
	const struct ht_compare_work *w = c->work;
	size_t n = c->by == HT_COMPARE_STACK ? r->depth : c->by == HT_COMPARE_LINE && r->depth ? 1 : 0;
	for (size_t i = 0; i < n; i++)
		if (r->stack[i] < w->renaming_count && w->renamings[r->stack[i]].from)
			return i;
	return SIZE_MAX;
}

static void fill_row(struct ht_compare *c, size_t g, struct ht_compare_row *r)
{
	struct ht_compare_work *w = c->work;
	const struct group *k = &w->groups[g];
	const struct whole_stack *s = &w->stacks[k->stack];
	r->stack = w->pool + s->at;
	r->depth = s->depth;
	if (s->depth)
		r->frame = w->frames.items[w->pool[s->at]];
	else
		r->frame = (struct ht_compare_frame){.module = "", .file = ""};
	if (c->by == HT_COMPARE_FILE || c->by == HT_COMPARE_MODULE)
		r->frame.function = NULL, r->frame.address = 0;
	if (c->by == HT_COMPARE_MODULE)
		r->frame.file = "";
	r->line = c->by == HT_COMPARE_LINE ? s->shown_line : 0;
	r->evidence = k->evidence ? k->evidence : "";
	if (k->renamed_from)
		r->renamed_from = keep_text(w, group_text(c, &w->groups[k->renamed_from - 1]));
	fill_numbers(c, group_value(w, g), r);
	size_t renamed = renamed_frame(c, r);
	if (!r->renamed_from && r->in_old && renamed != SIZE_MAX) {
		const struct renaming *n = &w->renamings[r->stack[renamed]];
		r->renamed_from = keep_text(w, frame_text(&w->frames.items[n->from - 1]));
		r->evidence = n->evidence;
	}
	r->status = status_of(c, r);
}

static const struct ht_compare *sorting; /* qsort has no context; one comparison is sorted at a time */

static int by_change(const void *a, const void *b)
{
	const struct ht_compare_row *x = a, *y = b;
	double dx = fabs(ht_compare_delta(x, sorting->metric)), dy = fabs(ht_compare_delta(y, sorting->metric));
	if (dx != dy)
		return dx > dy ? -1 : 1;
	dx = fabs(ht_compare_delta(x, HT_CV_ALLOCS)), dy = fabs(ht_compare_delta(y, HT_CV_ALLOCS));
	if (dx != dy)
		return dx > dy ? -1 : 1;
	dx = x->new[sorting->metric], dy = y->new[sorting->metric];
	if (dx != dy)
		return dx > dy ? -1 : 1;
	int order = strcmp(x->frame.function ? x->frame.function : "", y->frame.function ? y->frame.function : "");
	if (!order)
		order = strcmp(x->frame.file, y->frame.file);
	if (!order)
		order = strcmp(x->frame.module, y->frame.module);
	if (order)
		return order;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

/* Row number `rows` is the total. */
static void test_rows(struct ht_compare *c, const size_t *group_of_row)
{
	struct ht_compare_work *w = c->work;
	w->tests = ht_xcalloc((c->row_count + 1) * w->runs, sizeof(double));
	w->significance = ht_xcalloc(c->row_count + 1, sizeof(*w->significance));
	for (size_t i = 0; i < c->row_count; i++)
		for (unsigned run = 0; run < w->runs; run++) {
			double v = group_value(w, group_of_row[i])[run * HT_CV_COUNT + c->metric];
			w->tests[i * w->runs + run] = v;
			w->tests[c->row_count * w->runs + run] += v;
		}
	if (!ht_significance(w->tests, c->row_count, c->runs[HT_OLD], c->runs[HT_NEW], w->significance) ||
	    !ht_significance(w->tests + c->row_count * w->runs, 1, c->runs[HT_OLD], c->runs[HT_NEW],
			     w->significance + c->row_count))
		return;
	for (size_t i = 0; i < c->row_count; i++) {
		c->rows[i].tested = true;
		c->rows[i].significance = w->significance[i];
	}
	c->total.tested = true;
	c->total.significance = w->significance[c->row_count];
}

static void release_groups(struct ht_compare_work *w)
{
	for (size_t i = 0; i < w->group_count; i++)
		free(w->groups[i].evidence);
	free(w->groups);
	free(w->group_values);
	free(w->contexts);
	free(w->stacks);
	free(w->stack_values);
	w->groups = NULL;
	w->contexts = NULL;
	w->stacks = NULL;
	w->group_values = w->stack_values = NULL;
	w->group_count = w->context_count = w->stack_count = 0;
}

/* By function it is best seen what was renamed; then the old side's frames take their new names. */
static void rename_frames(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	enum ht_compare_by by = c->by;
	c->by = HT_COMPARE_FUNCTION;
	group_all(c);
	pair_groups(c);
	w->renaming_count = w->frames.count;
	w->renamings = ht_xcalloc(w->renaming_count + 1ull, sizeof(*w->renamings));
	uint32_t *to = ht_xcalloc(w->renaming_count + 1ull, sizeof(*to));
	for (size_t g = 0; g < w->group_count; g++) {
		const struct group *k = &w->groups[g], *old = k->renamed_from ? &w->groups[k->renamed_from - 1] : NULL;
		if (!old || !k->only_new || old->merged_into != g + 1)
			continue;
		uint32_t a = w->pool[w->stacks[old->stack].at], b = w->pool[w->stacks[k->stack].at];
		to[a] = b + 1;
		w->renamings[b] = (struct renaming){a + 1, ht_xstrdup(k->evidence ? k->evidence : "")};
	}
	release_groups(w);
	for (size_t i = 0; i < w->raw_count; i++)
		for (uint32_t k = 0; w->run_side[w->raw[i].run] == HT_OLD && k < w->raw[i].depth; k++) {
			uint32_t *f = &w->pool[w->raw[i].at + k];
			*f = to[*f] ? to[*f] - 1 : *f;
		}
	free(to);
	c->by = by;
}

void ht_compare_finish(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	place_runs(c);
	common_frames(w);
	unite_all(c);
	if (c->by == HT_COMPARE_STACK || c->by == HT_COMPARE_LINE) {
		rename_frames(c);
		unite_all(c);
	}
	group_all(c);
	pair_groups(c);
	c->frames = w->frames.items;
	c->rows = ht_xcalloc(w->group_count + 1, sizeof(*c->rows));
	size_t *group_of_row = ht_xcalloc(w->group_count + 1, sizeof(*group_of_row));
	double *sum = ht_xcalloc((size_t)w->runs * HT_CV_COUNT, sizeof(*sum));
	for (size_t g = 0; g < w->group_count; g++) {
		const double *v = group_value(w, g);
		for (size_t k = 0; k < (size_t)w->runs * HT_CV_COUNT; k++)
			sum[k] += v[k];
		if (w->groups[g].merged_into)
			continue;
		group_of_row[c->row_count] = g;
		fill_row(c, g, &c->rows[c->row_count++]);
	}
	c->total.frame = (struct ht_compare_frame){.module = "", .file = ""};
	c->total.evidence = "";
	fill_numbers(c, sum, &c->total);
	c->total.status = status_of(c, &c->total);
	if (c->runs[HT_OLD] > 1 && c->runs[HT_NEW] > 1)
		test_rows(c, group_of_row);
	sorting = c;
	qsort(c->rows, c->row_count, sizeof(*c->rows), by_change);
	free(sum);
	free(group_of_row);
}

void ht_compare_free(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	for (size_t i = 0; i < w->module_count; i++) {
		free(w->modules[i].name);
		free(w->modules[i].build_id);
	}
	release_groups(w);
	for (uint32_t i = 0; i < w->renaming_count; i++)
		free(w->renamings[i].evidence);
	free(w->renamings);
	for (size_t i = 0; i < w->text_count; i++)
		free(w->texts[i]);
	frame_table_release(&w->frames);
	free(w->texts);
	free(w->modules);
	free(w->pool);
	free(w->raw);
	free(w->run_side);
	free(w->run_place);
	free(w->tests);
	free(w->significance);
	free(w);
	free(c->rows);
	free(c);
}
