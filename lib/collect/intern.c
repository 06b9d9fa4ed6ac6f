/*
 * intern: see intern.h. Nodes and index grow by doubling, where they lie: fresh pages cost more than what is put into
 * them. What the cache forgets, the index still knows; so the cache grows when that happens, and not with the nodes:
 * programs that make many come back to few of them.
 */
#include "intern.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_NODES 4096u
#define FIRST_CACHE 1024u
#define MAX_CACHE (1u << 20)
#define MAX_STRINGS (1u << 20)
#define MAX_MODULES (1u << 16)

void ht_intern_init(struct ht_interner *in, uint64_t *used, uint64_t cap)
{
	*in = (struct ht_interner){.used = used, .cap = cap, .node_count = 1};
	in->node_cap = FIRST_NODES;
	in->nodes = ht_xcalloc(in->node_cap, sizeof(*in->nodes));
	in->index_mask = 2 * FIRST_NODES - 1;
	in->index = ht_xcalloc(2 * FIRST_NODES, sizeof(*in->index));
	in->cache_mask = FIRST_CACHE - 1;
	in->cache = ht_xcalloc(FIRST_CACHE, sizeof(*in->cache));
	in->strings.mask = 255;
	in->strings.slots = ht_xcalloc(256, sizeof(*in->strings.slots));
}

void ht_intern_release(struct ht_interner *in)
{
	free(in->nodes);
	free(in->index);
	free(in->cache);
	free(in->modules);
	free(in->strings.slots);
	ht_buf_release(&in->strings.text);
}

/* --- strings ------------------------------------------------------------------------------ */

static uint64_t hash_bytes(const char *s, size_t n)
{
	uint64_t h = ht_hash_bytes(HT_HASH_START, s, n);
	return h ^ h >> 32;
}

static void grow_strings(struct ht_interner *in)
{
	uint32_t mask = in->strings.mask * 2 + 1;
	typeof(in->strings.slots) slots = ht_xcalloc((size_t)mask + 1, sizeof(*slots));
	for (uint32_t i = 0; i <= in->strings.mask; i++) {
		if (!in->strings.slots[i].id)
			continue;
		uint32_t at = (uint32_t)in->strings.slots[i].hash & mask;
		while (slots[at].id)
			at = (at + 1) & mask;
		slots[at] = in->strings.slots[i];
	}
	free(in->strings.slots);
	in->strings.slots = slots;
	in->strings.mask = mask;
}

uint32_t ht_intern_string(struct ht_interner *in, const char *s, size_t n)
{
	if (!n)
		return 0;
	uint64_t h = hash_bytes(s, n);
	uint32_t i = (uint32_t)h & in->strings.mask;
	for (; in->strings.slots[i].id; i = (i + 1) & in->strings.mask)
		if (in->strings.slots[i].hash == h && in->strings.slots[i].length == n &&
		    !memcmp(in->strings.text.data + in->strings.slots[i].at, s, n))
			return in->strings.slots[i].id;
	if (in->strings.count >= MAX_STRINGS || in->strings.text.len + n > UINT32_MAX)
		return 0;
	uint32_t id = ht_trace_writer_string(in->writer, s, n);
	if (!id)
		return 0;
	in->strings.slots[i].hash = h;
	in->strings.slots[i].at = (uint32_t)in->strings.text.len;
	in->strings.slots[i].length = (uint32_t)n;
	in->strings.slots[i].id = id;
	ht_buf_append(&in->strings.text, s, n);
	if (++in->strings.count * 2 > in->strings.mask)
		grow_strings(in);
	return id;
}

/* --- modules ------------------------------------------------------------------------------ */

uint32_t ht_intern_module(struct ht_interner *in, const struct ht_module *m)
{
	for (uint32_t i = 0; i < in->module_count; i++) {
		const struct ht_module *k = &in->modules[i];
		if (k->path == m->path && k->build_id_len == m->build_id_len &&
		    !memcmp(k->build_id, m->build_id, m->build_id_len) &&
		    (m->build_id_len || k->text_vaddr == m->text_vaddr) && k->size == m->size)
			return i;
	}
	if (in->module_count >= MAX_MODULES)
		return UINT32_MAX;
	if (in->module_count == in->module_cap) {
		in->module_cap = in->module_cap ? 2 * in->module_cap : 64;
		in->modules = ht_xrealloc(in->modules, in->module_cap, sizeof(*in->modules));
	}
	in->modules[in->module_count++] = *m;
	return ht_trace_writer_module(in->writer, m);
}

/* --- nodes -------------------------------------------------------------------------------- */

static uint32_t hash_node(const struct ht_stack_node *n)
{
	uint64_t h = (n->address ^ (uint64_t)n->parent << 32) * 0x9e3779b97f4a7c15ull;
	h ^= h >> 31;
	h = (h ^ n->module ^ (uint64_t)n->cfa_delta << 16 ^ (uint64_t)n->flags << 56 ^ (uint64_t)n->end << 60) *
	    0xbf58476d1ce4e5b9ull;
	return (uint32_t)(h >> 32);
}

static bool same_node(const struct ht_stack_node *a, const struct ht_stack_node *b)
{
	return a->address == b->address && a->parent == b->parent && a->module == b->module &&
	       a->cfa_delta == b->cfa_delta && a->flags == b->flags && a->end == b->end;
}

/* A frame that the cache did not know has its node already. */
static void found_again(struct ht_interner *in)
{
	uint32_t old_mask = in->cache_mask;
	uint64_t more = 3 * (old_mask + 1ull) * sizeof(*in->cache);
	if (++in->found_again <= old_mask / 2 || old_mask >= MAX_CACHE - 1)
		return;
	in->found_again = 0;
	if (*in->used + more > in->cap)
		return;
	*in->used += more;
	struct ht_node_cache *old = in->cache;
	in->cache_mask = old_mask * 4 + 3;
	in->cache = ht_xcalloc((size_t)in->cache_mask + 1, sizeof(*in->cache));
	for (uint32_t i = 0; i <= old_mask; i++)
		if (old[i].node)
			ht_intern_remember(in, &old[i]);
	free(old);
}

/* Doubles nodes and index; false at the cap. */
static bool grow_nodes(struct ht_interner *in)
{
	uint64_t more = (uint64_t)in->node_cap * (sizeof(*in->nodes) + 2 * sizeof(*in->index));
	if (in->node_cap >= 1u << 30 || *in->used + more > in->cap)
		return false;
	*in->used += more;
	in->node_cap *= 2;
	in->nodes = ht_xrealloc(in->nodes, in->node_cap, sizeof(*in->nodes));
	in->index_mask = in->index_mask * 2 + 1;
	in->index = ht_xrealloc(in->index, (size_t)in->index_mask + 1, sizeof(*in->index));
	memset(in->index, 0, ((size_t)in->index_mask + 1) * sizeof(*in->index));
	for (uint32_t id = 1; id < in->node_count; id++) {
		uint32_t i = hash_node(&in->nodes[id]) & in->index_mask;
		while (in->index[i])
			i = (i + 1) & in->index_mask;
		in->index[i] = id;
	}
	return true;
}

uint32_t ht_intern_node(struct ht_interner *in, const struct ht_stack_node *n)
{
	uint32_t i = hash_node(n) & in->index_mask;
	for (; in->index[i]; i = (i + 1) & in->index_mask)
		if (same_node(&in->nodes[in->index[i]], n)) {
			found_again(in);
			return in->index[i];
		}
	if (in->node_count == in->node_cap) {
		if (!grow_nodes(in))
			return HT_NODE_REFUSED;
		for (i = hash_node(n) & in->index_mask; in->index[i]; i = (i + 1) & in->index_mask)
			;
	}
	uint32_t id = in->node_count++;
	in->nodes[id] = *n;
	in->index[i] = id;
	ht_trace_writer_node(in->writer, n);
	return id;
}
