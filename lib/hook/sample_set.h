/*
 * sample_set: the addresses of sampled blocks that are live. Every free asks, nearly none is one of them.
 *
 *   filter   16 KiB of counting bytes, one per hash: 0 answers "no" with a single load. A byte that
 *	      reached 255 stays there.
 *   set      exact. Levels of cache lines, eight addresses each; level 0 is in .bss, each further one is four times
 *	      as large and mapped when the lines before it are full. An address stands in its line of some level.
 *
 * Lock-free, also against signal handlers: an address enters and leaves by one compare-and-swap. That a free on
 * another thread finds what the malloc has put in follows from how that thread got the address. Copied
 * by fork as it is: a child holds what it inherited. Bounded: ht_sample_add says no when all is full.
 */
#ifndef HT_SAMPLE_SET_H
#define HT_SAMPLE_SET_H

#include "rt.h"

#define HT_SAMPLE_FILTER_BITS 14
extern uint8_t ht_sample_filter[1u << HT_SAMPLE_FILTER_BITS] __attribute__((visibility("hidden")));

HT_INLINE uint64_t ht_sample_hash(const void *p)
{
	return (uint64_t)(uintptr_t)p * 0x9e3779b97f4a7c15u;
}

/* False: surely not in the set. */
HT_INLINE bool ht_sample_maybe(const void *p)
{
	return HT_LOAD_RELAXED(&ht_sample_filter[ht_sample_hash(p) >> (64 - HT_SAMPLE_FILTER_BITS)]) != 0;
}

/* From here on there is a maybe about this address: an entry has to look twice at it. */
HT_INLINE void ht_sample_suspect(const void *p)
{
	HT_STORE_RELAXED(&ht_sample_filter[ht_sample_hash(p) >> (64 - HT_SAMPLE_FILTER_BITS)], 255);
}

bool ht_sample_add(const void *p);    /* false: no room. An address that is there already stays there once */
bool ht_sample_remove(const void *p); /* true: it was there */

#endif
