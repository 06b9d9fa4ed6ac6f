/*
 * sampler: which allocations are in the sample. Points are strewn over the bytes that a thread allocates, as a
 * Poisson process with one point per `rate` bytes on average; a block is in the sample if at least one falls
 * into it:
 *
 *	p(size) = 1 - exp(-max(size, 1) / rate)
 *
 * The gap to the next point, floor of an exponential variate, is a geometric one. It has no memory, so
 * every block starts afresh: `left` is what remains of the gap, and after a sampled block a new gap is drawn.
 * A block of no bytes counts as one byte, so that it can be seen at all.
 *
 * Arithmetic alone, for the thread that owns the state; tests/unit/test_sampler.c holds it to the formula.
 */
#ifndef HT_SAMPLER_H
#define HT_SAMPLER_H

#include "rt.h"

#define HT_SAMPLE_RATE_MAX (1ull << 40) /* gaps stay below 37 times that */

struct ht_sampler {
	uint64_t left;	 /* bytes up to the next point */
	uint64_t random; /* state of the generator; 0 = not seeded yet */
};

/* splitmix64's finish: every bit of the input reaches every bit of the output. */
HT_INLINE uint64_t ht_sampler_mix(uint64_t z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* -ln((k + 1) / 2^53) for k < 2^53, to 1e-13. No libm: x = m 2^e with m in [sqrt(1/2), sqrt(2)), and
 * ln m = 2 artanh((m - 1) / (m + 1)). */
HT_INLINE double ht_sampler_minus_log(uint64_t k)
{
	union {
		double d;
		uint64_t bits;
	} x = {.d = (double)(k + 1)};
	int e = (int)(x.bits >> 52) - 1023;
	x.bits = (x.bits & ((1ull << 52) - 1)) | 1023ull << 52;
	if (x.d > 1.4142135623730951) {
		x.d *= 0.5;
		e++;
	}
	double s = (x.d - 1) / (x.d + 1), q = s * s, sum = 0;
	for (int n = 17; n >= 1; n -= 2)
		sum = sum * q + 1.0 / n;
	return (53 - e) * 0.69314718055994531 - 2 * s * sum;
}

HT_INLINE uint64_t ht_sampler_gap(struct ht_sampler *s, uint64_t rate)
{
	s->random += 0x9e3779b97f4a7c15u;
	return (uint64_t)(ht_sampler_minus_log(ht_sampler_mix(s->random) >> 11) * (double)rate);
}

HT_INLINE void ht_sampler_seed(struct ht_sampler *s, uint64_t seed, uint64_t rate)
{
	s->random = ht_sampler_mix(seed) | 1;
	s->left = ht_sampler_gap(s, rate);
}

HT_INLINE uint64_t ht_sampler_bytes(uint64_t size)
{
	return size + !size;
}

/* The whole of it for nearly every allocation: false, no point falls into these bytes. */
HT_INLINE bool ht_sampler_hit(struct ht_sampler *s, uint64_t bytes)
{
	uint64_t left;
	if (HT_UNLIKELY(__builtin_sub_overflow(s->left, bytes, &left)))
		return true;
	s->left = left;
	return false;
}

#endif
