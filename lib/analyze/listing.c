/* listing: see listing.h. */
#include "listing.h"

#include <regex.h>
#include <stdlib.h>

#include "tally.h"

#define NOT_LISTED UINT32_MAX

struct build {
	const struct ht_analysis *a;
	struct ht_listing *out;
	size_t cap;
	uint32_t *function_of; /* per frame: index, NOT_LISTED */
	uint32_t *line_of;     /* per frame: index into its function's lines */
	uint32_t *seen;	       /* per function: site + 1 that last added to its total */
	uint32_t **line_seen;  /* the same per line of it */
};

/* --- which frames are listed -------------------------------------------------------------- */

static int by_place(const void *pa, const void *pb, void *ctx)
{
	const struct ht_frame *frames = ctx;
	const struct ht_frame *a = &frames[*(const uint32_t *)pa], *b = &frames[*(const uint32_t *)pb];
	int order;
	if ((order = strcmp(a->function, b->function)) || (order = ht_text_order(a->file, b->file)))
		return order;
	return a->line < b->line ? -1 : a->line > b->line;
}

static struct ht_listed_function *new_function(struct build *b, const struct ht_frame *f)
{
	struct ht_listing *l = b->out;
	if (l->count == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 16;
		l->items = ht_xrealloc(l->items, b->cap, sizeof(*l->items));
	}
	l->items[l->count] = (struct ht_listed_function){
		.name = f->function,
		.file = f->file,
		.module = f->module,
		.inlined = true,
	};
	return &l->items[l->count++];
}

/* Frames in the order of function, file and line: a change of either begins something new. */
static void number_frames(struct build *b, uint32_t *frames, size_t count)
{
	const struct ht_stacks *s = b->a->stacks;
	struct ht_listed_function *f = NULL;
	qsort_r(frames, count, sizeof(*frames), by_place, s->frames);
	for (size_t i = 0; i < count; i++) {
		const struct ht_frame *frame = &s->frames[frames[i]];
		uint32_t line = frame->file ? frame->line : 0;
		if (!f || strcmp(f->name, frame->function) || ht_text_order(f->file, frame->file))
			f = new_function(b, frame);
		if (!f->line_count || f->lines[f->line_count - 1].line != line) {
			if (f->line_count == f->line_cap) {
				f->line_cap = f->line_cap ? f->line_cap * 2 : 8;
				f->lines = ht_xrealloc(f->lines, f->line_cap, sizeof(*f->lines));
			}
			f->lines[f->line_count++] = (struct ht_listed_line){.line = line};
		}
		f->inlined &= frame->inlined;
		if (frame->start_line && (!f->start_line || frame->start_line < f->start_line))
			f->start_line = frame->start_line;
		b->function_of[frames[i]] = (uint32_t)(f - b->out->items);
		b->line_of[frames[i]] = (uint32_t)f->line_count - 1;
	}
}

static void find_frames(struct build *b, const regex_t *re)
{
	const struct ht_stacks *s = b->a->stacks;
	uint32_t *matching = ht_xcalloc(s->frame_count, sizeof(*matching));
	size_t count = 0;
	for (uint32_t i = 0; i < s->frame_count; i++) {
		b->function_of[i] = NOT_LISTED;
		if (s->frames[i].function && !regexec(re, s->frames[i].function, 0, NULL, 0))
			matching[count++] = i;
	}
	number_frames(b, matching, count);
	free(matching);
}

/* --- adding up ---------------------------------------------------------------------------- */

static void add_site(struct build *b, uint32_t number, const struct ht_site *site, uint32_t *frames)
{
	size_t n = ht_stacks_visible(b->a->stacks, site->node, frames, HT_STACK_MAX_FRAMES);
	for (size_t i = 0; i < n; i++) {
		uint32_t function = b->function_of[frames[i]];
		if (function == NOT_LISTED)
			continue;
		struct ht_listed_function *f = &b->out->items[function];
		uint32_t line = b->line_of[frames[i]];
		if (i == 0) {
			ht_counters_add(&f->self, &site->c);
			ht_counters_add(&f->lines[line].self, &site->c);
		}
		if (b->seen[function] != number + 1)
			ht_counters_add(&f->total, &site->c);
		if (b->line_seen[function][line] != number + 1)
			ht_counters_add(&f->lines[line].total, &site->c);
		b->seen[function] = b->line_seen[function][line] = number + 1;
	}
}

static void add_up(struct build *b)
{
	const struct ht_sites *sites = b->a->sites;
	uint32_t *frames = ht_xcalloc(HT_STACK_MAX_FRAMES, sizeof(*frames));
	b->seen = ht_xcalloc(b->out->count, sizeof(*b->seen));
	b->line_seen = ht_xcalloc(b->out->count, sizeof(*b->line_seen));
	for (size_t i = 0; i < b->out->count; i++)
		b->line_seen[i] = ht_xcalloc(b->out->items[i].line_count, sizeof(**b->line_seen));
	for (uint32_t i = 0; sites && i < sites->count; i++)
		if (sites->items[i].shown && sites->items[i].c.allocs)
			add_site(b, i, &sites->items[i], frames);
	for (size_t i = 0; i < b->out->count; i++)
		free(b->line_seen[i]);
	free(b->line_seen);
	free(b->seen);
	free(frames);
}

static int by_metric(const void *pa, const void *pb, void *ctx)
{
	const struct ht_listed_function *a = pa, *b = pb;
	enum ht_metric m = *(const enum ht_metric *)ctx;
	uint64_t va = ht_counters_metric(&a->total, m), vb = ht_counters_metric(&b->total, m);
	int order;
	if (va != vb)
		return va > vb ? -1 : 1;
	return (order = strcmp(a->name, b->name)) ? order : ht_text_order(a->file, b->file);
}

/* Functions and lines that appear where blocks are freed alone, or in stacks that the selection left out. */
static void drop_empty(struct ht_listing *l)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->count; i++) {
		struct ht_listed_function f = l->items[i];
		size_t lines = 0;
		for (size_t k = 0; k < f.line_count; k++)
			if (f.lines[k].total.allocs)
				f.lines[lines++] = f.lines[k];
		f.line_count = lines;
		if (lines)
			l->items[kept++] = f;
		else
			free(f.lines);
	}
	l->count = kept;
}

int ht_analysis_listing(const struct ht_analysis *a, const char *functions, enum ht_metric metric, struct ht_listing *out,
			struct ht_diag *d)
{
	struct build b = {.a = a, .out = out};
	regex_t re;
	int code = regcomp(&re, functions, REG_EXTENDED | REG_NOSUB);
	*out = (struct ht_listing){0};
	if (code) {
		char why[128];
		regerror(code, &re, why, sizeof(why));
		return ht_fail(d, HT_ERR_USAGE, "--list '%s': %s", functions, why);
	}
	b.function_of = ht_xcalloc(a->stacks->frame_count, sizeof(*b.function_of));
	b.line_of = ht_xcalloc(a->stacks->frame_count, sizeof(*b.line_of));
	find_frames(&b, &re);
	regfree(&re);
	add_up(&b);
	drop_empty(out);
	if (out->count)
		qsort_r(out->items, out->count, sizeof(*out->items), by_metric, &metric);
	free(b.function_of);
	free(b.line_of);
	return 0;
}

void ht_listing_release(struct ht_listing *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->items[i].lines);
	free(l->items);
	*l = (struct ht_listing){0};
}
