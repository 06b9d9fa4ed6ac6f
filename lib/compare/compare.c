/*
 * compare: see compare.h. Adding keeps samples as they are, because only with both sides at hand is it known which
 * addresses mean the same. Finishing settles what frames are called (match_modules, and here what was renamed) and which
 * lines are the same (align_lines), unites equal stacks and groups them (group_stacks), pairs what is on one side only
 * (pair) and makes rows of the rest (compare_rows).
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

/* The module part of frames, by mapping + 1; [0]: of no file. */
static char **module_names(struct ht_compare_work *w, const struct ht_profile *p, const char *program, enum ht_side side)
{
	char **names = ht_xcalloc(p->mapping_count + 1, sizeof(*names));
	names[0] = ht_xstrdup("");
	for (size_t i = 0; i < p->mapping_count; i++) {
		names[i + 1] = strcmp(p->mappings[i].file, program) ? frame_module_name(p->mappings[i].file) : ht_xstrdup("");
		see_module(w, names[i + 1], p->mappings[i].build_id, side);
	}
	return names;
}

struct adding {
	struct ht_compare_work *w;
	const struct ht_profile *p;
	enum ht_side side;
	char **modules;
};

static uint32_t intern_line(struct adding *a, const struct ht_profile_location *l, const struct ht_profile_line *line)
{
	const struct ht_profile_function *f = line ? &a->p->functions[line->function] : NULL;
	struct ht_compare_frame frame = {
		.function = f ? f->name : NULL,
		.module = a->modules[l->mapping],
		.file = f ? ht_base_name(f->file) : "",
		.address = f ? 0 : l->address,
	};
	return frame_intern(&a->w->frames, &frame, 1u << a->side);
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

/* Part of a function in a function of its own: a compiler's doing, inlined or not. */
static bool is_part(const struct ht_profile *p, const struct ht_profile_location *l, size_t line)
{
	return line + 1 < l->line_count || strstr(p->functions[l->lines[line].function].system_name, ".part.");
}

static void add_sample(struct adding *a, const struct ht_profile_sample *s, struct raw_stack *r)
{
	struct ht_compare_work *w = a->w;
	bool part = false; /* the frame before is, or may be, one of this one */
	r->at = w->pool_count;
	r->line = r->shown_line = 0;
	for (size_t i = s->callsite; i < s->location_count; i++) {
		const struct ht_profile_location *l = &a->p->locations[s->locations[i]];
		size_t first = i == s->callsite ? s->callsite_line : 0;
		if (i == s->callsite && first < l->line_count) {
			r->line = relative_line(a->p, &l->lines[first]);
			r->shown_line = l->lines[first].line;
		}
		for (size_t k = first; k < l->line_count; k++) {
			uint32_t frame = intern_line(a, l, &l->lines[k]);
			if (!part || w->pool_count == r->at || w->pool[w->pool_count - 1] != frame)
				push(w, frame);
			part = is_part(a->p, l, k);
		}
		if (!l->line_count) {
			push(w, intern_line(a, l, NULL));
			part = false;
		}
	}
	r->depth = (uint32_t)(w->pool_count - r->at);
}

void ht_compare_add(struct ht_compare *c, enum ht_side side, const struct ht_profile *p, const char *program, double scale)
{
	struct ht_compare_work *w = c->work;
	struct adding a = {.w = w, .p = p, .side = side, .modules = module_names(w, p, program, side)};
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

/* --- finishing ----------------------------------------------------------------------------- */

static void place_runs(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	unsigned next[2] = {0, c->runs[HT_OLD]};
	w->runs = w->run_count;
	w->run_place = ht_xcalloc(w->run_count + 1ull, sizeof(*w->run_place));
	for (unsigned i = 0; i < w->run_count; i++)
		w->run_place[i] = next[w->run_side[i]]++;
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

/* By function it is best seen what was renamed; then the old side's frames take their new names. A function that is still
 * there, as a caller, was not renamed as a whole. */
static void rename_frames(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	enum ht_compare_by by = c->by;
	uint8_t *sides = ht_xcalloc(w->frames.count + 1ull, sizeof(*sides));
	for (size_t i = 0; i < w->raw_count; i++)
		for (uint32_t k = 0; k < w->raw[i].depth; k++)
			sides[w->pool[w->raw[i].at + k]] |= (uint8_t)(1u << w->run_side[w->raw[i].run]);
	c->by = HT_COMPARE_FUNCTION;
	group_stacks(c);
	pair_groups(c);
	w->renaming_count = w->frames.count;
	w->renamings = ht_xcalloc(w->renaming_count + 1ull, sizeof(*w->renamings));
	uint32_t *to = ht_xcalloc(w->renaming_count + 1ull, sizeof(*to));
	for (size_t g = 0; g < w->group_count; g++) {
		const struct group *k = &w->groups[g], *old = k->renamed_from ? &w->groups[k->renamed_from - 1] : NULL;
		if (!old || !k->only_new || old->merged_into != g + 1)
			continue;
		uint32_t a = w->pool[w->stacks[old->stack].at], b = w->pool[w->stacks[k->stack].at];
		if (sides[a] != 1u << HT_OLD || sides[b] != 1u << HT_NEW)
			continue;
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
	free(sides);
	c->by = by;
}

void ht_compare_finish(struct ht_compare *c)
{
	place_runs(c);
	common_frames(c);
	if (c->by == HT_COMPARE_STACK || c->by == HT_COMPARE_LINE) {
		unite_stacks(c);
		rename_frames(c);
	}
	if (c->by == HT_COMPARE_LINE)
		align_lines(c);
	unite_stacks(c);
	group_stacks(c);
	pair_groups(c);
	make_rows(c);
}

void ht_compare_free(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	for (size_t i = 0; i < w->module_count; i++) {
		free(w->modules[i].name);
		free(w->modules[i].build_id);
		free(w->modules[i].evidence);
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
	free(w->settled);
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
