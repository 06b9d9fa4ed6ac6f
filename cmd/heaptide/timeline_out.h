/*
 * timeline_out: timelines for people and for other tools. `timeline` and `export` share how a trace becomes a
 * timeline and how that becomes a file; the text timeline is timeline_text.c with timeline_lane.c.
 */
#ifndef HT_TIMELINE_OUT_H
#define HT_TIMELINE_OUT_H

#include "exporter.h"
#include "output.h"
#include "timeline_build.h"

/* Files beyond this are slow in every viewer, and more than many can hold: they are not written unless a window was
 * chosen. */
#define HT_TIMELINE_LARGE (UINT64_C(100) << 20)

/* Opens the trace, makes the timeline of what the shared options select, lets show render it, and returns the exit
 * status. heaps: with those at the peak. */
typedef int ht_timeline_show(const struct ht_timeline_made *m, const char *path, struct ht_diag *d);
int ht_timeline_run(const char *path, bool heaps, ht_timeline_show *show);

/* Writes the timeline. any_size: also a large file. 0 or < 0 with d. */
int ht_timeline_write(const struct ht_timeline_made *m, const struct ht_exporter *x, const char *file, const char *path,
		      bool any_size, struct ht_diag *d);

/* The text timeline on standard output. */
int ht_timeline_text_page(const struct ht_timeline_made *m, const char *path, struct ht_diag *d);

/* --- timeline_lane.c: what a thread did, a character a column ------------------------------ */

/* What stands for one column: states, and what blocked threads waited for. */
enum ht_lane_class {
	HT_LANE_NONE, /* the thread was not there */
	HT_LANE_UNKNOWN,
	HT_LANE_RUNNING,
	HT_LANE_RUNNABLE,
	HT_LANE_PREEMPTED,
	HT_LANE_ALLOCATOR,
	HT_LANE_MUTEX,
	HT_LANE_RWLOCK,
	HT_LANE_COND,
	HT_LANE_SEM,
	HT_LANE_BARRIER,
	HT_LANE_JOIN,
	HT_LANE_NET,
	HT_LANE_PIPE,
	HT_LANE_DISK,
	HT_LANE_POLL,
	HT_LANE_SLEEP,
	HT_LANE_OTHER,
	HT_LANE_CLASSES,
};
extern const struct ht_lane_look {
	const char *sign;   /* one column wide */
	const char *meaning;
	const char *colour; /* of a terminal */
} ht_lane_looks[HT_LANE_CLASSES];

/* The time from t->from_ns to t->to_ns as `columns` equal parts: the part of a time. */
size_t ht_lane_column(const struct ht_timeline *t, size_t columns, uint64_t ns);
/* The class that took most of each column; of equal ones that which comes first above. */
void ht_lane_states(const struct ht_timeline *t, uint32_t thread, size_t columns, uint8_t *classes);
/* Allocations of each column, from its bursts. */
void ht_lane_allocations(const struct ht_timeline *t, uint32_t thread, size_t columns, uint64_t *objects);
/* The outermost regions drawn as brackets with their names, as text of `columns` columns; false: there are none.
 * Intervals that are narrower than a column share one. */
bool ht_lane_regions(const struct ht_timeline *t, uint32_t thread, size_t columns, struct ht_buf *out);
/* Intervals that do not overlap, ascending: the same picture of anything. */
struct ht_lane_bracket {
	uint64_t begin_ns, end_ns;
	const char *name;
};
void ht_lane_brackets(const struct ht_timeline *t, const struct ht_lane_bracket *all, size_t count, size_t columns,
		      struct ht_buf *out);

#endif
