/* test_trace_verify: each rule of the format broken once; verify names it, and only it. */
#include "test_trace_model.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MALLOC(thread_, address_) {.op = HT_OP_MALLOC, .stamped = true, .thread = thread_, .address = address_, .size = 8}
#define UNPAIRED(address_) {.op = HT_OP_MALLOC, .stamped = true, .unpaired = true, .address = address_, .size = 8}
#define DEATH(op_, thread_, seq_) {.op = op_, .thread = thread_, .seq = seq_}
#define UNKNOWN(op_, address_) {.op = op_, .address = address_}
#define UNDO(thread_) {.op = HT_OP_REALLOC_UNDO, .thread = thread_}

struct case_ {
	const char *says; /* NULL: nothing is wrong */
	struct ht_event events[8];
	struct ht_trace_totals totals;
	uint64_t fork_number; /* of image 1 */
};

static const struct case_ cases[] = {
	{NULL, {MALLOC(0, 16), DEATH(HT_OP_FREE, 0, 0), MALLOC(0, 16), DEATH(HT_OP_DELETE, 1, 1)}, {0}, 0},
	{"where block 0 is live", {MALLOC(0, 16), MALLOC(0, 16)}, {0}, 0},
	/* another image has addresses of its own: threads 0, 1 are of image 0; 2 of image 1 */
	{NULL, {MALLOC(0, 16), MALLOC(2, 16), DEATH(HT_OP_FREE, 2, 1)}, {0}, 0},
	{"ends in image 1", {MALLOC(0, 16), DEATH(HT_OP_FREE, 2, 0)}, {0}, 0},
	{"free of block 0, which is not live", {MALLOC(0, 16), DEATH(HT_OP_FREE, 0, 0), DEATH(HT_OP_FREE, 0, 0)}, {0}, 0},
	{NULL, {MALLOC(0, 16), DEATH(HT_OP_IMPLIED_FREE, 1, 0), MALLOC(1, 16)}, {0}, 0},
	{"free_unknown of 0x10, where block 0 is live", {MALLOC(0, 16), UNKNOWN(HT_OP_FREE_UNKNOWN, 16)}, {0}, 0},
	{NULL, {UNPAIRED(16), UNKNOWN(HT_OP_FREE_UNKNOWN, 16), MALLOC(0, 16)}, {0}, 0},
	{NULL, {UNPAIRED(16), UNPAIRED(16), UNKNOWN(HT_OP_FREE_UNKNOWN, 16), UNKNOWN(HT_OP_FREE_UNKNOWN, 99)}, {0}, 0},
	{"is unpaired, but its end names it", {UNPAIRED(16), DEATH(HT_OP_FREE, 0, 0)}, {0}, 0},
	{"without an address", {MALLOC(0, 0)}, {0}, 0},
	/* realloc: refused, done, and taken back without having begun */
	{NULL, {MALLOC(0, 16), DEATH(HT_OP_REALLOC_FREE, 0, 0), UNDO(0), DEATH(HT_OP_FREE, 0, 0)}, {0}, 0},
	{"where block 0 is live", {MALLOC(0, 16), DEATH(HT_OP_REALLOC_FREE, 0, 0), UNDO(0), MALLOC(1, 16)}, {0}, 0},
	{"undoes a realloc that it did not begin", {MALLOC(0, 16), DEATH(HT_OP_REALLOC_FREE, 0, 0), UNDO(1)}, {0}, 0},
	{"undoes a realloc that it did not begin", {MALLOC(0, 16), DEATH(HT_OP_REALLOC_FREE, 0, 0), UNDO(0), UNDO(0)}, {0}, 0},
	{NULL, {UNPAIRED(16), UNKNOWN(HT_OP_REALLOC_FREE_UNKNOWN, 16), UNDO(0), UNKNOWN(HT_OP_FREE_UNKNOWN, 16)}, {0}, 0},
	{NULL, {UNKNOWN(HT_OP_REALLOC_FREE_UNKNOWN, 16), UNDO(0), MALLOC(0, 16)}, {0}, 0},
	{"counted 7 events, but 5 recorded and 1 lost make 6", {MALLOC(0, 16)},
	 {.counted = 7, .recorded = 5, .lost = {[HT_LOST_NESTED] = 1}}, 0},
	{"names fork 3 of image 0, which has no such event", {MALLOC(0, 16)}, {0}, 3},
	{NULL, {{.op = HT_OP_FORK, .extra = 3}}, {0}, 3},
};

struct lines {
	char first[512];
	size_t count;
};

static void keep(void *ctx, const char *line)
{
	struct lines *l = ctx;
	if (!l->count++)
		strncpy(l->first, line, sizeof(l->first) - 1);
}

static void check(const struct case_ *c, size_t number)
{
	struct ht_trace_settings s = {.time_unit_ns = 1000, .addresses = true};
	struct ht_diag d;
	struct ht_trace *t;
	struct lines lines = {"", 0};
	uint64_t violations;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	struct ht_image first = {.end_ns = UINT64_MAX};
	struct ht_image child = {.kind = HT_IMAGE_FORK, .parent = 1, .fork_number = c->fork_number, .end_ns = UINT64_MAX};
	ht_trace_writer_image(w, &first);
	ht_trace_writer_image(w, &child);
	for (uint32_t i = 0; i < 3; i++) {
		struct ht_thread_info thread = {.image = i / 2};
		ht_trace_writer_thread(w, &thread);
	}
	for (size_t i = 0; i < HT_ARRAY_SIZE(c->events) && c->events[i].op; i++) {
		struct ht_event e = c->events[i];
		ht_trace_writer_event(w, &e);
	}
	struct ht_trace_totals totals = c->totals;
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	int err = ht_trace_verify(t, keep, &lines, 5, &violations);
	if (err != (c->says ? HT_ERR_DAMAGED : 0) || violations != (c->says ? 1 : 0) ||
	    (c->says && !strstr(lines.first, c->says)))
		fail_msg("case %zu: %zu lines, first: '%s'", number, lines.count, lines.first);
	ht_trace_close(t);
	close(fd);
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < HT_ARRAY_SIZE(cases); i++)
		check(&cases[i], i);
}

static uint64_t blocks_done;
static void count_blocks(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
	(void)ctx;
	assert_string_equal(phase, "blocks");
	assert_true(done == blocks_done + 1 && done <= total);
	blocks_done = done;
}

/* No more lines than asked for, all counted. */
static void test_many_violations(void **state)
{
	(void)state;
	struct ht_trace_settings s = {.time_unit_ns = 1, .addresses = true};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	struct ht_trace *t;
	struct lines lines = {"", 0};
	uint64_t violations;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	struct ht_image image = {.end_ns = UINT64_MAX};
	struct ht_thread_info thread = {.image = 0};
	ht_trace_writer_image(w, &image);
	ht_trace_writer_thread(w, &thread);
	for (unsigned i = 0; i < 1000; i++) {
		struct ht_event e = MALLOC(0, 4096);
		ht_trace_writer_event(w, &e);
	}
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_int_equal(ht_trace_verify_watched(t, keep, &lines, 5, &violations, count_blocks), HT_ERR_DAMAGED);
	assert_int_equal(blocks_done, ht_trace_block_count(t));
	assert_int_equal(violations, 999);
	assert_int_equal(lines.count, 5);
	ht_trace_close(t);
	close(fd);
}

/* What the writer counts as it goes: two images, a realloc taken back at the peak, an image's end. wrong: a lie of a size. */
static void levels(uint64_t wrong, const char *says)
{
	const struct ht_event events[] = {
		{.op = HT_OP_MALLOC, .stamped = true, .time = 1000, .size = 100, .address = 16},
		{.op = HT_OP_MALLOC, .stamped = true, .time = 2000, .size = 50, .address = 32, .thread = 2},
		{.op = HT_OP_REALLOC_FREE, .time = 2000, .seq = 0, .size = 100 + wrong},
		{.op = HT_OP_REALLOC_UNDO, .stamped = true, .time = 3000},
		{.op = HT_OP_MALLOC, .stamped = true, .time = 4000, .size = 7, .address = 48}, /* the peak: 157 */
		{.op = HT_OP_IMAGE_END, .stamped = true, .time = 5000, .size = 50, .thread = 2},
		{.op = HT_OP_MALLOC, .stamped = true, .time = 6000, .size = 50, .address = 64}, /* as high, but later */
		{.op = HT_OP_FREE, .stamped = true, .time = 7000, .seq = 0, .size = 100 + wrong},
	};
	struct ht_trace_settings s = {.time_unit_ns = 1000, .addresses = true, .sized_ends = true};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	struct ht_trace *t;
	struct lines lines = {"", 0};
	uint64_t violations;
	bool footer;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	struct ht_image image = {.end_ns = UINT64_MAX};
	for (uint32_t i = 0; i < 3; i++) {
		struct ht_thread_info thread = {.image = i / 2};
		if (i != 1)
			ht_trace_writer_image(w, &image);
		ht_trace_writer_thread(w, &thread);
	}
	for (size_t i = 0; i < HT_ARRAY_SIZE(events); i++) {
		struct ht_event e = events[i];
		ht_trace_writer_event(w, &e);
	}
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_memory_equal(ht_trace_totals(t, &footer), &totals, sizeof(totals));
	assert_true(footer && totals.levels_known);
	assert_int_equal(totals.left_blocks, 3);
	if (!wrong) {
		assert_int_equal(totals.peak_bytes, 157);
		assert_int_equal(totals.peak_ns, 4000);
		assert_int_equal(totals.left_bytes, 107);
	}
	assert_int_equal(ht_trace_verify(t, keep, &lines, 5, &violations), says ? HT_ERR_DAMAGED : 0);
	if (says && !strstr(lines.first, says))
		fail_msg("first: '%s'", lines.first);
	ht_trace_close(t);
	close(fd);
}

static void test_levels(void **state)
{
	(void)state;
	levels(0, NULL);
	levels(1, "bytes left");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_many_violations),
		cmocka_unit_test(test_levels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
