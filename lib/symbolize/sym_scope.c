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
	uint64_t offset, end;
	struct sym_ref declared; /* the DIE that this one completes, and whose scopes count; in NULL: none */
	uint32_t parent;
	const char *name; /* NULL: nothing to print, as for a lexical block; or see unnamed_line */
	uint32_t unnamed_line; /* a type without a name is told from others by where it was declared; 0 = named */
};

struct sym_scopes {
	struct scope *list;
	size_t count, cap;
};

static bool encloses(uint16_t tag)
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
static void follow_declaration(struct sym_unit *u, const struct sym_die *first, struct scope *s)
{
	struct sym_die die = *first;
	for (int step = 0; step < 4; step++) {
		struct sym_ref at = sym_die_ref(u, &die, SYM_AT_ORIGIN);
		if (!at.in)
			at = sym_die_ref(u, &die, SYM_AT_SPECIFICATION);
		u = at.in ? sym_unit_at(at.in, at.offset) : NULL;
		if (!u || !sym_die_at(u, at.offset, &die))
			return;
		s->declared = at;
		if (!s->name)
			s->name = sym_die_string(u, &die, SYM_AT_NAME);
	}
}

static struct scope describe(struct sym_unit *u, const struct sym_die *die, uint32_t parent)
{
	struct scope s = { .offset = die->offset, .parent = parent };
	if (die->tag == DW_TAG_lexical_block)
		return s;
	s.name = sym_die_string(u, die, SYM_AT_NAME);
	if (s.name)
		return s;
	if (die->tag == DW_TAG_namespace)
		s.name = "(anonymous namespace)";
	else if (die->tag == DW_TAG_subprogram)
		follow_declaration(u, die, &s);
	else
		s.unnamed_line = sym_die_u32(die, SYM_AT_DECL_LINE);
	return s;
}

struct sym_scopes *sym_scopes_new(struct sym_unit *u)
{
	struct sym_scopes *s = ht_xcalloc(1, sizeof(*s));
	struct sym_walk *w = ht_xmalloc(sizeof(*w));
	uint32_t last[SCOPES_DEEP + 1]; /* by depth: the latest scope there, to be closed by its next sibling */
	for (size_t i = 0; i <= SCOPES_DEEP; i++)
		last[i] = NONE;
	bool into;
	for (bool more = sym_walk_start(w, u); more; more = sym_walk_next(w, into)) {
		into = encloses(w->die.tag) && w->die.children && w->depth < SCOPES_DEEP;
		if (w->depth <= SCOPES_DEEP && last[w->depth] != NONE) {
			s->list[last[w->depth]].end = w->die.offset;
			last[w->depth] = NONE;
		}
		if (!into)
			continue;
		/* Ancestors are numbered from 1 in the walk, since 0 says "none". */
		uint32_t above = sym_walk_above(w);
		s->list = sym_grow(s->list, s->count, &s->cap, sizeof(*s->list));
		s->list[s->count] = describe(u, &w->die, above ? above - 1 : NONE);
		last[w->depth] = (uint32_t)s->count++;
		sym_walk_set(w, (uint32_t)s->count);
		last[w->depth + 1] = NONE;
	}
	sym_walk_release(w);
	free(w);
	return s;
}

/* Is the DIE at offset, which starts after scope at does, inside it? */
static bool inside(const struct sym_scopes *s, uint32_t at, uint64_t offset)
{
	while (at != NONE && !s->list[at].end)
		at = s->list[at].parent;
	return at == NONE || offset < s->list[at].end;
}

/* The innermost scope around the DIE at offset. */
static uint32_t scope_around(const struct sym_scopes *s, uint64_t offset)
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
