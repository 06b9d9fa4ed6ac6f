/* test_latency_order: order and grouping against what they must be, on nearly ordered and on random records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base.h"
#include "latency_order.h"

struct item {
	uint32_t group, number;
	uint64_t time;
};

static uint64_t state = 88172645463325252u;
static uint64_t dice(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* jitter 0: in order; small: runs that overlap; large: no order at all. */
static struct item *make(size_t n, uint64_t jitter)
{
	struct item *items = ht_xcalloc(n + 1, sizeof(*items));
	for (size_t i = 0; i < n; i++)
		items[i] = (struct item){(uint32_t)dice(7), (uint32_t)i, i + (jitter ? dice(jitter) : 0)};
	return items;
}

static void orders(void **unused)
{
	(void)unused;
	static const size_t counts[] = {0, 1, 2, 15, 16, 17, 33, 1000, 20000};
	static const uint64_t jitters[] = {0, 3, 40, 5000, 1000000};
	for (size_t c = 0; c < HT_ARRAY_SIZE(counts); c++) {
		for (size_t j = 0; j < HT_ARRAY_SIZE(jitters); j++) {
			size_t n = counts[c];
			uint64_t sum = 0;
			struct item *items = make(n, jitters[j]);
			ht_order(items, n, sizeof(*items), offsetof(struct item, time));
			for (size_t i = 0; i < n; i++) {
				sum += items[i].number;
				assert_true(
				    !i || items[i - 1].time < items[i].time ||
				    (items[i - 1].time == items[i].time && items[i - 1].number < items[i].number));
			}
			assert_true(sum == (n ? (uint64_t)n * (n - 1) / 2 : 0));
			free(items);
		}
	}
}

static void groups(void **unused)
{
	(void)unused;
	size_t n = 5000, first[8];
	struct item *items = make(n, 0);
	uint32_t *at = ht_group_positions(items, n, sizeof(*items), offsetof(struct item, group), first, 7);
	for (uint32_t g = 0; g < 7; g++)
		for (size_t i = first[g]; i < first[g + 1]; i++) {
			assert_int_equal(items[at[i]].group, g);
			assert_true(i == first[g] || at[i - 1] < at[i]);
		}
	assert_int_equal(first[7], n);
	free(at);
	items = ht_group(items, n, sizeof(*items), offsetof(struct item, group), first, 7);
	for (uint32_t g = 0; g < 7; g++)
		for (size_t i = first[g]; i < first[g + 1]; i++) {
			assert_int_equal(items[i].group, g);
			assert_true(i == first[g] || items[i - 1].number < items[i].number);
		}
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(orders), cmocka_unit_test(groups)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
