/* census: events by class, strange frees, truncated and different stacks; and lifetimes. See census.h. */
#include "census.h"

#include <stdlib.h>

#include "tally.h"

static void look_at_stack(struct ht_census *c, uint32_t stack)
{
	if (!stack || stack >= c->stacks->node_count)
		return;
	uint32_t node = c->stacks->canon[stack];
	struct ht_totals *t = &c->a->totals;
	t->truncated_stacks += c->stacks->end[stack] != HT_END_COMPLETE;
	t->stacks += !c->stack_seen[node];
	c->stack_seen[node] = true;
}

static void count_class(struct ht_event_counts *n, const struct ht_step *s)
{
	switch (s->event->op) {
	case HT_OP_MALLOC:
	case HT_OP_CALLOC:
	case HT_OP_ALIGNED:
	case HT_OP_NEW:
		n->alloc++;
		break;
	case HT_OP_REALLOC:
		n->realloc++;
		/* Its first half stood there as a free until now. */
		n->free -= s->realloc_pair && s->pair_selected;
		break;
	case HT_OP_FREE:
	case HT_OP_DELETE:
	case HT_OP_REALLOC_FREE:
	case HT_OP_FREE_UNKNOWN:
	case HT_OP_REALLOC_FREE_UNKNOWN:
		n->free++;
		break;
	case HT_OP_REALLOC_UNDO:
		n->free -= s->kind == HT_STEP_REVIVE && s->pair_selected;
		break;
	case HT_OP_MMAP:
	case HT_OP_MUNMAP:
	case HT_OP_MREMAP:
	case HT_OP_BRK:
		n->map++;
		break;
	case HT_OP_THREAD_START:
	case HT_OP_THREAD_EXIT:
		n->thread++;
		break;
	default:
		break;
	}
}

/* A strange free, or (by = -1) one that did not happen after all. */
static void count_strange(struct ht_census *c, unsigned kind, bool undecided, uint32_t image, uint64_t by)
{
	struct ht_totals *t = &c->a->totals;
	struct ht_image_totals *m = &c->a->images[image];
	switch (kind) {
	case HT_STEP_FOREIGN:
		t->foreign_frees += by;
		t->undecided_frees += undecided ? by : 0;
		m->foreign_frees += by;
		break;
	case HT_STEP_INHERITED:
		t->inherited_frees += by;
		m->inherited_frees += by;
		break;
	case HT_STEP_UNMATCHED:
		t->unmatched_deaths += by;
		break;
	default:
		break;
	}
}

static void census_step(void *state, const struct ht_step *s)
{
	struct ht_census *c = state;
	/* A birth at a live address ends an unpaired block first: that step is no event of its own. */
	bool own = s->event && (s->kind != HT_STEP_DEATH || !ht_op_is_birth(s->event->op));
	if (!own || !s->actor_selected || s->kind == HT_STEP_LEFT)
		return;
	count_class(&c->a->totals.events, s);
	if (s->kind == HT_STEP_BIRTH || s->kind == HT_STEP_DEATH || s->kind == HT_STEP_INHERITED ||
	    s->kind == HT_STEP_FOREIGN)
		look_at_stack(c, s->event->stack);
	if (s->event->op == HT_OP_FAILED) {
		c->a->totals.failed_calls++;
		c->a->images[s->image].failed_calls++;
	}
	if (s->kind != HT_STEP_REVIVE)
		count_strange(c, s->kind, s->undecided, s->image, 1);
	else if (s->pair_selected)
		count_strange(c, s->undone, s->undone_undecided, s->image, (uint64_t)-1);
}

void ht_census_init(struct ht_census *c, struct ht_analysis *a, const struct ht_stacks *stacks)
{
	*c = (struct ht_census){.a = a, .stacks = stacks};
	c->stack_seen = ht_xcalloc(stacks->node_count, sizeof(*c->stack_seen));
}

struct ht_pass ht_census_pass(struct ht_census *c)
{
	return (struct ht_pass){.name = "census", .state = c, .step = census_step};
}

void ht_census_release(struct ht_census *c)
{
	free(c->stack_seen);
}

/* --- lifetimes ---------------------------------------------------------------------------- */

static void lifetime(struct ht_analysis *a, const struct ht_block *b, uint64_t died_ns, uint64_t by)
{
	/* Clocks of two threads may differ by the trace's 1 ms. */
	uint64_t ns = died_ns > b->birth_ns ? died_ns - b->birth_ns : 0;
	struct ht_lifetime_class *k = &a->lifetimes[ht_size_class_of(ns)];
	k->frees += by;
	k->bytes += by * b->size;
}

static void lifetimes_step(void *state, const struct ht_step *s)
{
	if (!s->block || !s->block->selected || s->implied)
		return;
	if (s->kind == HT_STEP_DEATH)
		lifetime(state, s->block, s->event->time, 1);
	else if (s->kind == HT_STEP_REVIVE)
		lifetime(state, s->block, s->death->time, (uint64_t)-1);
}

struct ht_pass ht_lifetimes_pass(struct ht_analysis *a)
{
	for (unsigned k = 0; k < HT_SIZE_CLASSES; k++) {
		a->lifetimes[k].min_ns = k ? UINT64_C(1) << (k - 1) : 0;
		a->lifetimes[k].max_ns = k ? UINT64_MAX >> (64 - k) : 0;
	}
	return (struct ht_pass){.name = "lifetimes", .state = a, .step = lifetimes_step};
}
