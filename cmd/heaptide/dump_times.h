/* dump_times: where time went as text, a line each: waits, wakes, stalls, faults, switches, schedstats. */
#ifndef HT_DUMP_TIMES_H
#define HT_DUMP_TIMES_H

#include "analyze.h"
#include "output.h"

/* Names of --op. */
enum ht_dump_time {
	HT_DUMP_WAIT,
	HT_DUMP_WAKE,
	HT_DUMP_STALL,
	HT_DUMP_FAULT,
	HT_DUMP_SWITCH,
	HT_DUMP_SCHEDSTAT,
	HT_DUMP_TIMES
};
extern const char *const ht_dump_time_names[HT_DUMP_TIMES];

struct ht_dump_times {
	const struct ht_trace *t;
	struct ht_output *out;
	const struct ht_selection *selection; /* by the time at which a record ended */
	bool wanted[HT_DUMP_TIMES];
	const bool *threads;	       /* wanted, by id */
	bool stacks;		       /* below each line */
	const struct ht_stacks *names; /* of their frames, or NULL */
	uint64_t limit;		       /* lines at most; 0: all */
	uint64_t printed;
	/* private */
	struct ht_time_records records;
};
/* Block i of those about time. < 0: it is damaged. */
int ht_dump_time_block(struct ht_dump_times *p, size_t i);

#endif
