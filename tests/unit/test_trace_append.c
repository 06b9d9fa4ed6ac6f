/*
 * test_trace_append: symbols stored in a closed trace. Whatever the moment at which adding stops, the trace
 * reads as before; nothing else in it ever changes.
 */
#include "test_trace_model.h"

#include <setjmp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/ht-append-XXXXXX";

static const struct model_options small = {
	.seed = 5, .events = 300, .threads = 3, .images = 1, .addresses = true, .time_unit_ns = 1000};

/* A trace at path. */
static void make(struct model *m, bool finish)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	model_write(m, &small, fd, finish);
	close(fd);
}

static uint8_t *file_bytes(size_t *n)
{
	int fd = open(path, O_RDONLY);
	uint8_t *bytes = model_bytes(fd, n);
	close(fd);
	return bytes;
}

static void add(uint32_t module, uint32_t format, const void *data, size_t n)
{
	struct ht_trace_appender *a;
	struct ht_diag d;
	assert_int_equal(ht_trace_appender_open(&a, path, &d), 0);
	assert_int_equal(ht_trace_appender_symbols(a, module, format, data, n, &d), 0);
	assert_int_equal(ht_trace_appender_finish(a, &d), 0);
}

static void expect(const struct ht_trace *t, uint32_t module, uint32_t format, const void *data, size_t n)
{
	struct ht_buf got = {0};
	struct ht_diag d;
	uint32_t f = 0;
	ht_buf_append(&got, "x", 1); /* what is there stays */
	assert_int_equal(ht_trace_symbols(t, module, &f, &got, &d), 0);
	assert_int_equal(f, format);
	assert_int_equal(got.len, n + 1);
	assert_memory_equal(got.data + 1, data, n);
	ht_buf_release(&got);
}

static void same_trace(const struct model *m, const struct ht_trace *t)
{
	bool footer;
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
	assert_string_equal(ht_trace_verdict_text(t), "");
	model_compare_events(m, t, m->event_count);
	model_compare_dictionaries(m, t);
	assert_int_equal(ht_trace_totals(t, &footer)->blocked_ns, 77);
	assert_int_equal(ht_trace_totals(t, NULL)->births, m->next_seq);
	assert_int_equal(ht_trace_exit_status(t), 256);
	assert_true(footer);
}

static void test_symbols(void **state)
{
	(void)state;
	struct model m;
	struct ht_trace *t;
	struct ht_diag d;
	struct ht_buf none = {0};
	uint32_t format;
	make(&m, true);
	assert_true(m.module_count >= 2);
	size_t big = (20u << 20) + 12345; /* three parts */
	uint8_t *bytes = ht_xmalloc(big);
	for (size_t i = 0; i < big; i++)
		bytes[i] = (uint8_t)(i * i >> 7);
	add(1, 7, "first", 5);
	add(0, 8, bytes, big);
	add(1, 9, "second, which counts", 20);
	assert_int_equal(ht_trace_open(&t, path, &d), 0);
	same_trace(&m, t);
	expect(t, 0, 8, bytes, big);
	expect(t, 1, 9, "second, which counts", 20);
	assert_int_equal(ht_trace_symbols(t, UINT32_MAX, &format, &none, &d), HT_ABSENT);
	assert_int_equal(ht_trace_verify(t, NULL, NULL, 0, NULL), 0);
	ht_trace_close(t);
	add(1, 10, "", 0);
	assert_int_equal(ht_trace_open(&t, path, &d), 0);
	expect(t, 1, 10, "", 0);
	expect(t, 0, 8, bytes, big);
	ht_trace_close(t);
	free(bytes);
	model_release(&m);
}

/* Cut off anywhere behind the old END, or followed by pages never written: the trace as it was. */
static void test_interrupted(void **state)
{
	(void)state;
	struct model m;
	struct ht_trace *t;
	struct ht_diag d;
	size_t before, after;
	make(&m, true);
	free(file_bytes(&before));
	add(0, 1, "some symbols", 12);
	uint8_t *bytes = file_bytes(&after), *cut = ht_xcalloc(after + 5000, 1);
	memcpy(cut, bytes, after);
	for (size_t n = before; n <= after; n++) {
		assert_int_equal(model_open(&t, cut, n, &d), 0);
		same_trace(&m, t);
		if (n == after)
			expect(t, 0, 1, "some symbols", 12);
		ht_trace_close(t);
	}
	assert_int_equal(model_open(&t, cut, after + 5000, &d), 0);
	same_trace(&m, t);
	ht_trace_close(t);
	/* something else behind it is damage */
	memset(cut + after, 'x', 300);
	assert_int_equal(model_open(&t, cut, after + 300, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_DAMAGED);
	ht_trace_close(t);
	/* symbols that rotted are refused, and nothing else */
	cut[before + 70] ^= 1;
	assert_int_equal(model_open(&t, cut, after, &d), 0);
	same_trace(&m, t);
	struct ht_buf out = {0};
	uint32_t format;
	assert_int_equal(ht_trace_symbols(t, 0, &format, &out, &d), HT_ERR_DAMAGED);
	assert_int_equal(out.len, 0);
	ht_buf_release(&out);
	ht_trace_close(t);
	free(cut);
	free(bytes);
	model_release(&m);
}

static void test_refused(void **state)
{
	(void)state;
	struct model m;
	struct ht_trace_appender *a, *b;
	struct ht_diag d;
	size_t before, after;
	assert_int_equal(ht_trace_appender_open(&a, "/nonexistent/x.tide", &d), HT_ERR_SYSTEM);
	make(&m, false);
	uint8_t *bytes = file_bytes(&before);
	assert_int_equal(ht_trace_appender_open(&a, path, &d), HT_ERR_TRUNCATED);
	assert_null(a);
	uint8_t *now = file_bytes(&after);
	assert_int_equal(after, before);
	assert_memory_equal(now, bytes, before);
	free(now);
	free(bytes);
	model_release(&m);
	make(&m, true);
	bytes = file_bytes(&before);
	assert_int_equal(ht_trace_appender_open(&a, path, &d), 0);
	assert_int_equal(ht_trace_appender_open(&b, path, &d), HT_ERR_SYSTEM); /* one at a time */
	assert_int_equal(ht_trace_appender_symbols(a, (uint32_t)m.module_count, 1, "x", 1, &d), HT_ERR_USAGE);
	assert_int_equal(ht_trace_appender_symbols(a, 0, 1, "x", 1, &d), 0);
	ht_trace_appender_abandon(a);
	now = file_bytes(&after);
	assert_int_equal(after, before);
	assert_memory_equal(now, bytes, before);
	free(now);
	/* the disk is full */
	struct rlimit old, limit;
	getrlimit(RLIMIT_FSIZE, &old);
	limit = old;
	limit.rlim_cur = before + 100;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(ht_trace_appender_open(&a, path, &d), 0);
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_int_equal(ht_trace_appender_symbols(a, 0, 1, bytes, before, &d), HT_ERR_SYSTEM);
	assert_int_not_equal(ht_trace_appender_finish(a, &d), 0);
	setrlimit(RLIMIT_FSIZE, &old);
	now = file_bytes(&after);
	assert_int_equal(after, before);
	assert_memory_equal(now, bytes, before);
	free(now);
	free(bytes);
	model_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_symbols), cmocka_unit_test(test_interrupted), cmocka_unit_test(test_refused)};
	int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
