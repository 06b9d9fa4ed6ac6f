/*
 * escape: what the views of `heaptide escape` share; cmd_escape.c has the table of views. lib/escape has the numbers.
 */
#ifndef HT_ESCAPE_COMMAND_H
#define HT_ESCAPE_COMMAND_H

#include "emit.h"
#include "frame_cells.h"
#include "growth.h"
#include "pools.h"
#include "verdict.h"

struct ht_escape_sizes {
	uint64_t min, median, max;
};

struct ht_escape {
	const struct ht_analysis *a;
	const struct ht_fates *fates;
	const struct ht_verdicts *verdicts;
	const struct ht_escape_sizes *sizes; /* per row */
	const struct ht_growth *growth; /* each NULL: not asked for */
	const struct ht_pools *pools;
	struct ht_emitter *e;
	const char *path, *list;
	size_t limit; /* rows; SIZE_MAX: all */
	bool no_free_stacks;
};

/* --- escape_names.c ------------------------------------------------------------------------ */

/* "cache.c:142", or what is known; clean; heap. */
char *ht_escape_site(const struct ht_frame *f);
/* The function, or module+0xaddress; clean; heap. */
char *ht_escape_function(const struct ht_frame *f);
/* "malloc", "operator new", "strdup": what the callsite called; heap. */
char *ht_escape_call(const struct ht_escape *x, const struct ht_escape_row *row);
/* Rows with blocks, most first, then function, file, line; heap. */
uint32_t *ht_escape_order(const struct ht_escape *x, size_t *count);

/* Of every row; heap. */
struct ht_escape_sizes *ht_escape_sizes(const struct ht_escape *x);

/* What text says of a callsite in a table, and what data does. */
#define HT_ESCAPE_NAME_COLUMNS                                                                                         \
	{.key = "name", .heading = "function", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_FLEX},        \
		{.key = "site", .heading = "site", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_KEEP_END,  \
		 .widest = 22},                                                                                        \
		HT_FRAME_COLUMNS
void ht_escape_name_cells(struct ht_emitter *e, const struct ht_frame *f);

/* --- escape_lines.c ------------------------------------------------------------------------ */

/* "malloc(24) in parse does not escape: ..."; clean; heap. */
char *ht_escape_said(const struct ht_escape *x, uint32_t row);
/* Rows as JSON or CSV. */
void ht_escape_data(const struct ht_escape *x, const uint32_t *rows, size_t shown, size_t count);

/* --- views ---------------------------------------------------------------------------------- */

int ht_escape_lines(struct ht_escape *x, struct ht_diag *d);
int ht_escape_list(struct ht_escape *x, struct ht_diag *d); /* in place of lines, with x->list */
int ht_escape_growth(struct ht_escape *x, struct ht_diag *d);
int ht_escape_churn(struct ht_escape *x, struct ht_diag *d);
int ht_escape_sizes_view(struct ht_escape *x, struct ht_diag *d);
int ht_escape_lifetimes(struct ht_escape *x, struct ht_diag *d);

#endif
