/*
 * live_table: the blocks that are live at the walk's position, found by sequence number; those the
 * collector could not pair also by address; and, for forked children, the addresses that they inherited.
 *
 * Blocks live in one pool of 64-byte entries, named by index; two hash indices (ht_index) hold 8
 * bytes an entry; each image's blocks form a list, so that an image's end costs its own blocks only.
 *
 *	by_seq.count == sum over images of list lengths == used pool entries
 *	by_address.count == number of them that are unpaired and have an address
 */
#ifndef HT_LIVE_TABLE_H
#define HT_LIVE_TABLE_H

#include "hash_index.h"

struct ht_block {
	uint64_t seq, address, size;
	uint64_t birth_ns;
	uint32_t stack, thread, image;
	uint32_t order;	     /* births of its thread up to and including this one, modulo 2^32 */
	uint32_t prev, next; /* in its image's list; index + 1, 0 = none. next also links free entries */
	uint8_t op;
	bool selected, unpaired;
};

struct ht_live_table {
	struct ht_block *pool;
	uint32_t used, cap, free; /* free: first released entry + 1 */
	struct ht_index by_seq, by_address;
	uint32_t *heads; /* per image: first block + 1 */
	struct ht_address_set **inherited; /* per image, NULL = nothing */
	uint32_t images;
};

void ht_live_init(struct ht_live_table *t, uint32_t images);
void ht_live_release(struct ht_live_table *t);

/* Pointers into the table are good until the next ht_live_add. prev and next are filled in. */
static inline struct ht_block *ht_live_add(struct ht_live_table *t, const struct ht_block *b);
static inline struct ht_block *ht_live_find(const struct ht_live_table *t, uint64_t seq);
/* Among unpaired blocks. */
struct ht_block *ht_live_find_address(const struct ht_live_table *t, uint32_t image, uint64_t address);
void ht_live_remove(struct ht_live_table *t, struct ht_block *b);
/* Any block of the image, NULL when there is none. */
struct ht_block *ht_live_first(const struct ht_live_table *t, uint32_t image);
/* The next of the same image, NULL at the end. */
struct ht_block *ht_live_next(const struct ht_live_table *t, const struct ht_block *b);

/* The child gets the addresses of all blocks live in the parent now, inherited ones included. */
void ht_live_inherit(struct ht_live_table *t, uint32_t parent, uint32_t child);
/* True if the image still held the address by inheritance; it does not afterwards. */
bool ht_live_drop_inherited(struct ht_live_table *t, uint32_t image, uint64_t address);
void ht_live_restore_inherited(struct ht_live_table *t, uint32_t image, uint64_t address);
void ht_live_forget_inherited(struct ht_live_table *t, uint32_t image);

/* --- what a walk does for each event, inlined into it ------------------------------------- */

void ht_live_grow(struct ht_live_table *t);
void ht_live_add_address(struct ht_live_table *t, const struct ht_block *b);

/* Births follow each other and young blocks die first, so four neighbours in sequence share one
 * cache line of the index. (Eight filled their lines, and look-ups ran on into the next ones.) */
static inline uint32_t ht_live_hash(uint64_t seq)
{
	return ht_mix(seq >> 2) << 2 | (uint32_t)(seq & 3);
}

static inline bool ht_live_by_address(const struct ht_block *b)
{
	return b->unpaired && b->address;
}

static inline struct ht_block *ht_live_add(struct ht_live_table *t, const struct ht_block *from)
{
	uint32_t i = t->used;
	if (t->free) {
		i = t->free - 1;
		t->free = t->pool[i].next;
	} else {
		if (t->used == t->cap)
			ht_live_grow(t);
		t->used++;
	}
	struct ht_block *b = &t->pool[i];
	*b = *from;
	b->prev = 0;
	b->next = t->heads[b->image];
	if (b->next)
		t->pool[b->next - 1].prev = i + 1;
	t->heads[b->image] = i + 1;
	ht_index_insert(&t->by_seq, ht_live_hash(b->seq), i);
	if (ht_live_by_address(b))
		ht_live_add_address(t, b);
	return b;
}

static inline struct ht_block *ht_live_find(const struct ht_live_table *t, uint64_t seq)
{
	uint32_t hash = ht_live_hash(seq), v;
	for (size_t i = ht_index_start(&t->by_seq, hash);
	     (v = ht_index_at(&t->by_seq, &i, hash)) != HT_INDEX_NONE; i++)
		if (t->pool[v].seq == seq)
			return &t->pool[v];
	return NULL;
}

/* Two steps of a look-up to come: first the index' line, some events later the block's. */
static inline void ht_live_prefetch(const struct ht_live_table *t, uint64_t seq)
{
	if (t->by_seq.slots)
		__builtin_prefetch(&t->by_seq.slots[ht_index_start(&t->by_seq, ht_live_hash(seq))]);
}
static inline void ht_live_prefetch_block(const struct ht_live_table *t, uint64_t seq)
{
	if (!t->by_seq.slots)
		return;
	uint32_t v = t->by_seq.slots[ht_index_start(&t->by_seq, ht_live_hash(seq))].value;
	if (v != HT_INDEX_NONE)
		__builtin_prefetch(&t->pool[v], 1);
}

#endif
