/*
 * sym_unit: answers from debug information. One pass per unit that holds asked-for addresses.
 *
 * Which units: .debug_aranges says so for most of gcc's output and is believed only as a hint; for units that
 * it does not mention, the ranges of the unit's own DIE. Addresses that got no answer that way are looked for
 * in the ranges of every unit.
 *
 * In a unit: one walk over its line rows and one over its DIEs, pruned to functions whose ranges
 * hold a wanted address. Types are entered only when an address that a symbol covers stayed without a
 * function (some languages define functions inside types).
 *
 * Several processes may share one file: each reads the units that start in its share of .debug_info, and no other.
 */
#ifndef HT_SYM_UNIT_H
#define HT_SYM_UNIT_H

#include "sym_name.h"
#include "sym_split.h"

struct sym_lookup {
	struct sym_debug *debug;
	const struct sym_table *table;
	struct sym_namer *namer;
	struct sym_out *out;
	const uint64_t *addresses; /* ascending, distinct */
	size_t count;
	bool no_inline;
	bool *answered; /* count of them, all false at first */
	struct sym_split split;
	unsigned part, parts; /* this process's share */
};

/* Sends an answer for every address that debug information knows; how many those were. */
size_t sym_lookup_run(struct sym_lookup *l);
/* sym_aranges.c: calls found(ctx, unit, lo, hi) for what .debug_aranges says; errors are as good as absence. */
void sym_aranges_read(struct sym_debug *g, void (*found)(void *ctx, struct sym_unit *u, uint64_t lo, uint64_t hi), void *ctx);
/* The answer from the symbol table alone: at most one frame into *f; false when nothing covers address. */
bool sym_frame_of_symbol(const struct sym_table *t, struct sym_namer *n, uint64_t address, struct sym_wire_frame *f);

#endif
