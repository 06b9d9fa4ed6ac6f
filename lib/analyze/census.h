/*
 * census: the passes that count something else than blocks' bytes: events by class, what was freed
 * without being ours, truncated stacks; lifetimes; and the series over time. Private to lib/analyze.
 */
#ifndef HT_CENSUS_H
#define HT_CENSUS_H

#include "pass.h"
#include "stacks.h"

struct ht_census {
	struct ht_analysis *a;
	const struct ht_stacks *stacks;
	uint8_t *marks; /* per node: what is known of it */
	uint64_t ops[HT_OP_COUNT]; /* events of the population */
	uint64_t paired, undone;   /* of the frees: halves of a realloc, and those that did not happen */
};
void ht_census_init(struct ht_census *c, struct ht_analysis *a, const struct ht_stacks *stacks);
struct ht_pass ht_census_pass(struct ht_census *c);
void ht_census_release(struct ht_census *c);

struct ht_pass ht_lifetimes_pass(struct ht_analysis *a);

struct ht_series {
	struct ht_analysis *a;
	const bool *image_selected;
	uint64_t now_bytes, now_objects;
	size_t at;	  /* the current slice */
	uint64_t next_ns; /* where the slice after it begins, so that an event costs no division */
};
void ht_series_init(struct ht_series *s, struct ht_analysis *a, const bool *image_selected);
struct ht_pass ht_series_pass(struct ht_series *s);

/* time_counts.c: what the events of the population do not hold: waits, switches, stalls, faults, into totals.events. */
void ht_count_times(struct ht_analysis *a);

#endif
