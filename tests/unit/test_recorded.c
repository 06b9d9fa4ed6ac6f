/* test_recorded: the header's field of what was asked for, written and read; what verify and views make of it. */
#include "recorded.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_trace_model.h"
#include "trace_layout.h"
#include "trace_totals.h"

enum { ALL = (1 << HT_EVENT_CLASSES) - 1 };

static struct ht_trace_writer *begin(int fd, uint32_t events)
{
	const struct ht_trace_settings s = {.time_unit_ns = 1000, .addresses = true, .clock = "tsc", .events = events};
	const struct ht_image image = {.end_ns = UINT64_MAX};
	const struct ht_thread_info thread = {.image = 0};
	struct ht_diag d;
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	assert_non_null(w);
	ht_trace_writer_image(w, &image);
	ht_trace_writer_thread(w, &thread);
	return w;
}

/* Ends and opens it. */
static struct ht_trace *finished(struct ht_trace_writer *w, int fd)
{
	struct ht_trace_totals totals = {0};
	struct ht_trace *t;
	struct ht_diag d;
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_string_equal(ht_trace_verdict_text(t), "");
	return t;
}

static struct ht_trace *made(uint32_t events)
{
	int fd = model_file("", 0);
	struct ht_trace *t = finished(begin(fd, events), fd);
	close(fd);
	return t;
}

static void test_words(void **state)
{
	static const struct {
		const char *text;
		uint32_t classes;
	} cases[] = {
		{"", 0},
		{"alloc", HT_CLASS_BIT(ALLOC)},
		{"fault,alloc", HT_CLASS_BIT(FAULT) | HT_CLASS_BIT(ALLOC)},
		{",,alloc,,io,", HT_CLASS_BIT(ALLOC) | HT_CLASS_BIT(IO)},
		{"alloc,later,sync", HT_CLASS_BIT(ALLOC) | HT_CLASS_BIT(SYNC)},
		{"allocs,all,sched ,+io", 0},
	};
	struct ht_buf b = {0};
	(void)state;
	for (size_t i = 0; i < HT_ARRAY_SIZE(cases); i++)
		assert_int_equal(ht_classes_of(cases[i].text, strlen(cases[i].text)), cases[i].classes);
	assert_int_equal(ht_classes_of("alloc\0,sync", 11), HT_CLASS_BIT(SYNC));
	ht_classes_text(&b, ALL);
	ht_buf_byte(&b, '\0');
	assert_string_equal(b.data, "alloc,map,thread,sync,io,sched,stall,fault");
	ht_buf_release(&b);
}

/* Each set there and back; none is no field at all. */
static void test_header(void **state)
{
	(void)state;
	for (uint32_t events = 0; events <= ALL; events++) {
		struct ht_trace *t = made(events);
		assert_int_equal(ht_trace_settings(t)->events, events);
		assert_string_equal(ht_trace_settings(t)->clock, "tsc");
		ht_trace_close(t);
	}
}

/* A field of a key that nobody knows is skipped: so do readers from before this one. */
static void test_unknown_key(void **state)
{
	static const char field[] = {HT_HEADER_EVENTS, 5, 'a', 'l', 'l', 'o', 'c'};
	struct ht_trace *t = NULL;
	struct ht_diag d;
	size_t n;
	int fd = model_file("", 0);
	(void)state;
	ht_trace_close(finished(begin(fd, HT_CLASS_BIT(ALLOC)), fd));
	uint8_t *bytes = model_bytes(fd, &n), *at = memmem(bytes, n, field, sizeof(field));
	assert_non_null(at);
	*at = 99;
	size_t header = bytes[12] | (size_t)bytes[13] << 8;
	uint64_t hash = ht_trace_hash(bytes, header - 8);
	memcpy(bytes + header - 8, &hash, 8);
	assert_int_equal(model_open(&t, bytes, n, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
	assert_int_equal(ht_trace_settings(t)->events, 0);
	assert_string_equal(ht_trace_settings(t)->clock, "tsc");
	assert_int_equal(ht_recorded(t, ALL), HT_RECORDED_UNKNOWN);
	ht_trace_close(t);
	free(bytes);
	close(fd);
}

/* --- verify ------------------------------------------------------------------------------- */

static void write_one(struct ht_trace_writer *w, enum ht_event_class class)
{
	struct ht_event e = {.op = HT_OP_MALLOC, .stamped = true, .address = 16, .size = 8};
	switch (class) {
	case HT_CLASS_ALLOC:
		ht_trace_writer_event(w, &e);
		break;
	case HT_CLASS_SYNC:
		ht_trace_writer_wait(w, &(struct ht_wait){.kind = HT_WAIT_ONCE, .call = HT_CALL_ONCE, .fd = -1, .end_ns = 9});
		break;
	case HT_CLASS_IO:
		ht_trace_writer_wait(w, &(struct ht_wait){.kind = HT_WAIT_SLEEP, .call = HT_CALL_SLEEP, .fd = -1, .end_ns = 9});
		break;
	case HT_CLASS_SCHED:
		ht_trace_writer_switch(w, &(struct ht_switch){.how = HT_SWITCH_IN, .time_ns = 5});
		break;
	case HT_CLASS_FAULT:
		ht_trace_writer_fault(w, &(struct ht_fault){.time_ns = 5, .address = 4096});
		break;
	default: /* nothing of the file shows that it was asked for */
		break;
	}
}

static void keep(void *ctx, const char *line)
{
	strncpy(ctx, line, 199);
}

/* What the header does not name is not there; a header that names nothing forbids nothing. */
static void test_verify(void **state)
{
	(void)state;
	for (unsigned there = 0; there < HT_EVENT_CLASSES; there++) {
		const bool shows = there != HT_CLASS_MAP && there != HT_CLASS_THREAD && there != HT_CLASS_STALL;
		const uint32_t named[] = {ALL, 1u << there, 0, ALL & ~(1u << there)};
		for (size_t i = 0; i < HT_ARRAY_SIZE(named); i++) {
			char line[200] = "", *wanted = ht_xasprintf("does not name '%s'", ht_event_class_names[there]);
			uint64_t violations;
			int fd = model_file("", 0);
			struct ht_trace_writer *w = begin(fd, named[i]);
			write_one(w, (enum ht_event_class)there);
			struct ht_trace *t = finished(w, fd);
			const bool bad = shows && i == 3;
			assert_int_equal(ht_trace_verify(t, keep, line, 9, &violations), bad ? HT_ERR_DAMAGED : 0);
			if (violations != bad || (bad && !strstr(line, wanted)))
				fail_msg("class %u, %zu: '%s'", there, i, line);
			free(wanted);
			ht_trace_close(t);
			close(fd);
		}
	}
}

/* --- what is said ------------------------------------------------------------------------- */

static void check_nothing(uint32_t events, uint32_t classes, enum ht_recorded recorded, const char *wanted)
{
	struct ht_trace *t = made(events);
	char *text = ht_recorded_nothing(t, classes, "nothing waited");
	assert_int_equal(ht_recorded(t, classes), recorded);
	assert_string_equal(text, wanted);
	free(text);
	ht_trace_close(t);
}

static void test_nothing(void **state)
{
	const uint32_t waits = HT_CLASSES_OF_WAITS, alloc = HT_CLASS_BIT(ALLOC), sync = HT_CLASS_BIT(SYNC);
	(void)state;
	check_nothing(0, waits, HT_RECORDED_UNKNOWN, "nothing waited (record with --events=+sync,+io)");
	check_nothing(alloc, waits, HT_RECORDED_NO, "waits were not recorded (record with --events=+sync,+io)");
	check_nothing(alloc, sync, HT_RECORDED_NO, "waits for locks were not recorded (record with --events=+sync)");
	check_nothing(alloc | sync, waits, HT_RECORDED_PARTLY,
		      "nothing waited\nwaits for I/O were not recorded (record with --events=+io)");
	check_nothing(alloc | sync, sync, HT_RECORDED_YES, "nothing waited");
	check_nothing(ALL, waits, HT_RECORDED_YES, "nothing waited");
}

/* Whatever is missing of what a view shows, it is one line of at most 100 columns. */
static void test_widths(void **state)
{
	const uint32_t views[] = {HT_CLASSES_OF_STATES, HT_CLASS_BIT(STALL) | HT_CLASS_BIT(FAULT), HT_CLASS_BIT(ALLOC)};
	(void)state;
	for (uint32_t classes = 1; classes <= ALL; classes++) {
		char *text = ht_unrecorded_text(classes, NULL);
		bool shown = false;
		for (size_t i = 0; i < HT_ARRAY_SIZE(views); i++)
			shown |= !(classes & ~views[i]);
		if (shown && strlen(text) > 100)
			fail_msg("%zu columns: %s", strlen(text), text);
		assert_null(strchr(text, '\n'));
		free(text);
	}
	char *text = ht_unrecorded_text(HT_CLASSES_OF_STATES, "so");
	assert_string_equal(text, "waits and context switches were not recorded: so (record with --events=+sync,+io,+sched)");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),  cmocka_unit_test(test_header),  cmocka_unit_test(test_unknown_key),
		cmocka_unit_test(test_verify), cmocka_unit_test(test_nothing), cmocka_unit_test(test_widths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
