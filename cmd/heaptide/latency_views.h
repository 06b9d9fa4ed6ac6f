/*
 * latency_views: what the views of `heaptide latency` share. A view is one struct in a file of its own, latency_*.c;
 * cmd_latency.c lists them. Its numbers come from lib/latency and, where a view asks for passes, from a walk over the events.
 */
#ifndef HT_LATENCY_VIEWS_H
#define HT_LATENCY_VIEWS_H

#include "analyze.h"
#include "emit.h"
#include "frame_cells.h"
#include "latency.h"
#include "options.h"
#include "pass.h"
#include "recorded.h"

struct ht_latency_show {
	const struct ht_analysis *a; /* stacks and their symbols; of numbers nothing but what the view's own passes make */
	const struct ht_latency *l;  /* NULL: the trace has no times; only for views that do without */
	struct ht_emitter *e;
	const char *path;
	size_t limit;		     /* rows; SIZE_MAX: all */
	void *state;		     /* the view's, from `passes` on */
};

struct ht_latency_view {
	const char *name;  /* as in --view= */
	uint32_t needs;	   /* classes that it shows: HT_CLASS_BIT */
	const char *next;  /* what to run next, without the trace: "latency --view=locks" */
	const char *nothing; /* in text, where none of that is there */
	size_t rows;	   /* in text, without --limit */
	bool times;	   /* shows nothing without a model of times */
	bool states;	   /* nor without waits, switches or schedstats in it */
	uint32_t idle;	   /* options that it has no use for: HT_CHOICE_* */
	/* Makes the view's passes over the events, at most HT_OTHER_PASSES; NULL: it needs no events. */
	size_t (*passes)(struct ht_latency_show *x, struct ht_pass *passes);
	/* Renders; the head has been said. 0 or < 0 with d. */
	int (*show)(struct ht_latency_show *x, struct ht_diag *d);
	void (*release)(void *state); /* may be NULL */
};
extern const struct ht_latency_view ht_latency_threads, ht_latency_blocking, ht_latency_locks, ht_latency_io,
    ht_latency_scheduler, ht_latency_stalls, ht_latency_faults, ht_latency_tasks, ht_latency_regions;

/* --by of the view "faults": index of site, code. In latency_faults.c. */
extern int ht_latency_faults_by;

/* "worst: client waited 1.2 s for mutex table_lock in 14 waits; mostly let go by ...": nothing where nobody waited for a lock.
 * In latency_worst.c. */
void ht_latency_say_worst(const struct ht_latency_show *x);
/* Where there is no row: "nothing waited", or that waits were not recorded, and how they are. */
void ht_latency_nothing(const struct ht_latency_show *x, const char *what, uint32_t classes);

/* --- latency_cells.c: how rows name things ------------------------------------------------- */

/* Of a callsite and what leads to it: text has the chain and the file; JSON and CSV function, file, line, ..., stack[]. */
#define HT_LATENCY_SITE_COLUMNS                                                                                        \
	{.key = "name", .heading = "where", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_FLEX},           \
		{.key = "site", .heading = "site", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_KEEP_END, \
		 .widest = 22},                                                                                        \
		HT_FRAME_COLUMNS,                                                                                      \
	{                                                                                                              \
		.key = "stack", .flags = HT_COLUMN_DATA_ONLY                                                           \
	}
void ht_latency_site_cells(const struct ht_latency_show *x, uint32_t node);
/* The same columns for a callsite as `report` has it, of what was allocated; f NULL: text has `otherwise` in its place. In
 * latency_stalls.c. */
void ht_latency_alloc_cells(const struct ht_latency_show *x, const struct ht_frame *f, uint32_t node, const char *otherwise);
/* "cache_insert ← handle_get", from the callsite on; clean; heap. */
char *ht_latency_chain(const struct ht_latency_show *x, uint32_t node, size_t frames);
/* "cache.c:142", or the module; clean; heap. */
char *ht_latency_site(const struct ht_latency_show *x, uint32_t node);
/* The whole stack, leaf first, for a cell that is emitted at once or among the next three; null without one. */
struct ht_value ht_latency_stack(const struct ht_latency_show *x, uint32_t node);
/* The same to be kept, until it is freed. */
struct ht_value ht_latency_stack_copy(const struct ht_latency_show *x, uint32_t node);
void ht_latency_stack_free(const struct ht_value *v);
/* A thread's name as an unknown or known string. */
struct ht_value ht_latency_name(const struct ht_latency *l, uint32_t thread);
uint32_t ht_latency_tid(const struct ht_latency *l, uint32_t thread);

#endif
