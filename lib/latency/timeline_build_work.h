/*
 * timeline_build_work: a timeline in the making, and what it owns. Private to timeline_build*.c.
 *
 * Everything is kept in lists that grow; `made.timeline` points at them when all is done. Numbers of the trace become
 * indices of the timeline by process_of (images) and thread_of (threads); 0 is "not selected". The thread that calls
 * exec goes on as another one of the trace: here it is one, so that a thread may be several of the trace.
 */
#ifndef HT_TIMELINE_BUILD_WORK_H
#define HT_TIMELINE_BUILD_WORK_H

#include "hash_index.h"
#include "instances.h"
#include "pass.h"
#include "stacks.h"
#include "timeline_build.h"

#define HT_TIMELINE_LIST(type)        \
	struct {                      \
		type *items;          \
		size_t count, cap;    \
	}
/* The place of one more item. */
#define HT_TIMELINE_ADD(list)                                                                             \
	({                                                                                                \
		if ((list).count == (list).cap) {                                                         \
			(list).cap = (list).cap ? (list).cap * 2 : 64;                                    \
			(list).items = ht_xrealloc((list).items, (list).cap, sizeof(*(list).items));      \
		}                                                                                         \
		&(list).items[(list).count++];                                                            \
	})

struct ht_timeline_window {
	uint64_t from_ns, to_ns;
};

/* A burst of a thread of the trace. */
struct ht_timeline_burst {
	uint64_t begin_ns, end_ns;
	uint64_t objects, bytes; /* amounts: estimate.h */
	uint64_t top_bytes;
	uint32_t top_stack; /* node */
	bool parted;	    /* from the one behind it: a region begins or ends in between */
};

struct ht_timeline_levels;
struct ht_timeline_bursts;
struct ht_timeline_heaps;

struct ht_timeline_work {
	struct ht_timeline_made made; /* first: it is what the caller frees */
	struct ht_trace *trace;
	const struct ht_latency *model; /* NULL: none */
	struct ht_latency *own_model;
	struct ht_instances tasks_read; /* those of the selection, and some from before */
	struct ht_analysis *a; /* set before the walk begins */
	uint64_t from_ns, to_ns;
	bool heaps_wanted;
	char *missing; /* what made.missing is */
	HT_TIMELINE_LIST(struct ht_timeline_window) windows; /* ascending, disjoint; at least one */

	uint32_t *process_of; /* image -> process + 1 */
	uint32_t *thread_of;  /* thread of the trace -> thread + 1 */
	uint32_t *ids;	      /* thread -> first thread of the trace */
	uint32_t *next_id;    /* thread of the trace -> the one that it went on as after an exec, + 1; 0: none */

	struct ht_index text_index;
	HT_TIMELINE_LIST(char *) texts;
	uint32_t *stack_of; /* canonical node -> stack + 1 */
	uint32_t *frame_of; /* frame of the analysis -> frame + 1 */

	HT_TIMELINE_LIST(struct ht_timeline_process) processes;
	HT_TIMELINE_LIST(struct ht_timeline_thread) threads;
	HT_TIMELINE_LIST(struct ht_timeline_span) spans;
	HT_TIMELINE_LIST(struct ht_timeline_switch) switches;
	HT_TIMELINE_LIST(struct ht_timeline_slice) slices;
	HT_TIMELINE_LIST(struct ht_timeline_arrow) arrows;
	HT_TIMELINE_LIST(struct ht_timeline_task) tasks;
	HT_TIMELINE_LIST(struct ht_timeline_instant) instants;
	HT_TIMELINE_LIST(struct ht_timeline_counter) counters;
	HT_TIMELINE_LIST(struct ht_timeline_heap) heap_list;
	HT_TIMELINE_LIST(struct ht_timeline_frame) frames;
	HT_TIMELINE_LIST(struct ht_timeline_stack) stacks;

	struct ht_timeline_levels *levels;
	struct ht_timeline_bursts *bursts;
	struct ht_timeline_heaps *heaps;
};

/* timeline_build_names.c: text as the timeline wants it, kept once; "" for "". */
const char *ht_timeline_text(struct ht_timeline_work *w, const char *s);
const char *ht_timeline_textf(struct ht_timeline_work *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Of a node of the trace: index + 1, 0 without one. It begins at its callsite. */
uint32_t ht_timeline_stack(struct ht_timeline_work *w, uint32_t node);
/* "mutex 0x55d0", "read pipe", "sleep" */
const char *ht_timeline_wait_text(struct ht_timeline_work *w, const struct ht_wait *x);
void ht_timeline_names_release(struct ht_timeline_work *w);

/* timeline_build_who.c: windows are set, and so is w->a (of which threads are selected). */
void ht_timeline_who(struct ht_timeline_work *w);
/* The windows' parts of [begin, end): a part for each call, until false. *at is 0 at first. */
bool ht_timeline_part(const struct ht_timeline_work *w, uint64_t begin, uint64_t end, size_t *at,
		      struct ht_timeline_window *part);
bool ht_timeline_inside(const struct ht_timeline_work *w, uint64_t ns);

/* timeline_build_spans.c */
void ht_timeline_spans(struct ht_timeline_work *w);
void ht_timeline_switches(struct ht_timeline_work *w);

/* timeline_build_slices.c: after the walk. */
void ht_timeline_slices(struct ht_timeline_work *w);

/* timeline_build_said.c: instants, and who made which thread. */
void ht_timeline_said(struct ht_timeline_work *w);

/* timeline_build_tasks.c. Windows: from w->from_ns to w->to_ns, or what options name of it, which then become its
 * begin and end; HT_ABSENT: none. */
int ht_timeline_windows(struct ht_timeline_work *w, const struct ht_timeline_options *o);
/* Where to begin to read for what was open at w->from_ns. */
uint64_t ht_timeline_look_back(const struct ht_timeline_work *w);
void ht_timeline_tasks(struct ht_timeline_work *w);

/* timeline_build_levels.c: live bytes and objects, rate of allocations; a pass. Then all counters. */
void ht_timeline_levels_begin(struct ht_timeline_work *w);
struct ht_pass ht_timeline_levels_pass(struct ht_timeline_work *w);
void ht_timeline_counters(struct ht_timeline_work *w);
void ht_timeline_levels_free(struct ht_timeline_levels *l);

/* timeline_build_bursts.c: a pass, and what it found of a thread of the trace, by time. */
void ht_timeline_bursts_begin(struct ht_timeline_work *w);
struct ht_pass ht_timeline_bursts_pass(struct ht_timeline_work *w);
const struct ht_timeline_burst *ht_timeline_bursts_of(const struct ht_timeline_work *w, uint32_t thread, size_t *count);
void ht_timeline_bursts_free(struct ht_timeline_bursts *b);

/* timeline_build_heaps.c: a pass; after the walk the heaps. */
void ht_timeline_heaps_begin(struct ht_timeline_work *w, bool wanted);
struct ht_pass ht_timeline_heaps_pass(struct ht_timeline_work *w);
void ht_timeline_heaps_take(struct ht_timeline_work *w);
void ht_timeline_heaps_free(struct ht_timeline_work *w);

#endif
