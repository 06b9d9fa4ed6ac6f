/*
 * sym_name: what functions are called.
 *
 * A DIE's names are gathered along DW_AT_abstract_origin and DW_AT_specification, across units
 * and into the alternate file, at most 16 steps (a circle of references ends there). Without a
 * linkage name the qualified name comes from the scopes that enclose the last DIE of that
 * chain; DIEs do not lead upward, so the scopes of a unit are listed once when first needed.
 */
#ifndef HT_SYM_NAME_H
#define HT_SYM_NAME_H

#include "sym_die.h"
#include "sym_table.h"
#include "sym_wire.h"

/* String ids as they go over the wire. */
struct sym_name {
	uint32_t function, linkage, suffix;
};

struct sym_die_name {
	const char *linkage, *bare; /* as in the debug information; NULL = not there */
	uint32_t start_line;
	struct sym_ref scope; /* the DIE whose parents qualify `bare` */
	bool named;	      /* `name` is filled in */
	struct sym_name name;
};

struct sym_namer {
	struct sym_out *out;
	enum ht_demangle demangle;
	struct sym_map by_die;	  /* key: offset, and the number of the file in the top bits */
	struct sym_die_name *dies; /* value - 1 of the above */
	size_t die_count, die_cap;
	struct sym_map by_unit; /* unit's offset, marked likewise, to index + 1 in units */
	struct sym_scopes **units; /* NULL: a language without scopes */
	size_t unit_count, unit_cap;
	struct sym_map by_symbol; /* hash of a symbol's name index + 1 in symbols */
	struct sym_name *symbols;
	size_t symbol_count, symbol_cap;
};

/* A mangled or plain name from a symbol table: base, suffix and plain form. */
struct sym_name sym_name_of_symbol(struct sym_namer *n, const char *symbol);
/* What the DIE knows of itself. Valid until the next call of this. */
struct sym_die_name *sym_name_die(struct sym_namer *n, struct sym_debug *g, uint64_t offset);
/* The name of the function that the DIE stands for. */
struct sym_name sym_name_of_die(struct sym_namer *n, struct sym_debug *g, uint64_t offset);

/* Whether the unit's language puts functions into types or namespaces: not C, assembly, Fortran, Go. */
bool sym_name_has_scopes(const struct sym_unit *u);
/* The scopes of the unit around a DIE, listed when first asked for; NULL when it has none. */
const struct sym_scopes *sym_name_scopes(struct sym_namer *n, struct sym_ref die);

/* sym_scope.c: the scopes of one unit, and the qualified form of the bare name of a DIE. */
struct sym_scopes *sym_scopes_new(struct sym_unit *u);
void sym_scopes_qualify(struct sym_namer *n, struct sym_ref die, const char *bare, struct ht_buf *out);

#endif
