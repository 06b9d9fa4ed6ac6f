/*
 * sym_split: split debug information. A skeleton unit in the program names a .dwo file by path and 64-bit id; the
 * unit proper stands in that file, or with many others in a .dwp file, whose index says which part of each
 * section is its own.
 */
#ifndef HT_SYM_SPLIT_H
#define HT_SYM_SPLIT_H

#include "sym_die.h"
#include "sym_wire.h"

struct sym_split {
	struct sym_out *out;
	struct sym_debug *package; /* the .dwp file; NULL: none */
	bool asked;
	size_t found, missing; /* units */
	char first_missing[200];
};

/* The unit that the skeleton stands for; NULL when it is not there, which is counted. */
struct sym_unit *sym_split_find(struct sym_split *s, struct sym_unit *skeleton);
/* Moves the bases of a unit of a .dwp file to its parts of the sections; nothing for other units. */
void sym_parts_apply(struct sym_unit *u);

#endif
