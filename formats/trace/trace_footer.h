/*
 * trace_footer: the footer in the making: a row for each block that was written, and the totals. Used by the
 * writer and by the appender. Private to this folder.
 */
#ifndef HT_TRACE_FOOTER_H
#define HT_TRACE_FOOTER_H

#include "trace_layout.h"

struct ht_footer { /* zero-initialised is empty */
	struct ht_buf column[HT_COL_FT_VALUE + 1];
	uint64_t prev_seq, prev_ns;
	uint32_t blocks;
};
void ht_footer_add(struct ht_footer *x, const struct ht_block_head *h);
void ht_footer_total(struct ht_footer *x, uint64_t key, uint64_t value); /* 0: left out */
/* The footer's payload; returns how many blocks it lists: all, or 0 when they are too many. */
uint32_t ht_footer_build(struct ht_footer *x, struct ht_buf *raw);
void ht_footer_release(struct ht_footer *x);

#endif
