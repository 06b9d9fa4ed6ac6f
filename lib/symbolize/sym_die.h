/*
 * sym_die: libdwarf as the rest of this folder wants it: a module's debug information opened
 * over our own sections, and attributes of one DIE as numbers, strings, references and ranges.
 *
 * Found, absent and broken: absent and broken both read as "not there", but what is broken is
 * counted and its first text kept. Strings and references into a dwz alternate file are dispatched
 * by their form, so that a missing alternate file means absent names, never wrong ones.
 */
#ifndef HT_SYM_DIE_H
#define HT_SYM_DIE_H

#include "sym_elf.h"

#include <dwarf.h>
#include <libdwarf.h>

/* One file's debug information: the module's (or its separate debug file's), or the alternate one. */
struct sym_debug {
	Dwarf_Debug dbg;
	struct sym_elf *elf;
	struct sym_debug *alternate; /* NULL: none, or not found */
	bool is_alternate;	     /* this is the other one's alternate */
	Dwarf_Obj_Access_Interface access;
	struct sym_section **sections; /* those that libdwarf gets to see, from index 1 */
	size_t section_count;
	uint64_t errors;
	char first_error[160];
};

/* HT_ABSENT without debug information; else 0, HT_ERR_DAMAGED or HT_ERR_LIMIT with text. */
int sym_debug_open(struct sym_debug *g, struct sym_elf *e, struct ht_diag *d);
/* Names that live in the alternate file are found from now on. */
void sym_debug_tie(struct sym_debug *g, struct sym_debug *alternate);
/* What every call of libdwarf goes through: true when rc is DW_DLV_OK; frees and counts an error.
 * err is the address that the call itself got, since arguments have no order. */
bool sym_debug_ok(struct sym_debug *g, int rc, Dwarf_Error *err);

/* A DIE by its file and offset. */
struct sym_ref {
	struct sym_debug *in; /* NULL: none */
	Dwarf_Off offset;
};

bool sym_die_uint(struct sym_debug *g, Dwarf_Die die, Dwarf_Half attr, uint64_t *value);
/* Lives as long as the sections. */
const char *sym_die_string(struct sym_debug *g, Dwarf_Die die, Dwarf_Half attr);
struct sym_ref sym_die_ref(struct sym_debug *g, Dwarf_Die die, Dwarf_Half attr);
bool sym_die_has(struct sym_debug *g, Dwarf_Die die, Dwarf_Half attr);
/* Calls each(ctx, lo, hi) for every non-empty range of the DIE's code; base is its unit's low pc. */
void sym_die_ranges(struct sym_debug *g, Dwarf_Die die, uint64_t base, void (*each)(void *ctx, uint64_t lo, uint64_t hi),
		    void *ctx);

/*
 * Walking: the next sibling of *die (or, with NULL, the unit's own DIE) takes its place; false at
 * the end. Offsets must grow, else a hostile sibling reference could turn the walk into a circle.
 */
bool sym_die_next(struct sym_debug *g, Dwarf_Die *die);
bool sym_die_child(struct sym_debug *g, Dwarf_Die die, Dwarf_Die *child);
Dwarf_Half sym_die_tag(Dwarf_Die die);
Dwarf_Off sym_die_offset(Dwarf_Die die);

#endif
