/*
 * time_records: where time went, as a trace has it: waits and who ended them, slow calls of the allocator, page faults,
 * context switches (SPEC.md, section 16). They are records, not events: they have no place in the order of births and
 * deaths, and whoever reads the heap alone never meets them. Part of trace.h.
 */
#ifndef HT_TIME_RECORDS_H
#define HT_TIME_RECORDS_H

#include "base.h"
#include "time_words.h"

struct ht_trace;
struct ht_trace_writer;

extern const char *const ht_wait_kind_names[HT_WAIT_KINDS]; /* "mutex", "cond", ..., [0] = "" */
extern const char *const ht_wait_call_names[HT_CALL_COUNT]; /* "pthread_mutex_lock", ..., [0] = "" */
extern const char *const ht_outcome_names[HT_OUTCOMES];	    /* "ok", "timeout", ... */

/* A call that waited, or that took long. Times in ns of the trace, begin_ns <= end_ns. */
struct ht_wait {
	uint8_t kind, call, outcome, flags; /* enum ht_wait_kind, _call, _outcome, _flag */
	int32_t fd;	   /* -1: none */
	uint32_t thread, stack;
	uint64_t begin_ns, end_ns;
	uint64_t object;   /* sync objects: their address; join: pthread_t; pipes, sockets, files: inode; 0 = unknown */
	uint64_t detail;   /* a call with a deadline: ns that it may wait at most, + 1; cond without one: 0; calls that
			    * move data: bytes moved; else 0 */
};
/* Something that ends others' waits for the same object: unlock, signal, post, exit, write. */
struct ht_wake {
	uint8_t kind, call, flags;
	uint32_t thread, stack;
	uint64_t time_ns, object;
};
/* A call of the allocator that took long. */
struct ht_stall {
	uint8_t op;	   /* enum ht_op of the call */
	bool bound;	   /* it began at begin_ns or later */
	uint32_t thread, stack;
	uint64_t begin_ns, end_ns;
	uint64_t address, size; /* of the block, 0 = none; bytes asked for */
};
/* A page fault. */
struct ht_fault {
	uint32_t thread;
	uint32_t stack;	   /* node of the single frame at which it came, 0 = not known */
	uint64_t time_ns, address;
};
/* A thread came onto a processor or left it. */
enum ht_switch_how { HT_SWITCH_IN = 0, HT_SWITCH_BLOCKED = 1, HT_SWITCH_PREEMPTED = 2 };
struct ht_switch {
	uint8_t how;	   /* enum ht_switch_how */
	uint16_t cpu;
	uint32_t thread;
	uint64_t time_ns;
};
/* What the kernel says a thread has run and waited for a processor, since it began (/proc/PID/task/TID/schedstat). */
struct ht_schedstat {
	uint32_t thread;
	uint64_t time_ns;  /* when it was read */
	uint64_t running_ns, runnable_ns;
	uint64_t slices;   /* times that it came onto a processor */
};

/* --- writing: in any order, readers sort; of threads that were given out -------------------- */

void ht_trace_writer_wait(struct ht_trace_writer *w, const struct ht_wait *x);
void ht_trace_writer_wake(struct ht_trace_writer *w, const struct ht_wake *x);
void ht_trace_writer_stall(struct ht_trace_writer *w, const struct ht_stall *x);
void ht_trace_writer_fault(struct ht_trace_writer *w, const struct ht_fault *x);
void ht_trace_writer_switch(struct ht_trace_writer *w, const struct ht_switch *x);
void ht_trace_writer_schedstat(struct ht_trace_writer *w, const struct ht_schedstat *x);

/* --- reading ------------------------------------------------------------------------------ */

/*
 * Blocks of waits and wakes, of stalls and faults, of switches and schedstats. Each decodes on its own. Blocks
 * of a kind stand in the file about in order of time; first_ns and last_ns bound what is in them (ends of waits and stalls;
 * they begin as early as they like).
 */
enum ht_time_block_kind { HT_TIME_SCHED = 18, HT_TIME_WAITS = 19, HT_TIME_STALLS = 20 };
struct ht_time_block {
	uint8_t kind; /* enum ht_time_block_kind */
	uint32_t count;
	uint64_t offset, first_ns, last_ns;
	uint32_t sequence;
};
struct ht_time_records { /* reusable; zero-initialised is empty. Sorted by (end) time within a block */
	struct ht_wait *waits;
	struct ht_wake *wakes;
	struct ht_stall *stalls;
	struct ht_fault *faults;
	struct ht_switch *switches;
	struct ht_schedstat *schedstats;
	size_t wait_count, wake_count, stall_count, fault_count, switch_count, schedstat_count;
	size_t wait_cap, wake_cap, stall_cap, fault_cap, switch_cap, schedstat_cap;
	struct ht_buf raw, packed; /* scratch */
	void *zstd;
};
size_t ht_trace_time_block_count(const struct ht_trace *t);
const struct ht_time_block *ht_trace_time_block(const struct ht_trace *t, size_t i);
/* Replaces what is in out. Every thread and stack is checked to exist. A damaged block gives HT_ERR_DAMAGED and counts of 0.
 * Thread-safe on one trace. */
int ht_trace_time_decode(const struct ht_trace *t, size_t i, struct ht_time_records *out, struct ht_diag *d);
void ht_time_records_release(struct ht_time_records *r);

#endif
