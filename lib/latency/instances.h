/*
 * instances: every region, or every task, that the program told of through heaptide.h: when it was, which threads
 * worked for it and when, and what they allocated meanwhile. One pass over the events.
 *
 *	region	   begin ═════════════════════ end			one piece: its thread's
 *	task	   begin ──enter═══leave────────enter═════leave── end	a piece for each time that a thread works for it
 *
 * Regions nest, and what happens in an inner one happens in the outer ones, too; the same with tasks that a thread
 * enters while it works for another. A task that a thread enters twice has one piece there. A region that is open
 * when its thread ends, and a task that is open when its image does, ends there and is `cut`; likewise with the end
 * of the selection.
 *
 * Selected are those that begin within from and to; regions of selected threads; tasks that a selected thread began,
 * or works for.
 *
 * Memory: 64 bytes an instance, 24 a piece.
 */
#ifndef HT_INSTANCES_H
#define HT_INSTANCES_H

#include "analyze.h"

struct ht_piece {
	uint64_t begin_ns, end_ns; /* begin < end */
	uint32_t thread;
	uint32_t instance;
};

struct ht_instance {
	uint64_t begin_ns, end_ns;
	uint64_t allocs, bytes; /* births in its pieces; estimates where the trace is sampled */
	uint64_t task;		/* the trace's number; 0: a region */
	uint64_t first_piece;
	uint32_t piece_count;
	uint32_t name;	 /* string id */
	uint32_t thread; /* that began it */
	bool cut;
};

/* Of what is estimated from a sample; the root of a sum of them is its standard error. */
struct ht_instance_variance {
	double allocs, bytes;
};

struct ht_instances {
	struct ht_instance *items; /* in the order of their begins in the file */
	struct ht_piece *pieces;   /* by instance, then begin */
	struct ht_instance_variance *variances; /* one an instance; NULL: the trace has every allocation */
	size_t count, piece_count, cap, piece_cap;
	uint64_t cut;	       /* of the instances */
	uint64_t unmatched;    /* ends, enters and leaves of what never began here */
	uint64_t damaged_blocks;
};

enum ht_instances_of { HT_INSTANCES_REGIONS, HT_INSTANCES_TASKS };

struct ht_instances_options {
	enum ht_instances_of what;
	const char *name;	    /* only those of this name or type; NULL: all */
	const bool *threads;	    /* selected ones, a flag per id; NULL: all */
	uint64_t from_ns, to_ns;
	void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total); /* may be NULL */
	void *progress_ctx;
};

/* Fills in *out, which needs ht_instances_release. Damage is no failure: it is counted. */
void ht_instances_read(struct ht_instances *out, const struct ht_trace *t, const struct ht_instances_options *o);
void ht_instances_release(struct ht_instances *in);

/* How much of the instance has somebody working for it: the union of its pieces. */
uint64_t ht_instance_worked_ns(const struct ht_instances *in, const struct ht_instance *i);

#endif
