/*
 * hash_index: see hash_index.h. Both tables keep the invariant of linear probing: between an
 * entry's home slot and its slot there is no empty one. Removal restores it by moving later entries of
 * the same run back into the hole.
 */
#include "hash_index.h"

#include <stdlib.h>

#include "base.h"

#define FIRST_SLOTS 64

void ht_index_grow(struct ht_index *x)
{
	size_t old = x->slots ? x->mask + 1 : 0;
	size_t slots = old ? old * 2 : FIRST_SLOTS;
	struct ht_index_slot *from = x->slots;
	x->slots = ht_xrealloc(NULL, slots, sizeof(*x->slots));
	x->mask = slots - 1;
	for (size_t i = 0; i < slots; i++)
		x->slots[i].value = HT_INDEX_NONE;
	for (size_t i = 0; i < old; i++)
		if (from[i].value != HT_INDEX_NONE)
			ht_index_place(x, from[i].hash, from[i].value);
	free(from);
}

void ht_index_remove(struct ht_index *x, size_t i)
{
	size_t hole = i & x->mask;
	for (size_t j = (hole + 1) & x->mask; x->slots[j].value != HT_INDEX_NONE; j = (j + 1) & x->mask) {
		size_t home = x->slots[j].hash & x->mask;
		/* j may fill the hole unless its home lies between the hole and j. */
		if (((j - home) & x->mask) >= ((j - hole) & x->mask)) {
			x->slots[hole] = x->slots[j];
			hole = j;
		}
	}
	x->slots[hole].value = HT_INDEX_NONE;
	x->count--;
}

void ht_index_release(struct ht_index *x)
{
	free(x->slots);
	*x = (struct ht_index){0};
}

static void place_address(struct ht_address_set *s, uint64_t address)
{
	size_t i = ht_mix(address) & s->mask;
	while (s->slots[i] && s->slots[i] != address)
		i = (i + 1) & s->mask;
	if (!s->slots[i])
		s->count++;
	s->slots[i] = address;
}

void ht_address_set_add(struct ht_address_set *s, uint64_t address)
{
	if (!s->slots || s->count * 2 > s->mask) {
		struct ht_address_set old = *s;
		s->mask = old.slots ? old.mask * 2 + 1 : FIRST_SLOTS - 1;
		s->slots = ht_xcalloc(s->mask + 1, sizeof(*s->slots));
		s->count = 0;
		for (size_t i = 0; old.slots && i <= old.mask; i++)
			if (old.slots[i])
				place_address(s, old.slots[i]);
		free(old.slots);
	}
	place_address(s, address);
}

bool ht_address_set_remove(struct ht_address_set *s, uint64_t address)
{
	if (!s->slots)
		return false;
	size_t hole = ht_mix(address) & s->mask;
	while (s->slots[hole] != address) {
		if (!s->slots[hole])
			return false;
		hole = (hole + 1) & s->mask;
	}
	for (size_t j = (hole + 1) & s->mask; s->slots[j]; j = (j + 1) & s->mask) {
		size_t home = ht_mix(s->slots[j]) & s->mask;
		if (((j - home) & s->mask) >= ((j - hole) & s->mask)) {
			s->slots[hole] = s->slots[j];
			hole = j;
		}
	}
	s->slots[hole] = 0;
	s->count--;
	return true;
}

void ht_address_set_release(struct ht_address_set *s)
{
	free(s->slots);
	*s = (struct ht_address_set){0};
}
