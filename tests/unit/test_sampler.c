/*
 * sampler: the hook's own code, in-process. The choice against the formula of sampler.h; then a program of known truth,
 * two hundred times: are the estimates unbiased, and do their intervals cover? Last the set of addresses.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sample_set.h"
#include "sampler.h"

/* As the hook does it: a fresh gap after a sampled block. */
static bool chosen(struct ht_sampler *s, uint64_t rate, uint64_t size)
{
	if (!ht_sampler_hit(s, ht_sampler_bytes(size)))
		return false;
	s->left = ht_sampler_gap(s, rate);
	return true;
}

static double share_of(uint64_t rate, uint64_t size)
{
	return -expm1(-(double)(size ? size : 1) / (double)rate);
}

static void logarithms(void **state)
{
	(void)state;
	for (uint64_t k = 0; k < 1ull << 53; k = k < 100 ? k + 1 : k + k / 7 + 1) {
		double want = 53 * log(2) - log((double)(k + 1));
		assert_true(fabs(ht_sampler_minus_log(k) - want) < 1e-11);
	}
	assert_true(fabs(ht_sampler_minus_log((1ull << 53) - 1)) < 1e-15);
}

/* Each size alone: how often it is chosen, within five standard deviations. */
static void choices(void **state)
{
	static const uint64_t sizes[] = {0, 1, 2, 100, 1023, 4096, 20000, 100000};
	const uint64_t rate = 4096;
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct ht_sampler s;
		const double n = 2e6, p = share_of(rate, sizes[i]);
		double hits = 0;
		ht_sampler_seed(&s, 7 + i, rate);
		for (int k = 0; k < 2000000; k++)
			hits += chosen(&s, rate, sizes[i]);
		assert_true(fabs(hits - n * p) <= 5 * sqrt(n * p * (1 - p)) + 1e-9);
	}
}

/* Twelve sites, interleaved at random; how often each was called is counted, so that the truth is known. */
#define SITES 12
static const uint64_t site_size[SITES] = {1, 8, 24, 64, 100, 512, 1000, 4096, 30000, 262144, 1048576, 8388608};
static const uint32_t site_calls[SITES] = {400000, 250000, 200000, 100000, 100000, 40000, 20000, 8000, 1500, 200, 60, 12};

struct estimate {
	double objects, bytes, objects_var, bytes_var;
	double left, left_var; /* bytes of those that stays_on */
};

/* Which blocks are live at the end, or at any other instant: whatever that depends on, it is not the choice. */
static bool stays_on(size_t i)
{
	return i % 3 == 0;
}

static void one_run(uint64_t seed, uint64_t rate, const uint8_t *order, size_t count, struct estimate *e)
{
	struct ht_sampler s;
	ht_sampler_seed(&s, seed, rate);
	for (size_t i = 0; i < count; i++) {
		unsigned k = order[i];
		if (!chosen(&s, rate, site_size[k]))
			continue;
		double p = share_of(rate, site_size[k]), v = (1 - p) / (p * p), y = (double)site_size[k];
		e[k].objects += 1 / p;
		e[k].bytes += y / p;
		e[k].objects_var += v;
		e[k].bytes_var += v * y * y;
		e[k].left += stays_on(i) ? y / p : 0;
		e[k].left_var += stays_on(i) ? v * y * y : 0;
	}
}

static bool covers(double estimate, double variance, double truth)
{
	return fabs(estimate - truth) <= 1.96 * sqrt(variance) + 1e-9 * truth;
}

static void unbiased(void **state)
{
	enum { SEEDS = 200 };
	const uint64_t rate = 4096;
	size_t count = 0, covered = 0, intervals = 0;
	double sum[SITES] = {0}, spread[SITES] = {0}, left[SITES] = {0}, total_sum = 0, total = 0, left_sum = 0, left_total = 0;
	size_t total_covered = 0, objects_covered = 0, left_covered = 0, left_intervals = 0;
	(void)state;
	for (unsigned k = 0; k < SITES; k++)
		count += site_calls[k];
	uint8_t *order = malloc(count), *at = order;
	for (unsigned k = 0; k < SITES; k++) {
		total += (double)site_size[k] * site_calls[k];
		for (uint32_t i = 0; i < site_calls[k]; i++)
			*at++ = (uint8_t)k;
	}
	srand(1);
	for (size_t i = count; i > 1; i--) {
		size_t j = ((size_t)rand() << 15 ^ (size_t)rand()) % i;
		uint8_t other = order[i - 1];
		order[i - 1] = order[j];
		order[j] = other;
	}
	for (size_t i = 0; i < count; i++)
		left[order[i]] += stays_on(i) ? (double)site_size[order[i]] : 0;
	for (unsigned k = 0; k < SITES; k++)
		left_total += left[k];
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct estimate e[SITES] = {{0}};
		double all = 0, all_var = 0;
		one_run(seed, rate, order, count, e);
		for (unsigned k = 0; k < SITES; k++) {
			double truth = (double)site_size[k] * site_calls[k], p = share_of(rate, site_size[k]);
			sum[k] += e[k].bytes;
			spread[k] = (1 - p) / p * site_calls[k] * (double)site_size[k] * (double)site_size[k];
			all += e[k].bytes;
			all_var += e[k].bytes_var;
			/* the normal interval is one of many samples */
			if (p * site_calls[k] >= 50) {
				intervals++;
				covered += covers(e[k].bytes, e[k].bytes_var, truth);
				objects_covered += covers(e[k].objects, e[k].objects_var, site_calls[k]);
			}
			left_sum += e[k].left;
			if (p * left[k] / (double)site_size[k] >= 50) {
				left_intervals++;
				left_covered += covers(e[k].left, e[k].left_var, left[k]);
			}
		}
		total_sum += all;
		total_covered += covers(all, all_var, total);
	}
	free(order);
	for (unsigned k = 0; k < SITES; k++) {
		double truth = (double)site_size[k] * site_calls[k], mean = sum[k] / SEEDS;
		/* what the mean of 200 runs itself may be off by, or half a percent */
		double room = 4 * sqrt(spread[k] / SEEDS);
		print_message("%8llu B: mean %+.3f %% of the truth (room %.3f)\n", (unsigned long long)site_size[k],
			      100 * (mean / truth - 1), 100 * room / truth);
		assert_true(fabs(mean - truth) <= (room > 0.005 * truth ? room : 0.005 * truth));
	}
	print_message("total: mean %+.3f %%, intervals cover %.1f %% (sites), %.1f %% (total)\n",
		      100 * (total_sum / SEEDS / total - 1), 100.0 * (double)covered / (double)intervals,
		      100.0 * (double)total_covered / SEEDS);
	assert_true(fabs(total_sum / SEEDS / total - 1) <= 0.005);
	assert_true((double)covered >= 0.93 * (double)intervals && (double)covered <= 0.97 * (double)intervals);
	assert_true(total_covered >= 0.90 * SEEDS);
	print_message("calls: intervals cover %.1f %%; live: mean %+.3f %%, intervals cover %.1f %% of %zu\n",
		      100.0 * (double)objects_covered / (double)intervals, 100 * (left_sum / SEEDS / left_total - 1),
		      100.0 * (double)left_covered / (double)left_intervals, left_intervals);
	assert_true((double)objects_covered >= 0.93 * (double)intervals && (double)objects_covered <= 0.97 * (double)intervals);
	assert_true(fabs(left_sum / SEEDS / left_total - 1) <= 0.005);
	assert_true(left_intervals > 1000);
	assert_true((double)left_covered >= 0.93 * (double)left_intervals && (double)left_covered <= 0.97 * (double)left_intervals);
}

/* --- the set ------------------------------------------------------------------------------ */

static const void *address(uint64_t i)
{
	return (const void *)(uintptr_t)(0x550000000000u + i * 48);
}

static bool filter_is_empty(void)
{
	for (size_t i = 0; i < sizeof(ht_sample_filter); i++)
		if (ht_sample_filter[i])
			return false;
	return true;
}

static void membership(void **state)
{
	(void)state;
	assert_false(ht_sample_remove(NULL));
	assert_false(ht_sample_maybe(address(1)));
	assert_false(ht_sample_remove(address(1)));
	assert_true(ht_sample_add(address(1)));
	assert_true(ht_sample_add(address(1)));
	assert_true(ht_sample_maybe(address(1)));
	assert_true(ht_sample_remove(address(1)));
	assert_false(ht_sample_remove(address(1)));
	assert_true(filter_is_empty());
}

/* More than level 0 holds, then all of them gone, and the filter clear again. */
static void many(void **state)
{
	enum { MANY = 100000 };
	(void)state;
	for (uint64_t i = 0; i < MANY; i++)
		assert_true(ht_sample_add(address(i)));
	for (uint64_t i = 0; i < MANY; i++)
		assert_true(ht_sample_maybe(address(i)) && !ht_sample_remove(address(MANY + i)));
	for (uint64_t i = 0; i < MANY; i++)
		assert_true(ht_sample_remove(address(i)));
	assert_true(filter_is_empty());
}

/* A byte that was full never says "no" for an address that is there. */
static void full_filter(void **state)
{
	enum { MANY = 5000000 }; /* 305 a byte */
	(void)state;
	for (uint64_t i = 0; i < MANY; i++)
		assert_true(ht_sample_add(address(i)));
	for (uint64_t i = 0; i < MANY; i++)
		assert_true(ht_sample_maybe(address(i)) && ht_sample_remove(address(i)));
}

#define THREADS 4
static void *churn(void *arg)
{
	uint64_t base = 1000000 * (uint64_t)(uintptr_t)arg, wrong = 0;
	for (int round = 0; round < 200; round++) {
		for (uint64_t i = 0; i < 500; i++)
			wrong += !ht_sample_add(address(base + i));
		for (uint64_t i = 0; i < 500; i++)
			wrong += !ht_sample_maybe(address(base + i)) || !ht_sample_remove(address(base + i));
	}
	return (void *)(uintptr_t)wrong;
}

static void threads(void **state)
{
	pthread_t t[THREADS];
	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, churn, (void *)i), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *wrong;
		pthread_join(t[i], &wrong);
		assert_null(wrong);
	}
	assert_true(filter_is_empty());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(logarithms), cmocka_unit_test(choices), cmocka_unit_test(unbiased),
	    cmocka_unit_test(membership), cmocka_unit_test(many),    cmocka_unit_test(threads),
	    cmocka_unit_test(full_filter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
