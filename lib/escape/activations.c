/* activations: see activations.h. */
#include "activations.h"

#include <stdlib.h>

#include "hash_index.h"

#define MANY_ROOTS UINT16_MAX

/* --- nodes -------------------------------------------------------------------------------- */

static const struct ht_frame *physical(const struct ht_stacks *s, uint32_t location)
{
	const struct ht_location *l = &s->locations[location];
	return &s->frames[l->first + l->count - 1];
}

/* Functions of one name in one module count as one: what may be the same is never taken for another. */
static void number_functions(struct ht_shapes *s)
{
	const struct ht_stacks *stacks = s->stacks;
	struct ht_index index = {0};
	s->functions = ht_xcalloc(stacks->location_count, sizeof(*s->functions));
	for (uint32_t i = 1; i < stacks->location_count; i++) {
		const struct ht_frame *f = physical(stacks, i);
		if (!f->function)
			continue;
		uint32_t hash = ht_mix(ht_hash_text(HT_HASH_START ^ f->module_id, f->function)), v;
		size_t at = ht_index_start(&index, hash);
		for (; (v = ht_index_at(&index, &at, hash)) != HT_INDEX_NONE; at++) {
			const struct ht_frame *g = physical(stacks, v);
			if (g->module_id == f->module_id && !strcmp(g->function, f->function))
				break;
		}
		if (v == HT_INDEX_NONE)
			ht_index_insert(&index, hash, v = i);
		s->functions[i] = v;
	}
	ht_index_release(&index);
}

/* 0: what stands outside is not known, or what stands here is a guess. */
static uint16_t depth_of(const struct ht_stack_node *n, uint16_t parent_depth)
{
	if (n->flags & HT_FRAME_GUESS)
		return 0;
	if (!n->parent)
		return n->end == HT_END_COMPLETE;
	return parent_depth && parent_depth < HT_ACTIVATION_DEPTH ? (uint16_t)(parent_depth + 1) : 0;
}

void ht_shapes_init(struct ht_shapes *s, const struct ht_stacks *stacks)
{
	uint16_t roots = 0;
	*s = (struct ht_shapes){.stacks = stacks};
	number_functions(s);
	s->of = ht_xcalloc(stacks->node_count, sizeof(*s->of));
	for (uint32_t i = 1; i < stacks->node_count; i++) {
		const struct ht_stack_node *n = &stacks->nodes[i];
		uint32_t parent = n->parent < i ? n->parent : 0;
		s->of[i] = (struct ht_shape){
			.parent = parent,
			.function = s->functions[stacks->location[i]],
			.cfa_delta = n->cfa_delta,
			.depth = depth_of(n, s->of[parent].depth),
			.root = parent ? s->of[parent].root : roots,
		};
		if (!parent && roots < MANY_ROOTS)
			roots++;
	}
}

void ht_shapes_release(struct ht_shapes *s)
{
	free(s->of);
	free(s->functions);
}

/* --- a thread ----------------------------------------------------------------------------- */

static void room(struct ht_machine *m, uint32_t depth)
{
	if (depth <= m->cap)
		return;
	m->cap = depth < 32 ? 64 : depth * 2;
	m->node = ht_xrealloc(m->node, m->cap, sizeof(*m->node));
	m->born = ht_xrealloc(m->born, m->cap, sizeof(*m->born));
}

/* Puts the stack in place of the last one; only what differs is touched. */
static void compare(struct ht_machine *m, const struct ht_shapes *s, uint32_t leaf, uint64_t now)
{
	const struct ht_shape *of = s->of;
	uint32_t depth = of[leaf].depth, i = depth, n = leaf, old = 0;
	room(m, depth);
	while (i && !(i <= m->depth && m->node[i - 1] == n)) {
		i--;
		old = i < m->depth ? m->node[i] : 0;
		m->node[i] = n;
		/* Overwritten below if it is the outermost that differs. */
		if (!old)
			m->born[i] = now;
		else if (i && i <= m->depth && m->node[i - 1] != of[n].parent)
			m->born[i] = now;
		else if (of[old].cfa_delta != of[n].cfa_delta ||
			 (of[old].function && of[n].function && of[old].function != of[n].function))
			m->born[i] = now;
		n = of[n].parent;
	}
	m->depth = depth;
}

void ht_activity_event(struct ht_activity *a, const struct ht_shapes *s, uint32_t node, bool new_machine)
{
	const struct ht_shape *shape = &s->of[node < s->stacks->node_count ? node : 0];
	a->events++;
	if (!node)
		return;
	if (!a->begun && shape->depth) {
		a->begun = true;
		a->root = shape->root;
		a->machine = 0;
		compare(&a->first, s, node, a->events);
		return;
	}
	if (a->begun && shape->depth && shape->root == a->root && a->root != MANY_ROOTS) {
		a->machine = 0;
		compare(&a->first, s, node, a->events);
		return;
	}
	if (new_machine || !a->machine || !shape->depth) {
		a->machine = ++a->machines;
		a->other.depth = 0;
	}
	if (shape->depth)
		compare(&a->other, s, node, a->events);
	else
		a->other.depth = 0;
}

int ht_activity_alive(const struct ht_activity *a, const struct ht_moment *m, uint32_t depth)
{
	const struct ht_machine *now = a->machine ? &a->other : &a->first;
	if (a->machine != m->machine || !depth || !now->depth)
		return -1;
	uint32_t n = depth < now->depth ? depth : now->depth;
	while (n && now->born[n - 1] > m->event)
		n--;
	return (int)n;
}

void ht_activity_release(struct ht_activity *a)
{
	free(a->first.node);
	free(a->first.born);
	free(a->other.node);
	free(a->other.born);
}
