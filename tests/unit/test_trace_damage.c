/*
 * test_trace_damage: what becomes of a trace that was cut, turned or shuffled. Cutting leaves
 * exactly the complete blocks; any other change costs at most the block it hits, and is always
 * reported.
 */
#include "test_trace_model.h"
#include "trace_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* A small trace of several blocks, and where they are. */
struct sample_trace {
	struct model m;
	uint8_t *bytes;
	size_t size, header;
	struct {
		size_t offset, end;
		struct ht_block_head head;
	} block[128];
	size_t blocks;
};

static void setup(struct sample_trace *s, bool finish)
{
	struct model_options o = {.seed = 7,
				  .events = 90,
				  .threads = 3,
				  .images = 2,
				  .addresses = true,
				  .time_unit_ns = 1000,
				  .flush_every = 30,
				  .dictionary_every = 60};
	int fd = model_file("", 0);
	model_write(&s->m, &o, fd, finish);
	s->bytes = model_bytes(fd, &s->size);
	close(fd);
	s->header = s->bytes[12] | (size_t)s->bytes[13] << 8;
	s->blocks = 0;
	for (size_t at = s->header; at < s->size;) {
		assert_true(s->blocks < HT_ARRAY_SIZE(s->block));
		assert_true(ht_block_head_get(&s->block[s->blocks].head, s->bytes + at));
		s->block[s->blocks].offset = at;
		at += HT_BLOCK_HEAD + s->block[s->blocks].head.packed_len;
		s->block[s->blocks++].end = at;
	}
}

static void teardown(struct sample_trace *s)
{
	free(s->bytes);
	model_release(&s->m);
}

/* Decodes what can be decoded. */
static size_t count_events(const struct ht_trace *t)
{
	struct ht_events e = {0};
	size_t n = 0;
	for (size_t i = 0; i < ht_trace_block_count(t); i++)
		if (!ht_trace_block_decode(t, i, &e, NULL))
			n += e.count;
	ht_events_release(&e);
	return n;
}

static void check_cut(const struct sample_trace *s, size_t size)
{
	struct ht_trace *t;
	struct ht_diag d;
	size_t events = 0;
	bool footer = false, has_footer;
	int err = model_open(&t, s->bytes, size, &d);
	if (size < HT_FILE_MAGIC_LEN) {
		assert_int_equal(err, HT_ERR_NOT_A_TRACE);
		assert_null(t);
		return;
	}
	assert_int_equal(err, 0);
	for (size_t i = 0; i < s->blocks && s->block[i].end <= size; i++) {
		events += s->block[i].head.kind == HT_KIND_EVENTS ? s->block[i].head.count : 0;
		footer |= s->block[i].head.kind == HT_KIND_FOOTER;
	}
	assert_int_equal(ht_trace_verdict(t),
			 size == s->size && footer ? HT_VERDICT_OK : HT_VERDICT_TRUNCATED);
	model_compare_events(&s->m, t, events);
	ht_trace_totals(t, &has_footer);
	assert_int_equal(has_footer, footer);
	ht_trace_close(t);
}

static void test_cut_everywhere(void **state)
{
	(void)state;
	for (int finish = 0; finish < 2; finish++) {
		struct sample_trace s;
		setup(&s, finish);
		for (size_t size = 0; size <= s.size; size++)
			check_cut(&s, size);
		teardown(&s);
	}
}

static void check_turned(const struct sample_trace *s, const uint8_t *bytes, size_t at)
{
	struct ht_trace *t;
	struct ht_diag d;
	uint64_t violations;
	size_t events = s->m.event_count;
	assert_int_equal(model_open(&t, bytes, s->size, &d), 0);
	for (size_t i = 0; i < s->blocks; i++)
		if (at >= s->block[i].offset && at < s->block[i].end &&
		    s->block[i].head.kind == HT_KIND_EVENTS)
			events -= s->block[i].head.count;
	assert_int_equal(count_events(t), events);
	if (ht_trace_verdict(t) != HT_VERDICT_DAMAGED)
		fail_msg("byte %zu: not reported", at);
	assert_true(ht_trace_verdict_text(t)[0] != '\0');
	if (at % 8 == 0) {
		assert_int_equal(ht_trace_verify(t, NULL, NULL, 0, &violations), HT_ERR_DAMAGED);
		assert_true(violations > 0);
	}
	ht_trace_close(t);
}

static void test_turn_every_byte(void **state)
{
	(void)state;
	struct sample_trace s;
	setup(&s, true);
	for (size_t at = 0; at < s.size; at++) {
		uint8_t was = s.bytes[at], to[] = {(uint8_t)~was, was ^ 1, 0};
		for (unsigned i = 0; i < 3; i++) {
			if (to[i] == was)
				continue;
			s.bytes[at] = to[i];
			check_turned(&s, s.bytes, at);
		}
		s.bytes[at] = was;
	}
	teardown(&s);
}

/* The file without a block, with one twice, with two exchanged. */
static void test_shuffled_blocks(void **state)
{
	(void)state;
	struct sample_trace s;
	setup(&s, true);
	for (size_t i = 0; i + 2 < s.blocks; i++) {
		for (int how = 0; how < 3; how++) {
			struct ht_buf b = {0};
			struct ht_trace *t;
			struct ht_diag d;
			ht_buf_append(&b, s.bytes, s.block[i].offset);
			size_t length = s.block[i].end - s.block[i].offset;
			size_t next = s.block[i + 1].end - s.block[i + 1].offset;
			if (how == 1) {
				ht_buf_append(&b, s.bytes + s.block[i].offset, length);
				ht_buf_append(&b, s.bytes + s.block[i].offset, length);
			}
			if (how == 2) {
				ht_buf_append(&b, s.bytes + s.block[i + 1].offset, next);
				ht_buf_append(&b, s.bytes + s.block[i].offset, length);
				ht_buf_append(&b, s.bytes + s.block[i + 1].end,
					      s.size - s.block[i + 1].end);
			} else {
				ht_buf_append(&b, s.bytes + s.block[i].end,
					      s.size - s.block[i].end);
			}
			assert_int_equal(model_open(&t, b.data, b.len, &d), 0);
			size_t got = count_events(t), want = s.m.event_count;
			bool events = s.block[i].head.kind == HT_KIND_EVENTS;
			if (how != 1 && events)
				want -= s.block[i].head.count;
			/* the index still holds, but for these two: neither is where it says */
			if (how == 2 && events && s.block[i + 1].head.kind == HT_KIND_EVENTS)
				want -= s.block[i + 1].head.count;
			if (got != want)
				fail_msg(
				    "block %zu of kind %u, way %d: %zu events instead of %zu: %s",
				    i, s.block[i].head.kind, how, got, want,
				    ht_trace_verdict_text(t));
			assert_int_equal(ht_trace_verdict(t), HT_VERDICT_DAMAGED);
			ht_trace_close(t);
			ht_buf_release(&b);
		}
	}
	teardown(&s);
}

/* Garbage between blocks, and pages that were never written at the end. */
static void test_garbage_and_zeros(void **state)
{
	(void)state;
	struct sample_trace s;
	struct ht_trace *t;
	struct ht_diag d;
	uint8_t page[5000] = {0};
	setup(&s, false);
	struct ht_buf b = {0};
	ht_buf_append(&b, s.bytes, s.size);
	ht_buf_append(&b, page, sizeof(page));
	assert_int_equal(model_open(&t, b.data, b.len, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_TRUNCATED);
	model_compare_events(&s.m, t, s.m.event_count);
	ht_trace_close(t);

	memset(page, 0xf7, sizeof(page));
	memcpy(page + 100, HT_BLOCK_MAGIC, 4);
	b.len = 0;
	ht_buf_append(&b, s.bytes, s.block[4].end);
	ht_buf_append(&b, page, sizeof(page));
	ht_buf_append(&b, s.bytes + s.block[4].end, s.size - s.block[4].end);
	assert_int_equal(model_open(&t, b.data, b.len, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_DAMAGED);
	model_compare_events(&s.m, t, s.m.event_count);
	ht_trace_close(t);
	ht_buf_release(&b);
	teardown(&s);
}

static void test_not_a_trace(void **state)
{
	(void)state;
	static const char text[] = "#!/bin/sh\necho this is something else altogether\n";
	struct sample_trace s;
	struct ht_trace *t;
	struct ht_diag d;
	assert_int_equal(model_open(&t, "", 0, &d), HT_ERR_NOT_A_TRACE);
	assert_int_equal(model_open(&t, text, sizeof(text), &d), HT_ERR_NOT_A_TRACE);
	assert_int_equal(ht_trace_open(&t, "/nonexistent/file.tide", &d), HT_ERR_SYSTEM);
	assert_null(t);
	assert_int_equal(ht_trace_open(&t, "/dev/null", &d), HT_ERR_NOT_A_TRACE);
	assert_int_equal(ht_trace_open(&t, "/tmp", &d), HT_ERR_NOT_A_TRACE);
	assert_non_null(strstr(d.text, "/tmp"));
	setup(&s, true);
	s.bytes[8] = 3; /* a newer major version, with a good checksum */
	uint64_t hash = ht_trace_hash(s.bytes, s.header - 8);
	memcpy(s.bytes + s.header - 8, &hash, 8);
	assert_int_equal(model_open(&t, s.bytes, s.size, &d), HT_ERR_VERSION);
	assert_non_null(strstr(d.text, "version 3"));
	s.bytes[8] = 1; /* an older one, which was never released */
	hash = ht_trace_hash(s.bytes, s.header - 8);
	memcpy(s.bytes + s.header - 8, &hash, 8);
	assert_int_equal(model_open(&t, s.bytes, s.size, &d), HT_ERR_VERSION);
	assert_non_null(strstr(d.text, "record it anew"));
	assert_null(strchr(d.text, '\n'));
	s.bytes[8] = HT_TRACE_VERSION; /* a newer minor one is ours to read */
	s.bytes[10] = 9;
	hash = ht_trace_hash(s.bytes, s.header - 8);
	memcpy(s.bytes + s.header - 8, &hash, 8);
	assert_int_equal(model_open(&t, s.bytes, s.size, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
	ht_trace_close(t);
	teardown(&s);
}

/* The disk fills up at some point: the writer goes on, the file is a readable prefix. */
static void write_limited(rlim_t limit)
{
	struct rlimit old, set;
	struct ht_trace_settings settings = {.time_unit_ns = 1000, .addresses = true};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	struct ht_trace *t;
	int fd = model_file("", 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	set = (struct rlimit){limit, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &set), 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &settings, &d);
	assert_non_null(w);
	struct ht_image image = {.end_ns = UINT64_MAX, .wait_status = -1};
	struct ht_thread_info thread = {.end_ns = UINT64_MAX};
	ht_trace_writer_image(w, &image);
	ht_trace_writer_thread(w, &thread);
	int err = 0;
	for (uint64_t i = 0; i < 2000; i++) {
		struct ht_stack_node node = {.address = i * 77777};
		struct ht_event e = {.op = HT_OP_MALLOC,
				     .stamped = true,
				     .time = i * i * 1000,
				     .size = i * 31,
				     .address = i * i * 16 + 16};
		e.stack = ht_trace_writer_node(w, &node);
		assert_int_equal(ht_trace_writer_event(w, &e), i);
		if (i % 50 == 49)
			err = ht_trace_writer_flush(w, &d);
	}
	uint64_t bytes = ht_trace_writer_bytes(w);
	assert_int_equal(err, HT_ERR_SYSTEM);
	assert_true(bytes <= limit);
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), HT_ERR_SYSTEM);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_TRUNCATED);
	uint64_t violations;
	assert_int_equal(ht_trace_verify(t, NULL, NULL, 0, &violations), HT_ERR_TRUNCATED);
	assert_int_equal(violations, 1);
	ht_trace_close(t);
	close(fd);
}

/* Nobody flushes: the blocks get small by themselves, and most of the room is used. */
static void test_small_disk(void **state)
{
	(void)state;
	const rlim_t limit = 400000;
	struct rlimit old, set;
	struct ht_trace_settings settings = {.time_unit_ns = 1000, .addresses = true};
	struct ht_thread_info thread = {.end_ns = UINT64_MAX};
	struct ht_trace *t;
	struct ht_diag d;
	int fd = model_file("", 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	set = (struct rlimit){limit, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &set), 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &settings, &d);
	assert_non_null(w);
	struct ht_image image = {.end_ns = UINT64_MAX, .wait_status = -1};
	ht_trace_writer_image(w, &image);
	ht_trace_writer_thread(w, &thread);
	for (uint64_t i = 0; i < 400000; i++) {
		struct ht_event e = {.op = HT_OP_MALLOC,
				     .stamped = true,
				     .time = i * 3000,
				     .size = i * UINT64_C(2654435761) % 5000,
				     .address = i * UINT64_C(2654435761) % (1 << 30) * 16};
		ht_trace_writer_event(w, &e);
	}
	uint64_t bytes = ht_trace_writer_bytes(w);
	ht_trace_writer_abandon(w);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_in_range(bytes, limit * 4 / 5, limit);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_TRUNCATED);
	assert_true(ht_trace_block_count(t) > 4);
	ht_trace_close(t);
	close(fd);
}

static void test_full_disk(void **state)
{
	(void)state;
	struct ht_trace_settings settings = {.time_unit_ns = 1000};
	struct ht_diag d;
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t limit = 100; limit < 12000; limit += 397)
		write_limited(limit);
	int fd = open("/dev/full", O_WRONLY);
	assert_null(ht_trace_writer_new(fd, &settings, &d));
	assert_non_null(strstr(d.text, "space"));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cut_everywhere),  cmocka_unit_test(test_turn_every_byte),
	    cmocka_unit_test(test_shuffled_blocks), cmocka_unit_test(test_garbage_and_zeros),
	    cmocka_unit_test(test_not_a_trace),	    cmocka_unit_test(test_full_disk),
	    cmocka_unit_test(test_small_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
