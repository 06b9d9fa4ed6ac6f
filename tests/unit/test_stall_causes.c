/* stall_causes: every nanosecond of a stall has one cause; on a model of time made by hand. */
#include "analyze_fixture.h"
#include "stall_causes.h"
#include "stacks.h"

#define US UINT64_C(1000)

static struct ht_span spans[] = {
	{0, 100 * US, 0, 0, 0, HT_STATE_RUNNING, 0},
	{100 * US, 150 * US, 0, 1, HT_NO_CPU, HT_STATE_ALLOCATOR, 0},
	{150 * US, 180 * US, 0, 1, HT_NO_CPU, HT_STATE_RUNNABLE, 0},
	{180 * US, 2000 * US, 0, 0, 0, HT_STATE_RUNNING, 0},
	{2000 * US, 2500 * US, 1, 0, HT_NO_CPU, HT_STATE_BLOCKED, HT_WAIT_DISK},
	{2500 * US, 2600 * US, 0, 0, 0, HT_STATE_RUNNING, 0},
	{2600 * US, 2900 * US, 0, 0, HT_NO_CPU, HT_STATE_ALLOCATOR, 0},
	{2900 * US, 3000 * US, 0, 0, 0, HT_STATE_RUNNING, 0},
};
static struct ht_fault faults[] = {
	{0, 0, 200 * US, 0x1000}, {0, 0, 230 * US, 0x2000}, {0, 0, 1000 * US, 0x3000}};
static struct ht_latency_thread thread = {
	.end_ns = 3000 * US, .spans = spans, .span_count = HT_ARRAY_SIZE(spans), .fault_count = 3, .switched = true};

static struct ht_latency model(void)
{
	return (struct ht_latency){
		.to_ns = 3000 * US, .threads = &thread, .thread_count = 1, .faults = faults, .fault_count = 3};
}

static void sums(const struct ht_stall_parts *p)
{
	uint64_t sum = 0;
	for (unsigned k = 0; k < HT_STALL_CAUSES; k++)
		sum += p->cause_ns[k];
	assert_int_equal(sum, p->ns);
}

static void causes(void **state)
{
	struct ht_latency l = model();
	struct ht_stall_parts p;
	(void)state;
	/* On the processor for 20 us, a lock for 50, preempted for 30, then 250 us with two faults. */
	struct ht_stall s = {.op = HT_OP_MALLOC, .begin_ns = 80 * US, .end_ns = 430 * US, .address = 0x7010, .size = 64};
	ht_stall_parts(&l, &s, &p);
	sums(&p);
	assert_int_equal(p.ns, 350 * US);
	assert_int_equal(p.cause_ns[HT_STALL_LOCK], 50 * US);
	assert_int_equal(p.cause_ns[HT_STALL_PREEMPTED], 30 * US);
	assert_int_equal(p.cause_ns[HT_STALL_FAULT], 130 * US); /* 30 to the next one, then 100 at most */
	assert_int_equal(p.cause_ns[HT_STALL_SYSCALL], 0);
	assert_int_equal(p.cause_ns[HT_STALL_UNKNOWN], 140 * US);
	assert_int_equal(p.faults, 2);
	/* The same of a block that is a mapping of its own. */
	s.size = 1 << 20;
	ht_stall_parts(&l, &s, &p);
	sums(&p);
	assert_int_equal(p.cause_ns[HT_STALL_SYSCALL], 140 * US);
	assert_int_equal(p.cause_ns[HT_STALL_UNKNOWN], 0);
	/* Of a thread that is not in the model nothing is known. */
	s.thread = 9;
	ht_stall_parts(&l, &s, &p);
	assert_int_equal(p.cause_ns[HT_STALL_UNKNOWN], 350 * US);
}

static void bounds(void **state)
{
	struct ht_latency l = model();
	struct ht_stall_parts p;
	(void)state;
	/* It cannot have begun before the read of the disk ended. */
	const struct ht_stall s = {
		.op = HT_OP_FREE, .bound = true, .begin_ns = 1500 * US, .end_ns = 2950 * US, .address = 0x7010};
	ht_stall_parts(&l, &s, &p);
	sums(&p);
	assert_int_equal(p.ns, 450 * US);
	assert_int_equal(p.cause_ns[HT_STALL_LOCK], 300 * US);
	assert_int_equal(p.cause_ns[HT_STALL_SYSCALL], 0);
	assert_int_equal(p.cause_ns[HT_STALL_UNKNOWN], 150 * US);
	assert_true(p.explained);
	/* Without switches nobody can tell a lock. */
	thread.switched = false;
	ht_stall_parts(&l, &s, &p);
	thread.switched = true;
	sums(&p);
	assert_int_equal(p.cause_ns[HT_STALL_LOCK], 0);
	/* Where no wait comes between, it may be as long as it seems. */
	const struct ht_stall seen = {.op = HT_OP_FREE, .bound = true, .begin_ns = 2600 * US, .end_ns = 2950 * US};
	ht_stall_parts(&l, &seen, &p);
	assert_int_equal(p.ns, 350 * US);
	assert_false(p.explained);
}

static void rows(void **state)
{
	struct fixture f;
	struct ht_stall_rows r;
	(void)state;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0);
	fixture_thread(&f, image, 7, "a");
	uint32_t m = fixture_module(&f, "/bin/stalls", "") + 1;
	uint32_t x = fixture_node(&f, 0, m, 0x100), y = fixture_node(&f, 0, m, 0x200);
	fixture_open(&f);
	struct ht_analysis *a = fixture_stacks(&f);
	struct ht_stall stalls[] = {
		{.op = HT_OP_MALLOC, .stack = x, .begin_ns = 100 * US, .end_ns = 140 * US},
		{.op = HT_OP_FREE, .stack = y, .bound = true, .begin_ns = 2600 * US, .end_ns = 2900 * US},
		{.op = HT_OP_FREE, .stack = x, .begin_ns = 2600 * US, .end_ns = 2610 * US},
	};
	struct ht_latency l = model();
	l.trace = f.trace;
	l.stalls = stalls;
	l.stall_count = 3;
	ht_stall_rows_make(&r, &l, a->stacks);
	assert_int_equal(r.count, 2);
	assert_int_equal(r.stalls, 3);
	assert_int_equal(r.bounds, 1);
	assert_int_equal(r.stall_ns, 350 * US);
	assert_int_equal(r.items[0].node, y);
	assert_int_equal(r.items[0].bounds, 1);
	assert_int_equal(r.items[1].count, 2);
	assert_int_equal(r.items[1].node, x);
	assert_int_equal(r.items[1].max_ns, 40 * US);
	assert_int_equal(r.items[1].ops, 1u << HT_OP_MALLOC | 1u << HT_OP_FREE);
	assert_int_equal(r.cause_ns[HT_STALL_LOCK], 350 * US);
	ht_stall_rows_release(&r);
	ht_analysis_free(a);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(causes), cmocka_unit_test(bounds), cmocka_unit_test(rows)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
