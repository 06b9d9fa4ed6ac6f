/* test_trace_roundtrip: what goes into the writer comes out of the reader, field by field. */
#include "test_trace_model.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void say(void *ctx, const char *line)
{
	(void)ctx;
	print_message("%s\n", line);
}

static void check(const struct model *m, const struct ht_trace *t, bool finished)
{
	bool footer;
	uint64_t violations;
	const struct ht_trace_totals *totals = ht_trace_totals(t, &footer);
	assert_int_equal(footer, finished);
	assert_int_equal(ht_trace_verdict(t), finished ? HT_VERDICT_OK : HT_VERDICT_TRUNCATED);
	model_compare_dictionaries(m, t);
	model_compare_events(m, t, m->event_count);
	if (!finished) {
		assert_int_equal(ht_trace_exit_status(t), -1);
		assert_int_equal(ht_trace_verify(t, NULL, NULL, 0, &violations), HT_ERR_TRUNCATED);
		assert_int_equal(violations, 1);
		return;
	}
	assert_string_equal(ht_trace_verdict_text(t), "");
	assert_int_equal(ht_trace_exit_status(t), 256);
	assert_int_equal(totals->events, m->event_count);
	assert_int_equal(totals->births, m->totals.births);
	assert_int_equal(totals->deaths, m->totals.deaths);
	assert_int_equal(totals->requested_bytes, m->totals.requested_bytes);
	assert_int_equal(totals->blocked_ns, 77);
	assert_int_equal(ht_trace_verify(t, say, NULL, 10, &violations), 0);
	assert_int_equal(violations, 0);
}

static void round_trip(const struct model_options *o, bool finish)
{
	struct model m;
	struct ht_trace *t;
	struct ht_diag d;
	int fd = model_file("", 0);
	model_write(&m, o, fd, finish);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	check(&m, t, finish);
	const struct ht_trace_settings *a = &m.settings, *b = ht_trace_settings(t);
	assert_int_equal(a->start_utc_ns, b->start_utc_ns);
	assert_int_equal(a->start_monotonic_ns, b->start_monotonic_ns);
	assert_int_equal(a->start_boottime_ns, b->start_boottime_ns);
	assert_int_equal(a->time_unit_ns, b->time_unit_ns);
	assert_int_equal(a->addresses, b->addresses);
	assert_int_equal(a->free_stacks, b->free_stacks);
	assert_int_equal(a->stack_depth, b->stack_depth);
	assert_string_equal(a->clock, b->clock);
	assert_string_equal(a->hostname, b->hostname);
	assert_string_equal(a->flags, b->flags);
	assert_memory_equal(a->command, b->command, sizeof("prog\0--flag\0"));
	ht_trace_close(t);
	close(fd);
	model_release(&m);
}

static void test_small(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct model_options o = {.seed = seed,
					  .events = 1 + seed * 37 % 900,
					  .threads = 1 + seed % 5,
					  .images = 1 + seed % 3,
					  .addresses = seed % 4 != 0,
					  .time_unit_ns =
					      (uint32_t[]){1, 1000, 10000, 7, 100}[seed % 5],
					  .flush_every = seed % 3 * 50,
					  .odd_addresses = seed % 7 == 0,
					  .dictionary_every = seed % 2 * 40};
		round_trip(&o, seed % 6 != 0);
	}
}

static void test_many_blocks(void **state)
{
	(void)state;
	struct model_options o = {.seed = 99,
				  .events = 900000,
				  .threads = 6,
				  .images = 2,
				  .addresses = true,
				  .time_unit_ns = 1000,
				  .dictionary_every = 5000};
	round_trip(&o, true);
	o.odd_addresses = true;
	o.events = 300000;
	o.addresses = false;
	round_trip(&o, true);
}

static void test_many_threads(void **state)
{
	(void)state;
	/* more threads than a block's thread table can hold */
	struct ht_trace_settings s = {.time_unit_ns = 1, .addresses = true};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	struct ht_image image = {.pid = 1, .end_ns = UINT64_MAX, .wait_status = -1};
	ht_trace_writer_image(w, &image);
	for (uint32_t i = 0; i < 150000; i++) {
		struct ht_thread_info info = {.tid = i, .serial = i, .end_ns = UINT64_MAX};
		ht_trace_writer_thread(w, &info);
		struct ht_event e = {.op = HT_OP_MALLOC,
				     .stamped = true,
				     .thread = i,
				     .time = i * 3,
				     .address = i * 16 + 16};
		ht_trace_writer_event(w, &e);
	}
	assert_int_equal(ht_trace_writer_finish(w, &totals, -1, &d), 0);
	struct ht_trace *t;
	uint64_t violations;
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_int_equal(ht_trace_totals(t, NULL)->births, 150000);
	assert_int_equal(ht_trace_exit_status(t), -1);
	assert_int_equal(ht_trace_verify(t, say, NULL, 10, &violations), 0);
	ht_trace_close(t);
	close(fd);
}

static void test_while_written(void **state)
{
	(void)state;
	struct ht_trace_settings s = {.time_unit_ns = 1000};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	struct ht_trace *t;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	struct ht_image image = {.pid = 1, .end_ns = UINT64_MAX, .wait_status = -1};
	struct ht_thread_info info = {.tid = 1, .end_ns = UINT64_MAX};
	ht_trace_writer_image(w, &image);
	ht_trace_writer_thread(w, &info);
	for (uint64_t i = 0; i < 10; i++) {
		struct ht_event e = {
		    .op = HT_OP_MALLOC, .stamped = true, .time = i * 1000, .size = i};
		assert_int_equal(ht_trace_writer_event(w, &e), i);
		assert_int_equal(model_reopen(&t, fd, &d), 0);
		assert_int_equal(ht_trace_verdict(t), HT_VERDICT_TRUNCATED);
		assert_int_equal(ht_trace_block_count(t), i);
		ht_trace_close(t);
		assert_int_equal(ht_trace_writer_flush(w, &d), 0);
	}
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
	assert_int_equal(ht_trace_block_count(t), 10);
	assert_int_equal(ht_trace_exit_status(t), 0);
	assert_int_equal(ht_trace_duration_ns(t), 9000);
	ht_trace_close(t);
	close(fd);
}

static void test_empty_trace(void **state)
{
	(void)state;
	struct ht_trace_settings s = {0};
	struct ht_trace_totals totals = {.lost[HT_LOST_NESTED] = 3, .counted = 3};
	struct ht_diag d;
	struct ht_trace *t;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	assert_int_equal(ht_trace_writer_finish(w, &totals, 9, &d), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
	assert_int_equal(ht_trace_block_count(t), 0);
	assert_int_equal(ht_trace_exit_status(t), 9);
	assert_int_equal(ht_trace_totals(t, NULL)->lost[HT_LOST_NESTED], 3);
	assert_int_equal(ht_trace_settings(t)->time_unit_ns, 1000);
	assert_string_equal(ht_trace_settings(t)->clock, "");
	assert_null(ht_trace_thread(t, 0));
	assert_null(ht_trace_image(t, 0));
	assert_null(ht_trace_module(t, 0));
	assert_null(ht_trace_block(t, 0));
	ht_trace_close(t);
	close(fd);
}

/* A caller's mistakes must not make a file that nobody can read. */
static void test_bad_caller(void **state)
{
	(void)state;
	struct ht_trace_settings s = {.time_unit_ns = 1000, .addresses = true};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	struct ht_trace *t;
	uint64_t violations;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	struct ht_image image = {.pid = 1, .end_ns = UINT64_MAX, .wait_status = -1};
	struct ht_thread_info info = {.tid = 1, .end_ns = UINT64_MAX};
	struct ht_event lost = {.op = HT_OP_MALLOC, .thread = UINT32_MAX};
	ht_trace_writer_event(w, &lost);
	ht_trace_writer_image(w, &image);
	ht_trace_writer_thread(w, &info);
	ht_trace_writer_event(w, &lost);
	struct ht_event stack = {.op = HT_OP_MALLOC, .stack = 12, .address = 32};
	assert_int_equal(ht_trace_writer_event(w, &stack), 0);
	struct ht_event future = {.op = HT_OP_FREE, .seq = 1, .address = 48};
	ht_trace_writer_event(w, &future);
	assert_int_equal(ht_trace_writer_bad_references(w), 4);
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_int_equal(ht_trace_verify(t, say, NULL, 10, &violations), 0);
	assert_int_equal(ht_trace_totals(t, NULL)->events, 2);
	assert_int_equal(ht_trace_totals(t, NULL)->unknown_frees, 1);
	ht_trace_close(t);
	close(fd);
}

static void *decode_all(void *arg)
{
	const struct ht_trace *t = arg;
	struct ht_events e = {0};
	size_t n = 0;
	for (size_t i = 0; i < ht_trace_block_count(t); i++)
		if (!ht_trace_block_decode(t, i, &e, NULL))
			n += e.count;
	ht_events_release(&e);
	return (void *)n;
}

static void test_threads_decode_at_once(void **state)
{
	(void)state;
	struct model m;
	struct ht_trace *t;
	struct ht_diag d;
	pthread_t threads[4];
	struct model_options o = {.seed = 5,
				  .events = 20000,
				  .threads = 4,
				  .images = 1,
				  .addresses = true,
				  .time_unit_ns = 1000,
				  .flush_every = 300};
	int fd = model_file("", 0);
	model_write(&m, &o, fd, true);
	/* one block is broken: each thread meets it, one words it */
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	const struct ht_block_info *b = ht_trace_block(t, 20);
	assert_int_equal(pwrite(fd, "broken", 6, (off_t)b->offset + 70), 6);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, decode_all, t), 0);
	for (int i = 0; i < 4; i++) {
		void *n;
		pthread_join(threads[i], &n);
		assert_int_equal((size_t)n, m.event_count - b->events);
	}
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_DAMAGED);
	assert_non_null(strstr(ht_trace_verdict_text(t), "checksum"));
	ht_trace_close(t);
	close(fd);
	model_release(&m);
}

/* More blocks than a footer lists: the reader scans, and all is as good. */
static void test_without_index(void **state)
{
	(void)state;
	struct ht_trace_settings s = {.time_unit_ns = 1000};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	struct ht_trace *t;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	struct ht_image image = {.end_ns = UINT64_MAX};
	for (uint32_t i = 0; i <= 256 << 10; i++) {
		ht_trace_writer_string(w, "x", 1);
		assert_int_equal(ht_trace_writer_flush(w, &d), 0);
	}
	ht_trace_writer_image(w, &image);
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
	assert_int_equal(ht_trace_image_count(t), 1);
	assert_string_equal(ht_trace_string(t, (256 << 10) + 1, NULL), "x");
	ht_trace_close(t);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_small),
	    cmocka_unit_test(test_many_blocks),
	    cmocka_unit_test(test_many_threads),
	    cmocka_unit_test(test_while_written),
	    cmocka_unit_test(test_empty_trace),
	    cmocka_unit_test(test_bad_caller),
	    cmocka_unit_test(test_threads_decode_at_once),
	    cmocka_unit_test(test_without_index),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
