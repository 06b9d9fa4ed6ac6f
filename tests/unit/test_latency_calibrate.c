/* test_latency_calibrate: how long threads ran and were ready, where the kernel's sums know better than single stamps, or
 * alone: calibration, first and last readings, a processor that a host took away, no switches at all. */
#include "latency_fixture.h"

enum { LOCK = 0x1000, SPIN = 0x2000 };

/* Two blocks with known wakers that say 10 and 30, one without; the kernel knows better. */
static void calibrated(uint64_t runnable, const char *spans)
{
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 500), other = latency_thread(&f, 0, 101, "other", 0, 500);
	latency_stat(&f, t, 50, 50, 7);
	runnable += 7;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = 100 + 100 * i;
		latency_lock(&f, t, LOCK, at, at + 50);
		latency_blocked(&f, t, at);
		latency_unlock(&f, other, LOCK, at + (i ? 20 : 40));
		latency_in(&f, t, at + 50);
	}
	latency_blocked(&f, t, 300);
	latency_in(&f, t, 350);
	latency_preempted(&f, t, 400);
	latency_in(&f, t, 420);
	latency_stat(&f, t, 450, 280, runnable);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t), spans);
	struct ht_breakdown b = {0};
	ht_breakdown_add(l, ht_latency_thread(l, t), 0, UINT64_MAX, &b);
	/* As much as the switches leave room for. */
	uint64_t least = 20 * US, most = 170 * US - 3, want = (runnable - 7) * US;
	want = want < least ? least : want > most ? most : want;
	assert_true(b.runnable_ns + 10 >= want && b.runnable_ns <= want + 10);
	assert_true(ht_latency_thread(l, t)->kernel_known);
	assert_int_equal(ht_latency_thread(l, t)->kernel_runnable_ns, runnable * US);
	latency_end(&f, l);
}
static void calibrates(void **unused)
{
	(void)unused;
	calibrated(60, "run 100 mutex 40 ready 10 run 50 mutex 20 ready 30 run 50 other 50 run 50 ready 20 run 80");
	calibrated(40, "run 100 mutex 50 run 50 mutex 30 ready 20 run 50 other 50 run 50 ready 20 run 80");
	calibrated(
	    75, "run 100 mutex 40 ready 10 run 50 mutex 20 ready 30 run 50 other 35 ready 15 run 50 ready 20 run 80");
	calibrated(130,
		   "run 100 mutex 30 ready 20 run 50 mutex 10 ready 40 run 50 other 0 ready 50 run 50 ready 20 run 80");
	calibrated(5, "run 100 mutex 50 run 50 mutex 50 run 50 other 50 run 50 ready 20 run 80");
	calibrated(10000,
		   "run 100 mutex 0 ready 50 run 50 mutex 0 ready 50 run 50 other 0 ready 50 run 50 ready 20 run 80");
}

/* Ten switches; between the readings, of which it is off its processor, the kernel says that the thread ran `more`
 * longer than nine of them do. */
static void switches_are_run(int64_t more, uint64_t run, uint64_t ready, uint64_t unknown)
{
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 1100);
	for (unsigned i = 0; i < 10; i++) {
		(i % 2 ? latency_preempted : latency_blocked)(&f, t, 100 + 100 * i);
		latency_in(&f, t, 150 + 100 * i);
	}
	latency_sliced_stat(&f, t, 105, 100, 0, 1);
	latency_sliced_stat(&f, t, 1005, (uint64_t)(550 + more), 200, 10);
	latency_stat(&f, t, 1090, 7, 250); /* it lags: the thread runs */
	struct ht_latency *l = latency_read(&f);
	struct ht_breakdown b = {0};
	ht_breakdown_add(l, ht_latency_thread(l, t), 0, UINT64_MAX, &b);
	assert_int_equal(b.running_ns, run * US);
	assert_int_equal(b.runnable_ns, ready * US);
	assert_int_equal(b.unknown_ns, unknown * US);
	assert_int_equal(b.total_ns, b.running_ns + b.runnable_ns + b.unknown_ns + b.blocked_ns[HT_WAIT_NONE]);
	latency_end(&f, l);
}
static void calibrates_runs(void **unused)
{
	(void)unused;
	switches_are_run(0, 600, 250, 0);
	switches_are_run(27, 630, 247, 0);
	switches_are_run(-27, 570, 265, 0);
	switches_are_run(100000, 600, 250, 0); /* no switch takes that long */
}

/* The kernel counts a millisecond less than one run is long: a host took the processor. */
static void stolen(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 3500);
	latency_blocked(&f, t, 100);
	latency_in(&f, t, 200);
	latency_blocked(&f, t, 3200);
	latency_in(&f, t, 3300);
	latency_sliced_stat(&f, t, 150, 100, 0, 1);
	latency_sliced_stat(&f, t, 3250, 2100, 0, 2);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t), "run 100 other 100 run 2000 unknown 1000 other 100 run 200");
	latency_end(&f, l);
}

/* A thread waits for its first processor from its creation on; a process' first one, of which nobody saw the
 * beginning, does not. */
static void created(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 100, 500), u = latency_thread(&f, 0, 101, "other", 100, 500);
	for (uint32_t i = 0; i < 2; i++) {
		latency_in(&f, i ? u : t, 150);
		latency_blocked(&f, i ? u : t, 300);
		latency_in(&f, i ? u : t, 350);
		latency_sliced_stat(&f, i ? u : t, 400, 200, 70, 2);
	}
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, u), "ready 50 run 150 other 30 ready 20 run 150");
	assert_string_equal(latency_spans(l, t), "unknown 50 run 150 other 50 run 150");
	latency_end(&f, l);
}

/* What was read late, or behind the last reading: slices say up to where, earlier pieces how far off it is. */
static void behind_the_last(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 101, "other", 0, 900);
	latency_in(&f, t, 10);
	for (unsigned i = 0; i < 8; i++) {
		latency_blocked(&f, t, 50 + 100 * i);
		latency_in(&f, t, 100 + 100 * i);
	}
	latency_sliced_stat(&f, t, 310, 140, 30, 3); /* stamped behind the third block, and read before its end */
	latency_sliced_stat(&f, t, 420, 210, 50, 5);
	struct ht_latency *l = latency_read(&f);
	struct ht_breakdown b = {0};
	ht_breakdown_add(l, ht_latency_thread(l, t), 0, 310 * US, &b);
	assert_int_equal(b.runnable_ns, 40 * US);
	b = (struct ht_breakdown){0};
	ht_breakdown_add(l, ht_latency_thread(l, t), 0, UINT64_MAX, &b);
	assert_int_equal(b.runnable_ns, 90 * US);
	latency_end(&f, l);
}

/* It waited once more when it had ended, for 20 us at most: the rest is of the block. */
static void read_when_gone(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 500);
	latency_blocked(&f, t, 100);
	latency_in(&f, t, 200);
	latency_blocked(&f, t, 250);
	latency_in(&f, t, 400);
	latency_blocked(&f, t, 500);
	latency_sliced_stat(&f, t, 240, 100, 0, 2);
	latency_sliced_stat(&f, t, 520, 250, 120, 4);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t), "run 100 other 100 run 50 other 50 ready 100 run 100");
	latency_end(&f, l);
}

/* The first reading has the thread's first wait for a processor, of which no switch tells: it gets what a block gets.
 */
static void first_reading(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 10, 500);
	latency_in(&f, t, 5);
	latency_blocked(&f, t, 100);
	latency_in(&f, t, 200);
	latency_stat(&f, t, 300, 200, 60);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t), "run 90 other 70 ready 30 run 300");
	latency_end(&f, l);
}

static void without_switches(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	/* Milliseconds: the kernel's sums are not finer. */
	const uint64_t ms = 1000;
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 1000 * ms),
		 other = latency_thread(&f, 0, 101, "other", 0, 1000 * ms);
	latency_lock(&f, t, LOCK, 100 * ms, 200 * ms);
	latency_unlock(&f, other, LOCK, 190 * ms);
	latency_wait(&f, t, HT_WAIT_SPIN, HT_CALL_SPIN_LOCK, SPIN, 210 * ms, 230 * ms);
	/* Up to 400: 300 outside of waits, of which it ran 150 and was ready 60 beside the 10 at the wait's end. */
	latency_stat(&f, t, 400 * ms, 150 * ms, 70 * ms);
	/* Up to 800: all the time. */
	latency_stat(&f, t, 800 * ms, 550 * ms, 70 * ms);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(
	    latency_spans(l, t),
	    "run 50000 ready 20000 other 30000 mutex 90000 ready 10000 run 100000 ready 40000 other 60000 "
	    "run 400000 run 200000");
	assert_string_equal(latency_spans(l, other), "run 1000000");
	assert_false(ht_latency_thread(l, t)->switched);
	assert_int_equal(l->resolution_ns, 400 * ms * US);
	latency_end(&f, l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(calibrates), cmocka_unit_test(calibrates_runs), cmocka_unit_test(stolen),
	    cmocka_unit_test(created), cmocka_unit_test(behind_the_last), cmocka_unit_test(read_when_gone),
	    cmocka_unit_test(first_reading), cmocka_unit_test(without_switches),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
