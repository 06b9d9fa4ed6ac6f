/*
 * sym_map: a small open-addressing map from a 64-bit key to a 32-bit value, and an interner of
 * strings built on it. Used on both sides of the fork; never shrinks, freed as a whole.
 */
#ifndef HT_SYM_MAP_H
#define HT_SYM_MAP_H

#include "base.h"

struct sym_map {
	struct sym_map_slot {
		uint64_t key;
		uint32_t value; /* 0 = empty slot, so 0 is no valid value */
	} *slots;
	size_t count, cap; /* cap is 0 or a power of two, at most half full */
};

/* The value stored under key, 0 if none. */
uint32_t sym_map_get(const struct sym_map *m, uint64_t key);
/* value != 0; overwrites. */
void sym_map_put(struct sym_map *m, uint64_t key, uint32_t value);
void sym_map_release(struct sym_map *m);

/* Ids are dense from 1; id 0 means "no string". The text is copied. */
struct sym_strings {
	struct sym_map by_hash;
	char **text;
	uint32_t count, cap;
};
/* *is_new tells whether the string was not there before. */
uint32_t sym_strings_add(struct sym_strings *s, const char *text, size_t len, bool *is_new);
void sym_strings_release(struct sym_strings *s);

/* FNV-1a, 64 bits. */
uint64_t sym_hash(const char *text, size_t len);

/* The first index of an ascending array whose value is not below v; count if none. */
size_t sym_first_not_below(const uint64_t *array, size_t count, uint64_t v);

/* A signed LEB128. */
int64_t sym_sleb(struct ht_cursor *c);

/* Room for one more element of a growing array: *array of *cap elements of size bytes, n in use. */
void *sym_grow(void *array, size_t n, size_t *cap, size_t size);

#endif
