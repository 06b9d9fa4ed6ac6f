/*
 * sym_lines: the line table of one unit: which file and line the asked addresses have, and the
 * absolute path of a file number. File numbers start at 1 up to DWARF 4 and at 0 in DWARF 5.
 */
#ifndef HT_SYM_LINES_H
#define HT_SYM_LINES_H

#include "sym_die.h"
#include "sym_rows.h"
#include "sym_wire.h"

#define SYM_LINES_UNKNOWN UINT32_MAX

struct sym_lines {
	struct sym_unit *unit; /* of the program: a split unit's lines stand with its skeleton */
	struct sym_out *out;
	struct sym_rows rows; /* at its start */
	bool usable;	      /* there is a table, and its header makes sense */
	const char **dirs;
	size_t dir_count, dir_cap;
	struct sym_line_file {
		const char *name;
		uint64_t dir;
		uint32_t id; /* of the path's string, SYM_LINES_UNKNOWN until looked up */
	} *files;
	size_t file_count, file_cap;
};

/* Never fails: a unit without lines answers 0 to everything. */
void sym_lines_open(struct sym_lines *l, struct sym_unit *unit, struct sym_out *out);
/* The string id of a file's path, 0 unknown. */
uint32_t sym_lines_file(struct sym_lines *l, uint64_t number);
/*
 * Walks all rows once; addresses are ascending. Calls found for each of them that lies in a
 * sequence, with its index; line 0 is what compilers say of code that stands for no line.
 */
void sym_lines_walk(const struct sym_lines *l, const uint64_t *addresses, size_t count,
		    void (*found)(void *ctx, size_t index, uint64_t file, uint64_t line), void *ctx);
void sym_lines_close(struct sym_lines *l);

#endif
