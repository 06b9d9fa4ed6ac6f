/*
 * tree: stacks laid over each other, from the root down or from the callsite up. A node stands for
 * all frames with one key under one parent; children are found by a hash of (parent, key).
 */
#include <stdlib.h>

#include "hash_index.h"
#include "tally.h"

struct tree_build {
	const struct ht_analysis *a;
	struct ht_tree *tree;
	size_t cap;
	struct ht_index index;
	enum ht_metric metric;
	bool top_down;
	uint32_t *keys; /* per node */
};

static uint32_t child_of(struct tree_build *b, uint32_t parent, uint32_t frame)
{
	struct ht_tree *t = b->tree;
	uint32_t key = b->a->stacks->keys[frame], v;
	uint32_t hash = ht_mix((uint64_t)parent << 32 | key);
	for (size_t i = ht_index_start(&b->index, hash); (v = ht_index_at(&b->index, &i, hash)) != HT_INDEX_NONE; i++)
		if (b->keys[v] == key && t->nodes[v].parent == parent)
			return v;
	if (t->count == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 256;
		t->nodes = ht_xrealloc(t->nodes, b->cap, sizeof(*t->nodes));
		b->keys = ht_xrealloc(b->keys, b->cap, sizeof(*b->keys));
	}
	v = (uint32_t)t->count++;
	b->keys[v] = key;
	t->nodes[v] = (struct ht_tree_node){
		.frame = &b->a->stacks->frames[frame],
		.parent = parent,
		.first_child = HT_NO_NODE,
		.next_sibling = HT_NO_NODE,
		.depth = parent == HT_NO_NODE ? 0 : t->nodes[parent].depth + 1,
	};
	ht_index_insert(&b->index, hash, v);
	return v;
}

static void add_site(struct tree_build *b, const struct ht_site *site, uint32_t *frames)
{
	struct ht_tree *t = b->tree;
	size_t n = ht_stacks_visible(b->a->stacks, site->node, frames, HT_STACK_MAX_FRAMES);
	uint32_t at = HT_NO_NODE;
	for (size_t i = 0; i < n; i++) {
		at = child_of(b, at, frames[b->top_down ? n - 1 - i : i]);
		ht_counters_add(&t->nodes[at].total, &site->c);
	}
	ht_counters_add(&t->nodes[at].self, &site->c);
	ht_counters_add(&t->sum, &site->c);
}

/* --- siblings in order -------------------------------------------------------------------- */

/* By parent, then by the metric; names settle ties. */
static int compare_nodes(const void *pa, const void *pb, void *ctx)
{
	const struct tree_build *build = ctx;
	const struct ht_tree_node *a = &build->tree->nodes[*(const uint32_t *)pa];
	const struct ht_tree_node *b = &build->tree->nodes[*(const uint32_t *)pb];
	int order;
	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	uint64_t va = ht_counters_metric(&a->total, build->metric);
	uint64_t vb = ht_counters_metric(&b->total, build->metric);
	if (va != vb)
		return va > vb ? -1 : 1;
	if ((order = ht_frame_order(a->frame, b->frame)))
		return order;
	return a < b ? -1 : a > b;
}

static void link_siblings(struct tree_build *b)
{
	struct ht_tree *t = b->tree;
	uint32_t *order = ht_xcalloc(t->count, sizeof(*order));
	for (uint32_t i = 0; i < t->count; i++)
		order[i] = i;
	qsort_r(order, t->count, sizeof(*order), compare_nodes, b);
	t->first_root = HT_NO_NODE;
	for (size_t i = t->count; i-- > 0;) {
		struct ht_tree_node *n = &t->nodes[order[i]];
		uint32_t *first = n->parent == HT_NO_NODE ? &t->first_root : &t->nodes[n->parent].first_child;
		n->next_sibling = *first;
		*first = order[i];
	}
	free(order);
}

/* Walks the tree depth first with a count of the open ancestors per key. */
static void mark_recursion(struct tree_build *b)
{
	struct ht_tree *t = b->tree;
	uint32_t *open = ht_xcalloc(b->a->stacks->key_count, sizeof(*open)); /* per key */
	uint32_t at = t->first_root;
	while (at != HT_NO_NODE) {
		t->nodes[at].recursive = open[b->keys[at]]++ > 0;
		uint32_t next = t->nodes[at].first_child;
		while (next == HT_NO_NODE && at != HT_NO_NODE) {
			open[b->keys[at]]--;
			next = t->nodes[at].next_sibling;
			at = t->nodes[at].parent;
		}
		at = next;
	}
	free(open);
}

void ht_analysis_tree(const struct ht_analysis *a, enum ht_direction d, enum ht_metric metric, struct ht_tree *out)
{
	*out = (struct ht_tree){.first_root = HT_NO_NODE};
	if (!a->sites)
		return;
	struct tree_build b = {.a = a, .tree = out, .metric = metric, .top_down = d == HT_TOP_DOWN};
	uint32_t *frames = ht_xcalloc(HT_STACK_MAX_FRAMES, sizeof(*frames));
	for (uint32_t i = 0; i < a->sites->count; i++) {
		const struct ht_site *site = &a->sites->items[i];
		if (ht_site_counts(site))
			add_site(&b, site, frames);
	}
	link_siblings(&b);
	mark_recursion(&b);
	free(frames);
	free(b.keys);
	ht_index_release(&b.index);
}

void ht_tree_release(struct ht_tree *t)
{
	free(t->nodes);
	*t = (struct ht_tree){0};
}
