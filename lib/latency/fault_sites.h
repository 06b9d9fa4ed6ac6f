/*
 * fault_sites: page faults by whose memory they were for, or by the code at which they came. A row's bytes are its
 * faults in pages of HT_FAULT_PAGE bytes: what the kernel gave, not what the program asked for (a fault of a huge
 * page gives more).
 */
#ifndef HT_FAULT_SITES_H
#define HT_FAULT_SITES_H

#include "fault_places.h"

#define HT_FAULT_PAGE 4096

enum ht_fault_by { HT_FAULTS_BY_SITE, HT_FAULTS_BY_CODE };

struct ht_fault_row {
	const struct ht_frame *frame; /* the callsite of block or mapping, or the code; NULL: where says all */
	uint32_t node;	 /* a stack of it, 0: none */
	uint32_t module; /* HT_FAULT_MODULE: id + 1; else 0 */
	uint8_t where;	 /* enum ht_fault_where; by code: UNKNOWN */
	uint64_t faults;
};
struct ht_fault_rows {
	struct ht_fault_row *items; /* by faults, most first, then where, function, file, line, module */
	size_t count;
	uint64_t faults, by_where[HT_FAULT_WHERES];
	uint64_t hidden; /* left out by the filters */
};
void ht_fault_rows_make(struct ht_fault_rows *r, const struct ht_latency *l, const struct ht_fault_places *p,
			const struct ht_stacks *stacks, enum ht_fault_by by);
void ht_fault_rows_release(struct ht_fault_rows *r);

#endif
