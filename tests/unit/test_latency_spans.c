/* test_latency_spans: what threads did, from switches, waits, wakes and the kernel's sums. */
#include "latency_fixture.h"

#include <stdlib.h>
#include <string.h>

enum { LOCK = 0x1000, COND = 0x2000 };

static void begin(struct fixture *f)
{
	fixture_begin(f);
	fixture_image(f, 100, 0, 0);
}

/* The drawing in latency.h. */
static void drawing(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 10, 100), other = latency_thread(&f, 0, 101, "other", 10, 100);
	latency_in(&f, t, 8);
	latency_wait(&f, t, HT_WAIT_MUTEX, HT_CALL_MUTEX_LOCK, LOCK, 19, 52);
	latency_blocked(&f, t, 20);
	latency_wake(&f, other, HT_WAIT_MUTEX, HT_CALL_MUTEX_UNLOCK, 0, LOCK, 40);
	latency_in(&f, t, 50);
	latency_preempted(&f, t, 60);
	latency_in(&f, t, 75);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t), "run 10 mutex 20 ready 10 run 10 ready 15 run 25");
	assert_string_equal(latency_spans(l, other), "run 90");
	const struct ht_latency_thread *thread = ht_latency_thread(l, t);
	assert_int_equal(thread->voluntary, 1);
	assert_int_equal(thread->involuntary, 1);
	assert_int_equal(thread->spans[1].wait, thread->first_wait + 1);
	assert_int_equal(thread->spans[2].wait, thread->first_wait + 1);
	assert_int_equal(thread->spans[0].cpu, t % 3);
	assert_int_equal(thread->spans[1].cpu, HT_NO_CPU);
	assert_int_equal(latency_waker(l, t, 0), other);
	assert_int_equal(l->resolution_ns, 1000);
	struct ht_breakdown b = {0};
	ht_breakdown_add(l, thread, 30 * US, 55 * US, &b);
	assert_int_equal(b.total_ns, 25 * US);
	assert_int_equal(b.blocked_ns[HT_WAIT_MUTEX], 10 * US);
	assert_int_equal(b.runnable_ns, 10 * US);
	assert_int_equal(b.running_ns, 5 * US);
	assert_int_equal(b.voluntary, 0);
	ht_latency_free(l);
	fixture_end(&f);
}

static void deadlines(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 3000);
	/* Slept for 500, slack 50, then 20 ready. */
	latency_timed_wait(&f, t, HT_WAIT_SLEEP, HT_CALL_NANOSLEEP, HT_OUTCOME_OK, 0, 99, 672, 500);
	latency_blocked(&f, t, 100);
	latency_in(&f, t, 669);
	/* Sooner than the slack. */
	latency_timed_wait(&f, t, HT_WAIT_COND, HT_CALL_COND_TIMEDWAIT, HT_OUTCOME_TIMEOUT, COND, 1000, 1130, 100);
	latency_blocked(&f, t, 1001);
	latency_in(&f, t, 1120);
	/* Not at its deadline: nobody knows. */
	latency_timed_wait(&f, t, HT_WAIT_POLL, HT_CALL_POLL, HT_OUTCOME_OK, 0, 2000, 2100, 700);
	latency_blocked(&f, t, 2001);
	latency_in(&f, t, 2099);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t), "run 100 sleep 549 ready 20 run 332 cond 119 run 881 poll 98 run 901");
	ht_latency_free(l);
	fixture_end(&f);
}

/* Woken, but the lock was taken: it sleeps again, and both sleeps are parts of one wait. A wait inside of a wait is the
 * one. */
static void again_and_inside(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 500), other = latency_thread(&f, 0, 101, "other", 0, 500);
	latency_wait(&f, t, HT_WAIT_MUTEX, HT_CALL_MUTEX_LOCK, LOCK, 10, 200);
	latency_blocked(&f, t, 12);
	latency_wake(&f, other, HT_WAIT_MUTEX, HT_CALL_MUTEX_UNLOCK, 0, LOCK, 50);
	latency_in(&f, t, 60);
	latency_blocked(&f, t, 62);
	latency_wait(&f, t, HT_WAIT_PIPE, HT_CALL_READ, 77, 80, 120);
	latency_in(&f, t, 79);
	latency_blocked(&f, t, 81);
	latency_in(&f, t, 119);
	latency_blocked(&f, t, 125);
	latency_wake(&f, other, HT_WAIT_MUTEX, HT_CALL_MUTEX_UNLOCK, 0, LOCK, 170);
	latency_in(&f, t, 190);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t),
			    "run 12 mutex 38 ready 10 run 2 mutex 17 run 2 pipe 38 run 6 mutex 45 ready 20 run 310");
	ht_latency_free(l);
	fixture_end(&f);
}

static void stalls(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 100);
	const struct ht_stall s = {
	    .op = HT_OP_MALLOC, .thread = t, .begin_ns = 20 * US, .end_ns = 60 * US, .size = 1 << 20};
	ht_trace_writer_stall(f.writer, &s);
	latency_blocked(&f, t, 30);
	latency_in(&f, t, 50);
	latency_blocked(&f, t, 80);
	latency_in(&f, t, 90);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t), "run 30 allocator 20 run 30 other 10 run 10");
	assert_int_equal(ht_latency_thread(l, t)->spans[1].stall, 1);
	ht_latency_free(l);
	fixture_end(&f);
}

/* What is not known is said to be so. */
static void lost_switches(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 1000), u = latency_thread(&f, 0, 101, "late", 0, 1000);
	latency_blocked(&f, t, 100);
	latency_in(&f, t, 200);
	latency_in(&f, t, 300);
	latency_blocked(&f, t, 400);
	latency_preempted(&f, t, 500);
	latency_in(&f, t, 600);
	latency_blocked(&f, t, 700);
	latency_in(&f, u, 50);
	latency_preempted(&f, u, 900);
	f.lost[HT_LOST_SCHED] = 3;
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t),
			    "run 100 other 100 unknown 100 run 100 unknown 100 ready 100 run 100 other 300");
	assert_string_equal(latency_spans(l, u), "unknown 50 run 850 ready 100");
	ht_latency_free(l);
	fixture_end(&f);
}

/* The switches in between were lost, and that is known: it cannot have slept on behind the end of its wait. */
static void lost_between(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 1000);
	latency_wait(&f, t, HT_WAIT_SEM, HT_CALL_SEM_WAIT, LOCK, 95, 200);
	latency_wait(&f, t, HT_WAIT_MUTEX, HT_CALL_MUTEX_LOCK, COND, 300, 510);
	latency_blocked(&f, t, 100);
	latency_in(&f, t, 500);
	f.lost[HT_LOST_SCHED] = 2;
	struct ht_latency *l = latency_read(&f);
	assert_int_equal(l->lost_switches, 2);
	assert_string_equal(latency_spans(l, t), "run 100 sem 100 unknown 300 run 500");
	ht_latency_free(l);
	fixture_end(&f);
}

/* Two blocks with known wakers that say 10 and 30, one without; the kernel knows better. */
static void calibrated(uint64_t runnable, const char *spans)
{
	struct fixture f;
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 500), other = latency_thread(&f, 0, 101, "other", 0, 500);
	latency_stat(&f, t, 50, 50, 7);
	runnable += 7;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = 100 + 100 * i;
		latency_wait(&f, t, HT_WAIT_MUTEX, HT_CALL_MUTEX_LOCK, LOCK, at, at + 50);
		latency_blocked(&f, t, at);
		latency_wake(&f, other, HT_WAIT_MUTEX, HT_CALL_MUTEX_UNLOCK, 0, LOCK, at + (i ? 20 : 40));
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
	ht_latency_free(l);
	fixture_end(&f);
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
	begin(&f);
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
	ht_latency_free(l);
	fixture_end(&f);
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
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 3500);
	latency_blocked(&f, t, 100);
	latency_in(&f, t, 200);
	latency_blocked(&f, t, 3200);
	latency_in(&f, t, 3300);
	latency_sliced_stat(&f, t, 150, 100, 0, 1);
	latency_sliced_stat(&f, t, 3250, 2100, 0, 2);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t), "run 100 other 100 run 2000 unknown 1000 other 100 run 200");
	ht_latency_free(l);
	fixture_end(&f);
}

/* A thread waits for its first processor from its creation on; a process' first one, of which nobody saw the
 * beginning, does not. */
static void created(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
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
	ht_latency_free(l);
	fixture_end(&f);
}

/* What was read late, or behind the last reading: slices say up to where, earlier pieces how far off it is. */
static void behind_the_last(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
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
	ht_latency_free(l);
	fixture_end(&f);
}

/* It waited once more when it had ended, for 20 us at most: the rest is of the block. */
static void read_when_gone(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
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
	ht_latency_free(l);
	fixture_end(&f);
}

/* The first reading has the thread's first wait for a processor, of which no switch tells: it gets what a block gets.
 */
static void first_reading(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 10, 500);
	latency_in(&f, t, 5);
	latency_blocked(&f, t, 100);
	latency_in(&f, t, 200);
	latency_stat(&f, t, 300, 200, 60);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t), "run 90 other 70 ready 30 run 300");
	ht_latency_free(l);
	fixture_end(&f);
}

static void without_switches(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	/* Milliseconds: the kernel's sums are not finer. */
	const uint64_t ms = 1000;
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 1000 * ms),
		 other = latency_thread(&f, 0, 101, "other", 0, 1000 * ms);
	latency_wait(&f, t, HT_WAIT_MUTEX, HT_CALL_MUTEX_LOCK, LOCK, 100 * ms, 200 * ms);
	latency_wake(&f, other, HT_WAIT_MUTEX, HT_CALL_MUTEX_UNLOCK, 0, LOCK, 190 * ms);
	latency_wait(&f, t, HT_WAIT_SPIN, HT_CALL_SPIN_LOCK, COND, 210 * ms, 230 * ms);
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
	ht_latency_free(l);
	fixture_end(&f);
}

static void parts(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 400), u = latency_thread(&f, 0, 101, "other", 0, 400);
	fixture_image(&f, 200, 0, 0);
	uint32_t v = latency_thread(&f, 1, 200, "second", 0, 400);
	for (uint64_t at = 100; at < 400; at += 100) {
		latency_wait(&f, t, HT_WAIT_MUTEX, HT_CALL_MUTEX_LOCK, LOCK, at, at + 50);
		latency_wake(&f, u, HT_WAIT_MUTEX, HT_CALL_MUTEX_UNLOCK, 0, LOCK, at + 40);
		latency_blocked(&f, t, at);
		latency_in(&f, t, at + 50);
		latency_blocked(&f, v, at);
		latency_in(&f, v, at + 10);
	}
	struct ht_selection s = {.from_ns = 220 * US, .to_ns = 330 * US, .thread = "main"};
	struct ht_latency *l = latency_read_part(&f, &s);
	assert_int_equal(l->thread_count, 1);
	assert_string_equal(latency_spans(l, t), "mutex 20 ready 10 run 50 mutex 30");
	assert_int_equal(l->wait_count, 2);
	assert_int_equal(latency_waker(l, t, 0), u);
	assert_null(ht_latency_thread(l, u));
	ht_latency_free(l);
	s = (struct ht_selection){.to_ns = UINT64_MAX, .process = 200};
	l = latency_read_part(&f, &s);
	assert_int_equal(l->thread_count, 1);
	assert_string_equal(latency_spans(l, v), "run 100 other 10 run 90 other 10 run 90 other 10 run 90");
	ht_latency_free(l);
	fixture_end(&f);
}

/* A stall alone says nothing of the rest. */
static void only_stalls(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 400);
	const struct ht_stall s = {.op = HT_OP_MALLOC, .thread = t, .begin_ns = 20 * US, .end_ns = 60 * US, .size = 16};
	ht_trace_writer_stall(f.writer, &s);
	struct ht_latency *l = latency_read(&f);
	assert_false(l->states_known);
	assert_string_equal(latency_spans(l, t), "unknown 400");
	assert_int_equal(l->stall_count, 1);
	ht_latency_free(l);
	fixture_end(&f);
}

/* A thread that ends with its process in the middle of something has its last event as its end; it went on for
 * longer. */
static void never_ended(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t loops = latency_thread(&f, 0, 101, "loops", 10, 10);
	latency_in(&f, loops, 5);
	latency_preempted(&f, loops, 40);
	latency_in(&f, loops, 60);
	latency_blocked(&f, loops, 100);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, loops), "run 30 ready 20 run 40");
	assert_int_equal(ht_latency_thread(l, loops)->end_ns, 100 * US);
	ht_latency_free(l);
	fixture_end(&f);
}

static void nothing(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	latency_thread(&f, 0, 100, "main", 0, 400);
	struct ht_latency *l;
	const struct ht_latency_options o = {.selection = {.to_ns = UINT64_MAX}};
	assert_int_equal(ht_latency_read(&l, fixture_open(&f), &o, NULL), HT_ABSENT);
	assert_null(l);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(drawing),	  cmocka_unit_test(deadlines),	   cmocka_unit_test(again_and_inside),
	    cmocka_unit_test(stalls),	  cmocka_unit_test(lost_switches), cmocka_unit_test(lost_between),
	    cmocka_unit_test(calibrates), cmocka_unit_test(first_reading), cmocka_unit_test(without_switches),
	    cmocka_unit_test(parts),	  cmocka_unit_test(only_stalls), cmocka_unit_test(nothing),
	    cmocka_unit_test(never_ended), cmocka_unit_test(calibrates_runs),
	    cmocka_unit_test(stolen), cmocka_unit_test(created), cmocka_unit_test(behind_the_last),
	    cmocka_unit_test(read_when_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
