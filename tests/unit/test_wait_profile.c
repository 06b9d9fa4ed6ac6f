/* wait_profile: who is charged with which wait, and that totals are those of the waits. */
#include <stdlib.h>
#include <string.h>

#include "analyze_fixture.h"
#include "wait_profile.h"

enum { US = 1000 };

static struct ht_waited waited(unsigned kind, uint32_t thread, uint32_t stack, uint64_t object, uint64_t begin,
			       uint64_t end, uint32_t wake)
{
	return (struct ht_waited){.w = {.kind = (uint8_t)kind,
					.fd = -1,
					.thread = thread,
					.stack = stack,
					.object = object,
					.begin_ns = begin * US,
					.end_ns = end * US},
				  .wake = wake};
}

struct sums {
	size_t samples;
	int64_t count, amount;
};

static struct sums add_up(const struct ht_profile *p)
{
	struct sums s = {.samples = p->sample_count};
	for (size_t i = 0; i < p->sample_count; i++) {
		s.count += p->samples[i].values[0];
		s.amount += p->samples[i].values[1];
	}
	return s;
}

/* The sample whose innermost frame is at this address, or has this name; NULL: none. */
static const struct ht_profile_sample *sample_at(const struct ht_profile *p, uint64_t address, const char *name)
{
	for (size_t i = 0; i < p->sample_count; i++) {
		const struct ht_profile_sample *s = &p->samples[i];
		const struct ht_profile_location *l = &p->locations[s->locations[0]];
		if (name ? l->line_count && !strcmp(p->functions[l->lines[0].function].name, name) : l->address == address - 1)
			return s;
	}
	return NULL;
}

static void kinds(void **state)
{
	struct fixture f;
	struct ht_wait_profile w;
	(void)state;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0);
	uint32_t a = fixture_thread(&f, image, 7, "a"), b = fixture_thread(&f, image, 8, "b");
	uint32_t m = fixture_module(&f, "/bin/waits", "") + 1;
	uint32_t lock = fixture_node(&f, 0, m, 0x1100), unlock = fixture_node(&f, 0, m, 0x1200);
	uint32_t sleep = fixture_node(&f, 0, m, 0x1300);
	fixture_image_end(&f, image, a);
	fixture_open(&f);
	struct ht_waited waits[] = {
		waited(HT_WAIT_MUTEX, a, lock, 0x10, 100, 200, 1),
		waited(HT_WAIT_MUTEX, a, lock, 0x20, 300, 350, 1),
		waited(HT_WAIT_COND, a, lock, 0x30, 400, 430, 1),
		waited(HT_WAIT_SLEEP, a, sleep, 0, 500, 600, 0),
		waited(HT_WAIT_MUTEX, b, lock, 0x10, 100, 110, 0),
	};
	struct ht_wake wake = {.kind = HT_WAIT_MUTEX, .thread = b, .stack = unlock, .time_ns = 200 * US, .object = 0x10};
	struct ht_span spans[] = {
		{0, 100 * US, 0, 0, 0, HT_STATE_RUNNING, 0},
		{100 * US, 195 * US, 1, 0, HT_NO_CPU, HT_STATE_BLOCKED, HT_WAIT_MUTEX},
		{195 * US, 200 * US, 1, 0, HT_NO_CPU, HT_STATE_RUNNABLE, 0},
		{200 * US, 700 * US, 0, 0, 0, HT_STATE_RUNNING, 0},
		{700 * US, 720 * US, 0, 0, HT_NO_CPU, HT_STATE_RUNNABLE, 0},
		{720 * US, 800 * US, 0, 0, 0, HT_STATE_RUNNING, 0},
	};
	struct ht_latency_thread thread = {.id = a, .end_ns = 800 * US, .spans = spans, .span_count = 6, .switched = true};
	struct ht_stall stall = {.op = HT_OP_MALLOC, .thread = a, .stack = sleep, .begin_ns = 210 * US, .end_ns = 215 * US};
	struct ht_fault faults[] = {{a, 0, 1, 0x1}, {a, 0, 2, 0x2}, {b, 0, 2, 0x3}};
	struct ht_fault_place at[] = {{lock, HT_FAULT_BLOCK}, {lock, HT_FAULT_BLOCK}, {m - 1, HT_FAULT_MODULE}};
	const struct ht_fault_places places = {.items = at};
	const struct ht_latency l = {.trace = f.trace, .to_ns = 800 * US, .threads = &thread, .thread_count = 1,
				     .waits = waits, .wait_count = 5, .wakes = &wake, .wake_count = 1,
				     .stalls = &stall, .stall_count = 1, .faults = faults, .fault_count = 3};
	struct ht_analysis *an = fixture_stacks(&f);
	const struct {
		enum ht_wait_profile_kind kind;
		struct sums sums;
	} wanted[] = {
		{HT_WAIT_PROFILE_MUTEX, {2, 3, 160 * US}}, {HT_WAIT_PROFILE_BLOCK, {1, 4, 190 * US}},
		{HT_WAIT_PROFILE_IO, {1, 1, 100 * US}},	   {HT_WAIT_PROFILE_SCHED, {2, 2, 25 * US}},
		{HT_WAIT_PROFILE_STALL, {1, 1, 5 * US}},   {HT_WAIT_PROFILE_FAULT, {2, 3, 3 * 4096}},
	};
	for (size_t i = 0; i < HT_ARRAY_SIZE(wanted); i++) {
		ht_wait_profile_make(&w, wanted[i].kind, 0, &l, an->stacks, &places);
		const struct ht_profile *p = ht_made_profile(an, &w.made, NULL, 0);
		struct sums s = add_up(p);
		assert_int_equal(s.samples, wanted[i].sums.samples);
		assert_int_equal(s.count, wanted[i].sums.count);
		assert_int_equal(s.amount, wanted[i].sums.amount);
		assert_int_equal(p->type_count, 2);
		if (wanted[i].kind == HT_WAIT_PROFILE_MUTEX) {
			assert_string_equal(p->default_type, "delay");
			assert_int_equal(sample_at(p, 0x1200, NULL)->values[1], 150 * US);
			assert_int_equal(sample_at(p, 0, "(unlock not seen)")->values[1], 10 * US);
		}
		if (wanted[i].kind == HT_WAIT_PROFILE_SCHED) {
			assert_int_equal(sample_at(p, 0x1200, NULL)->values[1], 5 * US);
			assert_int_equal(sample_at(p, 0, "(preempted)")->values[1], 20 * US);
		}
		if (wanted[i].kind == HT_WAIT_PROFILE_FAULT) {
			assert_int_equal(sample_at(p, 0x1100, NULL)->values[0], 2);
			assert_int_equal(sample_at(p, 0, "(module waits)")->values[0], 1);
		}
		ht_profile_free(p);
		ht_wait_profile_release(&w);
	}
	/* Labels tell apart, and add up to the same. */
	ht_wait_profile_make(&w, HT_WAIT_PROFILE_BLOCK, HT_WAIT_LABEL_THREAD | HT_WAIT_LABEL_LOCK, &l, an->stacks, &places);
	const struct ht_profile *p = ht_made_profile(an, &w.made, NULL, 0);
	assert_int_equal(add_up(p).samples, 4);
	assert_int_equal(add_up(p).amount, 190 * US);
	for (size_t i = 0; i < p->sample_count; i++)
		if (p->samples[i].values[1] == 10 * US) {
			assert_string_equal(p->samples[i].labels[0].str, "b");
			assert_string_equal(p->samples[i].labels[1].str, "mutex 0x10");
		}
	ht_profile_free(p);
	ht_wait_profile_release(&w);
	ht_analysis_free(an);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(kinds)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
