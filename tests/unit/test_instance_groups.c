/* instance_groups: parts of instances add up, and the culprit of a difference is found; on a model of time made by
 * hand. */
#include <stdlib.h>
#include <string.h>

#include "analyze_fixture.h"
#include "instance_groups.h"

enum { COUNT = 40, SLOW = 4, SPANS = 3 * COUNT + 1 };

static void region(struct fixture *f, uint32_t thread, unsigned op, uint64_t at, uint32_t name)
{
	f->now = at;
	fixture_event(f, op, thread, 0, name);
}

/* 40 regions of 100 us a millisecond, of which 10 us are waits; every tenth waits 300 us for mutex 0xbad that
 * thread 1 holds. */
static void slow_ones(void **state)
{
	struct fixture f;
	struct ht_instances in;
	struct ht_instance_groups g;
	static struct ht_span spans[SPANS];
	static struct ht_waited waits[COUNT];
	struct ht_wake wake = {.kind = HT_WAIT_MUTEX, .thread = 1, .stack = 0, .object = 0xbad};
	size_t spans_count = 0;
	uint64_t last = 0;
	(void)state;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0), a = fixture_thread(&f, image, 7, "a");
	fixture_thread(&f, image, 8, "holder");
	const uint32_t name = fixture_string(&f, "r");
	for (unsigned i = 0; i < COUNT; i++) {
		const bool slow = i % 10 == 5;
		const uint64_t begin = (i + 1) * 1000000, wait = slow ? 300000 : 10000, end = begin + 90000 + wait;
		region(&f, a, HT_OP_REGION_BEGIN, begin, name);
		if (slow)
			fixture_birth(&f, a, 0, 64);
		region(&f, a, HT_OP_REGION_END, end, name);
		if (begin > last)
			spans[spans_count++] = (struct ht_span){last, begin + 40000, 0, 0, 0, HT_STATE_RUNNING, 0};
		spans[spans_count++] = (struct ht_span){
			begin + 40000, begin + 40000 + wait, i + 1, 0, HT_NO_CPU, HT_STATE_BLOCKED, HT_WAIT_MUTEX};
		last = begin + 40000 + wait;
		waits[i].w = (struct ht_wait){.kind = HT_WAIT_MUTEX,
					      .fd = -1,
					      .thread = a,
					      .begin_ns = begin + 40000,
					      .end_ns = last,
					      .object = slow ? 0xbad : 0x600d};
		waits[i].object = slow ? 1 : 2;
		waits[i].wake = slow ? 1 : 0;
	}
	spans[spans_count++] = (struct ht_span){last, last + 1000000, 0, 0, 0, HT_STATE_RUNNING, 0};
	fixture_image_end(&f, image, a);
	fixture_open(&f);
	struct ht_latency_thread thread = {
		.id = a, .end_ns = last + 1000000, .spans = spans, .span_count = spans_count, .wait_count = COUNT, .switched = true};
	const struct ht_latency l = {.trace = f.trace,
				     .to_ns = UINT64_MAX,
				     .threads = &thread,
				     .thread_count = 1,
				     .waits = waits,
				     .wait_count = COUNT,
				     .wakes = &wake,
				     .wake_count = 1};
	const struct ht_instances_options o = {.what = HT_INSTANCES_REGIONS, .to_ns = UINT64_MAX};
	ht_instances_read(&in, f.trace, &o);
	ht_instance_groups_make(&g, f.trace, &in, &l);
	assert_int_equal(g.count, 1);
	const struct ht_instance_group *r = &g.items[0];
	assert_string_equal(r->name, "r");
	assert_int_equal(r->count, COUNT);
	assert_int_equal(r->duration.p50, 100000);
	assert_int_equal(r->duration.max, 390000);
	assert_int_equal(r->duration.sum, 36 * 100000 + SLOW * 390000);
	uint64_t sum = 0;
	for (unsigned k = 0; k < HT_TIME_PARTS; k++)
		sum += r->parts.ns[k];
	assert_int_equal(sum, r->duration.sum);
	assert_int_equal(r->parts.ns[HT_PART_RUNNING], COUNT * 90000);
	assert_int_equal(r->parts.ns[HT_PART_BLOCKED + ht_blocked_part(HT_WAIT_MUTEX)], 36 * 10000 + SLOW * 300000);
	assert_true(r->compared);
	assert_int_equal(r->slow, SLOW);
	assert_int_equal(r->usual, 20);
	assert_true(r->slow_ns == 390000 && r->usual_ns == 100000);
	assert_true(r->slow_allocs == 1 && r->usual_allocs == 0);
	assert_int_equal(r->difference_count, 1);
	assert_int_equal(r->differences[0].part, HT_PART_BLOCKED + ht_blocked_part(HT_WAIT_MUTEX));
	assert_true(r->differences[0].slow_ns - r->differences[0].usual_ns == 290000);
	const struct ht_culprit *c = &r->differences[0].culprit;
	assert_int_equal(c->kind, HT_WAIT_MUTEX);
	assert_int_equal(c->object, 0xbad);
	assert_int_equal(c->waits, SLOW);
	assert_int_equal(c->wait_ns, SLOW * 300000);
	assert_true(c->ended_by_known);
	assert_int_equal(c->ended_by, 1);
	/* The slowest come first. */
	for (unsigned i = 0; i < SLOW; i++)
		assert_int_equal(in.items[r->members[i]].end_ns - in.items[r->members[i]].begin_ns, 390000);
	ht_instance_groups_release(&g);
	/* Without a model nothing is known. */
	ht_instance_groups_make(&g, f.trace, &in, NULL);
	assert_int_equal(g.items[0].parts.ns[HT_PART_UNKNOWN], g.items[0].duration.sum);
	ht_instance_groups_release(&g);
	ht_instances_release(&in);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(slow_ones)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
