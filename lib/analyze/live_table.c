/* live_table: see live_table.h. */
#include "live_table.h"

#include <stdlib.h>
#include <string.h>

#include "base.h"

void ht_live_init(struct ht_live_table *t, uint32_t images)
{
	*t = (struct ht_live_table){.images = images};
	t->heads = ht_xcalloc(images, sizeof(*t->heads));
	t->inherited = ht_xcalloc(images, sizeof(*t->inherited));
}

void ht_live_release(struct ht_live_table *t)
{
	for (uint32_t i = 0; i < t->images; i++)
		ht_live_forget_inherited(t, i);
	free(t->inherited);
	free(t->heads);
	free(t->pool);
	ht_index_release(&t->by_seq);
	ht_index_release(&t->by_address);
}

static uint32_t hash_address(uint32_t image, uint64_t address)
{
	return ht_mix(address ^ (uint64_t)image << 48);
}

void ht_live_grow(struct ht_live_table *t)
{
	t->cap = t->cap ? t->cap * 2 : 1024;
	t->pool = ht_xrealloc(t->pool, t->cap, sizeof(*t->pool));
}

void ht_live_add_address(struct ht_live_table *t, const struct ht_block *b)
{
	ht_index_insert(&t->by_address, hash_address(b->image, b->address), (uint32_t)(b - t->pool));
}

struct ht_block *ht_live_find_address(const struct ht_live_table *t, uint32_t image, uint64_t address)
{
	uint32_t hash = hash_address(image, address), v;
	if (!t->by_address.count)
		return NULL;
	for (size_t i = ht_index_start(&t->by_address, hash);
	     (v = ht_index_at(&t->by_address, &i, hash)) != HT_INDEX_NONE; i++)
		if (t->pool[v].address == address && t->pool[v].image == image)
			return &t->pool[v];
	return NULL;
}

static void unindex(struct ht_index *x, uint32_t hash, uint32_t value)
{
	uint32_t v;
	for (size_t i = ht_index_start(x, hash); (v = ht_index_at(x, &i, hash)) != HT_INDEX_NONE; i++)
		if (v == value) {
			ht_index_remove(x, i);
			return;
		}
}

void ht_live_remove(struct ht_live_table *t, struct ht_block *b)
{
	uint32_t i = (uint32_t)(b - t->pool);
	unindex(&t->by_seq, ht_live_hash(b->seq), i);
	if (ht_live_by_address(b))
		unindex(&t->by_address, hash_address(b->image, b->address), i);
	if (b->prev)
		t->pool[b->prev - 1].next = b->next;
	else
		t->heads[b->image] = b->next;
	if (b->next)
		t->pool[b->next - 1].prev = b->prev;
	b->next = t->free;
	t->free = i + 1;
}

struct ht_block *ht_live_first(const struct ht_live_table *t, uint32_t image)
{
	return t->heads[image] ? &t->pool[t->heads[image] - 1] : NULL;
}

struct ht_block *ht_live_next(const struct ht_live_table *t, const struct ht_block *b)
{
	return b->next ? &t->pool[b->next - 1] : NULL;
}

void ht_live_inherit(struct ht_live_table *t, uint32_t parent, uint32_t child)
{
	ht_live_forget_inherited(t, child);
	struct ht_address_set *set = ht_xcalloc(1, sizeof(*set));
	for (const struct ht_block *b = ht_live_first(t, parent); b; b = ht_live_next(t, b))
		if (b->address)
			ht_address_set_add(set, b->address);
	const struct ht_address_set *old = t->inherited[parent];
	for (size_t i = 0; old && old->slots && i <= old->mask; i++)
		if (old->slots[i])
			ht_address_set_add(set, old->slots[i]);
	t->inherited[child] = set;
}

bool ht_live_drop_inherited(struct ht_live_table *t, uint32_t image, uint64_t address)
{
	return address && t->inherited[image] && ht_address_set_remove(t->inherited[image], address);
}

void ht_live_restore_inherited(struct ht_live_table *t, uint32_t image, uint64_t address)
{
	if (address && t->inherited[image])
		ht_address_set_add(t->inherited[image], address);
}

void ht_live_forget_inherited(struct ht_live_table *t, uint32_t image)
{
	if (!t->inherited[image])
		return;
	ht_address_set_release(t->inherited[image]);
	free(t->inherited[image]);
	t->inherited[image] = NULL;
}
