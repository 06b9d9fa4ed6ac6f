/*
 * timeline_build: from a trace to the neutral timeline (formats/timeline.h) that exporters and the text timeline
 * render.
 *
 *	model of time (latency.h) ──▶ states, switches, waits, stalls, arrows
 *	regions and tasks          ──▶ slices, tasks, windows
 *	one walk over the events   ──▶ counters, bursts of allocations, heaps at the peak
 *	logs, marks, thread starts ──▶ instants, creators
 *
 * A trace without times of threads (recorded without sync, io, sched) still gives regions, allocations and memory;
 * `missing` says what it lacks.
 *
 * What is bounded, whatever the trace: points of a counter (HT_TIMELINE_POINTS), bursts (HT_TIMELINE_BURSTS), heaps
 * (HT_TIMELINE_HEAPS). Spans, waits and switches are as many as were recorded in what is selected.
 */
#ifndef HT_TIMELINE_BUILD_H
#define HT_TIMELINE_BUILD_H

#include "analyze.h"
#include "latency.h"
#include "timeline.h"

#define HT_TIMELINE_POINTS 8192 /* of a counter; processes share 32 times as many */
#define HT_TIMELINE_BURSTS 60000
#define HT_TIMELINE_HEAPS 32 /* processes, the first ones */
#define HT_TIMELINE_DEPTH 512 /* frames of a stack, leaf first: outer ones are cut */

struct ht_timeline_options {
	/* Of the selection: from, to, thread, process. Threads choose what is shown, and whose blocks count.
	 * symbols, jobs, progress as there. */
	struct ht_analysis_options analysis;
	/* Only the time of tasks of this type, or of the task with this number; NULL: all the time. Between two
	 * such windows states are UNKNOWN and nothing else is there. */
	const char *task;
	bool heaps; /* make them */
};

struct ht_timeline_made {
	struct ht_timeline timeline; /* first */
	const char *missing;	/* one line of what the trace does not say, and what would record it; "" nothing */
	bool part;		/* of the time that the selected processes were there */
	uint64_t burst_gap_ns;	/* allocations of a thread closer to each other than this are one burst */
	uint64_t cut_slices;	/* but for bursts: crossed another one of their thread, and end where that ends */
	uint64_t lost_arrows;	/* woke before or after what they ended, as far as clocks tell */
	uint64_t other_heaps;	/* processes whose heap is left out */
	uint64_t damaged_blocks;
	uint64_t lost_switches;
	uint64_t resolution_ns; /* of states, 0: there are none */
};

/* 0; HT_ABSENT: no task of the kind is in the selection; HT_ERR_USAGE and others with d. The trace must stay open
 * until it is freed. */
int ht_timeline_build(struct ht_timeline_made **out, struct ht_trace *t, const struct ht_timeline_options *o,
		      struct ht_diag *d);
/* The same of a model of time that is there already, of the same selection; NULL: the trace has none. */
int ht_timeline_build_of(struct ht_timeline_made **out, struct ht_trace *t, const struct ht_latency *model,
			 const struct ht_timeline_options *o, struct ht_diag *d);
void ht_timeline_free(struct ht_timeline_made *m);

#endif
