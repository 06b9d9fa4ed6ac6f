/* perfetto_sched: what perfetto_sched.c and perfetto_wakes.c share while they go through the switches. */
#ifndef HT_PERFETTO_SCHED_H
#define HT_PERFETTO_SCHED_H

#include "perfetto_out.h"

#define HT_PF_CPUS 1024 /* Perfetto takes no processor from this number on */
#define HT_PF_OFF UINT16_MAX

enum { HT_PF_BUNDLE_NAMES = 64, HT_PF_PENDING = 64 };

/* What a processor has collected. Columns are those of the compact form. */
struct ht_pf_cpu {
	struct ht_buf times, states, pids, priorities, name_indices, events;
	uint32_t names[HT_PF_BUNDLE_NAMES]; /* threads, index + 1: whose names the bundle has */
	size_t name_count, count;
	uint64_t now_ns; /* of the last compact switch in the bundle */
	uint64_t switched_ns;
	uint32_t current; /* thread that came last, index + 1 */
	bool begun;
};
/* A thread at the present moment of the pass. */
struct ht_pf_runner {
	uint64_t since_ns;	     /* its last switch */
	uint64_t first_ns, last_ns;  /* first sign of it; its last switch-out, if none in follows. UINT64_MAX: none */
	uint64_t heard_ns;	     /* its last switch, out or in; 0: none */
	size_t span;		     /* where the search for its spans stands */
	uint16_t cpu;		     /* that it runs on; HT_PF_OFF */
	bool blocked, woken;	     /* off of its own accord; and a waking has been told */
};
struct ht_pf_sched {
	struct ht_pf *o;
	struct ht_pf_cpu *cpus;
	size_t cpu_count, next; /* next: of switches, the first that has not been seen */
	struct ht_pf_runner *threads;
	size_t pending[HT_PF_PENDING], pending_count; /* arrows whose moment has not come */
};

/* An event of a processor: the caller opens the field of its kind in m->inner. */
struct ht_pf_marks {
	size_t outer, inner;
};
struct ht_buf *ht_pf_ftrace(struct ht_pf_sched *s, uint16_t cpu, uint64_t ns, uint32_t current, struct ht_pf_marks *m);
void ht_pf_ftrace_end(struct ht_pf_sched *s, uint16_t cpu, const struct ht_pf_marks *m);

/* A thread's name as the kernel has it: 15 bytes at most, whole characters. Descriptors have all of it. */
void ht_pf_comm(struct ht_buf *b, unsigned field, const char *name);

/* An arrow's departure, when all switches before it have been seen; and again after each switch. */
void ht_pf_offer_wake(struct ht_pf_sched *s, size_t arrow);
void ht_pf_retry_wakes(struct ht_pf_sched *s, uint64_t now_ns);

/* When threads begin and end. */
void ht_pf_write_births(struct ht_pf_sched *s);

#endif
