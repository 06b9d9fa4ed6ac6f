/*
 * sym_lines: the line table of one unit: which file and line the asked addresses have, and the
 * absolute path of a file number. File numbers start at 1 up to DWARF 4 and at 0 in DWARF 5.
 */
#ifndef HT_SYM_LINES_H
#define HT_SYM_LINES_H

#include "sym_die.h"
#include "sym_wire.h"

struct sym_lines {
	struct sym_debug *in;
	struct sym_out *out;
	Dwarf_Line_Context context; /* NULL: the unit has no (readable) line table */
	const char *comp_dir;
	uint64_t version;
	uint32_t *ids; /* string id by file number, UINT32_MAX = not looked up */
	uint64_t id_count;
};

/* Never fails: a unit without lines answers 0 to everything. */
void sym_lines_open(struct sym_lines *l, struct sym_debug *g, Dwarf_Die unit, const char *comp_dir, struct sym_out *out);
/* The string id of a file's path, 0 unknown. */
uint32_t sym_lines_file(struct sym_lines *l, uint64_t number);
/*
 * Walks all rows once; addresses are ascending. Calls found for each of them that lies in a
 * sequence, with its index; line 0 is what compilers say of code that stands for no line.
 */
void sym_lines_walk(struct sym_lines *l, Dwarf_Die unit, const uint64_t *addresses, size_t count,
		    void (*found)(void *ctx, size_t index, uint64_t file, uint64_t line), void *ctx);
void sym_lines_close(struct sym_lines *l);

#endif
