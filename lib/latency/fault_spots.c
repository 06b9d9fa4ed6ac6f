/* fault_spots: see fault_spots.h. */
#include "fault_spots.h"

#include <stdlib.h>

enum { PAGE_BITS = 12, FILTER_BITS = 1 << 22, FEW_PAGES = 8 };
/* What the allocator writes around a block that it makes: its head, and behind its last usable byte the head of what is
 * left. That touches fresh pages first, where a heap grows; the fault is for the block. */
enum { HEAD_BYTES = 16, TAIL_BYTES = 64 };

static uint32_t image_of(const struct ht_latency *l, uint32_t fault)
{
	const struct ht_thread_info *t = ht_trace_thread(l->trace, l->faults[fault].thread);
	return t && t->image < ht_trace_image_count(l->trace) ? t->image : ht_trace_image_count(l->trace);
}

/* --- making -------------------------------------------------------------------------------- */

struct sortable {
	uint64_t address, time;
	uint32_t image, fault;
};

static int by_place(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;
	if (x->image != y->image)
		return x->image < y->image ? -1 : 1;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return (x->time > y->time) - (x->time < y->time);
}

static void mark_page(struct ht_fault_spots *s, uint64_t address)
{
	uint32_t bit = ht_mix(address >> PAGE_BITS) % FILTER_BITS;
	s->filter[bit / 64] |= UINT64_C(1) << bit % 64;
}

static bool page_marked(const struct ht_fault_spots *s, uint64_t page)
{
	uint32_t bit = ht_mix(page) % FILTER_BITS;
	return s->filter[bit / 64] >> bit % 64 & 1;
}

void ht_fault_spots_init(struct ht_fault_spots *s, const struct ht_latency *l, struct ht_fault_place *places)
{
	const size_t n = l->fault_count < UINT32_MAX ? l->fault_count : UINT32_MAX - 1;
	struct sortable *sorted = ht_xcalloc(n + 1, sizeof(*sorted));
	*s = (struct ht_fault_spots){.l = l, .places = places, .images = ht_trace_image_count(l->trace) + 1};
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct sortable){l->faults[i].address, l->faults[i].time_ns, image_of(l, (uint32_t)i), (uint32_t)i};
	qsort(sorted, n, sizeof(*sorted), by_place);
	s->order = ht_xcalloc(n + 1, sizeof(*s->order));
	s->spots = ht_xcalloc(n + 1, sizeof(*s->spots));
	s->first = ht_xcalloc(s->images + 1ull, sizeof(*s->first));
	s->filter = ht_xcalloc(FILTER_BITS / 64, sizeof(*s->filter));
	uint32_t image = 0;
	for (size_t i = 0; i < n; i++) {
		s->order[i] = sorted[i].fault;
		while (image < sorted[i].image)
			s->first[++image] = s->spot_count;
		if (!i || sorted[i].image != sorted[i - 1].image || sorted[i].address != sorted[i - 1].address) {
			s->spots[s->spot_count] = (struct ht_spot){
				.address = sorted[i].address, .at = (uint32_t)i, .alive = s->spot_count};
			s->spot_count++;
			mark_page(s, sorted[i].address);
		}
		s->spots[s->spot_count - 1].end = (uint32_t)i + 1;
	}
	while (image < s->images)
		s->first[++image] = s->spot_count;
	s->spots[s->spot_count].alive = s->spot_count;
	free(sorted);
}

void ht_fault_spots_release(struct ht_fault_spots *s)
{
	free(s->order);
	free(s->spots);
	free(s->first);
	free(s->filter);
	free(s->blocks);
	ht_index_release(&s->by_seq);
}

/* --- blocks -------------------------------------------------------------------------------- */

static uint32_t block_slot(const struct ht_fault_spots *s, uint64_t seq, size_t *slot)
{
	uint32_t hash = ht_mix(seq), v;
	for (*slot = ht_index_start(&s->by_seq, hash); (v = ht_index_at(&s->by_seq, slot, hash)) != HT_INDEX_NONE; ++*slot)
		if (s->blocks[v].seq == seq)
			return v;
	return HT_INDEX_NONE;
}

static uint32_t new_block(struct ht_fault_spots *s, const struct ht_spot_block *b)
{
	uint32_t at = s->block_free - 1;
	if (s->block_free) {
		s->block_free = s->blocks[at].stack;
	} else {
		if (s->block_count == s->block_cap) {
			s->block_cap = s->block_cap ? 2 * s->block_cap : 256;
			s->blocks = ht_xrealloc(s->blocks, s->block_cap, sizeof(*s->blocks));
		}
		at = s->block_count++;
	}
	s->blocks[at] = *b;
	if (b->numbered)
		ht_index_insert(&s->by_seq, ht_mix(b->seq), at);
	return at;
}

static void leave_block(struct ht_fault_spots *s, struct ht_spot *spot)
{
	if (!spot->block)
		return;
	struct ht_spot_block *b = &s->blocks[spot->block - 1];
	if (!--b->spots) {
		size_t slot;
		if (b->numbered && block_slot(s, b->seq, &slot) == spot->block - 1)
			ht_index_remove(&s->by_seq, slot & s->by_seq.mask);
		b->stack = s->block_free;
		s->block_free = spot->block;
	}
	spot->block = 0;
}

/* --- settling ------------------------------------------------------------------------------ */

static bool live_at(const struct ht_fault_spots *s, const struct ht_spot_block *b, uint32_t image, uint64_t time)
{
	if (b->death_ns == UINT64_MAX)
		return true;
	if (b->image == image)
		return time <= b->death_ns;
	/* Inherited: only what ended before the fork that led here is gone. */
	for (const struct ht_image *m; (m = ht_trace_image(s->l->trace, image)) && m->parent; image = m->parent - 1) {
		if (m->parent - 1 == b->image)
			return b->death_ns > m->start_ns;
		if (m->parent - 1 >= image)
			break;
	}
	return false;
}

/* The spot's faults before `time` belong to what is over it; those of `thread` since `since` to the block that it
 * is making. */
static void settle(struct ht_fault_spots *s, uint32_t image, struct ht_spot *spot, uint64_t time, uint32_t thread,
		   uint64_t since, uint32_t making)
{
	const struct ht_spot_block *b = spot->block ? &s->blocks[spot->block - 1] : NULL;
	for (; spot->at < spot->end; spot->at++) {
		const struct ht_fault *f = &s->l->faults[s->order[spot->at]];
		struct ht_fault_place *p = &s->places[s->order[spot->at]];
		if (f->time_ns >= time)
			break;
		if (b && live_at(s, b, image, f->time_ns))
			*p = (struct ht_fault_place){b->stack, HT_FAULT_BLOCK};
		else if (making && f->thread == thread && f->time_ns >= since)
			*p = (struct ht_fault_place){making - 1, HT_FAULT_BLOCK};
		else if (spot->mapping)
			*p = (struct ht_fault_place){spot->mapping - 1, HT_FAULT_MAPPING};
	}
	if (spot->at == spot->end) {
		leave_block(s, spot);
		spot->alive = (uint32_t)(spot - s->spots) + 1;
	}
}

/* The first spot from i on that has faults to settle; with path compression. */
static uint32_t alive_from(struct ht_fault_spots *s, uint32_t i)
{
	uint32_t root = i;
	while (s->spots[root].alive != root)
		root = s->spots[root].alive;
	while (s->spots[i].alive != root && i != root) {
		uint32_t next = s->spots[i].alive;
		s->spots[i].alive = root;
		i = next;
	}
	return root;
}

static uint32_t lower_bound(const struct ht_fault_spots *s, uint32_t image, uint64_t address)
{
	uint32_t low = s->first[image], high = s->first[image + 1];
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (s->spots[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool perhaps_any(const struct ht_fault_spots *s, uint64_t address, uint64_t size)
{
	uint64_t first = address >> PAGE_BITS, last = (address + (size ? size - 1 : 0)) >> PAGE_BITS;
	if (last - first >= FEW_PAGES)
		return true;
	for (uint64_t page = first; page <= last; page++)
		if (page_marked(s, page))
			return true;
	return false;
}

/* --- what happens -------------------------------------------------------------------------- */

void ht_fault_spots_birth(struct ht_fault_spots *s, uint32_t image, uint32_t thread, uint64_t since, uint64_t time,
			  const struct ht_spot_block *b)
{
	if (image >= s->images || b->address < HEAD_BYTES)
		return;
	const uint64_t from = b->address - HEAD_BYTES, around = b->size + HEAD_BYTES + TAIL_BYTES;
	if (around < b->size || !perhaps_any(s, from, around))
		return;
	uint32_t end = s->first[image + 1], made = 0;
	for (uint32_t i = alive_from(s, lower_bound(s, image, from)); i < end && s->spots[i].address - from < around;
	     i = alive_from(s, i + 1)) {
		struct ht_spot *spot = &s->spots[i];
		settle(s, image, spot, time, thread, since, b->stack + 1);
		if (spot->at == spot->end || spot->address - b->address >= b->size)
			continue;
		leave_block(s, spot);
		if (!made)
			made = new_block(s, b) + 1;
		spot->block = made;
		s->blocks[made - 1].spots++;
	}
}

void ht_fault_spots_death(struct ht_fault_spots *s, uint64_t seq, uint64_t time)
{
	size_t slot;
	uint32_t at = s->by_seq.count ? block_slot(s, seq, &slot) : HT_INDEX_NONE;
	if (at != HT_INDEX_NONE)
		s->blocks[at].death_ns = time;
}

void ht_fault_spots_free_at(struct ht_fault_spots *s, uint32_t image, uint64_t address, uint64_t time)
{
	if (image >= s->images)
		return;
	for (uint32_t i = alive_from(s, lower_bound(s, image, address)); i < s->first[image + 1]; i = alive_from(s, i + 1)) {
		struct ht_spot *spot = &s->spots[i];
		if (!spot->block || s->blocks[spot->block - 1].address != address)
			break;
		settle(s, image, spot, time, 0, 0, 0);
		if (spot->at < spot->end)
			leave_block(s, spot);
	}
}

void ht_fault_spots_map(struct ht_fault_spots *s, uint32_t image, uint64_t time, uint64_t address, uint64_t size,
			uint32_t stack_plus_1)
{
	if (image >= s->images || !size)
		return;
	for (uint32_t i = alive_from(s, lower_bound(s, image, address));
	     i < s->first[image + 1] && s->spots[i].address - address < size; i = alive_from(s, i + 1)) {
		settle(s, image, &s->spots[i], time, 0, 0, 0);
		s->spots[i].mapping = stack_plus_1;
	}
}

void ht_fault_spots_finish(struct ht_fault_spots *s)
{
	for (uint32_t image = 0; image < s->images; image++)
		for (uint32_t i = s->first[image]; i < s->first[image + 1]; i++)
			settle(s, image, &s->spots[i], UINT64_MAX, 0, 0, 0);
}
