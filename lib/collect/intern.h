/*
 * intern: strings, modules and stack nodes get their ids here, each once per trace.
 *
 * A stack node is looked up twice. First by what the ring says, (parent, view, pc, delta), in a two-way
 * cache that forgets; a view is one generation of one address space, so a pc means one thing in it.
 * On a miss the pc is resolved to (module, link-time address), and the table of all nodes decides: the
 * same code loaded again, or in another process, is the same node.
 *
 * Invariant: nodes[id] is what the trace has under id; ids are dense and start at 1.
 */
#ifndef HT_INTERN_H
#define HT_INTERN_H

#include "ring.h"
#include "trace.h"

#define HT_NODE_REFUSED UINT32_MAX /* the memory cap, or outer frames that were refused */

struct ht_node_cache {
	uint64_t pc; /* | guess << 63 */
	uint32_t parent, view;
	uint32_t delta; /* ^ why the stack ends << 28 */
	uint32_t node;
};

struct ht_interner {
	struct ht_trace_writer *writer;
	struct ht_stack_node *nodes;
	uint32_t node_count, node_cap;
	uint32_t *index; /* open addressing, 0 = empty */
	uint32_t index_mask;
	struct ht_node_cache *cache;
	uint32_t cache_mask, found_again; /* nodes that the cache had not, since it grew last */
	struct ht_module *modules;
	uint32_t module_count, module_cap;
	struct { /* strings: bytes lie behind each other in text */
		struct ht_buf text;
		struct { uint64_t hash; uint32_t at, length, id; } *slots;
		uint32_t mask, count;
	} strings;
	uint64_t *used, cap;
};

void ht_intern_init(struct ht_interner *in, uint64_t *used, uint64_t cap);
void ht_intern_release(struct ht_interner *in);

uint32_t ht_intern_string(struct ht_interner *in, const char *s, size_t n);
/* By path and build-id. */
uint32_t ht_intern_module(struct ht_interner *in, const struct ht_module *m);
/* HT_NODE_REFUSED when memory is short. */
uint32_t ht_intern_node(struct ht_interner *in, const struct ht_stack_node *n);

/* Two-way: a key's place and its neighbour. */
static inline struct ht_node_cache *ht_intern_place(struct ht_interner *in, const struct ht_node_cache *key)
{
	uint64_t h = (key->pc ^ (uint64_t)key->parent << 32) * 0x9e3779b97f4a7c15ull;
	h = (h ^ h >> 29 ^ key->delta ^ (uint64_t)key->view << 20) * 0xbf58476d1ce4e5b9ull;
	return &in->cache[h >> 32 & in->cache_mask];
}
static inline struct ht_node_cache *ht_intern_other(struct ht_interner *in, struct ht_node_cache *place)
{
	return in->cache + ((size_t)(place - in->cache) ^ 1);
}
static inline bool ht_intern_same(const struct ht_node_cache *a, const struct ht_node_cache *key)
{
	return a->pc == key->pc && a->parent == key->parent && a->delta == key->delta && a->view == key->view &&
	       a->node;
}
/* The node of a key (its node field is not looked at), 0 = not in the cache. */
static inline uint32_t ht_intern_cached(struct ht_interner *in, const struct ht_node_cache *key)
{
	struct ht_node_cache *place = ht_intern_place(in, key);
	if (ht_intern_same(place, key))
		return place->node;
	place = ht_intern_other(in, place);
	return ht_intern_same(place, key) ? place->node : 0;
}
static inline void ht_intern_remember(struct ht_interner *in, const struct ht_node_cache *key)
{
	struct ht_node_cache *place = ht_intern_place(in, key);
	if (place->node) {
		struct ht_node_cache *other = ht_intern_other(in, place);
		if (!other->node)
			place = other;
		else
			*other = *place; /* the older one of the two goes */
	}
	*place = *key;
}

#endif
