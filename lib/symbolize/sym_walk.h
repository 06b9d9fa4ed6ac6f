/*
 * sym_walk: the DIEs of one unit in document order, without recursion.
 *
 *	struct sym_walk w;
 *	for (bool more = sym_walk_start(&w, g, unit_offset); more; more = sym_walk_next(&w, into))
 *		... w.die, w.depth; into: whether the children of this DIE come next ...
 *	sym_walk_release(&w);
 *
 * Each level carries one number of the caller's (`tag_along`): what the caller set for a DIE with
 * sym_walk_set is what its children find in sym_walk_above. Deeper than 1,000 levels is skipped.
 */
#ifndef HT_SYM_WALK_H
#define HT_SYM_WALK_H

#include "sym_die.h"

struct sym_walk {
	struct sym_debug *g;
	Dwarf_Die die;
	struct sym_walk_level {
		Dwarf_Die die;
		uint32_t tag_along;
	} *levels;
	size_t depth, cap; /* depth: 1 for the children of the unit's own DIE */
};

bool sym_walk_start(struct sym_walk *w, struct sym_debug *g, Dwarf_Off unit);
bool sym_walk_next(struct sym_walk *w, bool into);
void sym_walk_set(struct sym_walk *w, uint32_t value);
/* What was set for the parent; 0 at depth 1. */
uint32_t sym_walk_above(const struct sym_walk *w);
void sym_walk_release(struct sym_walk *w);

#endif
