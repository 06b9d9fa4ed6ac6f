/* test_timeline_levels: counters, bursts and heaps: exact where they can be, bounded where they must be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyze_fixture.h"
#include "timeline_build.h"
#include "timeline_shape.h"

enum { US = 1000, MS = 1000000 };

static struct ht_timeline_made *build(struct fixture *f, uint64_t from, uint64_t to, const char *thread)
{
	struct ht_timeline_options o = {.heaps = true};
	struct ht_timeline_made *m = NULL;
	struct ht_diag d = {0};
	ht_analysis_options_init(&o.analysis);
	o.analysis.selection.from_ns = from;
	o.analysis.selection.to_ns = to;
	o.analysis.selection.thread = thread;
	int r = ht_timeline_build_of(&m, f->trace, NULL, &o, &d);
	if (r)
		fail_msg("%d: %s", r, d.text);
	const char *wrong = timeline_shape_wrong(&m->timeline);
	if (wrong)
		fail_msg("%s", wrong);
	return m;
}

static const struct ht_timeline_counter *counter(const struct ht_timeline *t, uint32_t process, const char *name)
{
	for (size_t i = 0; i < t->counter_count; i++)
		if (t->counters[i].process == process && !strcmp(t->counters[i].name, name))
			return &t->counters[i];
	fail_msg("there is no counter '%s'", name);
	return NULL;
}

static int64_t level_at(const struct ht_timeline_counter *c, uint64_t ns)
{
	int64_t level = -1;
	for (size_t i = 0; i < c->point_count && (uint64_t)c->points[i].time_ns <= ns; i++)
		level = c->points[i].bytes;
	return level;
}

static void check_points(const struct ht_timeline_counter *c, const struct ht_timeline *t)
{
	for (size_t i = 0; i < c->point_count; i++) {
		assert_true((uint64_t)c->points[i].time_ns >= t->from_ns && (uint64_t)c->points[i].time_ns <= t->to_ns);
		assert_true(!i || c->points[i].time_ns >= c->points[i - 1].time_ns + 10 * US);
		assert_true(c->points[i].bytes >= 0);
	}
	assert_true(c->point_count <= HT_TIMELINE_POINTS + 2);
}

static void begin(struct fixture *f, unsigned threads)
{
	char name[16];
	fixture_begin(f);
	f->now = 0;
	uint32_t image = fixture_image(f, 100, 0, 0);
	for (unsigned i = 0; i < threads; i++) {
		snprintf(name, sizeof(name), "thread-%u", i);
		fixture_thread(f, image, 100 + i, name);
	}
	fixture_event(f, HT_OP_IMAGE_START, 0, 0, 0);
}

/* 100 blocks of 1000 bytes, one each 100 us, then half of them are freed. */
static void steps_of_memory(struct fixture *f)
{
	uint64_t seqs[100];
	begin(f, 2);
	for (unsigned i = 0; i < 100; i++) {
		f->now = 100 * US * (i + 1);
		seqs[i] = fixture_birth(f, i & 1, 0, 1000);
		if (i % 10 == 9)
			fixture_cut(f);
	}
	for (unsigned i = 0; i < 50; i++) {
		f->now = 20 * MS + 100 * US * i;
		fixture_death(f, 0, 0, seqs[i]);
	}
	f->now = 40 * MS;
	fixture_image_end(f, 0, 0);
	fixture_open(f);
}

static void test_levels(void **state)
{
	struct fixture f;
	(void)state;
	steps_of_memory(&f);
	struct ht_timeline_made *m = build(&f, 0, UINT64_MAX, NULL);
	const struct ht_timeline *t = &m->timeline;
	const struct ht_timeline_counter *bytes = counter(t, 0, "live bytes"), *objects = counter(t, 0, "live objects");
	check_points(bytes, t);
	check_points(objects, t);
	check_points(counter(t, 0, "allocations"), t);
	assert_int_equal(bytes->unit, HT_TIMELINE_BYTES);
	assert_int_equal(level_at(bytes, 100 * US), 1000);
	assert_int_equal(level_at(bytes, 5 * MS), 50000);
	assert_int_equal(level_at(bytes, 15 * MS), 100000);
	assert_int_equal(level_at(bytes, 30 * MS), 50000);
	assert_int_equal(level_at(objects, 15 * MS), 100);
	assert_int_equal(level_at(counter(t, 0, "allocations"), 5 * MS), 10000); /* a second */
	assert_int_equal(level_at(counter(t, 0, "allocations"), 15 * MS), 0);
	assert_int_equal(level_at(counter(t, 0, "threads"), 15 * MS), 2);
	assert_int_equal(t->heap_count, 1);
	assert_int_equal(t->heaps[0].time_ns, 10 * MS);
	const struct ht_profile *p = t->heaps[0].profile;
	assert_string_equal(p->types[t->heaps[0].bytes_value].unit, "bytes");
	assert_int_equal(p->samples[0].values[t->heaps[0].bytes_value], 100000);
	assert_int_equal(p->samples[0].values[t->heaps[0].objects_value], 100);
	ht_timeline_free(m);
	fixture_end(&f);
}

/* In a window the levels are those of all that was live, as without one. */
static void test_window(void **state)
{
	struct fixture f;
	(void)state;
	steps_of_memory(&f);
	struct ht_timeline_made *whole = build(&f, 0, UINT64_MAX, NULL);
	static const struct {
		uint64_t from, to;
	} windows[] = {{5 * MS, 8 * MS}, {9 * MS, 22 * MS}, {21 * MS, 30 * MS}, {30 * MS, 40 * MS}};
	for (size_t i = 0; i < HT_ARRAY_SIZE(windows); i++) {
		struct ht_timeline_made *m = build(&f, windows[i].from, windows[i].to, NULL);
		const struct ht_timeline *t = &m->timeline;
		assert_int_equal(t->from_ns, windows[i].from);
		assert_int_equal(t->to_ns, windows[i].to);
		for (uint64_t ns = windows[i].from + 50 * US; ns < windows[i].to; ns += 100 * US)
			assert_int_equal(level_at(counter(t, 0, "live bytes"), ns),
					 level_at(counter(&whole->timeline, 0, "live bytes"), ns));
		check_points(counter(t, 0, "live bytes"), t);
		ht_timeline_free(m);
	}
	/* of one thread: half of it */
	struct ht_timeline_made *m = build(&f, 9 * MS, 15 * MS, "thread-1");
	assert_int_equal(m->timeline.thread_count, 1);
	assert_int_equal(level_at(counter(&m->timeline, 0, "live bytes"), 14 * MS), 50000);
	ht_timeline_free(m);
	ht_timeline_free(whole);
	fixture_end(&f);
}

/* A million events and more, at random: points stay few, the peak is exact, and so is the end. */
static void test_many_levels(void **state)
{
	struct fixture f;
	uint64_t random = 1, live = 0, peak = 0, peak_ns = 0, seqs[1000], sizes[1000];
	unsigned count = 0;
	(void)state;
	begin(&f, 1);
	for (unsigned i = 0; i < 300000; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		f.now += 500 + (random >> 40) % 20000 - 1000 + 1000 - 500; /* the fixture adds 1000 */
		if (count == 1000 || (count && random >> 63)) {
			unsigned k = (unsigned)(random >> 33) % count;
			fixture_death(&f, 0, 0, seqs[k]);
			live -= sizes[k];
			seqs[k] = seqs[--count];
			sizes[k] = sizes[count];
			continue;
		}
		sizes[count] = (random >> 20) % 5000;
		live += sizes[count];
		if (live > peak) {
			peak = live;
			peak_ns = f.now;
		}
		seqs[count] = fixture_birth(&f, 0, 0, sizes[count]);
		count++;
	}
	uint64_t end = f.now;
	f.now += 50 * MS;
	fixture_image_end(&f, 0, 0);
	fixture_open(&f);
	struct ht_timeline_made *m = build(&f, 0, UINT64_MAX, NULL);
	const struct ht_timeline_counter *c = counter(&m->timeline, 0, "live bytes");
	check_points(c, &m->timeline);
	bool found = false;
	for (size_t i = 0; i < c->point_count; i++) {
		assert_true((uint64_t)c->points[i].bytes <= peak);
		found |= (uint64_t)c->points[i].bytes == peak && (uint64_t)c->points[i].time_ns >= peak_ns &&
			 (uint64_t)c->points[i].time_ns < peak_ns + 20 * US;
	}
	assert_true(found);
	assert_true(llabs(level_at(c, end + 10 * MS) - (int64_t)live) <= (int64_t)live / 100 + 1);
	assert_int_equal(m->timeline.heaps[0].time_ns, peak_ns);
	ht_timeline_free(m);
	fixture_end(&f);
}

/* --- bursts ------------------------------------------------------------------------------- */

static const struct ht_timeline_slice *burst(const struct ht_timeline *t, size_t n)
{
	for (size_t i = 0; i < t->slice_count; i++)
		if (t->slices[i].category == HT_TIMELINE_BURST && !n--)
			return &t->slices[i];
	fail_msg("there are fewer bursts");
	return NULL;
}

static void test_bursts(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, 1);
	uint32_t module = fixture_module(&f, "/bin/program", "id") + 1;
	uint32_t small = fixture_node(&f, 0, module, 0x2000), large = fixture_node(&f, 0, module, 0x3000);
	f.now = 10 * US;
	for (unsigned i = 0; i < 10; i++) /* each 1 us */
		fixture_birth(&f, 0, i == 5 ? large : small, i == 5 ? 5000 : 10);
	f.now = 30 * US;
	fixture_birth(&f, 0, small, 7);
	fixture_event(&f, HT_OP_REGION_BEGIN, 0, 0, fixture_string(&f, "region"));
	fixture_birth(&f, 0, small, 8);
	fixture_event(&f, HT_OP_REGION_END, 0, 0, fixture_string(&f, "region"));
	f.now = 100 * US;
	fixture_image_end(&f, 0, 0);
	fixture_open(&f);
	struct ht_timeline_made *m = build(&f, 0, UINT64_MAX, NULL);
	const struct ht_timeline *t = &m->timeline;
	assert_int_equal(m->burst_gap_ns, 2000);
	const struct ht_timeline_slice *b = burst(t, 0);
	assert_int_equal(b->begin_ns, 10 * US);
	assert_int_equal(b->end_ns, 19 * US);
	assert_int_equal(b->objects, 10);
	assert_int_equal(b->bytes, 5090);
	assert_true(b->stack != 0);
	assert_string_equal(t->frames[t->stacks[b->stack - 1].frames[0]].module, "/bin/program");
	assert_int_equal(t->stacks[b->stack - 1].depth, 1);
	/* the two are 2 us apart, and a region begins in between */
	assert_int_equal(burst(t, 1)->bytes, 7);
	assert_int_equal(burst(t, 2)->bytes, 8);
	assert_true(burst(t, 1)->stack != b->stack);
	ht_timeline_free(m);
	fixture_end(&f);
}

static void test_many_bursts(void **state)
{
	struct fixture f;
	uint64_t objects = 0, bytes = 0;
	size_t count = 0;
	(void)state;
	begin(&f, 3);
	for (unsigned i = 0; i < 300000; i++) {
		f.now += 3 * US;
		fixture_birth(&f, i % 3, 0, 10);
	}
	fixture_image_end(&f, 0, 0);
	fixture_open(&f);
	struct ht_timeline_made *m = build(&f, 0, UINT64_MAX, NULL);
	for (size_t i = 0; i < m->timeline.slice_count; i++) {
		const struct ht_timeline_slice *s = &m->timeline.slices[i];
		assert_true(!i || s[-1].thread < s->thread || s[-1].end_ns <= s->begin_ns);
		objects += s->objects;
		bytes += s->bytes;
		count++;
	}
	assert_int_equal(objects, 300000);
	assert_int_equal(bytes, 3000000);
	assert_true(count <= HT_TIMELINE_BURSTS + 3);
	assert_true(m->burst_gap_ns > 2000);
	ht_timeline_free(m);
	fixture_end(&f);
}

/* --- processes ---------------------------------------------------------------------------- */

/* A program, the program that it becomes, and a child of it: two processes, each with its own heap. */
static void test_processes(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, 1);
	f.now = 1 * MS;
	fixture_birth(&f, 0, 0, 500);
	fixture_image_end(&f, 0, 0);
	uint32_t image = fixture_image(&f, 100, 1, 0), thread = fixture_thread(&f, image, 100, "");
	fixture_event(&f, HT_OP_IMAGE_START, thread, 0, 0);
	f.now = 2 * MS;
	fixture_birth(&f, thread, 0, 300);
	fixture_event(&f, HT_OP_FORK, thread, 0, 1);
	uint32_t child = fixture_image(&f, 200, image + 1, 1), other = fixture_thread(&f, child, 200, "");
	fixture_event(&f, HT_OP_IMAGE_START, other, 0, 0);
	f.now = 3 * MS;
	fixture_birth(&f, other, 0, 9000);
	f.now = 4 * MS;
	fixture_image_end(&f, child, other);
	fixture_image_end(&f, image, thread);
	fixture_open(&f);
	struct ht_timeline_made *m = build(&f, 0, UINT64_MAX, NULL);
	const struct ht_timeline *t = &m->timeline;
	assert_int_equal(t->process_count, 2);
	assert_int_equal(t->thread_count, 2);
	assert_int_equal(t->processes[1].pid, 200);
	assert_int_equal(t->heap_count, 2);
	assert_int_equal(t->heaps[0].time_ns, 1 * MS);
	assert_int_equal(t->heaps[0].profile->samples[0].values[1], 500);
	assert_int_equal(t->heaps[1].profile->samples[0].values[1], 9000);
	assert_int_equal(level_at(counter(t, 0, "live bytes"), 2 * MS + 500 * US), 300);
	assert_int_equal(level_at(counter(t, 1, "live bytes"), 3 * MS + 500 * US), 9000);
	ht_timeline_free(m);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels), cmocka_unit_test(test_window),	   cmocka_unit_test(test_many_levels),
		cmocka_unit_test(test_bursts), cmocka_unit_test(test_many_bursts), cmocka_unit_test(test_processes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
