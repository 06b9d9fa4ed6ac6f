/*
 * report: what the views of `heaptide report` share. A view is a function that renders an analysis
 * through the emitter; cmd_report.c has the table of views.
 */
#ifndef HT_REPORT_H
#define HT_REPORT_H

#include "analyze.h"
#include "emit.h"

struct ht_report {
	const struct ht_analysis *a;
	struct ht_emitter *e;
	enum ht_by by;
	enum ht_metric metric;
	uint64_t limit;	  /* rows; 0 = all */
	bool limit_given; /* else every view has its own default */
	const char *path; /* of the trace, as given */
};

/* The limit for a view whose default is n: SIZE_MAX when there is none. */
size_t ht_report_limit(const struct ht_report *r, size_t n);

void ht_report_summary(struct ht_report *r); /* the screen; JSON and CSV: as sites */
void ht_report_sites(struct ht_report *r);
void ht_report_tree(struct ht_report *r);    /* top-down */
void ht_report_callers(struct ht_report *r); /* bottom-up */
void ht_report_threads(struct ht_report *r);
void ht_report_sizes(struct ht_report *r);
void ht_report_lifetimes(struct ht_report *r);

/* --- report_cells.c: how rows name things and numbers -------------------------------------- */

/* "cache_insert ← handle_get ← worker": at most `frames` of the node's stack from the callsite on.
 * Heap. */
char *ht_report_chain(const struct ht_analysis *a, uint32_t node, size_t frames);
/* "cache.c:142", the file alone, or the module's name when there is no file; clean; heap. */
char *ht_report_site(const char *file, uint32_t line, const char *module);
/* The frame's name: function, or module+0xaddress; clean; heap. */
char *ht_report_frame_name(const struct ht_frame *f);
/* "peak", "allocs", ...: the heading of the metric's column. */
const char *ht_report_metric_heading(enum ht_metric m);
/* The metric's value as count or bytes. */
struct ht_value ht_report_metric(const struct ht_counters *c, enum ht_metric m);
/* What goes with it: blocks or bytes. */
struct ht_value ht_report_companion(const struct ht_counters *c, enum ht_metric m);
const char *ht_report_companion_heading(enum ht_metric m);
struct ht_emit_frame ht_report_emit_frame(const struct ht_analysis *a, const struct ht_frame *f,
					  char *build_id);

/* Columns and cells of the numbers of a row, data only: allocs, bytes, frees, ... as CLI names
 * them. */
#define HT_COUNTER_COLUMNS(prefix)                                                                 \
	{.key = prefix "allocs", .flags = HT_COLUMN_DATA_ONLY},                                    \
	    {.key = prefix "bytes", .flags = HT_COLUMN_DATA_ONLY},                                 \
	    {.key = prefix "frees", .flags = HT_COLUMN_DATA_ONLY},                                 \
	    {.key = prefix "freed_here", .flags = HT_COLUMN_DATA_ONLY},                            \
	    {.key = prefix "live_objects", .flags = HT_COLUMN_DATA_ONLY},                          \
	    {.key = prefix "live_bytes", .flags = HT_COLUMN_DATA_ONLY},                            \
	    {.key = prefix "peak_objects", .flags = HT_COLUMN_DATA_ONLY},                          \
	    {.key = prefix "peak_bytes", .flags = HT_COLUMN_DATA_ONLY},                            \
	    {.key = prefix "own_peak_bytes", .flags = HT_COLUMN_DATA_ONLY},                        \
	    {.key = prefix "own_peak_time_ns", .flags = HT_COLUMN_DATA_ONLY},                      \
	    {.key = prefix "leaked_objects", .flags = HT_COLUMN_DATA_ONLY},                        \
	    {.key = prefix "leaked_bytes", .flags = HT_COLUMN_DATA_ONLY},                          \
	{                                                                                          \
		.key = prefix "temporary", .flags = HT_COLUMN_DATA_ONLY                            \
	}
void ht_report_counter_cells(struct ht_emitter *e, const struct ht_counters *c);

#endif
