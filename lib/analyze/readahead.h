/*
 * readahead: the trace's event blocks in order, decoded by other threads before they are asked for.
 * A block is decoded by whoever is free; the caller gets them one by one, in the file's order.
 */
#ifndef HT_READAHEAD_H
#define HT_READAHEAD_H

#include "trace.h"

struct ht_readahead;

/* jobs 0: decided by the number of CPUs and blocks; 1: decode in the caller's thread. */
struct ht_readahead *ht_readahead_new(const struct ht_trace *t, unsigned jobs);
/* The next block's events, good until the next call; NULL after the last. A damaged block comes as
 * no events and *result < 0. */
const struct ht_events *ht_readahead_next(struct ht_readahead *r, int *result);
/* May be called before the end; waits for the blocks in work. */
void ht_readahead_free(struct ht_readahead *r);

#endif
