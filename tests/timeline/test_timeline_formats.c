/*
 * What the exporters of timelines are made of: the order of a thread's steps, the wire format, losses that are said;
 * and what both do with nothing, with a descriptor that takes nothing, and twice with the same. What is in their
 * files, check_pftrace.py and check_chrome.py look at.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "chrome.h"
#include "perfetto.h"
#include "protobuf.h"
#include "timeline_fixture.h"
#include "timeline_walk.h"

static const struct ht_exporter *const exporters[] = {&ht_perfetto_exporter, &ht_chrome_exporter};

/* The steps of a thread as text: kind, item, time in us. */
static void steps_are(const struct ht_timeline *t, uint32_t thread, const char *wanted)
{
	static const char letters[] = ")<>!(";
	struct ht_timeline_order order;
	struct ht_timeline_walk w;
	struct ht_timeline_step s;
	struct ht_buf text = {0};
	ht_timeline_order_init(&order, t);
	ht_timeline_walk_init(&w, &order, thread);
	for (uint64_t next; (next = ht_timeline_peek(&w)) != UINT64_MAX;) {
		assert_true(ht_timeline_next(&w, &s));
		assert_true(s.time_ns == next);
		ht_buf_printf(&text, "%s%c%u@%g", text.len ? " " : "", letters[s.kind], s.item,
			      (double)s.time_ns / 1000);
	}
	assert_false(ht_timeline_next(&w, &s));
	ht_buf_byte(&text, '\0');
	assert_string_equal((char *)text.data, wanted);
	ht_buf_release(&text);
	ht_timeline_walk_release(&w);
	ht_timeline_order_release(&order);
}

static void walks_in_order(void **state)
{
	(void)state;
	steps_are(&ht_fixture, 0,
		  "(0@1000 (1@1000 )1@1010 !0@1100 >0@1399 (2@1490 )2@1910 <1@1910 (3@2000 )3@2000 (4@2500 (5@2500 "
		  ")5@2750 !1@2750 )4@3050 )0@3050 (6@3090 )6@6010 <3@6010 (7@6010 )7@6500");
	steps_are(&ht_fixture, 1, ">1@1800 <2@2300 (8@2900 )8@4600 >3@5500 >4@5500");
	steps_are(&ht_fixture, 4, "!2@2200 (12@2200 >2@2300 )12@9000");
}

/* Slices that do not nest are made to; a second one at the same begin is inside the first. */
static void walks_what_does_not_nest(void **state)
{
	static const struct ht_timeline_slice slices[] = {
		{0, HT_TIMELINE_REGION, 1000, 5000, "a", 0, 0, 0, ""},
		{0, HT_TIMELINE_REGION, 2000, 9000, "b", 0, 0, 0, ""},
		{0, HT_TIMELINE_REGION, 2000, 3000, "c", 0, 0, 0, ""},
		{0, HT_TIMELINE_REGION, 1500, 1600, "late", 0, 0, 0, ""},
		{0, HT_TIMELINE_REGION, 5000, 4000, "negative", 0, 0, 0, ""},
	};
	static const struct ht_timeline_thread threads[] = {{0, 1, "t", 0, 9000, 0}};
	const struct ht_timeline t = {.threads = threads, .thread_count = 1, .slices = slices, .slice_count = 5};
	(void)state;
	steps_are(&t, 0, "(0@1 (1@2 (2@2 (3@2 )3@2 )2@3 )1@5 )0@5 (4@5 )4@5");
}

static void writes_the_wire(void **state)
{
	static const uint8_t wanted[] = {0x08, 0x00, 0x12, 0x02, 'h', 'i', 0xf9, 0x02, 1, 0, 0, 0, 0, 0, 0, 0x80,
					 0xc9, 0x03, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f};
	struct ht_buf b = {0};
	(void)state;
	ht_pb_always(&b, 1, 0);
	ht_pb_uint(&b, 1, 0);
	ht_pb_text(&b, 2, "hi");
	ht_pb_fixed64(&b, 47, UINT64_C(0x8000000000000001));
	ht_pb_double(&b, 57, 1.0);
	assert_int_equal(b.len, sizeof(wanted));
	assert_memory_equal(b.data, wanted, sizeof(wanted));
	ht_buf_release(&b);
}

static size_t written(const struct ht_exporter *x, const struct ht_timeline *t, char **data)
{
	struct ht_diag d = {{0}, {0}};
	int fd = memfd_create("out", 0);
	assert_int_equal(x->write_timeline(t, fd, &d), 0);
	assert_string_equal(d.text, "");
	off_t n = lseek(fd, 0, SEEK_END);
	*data = malloc((size_t)n + 1);
	assert_int_equal(ht_pread_all(fd, *data, (size_t)n, 0), n);
	(*data)[n] = '\0';
	close(fd);
	return (size_t)n;
}

static void writes_the_same_twice(void **state)
{
	(void)state;
	struct ht_timeline *machine = ht_fixture_random(11, 9, 3, 2000);
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 2; k++) {
			char *a, *b;
			size_t n = written(exporters[i], k ? machine : &ht_fixture, &a);
			assert_int_equal(n, written(exporters[i], k ? machine : &ht_fixture, &b));
			assert_memory_equal(a, b, n);
			free(a);
			free(b);
		}
	}
	ht_fixture_free(machine);
}

static void writes_nothing(void **state)
{
	const struct ht_timeline empty = {.command = "", .hostname = "", .source = ""};
	char *data;
	(void)state;
	assert_in_range(written(&ht_perfetto_exporter, &empty, &data), 50, 200);
	free(data);
	written(&ht_chrome_exporter, &empty, &data);
	assert_string_equal(data, "{\"displayTimeUnit\":\"ns\",\n\"otherData\":{\"exporter\":\"heaptide\","
				  "\"command\":\"\",\"hostname\":\"\",\"start_utc_ns\":\"0\"},\n\"traceEvents\":[]}\n");
	free(data);
}

static void says_that_nothing_fits(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct ht_diag d = {{0}, {0}};
		int fd = open("/dev/full", O_WRONLY);
		assert_true(fd >= 0);
		assert_int_equal(exporters[i]->write_timeline(&ht_fixture, fd, &d), HT_ERR_SYSTEM);
		assert_non_null(strstr(d.text, "No space left on device"));
		close(fd);
	}
}

static void says_what_is_left_out(void **state)
{
	struct ht_diag d = {{0}, {0}};
	struct ht_timeline *machine = ht_fixture_random(3, 9, 3, 3000);
	char *text = NULL;
	int fd = memfd_create("out", 0);
	(void)state;
	assert_int_equal(ht_chrome_write(machine, 1000, fd, &d), 0);
	assert_non_null(strstr(d.text, "are left out"));
	assert_non_null(strstr(d.hint, "--from"));
	assert_non_null(strstr(d.hint, ".pftrace"));
	off_t n = lseek(fd, 0, SEEK_END);
	text = calloc(1, (size_t)n + 1);
	assert_int_equal(ht_pread_all(fd, text, (size_t)n, 0), n);
	assert_non_null(strstr(text, "\"left_out\":"));
	size_t events = 0;
	for (const char *at = text; (at = strstr(at, "{\"ph\":\"")); at++)
		events += at[7] != 'M';
	assert_in_range(events, 1, 1000);
	free(text);
	close(fd);
	ht_fixture_free(machine);
}

/* A machine with more processors than Perfetto takes: the others' switches are there, and it is said. */
static void says_which_processors_are_left_out(void **state)
{
	static const struct ht_timeline_process processes[] = {{1, "p", "p", 0, 9000}};
	static const struct ht_timeline_thread threads[] = {{0, 1, "t", 0, 9000, 0}, {0, 2, "u", 0, 9000, 0}};
	static const struct ht_timeline_switch switches[] = {
		{1000, 2000, 1, 0, false}, {2000, 1023, 2, 0, false}, {3000, 2000, 0, 1, false}};
	static const struct ht_timeline_arrow arrows[] = {{2500, 3100, 0, 1, "unlock", 0}};
	const struct ht_timeline t = {.processes = processes, .process_count = 1, .threads = threads, .thread_count = 2,
		.switches = switches, .switch_count = 3, .arrows = arrows, .arrow_count = 1, .to_ns = 9000,
		.clock_monotonic_ns = 1000000};
	struct ht_diag d = {{0}, {0}};
	int fd = memfd_create("out", 0);
	(void)state;
	assert_int_equal(ht_perfetto_exporter.write_timeline(&t, fd, &d), 0);
	assert_non_null(strstr(d.text, "2 context switches of processors from 1024 on are left out"));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_in_order),
		cmocka_unit_test(walks_what_does_not_nest),
		cmocka_unit_test(writes_the_wire),
		cmocka_unit_test(writes_the_same_twice),
		cmocka_unit_test(writes_nothing),
		cmocka_unit_test(says_that_nothing_fits),
		cmocka_unit_test(says_what_is_left_out),
		cmocka_unit_test(says_which_processors_are_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
