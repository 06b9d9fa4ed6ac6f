/* sym_pass: the pass over one unit (see sym_unit.h): which functions and inlined calls hold which addresses. */
#ifndef HT_SYM_PASS_H
#define HT_SYM_PASS_H

#include "sym_lines.h"
#include "sym_unit.h"

#define SYM_NO_ENTRY UINT32_MAX

/* One subprogram or inlined call that holds wanted addresses. */
struct sym_entry {
	struct sym_debug *in; /* the file, and where in it */
	uint64_t die;
	uint32_t parent; /* the entry it was inlined into; SYM_NO_ENTRY: physical function */
	uint32_t depth;
	uint32_t call_file, call_line; /* where in the parent it was called */
};

/* What is known about one address while its unit is read. */
struct sym_hit {
	uint32_t entry; /* the innermost */
	uint32_t file;	/* string id */
	uint32_t line;
	bool touched;
};

struct sym_walk;
struct sym_pass {
	struct sym_lookup *l;
	struct sym_lines lines;
	struct sym_walk *walk; /* large, and used one at a time */
	struct sym_unit *unit; /* whose DIEs are read: the split one where lines come from the skeleton */
	struct sym_entry *entries;
	size_t entry_count, entry_cap;
	struct sym_hit *hits; /* by index of address; zero between units */
	uint32_t *touched;    /* indexes to answer and to reset */
	size_t touched_count, touched_cap;
};

/* Fills hits and entries from p->unit and p->lines. */
void sym_pass_unit(struct sym_pass *p);

#endif
