/*
 * latency_order: puts records in order of a time, and sorts them by thread. What comes from a trace is nearly in order:
 * runs that overlap at their ends. So runs are merged, and only where they overlap does anything move.
 */
#ifndef HT_LATENCY_ORDER_H
#define HT_LATENCY_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* Records of `size` bytes (at most 64), by the uint64_t at `key`, ascending; equal ones keep their order. */
void ht_order(void *items, size_t count, size_t size, size_t key);
/* A heap copy sorted by the uint32_t at `key`, which is below `groups`; equal ones keep their order. Frees items. Group
 * g is [first[g], first[g + 1]): first has groups + 1 places. */
void *ht_group(void *items, size_t count, size_t size, size_t key, size_t *first, size_t groups);
/* The same as positions: the records stay where they are. Heap; count must fit 32 bits. */
uint32_t *ht_group_positions(const void *items, size_t count, size_t size, size_t key, size_t *first, size_t groups);

#endif
