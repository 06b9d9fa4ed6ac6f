/*
 * timeline: what an exporter of timelines gets. Neutral: it knows nothing of traces. Built by lib/latency, rendered by
 * formats/perfetto, formats/chrome and the text timeline of the command.
 *
 * All times are ns from the trace's first instant; clock_* lead to the machine's clocks. Arrays are in order of time unless
 * something else is said. Indices are positions in the arrays here; "+ 1" means that 0 is none. All strings are valid UTF-8
 * without control characters, belong to the builder and live as long as the timeline.
 */
#ifndef HT_TIMELINE_H
#define HT_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile.h"

struct ht_timeline_process {
	uint32_t pid;
	const char *name, *command; /* name: not empty; command: one line */
	uint64_t start_ns, end_ns;
};
struct ht_timeline_thread {
	uint32_t process; /* index */
	uint32_t tid;	  /* never 0; may be that of an earlier thread that has ended */
	const char *name;
	uint64_t start_ns, end_ns;
	uint32_t creator; /* index + 1 */
};

enum ht_timeline_state {
	HT_TIMELINE_UNKNOWN,
	HT_TIMELINE_RUNNING,
	HT_TIMELINE_RUNNABLE,  /* woken, or preempted: */
	HT_TIMELINE_PREEMPTED,
	HT_TIMELINE_BLOCKED,   /* interruptible */
	HT_TIMELINE_IO,	       /* on a disk */
	HT_TIMELINE_ALLOCATOR,
	HT_TIMELINE_STATES,
};
/* A thread's states adjoin from its start to its end; grouped by thread (in the order of threads), then time. */
struct ht_timeline_span {
	uint32_t thread;
	uint8_t state;
	uint16_t cpu;	   /* RUNNING; else UINT16_MAX */
	uint64_t begin_ns, end_ns;
	const char *what;  /* blocked: "mutex 0x55…", "cond …", "read pipe", …; else "" */
};
/* What a processor did: prev leaves, next comes; 0: a foreign thread or idle. Per cpu, next of one is prev of the next one. */
struct ht_timeline_switch {
	uint64_t time_ns;
	uint16_t cpu;
	uint32_t prev, next; /* threads, index + 1 */
	bool preempted;	     /* prev was; else it blocked */
};

struct ht_timeline_frame {
	const char *function, *file; /* "" unknown */
	uint32_t line;
	const char *module;
};
struct ht_timeline_stack {
	const uint32_t *frames; /* indices into frames, leaf first */
	size_t depth;
};

enum ht_timeline_category { HT_TIMELINE_WAIT, HT_TIMELINE_REGION, HT_TIMELINE_STALL, HT_TIMELINE_BURST, HT_TIMELINE_CATEGORIES };
extern const char *const ht_timeline_category_names[HT_TIMELINE_CATEGORIES]; /* "wait", "region", "stall", "allocations" */
/* An interval of a thread. Slices of one thread nest: none begins inside another and ends behind it. By thread, then begin, outer first. */
struct ht_timeline_slice {
	uint32_t thread;
	uint8_t category;
	uint64_t begin_ns, end_ns;
	const char *name;   /* "wait mutex 0x55…", the region's name, "malloc", "allocations" */
	uint32_t stack;	    /* index into stacks + 1 */
	uint64_t objects, bytes; /* bursts: allocations and bytes; regions: made inside; waits on descriptors: bytes moved */
	const char *outcome; /* waits that did not end well: "timeout", ...; stalls: the cause; else "" */
};
/* Who woke whom. from is at the waker's stamp, to at the end of the wait; to's wait is a slice that ends at to_ns. */
struct ht_timeline_arrow {
	uint64_t from_ns, to_ns;
	uint32_t from, to;    /* threads */
	const char *name;     /* "unlock", "signal", "post", "write", "exit" */
	uint32_t stack;	      /* of the waker, + 1 */
};
/* An operation across threads. Pieces: when a thread worked for it; may overlap in time on different threads. */
struct ht_timeline_piece {
	uint32_t thread;
	uint64_t begin_ns, end_ns;
};
struct ht_timeline_task {
	uint64_t id;	    /* unique, never 0 */
	const char *name;
	uint32_t process, thread; /* that began it */
	uint64_t begin_ns, end_ns;
	bool ended;	    /* else it is cut off */
	const struct ht_timeline_piece *pieces;
	size_t piece_count;
};
/* Logs and marks. */
struct ht_timeline_instant {
	uint32_t thread;
	uint64_t time_ns;
	const char *category, *message; /* marks: category "mark" */
	uint32_t stack;
};
enum ht_timeline_unit { HT_TIMELINE_COUNT, HT_TIMELINE_BYTES, HT_TIMELINE_PER_SECOND };
struct ht_timeline_counter {
	uint32_t process;   /* index */
	const char *name;   /* "live bytes", "live objects", "RSS", "threads", "runnable threads", "allocations",
			     * "page faults" */
	uint8_t unit;
	const struct ht_profile_point *points; /* bytes = the value, whatever its unit */
	size_t point_count;
};
/* Heap at the peak, per process. */
struct ht_timeline_heap {
	uint32_t process;
	uint64_t time_ns;
	const struct ht_profile *profile; /* live blocks then: value types inuse_objects, inuse_space first */
	size_t objects_value, bytes_value; /* which of its values */
};

struct ht_timeline {
	const char *command, *hostname, *source; /* source of switches, "" = none */
	uint64_t from_ns, to_ns;
	uint64_t clock_utc_ns, clock_monotonic_ns, clock_boottime_ns; /* of the trace's first instant */
	const struct ht_timeline_process *processes;
	const struct ht_timeline_thread *threads;
	const struct ht_timeline_span *spans;
	const struct ht_timeline_switch *switches;
	const struct ht_timeline_slice *slices;
	const struct ht_timeline_arrow *arrows;
	const struct ht_timeline_task *tasks;
	const struct ht_timeline_instant *instants;
	const struct ht_timeline_counter *counters;
	const struct ht_timeline_heap *heaps;
	const struct ht_timeline_frame *frames;
	const struct ht_timeline_stack *stacks;
	size_t process_count, thread_count, span_count, switch_count, slice_count, arrow_count, task_count, instant_count,
		counter_count, heap_count, frame_count, stack_count;
};

#endif
