/*
 * space: which code lies where in one address space, over time.
 *
 * The hook tells of a module before any frame in it, again after each dlclose (a new generation). A
 * forked child begins with what its parent knew, so its space points to the parent's. Spaces are
 * counted references.
 */
#ifndef HT_SPACE_H
#define HT_SPACE_H

#include "base.h"

#define HT_NO_MODULE UINT32_MAX
struct ht_mapping {
	uint64_t generation, start, end, bias;
	uint32_t module; /* id in the trace, or HT_NO_MODULE: known to be in no file */
};
struct ht_space {
	struct ht_space *parent;
	struct ht_mapping *maps;
	size_t count, cap, last; /* last: the mapping that was found last */
	unsigned references, depth;
};

struct ht_space *ht_space_new(struct ht_space *parent);
void ht_space_release(struct ht_space *s);
void ht_space_add(struct ht_space *s, const struct ht_mapping *m);
/* Of exactly this generation; NULL when none (yet). */
const struct ht_mapping *ht_space_find(struct ht_space *s, uint64_t generation, uint64_t pc);
/* When nothing will come: takes that of the nearest generation, or none, for this one from now on. */
const struct ht_mapping *ht_space_settle(struct ht_space *s, uint64_t generation, uint64_t pc);
/* Of the nearest generation, NULL when in none. */
const struct ht_mapping *ht_space_nearest(const struct ht_space *s, uint64_t generation, uint64_t pc);

#endif
