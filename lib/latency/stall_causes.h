/*
 * stall_causes: what long calls of the allocator took so long for, from what their thread did meanwhile.
 *
 *	off its processor, of its own accord	lock		of the allocator, or of the address space (mmap_lock)
 *	off its processor, pushed aside		preempted
 *	on it, from a page fault on		fault		until the next fault or the end, at most HT_FAULT_AT_MOST each
 *	on it, the rest				syscall		where the block is a mapping of its own, as large ones are
 *	all else				unknown		long lists, a first use, or no switches were recorded
 *
 * A mapping of its own is a block of glibc's whose address is 16 above a page's start, of HT_MAPPED_SIZE or more
 * where its size is known (it is not, in a free).
 *
 * A stall that is a `bound` began at begin_ns or later: the recorder saw only that its end came long after the
 * thread's last stamp. It cannot have begun before the last recorded wait of its thread ended, so from there on it is
 * counted; what the thread did on its processor may have been before the call, so that is unknown. Where such a wait
 * leaves less than HT_BOUND_LEAST, it was that wait that took long, and there is no stall: it is `explained`.
 */
#ifndef HT_STALL_CAUSES_H
#define HT_STALL_CAUSES_H

#include "latency.h"

enum ht_stall_cause {
	HT_STALL_LOCK,
	HT_STALL_FAULT,
	HT_STALL_PREEMPTED,
	HT_STALL_SYSCALL,
	HT_STALL_UNKNOWN,
	HT_STALL_CAUSES,
};
extern const char *const ht_stall_cause_names[HT_STALL_CAUSES];

#define HT_FAULT_AT_MOST UINT64_C(100000) /* ns; clearing a huge page takes no longer */
#define HT_MAPPED_SIZE (UINT64_C(128) << 10) /* M_MMAP_THRESHOLD of mallopt(3), at first */

#define HT_BOUND_LEAST UINT64_C(1000000) /* ns; what the recorder notices without timing calls */

struct ht_stall_parts {
	uint64_t ns; /* of the stall; for a bound at most */
	bool explained;
	uint64_t cause_ns[HT_STALL_CAUSES]; /* their sum is ns */
	uint64_t faults;
};
void ht_stall_parts(const struct ht_latency *l, const struct ht_stall *s, struct ht_stall_parts *out);

/* All of one callsite. */
struct ht_stall_row {
	const struct ht_frame *frame;
	uint32_t node; /* leaf of the stack of the longest */
	uint32_t ops;  /* 1 << op of each */
	uint64_t count, bounds, stall_ns, max_ns, faults;
	uint64_t cause_ns[HT_STALL_CAUSES];
};
struct ht_stall_rows {
	struct ht_stall_row *items; /* by stall_ns, most first, then function, file, line */
	size_t count;
	uint64_t stalls, bounds, stall_ns;
	uint64_t cause_ns[HT_STALL_CAUSES];
	uint64_t explained; /* bounds that are no stalls, in no row */
	uint64_t hidden;    /* left out by the filters */
};
void ht_stall_rows_make(struct ht_stall_rows *r, const struct ht_latency *l, const struct ht_stacks *stacks);
void ht_stall_rows_release(struct ht_stall_rows *r);

#endif
