/*
 * trace_livemap: (key, tag) -> (value, extra), for as many entries as are live: open addressing
 * with backward shift, so that nothing is left behind by what died. Private to this folder.
 *
 *   used <= 3/4 of the slots; an empty slot has tag HT_LIVE_EMPTY
 */
#ifndef HT_TRACE_LIVEMAP_H
#define HT_TRACE_LIVEMAP_H

#include "base.h"

#define HT_LIVE_EMPTY UINT32_MAX
struct ht_live {
	uint64_t key, value;
	uint32_t tag, extra;
};
struct ht_livemap { /* zero-initialised is empty */
	struct ht_live *slots;
	size_t used, mask;
};
/* The entry, or NULL; valid until the next put or remove. */
struct ht_live *ht_livemap_get(const struct ht_livemap *m, uint64_t key, uint32_t tag);
/* Adds or replaces. */
void ht_livemap_put(struct ht_livemap *m, uint64_t key, uint32_t tag, uint64_t value,
		    uint32_t extra);
void ht_livemap_remove(struct ht_livemap *m, uint64_t key, uint32_t tag);
void ht_livemap_release(struct ht_livemap *m);

#endif
