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
	bool metric_given;
	const char *path; /* of the trace, as given */
	const char *list; /* --list, NULL = not given */
};

/* The views. 0, or HT_ERR_USAGE with a diagnostic. */
int ht_report_summary(struct ht_report *r, struct ht_diag *d); /* the screen; JSON and CSV: as sites */
int ht_report_sites(struct ht_report *r, struct ht_diag *d);
int ht_report_tree(struct ht_report *r, struct ht_diag *d);    /* top-down */
int ht_report_callers(struct ht_report *r, struct ht_diag *d); /* bottom-up */
int ht_report_list(struct ht_report *r, struct ht_diag *d);    /* annotated source */
int ht_report_sizes(struct ht_report *r, struct ht_diag *d);
int ht_report_lifetimes(struct ht_report *r, struct ht_diag *d);
int ht_report_threads(struct ht_report *r, struct ht_diag *d);

/* Were allocations not asked for? Then says so, in a line of text. In cmd_report.c. */
bool ht_report_unrecorded(const struct ht_report *r);
/* The function that allocates most by the metric, NULL when none has a name; heap. */
char *ht_report_hottest(const struct ht_report *r);

/* --- report_head.c: the summary's first lines ---------------------------------------------- */

void ht_report_head(struct ht_report *r);
/* Frames were met in it, and it has no debug information. */
bool ht_report_poor_symbols(const struct ht_module_quality *m);

/* --- report_cells.c: how rows name things and numbers -------------------------------------- */

/* "cache_insert ← handle_get ← worker": at most `frames` of the node's stack from the callsite on.
 * Heap. */
char *ht_report_chain(const struct ht_analysis *a, uint32_t node, size_t frames);
/* "cache.c:142", the file alone, or the module's name when there is no file; clean; heap. */
char *ht_report_site(const char *file, uint32_t line, const char *module);
/* The frame's name: function, or module+0xaddress; clean; heap. */
char *ht_report_frame_name(const struct ht_frame *f);
enum { HT_REPORT_BAR = 24 };
/* ████▌ of at most HT_REPORT_BAR columns, in eighths; out has room for 4 * HT_REPORT_BAR + 8 bytes. */
void ht_report_bar(char *out, size_t size, double share);
/* "peak", "allocs", ...: the heading of the metric's column. */
const char *ht_report_metric_heading(enum ht_metric m);
/* The metric's value as count or bytes. */
struct ht_value ht_report_metric(const struct ht_counters *c, enum ht_metric m);
/* What goes with it: blocks or bytes. */
struct ht_value ht_report_companion(const struct ht_counters *c, enum ht_metric m);
const char *ht_report_companion_heading(enum ht_metric m);
/* "dwarf", "symtab", ...: where names come from, or why there are none. */
const char *ht_report_symbols_kind(enum ht_symbols_kind kind);
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
	    {.key = prefix "allocs_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},     \
	    {.key = prefix "bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},      \
	    {.key = prefix "frees_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},      \
	    {.key = prefix "freed_here_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE}, \
	    {.key = prefix "live_objects_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE}, \
	    {.key = prefix "live_bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE}, \
	    {.key = prefix "peak_objects_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE}, \
	    {.key = prefix "peak_bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE}, \
	    {.key = prefix "leaked_objects_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE}, \
	    {.key = prefix "leaked_bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE}, \
	    {.key = prefix "own_peak_bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE}, \
	{                                                                                          \
		.key = prefix "temporary", .flags = HT_COLUMN_DATA_ONLY                            \
	}
/* "± at peak": where it is not clear what it belongs to. */
const char *ht_report_spread_heading(enum ht_metric m);
/* The standard error of the metric as a share of it; nothing where it is exact. */
struct ht_value ht_report_spread(const struct ht_counters *c, enum ht_metric m);
void ht_report_counter_cells(struct ht_emitter *e, const struct ht_counters *c);

/* --- report_names.c: what a row is ---------------------------------------------------------- */

/* What was grouped, then what leads there; clean; heap. */
char *ht_report_row_name(const struct ht_report *r, const struct ht_row *row);
/* Its file and line, or "" where the name is that; clean; heap. */
char *ht_report_row_site(const struct ht_report *r, const struct ht_row *row);

/* Columns and cells of what JSON and CSV say of a row beside its numbers. */
#define HT_NAME_COLUMNS                                                                               \
	{.key = "function", .flags = HT_COLUMN_DATA_ONLY},                                         \
	    {.key = "file", .flags = HT_COLUMN_DATA_ONLY},                                         \
	    {.key = "line", .flags = HT_COLUMN_DATA_ONLY},                                         \
	    {.key = "module", .flags = HT_COLUMN_DATA_ONLY},                                       \
	    {.key = "inlined", .flags = HT_COLUMN_DATA_ONLY},                                      \
	    {.key = "build_id", .flags = HT_COLUMN_DATA_ONLY},                                     \
	    {.key = "address", .flags = HT_COLUMN_DATA_ONLY},                                      \
	    {.key = "unresolved", .flags = HT_COLUMN_DATA_ONLY},                                   \
	    {.key = "stack", .flags = HT_COLUMN_DATA_ONLY},                                        \
	{                                                                                          \
		.key = "stacks", .flags = HT_COLUMN_DATA_ONLY                                      \
	}
void ht_report_name_cells(const struct ht_report *r, const struct ht_row *row);

#endif
