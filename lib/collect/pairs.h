/*
 * pairs: the live blocks of one image: address → (sequence number, time of birth).
 *
 * One flat open-addressing table, 16 bytes an entry, linear probing, deletion by shifting back, so no
 * tombstones. An entry packs address/8 (44 bits), sequence number (40) and birth in microseconds (44):
 *	lo = address/8 << 20 | seq & 0xfffff      hi = seq >> 20 << 44 | birth
 * Invariant: an entry with lo == 0 is empty; between an entry's home and its place nothing is.
 * What does not fit (odd or huge addresses, over 2^40 births, the memory cap) is refused by
 * ht_pairs_room, and its block goes unpaired.
 */
#ifndef HT_PAIRS_H
#define HT_PAIRS_H

#include "base.h"

#define HT_PAIR_TIME_NS 1000 /* the trace's own unit, so that a death is never written as earlier than its birth */

struct ht_pair {
	uint64_t lo, hi;
};
struct ht_pairs {
	struct ht_pair *table;
	uint64_t mask;	/* entries - 1; no table yet: 0 */
	unsigned shift; /* 64 - log2(entries) */
	uint64_t count, grow_at;
	uint64_t *used, cap; /* bytes of all tables of the collector, and their limit */
};

void ht_pairs_init(struct ht_pairs *p, uint64_t *used, uint64_t cap);
void ht_pairs_release(struct ht_pairs *p);
/* Makes room for one more; false: the cap says no. */
bool ht_pairs_grow(struct ht_pairs *p);

static inline uint64_t ht_pairs_home(const struct ht_pairs *p, uint64_t address)
{
	uint64_t line = ((address >> 7) * 0x9e3779b97f4a7c15ull) >> p->shift;
	return (line & ~3ull) | (address >> 5 & 3);
}
static inline uint64_t ht_pair_seq(const struct ht_pair *e)
{
	return (e->lo & 0xfffff) | e->hi >> 44 << 20;
}
static inline uint64_t ht_pair_birth(const struct ht_pair *e)
{
	return (e->hi & ((1ull << 44) - 1)) * HT_PAIR_TIME_NS;
}
/* always_inline: else gcc may think that calls of it have no effect. */
static inline __attribute__((always_inline)) void ht_pairs_prefetch(const struct ht_pairs *p, uint64_t address)
{
	if (p->table)
		__builtin_prefetch(&p->table[ht_pairs_home(p, address)], 1);
}

/* The entry, or NULL. */
static inline struct ht_pair *ht_pairs_find(const struct ht_pairs *p, uint64_t address)
{
	if (!p->table || address & 7 || address >> 47)
		return NULL;
	uint64_t key = address >> 3;
	for (uint64_t i = ht_pairs_home(p, address);; i = (i + 1) & p->mask) {
		struct ht_pair *e = &p->table[i];
		if (!e->lo)
			return NULL;
		if (e->lo >> 20 == key)
			return e;
	}
}
/* Can this block be added? Grows the table if need be. */
static inline bool ht_pairs_room(struct ht_pairs *p, uint64_t address, uint64_t seq, uint64_t birth_ns)
{
	bool fits = address && !(address & 7) && !(address >> 47) && !(seq >> 40) &&
		    !(birth_ns / HT_PAIR_TIME_NS >> 44);
	return fits && (p->count < p->grow_at || ht_pairs_grow(p));
}
/* Needs ht_pairs_room, and an address that is not in the table. */
static inline void ht_pairs_add(struct ht_pairs *p, uint64_t address, uint64_t seq, uint64_t birth_ns)
{
	uint64_t i = ht_pairs_home(p, address);
	while (p->table[i].lo)
		i = (i + 1) & p->mask;
	p->table[i].lo = address >> 3 << 20 | (seq & 0xfffff);
	p->table[i].hi = seq >> 20 << 44 | birth_ns / HT_PAIR_TIME_NS;
	p->count++;
}
void ht_pairs_remove(struct ht_pairs *p, struct ht_pair *e);

#endif
