/*
 * tickclock: ticks of the target's cheap clock → nanoseconds since the trace began.
 *
 * The rate is measured against CLOCK_MONOTONIC over an ever longer baseline. Each correction keeps
 * the function continuous and rising: it changes the slope from now on so that the error is gone a
 * second later, never the past.
 */
#ifndef HT_TICKCLOCK_H
#define HT_TICKCLOCK_H

#include "base.h"

struct ht_tickclock {
	bool tsc;		/* else ticks are CLOCK_MONOTONIC ns already */
	uint64_t start_mono;	/* CLOCK_MONOTONIC of the trace's time 0 */
	uint64_t start_ticks;	/* the baseline's first end */
	uint64_t base_ticks;	/* of the current slope */
	int64_t base_ns;
	uint64_t mult;		/* ns per tick, 32 fractional bits; 0 = not yet known */
};

void ht_tickclock_init(struct ht_tickclock *c, bool tsc);
/* At least once before conversion, then about once a second. */
void ht_tickclock_refine(struct ht_tickclock *c);
/* Is the TSC the kernel's own clock, so that it can be trusted across CPUs? */
bool ht_tickclock_trusted(void);
uint64_t ht_tickclock_now(const struct ht_tickclock *c); /* ticks */
uint64_t ht_monotonic_ns(void);

/* ns since time 0; instants before it give 0. */
static inline uint64_t ht_tickclock_ns(const struct ht_tickclock *c, uint64_t ticks)
{
	int64_t d = (int64_t)(ticks - c->base_ticks);
	int64_t ns = c->base_ns + (int64_t)(((__int128)d * (__int128)c->mult) >> 32);
	return ns < 0 ? 0 : (uint64_t)ns;
}

/* The same of an instant that may be long past: before the current slope began, times lie on the line that the trace
 * went on the whole; the current slope may run fast or slow to make up for microseconds, and would take a minute ago
 * with it. */
static inline uint64_t ht_tickclock_past_ns(const struct ht_tickclock *c, uint64_t ticks)
{
	uint64_t span = c->base_ticks - c->start_ticks;
	if ((int64_t)(ticks - c->base_ticks) >= 0 || !span || c->base_ns <= 0)
		return ht_tickclock_ns(c, ticks);
	int64_t d = (int64_t)(ticks - c->start_ticks);
	return d < 0 ? 0 : (uint64_t)((unsigned __int128)d * (uint64_t)c->base_ns / span);
}

#endif
