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

static uint32_t attr32(struct sym_debug *g, Dwarf_Die die, Dwarf_Half attr)
{
	uint64_t v;
	return sym_die_uint(g, die, attr, &v) && v <= UINT32_MAX ? (uint32_t)v : 0;
}

/* Adds the function of this DIE when it holds addresses; its index + 1, else 0. */
static uint32_t add_function(struct sym_pass *p, Dwarf_Die die, uint32_t parent)
{
	struct sym_debug *g = p->l->debug;
	struct candidate c = { p, { sym_die_offset(die), parent, 0, 0, 0 }, SYM_NO_ENTRY };
	if (parent != SYM_NO_ENTRY)
		c.entry.depth = p->entries[parent].depth + 1;
	sym_die_ranges(g, die, p->base, range_found, &c);
	if (c.index == SYM_NO_ENTRY)
		return 0;
	if (parent != SYM_NO_ENTRY) {
		p->entries[c.index].call_file = attr32(g, die, DW_AT_call_file);
		p->entries[c.index].call_line = attr32(g, die, DW_AT_call_line);
	}
	return c.index + 1;
}

/*
 * One DIE of the walk; whether its children are of interest. What travels down the walk is the
 * index + 1 of the function that encloses the DIE, 0 outside of functions.
 */
static bool visit(struct sym_pass *p, struct sym_walk *w, bool into_types)
{
	uint32_t above = sym_walk_above(w), here;
	sym_walk_set(w, above);
	switch (sym_die_tag(w->die)) {
	case DW_TAG_subprogram:
		here = add_function(p, w->die, SYM_NO_ENTRY);
		sym_walk_set(w, here);
		return here || into_types;
	case DW_TAG_inlined_subroutine:
		here = above ? add_function(p, w->die, above - 1) : 0;
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

static void walk_functions(struct sym_pass *p, Dwarf_Off unit, bool into_types)
{
	struct sym_walk w;
	bool into;
	for (bool more = sym_walk_start(&w, p->l->debug, unit); more; more = sym_walk_next(&w, into))
		into = visit(p, &w, into_types);
	sym_walk_release(&w);
}

void sym_pass_unit(struct sym_pass *p, Dwarf_Die unit, size_t wanted)
{
	sym_lines_walk(&p->lines, unit, p->l->addresses, p->l->count, line_found, p);
	walk_functions(p, sym_die_offset(unit), false);
	size_t found = 0;
	for (size_t i = 0; i < p->touched_count; i++)
		found += p->hits[p->touched[i]].entry != SYM_NO_ENTRY;
	if (found < wanted && sym_name_has_scopes(p->l->debug, sym_die_offset(unit)))
		walk_functions(p, sym_die_offset(unit), true);
}
