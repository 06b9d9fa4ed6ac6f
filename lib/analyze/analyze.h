/*
 * analyze: what a trace says. One read of the trace feeds every pass; passes yield plain structs;
 * text, JSON and exporters render them. This header is all that commands see of it.
 *
 *     struct ht_analysis_options o;                 what is wanted, of which population
 *     ht_analysis_options_init(&o);
 *     ht_analyze(&a, trace, &o, &diag)              symbols first, then ONE walk over the events
 *     a->totals, a->images[], a->threads[], ...     plain results, filled in
 *     ht_analysis_rows(a, metric, ...)              sites grouped, filtered, sorted
 *     ht_analysis_tree(a, direction, ...)           top-down or bottom-up
 *     ht_analysis_profile(a, kind, ...)             for the exporters
 *
 * Two kinds of selecting, never to be confused:
 *   population  from, to, thread, process: which BLOCKS count. A block belongs to the thread and
 *		 the image that allocated it and to the moment of its birth. Totals, the peak and its
 *		 instant are those of the population.
 *   row filters focus, ignore, hide, module, min_size, max_size, region, task: which part of it rows, trees and
 *		 profiles show. They never move the peak instant and never change totals.
 *
 * Moments are positions in the trace's one order of events: "at T" is the position in front of the
 * first event later than T; the population begins in front of the first event not earlier than
 * `from` and ends at "to". So everything at one moment is consistent, and true within the 1 ms of the
 * trace's clock.
 *
 * Memory: live blocks + stack nodes + sites, whatever the trace's length; while a forked child runs,
 * also the addresses that it inherited. A hostile trace can make numbers wrong, never more.
 *
 * Lifetimes: everything reached from a struct ht_analysis lives until ht_analysis_free, and the trace
 * must stay open as long.
 */
#ifndef HT_ANALYZE_H
#define HT_ANALYZE_H

#include "base.h"
#include "profile.h"
#include "symbolize.h"
#include "trace.h"

/* --- what is asked ------------------------------------------------------------------------ */

enum ht_at { HT_AT_END = 0, HT_AT_PEAK, HT_AT_TIME };

/* All times in ns from the trace's first instant; strings are the caller's and outlive the analysis. */
struct ht_selection {
	uint64_t from_ns, to_ns;     /* 0 and UINT64_MAX: everything */
	enum ht_at at;		     /* the instant of live_objects and live_bytes */
	uint64_t at_ns;		     /* HT_AT_TIME */
	const char *thread;	     /* a name (exactly) or a tid, NULL = all */
	uint32_t process;	     /* pid; all images that ran in it; 0 = all */
	const char *focus, *ignore;  /* extended regular expressions: a stack with (without) a matching function */
	const char *hide;	     /* frames whose function matches are taken out of the stacks */
	const char *module;	     /* stacks whose callsite lies in a module whose path matches */
	uint64_t min_size, max_size; /* requested bytes of a block, inclusive; 0 and UINT64_MAX: all */
	const char *region, *task;   /* blocks born inside a region of this name, while their thread worked for a task of
				      * this type; NULL = all */
};

enum ht_label { HT_LABEL_THREAD = 1, HT_LABEL_PROCESS = 2, HT_LABEL_SIZE = 4 };

/* Rows are one per ... of the callsite. LINE is function + file + line. */
enum ht_by { HT_BY_LINE = 0, HT_BY_FUNCTION, HT_BY_FILE, HT_BY_MODULE, HT_BY_STACK };

struct ht_analysis;
struct ht_pass;
enum { HT_OTHER_PASSES = 4 };

struct ht_analysis_options {
	struct ht_selection selection;
	enum ht_by by;		/* grouping of rows and frames of trees; known before the walk, because a row's
				 * own peak is that of the sum of its stacks */
	bool sites;		/* keep counters per stack: rows, tree and profile need it */
	bool symbols;		/* resolve addresses; else every frame is module + address */
	unsigned labels;	/* enum ht_label: what profiles tell samples of one stack apart by */
	bool lifetimes;		/* keep how long the blocks of each row and stack lived: lifespans.h */
	struct ht_symbolize_options symbolize;
	const char *allocators; /* extended regular expression of functions that belong to the allocator family beside
				 * those that always do; NULL or "": none. Default: HT_ALLOCATORS */
	uint64_t temporary;	/* N: at most so many other allocations in between; 1 */
	size_t series_buckets;	/* of a->series; 0 = none */
	unsigned jobs;		/* decoding threads; 0 = as many as CPUs allow, at most 4 */
	/* Passes to run in place of analyze's own, of which then no numbers come: writes at most HT_OTHER_PASSES, returns
	 * how many. NULL: analyze's own. */
	size_t (*other_passes)(void *ctx, struct ht_analysis *a, struct ht_pass *passes);
	void *other_ctx;
	/* May be NULL. phase: "symbols" or "events". */
	void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total);
	void *progress_ctx;
};
/* Wrappers in wide use: of GNU, git, redis, GLib, GMP, Python. */
#define HT_ALLOCATORS                                                                                            \
	"^(x(m|z|c|re|nm|nre|2re|2nre)alloc(z|array)?|x(mem|str|strn)dupz?|z(m|c|re)alloc(_usable)?|"            \
	"g_(strndup|memdup2?|try_(malloc0?|realloc)(_n)?|slice_(alloc0|copy))|"                                  \
	"__gmp_default_(re)?allocate|_?Py(Mem|Object)_(Raw)?(M|C|Re)alloc)$"
void ht_analysis_options_init(struct ht_analysis_options *o);
/* For other_passes: no events are read, only stacks. */
size_t ht_no_passes(void *ctx, struct ht_analysis *a, struct ht_pass *passes);

/* First and last instant of the images that `process` selects, for times given as a share.
 * An image still running ends with the trace. No image: 0, 0. */
void ht_analysis_span(const struct ht_trace *t, uint32_t process, uint64_t *start_ns, uint64_t *end_ns);

/* --- numbers ------------------------------------------------------------------------------ */

/*
 * The numbers of a set of blocks B (a stack's, a row's, a thread's, everything's). In a sampled trace all are
 * estimates, rounded each for itself, and how temporary blocks were is not known.
 *	allocs = frees + leaked_objects			always
 *	peak_*, live_*, leaked_* of disjoint sets add up to those of their union; own_peak_* do not.
 */
enum ht_spread_of {
	HT_SPREAD_ALLOCS,
	HT_SPREAD_BYTES,
	HT_SPREAD_FREES,
	HT_SPREAD_FREED_HERE,
	HT_SPREAD_LIVE_OBJECTS,
	HT_SPREAD_LIVE_BYTES,
	HT_SPREAD_PEAK_OBJECTS,
	HT_SPREAD_PEAK_BYTES,
	HT_SPREAD_LEAKED_OBJECTS,
	HT_SPREAD_LEAKED_BYTES,
	HT_SPREAD_OWN_PEAK_BYTES, /* of a level, not of the choice of its moment */
	HT_SPREAD_COUNT,
};
struct ht_spread_pool;
struct ht_spread {
	double variance[HT_SPREAD_COUNT];
	struct ht_spread_pool **pool; /* where it came from: the analysis' */
};
struct ht_counters {
	uint64_t allocs, bytes;	  /* births in B, requested bytes */
	uint64_t frees;		  /* deaths of blocks of B, by whom and wherever */
	uint64_t freed_bytes;
	uint64_t freed_here;	  /* deaths that were done here (by this stack, thread, image), of whatever
				   * selected block */
	uint64_t live_objects, live_bytes;	 /* at the selection's instant; at HT_AT_END equal to leaked */
	uint64_t peak_objects, peak_bytes;	 /* part of the snapshot at the population's peak */
	bool own_peak_known;			 /* false in inner nodes of trees and in sums: print null */
	uint64_t own_peak_bytes, own_peak_objects, own_peak_time_ns; /* its own first maximum of bytes */
	uint64_t leaked_objects, leaked_bytes;	 /* not freed at the image's or the selection's end */
	uint64_t temporary, temporary_bytes;	 /* freed by their own thread after at most N other allocations of it */
	struct ht_spread *spread;		 /* of estimates; NULL: the numbers are exact */
};
/* The square is an estimate's variance. */
double ht_counters_stderr(const struct ht_counters *c, enum ht_spread_of of);
/* a += b for what adds up; own_peak_known becomes false. */
void ht_counters_add(struct ht_counters *a, const struct ht_counters *b);

/* What rows are ordered by. HT_METRIC_COUNT is the number of metrics, none itself. */
enum ht_metric {
	HT_METRIC_PEAK = 0, /* peak_bytes */
	HT_METRIC_LIVE,	    /* live_bytes */
	HT_METRIC_BYTES,
	HT_METRIC_ALLOCS,
	HT_METRIC_LEAKED,   /* leaked_bytes */
	HT_METRIC_TEMPORARY,
	HT_METRIC_COUNT,
};
extern const char *const ht_metric_names[HT_METRIC_COUNT]; /* "peak", "live", ... as in --metric */
/* The metric's value, and the count that goes with it (peak_objects, leaked_objects, ...; for ALLOCS the bytes). */
uint64_t ht_counters_metric(const struct ht_counters *c, enum ht_metric m);
uint64_t ht_counters_companion(const struct ht_counters *c, enum ht_metric m);

/* Events of the population by class, as in info's events{}. A realloc that returned a block is one
 * realloc; its halves count nowhere else. alloc + realloc = allocations. free = frees of whatever kind
 * that are not half of such a realloc: known, inherited, foreign, realloc(p, 0). sync: waits for locks and threads; io: the
 * other waits; sched: switches; what is counted from here on is not among the trace's events. */
struct ht_event_counts {
	uint64_t alloc, free, realloc, map, thread, sync, io, sched, stall, fault;
};

struct ht_totals {
	struct ht_counters c;	   /* allocations = c.allocs, peak_live_bytes = c.peak_bytes = c.own_peak_bytes,
				    * end_live_bytes = c.leaked_bytes, ... */
	bool has_peak;		   /* false: no moment with a live byte; peak_time_ns is unknown then */
	uint64_t peak_time_ns;
	uint64_t first_ns, last_ns; /* span of the population: selected images, cut by from and to */
	struct ht_event_counts events;
	uint64_t foreign_frees, inherited_frees, implied_frees, failed_calls;
	uint64_t undecided_frees;  /* of foreign_frees: in a forked image of which the trace does not say (fork number
				    * 0, no addresses, damage) what it inherited, so they may be inherited ones */
	uint64_t truncated_stacks; /* events whose stack ended early */
	uint64_t stackless;	   /* births without a stack */
	uint64_t stacks;	   /* different stacks of births and deaths, by addresses */
	uint64_t cross_thread_frees; /* frees of selected blocks by another thread than their own */
	uint64_t images, threads;  /* selected ones */
	uint64_t region_instances; /* regions that began with selection.region, or tasks with selection.task alone */
	/* What the read itself met. */
	uint64_t damaged_blocks;   /* skipped: numbers are lower bounds */
	uint64_t unmatched_deaths; /* name a birth that is not there (it stood in a skipped block) */
};

struct ht_image_totals {
	uint32_t image;	 /* id, for ht_trace_image */
	bool selected;
	bool ended;	 /* its end is in the trace */
	struct ht_counters c; /* c.peak_*: part of the population's peak; c.own_peak_*: this image's */
	uint64_t foreign_frees, inherited_frees, implied_frees, failed_calls;
	uint64_t threads;
};

struct ht_thread_totals {
	uint32_t thread; /* id, for ht_trace_thread */
	uint32_t image, tid;
	bool selected;
	const char *name; /* "" unknown */
	struct ht_counters c;
	uint64_t freed_foreign; /* of freed_here: blocks that another thread allocated */
};

/* Requested sizes. class k holds sizes s with bit length k: 0, 1, 2-3, 4-7, ... */
#define HT_SIZE_CLASSES 65
struct ht_size_class {
	uint64_t min, max; /* inclusive bounds of the class */
	uint64_t allocs, bytes, live_objects, live_bytes, peak_objects, peak_bytes, temporary;
	struct ht_spread *spread; /* of estimates; NULL: the numbers are exact */
};

/* Time from birth to death of the blocks that died, class k: ns of bit length k. */
struct ht_lifetime_class {
	uint64_t min_ns, max_ns;
	uint64_t frees, bytes;
};

/* Slices of equal length over [totals.first_ns, totals.last_ns]. A slice without events repeats the
 * level of the one before. */
struct ht_series_point {
	uint64_t time_ns;	    /* where the slice begins */
	uint64_t live_bytes;	    /* the highest level within it */
	uint64_t live_objects;	    /* at that level */
	uint64_t end_bytes;	    /* the level at its end */
	uint64_t allocs, frees, bytes; /* of the population, within it */
	uint64_t rss_bytes;	    /* highest sum over the selected images' last samples; 0 = none yet */
};

struct ht_analysis {
	struct ht_trace *trace;
	struct ht_analysis_options options;
	bool walked; /* the events were read: other passes may not want any */
	struct ht_totals totals;
	struct ht_image_totals *images; /* one per image id, selected or not */
	size_t image_count;
	struct ht_thread_totals *threads; /* one per thread id */
	size_t thread_count;
	struct ht_size_class sizes[HT_SIZE_CLASSES];
	struct ht_lifetime_class lifetimes[HT_SIZE_CLASSES];
	struct ht_series_point *series;
	size_t series_count;
	bool has_rss;
	uint64_t max_rss_bytes, max_rss_time_ns; /* of the sum over selected images */
	struct ht_stacks *stacks;
	struct ht_sites *sites; /* private; NULL without options.sites */
	struct ht_lifespans *lifespans; /* private; NULL without options.lifetimes */
	struct ht_labelled *labelled;	/* private; NULL without options.labels */
	uint64_t sample_bytes;	/* 0: every allocation is in the trace; else the numbers are estimates */
	uint64_t samples;	/* births of the population in a sampled trace */
	struct ht_spread_pool *spreads; /* private */
};

/* Reads the trace. 0; HT_ERR_USAGE: a regular expression that is none (diag names it). Damage and
 * truncation are no failure: see ht_trace_verdict and totals.damaged_blocks. */
int ht_analyze(struct ht_analysis **a, struct ht_trace *t, const struct ht_analysis_options *o, struct ht_diag *d);
void ht_analysis_free(struct ht_analysis *a);

/* Is the trace complete: verdict ok, nothing lost, not shadowed, all images ended? If not, why (may be
 * NULL) gets one line with the first reason. */
bool ht_analysis_complete(const struct ht_analysis *a, struct ht_diag *why);

/* --- frames and stacks -------------------------------------------------------------------- */

/* A frame of a stack as people see it: a physical one, or one inlined into the next outer one. */
struct ht_frame {
	const char *function;	/* NULL = unresolved: then module, build_id, address, reason */
	const char *linkage;	/* symbol-table name, never NULL when function is not */
	const char *suffix;	/* clone suffix, "" = none */
	const char *file;	/* NULL unknown */
	uint32_t line, start_line; /* 0 unknown */
	bool inlined;
	bool allocator;		/* of the allocator family: malloc, operator new, strdup, std::allocator, ... */
	bool hidden;		/* matches selection.hide */
	uint32_t module_id;	/* + 1; 0 = no file */
	const char *module;	/* its path, "" = none */
	uint64_t address;	/* link-time; call address (return address - 1) for frames above a call */
	const char *reason;	/* why unresolved, "" if resolved */
};

struct ht_stacks;

/* The frames of ONE node, innermost first, at least one. Node 0 ("no stack") has one unresolved frame. */
const struct ht_frame *ht_stacks_frames(const struct ht_stacks *s, uint32_t node, size_t *count);
/* The whole stack of a leaf node, leaf first, inlined frames included, hidden ones left out; from the
 * callsite on when `from_callsite`. At most max pointers are stored; the full count is returned.
 * A stack that is all allocator or all hidden keeps its innermost physical frame. */
size_t ht_stacks_expand(const struct ht_stacks *s, uint32_t node, bool from_callsite, const struct ht_frame **out,
			size_t max);
/* The callsite: the first frame outside the allocator family that is not hidden. */
const struct ht_frame *ht_stacks_callsite(const struct ht_stacks *s, uint32_t node);
/* Why the stack has no outer frames. */
enum ht_stack_end ht_stacks_end(const struct ht_stacks *s, uint32_t node);
/* Is this function name one of the allocator family (demangled or not)? */
bool ht_allocator_function(const char *function);

/* How well the trace could be symbolized, for a report's head. Frames are counted once per address. */
struct ht_symbol_quality {
	uint64_t frames, resolved;
	struct ht_module_quality {
		uint32_t module; /* id, for ht_trace_module */
		const char *path;
		enum ht_symbols_kind kind;
		const char *reason;
		uint64_t frames, resolved, with_line;
	} *modules; /* those that stacks touch, by id */
	size_t module_count;
};
const struct ht_symbol_quality *ht_stacks_quality(const struct ht_stacks *s);
/* Lower-case hex into out (at least 2 * HT_BUILD_ID_MAX + 1); "" when there is none. module_id as in ht_frame. */
const char *ht_build_id_text(const struct ht_trace *t, uint32_t module_id, char *out);

/* --- rows --------------------------------------------------------------------------------- */

struct ht_row {
	/* What the grouping knows; the rest is NULL, 0, false. Only by STACK and LINE know `inlined`. */
	const char *function, *file, *module;
	uint32_t line;
	bool inlined;
	const struct ht_frame *frame; /* a callsite frame of the row: address and reason of unresolved ones */
	uint32_t node;		      /* the leaf of its heaviest stack by the metric: for "a <- b <- c" */
	uint64_t stacks;	      /* how many different stacks are in it */
	struct ht_counters self;      /* stacks whose callsite is the row: THE numbers of a row */
	struct ht_counters total;     /* stacks that contain the row's frame anywhere, each once (BY_STACK: = self) */
};
struct ht_rows {
	struct ht_row *items; /* by metric descending, then function, file, line, module, address */
	size_t count;
	struct ht_counters sum; /* of all rows' self: the population, when no row filter is set */
};
/* Rows with no event of their own in self (only callees) are left out unless with_callees. */
void ht_analysis_rows(const struct ht_analysis *a, enum ht_metric metric, bool with_callees, struct ht_rows *out);
void ht_rows_release(struct ht_rows *r);

/* --- trees -------------------------------------------------------------------------------- */

enum ht_direction {
	HT_TOP_DOWN, /* roots are outermost frames, children are callees, leaves are callsites */
	HT_BOTTOM_UP /* roots are callsites, children are their callers */
};
#define HT_NO_NODE UINT32_MAX
struct ht_tree_node {
	const struct ht_frame *frame;		       /* of the first stack met; what options.by knows of it is common */
	uint32_t parent, first_child, next_sibling; /* indices or HT_NO_NODE; siblings by metric of total, descending */
	uint32_t depth;
	bool recursive;		   /* TOP_DOWN: the same frame stands further out, too */
	struct ht_counters self;   /* TOP_DOWN: stacks that end here. BOTTOM_UP: stacks whose outermost frame is here */
	struct ht_counters total;
};
struct ht_tree {
	struct ht_tree_node *nodes;
	size_t count;
	uint32_t first_root; /* siblings of each other */
	struct ht_counters sum;
};
void ht_analysis_tree(const struct ht_analysis *a, enum ht_direction d, enum ht_metric metric, struct ht_tree *out);
void ht_tree_release(struct ht_tree *t);

/* --- profiles for exporters --------------------------------------------------------------- */

enum ht_profile_kind {
	HT_PROFILE_HEAP = 0,  /* alloc_objects alloc_space inuse_objects inuse_space, default inuse_space */
	HT_PROFILE_ALLOCS,    /* the same four, default alloc_space */
	HT_PROFILE_PEAK,      /* peak_objects peak_space */
	HT_PROFILE_LEAKED,    /* leaked_objects leaked_space */
	HT_PROFILE_TEMPORARY, /* temporary_objects temporary_space */
	HT_PROFILE_WHOLE,     /* enum ht_whole_value, default inuse_space; with the curve if there is a series */
	HT_PROFILE_COUNT,
};
/* inuse is what is live at the selection's instant. comments: lines added to our own (command, pid,
 * host, completeness), may be NULL. The index of the default value type comes back in *value_index
 * (may be NULL), for exporters that carry one. Needs options.sites. */
const struct ht_profile *ht_analysis_profile(const struct ht_analysis *a, enum ht_profile_kind kind,
					     const char *const *comments, size_t comment_count, size_t *value_index);

/* A profile of other numbers than the heap's, over the same stacks: one sample an entry. What entries point to, and types, must
 * outlive it. */
struct ht_profile_entry {
	uint32_t node;	    /* the stack */
	const char *name;   /* in its place a frame that is a name alone, "(preempted)"; or NULL */
	const int64_t *values; /* one per type */
	const struct ht_profile_label *labels;
	size_t label_count;
};
struct ht_profile_made {
	const struct ht_profile_type *types;
	size_t type_count, main; /* main: the default type */
	const struct ht_profile_entry *entries;
	size_t count;
	bool drop_allocator; /* the allocator's frames are of no interest */
};
const struct ht_profile *ht_made_profile(const struct ht_analysis *a, const struct ht_profile_made *made,
					 const char *const *comments, size_t comment_count);
/* Of either. */
void ht_profile_free(const struct ht_profile *p);

#endif
