/*
 * compare: what changed between two builds of a program. Works on neutral profiles (formats/profile.h), so it knows no
 * addresses and no traces: a frame is its function's name and its module's, whether inlined or not, wherever
 * it was loaded, whatever its clone suffix.
 *
 *	struct ht_compare *c = ht_compare_new(by, metric);
 *	ht_compare_add(c, HT_OLD, whole_profile, program, 1);	once for each run, old and new
 *	ht_compare_finish(c);					groups, pairs, tests
 *	c->rows[], c->total
 *
 * Rows are matched by name first. What then is only on one side is paired with what is only on the other by its callers,
 * its counts and sizes (renamed); or explained by a row beside it that took its allocations over (inlined,
 * tail-called, split, folded: moved). Neither is shown as a loss and a gain. Moving takes numbers from one row's old
 * side to the other's, so that all columns still add up to the totals.
 */
#ifndef HT_COMPARE_H
#define HT_COMPARE_H

#include "profile.h"
#include "significance.h"

enum ht_side { HT_OLD = 0, HT_NEW = 1 };
enum ht_compare_by { HT_COMPARE_FUNCTION, HT_COMPARE_LINE, HT_COMPARE_FILE, HT_COMPARE_MODULE, HT_COMPARE_STACK };

enum ht_compare_value {
	HT_CV_ALLOCS,
	HT_CV_BYTES,
	HT_CV_PEAK_OBJECTS,
	HT_CV_PEAK_BYTES,
	HT_CV_LEAKED_OBJECTS,
	HT_CV_LEAKED_BYTES,
	HT_CV_TEMPORARY,
	HT_CV_COUNT,
};

enum ht_compare_status { HT_ROW_SAME, HT_ROW_NEW, HT_ROW_GONE, HT_ROW_GREW, HT_ROW_SHRANK, HT_ROW_RENAMED };
extern const char *const ht_compare_status_names[]; /* "same", "new", ... */

/* A frame as compare knows it; strings live as long as the comparison. */
struct ht_compare_frame {
	const char *function; /* NULL: unresolved */
	const char *module;   /* its file's name without path and version; "" the program itself or none */
	const char *file;     /* last part of the path, "" unknown */
	uint64_t address;     /* unresolved, in a module that is the same file on both sides: link-time; else 0 */
};

struct ht_compare_row {
	enum ht_compare_status status;
	struct ht_compare_frame frame; /* of the callsite; by file, by module: what these know of it */
	uint32_t line;		       /* by line: in the file, on the new side if it is there; 0 unknown */
	const uint32_t *stack;	       /* of its heaviest stack: indices into frames[], callsite first */
	size_t depth;
	const char *renamed_from; /* RENAMED: name on the old side; NULL */
	const char *evidence;	  /* RENAMED, or rows that numbers moved to or from: why; "" */
	double old[HT_CV_COUNT], new[HT_CV_COUNT]; /* means over the side's runs */
	bool in_old, in_new;
	bool tested; /* two runs a side or more */
	struct ht_significance significance; /* of the metric */
	size_t group;			     /* private */
};

struct ht_compare {
	enum ht_compare_by by;
	enum ht_compare_value metric;
	unsigned runs[2];
	struct ht_compare_row *rows; /* by |change of the metric|, then of allocations, then by name */
	size_t row_count;
	struct ht_compare_row total; /* status, numbers, significance */
	const struct ht_compare_frame *frames;
	size_t frame_count, unnamed; /* different frames; those of them that are told apart by module alone */
	struct ht_compare_work *work; /* private */
};

struct ht_compare *ht_compare_new(enum ht_compare_by by, enum ht_compare_value metric);
/* A profile of kind HT_PROFILE_WHOLE; its strings are copied. Values are multiplied by scale. program: the file of the mapping
 * that is the program itself, whatever it is called. */
void ht_compare_add(struct ht_compare *c, enum ht_side side, const struct ht_profile *p, const char *program, double scale);
/* After the last run. A side without a run is nothing. */
void ht_compare_finish(struct ht_compare *c);
void ht_compare_free(struct ht_compare *c);

/* Several rows as one, tested by another metric, maybe: chosen[i] says whether rows[i] is among them. False where there are no
 * two runs a side. */
bool ht_compare_test(const struct ht_compare *c, enum ht_compare_value metric, const bool *chosen, struct ht_significance *s);

/* "parse_value", "[libfoo.so+0x12]", "[program]"; heap. */
char *ht_compare_frame_text(const struct ht_compare_frame *f);

static inline double ht_compare_delta(const struct ht_compare_row *r, enum ht_compare_value v)
{
	return r->new[v] - r->old[v];
}

#endif
