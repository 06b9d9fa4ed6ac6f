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
struct ht_block *ht_live_add(struct ht_live_table *t, const struct ht_block *b);
struct ht_block *ht_live_find(const struct ht_live_table *t, uint64_t seq);
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

#endif
