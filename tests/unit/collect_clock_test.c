/* collect_clock_test: ticks become nanoseconds that rise, agree with CLOCK_MONOTONIC, and do not jump at corrections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tickclock.h"

static void check(bool tsc)
{
	struct ht_tickclock c;
	uint64_t last = 0;
	ht_tickclock_init(&c, tsc);
	ht_tickclock_refine(&c);
	for (int i = 0; i < 20; i++) {
		usleep(3000);
		uint64_t ticks = ht_tickclock_now(&c), truth = ht_monotonic_ns() - c.start_mono;
		uint64_t before = ht_tickclock_ns(&c, ticks);
		ht_tickclock_refine(&c);
		uint64_t after = ht_tickclock_ns(&c, ticks);
		assert_true(before > last);
		last = before;
		assert_in_range(after - before + 2000, 0, 4000);
		assert_in_range(truth - before + 1000000, 0, 2000000);
	}
	assert_int_equal(ht_tickclock_ns(&c, 0), 0); /* long before the trace */
}

static void test_tsc(void **state)
{
	(void)state;
	check(true);
}

static void test_monotonic(void **state)
{
	(void)state;
	check(false);
}

/* A wait began long before the slope that makes up for 10 us did. */
static void test_past(void **state)
{
	(void)state;
	const uint64_t start = 1000, ticks = 30000000000u; /* ten seconds at 3 GHz */
	struct ht_tickclock c = {.tsc = true, .start_ticks = start, .base_ticks = start + ticks, .base_ns = 10000000000,
				 .mult = (uint64_t)(4294967296.0 / 3 * 1.001)};
	assert_int_equal(ht_tickclock_past_ns(&c, start - 5), 0);
	assert_int_equal(ht_tickclock_past_ns(&c, start), 0);
	assert_int_equal(ht_tickclock_past_ns(&c, start + ticks / 2), 5000000000);
	assert_true(ht_tickclock_ns(&c, start + ticks / 2) < 4996000000); /* what the slope alone would make of it */
	assert_int_equal(ht_tickclock_past_ns(&c, start + ticks), 10000000000);
	assert_int_equal(ht_tickclock_past_ns(&c, start + 2 * ticks), ht_tickclock_ns(&c, start + 2 * ticks));
	c = (struct ht_tickclock){.start_ticks = 50, .base_ticks = 50, .mult = 1ull << 32}; /* nanoseconds */
	assert_int_equal(ht_tickclock_past_ns(&c, 70), 20);
	assert_int_equal(ht_tickclock_past_ns(&c, 20), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_tsc), cmocka_unit_test(test_monotonic),
					   cmocka_unit_test(test_past)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
