/* lifespans: see lifespans.h. */
#include "lifespans.h"

#include <stdlib.h>

#include "estimate.h"
#include "pass.h"
#include "stacks.h"

#define UNKNOWN UINT32_MAX
#define NOT_SHOWN (UINT32_MAX - 1)

struct stack_span {
	uint32_t row; /* key of the callsite's frame, or UNKNOWN, or NOT_SHOWN */
	uint64_t sum_ns;
	uint64_t left, left_births_ns; /* blocks never freed, and the sum of their births */
};

struct ht_lifespans {
	const struct ht_analysis *a;
	struct stack_span *stacks; /* per canonical node */
	struct ht_lifespan *rows;  /* per key; by stack: per canonical node */
	uint32_t row_count;
};

/* --- classes ------------------------------------------------------------------------------ */

static unsigned class_of(uint64_t ns)
{
	if (ns < UINT64_C(1) << HT_LIFESPAN_FIRST)
		return 0;
	unsigned octave = 63u - (unsigned)__builtin_clzll(ns);
	if (octave >= HT_LIFESPAN_LAST)
		return HT_LIFESPAN_CLASSES - 1;
	return 1 + (octave - HT_LIFESPAN_FIRST) * 4 + (unsigned)(ns >> (octave - 2) & 3);
}

uint64_t ht_lifespan_bound(unsigned k)
{
	if (!k)
		return 0;
	if (k >= HT_LIFESPAN_CLASSES)
		return UINT64_MAX;
	unsigned octave = HT_LIFESPAN_FIRST + (k - 1) / 4;
	return (UINT64_C(4) + (k - 1) % 4) << (octave - 2);
}

uint64_t ht_lifespan_percentile(const struct ht_lifespan *l, double share)
{
	uint64_t seen = 0;
	if (!l->frees)
		return 0;
	double wanted = share * (double)l->frees;
	for (unsigned k = 0; k < HT_LIFESPAN_CLASSES; k++) {
		seen += l->classes[k];
		if (!l->classes[k] || (double)seen < wanted)
			continue;
		uint64_t end = ht_lifespan_bound(k + 1) - 1;
		return end < l->max_ns ? end : l->max_ns;
	}
	return l->max_ns;
}

/* --- the pass ----------------------------------------------------------------------------- */

static uint32_t row_of(const struct ht_lifespans *l, uint32_t node)
{
	const struct ht_stacks *s = l->a->stacks;
	if (!ht_stacks_shown(s, node))
		return NOT_SHOWN;
	return l->a->options.by == HT_BY_STACK ? node : s->keys[ht_stacks_callsite_index(s, node)];
}

static struct stack_span *span_of(struct ht_lifespans *l, const struct ht_step *b)
{
	const struct ht_stacks *s = l->a->stacks;
	if (!b->wanted)
		return NULL;
	uint32_t node = s->canon[b->birth_stack < s->node_count ? b->birth_stack : 0];
	struct stack_span *span = &l->stacks[node];
	if (span->row == UNKNOWN)
		span->row = row_of(l, node);
	return span->row == NOT_SHOWN ? NULL : span;
}

/* The time of as many blocks as ht_amount says. */
static uint64_t times(const struct ht_lifespans *l, uint64_t ns, uint64_t objects)
{
	return l->a->sample_bytes ? (uint64_t)((unsigned __int128)ns * objects / HT_AMOUNT_ONE) : ns * objects;
}

/* by: +1, or -1 when the death is taken back. */
static void note_death(struct ht_lifespans *l, const struct ht_step *s, uint64_t by)
{
	struct stack_span *span = span_of(l, s);
	if (!span)
		return;
	const uint64_t ns = s->lived_ns, objects = ht_amount_of(l->a, s->size).objects;
	struct ht_lifespan *row = &l->rows[span->row];
	if (!row->classes)
		row->classes = ht_xcalloc(HT_LIFESPAN_CLASSES, sizeof(*row->classes));
	span->sum_ns += by * times(l, ns, objects);
	row->frees += by * objects;
	row->classes[class_of(ns)] += by * objects;
	if (ns > row->max_ns)
		row->max_ns = ns;
}

static void note_left(struct ht_lifespans *l, const struct ht_step *s)
{
	struct stack_span *span = span_of(l, s);
	if (!span)
		return;
	const uint64_t objects = ht_amount_of(l->a, s->size).objects;
	span->sum_ns += times(l, s->lived_ns, objects);
	if (!s->op) {
		span->left += objects;
		span->left_births_ns += times(l, s->birth_ns, objects);
	}
}

static void steps(void *state, const struct ht_step *steps, size_t count)
{
	struct ht_lifespans *l = state;
	for (const struct ht_step *s = steps; s < steps + count; s++) {
		if (!s->selected || s->implied)
			continue;
		if (s->kind == HT_STEP_DEATH)
			note_death(l, s, 1);
		else if (s->kind == HT_STEP_REVIVE)
			note_death(l, s, (uint64_t)-1);
		else if (s->kind == HT_STEP_LEFT)
			note_left(l, s);
	}
}

static void end(void *state, uint64_t last_ns)
{
	struct ht_lifespans *l = state;
	for (uint32_t i = 0; i < l->a->stacks->node_count; i++) {
		struct stack_span *span = &l->stacks[i];
		uint64_t ends_ns = times(l, last_ns, span->left);
		span->sum_ns += ends_ns > span->left_births_ns ? ends_ns - span->left_births_ns : 0;
	}
	for (uint32_t i = 0; i < l->row_count; i++) {
		ht_amount_whole(l->a, &l->rows[i].frees);
		for (size_t k = 0; l->rows[i].classes && k < HT_LIFESPAN_CLASSES; k++)
			ht_amount_whole(l->a, &l->rows[i].classes[k]);
	}
}

struct ht_pass ht_lifespans_pass(struct ht_lifespans *l)
{
	return (struct ht_pass){.name = "lifespans", .state = l, .steps = steps, .end = end};
}

struct ht_lifespans *ht_lifespans_new(struct ht_analysis *a)
{
	struct ht_lifespans *l = ht_xcalloc(1, sizeof(*l));
	uint32_t nodes = a->stacks->node_count;
	l->a = a;
	l->stacks = ht_xcalloc(nodes, sizeof(*l->stacks));
	for (uint32_t i = 0; i < nodes; i++)
		l->stacks[i].row = UNKNOWN;
	l->row_count = a->options.by == HT_BY_STACK ? nodes : a->stacks->key_count;
	l->rows = ht_xcalloc(l->row_count, sizeof(*l->rows));
	return l;
}

void ht_lifespans_free(struct ht_lifespans *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->row_count; i++)
		free(l->rows[i].classes);
	free(l->rows);
	free(l->stacks);
	free(l);
}

/* --- asking ------------------------------------------------------------------------------- */

const struct ht_lifespan *ht_row_lifespan(const struct ht_analysis *a, const struct ht_row *row)
{
	if (!a->lifespans || !row->frame)
		return NULL;
	uint32_t number = a->options.by == HT_BY_STACK ? row->node : a->stacks->keys[row->frame - a->stacks->frames];
	const struct ht_lifespan *l = &a->lifespans->rows[number];
	return l->frees ? l : NULL;
}

uint64_t ht_stack_lifespan_ns(const struct ht_analysis *a, uint32_t node)
{
	return a->lifespans ? a->lifespans->stacks[a->stacks->canon[node]].sum_ns : 0;
}
