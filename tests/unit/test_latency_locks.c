/* test_latency_locks: what lib/latency says of locks, sites of waits and wake-ups, on traces whose truth is drawn. */
#include "latency_fixture.h"

#include "lock_use.h"
#include "shares.h"
#include "stacks.h"
#include "wait_sites.h"
#include "wake_ups.h"

enum { LOCK = 0x1000, OTHER = 0x2000, THREADS = 4 };

static void shares(void **unused)
{
	(void)unused;
	struct ht_shares s = {0};
	size_t n;
	for (uint32_t i = 0; i < 3000; i++)
		ht_shares_add(&s, i % 7 * 10, i % 100, 1, i % 100 == 42 ? 5 : 1);
	ht_shares_sort(&s);
	for (uint32_t row = 0; row < 70; row += 10) {
		const struct ht_share *of = ht_shares_of(&s, row, &n);
		uint64_t count = 0;
		assert_int_equal(n, 100);
		assert_int_equal(of->key, 42);
		assert_int_equal(ht_shares_most(&s, row, 0), 42);
		for (size_t i = 0; i < n; i++)
			count += of[i].count;
		assert_in_range(count, 428, 429);
	}
	ht_shares_of(&s, 5, &n);
	assert_int_equal(n, 0);
	assert_int_equal(ht_shares_most(&s, 71, 7), 7);
	ht_shares_release(&s);
}

static void begin(struct fixture *f)
{
	latency_begin(f);
	for (unsigned i = 0; i < THREADS; i++)
		latency_thread(f, 0, 100 + i, "", 0, 5000);
}

/* Thread 0 has the lock from before; 1 waits, gets it and lets go; 2 gets it then; 3 gave up. Blocks made meanwhile
 * count. When 2 had it, nobody waited at first: it may have let go and come back. */
static void holds(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	latency_lock(&f, 1, LOCK, 100, 210);
	latency_unlock(&f, 0, LOCK, 200);
	latency_lock(&f, 2, LOCK, 110, 410);
	latency_unlock(&f, 1, LOCK, 400);
	latency_timed_wait(&f, 3, HT_WAIT_MUTEX, HT_CALL_MUTEX_TIMEDLOCK, HT_OUTCOME_TIMEOUT, LOCK, 260, 360, 100);
	latency_lock(&f, 0, LOCK, 600, 650);
	latency_unlock(&f, 2, LOCK, 640);
	latency_lock(&f, 3, OTHER, 500, 520);
	static const struct {
		uint32_t thread;
		uint64_t at;
	} births[] = {{1, 205}, {1, 300}, {2, 310}, {1, 399}, {1, 450}, {2, 500}};
	for (size_t i = 0; i < HT_ARRAY_SIZE(births); i++) {
		f.now = births[i].at * US;
		fixture_birth(&f, births[i].thread, 0, 1000 + i);
	}
	struct ht_latency *l = latency_read(&f);
	struct ht_lock_use u;
	ht_lock_use_make(&u, l);
	assert_int_equal(u.count, 2);
	const struct ht_lock *k = &u.items[0];
	assert_int_equal(k->address, LOCK);
	assert_int_equal(k->kind, HT_WAIT_MUTEX);
	assert_int_equal(k->waits, 4);
	assert_int_equal(k->wait_ns, (110 + 300 + 100 + 50) * US);
	assert_int_equal(k->wait_max_ns, 300 * US);
	assert_int_equal(k->timeouts, 1);
	assert_int_equal(k->wakers_unknown, 1);
	assert_int_equal(k->holds, 1);
	assert_int_equal(k->hold_ns, 190 * US);
	assert_int_equal(k->holds_unknown, 2);
	assert_int_equal(k->holder, 1);
	assert_int_equal(u.items[1].waits, 1);
	assert_int_equal(u.items[1].holder, UINT32_MAX);
	size_t n;
	const struct ht_share *waiters = ht_shares_of(&u.waiters, 0, &n);
	assert_int_equal(n, 4);
	assert_int_equal(waiters[0].key, 2);
	assert_int_equal(ht_shares_most(&u.holders, 0, 9), 1);
	/* The pass over the events: blocks of 1 at 300 and 399 lie in its hold. */
	void *state;
	struct ht_pass pass = ht_lock_bytes_pass(&u, f.trace, &state);
	struct ht_analysis_options o;
	struct ht_walk_result result;
	ht_analysis_options_init(&o);
	const bool all[THREADS] = {true, true, true, true};
	ht_walk(f.trace, &o, all, &pass, 1, &result);
	assert_int_equal(u.items[0].allocs_held, 2);
	assert_int_equal(u.items[0].bytes_allocated_held, 1001 + 1003);
	assert_int_equal(u.items[1].allocs_held, 0);
	ht_lock_bytes_release(state);
	ht_lock_use_release(&u);
	latency_end(&f, l);
}

/* Three queue at every hand-off: a convoy. One was woken in vain. */
static void convoys(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	/* Thread i % 4 gets the lock at 100 (i + 3); it began to wait when it let go, three hand-offs before. */
	for (unsigned i = 0; i < 12; i++) {
		latency_lock(&f, i % 4, LOCK, 100 * i + 1, 100 * (i + 3));
		latency_unlock(&f, i % 4, LOCK, 100 * (i + 3) + 99);
	}
	latency_blocked(&f, 0, 2);
	latency_unlock(&f, 3, LOCK, 50);
	latency_in(&f, 0, 60);
	latency_blocked(&f, 0, 70);
	latency_in(&f, 0, 300);
	struct ht_latency *l = latency_read(&f);
	struct ht_lock_use u;
	ht_lock_use_make(&u, l);
	assert_int_equal(u.count, 1);
	assert_int_equal(u.items[0].convoys, 1);
	assert_in_range(u.items[0].convoy_handoffs, HT_CONVOY_HANDOFFS, 12);
	assert_int_equal(u.items[0].futile_wakes, 1);
	/* After the last but one, nobody waits any more. */
	assert_int_equal(u.items[0].holds, 11);
	assert_int_equal(u.items[0].hold_ns, 11 * 99 * US);
	ht_lock_use_release(&u);
	latency_end(&f, l);
}

static void wake_ups(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t at = 100 + 100 * i;
		latency_lock(&f, 0, LOCK, at, at + 50);
		latency_blocked(&f, 0, at + 1);
		latency_unlock(&f, i < 7 ? 1 : 2, LOCK, at + 40 - i);
		latency_in(&f, 0, at + 45);
		latency_preempted(&f, 0, at + 60);
		latency_in(&f, 0, at + 80);
	}
	/* Nobody ended it; and a call that was long, but did not sleep. */
	latency_lock(&f, 0, OTHER, 2000, 2100);
	latency_blocked(&f, 0, 2001);
	latency_in(&f, 0, 2099);
	latency_lock(&f, 0, OTHER, 2200, 2300);
	struct ht_latency *l = latency_read(&f);
	struct ht_wake_up_rows r;
	ht_wake_ups_make(&r, l);
	assert_int_equal(r.items[0].wakeups, 11);
	assert_int_equal(r.items[0].latency.max, 14 * US);
	assert_int_equal(r.items[0].latency.p50, 9 * US);
	assert_int_equal(r.items[0].preemptions, 10);
	assert_int_equal(r.items[0].preempted_ns, 200 * US);
	assert_int_equal(r.items[0].unknown_wakers, 1);
	size_t n;
	const struct ht_share *wakers = ht_shares_of(&r.wakers, 0, &n);
	assert_int_equal(n, 2);
	assert_int_equal(wakers[0].key, 1);
	assert_int_equal(wakers[0].count, 7);
	assert_int_equal(wakers[1].count, 3);
	assert_int_equal(r.items[1].wakeups, 0);
	ht_wake_ups_release(&r);
	latency_end(&f, l);
}

/* Two places in the code wait for one kind, one of them for another kind, too. */
static void sites(void **unused)
{
	(void)unused;
	struct fixture f;
	begin(&f);
	uint32_t module = fixture_module(&f, "/opt/program", "0123456789"),
		 libc = fixture_module(&f, "/lib/libc.so.6", "abcdefghij");
	uint32_t root = fixture_node(&f, 0, module + 1, 0x2000), here = fixture_node(&f, root, module + 1, 0x3000);
	uint32_t there = fixture_node(&f, root, module + 1, 0x4000), in_libc = fixture_node(&f, here, libc + 1, 0x5000);
	const struct {
		unsigned kind, call;
		uint32_t stack;
		uint64_t begin, end, detail;
	} waits[] = {{HT_WAIT_PIPE, HT_CALL_READ, here, 100, 200, 10},
		     {HT_WAIT_PIPE, HT_CALL_READ, in_libc, 300, 600, 20},
		     {HT_WAIT_PIPE, HT_CALL_READ, there, 700, 710, 0},
		     {HT_WAIT_SLEEP, HT_CALL_USLEEP, here, 800, 850, 5}};
	for (size_t i = 0; i < HT_ARRAY_SIZE(waits); i++) {
		const struct ht_wait w = {.kind = (uint8_t)waits[i].kind,
					  .call = (uint8_t)waits[i].call,
					  .fd = -1,
					  .stack = waits[i].stack,
					  .begin_ns = waits[i].begin * US,
					  .end_ns = waits[i].end * US,
					  .object = 77,
					  .detail = waits[i].detail};
		ht_trace_writer_wait(f.writer, &w);
	}
	latency_wake(&f, 1, HT_WAIT_PIPE, HT_CALL_WRITE, 0, 77, 150);
	latency_wake(&f, 2, HT_WAIT_PIPE, HT_CALL_WRITE, 0, 77, 500);
	latency_blocked(&f, 0, 310);
	latency_in(&f, 0, 590);
	struct ht_latency *l = latency_read(&f);
	struct ht_analysis *a = fixture_stacks(&f);
	struct ht_wait_sites s;
	ht_wait_sites_make(&s, l, a->stacks, UINT32_MAX);
	assert_int_equal(s.count, 3);
	assert_int_equal(s.items[0].kind, HT_WAIT_PIPE);
	assert_int_equal(s.items[0].frame->address, 0x3000 - 1);
	assert_int_equal(s.items[0].count, 2);
	assert_int_equal(s.items[0].wait_ns, 400 * US);
	assert_int_equal(s.items[0].blocked_ns, 190 * US);
	assert_int_equal(s.items[0].runnable_ns, 90 * US);
	assert_int_equal(s.items[0].wait.max, 300 * US);
	assert_int_equal(s.items[0].bytes, 30);
	assert_int_equal(s.items[0].node, in_libc);
	size_t n;
	const struct ht_share *wakers = ht_wait_site_wakers(&s, 0, &n);
	assert_int_equal(n, 2);
	assert_int_equal(wakers[0].key, 2);
	assert_int_equal(s.items[1].kind, HT_WAIT_SLEEP);
	assert_int_equal(s.items[1].bytes, 0);
	assert_int_equal(s.items[2].frame->address, 0x4000 - 1);
	ht_wait_sites_release(&s);
	ht_analysis_free(a);
	latency_end(&f, l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shares),	cmocka_unit_test(holds), cmocka_unit_test(convoys),
	    cmocka_unit_test(wake_ups), cmocka_unit_test(sites),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
