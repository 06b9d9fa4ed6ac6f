/* census: events by class, strange frees, truncated and different stacks; and lifetimes. See census.h. */
#include "census.h"

#include "estimate.h"

#include <stdlib.h>

#include "tally.h"

enum { TRUNCATED = 1, LOOKED_AT = 2, SEEN = 4 /* canonical nodes: the stack was met */ };

static __attribute__((noinline)) void first_look(struct ht_census *c, uint32_t stack)
{
	uint32_t node = c->stacks->canon[stack];
	c->marks[stack] |= LOOKED_AT | (c->stacks->end[stack] != HT_END_COMPLETE ? TRUNCATED : 0);
	c->a->totals.stacks += !(c->marks[node] & SEEN);
	c->marks[node] |= SEEN;
}

static inline void look_at_stack(struct ht_census *c, uint32_t stack)
{
	if (!stack || stack >= c->stacks->node_count)
		return;
	if (__builtin_expect(!(c->marks[stack] & LOOKED_AT), 0))
		first_look(c, stack);
	c->a->totals.truncated_stacks += c->marks[stack] & TRUNCATED;
}

/* A strange free, or (by = -1) one that did not happen after all. */
static void count_strange(struct ht_census *c, unsigned kind, const struct ht_step *s, uint64_t by)
{
	struct ht_totals *t = &c->a->totals;
	struct ht_image_totals *m = &c->a->images[s->image];
	switch (kind) {
	case HT_STEP_FOREIGN:
		t->foreign_frees += by;
		t->undecided_frees += s->undecided ? by : 0;
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

static __attribute__((noinline)) void rare_step(struct ht_census *c, const struct ht_step *s)
{
	if (s->kind == HT_STEP_REVIVE) {
		/* The half of a realloc that was completed stands as that realloc. */
		c->undone += s->pair_selected && !s->realloc_pair;
		if (s->pair_selected)
			count_strange(c, s->undone, s, (uint64_t)-1);
		return;
	}
	if (s->kind == HT_STEP_INHERITED || s->kind == HT_STEP_FOREIGN)
		look_at_stack(c, s->stack);
	count_strange(c, s->kind, s, 1);
	if (s->op == HT_OP_FAILED) {
		c->a->totals.failed_calls++;
		c->a->images[s->image].failed_calls++;
	}
}

static void census_steps(void *state, const struct ht_step *steps, size_t count)
{
	struct ht_census *c = state;
	for (const struct ht_step *s = steps; s < steps + count; s++) {
		/* A birth that ends a block at its address does so in a step without an op: it is no event of its own. */
		if (!s->actor_selected || !s->op)
			continue;
		c->ops[s->op]++;
		if (__builtin_expect(s->kind > HT_STEP_DEATH, 0)) {
			rare_step(c, s);
			continue;
		}
		look_at_stack(c, s->stack);
		c->paired += s->realloc_pair & s->pair_selected;
	}
}

static uint64_t ops_between(const struct ht_census *c, unsigned first, unsigned last)
{
	uint64_t n = 0;
	for (unsigned op = first; op <= last; op++)
		n += c->ops[op];
	return n;
}

static void census_end(void *state, uint64_t last_ns)
{
	const struct ht_census *c = state;
	(void)last_ns;
	c->a->totals.events = (struct ht_event_counts){
		.alloc = ops_between(c, HT_OP_MALLOC, HT_OP_NEW),
		.realloc = c->ops[HT_OP_REALLOC],
		/* A half stood there as a free until the other one came. */
		.free = c->ops[HT_OP_FREE] + c->ops[HT_OP_DELETE] + c->ops[HT_OP_REALLOC_FREE] +
			c->ops[HT_OP_FREE_UNKNOWN] + c->ops[HT_OP_REALLOC_FREE_UNKNOWN] - c->paired - c->undone,
		.map = ops_between(c, HT_OP_MMAP, HT_OP_BRK),
		.thread = c->ops[HT_OP_THREAD_START] + c->ops[HT_OP_THREAD_EXIT],
	};
}

void ht_census_init(struct ht_census *c, struct ht_analysis *a, const struct ht_stacks *stacks)
{
	*c = (struct ht_census){.a = a, .stacks = stacks};
	c->marks = ht_xcalloc(stacks->node_count, sizeof(*c->marks));
}

struct ht_pass ht_census_pass(struct ht_census *c)
{
	return (struct ht_pass){.name = "census", .state = c, .steps = census_steps, .end = census_end};
}

void ht_census_release(struct ht_census *c)
{
	free(c->marks);
}

/* --- lifetimes ---------------------------------------------------------------------------- */

static void lifetimes_steps(void *state, const struct ht_step *steps, size_t count)
{
	struct ht_analysis *a = state;
	for (const struct ht_step *s = steps; s < steps + count; s++) {
		if (!s->selected || s->implied || (s->kind != HT_STEP_DEATH && s->kind != HT_STEP_REVIVE))
			continue;
		uint64_t by = s->kind == HT_STEP_DEATH ? 1 : (uint64_t)-1;
		struct ht_lifetime_class *k = &a->lifetimes[ht_size_class_of(s->lived_ns)];
		struct ht_amount n = ht_amount_of(a, s->size);
		k->frees += by * n.objects;
		k->bytes += by * n.bytes;
	}
}

static void lifetimes_end(void *state, uint64_t last_ns)
{
	struct ht_analysis *a = state;
	(void)last_ns;
	for (unsigned k = 0; k < HT_SIZE_CLASSES; k++) {
		ht_amount_whole(a, &a->lifetimes[k].frees);
		ht_amount_whole(a, &a->lifetimes[k].bytes);
	}
}

struct ht_pass ht_lifetimes_pass(struct ht_analysis *a)
{
	for (unsigned k = 0; k < HT_SIZE_CLASSES; k++) {
		a->lifetimes[k].min_ns = k ? UINT64_C(1) << (k - 1) : 0;
		a->lifetimes[k].max_ns = k ? UINT64_MAX >> (64 - k) : 0;
	}
	return (struct ht_pass){.name = "lifetimes", .state = a, .steps = lifetimes_steps, .end = lifetimes_end};
}
