/* quantiles: exact ranks, and buckets that leave no gap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quantiles.h"

static void ranks(void **state)
{
	uint64_t v[1000];
	struct ht_quantiles q;
	(void)state;
	ht_quantiles_of(&q, v, 0);
	assert_int_equal(q.count, 0);
	assert_int_equal(q.max, 0);
	for (size_t i = 0; i < 1000; i++)
		v[i] = (i * 7919) % 1000 + 1; /* 1 .. 1000 in another order */
	ht_quantiles_of(&q, v, 1000);
	assert_int_equal(q.count, 1000);
	assert_int_equal(q.sum, 500500);
	assert_int_equal(q.p50, 500);
	assert_int_equal(q.p90, 900);
	assert_int_equal(q.p99, 990);
	assert_int_equal(q.p999, 999);
	assert_int_equal(q.max, 1000);
	ht_quantiles_of(&q, v, 10); /* sorted by now: 1 .. 10 */
	assert_int_equal(q.p50, 5);
	assert_int_equal(q.p90, 9);
	assert_int_equal(q.p99, 10);
	assert_int_equal(q.p999, 10);
	ht_quantiles_of(&q, v, 1);
	assert_int_equal(q.p50, 1);
	assert_int_equal(q.p999, 1);
}

static void buckets(void **state)
{
	(void)state;
	assert_int_equal(ht_duration_bound(0), 0);
	assert_int_equal(ht_duration_bound(10), 10);
	assert_int_equal(ht_duration_bound(60), 1000000);
	assert_int_equal(ht_duration_bound(90), 1000000000);
	assert_true(ht_duration_bound(HT_DURATION_BUCKETS) == UINT64_MAX);
	for (unsigned k = 1; k <= HT_DURATION_BUCKETS; k++) {
		assert_true(ht_duration_bound(k) >= ht_duration_bound(k - 1));
		if (k < 10 || k == HT_DURATION_BUCKETS)
			continue;
		/* Both sides of each bound lie in their own bucket. */
		assert_int_equal(ht_duration_bucket(ht_duration_bound(k)), k);
		assert_int_equal(ht_duration_bucket(ht_duration_bound(k) - 1), k - 1);
	}
	assert_int_equal(ht_duration_bucket(0), 0);
	assert_int_equal(ht_duration_bucket(1), 0);
	assert_int_equal(ht_duration_bucket(UINT64_MAX), HT_DURATION_BUCKETS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(ranks), cmocka_unit_test(buckets)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
