/* shares: see shares.h. */
#include "shares.h"

#include <stdlib.h>

#include "base.h"

static size_t slot_of(const struct ht_shares *s, uint32_t row, uint32_t key)
{
	uint64_t h = ((uint64_t)row << 32 | key) * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(h ^ h >> 31) & s->mask;
	while (s->slots[at] && (s->items[s->slots[at] - 1].row != row || s->items[s->slots[at] - 1].key != key))
		at = (at + 1) & s->mask;
	return at;
}

static void grow(struct ht_shares *s)
{
	s->cap = s->cap ? 2 * s->cap : 64;
	s->items = ht_xrealloc(s->items, s->cap, sizeof(*s->items));
	free(s->slots);
	s->mask = 2 * s->cap - 1;
	s->slots = ht_xcalloc(2 * s->cap, sizeof(*s->slots));
	for (size_t i = 0; i < s->count; i++)
		s->slots[slot_of(s, s->items[i].row, s->items[i].key)] = (uint32_t)i + 1;
}

void ht_shares_add(struct ht_shares *s, uint32_t row, uint32_t key, uint64_t count, uint64_t ns)
{
	if (s->count == s->cap)
		grow(s);
	size_t at = slot_of(s, row, key);
	if (!s->slots[at]) {
		s->items[s->count] = (struct ht_share){row, key, 0, 0};
		s->slots[at] = (uint32_t)++s->count;
	}
	struct ht_share *i = &s->items[s->slots[at] - 1];
	i->count += count;
	i->ns += ns;
}

static int by_row_and_time(const void *pa, const void *pb)
{
	const struct ht_share *a = pa, *b = pb;
	if (a->row != b->row)
		return a->row < b->row ? -1 : 1;
	if (a->ns != b->ns)
		return a->ns > b->ns ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return (a->key > b->key) - (a->key < b->key);
}

void ht_shares_sort(struct ht_shares *s)
{
	if (s->count)
		qsort(s->items, s->count, sizeof(*s->items), by_row_and_time);
	free(s->slots);
	s->slots = NULL;
	s->mask = 0;
}

static size_t row_at(const struct ht_shares *s, uint64_t row)
{
	return HT_LOWER_BOUND(s->items, s->count, row, row);
}

const struct ht_share *ht_shares_of(const struct ht_shares *s, uint32_t row, size_t *count)
{
	size_t first = row_at(s, row);
	*count = row_at(s, row + UINT64_C(1)) - first;
	return *count ? s->items + first : NULL;
}

uint32_t ht_shares_most(const struct ht_shares *s, uint32_t row, uint32_t otherwise)
{
	size_t n;
	const struct ht_share *first = ht_shares_of(s, row, &n);
	return n ? first->key : otherwise;
}

void ht_shares_release(struct ht_shares *s)
{
	free(s->items);
	free(s->slots);
	*s = (struct ht_shares){0};
}
