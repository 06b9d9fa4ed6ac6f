/* test_timeline_build: states, switches, slices and arrows of hand-made models of time; tasks, regions and what a
 * program says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analyze_fixture.h"
#include "timeline_build.h"
#include "timeline_shape.h"

enum { US = 1000, MS = 1000000 };

static struct ht_timeline_made *build(struct fixture *f, const struct ht_latency *model, const char *task)
{
	struct ht_timeline_options o = {.task = task};
	struct ht_timeline_made *m = NULL;
	struct ht_diag d = {0};
	ht_analysis_options_init(&o.analysis);
	int r = ht_timeline_build_of(&m, f->trace, model, &o, &d);
	if (r)
		fail_msg("%d: %s", r, d.text);
	return m;
}

static void check_shape(const struct ht_timeline *t)
{
	const char *wrong = timeline_shape_wrong(t);
	if (wrong)
		fail_msg("%s", wrong);
}

/* Two threads on one processor: B holds a mutex that A wants, and pushes it aside later. */
static struct ht_span spans_a[] = {
	{.begin_ns = 0, .end_ns = 10 * US, .state = HT_STATE_RUNNING, .cpu = 0},
	{.begin_ns = 10 * US, .end_ns = 30 * US, .state = HT_STATE_BLOCKED, .kind = HT_WAIT_MUTEX, .wait = 1,
	 .cpu = HT_NO_CPU},
	{.begin_ns = 30 * US, .end_ns = 35 * US, .state = HT_STATE_RUNNABLE, .cpu = HT_NO_CPU},
	{.begin_ns = 35 * US, .end_ns = 50 * US, .state = HT_STATE_RUNNING, .cpu = 0},
	{.begin_ns = 50 * US, .end_ns = 60 * US, .state = HT_STATE_RUNNABLE, .cpu = HT_NO_CPU},
	{.begin_ns = 60 * US, .end_ns = 80 * US, .state = HT_STATE_RUNNING, .cpu = 0},
	{.begin_ns = 80 * US, .end_ns = 100 * US, .state = HT_STATE_BLOCKED, .kind = HT_WAIT_DISK, .wait = 2,
	 .cpu = HT_NO_CPU},
};
static struct ht_span spans_b[] = {
	{.begin_ns = 0, .end_ns = 10 * US, .state = HT_STATE_UNKNOWN, .cpu = HT_NO_CPU},
	{.begin_ns = 10 * US, .end_ns = 35 * US, .state = HT_STATE_RUNNING, .cpu = 0},
	{.begin_ns = 35 * US, .end_ns = 50 * US, .state = HT_STATE_BLOCKED, .kind = HT_WAIT_NONE, .cpu = HT_NO_CPU},
	{.begin_ns = 50 * US, .end_ns = 60 * US, .state = HT_STATE_RUNNING, .cpu = 0},
	{.begin_ns = 60 * US, .end_ns = 100 * US, .state = HT_STATE_ALLOCATOR, .cpu = HT_NO_CPU},
};
static struct ht_waited waits[] = {
	{.w = {.kind = HT_WAIT_MUTEX, .call = HT_CALL_MUTEX_LOCK, .begin_ns = 9 * US, .end_ns = 36 * US, .fd = -1,
	       .object = 0x55d0},
	 .wake = 1},
	{.w = {.kind = HT_WAIT_DISK, .call = HT_CALL_READ, .begin_ns = 79 * US, .end_ns = 100 * US, .fd = 3,
	       .detail = 512, .outcome = HT_OUTCOME_INTERRUPTED}},
};
static struct ht_wake wakes[] = {
	{.kind = HT_WAIT_MUTEX, .call = HT_CALL_MUTEX_UNLOCK, .thread = 1, .time_ns = 30 * US, .object = 0x55d0},
};
static struct ht_switch some_switches[1];
static struct ht_latency_thread timed[] = {
	{.id = 0, .end_ns = 100 * US, .spans = spans_a, .span_count = HT_ARRAY_SIZE(spans_a), .wait_count = 2,
	 .switched = true},
	{.id = 1, .end_ns = 100 * US, .spans = spans_b, .span_count = HT_ARRAY_SIZE(spans_b), .first_wait = 2,
	 .switched = true},
};
static struct ht_latency model = {
	.to_ns = 100 * US,
	.threads = timed,
	.thread_count = 2,
	.waits = waits,
	.wakes = wakes,
	.switches = some_switches,
	.wait_count = 2,
	.wake_count = 1,
	.switch_count = 1,
	.source = "perf (per CPU)",
	.resolution_ns = 1000,
};

/* A trace of two threads that lasts 100 us. */
static void two_threads(struct fixture *f)
{
	fixture_begin(f);
	f->now = 0;
	uint32_t image = fixture_image(f, 100, 0, 0);
	fixture_thread(f, image, 100, "main");
	fixture_thread(f, image, 101, "worker\n1");
	fixture_event(f, HT_OP_IMAGE_START, 0, 0, 0);
}

static void end_at(struct fixture *f, uint64_t ns)
{
	f->now = ns;
	fixture_image_end(f, 0, 0);
	model.trace = fixture_open(f);
}

static void test_states(void **state)
{
	struct fixture f;
	(void)state;
	two_threads(&f);
	end_at(&f, 100 * US);
	struct ht_timeline_made *m = build(&f, &model, NULL);
	const struct ht_timeline *t = &m->timeline;
	static const uint8_t wanted[] = {
		HT_TIMELINE_RUNNING, HT_TIMELINE_BLOCKED, HT_TIMELINE_RUNNABLE, HT_TIMELINE_RUNNING,
		HT_TIMELINE_PREEMPTED, HT_TIMELINE_RUNNING, HT_TIMELINE_IO,
		HT_TIMELINE_UNKNOWN, HT_TIMELINE_RUNNING, HT_TIMELINE_BLOCKED, HT_TIMELINE_RUNNING,
		HT_TIMELINE_ALLOCATOR,
	};
	check_shape(t);
	assert_string_equal(m->missing, "");
	assert_string_equal(t->source, "perf (per CPU)");
	assert_int_equal(t->span_count, HT_ARRAY_SIZE(wanted));
	for (size_t i = 0; i < t->span_count; i++)
		assert_int_equal(t->spans[i].state, wanted[i]);
	assert_string_equal(t->spans[1].what, "mutex 0x55d0");
	assert_string_equal(t->spans[6].what, "read disk");
	assert_string_equal(t->spans[9].what, "");
	assert_string_equal(t->threads[1].name, "worker\xef\xbf\xbd""1");
	/* one processor, no gap: A B A B A none */
	static const struct ht_timeline_switch chain[] = {
		{0, 0, 0, 1, false},	   {10 * US, 0, 1, 2, false}, {35 * US, 0, 2, 1, false},
		{50 * US, 0, 1, 2, true},  {60 * US, 0, 2, 1, false}, {80 * US, 0, 1, 0, false},
	};
	assert_int_equal(t->switch_count, HT_ARRAY_SIZE(chain));
	for (size_t i = 0; i < t->switch_count; i++) {
		assert_int_equal(t->switches[i].time_ns, chain[i].time_ns);
		assert_int_equal(t->switches[i].prev, chain[i].prev);
		assert_int_equal(t->switches[i].next, chain[i].next);
		assert_int_equal(t->switches[i].preempted, chain[i].preempted);
	}
	ht_timeline_free(m);
	fixture_end(&f);
}

/* Lost switches leave two threads on one processor, or one where nothing is known. The chain holds. */
static void test_chain(void **state)
{
	struct ht_span a[] = {{.begin_ns = 0, .end_ns = 40 * US, .state = HT_STATE_RUNNING, .cpu = 0},
			      {.begin_ns = 40 * US, .end_ns = 60 * US, .state = HT_STATE_UNKNOWN, .cpu = HT_NO_CPU},
			      {.begin_ns = 60 * US, .end_ns = 100 * US, .state = HT_STATE_RUNNING, .cpu = 1}};
	struct ht_span b[] = {{.begin_ns = 0, .end_ns = 20 * US, .state = HT_STATE_BLOCKED, .cpu = HT_NO_CPU},
			      {.begin_ns = 20 * US, .end_ns = 70 * US, .state = HT_STATE_RUNNING, .cpu = 0},
			      {.begin_ns = 70 * US, .end_ns = 100 * US, .state = HT_STATE_RUNNING, .cpu = 1}};
	struct ht_latency_thread both[] = {
		{.id = 0, .end_ns = 100 * US, .spans = a, .span_count = 3, .switched = true},
		{.id = 1, .end_ns = 100 * US, .spans = b, .span_count = 3, .switched = true},
	};
	struct ht_latency l = model;
	struct fixture f;
	(void)state;
	two_threads(&f);
	end_at(&f, 100 * US);
	l.trace = f.trace;
	l.threads = both;
	l.wait_count = l.wake_count = 0;
	struct ht_timeline_made *m = build(&f, &l, NULL);
	check_shape(&m->timeline);
	assert_int_equal(m->timeline.switch_count, 6);
	assert_string_equal(m->missing, ""); /* nobody was blocked long */
	ht_timeline_free(m);
	fixture_end(&f);
}

static const struct ht_timeline_slice *slice(const struct ht_timeline *t, const char *name)
{
	for (size_t i = 0; i < t->slice_count; i++)
		if (!strcmp(t->slices[i].name, name))
			return &t->slices[i];
	fail_msg("there is no slice '%s'", name);
	return NULL;
}

static void test_slices(void **state)
{
	struct fixture f;
	(void)state;
	two_threads(&f);
	const uint32_t outer = fixture_string(&f, "outer"), inner = fixture_string(&f, "inner");
	f.now = 5 * US;
	fixture_event(&f, HT_OP_REGION_BEGIN, 0, 0, outer);
	f.now = 20 * US; /* inside of the wait, as only clocks can have it: cut where that ends */
	fixture_event(&f, HT_OP_REGION_BEGIN, 0, 0, inner);
	f.now = 38 * US;
	for (unsigned i = 0; i < 3; i++, f.now -= US / 2)
		fixture_birth(&f, 0, 0, 100);
	f.now = 45 * US;
	fixture_event(&f, HT_OP_REGION_END, 0, 0, inner);
	f.now = 70 * US;
	fixture_event(&f, HT_OP_REGION_END, 0, 0, outer);
	end_at(&f, 100 * US);
	struct ht_timeline_made *m = build(&f, &model, NULL);
	const struct ht_timeline *t = &m->timeline;
	check_shape(t);
	assert_int_equal(slice(t, "outer")->begin_ns, 5 * US);
	assert_int_equal(slice(t, "outer")->end_ns, 70 * US);
	assert_int_equal(slice(t, "outer")->objects, 3);
	assert_int_equal(slice(t, "outer")->bytes, 300);
	assert_int_equal(slice(t, "inner")->end_ns, 36 * US);
	assert_int_equal(m->cut_slices, 1);
	assert_int_equal(slice(t, "allocations")->objects, 3);
	assert_int_equal(slice(t, "allocations")->begin_ns, 38 * US);
	assert_int_equal(slice(t, "allocations")->end_ns, 39 * US);
	assert_string_equal(slice(t, "wait read disk")->outcome, "interrupted");
	assert_int_equal(slice(t, "wait read disk")->bytes, 512);
	assert_int_equal(t->arrow_count, 1);
	assert_int_equal(t->arrows[0].from, 1);
	assert_int_equal(t->arrows[0].to, 0);
	assert_int_equal(t->arrows[0].from_ns, 30 * US);
	assert_int_equal(t->arrows[0].to_ns, 36 * US);
	assert_string_equal(t->arrows[0].name, "unlock");
	ht_timeline_free(m);
	fixture_end(&f);
}

/* Events are rounded down to microseconds, waits are not: a region that ended just behind a wait, and one that began just
 * behind it. */
static void test_rounding(void **state)
{
	const struct ht_trace_settings settings = {.time_unit_ns = US, .command = "x\0"};
	struct ht_waited later[2] = {waits[0], waits[1]};
	struct ht_latency l = model;
	struct ht_diag d;
	struct fixture f;
	(void)state;
	fixture_begin(&f);
	ht_trace_writer_abandon(f.writer);
	close(f.fd);
	f.fd = memfd_create("trace", 0);
	f.writer = ht_trace_writer_new(f.fd, &settings, &d);
	f.now = 0;
	uint32_t image = fixture_image(&f, 100, 0, 0);
	fixture_thread(&f, image, 100, "main");
	fixture_thread(&f, image, 101, "worker");
	const uint32_t early = fixture_string(&f, "early"), late = fixture_string(&f, "late");
	static const struct {
		uint64_t ns;
		unsigned op;
	} events[] = {{5 * US, HT_OP_REGION_BEGIN}, {36450, HT_OP_REGION_END}, {36700, HT_OP_REGION_BEGIN},
		      {50 * US, HT_OP_REGION_END}};
	for (size_t i = 0; i < HT_ARRAY_SIZE(events); i++) {
		f.now = events[i].ns;
		fixture_event(&f, events[i].op, 0, 0, i < 2 ? early : late);
	}
	end_at(&f, 100 * US);
	later[0].w.end_ns = 36400;
	l.trace = f.trace;
	l.waits = later;
	struct ht_timeline_made *m = build(&f, &l, NULL);
	const struct ht_timeline *t = &m->timeline;
	check_shape(t);
	assert_int_equal(slice(t, "early")->begin_ns, 5 * US);
	assert_int_equal(slice(t, "early")->end_ns, 36400);
	assert_int_equal(slice(t, "late")->begin_ns, 36400);
	assert_int_equal(slice(t, "late")->end_ns, 50 * US);
	assert_int_equal(slice(t, "wait mutex 0x55d0")->end_ns, 36400);
	assert_int_equal(t->arrow_count, 1);
	assert_int_equal(m->cut_slices, 0);
	ht_timeline_free(m);
	fixture_end(&f);
}

static void put_task(struct fixture *f, uint32_t thread, uint64_t ns, unsigned step, uint64_t task, const char *type)
{
	struct ht_event e = {.op = HT_OP_TASK, .thread = thread, .size = step, .extra = task, .time = ns};
	e.stamped = true;
	e.extra2 = type ? fixture_string(f, type) : 0;
	ht_trace_writer_event(f->writer, &e);
}

static void tasks_of(struct fixture *f)
{
	two_threads(f);
	put_task(f, 0, 12 * US, HT_TASK_BEGIN, 7, "query");
	put_task(f, 1, 14 * US, HT_TASK_ENTER, 7, NULL);
	put_task(f, 1, 33 * US, HT_TASK_LEAVE, 7, NULL);
	put_task(f, 0, 34 * US, HT_TASK_END, 7, NULL);
	put_task(f, 0, 40 * US, HT_TASK_BEGIN, 8, "other");
	put_task(f, 0, 55 * US, HT_TASK_END, 8, NULL);
	put_task(f, 0, 75 * US, HT_TASK_BEGIN, 9, "query");
	end_at(f, 100 * US);
}

static void test_tasks(void **state)
{
	struct fixture f;
	(void)state;
	tasks_of(&f);
	struct ht_timeline_made *m = build(&f, &model, NULL);
	const struct ht_timeline *t = &m->timeline;
	check_shape(t);
	assert_int_equal(t->task_count, 3);
	assert_string_equal(t->tasks[0].name, "query");
	assert_int_equal(t->tasks[0].id, 7);
	assert_int_equal(t->tasks[0].begin_ns, 12 * US);
	assert_int_equal(t->tasks[0].end_ns, 34 * US);
	assert_true(t->tasks[0].ended && t->tasks[1].ended && !t->tasks[2].ended);
	assert_int_equal(t->tasks[0].piece_count, 1);
	assert_int_equal(t->tasks[0].pieces[0].thread, 1);
	assert_int_equal(t->tasks[0].pieces[0].begin_ns, 14 * US);
	assert_int_equal(t->tasks[0].pieces[0].end_ns, 33 * US);
	ht_timeline_free(m);
	fixture_end(&f);
}

/* Only the time of the tasks of a type is there, and in between nothing is known. */
static void test_windows(void **state)
{
	struct fixture f;
	(void)state;
	tasks_of(&f);
	struct ht_timeline_made *m = build(&f, &model, "query");
	const struct ht_timeline *t = &m->timeline;
	check_shape(t);
	assert_int_equal(t->from_ns, 12 * US);
	assert_int_equal(t->to_ns, 100 * US);
	for (size_t i = 0; i < t->span_count; i++)
		if (t->spans[i].begin_ns >= 34 * US && t->spans[i].end_ns <= 75 * US)
			assert_int_equal(t->spans[i].state, HT_TIMELINE_UNKNOWN);
	for (size_t i = 0; i < t->switch_count; i++)
		assert_true(t->switches[i].time_ns <= 34 * US || t->switches[i].time_ns >= 75 * US);
	/* the wait for the mutex began before and ended after the window */
	assert_int_equal(slice(t, "wait mutex 0x55d0")->begin_ns, 12 * US);
	assert_int_equal(slice(t, "wait mutex 0x55d0")->end_ns, 34 * US);
	assert_int_equal(t->arrow_count, 0);
	ht_timeline_free(m);

	m = build(&f, &model, "8");
	assert_int_equal(m->timeline.from_ns, 40 * US);
	assert_int_equal(m->timeline.to_ns, 55 * US);
	assert_int_equal(m->timeline.task_count, 1);
	check_shape(&m->timeline);
	ht_timeline_free(m);

	struct ht_timeline_options o = {.task = "none such"};
	struct ht_diag d;
	ht_analysis_options_init(&o.analysis);
	assert_int_equal(ht_timeline_build_of(&m, f.trace, &model, &o, &d), HT_ABSENT);
	fixture_end(&f);
}

/* Without a model: what was said, who began whom, and what is missing. */
static void test_said(void **state)
{
	struct fixture f;
	(void)state;
	two_threads(&f);
	f.now = 10 * US;
	fixture_event(&f, HT_OP_THREAD_START, 1, 0, 1);
	struct ht_event log = {.op = HT_OP_LOG, .thread = 1, .time = 20 * US, .stamped = true};
	log.extra = fixture_string(&f, "cache");
	log.extra2 = fixture_string(&f, "evicted 3");
	ht_trace_writer_event(f.writer, &log);
	f.now = 30 * US;
	fixture_event(&f, HT_OP_MARK, 0, 0, fixture_string(&f, "warm"));
	end_at(&f, 100 * US);
	struct ht_timeline_made *m = build(&f, NULL, NULL);
	const struct ht_timeline *t = &m->timeline;
	check_shape(t);
	assert_true(strstr(m->missing, "--events="));
	assert_int_equal(t->span_count, 0);
	assert_int_equal(t->threads[1].creator, 1);
	assert_int_equal(t->threads[0].creator, 0);
	assert_int_equal(t->instant_count, 2);
	assert_string_equal(t->instants[0].category, "cache");
	assert_string_equal(t->instants[0].message, "evicted 3");
	assert_int_equal(t->instants[0].thread, 1);
	assert_string_equal(t->instants[1].category, "mark");
	assert_string_equal(t->instants[1].message, "warm");
	ht_timeline_free(m);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states), cmocka_unit_test(test_chain), cmocka_unit_test(test_slices),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_tasks),  cmocka_unit_test(test_windows), cmocka_unit_test(test_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
