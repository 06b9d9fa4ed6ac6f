/*
 * trace_totals: the footer's totals as (key, value) pairs, and the keys of the file header's
 * settings. Private to this folder.
 */
#ifndef HT_TRACE_TOTALS_H
#define HT_TRACE_TOTALS_H

#include "trace.h"

enum ht_total_special {
	HT_TOTAL_EXIT_STATUS = 40, /* wait status + 1 of the first image; 0 or absent: unknown */
	HT_TOTAL_DURATION = 41,	   /* ns from time 0 to the last thing recorded */
	HT_TOTAL_LOST = 64,	   /* + enum ht_lost_reason */
};
struct ht_total_key {
	uint32_t key;
	size_t offset; /* in struct ht_trace_totals, of a uint64_t */
};
extern const struct ht_total_key ht_total_keys[];
extern const size_t ht_total_key_count;

enum ht_header_key {
	HT_HEADER_START_UTC = 1,
	HT_HEADER_START_MONOTONIC = 2,
	HT_HEADER_START_BOOTTIME = 3,
	HT_HEADER_TIME_UNIT = 4,
	HT_HEADER_ADDRESSES = 5,
	HT_HEADER_SAMPLE_BYTES = 6,
	HT_HEADER_FREE_STACKS = 7,
	HT_HEADER_STACK_DEPTH = 8,
	HT_HEADER_CLOCK = 16,
	HT_HEADER_SCHED = 17,
	HT_HEADER_COMMAND = 18,
	HT_HEADER_HOSTNAME = 19,
	HT_HEADER_FLAGS = 20,
	HT_HEADER_EVENTS = 21,
};

/* trace_classes.c: the value of HT_HEADER_EVENTS, from and to bits of enum ht_event_class. */
void ht_classes_text(struct ht_buf *b, uint32_t classes);
uint32_t ht_classes_of(const char *text, size_t n);

#endif
