/*
 * work: what a comparison keeps while it is made; private to compare.
 *
 * Runs are numbered through: the old side's first. Every stack and every group has one set of values a run,
 * values[run * HT_CV_COUNT + value].
 */
#ifndef HT_COMPARE_WORK_H
#define HT_COMPARE_WORK_H

#include "base.h"
#include "frames.h"

/* A sample as it came. */
struct raw_stack {
	size_t at; /* in pool */
	uint32_t depth;
	uint32_t line, shown_line; /* of the callsite: from its function's first, in the file */
	uint32_t run;		   /* in order of adding */
	double values[HT_CV_COUNT];
};

/* One stack over all runs. */
struct whole_stack {
	size_t at;
	uint32_t depth, line, shown_line, group;
};

/* What becomes a row. */
struct group {
	uint32_t stack;	    /* its heaviest */
	bool only_new; /* before anything was handed over */
	double old_weight, new_weight; /* allocations, mean over the side's runs */
	double old_bytes, new_bytes;
	size_t contexts, context_count; /* in contexts */
	uint32_t merged_into;		/* group + 1 */
	uint32_t renamed_from;		/* group + 1, whose old side this one has now */
	char *evidence;
};

/* Who called a group's callsite: a hash of its immediate caller, of its whole outer chain, and how often. */
struct context {
	uint32_t group;
	uint8_t kind; /* 0 caller, 1 chain, 2 a neighbour: a group whose callsite is next to this one in a stack */
	uint64_t hash;
	double old_weight, new_weight;
};

struct ht_compare_work {
	struct frame_table frames;
	uint32_t *pool;
	size_t pool_count, pool_cap;
	struct raw_stack *raw;
	size_t raw_count, raw_cap;
	enum ht_side *run_side; /* by order of adding */
	unsigned run_count;
	struct module_seen { /* which files were there on which side */
		char *name, *build_id;
		unsigned sides;
		const char *now; /* what it is called on the new side, NULL: as here */
		char *evidence;
	} *modules;
	size_t module_count;
	bool *settled; /* per frame: its module is the same file on both sides, so it cannot have been renamed */

	struct renaming { /* by frame of the new side: what it was called; found by function, used by line and by stack */
		uint32_t from; /* frame + 1, 0 = none */
		char *evidence;
	} *renamings;
	uint32_t renaming_count;
	unsigned runs; /* of both sides; run_place: order of adding -> place in values */
	unsigned *run_place;
	struct whole_stack *stacks;
	double *stack_values;
	size_t stack_count;
	struct group *groups;
	double *group_values;
	size_t group_count;
	struct context *contexts;
	size_t context_count;
	double *tests; /* the metric, row after row, as ht_significance takes it */
	struct ht_significance *significance;
	char **texts; /* owned strings of rows */
	size_t text_count;
};

static inline double *group_value(const struct ht_compare_work *w, size_t group)
{
	return w->group_values + group * w->runs * HT_CV_COUNT;
}
static inline double *stack_value(const struct ht_compare_work *w, size_t stack)
{
	return w->stack_values + stack * w->runs * HT_CV_COUNT;
}

/* match_modules.c */
void see_module(struct ht_compare_work *w, const char *name, const char *build_id, enum ht_side side);
void common_frames(struct ht_compare *c);
const struct module_seen *renamed_module(const struct ht_compare_work *w, const char *now); /* NULL: it was not */
/* align_lines.c; before stacks are united */
void align_lines(struct ht_compare *c);
/* group_stacks.c */
void unite_stacks(struct ht_compare *c);
void group_stacks(struct ht_compare *c);
/* compare_rows.c: everything in c that callers see. */
void make_rows(struct ht_compare *c);
/* Between 0 and 1: Dice's coefficient over pairs of letters; the smaller over the larger. */
double name_likeness(const char *a, const char *b);
double likeness_of(double a, double b);
/* pair.c: pairs and moves among groups that are on one side only. */
void pair_groups(struct ht_compare *c);
/* What a group is called; heap. */
char *group_text(const struct ht_compare *c, const struct group *g);
/* The mean of a value over a side's runs. */
double side_mean(const struct ht_compare *c, const double *values, enum ht_side side, enum ht_compare_value v);

#endif
