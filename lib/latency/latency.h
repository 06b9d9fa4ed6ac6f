/*
 * latency: where the time of threads went. One read of a trace's time blocks (SPEC.md, section 16) yields a model: for every
 * thread a sequence of spans that adjoin, each with a state and a reason; for every wait who ended it.
 *
 *     switches   IN ──────── OUT(blocked) ─────────────────── IN ── OUT(preempted) ─── IN
 *     waits            [begin ───────────────────────────────────── end]
 *     wakes                                     x (another thread's)
 *     spans      running     │ blocked: mutex   │ runnable   │ run │ runnable          │
 *
 *   RUNNING    on a processor.
 *   RUNNABLE   ready and waiting for one: from its creation on; after a preemption; after a block, from the moment that
 *	        what it waited for came (the wake that ended its wait, or the deadline of a wait that timed out).
 *   BLOCKED    off its processor of its own accord; kind = that of the wait it is inside of, HT_WAIT_NONE: in no call that is
 *	        recorded ("other").
 *   ALLOCATOR  the same inside a call of the allocator (a stall).
 *   UNKNOWN    nothing says what it did: before the first switch that is known, after a loss; or the kernel's sums say
 *	        that its processor did not run: a host took it.
 *
 * Every instant between a thread's start and end lies in exactly one span: the states' sums add up to its total. What user space
 * and kernel stamp of one wake-up differs by a microsecond; the kernel's own sums (schedstats) settle how much of
 * the time between a block and the next run was RUNNABLE where they are known.
 *
 * Without switches (no perf events) spans come from waits and schedstats alone, and `resolution_ns` says how coarse they are.
 *
 * Everything lives until ht_latency_free; the trace must stay open as long. Memory: 16 bytes a switch, 56 a wait, 32 a wake, and
 * 32 a span of the selected threads, of which a switch makes one or two.
 */
#ifndef HT_LATENCY_H
#define HT_LATENCY_H

#include "analyze.h"
#include "trace.h"

enum ht_state { HT_STATE_UNKNOWN = 0, HT_STATE_RUNNING, HT_STATE_RUNNABLE, HT_STATE_BLOCKED, HT_STATE_ALLOCATOR, HT_STATES };

#define HT_NO_CPU UINT16_MAX

struct ht_span {
	uint64_t begin_ns, end_ns;
	uint32_t wait;	/* index into waits + 1 of the wait that it is inside of; 0: none, and RUNNING */
	uint32_t stall; /* likewise into stalls */
	uint16_t cpu;	/* RUNNING; else HT_NO_CPU */
	uint8_t state;	/* enum ht_state */
	uint8_t kind;	/* BLOCKED: enum ht_wait_kind */
};

/* A wait and who ended it. */
struct ht_waited {
	struct ht_wait w;
	uint32_t wake;	  /* index into wakes + 1; 0: not known */
	uint32_t object;  /* number of what it waited for: the same for all waits for it, whatever else was at its address or
			   * is in another image; 0: not known */
};

struct ht_latency_thread {
	uint32_t id;			/* of the trace */
	uint64_t start_ns, end_ns;	/* cut to the selection */
	struct ht_span *spans;		/* ascending, adjoining, from start_ns to end_ns; never of length 0 */
	size_t span_count;
	uint64_t voluntary, involuntary; /* switches */
	size_t first_wait, wait_count;	/* its waits: waits[first_wait ...], by begin */
	size_t first_stall, stall_count;
	size_t first_fault, fault_count;
	bool switched;			/* the trace has switches of it */
	bool kernel_known;		/* the next two: from the last schedstat, over the thread's whole life up to it */
	uint64_t kernel_running_ns, kernel_runnable_ns, kernel_time_ns;
};

struct ht_latency {
	const struct ht_trace *trace;
	uint64_t from_ns, to_ns;	  /* what was asked for, cut to the trace */
	struct ht_latency_thread *threads; /* selected ones, by id */
	size_t thread_count;
	struct ht_waited *waits;	  /* by thread, then begin; these and the rest: as far as they meet the span */
	struct ht_wake *wakes;		  /* by time; of all threads and times, selected or not */
	uint32_t *wake_objects;		  /* per wake: number as in struct ht_waited; 0: nobody waited for that */
	struct ht_stall *stalls;	  /* by thread, then begin */
	struct ht_fault *faults;	  /* by thread, then time */
	struct ht_switch *switches;	  /* by time; of all threads */
	size_t wait_count, wake_count, stall_count, fault_count, switch_count;
	uint32_t object_count;		  /* numbers of objects are 1 .. object_count */
	const char *source;		  /* of switches, as the trace's header says; "" none */
	uint64_t resolution_ns;		  /* of states: 1000 with switches, else the polling interval; 0: not known */
	bool states_known;		  /* waits, switches or schedstats were recorded; else all is UNKNOWN */
	uint64_t lost_switches;		  /* as the recorder counted */
	uint64_t damaged_blocks;
};

struct ht_latency_options {
	struct ht_selection selection; /* from, to, thread, process; at and row filters are not looked at */
	unsigned jobs;
	void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total); /* may be NULL */
	void *progress_ctx;
};

/* Reads the time blocks and makes the model. 0; HT_ABSENT: the trace has none (recorded without sync, io, sched); < 0 with d. */
int ht_latency_read(struct ht_latency **l, const struct ht_trace *t, const struct ht_latency_options *o, struct ht_diag *d);
void ht_latency_free(struct ht_latency *l);

/* The thread of this id, or NULL when it is not selected. */
const struct ht_latency_thread *ht_latency_thread(const struct ht_latency *l, uint32_t id);

/* The thread's first span that ends after ns, t->span_count: none; and its first fault at ns or later, as an index into
 * l->faults: t->first_fault + t->fault_count: none. */
size_t ht_latency_span_at(const struct ht_latency_thread *t, uint64_t ns);
size_t ht_latency_fault_at(const struct ht_latency *l, const struct ht_latency_thread *t, uint64_t ns);

/* The latency equation: total = running + runnable + sum of blocked + allocator + unknown. */
struct ht_breakdown {
	uint64_t total_ns, running_ns, runnable_ns, allocator_ns, unknown_ns;
	uint64_t blocked_ns[HT_WAIT_KINDS]; /* [HT_WAIT_NONE]: in no recorded call; SPIN is always 0, it runs */
	uint64_t voluntary, involuntary;    /* switches off */
	uint64_t faults;
};
/* Adds what thread did in [from, to). A binary search and the spans in between. */
void ht_breakdown_add(const struct ht_latency *l, const struct ht_latency_thread *t, uint64_t from, uint64_t to,
		      struct ht_breakdown *b);
/* The parts of CLI.md's blocked_ns: several kinds share a name there ("disk", "other"); index of the part of a kind, and its name. */
#define HT_BLOCKED_PARTS 12
extern const char *const ht_blocked_part_names[HT_BLOCKED_PARTS]; /* mutex cond sem rwlock join barrier net disk pipe poll sleep other */
unsigned ht_blocked_part(unsigned kind);

/* Names for people: the thread's name or "tid N", in the trace's own storage or static. */
const char *ht_latency_thread_name(const struct ht_latency *l, uint32_t thread);

#endif
