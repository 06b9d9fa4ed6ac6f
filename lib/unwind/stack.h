/*
 * stack: what the two ways of capturing share: comparing the words that a cached stack was unwound from, and keeping such words.
 */
#ifndef HT_STACK_H
#define HT_STACK_H

#include "step.h"

HT_INLINE uint64_t word_at(uint64_t at)
{
	return *(const uint64_t *)at;
}

/* Is any of the n words at at[] + off another than value[]? All can be read, in any order. Pairs in vector registers: three
 * instructions a word and 2.5 loads, where scalar code needs four and three. value is aligned.
 * Not inline: captures are as short as they are by what stays in the caches. */
bool ht_stack_differ(const uint64_t *at, int64_t off, const uint64_t *value, uint64_t n);

/* How many of the extra words belong to frames up to i. */
HT_INLINE uint32_t extras_of(const struct ht_unwinder *u, uint64_t i)
{
	uint32_t n = u->extras;
	while (n && u->stack->extra_frame[n - 1] > i)
		n--;
	return n;
}

HT_INLINE void push_extra(struct ht_unwinder *u, uint64_t at, uint64_t value, uint32_t frame)
{
	u->stack->extra_at[u->extras] = at;
	u->stack->extra_value[u->extras] = value;
	u->stack->extra_frame[u->extras++] = frame;
}

#endif
