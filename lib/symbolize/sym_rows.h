/*
 * sym_rows: the line-number program of one unit, row by row (DWARF 2 to 5).
 *
 * Ours and not libdwarf's: the one in Debian 12 (20210528) starts the file register of a DWARF 5
 * table at 0 where the standard says 1, and clang relies on the standard, so that functions from
 * headers would seem to stand in the main file (seen).
 */
#ifndef HT_SYM_ROWS_H
#define HT_SYM_ROWS_H

#include "base.h"

struct sym_row {
	uint64_t address, file, line;
	bool end; /* address is the first behind the sequence */
};

struct sym_rows {
	struct ht_cursor c;
	struct ht_cursor tables; /* of the header: directories and files */
	bool big_endian;
	uint8_t version, offset_size;
	uint8_t min_length, line_range, opcode_base;
	int8_t line_base;
	uint8_t lengths[256]; /* of the standard opcodes' operands */
	struct sym_row now;
};

/* False when there is no such table or its header cannot be right. */
bool sym_rows_start(struct sym_rows *r, const uint8_t *section, size_t size, uint64_t offset, bool big_endian);
/* False at the end; r->c.bad then tells whether the program broke off. */
bool sym_rows_next(struct sym_rows *r, struct sym_row *row);

#endif
