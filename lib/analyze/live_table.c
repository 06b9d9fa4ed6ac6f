/* live_table: see live_table.h. Here: pages that come, shrink and go; unpaired blocks; what forks inherit. */
#include "live_table.h"

#include <stdlib.h>
#include <string.h>

#include "base.h"

#define MAX_SPARE 64

void ht_live_init(struct ht_live_table *t, uint32_t images, const uint32_t *image_of, bool addresses)
{
	*t = (struct ht_live_table){.image_count = images, .image_of = image_of, .addresses = addresses};
	t->images = ht_xcalloc(images, sizeof(*t->images));
	for (unsigned i = 0; i < HT_LIVE_YOUNG; i++)
		t->young[i] = UINT64_MAX;
}

/* --- pages -------------------------------------------------------------------------------- */

/* entries, then addresses, then places, all behind the head. */
static struct ht_live_page *new_page(const struct ht_live_table *t, uint64_t number, uint32_t stored, bool sparse)
{
	size_t each = sizeof(struct ht_block) + (t->addresses ? sizeof(uint64_t) : 0) + (sparse ? sizeof(uint16_t) : 0);
	struct ht_live_page *p = ht_xcalloc(1, sizeof(*p) + stored * each);
	char *behind = (char *)(p->entries + stored);
	p->number = number;
	p->stored = stored;
	if (t->addresses) {
		p->addresses = (uint64_t *)(void *)behind;
		behind += stored * sizeof(uint64_t);
	}
	if (sparse)
		p->places = (uint16_t *)(void *)behind;
	return p;
}

static uint32_t hash_number(uint64_t number)
{
	return ht_mix(number);
}

struct ht_live_page *ht_live_lookup(struct ht_live_table *t, uint64_t number)
{
	uint32_t hash = hash_number(number), v;
	for (size_t i = ht_index_start(&t->directory, hash);
	     (v = ht_index_at(&t->directory, &i, hash)) != HT_INDEX_NONE; i++)
		if (t->pages[v]->number == number)
			return t->recent[number % HT_LIVE_RECENT] = t->pages[v];
	return NULL;
}

static void enter_page(struct ht_live_table *t, struct ht_live_page *p)
{
	if (t->page_count == t->page_cap) {
		t->page_cap = t->page_cap ? t->page_cap * 2 : 256;
		t->pages = ht_xrealloc(t->pages, t->page_cap, sizeof(*t->pages));
	}
	p->slot = t->page_count++;
	t->pages[p->slot] = p;
	t->recent[p->number % HT_LIVE_RECENT] = p;
	ht_index_insert(&t->directory, hash_number(p->number), p->slot);
}

/* The directory's position of a page. */
static size_t position_of(const struct ht_live_table *t, const struct ht_live_page *p)
{
	uint32_t hash = hash_number(p->number), v;
	for (size_t i = ht_index_start(&t->directory, hash);; i++) {
		v = ht_index_at(&t->directory, &i, hash);
		if (v == p->slot || v == HT_INDEX_NONE)
			return i;
	}
}

/* Dense pages without a live entry are kept for the births to come: they are warm. */
static void release_page(struct ht_live_table *t, struct ht_live_page *p)
{
	if (p->places || t->spare_count == MAX_SPARE) {
		free(p);
		return;
	}
	p->live = 0;
	p->next = t->spare;
	t->spare = p;
	t->spare_count++;
}

static void drop_page(struct ht_live_table *t, struct ht_live_page *p)
{
	struct ht_live_page *last = t->pages[t->page_count - 1];
	ht_index_remove(&t->directory, position_of(t, p));
	if (last != p) {
		ht_index_remove(&t->directory, position_of(t, last));
		last->slot = p->slot;
		t->pages[p->slot] = last;
		ht_index_insert(&t->directory, hash_number(last->number), last->slot);
	}
	t->page_count--;
	if (t->recent[p->number % HT_LIVE_RECENT] == p)
		t->recent[p->number % HT_LIVE_RECENT] = NULL;
	if (t->youngest == p)
		t->youngest = NULL;
	release_page(t, p);
}

static void replace_page(struct ht_live_table *t, struct ht_live_page *old, struct ht_live_page *p)
{
	p->slot = old->slot;
	t->pages[p->slot] = p;
	t->recent[p->number % HT_LIVE_RECENT] = p;
	if (t->youngest == old)
		t->youngest = NULL;
	release_page(t, old);
}

static void copy_entry(struct ht_live_page *to, uint32_t i, const struct ht_live_page *from, uint32_t k)
{
	to->entries[i] = from->entries[k];
	if (to->addresses)
		to->addresses[i] = from->addresses[k];
	if (to->places)
		to->places[i] = from->places ? from->places[k] : (uint16_t)k;
	to->live++;
}

/* An old page is made smaller when a quarter of it is dead; with addresses, where an entry takes more, an eighth. */
static void set_limit(struct ht_live_page *p)
{
	p->settle_below = p->stored - p->stored / (p->addresses ? 8 : 4);
	if (p->settle_below == p->stored)
		p->settle_below = 1; /* too few to be worth it: dropped when empty */
}

/* Room for `more` entries stays unused at the end, for the caller to fill. */
static struct ht_live_page *shrink_page(struct ht_live_table *t, struct ht_live_page *old, uint32_t more)
{
	struct ht_live_page *p = new_page(t, old->number, old->live + more, true);
	for (uint32_t k = 0; k < old->stored; k++) {
		if (!old->entries[k].live)
			continue;
		copy_entry(p, p->live, old, k);
		old->entries[k].live = false;
	}
	set_limit(p);
	replace_page(t, old, p);
	return p;
}

void ht_live_settle(struct ht_live_table *t, struct ht_live_page *p)
{
	if (!p->live)
		drop_page(t, p);
	else if (p->live < p->settle_below)
		shrink_page(t, p, 0);
}

/* Numbers normally grow, so that a new page is what is wanted; damage may lead back to an old one. */
static struct ht_live_page *dense_page(struct ht_live_table *t, uint64_t number)
{
	struct ht_live_page *old = ht_live_page_of(t, number), *p = t->spare;
	if (old && !old->places)
		return old;
	if (p) {
		t->spare = p->next;
		t->spare_count--;
		p->number = number;
	} else {
		p = new_page(t, number, HT_LIVE_PAGE, false);
	}
	if (!old) {
		enter_page(t, p);
		return p;
	}
	for (uint32_t i = 0; i < old->stored; i++)
		if (old->entries[i].live)
			copy_entry(p, old->places[i], old, i);
	replace_page(t, old, p);
	return p;
}

/* The page that falls out of the young ones is judged by what is left of it. */
static void grow_old(struct ht_live_table *t, uint64_t number)
{
	struct ht_live_page *p = number == UINT64_MAX ? NULL : ht_live_page_of(t, number);
	if (!p || p->places || p == t->youngest)
		return;
	set_limit(p);
	ht_live_settle(t, p);
}

struct ht_live_page *ht_live_open_page(struct ht_live_table *t, uint64_t number)
{
	struct ht_live_page *before = t->youngest, *p = dense_page(t, number);
	uint64_t *oldest = &t->young[t->opened++ % HT_LIVE_YOUNG];
	p->settle_below = 0;
	t->youngest = p;
	if (before && before != p) {
		before->settle_below = 1;
		ht_live_settle(t, before);
	}
	if (*oldest != number)
		grow_old(t, *oldest);
	*oldest = number;
	return p;
}

struct ht_block *ht_live_search(const struct ht_live_page *p, uint32_t place)
{
	uint32_t lo = 0, hi = p->stored;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		if (p->places[mid] < place)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < p->stored && p->places[lo] == place ? (struct ht_block *)&p->entries[lo] : NULL;
}

/* A sparse page with one more entry, at its place among the others. */
static struct ht_live_ref widen(struct ht_live_table *t, struct ht_live_page *old, uint32_t place)
{
	struct ht_live_page *p = shrink_page(t, old, 1);
	uint32_t at = p->live;
	for (; at && p->places[at - 1] > place; at--) {
		p->live--;
		copy_entry(p, at, p, at - 1);
	}
	p->places[at] = (uint16_t)place;
	p->entries[at].live = false;
	return (struct ht_live_ref){p, &p->entries[at]};
}

static struct ht_live_ref place_anywhere(struct ht_live_table *t, uint64_t number, uint32_t place)
{
	struct ht_live_page *p = ht_live_page_of(t, number);
	if (!p) {
		p = new_page(t, number, 1, true);
		p->places[0] = (uint16_t)place;
		set_limit(p);
		enter_page(t, p);
		return (struct ht_live_ref){p, &p->entries[0]};
	}
	struct ht_block *b = p->places ? ht_live_search(p, place) : &p->entries[place];
	return b ? (struct ht_live_ref){p, b} : widen(t, p, place);
}

void ht_live_restore(struct ht_live_table *t, uint64_t seq, uint64_t address, const struct ht_block *b)
{
	struct ht_live_ref r = place_anywhere(t, seq >> HT_LIVE_PAGE_BITS, seq % HT_LIVE_PAGE);
	if (r.block->live)
		return;
	*r.block = *b;
	ht_live_add(t, r, seq, address);
}

struct ht_block ht_live_block_of(const struct ht_live_block *b)
{
	return (struct ht_block){
		.size = b->size,
		.birth_ns = b->time,
		.stack = b->stack,
		.thread = b->thread,
		.order = b->order + 1,
	};
}

void ht_live_load(struct ht_live_table *t, const struct ht_live_block *blocks, size_t n)
{
	struct ht_live_page *p = new_page(t, blocks->seq >> HT_LIVE_PAGE_BITS, (uint32_t)n, true);
	enter_page(t, p);
	set_limit(p);
	for (uint32_t i = 0; i < n; i++) {
		p->places[i] = (uint16_t)(blocks[i].seq % HT_LIVE_PAGE);
		p->entries[i] = ht_live_block_of(&blocks[i]);
		ht_live_add(t, (struct ht_live_ref){p, &p->entries[i]}, blocks[i].seq, blocks[i].address);
	}
}

/* --- an image's blocks -------------------------------------------------------------------- */

static void each_of_page(struct ht_live_table *t, struct ht_live_page *p, uint32_t image,
			 bool (*visit)(void *ctx, const struct ht_block *b, uint64_t address), void *ctx)
{
	for (uint32_t i = 0; i < p->stored; i++) {
		struct ht_block *b = &p->entries[i];
		if (!b->live || t->image_of[b->thread] != image ||
		    !visit(ctx, b, p->addresses ? p->addresses[i] : 0))
			continue;
		b->live = false;
		p->live--;
		t->images[image].live--;
	}
	if (p->live < p->settle_below)
		ht_live_settle(t, p);
}

void ht_live_each(struct ht_live_table *t, uint32_t image,
		  bool (*visit)(void *ctx, const struct ht_block *b, uint64_t address), void *ctx)
{
	const struct ht_live_image *m = &t->images[image];
	if (!m->live)
		return;
	uint64_t first = m->first_page, last = m->last_page;
	if (last - first < t->page_count) {
		for (uint64_t n = first; n <= last; n++) {
			struct ht_live_page *p = ht_live_page_of(t, n);
			if (p)
				each_of_page(t, p, image, visit, ctx);
		}
		return;
	}
	for (uint32_t i = t->page_count; i-- > 0;) /* a page that goes leaves its slot to the last one */
		each_of_page(t, t->pages[i], image, visit, ctx);
}

/* --- unpaired ones, by address ------------------------------------------------------------ */

static uint32_t hash_address(uint32_t image, uint64_t address)
{
	return ht_mix(address ^ (uint64_t)image << 48);
}

void ht_live_add_unpaired(struct ht_live_table *t, uint32_t image, uint64_t seq, uint64_t address)
{
	if (!address)
		return;
	uint32_t i = t->unpaired_used;
	if (t->unpaired_free) {
		i = t->unpaired_free - 1;
		t->unpaired_free = t->unpaired[i].next;
	} else {
		if (i == t->unpaired_cap) {
			t->unpaired_cap = i ? i * 2 : 256;
			t->unpaired = ht_xrealloc(t->unpaired, t->unpaired_cap, sizeof(*t->unpaired));
		}
		t->unpaired_used++;
	}
	t->unpaired[i] = (struct ht_unpaired){.seq = seq, .address = address, .image = image};
	ht_index_insert(&t->by_address, hash_address(image, address), i);
}

static void forget_unpaired(struct ht_live_table *t, size_t position, uint32_t i)
{
	ht_index_remove(&t->by_address, position);
	t->unpaired[i] = (struct ht_unpaired){.next = t->unpaired_free};
	t->unpaired_free = i + 1;
}

/* Entries whose block died in another way than by its address are taken out when they are met. */
struct ht_live_ref ht_live_find_address(struct ht_live_table *t, uint32_t image, uint64_t address, uint64_t *seq)
{
	uint32_t hash = hash_address(image, address), v;
	struct ht_live_ref none = {NULL, NULL};
	if (!t->by_address.count || !address)
		return none;
	for (size_t i = ht_index_start(&t->by_address, hash);
	     (v = ht_index_at(&t->by_address, &i, hash)) != HT_INDEX_NONE;) {
		const struct ht_unpaired *u = &t->unpaired[v];
		if (u->address != address || u->image != image) {
			i++;
			continue;
		}
		struct ht_live_ref r = ht_live_find(t, u->seq);
		if (r.block && r.block->unpaired && t->image_of[r.block->thread] == image) {
			*seq = u->seq;
			return r;
		}
		forget_unpaired(t, i, v);
	}
	return none;
}

/* --- what forks inherit ------------------------------------------------------------------- */

static void forget_inherited(struct ht_live_image *m)
{
	if (!m->inherited)
		return;
	ht_address_set_release(m->inherited);
	free(m->inherited);
	m->inherited = NULL;
}

void ht_live_inherit_one(struct ht_live_table *t, uint32_t child, uint64_t address)
{
	struct ht_live_image *m = &t->images[child];
	if (!address)
		return;
	if (!m->inherited)
		m->inherited = ht_xcalloc(1, sizeof(*m->inherited));
	ht_address_set_add(m->inherited, address);
}

struct heir {
	struct ht_live_table *table;
	uint32_t child;
};

static bool inherit_block(void *ctx, const struct ht_block *b, uint64_t address)
{
	const struct heir *h = ctx;
	(void)b;
	ht_live_inherit_one(h->table, h->child, address);
	return false;
}

void ht_live_inherit(struct ht_live_table *t, uint32_t parent, uint32_t child)
{
	struct heir heir = {t, child};
	forget_inherited(&t->images[child]);
	ht_live_each(t, parent, inherit_block, &heir);
	const struct ht_address_set *old = t->images[parent].inherited;
	for (size_t i = 0; old && old->slots && i <= old->mask; i++)
		ht_live_inherit_one(t, child, old->slots[i]);
}

bool ht_live_drop_inherited(struct ht_live_table *t, uint32_t image, uint64_t address)
{
	return address && t->images[image].inherited && ht_address_set_remove(t->images[image].inherited, address);
}

void ht_live_forget(struct ht_live_table *t, uint32_t image)
{
	forget_inherited(&t->images[image]);
	if (!t->by_address.count)
		return;
	for (uint32_t i = 0; i < t->unpaired_used; i++) {
		const struct ht_unpaired *u = &t->unpaired[i];
		uint32_t hash = hash_address(image, u->address), v;
		if (!u->address || u->image != image)
			continue;
		for (size_t k = ht_index_start(&t->by_address, hash);
		     (v = ht_index_at(&t->by_address, &k, hash)) != HT_INDEX_NONE; k++)
			if (v == i) {
				forget_unpaired(t, k, v);
				break;
			}
	}
}

void ht_live_release(struct ht_live_table *t)
{
	for (uint32_t i = 0; i < t->image_count; i++)
		forget_inherited(&t->images[i]);
	for (uint32_t i = 0; i < t->page_count; i++)
		free(t->pages[i]);
	while (t->spare) {
		struct ht_live_page *next = t->spare->next;
		free(t->spare);
		t->spare = next;
	}
	free(t->pages);
	free(t->images);
	free(t->unpaired);
	ht_index_release(&t->directory);
	ht_index_release(&t->by_address);
}
