/*
 * pools: what a pool of freed blocks at a callsite would have saved. A block that is freed goes into the pool if it has
 * room for K; the callsite's next allocation takes one from there. For every K at once: freed blocks are a stack,
 * an allocation takes the top one, and a pool of K has it unless K others came to lie above it meanwhile.
 *
 *	needs[k]	allocations that a pool of k serves and one of k - 1 does not
 *
 * The trace knows the order of two threads' events within a millisecond at worst; so a shared pool is as exact as that.
 *
 * The pool begins empty. Blocks of different sizes are taken to be as large as the largest. Blocks that realloc
 * makes or ends are none of a pool's.
 */
#ifndef HT_POOLS_H
#define HT_POOLS_H

#include "pass.h"

struct ht_pool {
	uint64_t requests, served; /* served: by a pool of `blocks` */
	uint64_t blocks;	   /* the fewest that serve 99 % of requests; of the requests that any pool can, if those are fewer */
	bool enough;		   /* 99 % of all */
};
struct ht_pool_row {
	const struct ht_frame *frame; /* NULL: nothing could be served */
	uint32_t node;
	uint64_t allocs, max_size;
	struct ht_pool shared;
	uint32_t threads;	 /* that allocated there */
	struct ht_pool each;	 /* one for each thread: sums, and blocks of them all together */
	uint64_t each_most;	 /* blocks of the largest */
};
struct ht_pools {
	struct ht_pool_row *rows;
	uint32_t row_count;
};

struct ht_pools_pass;
struct ht_pools_pass *ht_pools_new(struct ht_analysis *a);
struct ht_pass ht_pools_pass(struct ht_pools_pass *p);
/* After the walk; frees the pass. */
void ht_pools_finish(struct ht_pools_pass *p, struct ht_pools *out);
void ht_pools_release(struct ht_pools *out);

#endif
