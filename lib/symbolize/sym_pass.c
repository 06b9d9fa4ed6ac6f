/* sym_pass: see sym_pass.h. */
#include "sym_pass.h"

#include "sym_walk.h"

static struct sym_hit *touch(struct sym_pass *p, size_t index)
{
	struct sym_hit *h = &p->hits[index];
	if (!h->touched) {
		*h = (struct sym_hit){ .entry = SYM_NO_ENTRY, .touched = true };
		p->touched = sym_grow(p->touched, p->touched_count, &p->touched_cap, sizeof(*p->touched));
		p->touched[p->touched_count++] = (uint32_t)index;
	}
	return h;
}

static void line_found(void *ctx, size_t index, uint64_t file, uint64_t line)
{
	struct sym_pass *p = ctx;
	if (p->l->answered[index])
		return;
	struct sym_hit *h = touch(p, index);
	if (h->file || h->line)
		return;
	h->file = sym_lines_file(&p->lines, file);
	h->line = line <= UINT32_MAX ? (uint32_t)line : 0;
}

/* The entry that a DIE's ranges are being collected for; added to the table at the first hit. */
struct candidate {
	struct sym_pass *p;
	struct sym_entry entry;
	uint32_t index; /* in the table, SYM_NO_ENTRY until then */
};

static void range_found(void *ctx, uint64_t lo, uint64_t hi)
{
	struct candidate *c = ctx;
	struct sym_pass *p = c->p;
	const struct sym_lookup *l = p->l;
	for (size_t i = sym_first_not_below(l->addresses, l->count, lo); i < l->count && l->addresses[i] < hi; i++) {
		if (l->answered[i])
			continue;
		if (c->index == SYM_NO_ENTRY) {
			p->entries = sym_grow(p->entries, p->entry_count, &p->entry_cap, sizeof(*p->entries));
			c->index = (uint32_t)p->entry_count;
			p->entries[p->entry_count++] = c->entry;
		}
		struct sym_hit *h = touch(p, i);
		if (h->entry == SYM_NO_ENTRY || p->entries[h->entry].depth < c->entry.depth)
			h->entry = c->index;
	}
}

/* Adds the function of the walk's DIE when it holds addresses; its index + 1, else 0. */
static uint32_t add_function(struct sym_pass *p, uint32_t parent)
{
	const struct sym_die *die = &p->walk->die;
	struct candidate c = { p, { p->unit->in, die->offset, parent, 0, 0, 0 }, SYM_NO_ENTRY };
	if (parent != SYM_NO_ENTRY) {
		c.entry.depth = p->entries[parent].depth + 1;
		c.entry.call_file = sym_die_u32(die, SYM_AT_CALL_FILE);
		c.entry.call_line = sym_die_u32(die, SYM_AT_CALL_LINE);
	}
	sym_die_ranges(p->unit, die, range_found, &c);
	return c.index == SYM_NO_ENTRY ? 0 : c.index + 1;
}

/*
 * One DIE of the walk; whether its children are of interest. What travels down the walk is the
 * index + 1 of the function that encloses the DIE, 0 outside of functions.
 */
static bool visit(struct sym_pass *p, struct sym_walk *w, bool into_types)
{
	uint32_t above = sym_walk_above(w), here;
	sym_walk_set(w, above);
	switch (w->die.tag) {
	case DW_TAG_subprogram:
		here = add_function(p, SYM_NO_ENTRY);
		sym_walk_set(w, here);
		return here || into_types;
	case DW_TAG_inlined_subroutine:
		here = above ? add_function(p, above - 1) : 0;
		sym_walk_set(w, here);
		return here || into_types;
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
		return above || into_types;
	case DW_TAG_namespace:
	case DW_TAG_module:
		return true;
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
	case DW_TAG_enumeration_type:
		return into_types;
	default:
		return false;
	}
}

static void walk_functions(struct sym_pass *p, bool into_types)
{
	bool into;
	for (bool more = sym_walk_start(p->walk, p->unit); more; more = sym_walk_next(p->walk, into))
		into = visit(p, p->walk, into_types);
	sym_walk_release(p->walk);
}

/* Whether an address of the unit that no function was found for lies in one all the same, not in padding. */
static bool misses_function(const struct sym_pass *p)
{
	for (size_t i = 0; i < p->touched_count; i++) {
		const struct sym_function *f;
		if (p->hits[p->touched[i]].entry != SYM_NO_ENTRY)
			continue;
		f = sym_table_find(p->l->table, p->l->addresses[p->touched[i]], NULL, NULL);
		if (!p->l->table->count || (f && f->size))
			return true;
	}
	return false;
}

void sym_pass_unit(struct sym_pass *p)
{
	sym_lines_walk(&p->lines, p->l->addresses, p->l->count, line_found, p);
	walk_functions(p, false);
	if (sym_name_has_scopes(p->unit) && misses_function(p))
		walk_functions(p, true);
}
