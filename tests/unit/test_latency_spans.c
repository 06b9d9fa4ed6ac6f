/* test_latency_spans: what threads did, from switches, waits and wakes. */
#include "latency_fixture.h"

enum { LOCK = 0x1000, COND = 0x2000 };

/* The drawing in latency.h. */
static void drawing(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 10, 100), other = latency_thread(&f, 0, 101, "other", 10, 100);
	latency_in(&f, t, 8);
	latency_lock(&f, t, LOCK, 19, 52);
	latency_blocked(&f, t, 20);
	latency_unlock(&f, other, LOCK, 40);
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
	latency_end(&f, l);
}

static void deadlines(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
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
	latency_end(&f, l);
}

/* Woken, but the lock was taken: it sleeps again, and both sleeps are parts of one wait. A wait inside of a wait is the
 * one. */
static void again_and_inside(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 500), other = latency_thread(&f, 0, 101, "other", 0, 500);
	latency_lock(&f, t, LOCK, 10, 200);
	latency_blocked(&f, t, 12);
	latency_unlock(&f, other, LOCK, 50);
	latency_in(&f, t, 60);
	latency_blocked(&f, t, 62);
	latency_wait(&f, t, HT_WAIT_PIPE, HT_CALL_READ, 77, 80, 120);
	latency_in(&f, t, 79);
	latency_blocked(&f, t, 81);
	latency_in(&f, t, 119);
	latency_blocked(&f, t, 125);
	latency_unlock(&f, other, LOCK, 170);
	latency_in(&f, t, 190);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, t),
			    "run 12 mutex 38 ready 10 run 2 mutex 17 run 2 pipe 38 run 6 mutex 45 ready 20 run 310");
	latency_end(&f, l);
}

static void stalls(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
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
	latency_end(&f, l);
}

/* What is not known is said to be so. */
static void lost_switches(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
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
	latency_end(&f, l);
}

/* The switches in between were lost, and that is known: it cannot have slept on behind the end of its wait. */
static void lost_between(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 1000);
	latency_wait(&f, t, HT_WAIT_SEM, HT_CALL_SEM_WAIT, LOCK, 95, 200);
	latency_lock(&f, t, COND, 300, 510);
	latency_blocked(&f, t, 100);
	latency_in(&f, t, 500);
	f.lost[HT_LOST_SCHED] = 2;
	struct ht_latency *l = latency_read(&f);
	assert_int_equal(l->lost_switches, 2);
	assert_string_equal(latency_spans(l, t), "run 100 sem 100 unknown 300 run 500");
	latency_end(&f, l);
}

static void parts(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 400), u = latency_thread(&f, 0, 101, "other", 0, 400);
	fixture_image(&f, 200, 0, 0);
	uint32_t v = latency_thread(&f, 1, 200, "second", 0, 400);
	for (uint64_t at = 100; at < 400; at += 100) {
		latency_lock(&f, t, LOCK, at, at + 50);
		latency_unlock(&f, u, LOCK, at + 40);
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
	latency_end(&f, l);
}

/* A stall alone says nothing of the rest. */
static void only_stalls(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = latency_thread(&f, 0, 100, "main", 0, 400);
	const struct ht_stall s = {.op = HT_OP_MALLOC, .thread = t, .begin_ns = 20 * US, .end_ns = 60 * US, .size = 16};
	ht_trace_writer_stall(f.writer, &s);
	struct ht_latency *l = latency_read(&f);
	assert_false(l->states_known);
	assert_string_equal(latency_spans(l, t), "unknown 400");
	assert_int_equal(l->stall_count, 1);
	latency_end(&f, l);
}

/* A thread that ends with its process in the middle of something has its last event as its end; it went on for
 * longer. */
static void never_ended(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t loops = latency_thread(&f, 0, 101, "loops", 10, 10);
	latency_in(&f, loops, 5);
	latency_preempted(&f, loops, 40);
	latency_in(&f, loops, 60);
	latency_blocked(&f, loops, 100);
	struct ht_latency *l = latency_read(&f);
	assert_string_equal(latency_spans(l, loops), "run 30 ready 20 run 40");
	assert_int_equal(ht_latency_thread(l, loops)->end_ns, 100 * US);
	latency_end(&f, l);
}

static void nothing(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
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
	    cmocka_unit_test(drawing), cmocka_unit_test(deadlines), cmocka_unit_test(again_and_inside),
	    cmocka_unit_test(stalls), cmocka_unit_test(lost_switches), cmocka_unit_test(lost_between),
	    cmocka_unit_test(parts), cmocka_unit_test(only_stalls), cmocka_unit_test(never_ended),
	    cmocka_unit_test(nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
