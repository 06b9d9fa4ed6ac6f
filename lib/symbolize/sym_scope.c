/*
 * sym_scope: the namespaces, types and functions of one unit that enclose others, as an array in
 * document order. A scope's `end` is the offset of what follows it; 0 when nothing follows it in its
 * parent, and then it reaches as far as the parent does.
 */
#include "sym_name.h"
#include "sym_walk.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define SCOPES_DEEP 64

struct scope {
	Dwarf_Off offset, end;
	struct sym_ref declared; /* the DIE that this one completes, and whose scopes count; in NULL: none */
	uint32_t parent;
	const char *name; /* NULL: nothing to print, as for a lexical block; or see unnamed_line */
	uint32_t unnamed_line; /* a type without a name is told from others by where it was declared; 0 = named */
};

struct sym_scopes {
	struct scope *list;
	size_t count, cap;
};

static bool encloses(Dwarf_Half tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_interface_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
		return true;
	default:
		return false;
	}
}

/*
 * A function's body is often a DIE apart from its declaration, nameless but for a reference. The
 * name and the place of the declaration are taken; it may stand in another unit, or with dwz in
 * another file.
 */
static void follow_declaration(struct sym_debug *g, Dwarf_Die die, struct scope *s)
{
	for (int step = 0; step < 4; step++) {
		struct sym_ref at = sym_die_ref(g, die, DW_AT_abstract_origin);
		if (!at.in)
			at = sym_die_ref(g, die, DW_AT_specification);
		if (step)
			dwarf_dealloc_die(die);
		Dwarf_Error err = NULL;
		g = at.in;
		if (!g || !sym_debug_ok(g, dwarf_offdie_b(g->dbg, at.offset, 1, &die, &err), &err))
			return;
		s->declared = at;
		if (!s->name)
			s->name = sym_die_string(g, die, DW_AT_name);
	}
	dwarf_dealloc_die(die);
}

static struct scope describe(struct sym_debug *g, Dwarf_Die die, Dwarf_Half tag, uint32_t parent)
{
	struct scope s = { .offset = sym_die_offset(die), .parent = parent };
	uint64_t line = 0;
	if (tag == DW_TAG_lexical_block)
		return s;
	s.name = sym_die_string(g, die, DW_AT_name);
	if (s.name)
		return s;
	if (tag == DW_TAG_namespace)
		s.name = "(anonymous namespace)";
	else if (tag == DW_TAG_subprogram)
		follow_declaration(g, die, &s);
	else if (sym_die_uint(g, die, DW_AT_decl_line, &line) && line <= UINT32_MAX)
		s.unnamed_line = (uint32_t)line;
	return s;
}

struct sym_scopes *sym_scopes_new(struct sym_debug *g, Dwarf_Off unit)
{
	struct sym_scopes *s = ht_xcalloc(1, sizeof(*s));
	struct sym_walk w;
	uint32_t last[SCOPES_DEEP + 1]; /* by depth: the latest scope there, to be closed by its next sibling */
	for (size_t i = 0; i <= SCOPES_DEEP; i++)
		last[i] = NONE;
	bool into;
	for (bool more = sym_walk_start(&w, g, unit); more; more = sym_walk_next(&w, into)) {
		Dwarf_Half tag = sym_die_tag(w.die);
		into = encloses(tag) && w.depth < SCOPES_DEEP;
		if (w.depth <= SCOPES_DEEP && last[w.depth] != NONE) {
			s->list[last[w.depth]].end = sym_die_offset(w.die);
			last[w.depth] = NONE;
		}
		if (!into)
			continue;
		/* Ancestors are numbered from 1 in the walk, since 0 says "none". */
		uint32_t above = sym_walk_above(&w);
		s->list = sym_grow(s->list, s->count, &s->cap, sizeof(*s->list));
		s->list[s->count] = describe(g, w.die, tag, above ? above - 1 : NONE);
		last[w.depth] = (uint32_t)s->count++;
		sym_walk_set(&w, (uint32_t)s->count);
		last[w.depth + 1] = NONE;
	}
	sym_walk_release(&w);
	return s;
}

/* Is the DIE at offset, which starts after scope at does, inside it? */
static bool inside(const struct sym_scopes *s, uint32_t at, Dwarf_Off offset)
{
	while (at != NONE && !s->list[at].end)
		at = s->list[at].parent;
	return at == NONE || offset < s->list[at].end;
}

/* The innermost scope around the DIE at offset. */
static uint32_t scope_around(const struct sym_scopes *s, Dwarf_Off offset)
{
	size_t lo = 0, hi = s->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->list[mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	uint32_t at = lo ? (uint32_t)(lo - 1) : NONE;
	while (at != NONE && !inside(s, at, offset))
		at = s->list[at].parent;
	return at;
}

void sym_scopes_qualify(struct sym_namer *n, struct sym_ref die, const char *bare, struct ht_buf *out)
{
	const struct scope *around[SCOPES_DEEP];
	size_t count = 0;
	const struct sym_scopes *s = sym_name_scopes(n, die);
	for (uint32_t at = s ? scope_around(s, die.offset) : NONE; at != NONE && count < SCOPES_DEEP;) {
		const struct scope *one = around[count++] = &s->list[at];
		at = one->parent;
		if (!one->declared.in)
			continue;
		s = sym_name_scopes(n, one->declared);
		at = s ? scope_around(s, one->declared.offset) : NONE;
	}
	while (count--) {
		if (around[count]->name)
			ht_buf_printf(out, "%s::", around[count]->name);
		else if (around[count]->unnamed_line)
			ht_buf_printf(out, "{%s:%u}::", strcmp(bare, "operator()") ? "unnamed" : "lambda",
				      around[count]->unnamed_line);
	}
	ht_buf_append(out, bare, strlen(bare));
}
