/*
 * labels: the strings that a program passes to heaptide.h, by the hash with which its events name them.
 * One map for all images: equal hashes are equal strings as far as 64 bits tell.
 */
#ifndef HT_LABELS_H
#define HT_LABELS_H

#include <stdint.h>

struct ht_labels {
	struct ht_label {
		uint64_t hash; /* 0 = empty place */
		uint32_t string;
	} *places;
	uint32_t mask, count;
};

void ht_labels_add(struct ht_labels *l, uint64_t hash, uint32_t string);
/* The string's id; 0, the empty string, when it was never told. */
uint32_t ht_labels_find(const struct ht_labels *l, uint64_t hash);
void ht_labels_release(struct ht_labels *l);

#endif
