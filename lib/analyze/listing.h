/*
 * listing: what the lines of chosen functions allocated, for annotated source. A line has what was
 * allocated by it (self: its stacks' callsite) and what lies behind it (total: stacks that pass through it
 * anywhere, each once). Functions of one name in different files are different functions.
 */
#ifndef HT_LISTING_H
#define HT_LISTING_H

#include "analyze.h"

struct ht_listed_line {
	uint32_t line; /* 0: unknown */
	struct ht_counters self, total;
};
struct ht_listed_function {
	const char *name, *file, *module; /* file NULL: unknown, then lines[0].line is 0 */
	uint32_t start_line;		  /* 0 unknown */
	bool inlined;			  /* in all its places */
	struct ht_counters self, total;
	struct ht_listed_line *lines; /* ascending */
	size_t line_count, line_cap;
};
struct ht_listing {
	struct ht_listed_function *items; /* by the metric of total, then name, file */
	size_t count;
};

/* Functions whose name matches the extended regular expression. 0, or HT_ERR_USAGE when it is none. */
int ht_analysis_listing(const struct ht_analysis *a, const char *functions, enum ht_metric metric, struct ht_listing *out,
			struct ht_diag *d);
void ht_listing_release(struct ht_listing *l);

#endif
