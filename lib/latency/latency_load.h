/*
 * latency_load: all time blocks of a trace as arrays, decoded by several threads. What comes of it does not depend on
 * how many.
 */
#ifndef HT_LATENCY_LOAD_H
#define HT_LATENCY_LOAD_H

#include "latency.h"

struct ht_latency_records {
	struct ht_waited *waits;	   /* by begin; wake, object 0 */
	struct ht_wake *wakes;		   /* by time, as the rest */
	struct ht_stall *stalls;	   /* by begin */
	struct ht_fault *faults;
	struct ht_switch *switches;
	struct ht_schedstat *schedstats;
	size_t wait_count, wake_count, stall_count, fault_count, switch_count, schedstat_count;
	uint64_t damaged_blocks;
};

void ht_latency_load(struct ht_latency_records *r, const struct ht_trace *t, const struct ht_latency_options *o);
void ht_latency_records_release(struct ht_latency_records *r);

#endif
