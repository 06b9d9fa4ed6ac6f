/*
 * tally: the exact counters of sets of blocks, all fed by one pass: per stack, per thread, per size class; images and the
 * whole are sums over their threads. Private to lib/analyze.
 *
 * What every birth and death touches is one cache line a set, its flow; what is live now follows from it. The
 * snapshot at the peak costs nothing per new maximum. Each new maximum of the population is an
 * epoch; a set that is about to change asks whether its stored peak part is older than the
 * current epoch, and if so stores what it has now, which is what it had at that maximum:
 *
 *	flow->epoch == epoch:  rest->peak_* is the set's part of the latest maximum
 *	flow->epoch != epoch:  it has not changed since the latest maximum, what it has now is its part
 */
#ifndef HT_TALLY_H
#define HT_TALLY_H

#include "pass.h"
#include "stacks.h"

/* Sums. live now = born - died - left. */
struct ht_flow {
	uint64_t allocs, bytes;
	uint64_t frees, freed_bytes;
	uint64_t freed_here;
	uint64_t temporary, temporary_bytes;
	uint32_t epoch; /* modulo 2^32 */
	uint32_t row;	/* sites: key of the callsite's frame, by stack their own number; or HT_NO_ROW */
} __attribute__((aligned(64)));
#define HT_NO_ROW UINT32_MAX /* the filters do not let it through */

struct ht_rest {
	uint64_t left_objects, left_bytes;
	uint64_t peak_objects, peak_bytes;
	uint64_t live_objects, live_bytes; /* at the instant, if it was met */
};

struct ht_sets {
	struct ht_flow *flows;
	struct ht_rest *rests;
	uint32_t count, cap;
};

/* Live bytes of what has its own peak: a row (a sum of stacks, whose own peaks do not add up), a thread, an image. */
struct ht_level {
	uint64_t now_objects, now_bytes;
	uint64_t peak_objects, peak_bytes, peak_ns;
};

struct ht_site {
	uint32_t node;	/* canonical leaf, 0 = without a stack */
	uint32_t row;	/* key of its callsite's frame; HT_BY_STACK: its own number */
	bool shown;	/* passes focus, ignore, module */
	struct ht_counters c; /* of blocks whose size passes min_size and max_size; own peak: by stack, or with lifetimes */
};

/* site_rows.c: of the stacks that contain a key's frame, each once. */
struct ht_row_total {
	const struct ht_frame *frame; /* the first that was met; NULL: in no stack */
	struct ht_counters c;
};

struct ht_sites {
	uint32_t *of_node; /* node -> site + 1; filled in as nodes are met */
	struct ht_site *items; /* made when the walk is over */
	uint32_t count;
	struct ht_level *levels; /* per row */
	uint32_t level_count, level_cap;
	double *level_variances; /* of the levels' peak bytes, where they are estimates; else NULL */
	struct ht_row_total *totals; /* per key, when somebody has asked for rows */
};

struct ht_tally_pass {
	struct ht_analysis *a;
	struct ht_stacks *stacks;
	struct ht_sites *sites; /* NULL = not wanted */
	uint32_t *nodes;	/* per site */
	uint32_t node_cap;
	struct ht_sets of_site, of_thread, of_size;
	struct ht_level total, *images, *threads;
	struct ht_level *of_each_site; /* NULL: not wanted, or the rows' */
	uint32_t epoch; /* number of maxima so far, from 1, modulo 2^32 */
	bool instant_taken;
};

void ht_tally_init(struct ht_tally_pass *p, struct ht_analysis *a, struct ht_stacks *stacks);
struct ht_pass ht_tally_pass(struct ht_tally_pass *p);
/* Hands the tallies over to the analysis. */
void ht_tally_finish(struct ht_tally_pass *p);
/* All zero. It lives as long as the analysis. */
struct ht_spread *ht_spread_new(struct ht_spread_pool **pool);
void ht_sites_free(struct ht_sites *s);

/* Is there anything of it to show in rows and trees? */
static inline bool ht_site_counts(const struct ht_site *site)
{
	return site->shown && (site->c.allocs || site->c.freed_here);
}

/* Bit length: 0 for 0, 1 for 1, 2 for 2 and 3, ... */
static inline unsigned ht_size_class_of(uint64_t size)
{
	return size ? 64u - (unsigned)__builtin_clzll(size) : 0;
}
/* Class k with these numbers. */
void ht_size_class_set(struct ht_size_class *s, unsigned k, const struct ht_counters *c);

#endif
