/* trace_values: see trace_values.h. */
#include "trace_values.h"

#include <string.h>

uint64_t ht_value_long(const uint8_t **at, bool *bad)
{
	uint64_t v = 0;
	unsigned shift = 0;
	for (;; shift += 7) {
		uint8_t byte = *(*at)++;
		if (shift < 64)
			v |= (uint64_t)(byte & 127) << shift;
		if (shift > 63 || (shift == 63 && byte > 1))
			*bad = true;
		if (byte < 128)
			return v;
	}
}

/* The processor's own instruction is not to be had without asking for it. */
static inline size_t ones(uint64_t w)
{
	w -= w >> 1 & 0x5555555555555555u;
	w = (w & 0x3333333333333333u) + (w >> 2 & 0x3333333333333333u);
	return ((w + (w >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56;
}

/* How many bits f keeps, of n bytes, eight at a time. */
static inline size_t count_bits(const uint8_t *at, size_t n, uint64_t (*f)(uint64_t word))
{
	size_t total = 0;
	uint64_t w;
	for (; n >= 8; at += 8, n -= 8) {
		memcpy(&w, at, 8);
		total += ones(f(w));
	}
	w = 0;
	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)at[i] << 8 * i;
	return total + ones(f(w));
}
static uint64_t high_bits(uint64_t w)
{
	return w & 0x8080808080808080u;
}
static uint64_t threes(uint64_t w)
{
	return w & w >> 1 & 0x5555555555555555u;
}

size_t ht_values_in(const struct ht_cursor *c)
{
	return ht_cursor_left(c) - count_bits(c->at, ht_cursor_left(c), high_bits);
}

size_t ht_threes_in(const uint8_t *at, size_t n)
{
	return count_bits(at, n, threes);
}
