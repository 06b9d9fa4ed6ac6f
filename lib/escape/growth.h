/*
 * growth: objects that grow by being allocated anew, larger: by realloc, or by hand (allocate a larger block, copy, free
 * the old one, with nothing else allocated or freed in between on that thread, from the same callsite, or freed by the
 * function that allocated). A chain is the blocks that one object passes through.
 *
 * Whether realloc moved the block is not looked at: bytes copied are what is copied at most.
 */
#ifndef HT_GROWTH_H
#define HT_GROWTH_H

#include "pass.h"

struct ht_growth_row {
	const struct ht_frame *frame; /* where the larger blocks are allocated; NULL: nothing grew there */
	uint32_t node;
	uint64_t chains;	/* that grew */
	uint64_t copies, bytes_copied;
	uint64_t never_grew;	/* blocks of the same callsite that kept their first size */
	uint64_t final_p50, final_p90, final_max; /* of all these, in bytes */
	uint64_t saved_copies, saved_bytes; /* had they begun with final_p90 */
};
struct ht_growth {
	struct ht_growth_row *rows;
	uint32_t row_count;
};

struct ht_growth_pass;
struct ht_growth_pass *ht_growth_new(struct ht_analysis *a);
struct ht_pass ht_growth_pass(struct ht_growth_pass *g);
/* After the walk; frees the pass. */
void ht_growth_finish(struct ht_growth_pass *g, struct ht_growth *out);
void ht_growth_release(struct ht_growth *out);

#endif
