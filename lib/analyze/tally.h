/*
 * tally: the exact counters of sets of blocks, all fed by one pass: everything, per image, per
 * thread, per size class, per stack. Private to lib/analyze.
 *
 * The snapshot at the peak costs nothing per new maximum. Each new maximum of the population is an
 * epoch; a tally that is about to change asks whether its stored peak part is older than the
 * current epoch, and if so stores what it has now, which is what it had at that maximum:
 *
 *	t->epoch == epoch:  t->c.peak_* is t's part of the latest maximum
 *	t->epoch <  epoch:  t has not changed since the latest maximum, t->now_* is its part
 */
#ifndef HT_TALLY_H
#define HT_TALLY_H

#include "pass.h"
#include "stacks.h"

/* What every birth and death touches comes first: with allocs .. freed_here it is 64 bytes, and with tens of
 * thousands of sites the cache lines are what an event costs. */
struct ht_tally {
	uint64_t now_objects, now_bytes;
	uint64_t epoch;
	struct ht_counters c;
};

/* Live bytes of a row: the sum of its stacks, whose own peaks do not add up. */
struct ht_row_level {
	uint64_t now_objects, now_bytes;
	uint64_t peak_objects, peak_bytes, peak_ns;
};

struct ht_site {
	uint32_t node;	/* canonical leaf, 0 = without a stack */
	uint32_t row;	/* key of its callsite's frame; HT_BY_STACK: its own number */
	bool shown;	/* passes focus, ignore, module */
	struct ht_tally tally; /* of blocks whose size passes min_size and max_size */
};

struct ht_sites {
	uint32_t *of_node; /* node -> site + 1; filled in as nodes are met */
	struct ht_site *items;
	uint32_t count, cap;
	struct ht_row_level *levels; /* per row */
	uint32_t level_count, level_cap;
};

struct ht_tally_pass {
	struct ht_analysis *a;
	struct ht_stacks *stacks;
	struct ht_sites *sites; /* NULL = not wanted */
	struct ht_tally total;
	struct ht_tally *images, *threads;
	struct ht_tally sizes[HT_SIZE_CLASSES];
	uint64_t epoch;	  /* number of maxima so far, from 1 */
	bool instant_taken;
};

void ht_tally_init(struct ht_tally_pass *p, struct ht_analysis *a, struct ht_stacks *stacks);
struct ht_pass ht_tally_pass(struct ht_tally_pass *p);
/* Hands the tallies over to the analysis. */
void ht_tally_finish(struct ht_tally_pass *p);
void ht_sites_free(struct ht_sites *s);

/* Is there anything of it to show in rows and trees? */
static inline bool ht_site_counts(const struct ht_site *site)
{
	return site->shown && (site->tally.c.allocs || site->tally.c.freed_here);
}

/* Bit length: 0 for 0, 1 for 1, 2 for 2 and 3, ... */
static inline unsigned ht_size_class_of(uint64_t size)
{
	return size ? 64u - (unsigned)__builtin_clzll(size) : 0;
}

#endif
