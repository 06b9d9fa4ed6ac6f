/*
 * labelled: the numbers of stacks, told apart by who allocated and how much, for the labels of profiles.
 * Kept only with options.labels. One entry per stack, thread name, process and size class (a power of
 * two), as far as these are asked for: their number is bounded by the trace's stacks and names, never by its length.
 */
#ifndef HT_LABELLED_H
#define HT_LABELLED_H

#include "hash_index.h"
#include "pass.h"
#include "profile.h"
#include "stacks.h"

struct ht_labelled_entry {
	uint32_t node;	/* canonical leaf */
	uint32_t group; /* of threads */
	uint32_t size_class;
	uint64_t now_objects, now_bytes;
	uint64_t epoch; /* of the maximum that c.peak_* belongs to */
	struct ht_counters c;
};

struct ht_labelled {
	const struct ht_analysis *a;
	struct ht_labelled_entry *items;
	uint32_t count, cap;
	struct ht_index index;
	uint32_t *group_of; /* per thread */
	struct ht_label_group {
		char *thread, *process; /* NULL: not asked for */
	} *groups;
	uint32_t group_count;
	uint8_t *shown; /* per canonical node: 0 not known yet, 1 no, 2 yes */
	uint64_t now_bytes, peak_bytes, epoch;
	bool instant_taken;
};

struct ht_labelled *ht_labelled_new(struct ht_analysis *a);
struct ht_pass ht_labelled_pass(struct ht_labelled *l);
void ht_labelled_free(struct ht_labelled *l);

/* The labels of an entry, into out[3]; texts belong to l. */
#define HT_LABELS_MAX 3
size_t ht_labelled_labels(const struct ht_labelled *l, const struct ht_labelled_entry *e, struct ht_profile_label *out);

#endif
