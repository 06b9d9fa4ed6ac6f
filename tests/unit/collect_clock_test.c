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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_tsc), cmocka_unit_test(test_monotonic)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
