/* sym_walk: see sym_walk.h. levels[0] is a place for the unit's own DIE; the current DIE is on top. */
#include "sym_walk.h"

#include "sym_map.h"

#include <stdlib.h>

#define DEPTH_MAX 1000

static bool push(struct sym_walk *w, Dwarf_Die die)
{
	w->levels = sym_grow(w->levels, w->depth + 1, &w->cap, sizeof(*w->levels));
	w->levels[++w->depth] = (struct sym_walk_level){ die, 0 };
	w->die = die;
	return true;
}

bool sym_walk_start(struct sym_walk *w, struct sym_debug *g, Dwarf_Off unit)
{
	Dwarf_Die die = NULL, child = NULL;
	Dwarf_Error err = NULL;
	*w = (struct sym_walk){ .g = g };
	w->levels = sym_grow(w->levels, 0, &w->cap, sizeof(*w->levels));
	w->levels[0] = (struct sym_walk_level){ NULL, 0 };
	if (!sym_debug_ok(g, dwarf_offdie_b(g->dbg, unit, 1, &die, &err), &err))
		return false;
	bool ok = sym_die_child(g, die, &child);
	dwarf_dealloc_die(die);
	return ok && push(w, child);
}

bool sym_walk_next(struct sym_walk *w, bool into)
{
	Dwarf_Die child = NULL;
	if (into && w->depth < DEPTH_MAX && sym_die_child(w->g, w->die, &child))
		return push(w, child);
	for (; w->depth; w->depth--) {
		struct sym_walk_level *top = &w->levels[w->depth];
		if (sym_die_next(w->g, &top->die)) {
			top->tag_along = 0;
			w->die = top->die;
			return true;
		}
	}
	return false;
}

void sym_walk_set(struct sym_walk *w, uint32_t value)
{
	w->levels[w->depth].tag_along = value;
}

uint32_t sym_walk_above(const struct sym_walk *w)
{
	return w->levels[w->depth - 1].tag_along;
}

void sym_walk_release(struct sym_walk *w)
{
	for (; w->depth; w->depth--)
		if (w->levels[w->depth].die)
			dwarf_dealloc_die(w->levels[w->depth].die);
	free(w->levels);
	*w = (struct sym_walk){ 0 };
}
