/*
 * fates: what became of the blocks, as one read of the trace tells it, before anything is concluded from it. Blocks born
 * at one stack, and freed at one stack with as many frames of their birth possibly still there, share a fate: a count
 * in one table, so that what is to be concluded (verdict.h) is concluded once for all of them.
 */
#ifndef HT_FATES_H
#define HT_FATES_H

#include "activations.h"
#include "birth_log.h"
#include "hash_index.h"
#include "pass.h"

enum ht_fate_kind {
	HT_FATE_FREED,	 /* by its own thread; alive tells what is known of its birth's frames */
	HT_FATE_ASTRAY,	 /* by its own thread, but the two stacks cannot be compared */
	HT_FATE_THREAD,	 /* by another thread */
	HT_FATE_NO_STACK, /* by its own thread; the free's stack was not recorded */
	HT_FATE_UNSEEN,	 /* its address was born again */
	HT_FATE_KEPT,
};

struct ht_fate {
	uint32_t birth, death; /* canonical nodes; death 0: none */
	uint32_t starter;      /* THREAD: node of the freeing thread's start routine, 0 unknown */
	uint16_t alive;	       /* FREED: outermost frames of the birth that may still have been there */
	uint8_t kind;
	bool again;	       /* FREED: its thread allocated at the same stack in between */
	uint64_t blocks, bytes;
	uint64_t last_birth_ns; /* of the youngest of them */
	uint32_t next;	       /* of the same site + 1 */
};

/* Stacks of one callsite: what is known of the births themselves. */
struct ht_birth_site {
	uint32_t node; /* canonical */
	uint32_t row;
	uint64_t allocs, bytes;
	uint64_t separated; /* births before which the function had surely ended since the one before, by an event seen */
	uint64_t last_birth_ns;
	uint32_t first_fate; /* + 1 */
	struct ht_moment last;
	uint32_t last_thread;
	uint32_t turn; /* births, modulo 2^32 */
	uint32_t last_fate, last_size; /* where its last ones were counted */
	uint32_t callsite_depth; /* frames outward from the callsite's, itself included */
};

/* Quarters of powers of two: times in ns, or counts. */
enum { HT_LOGHIST_CLASSES = 256 };
struct ht_loghist {
	uint64_t count, max;
	uint64_t classes[HT_LOGHIST_CLASSES];
};
void ht_loghist_add(struct ht_loghist *s, uint64_t value, uint64_t by);
/* Right within 19 %, never above max. */
uint64_t ht_loghist_percentile(const struct ht_loghist *s, double share);
uint64_t ht_loghist_bound(unsigned k);

struct ht_size_count {
	uint32_t row;
	uint64_t size, allocs;
};

/* Generations: 1 ms, 1 s, 1 min. */
enum { HT_GENERATIONS = 3 };
extern const uint64_t ht_generations_ns[HT_GENERATIONS];

/* A callsite. */
struct ht_escape_row {
	const struct ht_frame *frame;
	uint64_t allocs, bytes, kept;
	uint32_t ops; /* bit per enum ht_op of its births */
	uint32_t node; /* a stack of it */
	struct ht_loghist *lived, *between; /* NULL: nothing died. between: other births of its thread meanwhile */
	uint64_t survived[HT_GENERATIONS]; /* blocks that lived so long, freed or not */
};

/* What is remembered of a live block. */
enum { HT_MACHINES = (1 << 24) - 1 }; /* from here on nothing is known of a machine stack */
struct ht_birth {
	uint64_t event : 40, machine : 24; /* struct ht_moment */
	uint32_t turn;			   /* its site's */
};

struct ht_fates {
	struct ht_analysis *a;
	const struct ht_stacks *stacks;
	struct ht_shapes shapes;
	struct ht_activity *threads;
	struct ht_birth_log births;
	struct ht_undo *undo; /* per thread: its last death by realloc */
	struct ht_birth_site *sites;
	uint32_t site_count, site_cap;
	uint32_t *site_of; /* per node: + 1 */
	struct ht_fate *items;
	uint32_t count, cap;
	struct ht_index index;
	struct ht_escape_row *rows; /* per frame key; allocs 0: none */
	uint32_t row_count;
	struct ht_size_count *sizes;
	uint32_t size_count, size_cap;
	struct ht_index by_size;
	uint64_t last_ns; /* of the events seen */
	bool ages;
	bool gaps; /* births are missing: sampled, paused, lost, or damaged */
};

/* ages: keep `between` and `survived` of rows. */
struct ht_fates *ht_fates_new(struct ht_analysis *a, bool ages);
struct ht_pass ht_fates_pass(struct ht_fates *f);
void ht_fates_free(struct ht_fates *f);
/* The row of a birth stack; UINT32_MAX: the row filters leave it out. */
uint32_t ht_escape_row_of(const struct ht_analysis *a, uint32_t node);

#endif
