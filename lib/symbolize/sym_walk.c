/* sym_walk: see sym_walk.h. Offsets only grow, so that no reference of the file can turn a walk into a circle. */
#include "sym_walk.h"

static uint64_t behind(const struct sym_walk *w)
{
	return (uint64_t)(w->die.after - w->u->in->info.data);
}

/* Parses at offset, leaving levels as lists of children end; false at the end of the unit. */
static bool settle(struct sym_walk *w, uint64_t offset)
{
	while (w->depth && sym_die_parse(w->u, w->abbrevs, offset, &w->die)) {
		if (w->die.tag) {
			w->tag_along[w->depth] = 0;
			return true;
		}
		w->depth--;
		offset = behind(w);
	}
	w->depth = 0;
	return false;
}

bool sym_walk_start(struct sym_walk *w, struct sym_unit *u)
{
	w->u = u;
	w->depth = 0;
	w->tag_along[0] = 0;
	w->abbrevs = sym_unit_open(u) ? sym_unit_pin(u) : NULL;
	if (!w->abbrevs || !sym_die_parse(u, w->abbrevs, u->die, &w->die) || !w->die.children)
		return false;
	w->depth = 1;
	return settle(w, behind(w));
}

/* Where the DIE says its sibling stands, behind it and in its unit; else 0. */
static uint64_t stated_sibling(struct sym_walk *w)
{
	struct sym_ref sibling = sym_die_ref(w->u, &w->die, SYM_AT_SIBLING);
	return sibling.in == w->u->in && sibling.offset >= behind(w) && sibling.offset < w->u->end ? sibling.offset : 0;
}

/* The offset behind the children of the current DIE; 0 when they have no end. */
static uint64_t behind_children(struct sym_walk *w)
{
	uint64_t at = behind(w), sibling = stated_sibling(w);
	if (sibling)
		return sibling;
	if (sym_die_has(&w->die, SYM_AT_SIBLING))
		sym_debug_error(w->u->in, "a sibling reference leads back");
	for (size_t open = 1; open; at = behind(w)) {
		if (!sym_die_parse(w->u, w->abbrevs, at, &w->die))
			return 0;
		if (!w->die.tag) {
			open--;
		} else if (w->die.children) {
			sibling = stated_sibling(w);
			if (sibling)
				w->die.after = w->u->in->info.data + sibling;
			else
				open++;
		}
	}
	return at;
}

bool sym_walk_next(struct sym_walk *w, bool into)
{
	if (!w->die.children)
		return settle(w, behind(w));
	if (into && w->depth < SYM_WALK_DEPTH) {
		w->depth++;
		return settle(w, behind(w));
	}
	uint64_t at = behind_children(w);
	return at && settle(w, at);
}

void sym_walk_release(struct sym_walk *w)
{
	if (w->abbrevs)
		sym_unit_unpin(w->u, w->abbrevs);
}
