/*
 * sym_unit: answers from debug information. One pass per unit that holds asked-for addresses.
 *
 * Which units: .debug_aranges says so for most of gcc's output and is believed only as a hint;
 * addresses that got no answer that way are looked for in the ranges of every unit.
 *
 * In a unit: one walk over its line rows and one over its DIEs, pruned to functions whose ranges
 * hold a wanted address. Types are entered only when addresses of the unit stayed without a
 * function (some languages define functions inside types).
 */
#ifndef HT_SYM_UNIT_H
#define HT_SYM_UNIT_H

#include "sym_name.h"

struct sym_lookup {
	struct sym_debug *debug;
	const struct sym_table *table;
	struct sym_namer *namer;
	struct sym_out *out;
	const uint64_t *addresses; /* ascending, distinct */
	size_t count;
	bool no_inline;
	bool *answered; /* count of them, all false at first */
	size_t split_units; /* seen: units whose DIEs are in another file (.dwo) */
};

/* Sends an answer for every address that debug information knows; how many those were. */
size_t sym_lookup_run(struct sym_lookup *l);
/* The answer from the symbol table alone: at most one frame into *f; false when nothing covers address. */
bool sym_frame_of_symbol(const struct sym_table *t, struct sym_namer *n, uint64_t address, struct sym_wire_frame *f);

#endif
