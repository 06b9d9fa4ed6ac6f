/*
 * live_table: the blocks that are live at the walk's position, found by the sequence number of their birth;
 * those that the collector could not pair also by address; and, for forked children, the addresses that they inherited.
 *
 * Births are numbered without gaps, so the table is an array of pages of HT_LIVE_PAGE births, of which only those with
 * a live block exist. A page begins dense: an entry's place follows from its number. When it is no longer among the
 * youngest and less than three quarters of it live on, it becomes sparse: the survivors in order, and beside them a
 * sorted list of their places, to be searched. So a live block costs 32 to 48 bytes, however long the trace.
 *
 *	page->live == number of its entries that are live, > 0 but for the youngest page
 *	sum over pages of live == sum over images of live
 */
#ifndef HT_LIVE_TABLE_H
#define HT_LIVE_TABLE_H

#include "hash_index.h"
#include "trace.h"

#define HT_LIVE_PAGE_BITS 10
#define HT_LIVE_PAGE (1u << HT_LIVE_PAGE_BITS)
#define HT_LIVE_YOUNG 256 /* pages that stay dense, whatever dies in them */
#define HT_LIVE_RECENT 1024

struct ht_block {
	uint64_t size;
	uint64_t birth_ns;
	uint32_t stack, thread;
	uint32_t order; /* births of its thread up to and including this one, modulo 2^32 */
	bool live, selected, unpaired, wanted;
};

struct ht_live_page {
	uint64_t number; /* of births number << HT_LIVE_PAGE_BITS and following */
	uint32_t slot;	 /* in the table's list */
	uint32_t live, stored;
	uint32_t settle_below;	 /* fewer live ones: drop it, or make it smaller */
	uint16_t *places;	 /* sparse: of each entry, ascending; dense: NULL */
	uint64_t *addresses;	 /* of each entry; NULL: not kept */
	struct ht_live_page *next; /* among spare ones */
	struct ht_block entries[];
};

struct ht_unpaired {
	uint64_t seq, address;
	uint32_t image, next; /* next: free entry + 1 */
};

struct ht_live_image {
	uint64_t live;
	uint64_t first_page, last_page; /* its live blocks' pages lie in between */
	struct ht_address_set *inherited; /* NULL = nothing */
};

struct ht_live_table {
	struct ht_live_page *recent[HT_LIVE_RECENT]; /* by number: where a look-up begins */
	struct ht_live_page *youngest;		     /* that of the last birth */
	struct ht_live_page **pages;
	uint32_t page_count, page_cap;
	struct ht_index directory;	 /* by page number, into pages */
	uint64_t young[HT_LIVE_YOUNG]; /* numbers of the pages opened last */
	uint64_t opened;
	struct ht_live_page *spare; /* dense, without a live entry */
	uint32_t spare_count;
	bool addresses; /* keep those of all blocks: a forked image may inherit them */
	const uint32_t *image_of; /* per thread */
	struct ht_live_image *images;
	uint32_t image_count;
	struct ht_unpaired *unpaired;
	uint32_t unpaired_used, unpaired_cap, unpaired_free; /* free: first released entry + 1 */
	struct ht_index by_address; /* into unpaired */
};

void ht_live_init(struct ht_live_table *t, uint32_t images, const uint32_t *image_of, bool addresses);
void ht_live_release(struct ht_live_table *t);

/* A live block and where it stands; block NULL: not live. Good until the next call that adds or removes. */
struct ht_live_ref {
	struct ht_live_page *page;
	struct ht_block *block;
};
static inline struct ht_live_ref ht_live_find(struct ht_live_table *t, uint64_t seq);
/* Among unpaired blocks. */
struct ht_live_ref ht_live_find_address(struct ht_live_table *t, uint32_t image, uint64_t address, uint64_t *seq);
/* The place of a new birth, to be filled in; if ref.block->live, an older one of this number stands there. Then add it. */
static inline struct ht_live_ref ht_live_place(struct ht_live_table *t, uint64_t seq);
static inline void ht_live_add(struct ht_live_table *t, struct ht_live_ref r, uint64_t seq, uint64_t address);
static inline void ht_live_remove(struct ht_live_table *t, struct ht_live_ref r);
/* n blocks that a checkpoint tells of, by ascending seq, all of one page, which must not exist yet. */
void ht_live_load(struct ht_live_table *t, const struct ht_live_block *blocks, size_t n);
struct ht_block ht_live_block_of(const struct ht_live_block *b);
/* A block that was taken out lives on; anywhere in the table. */
void ht_live_restore(struct ht_live_table *t, uint64_t seq, uint64_t address, const struct ht_block *b);
static inline uint64_t ht_live_address(struct ht_live_ref r)
{
	return r.page->addresses ? r.page->addresses[r.block - r.page->entries] : 0;
}
/* Every block of the image, in no order that means anything; visit returns whether it is to be taken out. */
void ht_live_each(struct ht_live_table *t, uint32_t image,
		  bool (*visit)(void *ctx, const struct ht_block *b, uint64_t address), void *ctx);
/* Removes whatever the image has. */
void ht_live_forget(struct ht_live_table *t, uint32_t image);

/* The child gets the addresses of all blocks live in the parent now, inherited ones included. */
void ht_live_inherit(struct ht_live_table *t, uint32_t parent, uint32_t child);
void ht_live_inherit_one(struct ht_live_table *t, uint32_t child, uint64_t address);
/* True if the image still held the address by inheritance; it does not afterwards. */
bool ht_live_drop_inherited(struct ht_live_table *t, uint32_t image, uint64_t address);

/* --- what a walk does for each event, inlined into it ------------------------------------- */

struct ht_live_page *ht_live_lookup(struct ht_live_table *t, uint64_t number);
struct ht_live_page *ht_live_open_page(struct ht_live_table *t, uint64_t number);
struct ht_block *ht_live_search(const struct ht_live_page *p, uint32_t place);
void ht_live_settle(struct ht_live_table *t, struct ht_live_page *p);
void ht_live_add_unpaired(struct ht_live_table *t, uint32_t image, uint64_t seq, uint64_t address);

static inline struct ht_live_page *ht_live_page_of(struct ht_live_table *t, uint64_t number)
{
	struct ht_live_page *p = t->recent[number % HT_LIVE_RECENT];
	return __builtin_expect(p && p->number == number, 1) ? p : ht_live_lookup(t, number);
}

static inline struct ht_live_ref ht_live_find(struct ht_live_table *t, uint64_t seq)
{
	struct ht_live_page *p = ht_live_page_of(t, seq >> HT_LIVE_PAGE_BITS);
	struct ht_live_ref r = {p, NULL};
	if (__builtin_expect(!p, 0))
		return r;
	uint32_t place = seq % HT_LIVE_PAGE;
	struct ht_block *b = p->places ? ht_live_search(p, place) : &p->entries[place];
	if (__builtin_expect(b && b->live, 1))
		r.block = b;
	return r;
}

/* What a look-up some events ahead will want. */
static inline void ht_live_prefetch(const struct ht_live_table *t, uint64_t seq)
{
	uint64_t number = seq >> HT_LIVE_PAGE_BITS;
	const struct ht_live_page *p = t->recent[number % HT_LIVE_RECENT];
	if (p && p->number == number && !p->places)
		__builtin_prefetch(&p->entries[seq % HT_LIVE_PAGE], 1);
}

static inline struct ht_live_ref ht_live_place(struct ht_live_table *t, uint64_t seq)
{
	struct ht_live_page *p = t->youngest;
	if (__builtin_expect(!p || p->number != seq >> HT_LIVE_PAGE_BITS, 0))
		p = ht_live_open_page(t, seq >> HT_LIVE_PAGE_BITS);
	return (struct ht_live_ref){p, &p->entries[seq % HT_LIVE_PAGE]};
}

static inline void ht_live_count(struct ht_live_table *t, struct ht_live_page *p, uint32_t image)
{
	struct ht_live_image *m = &t->images[image];
	p->live++;
	if (!m->live++)
		m->first_page = m->last_page = p->number;
	if (p->number > m->last_page)
		m->last_page = p->number;
	if (__builtin_expect(p->number < m->first_page, 0))
		m->first_page = p->number;
}

static inline void ht_live_add(struct ht_live_table *t, struct ht_live_ref r, uint64_t seq, uint64_t address)
{
	uint32_t image = t->image_of[r.block->thread];
	r.block->live = true;
	ht_live_count(t, r.page, image);
	if (r.page->addresses)
		r.page->addresses[r.block - r.page->entries] = address;
	if (__builtin_expect(r.block->unpaired, 0))
		ht_live_add_unpaired(t, image, seq, address);
}

static inline void ht_live_remove(struct ht_live_table *t, struct ht_live_ref r)
{
	r.block->live = false;
	t->images[t->image_of[r.block->thread]].live--;
	if (--r.page->live < r.page->settle_below)
		ht_live_settle(t, r.page);
}

#endif
