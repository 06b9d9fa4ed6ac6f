/*
 * instance_groups: regions or tasks of one name together: how long they took, what their time went for, and what the
 * slow ones have that the usual ones have not.
 *
 * The time of a piece is split as its thread's time is (latency.h). A task has besides WAITING: time in which nobody
 * worked for it. Without a model of time every piece is UNKNOWN.
 *
 *	sum of the parts = sum of the pieces' lengths + WAITING
 *			 = sum of durations, with at most one thread at a time on each
 *
 * Slow are the longest tenth (rounded up), usual is the half around the median: from a quarter to three quarters.
 * A difference is a mean of the slow ones minus that of the usual ones. With under 4 instances there is no comparison.
 */
#ifndef HT_INSTANCE_GROUPS_H
#define HT_INSTANCE_GROUPS_H

#include "instances.h"
#include "latency.h"
#include "quantiles.h"

/* What time can have gone for: states, then the parts of being blocked (ht_blocked_part_names). */
enum ht_time_part {
	HT_PART_RUNNING,
	HT_PART_RUNNABLE,
	HT_PART_ALLOCATOR,
	HT_PART_UNKNOWN,
	HT_PART_WAITING,
	HT_PART_BLOCKED,
	HT_TIME_PARTS = HT_PART_BLOCKED + HT_BLOCKED_PARTS,
};
const char *ht_time_part_name(unsigned part);

struct ht_time_parts {
	uint64_t ns[HT_TIME_PARTS];
	uint64_t voluntary, involuntary; /* switches */
};

/* What a blocked part of the slow ones was for most of its time. */
struct ht_culprit {
	uint8_t kind;	    /* enum ht_wait_kind; NONE: not known */
	uint64_t object;    /* of sync objects; else 0 */
	uint32_t stack;	    /* of the wait that took longest */
	uint64_t waits, wait_ns;
	bool ended_by_known; /* who ended most of its time */
	uint32_t ended_by, ended_stack;
};

struct ht_difference {
	unsigned part; /* enum ht_time_part */
	double slow_ns, usual_ns; /* means */
	struct ht_culprit culprit;
};

struct ht_instance_group {
	const char *name;
	uint32_t *members; /* instances, longest first, then by begin */
	size_t count;
	uint64_t cut, allocs, bytes;
	struct ht_instance_variance variance; /* 0 where every allocation is in the trace */
	struct ht_quantiles duration;
	uint64_t *durations; /* sorted, ascending */
	struct ht_time_parts parts; /* of all */
	/* slow against usual; compared false: too few */
	bool compared;
	size_t slow, usual;
	double slow_ns, usual_ns, slow_allocs, usual_allocs, slow_bytes, usual_bytes; /* means */
	struct ht_difference *differences; /* parts that grew, most first */
	size_t difference_count;
};

struct ht_instance_groups {
	struct ht_instance_group *items; /* by the sum of durations, most first, then by name */
	size_t count;
};

/* l NULL: no model of time. */
void ht_instance_groups_make(struct ht_instance_groups *g, const struct ht_trace *t, const struct ht_instances *in,
			     const struct ht_latency *l);
void ht_instance_groups_release(struct ht_instance_groups *g);

/* What the time of one instance went for, added to p. */
void ht_instance_parts(const struct ht_instances *in, const struct ht_instance *i, const struct ht_latency *l,
		       struct ht_time_parts *p);

#endif
