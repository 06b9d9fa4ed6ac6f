/*
 * hash_index: from a 32-bit hash to small integers, open addressing with linear probing and
 * deletion by shifting back (no tombstones, so churn does not slow it). The index stores hash and
 * value alone; whether a candidate is the wanted one is the caller's to say:
 *
 *	for (size_t i = ht_index_start(x, h); (v = ht_index_at(x, &i, h)) != HT_INDEX_NONE; i++)
 *		if (items[v].key == key) ...
 *
 * Load is at most one half. At most 2^31 entries.
 */
#ifndef HT_HASH_INDEX_H
#define HT_HASH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HT_INDEX_NONE UINT32_MAX

struct ht_index {
	struct ht_index_slot {
		uint32_t hash;
		uint32_t value; /* HT_INDEX_NONE = empty */
	} *slots;
	size_t mask; /* slots - 1; slots NULL when nothing was ever inserted */
	size_t count;
};

static inline void ht_index_insert(struct ht_index *x, uint32_t hash, uint32_t value);
/* The entry at slot position i, as found by ht_index_at. */
void ht_index_remove(struct ht_index *x, size_t i);
void ht_index_release(struct ht_index *x);

void ht_index_grow(struct ht_index *x);
/* There must be room. */
static inline void ht_index_place(struct ht_index *x, uint32_t hash, uint32_t value)
{
	size_t i = hash & x->mask;
	while (x->slots[i].value != HT_INDEX_NONE)
		i = (i + 1) & x->mask;
	x->slots[i] = (struct ht_index_slot){hash, value};
}
static inline void ht_index_insert(struct ht_index *x, uint32_t hash, uint32_t value)
{
	if (__builtin_expect(!x->slots || x->count * 2 > x->mask, 0))
		ht_index_grow(x);
	ht_index_place(x, hash, value);
	x->count++;
}

static inline size_t ht_index_start(const struct ht_index *x, uint32_t hash)
{
	return hash & x->mask;
}
/* The next value with this hash from position *i on, which moves to it; HT_INDEX_NONE at the end. */
static inline uint32_t ht_index_at(const struct ht_index *x, size_t *i, uint32_t hash)
{
	if (!x->slots)
		return HT_INDEX_NONE;
	for (;; ++*i) {
		const struct ht_index_slot *s = &x->slots[*i & x->mask];
		if (s->value == HT_INDEX_NONE || s->hash == hash)
			return s->value;
	}
}

/* The finalizer of a 64-bit multiply-shift hash. */
static inline uint32_t ht_mix(uint64_t v)
{
	v ^= v >> 32;
	v *= UINT64_C(0x9e3779b97f4a7c15);
	v ^= v >> 29;
	v *= UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(v >> 32);
}

/* A set of nonzero addresses; one word each. */
struct ht_address_set {
	uint64_t *slots; /* 0 = empty */
	size_t mask, count;
};
void ht_address_set_add(struct ht_address_set *s, uint64_t address);
bool ht_address_set_remove(struct ht_address_set *s, uint64_t address);
void ht_address_set_release(struct ht_address_set *s);

#endif
