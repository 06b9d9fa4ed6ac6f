/*
 * sym_walk: the DIEs of one unit in document order, without recursion.
 *
 *	struct sym_walk w;
 *	for (bool more = sym_walk_start(&w, unit); more; more = sym_walk_next(&w, into))
 *		... w.die, w.depth; into: whether the children of this DIE come next ...
 *	sym_walk_release(&w);
 *
 * Each level carries one number of the caller's (`tag_along`): what the caller set for a DIE with
 * sym_walk_set is what its children find in sym_walk_above. Deeper than 1,000 levels is skipped. Children that
 * are not wanted are jumped over where the DIE says where its sibling stands (gcc), else read through (clang).
 */
#ifndef HT_SYM_WALK_H
#define HT_SYM_WALK_H

#include "sym_die.h"

#define SYM_WALK_DEPTH 1000

struct sym_walk {
	struct sym_unit *u;
	struct sym_abbrevs *abbrevs;
	struct sym_die die;
	uint32_t depth; /* 1 for the children of the unit's own DIE */
	uint32_t tag_along[SYM_WALK_DEPTH + 2];
};

bool sym_walk_start(struct sym_walk *w, struct sym_unit *u);
bool sym_walk_next(struct sym_walk *w, bool into);
void sym_walk_release(struct sym_walk *w);

static inline void sym_walk_set(struct sym_walk *w, uint32_t value)
{
	w->tag_along[w->depth] = value;
}
/* What was set for the parent; 0 at depth 1. */
static inline uint32_t sym_walk_above(const struct sym_walk *w)
{
	return w->tag_along[w->depth - 1];
}

#endif
