/*
 * trace_values: numbers of a column, seven bits a byte, low ones first, the last byte below 128. A column whose values have
 * been counted is read without looking for its end.
 */
#ifndef HT_TRACE_VALUES_H
#define HT_TRACE_VALUES_H

#include "trace_layout.h"

/* Values that end in it; what follows the last of them is none. */
size_t ht_values_in(const struct ht_cursor *c);
/* Pairs of bits, from the lowest on, that are 3. */
size_t ht_threes_in(const uint8_t *at, size_t n);

/* One of three bytes or more; *bad: of more than 64 bits. */
uint64_t ht_value_long(const uint8_t **at, bool *bad);
/* One that is known to be there. */
static inline uint64_t ht_value(const uint8_t **at, bool *bad)
{
	const uint8_t *p = *at;
	if (p[0] < 128) {
		*at = p + 1;
		return p[0];
	}
	if (p[1] < 128) {
		*at = p + 2;
		return (p[0] & 127u) | (unsigned)p[1] << 7;
	}
	return ht_value_long(at, bad);
}

#endif
