/*
 * runs: traces on their way into a comparison. diff and check read the same way, and say the same before they show a
 * number: what is damaged, incomplete, sampled otherwise, of another program.
 */
#ifndef HT_RUNS_H
#define HT_RUNS_H

#include "compare.h"
#include "reading.h"

enum ht_per { HT_PER_RUN, HT_PER_SECOND, HT_PER_REGION };

/* One side as it is introduced to people. */
struct ht_runs_side {
	char *path; /* of the first run, as given */
	char *command;
	char *program; /* last part of its executable's path */
	char build_id[2 * HT_BUILD_ID_MAX + 1]; /* of the program, "" unknown */
	uint64_t sample_bytes;
	uint64_t instances; /* of the region, over all runs */
	bool classes_known; /* all runs tell which events they were asked for */
	uint32_t not_recorded; /* HT_CLASS_BIT(ALLOC), if some run was not asked for allocations: its numbers mean nothing */
	unsigned runs;
};
struct ht_runs {
	struct ht_runs_side sides[2];
	enum ht_per per;
	const char *region; /* HT_PER_REGION: its name, or a task's type */
	int status;	    /* 0, or 4: a trace was not whole */
	bool incomplete;    /* of any side: numbers may be missing events */
	bool sampled;	    /* any: numbers are estimates, and `temporary` is not known */
	struct ht_runs_bare { /* traces without allocations; with any, there is nothing to compare or to judge */
		char *path; /* of the first, NULL: none */
		unsigned count;
	} bare;
	struct ht_unnamed { /* the trace with the largest share of frames without a name */
		double share;
		char *text; /* which, and why; NULL: none */
	} unnamed;
};

/* Reads a trace into the comparison, and into `also` unless that is NULL. On failure prints the message and returns the exit
 * status. */
int ht_runs_add(struct ht_runs *r, struct ht_compare *c, struct ht_compare *also, enum ht_side side, const char *path);
/* Says if some trace was recorded without allocations, so that nothing can be told, and what for: "nothing can be compared".
 * 0, or the exit status. */
int ht_runs_unrecorded(const struct ht_runs *r, const char *so);
/* After the comparison is finished: warns where the sides cannot be compared as they are. */
void ht_runs_warn(const struct ht_runs *r, const struct ht_compare *c);
void ht_runs_release(struct ht_runs *r);

/* "parse_value", "libfoo.so+0x12", "(program)", "cache.c", by what the rows are; clean; heap. */
char *ht_runs_row_name(const struct ht_compare *c, const struct ht_compare_row *row);
/* "make_token ← tokenize": at most `frames` of its heaviest stack; clean; heap. */
char *ht_runs_chain(const struct ht_compare *c, const struct ht_compare_row *row, size_t frames);

#endif
