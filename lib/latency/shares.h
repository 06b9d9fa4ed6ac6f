/*
 * shares: how much of each row goes to each key: waits of a site by waker, waits for a lock by stack. Hashed while it
 * is added to, then sorted: by row, then what has most time, most counts, the smaller key.
 */
#ifndef HT_SHARES_H
#define HT_SHARES_H

#include <stddef.h>
#include <stdint.h>

struct ht_share {
	uint32_t row, key;
	uint64_t count, ns;
};

struct ht_shares { /* zero-initialised is empty */
	struct ht_share *items;
	size_t count, cap;
	uint32_t *slots; /* position + 1 */
	size_t mask;
};
/* Only before sorting. */
void ht_shares_add(struct ht_shares *s, uint32_t row, uint32_t key, uint64_t count, uint64_t ns);
void ht_shares_sort(struct ht_shares *s);
/* After sorting: a row's, *count of them. */
const struct ht_share *ht_shares_of(const struct ht_shares *s, uint32_t row, size_t *count);
/* The key that has most of a row, `otherwise` where the row has none. */
uint32_t ht_shares_most(const struct ht_shares *s, uint32_t row, uint32_t otherwise);
void ht_shares_release(struct ht_shares *s);

#endif
