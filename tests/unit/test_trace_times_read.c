/* test_trace_times_read: blocks of waits and switches whose columns are made by hand, with good checksums: what holds,
 * and what is refused. */
#include "test_trace_model.h"
#include "trace_layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 7u
#define NODES 40u

static struct ht_trace_writer *begin(int fd)
{
	struct ht_trace_settings s = {.time_unit_ns = 1000, .addresses = true};
	struct ht_diag d;
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	assert_non_null(w);
	ht_trace_writer_image(w, &(struct ht_image){.pid = 1, .end_ns = UINT64_MAX, .wait_status = -1});
	for (uint32_t i = 0; i < THREADS; i++)
		ht_trace_writer_thread(w, &(struct ht_thread_info){.tid = i + 1, .serial = i, .end_ns = UINT64_MAX});
	for (uint32_t i = 0; i < NODES; i++)
		ht_trace_writer_node(w, &(struct ht_stack_node){.parent = i, .address = 16 * i});
	return w;
}

struct hostile {
	struct ht_column_out columns[HT_COLUMNS_MAX];
	uint8_t bytes[HT_COLUMNS_MAX][32];
	size_t n;
	uint8_t kind;
	uint32_t count;
	uint64_t first_ns, last_ns;
};

static void column(struct hostile *h, uint8_t id, uint8_t encoding, size_t n, const uint8_t *bytes)
{
	memcpy(h->bytes[h->n], bytes, n);
	h->columns[h->n] = (struct ht_column_out){id, encoding, h->bytes[h->n], n};
	h->n++;
}
#define COLUMN(h, id, encoding, ...)                                                                                   \
	column(h, id, encoding, sizeof((const uint8_t[]){__VA_ARGS__}), (const uint8_t[]){__VA_ARGS__})

/* What the reader says of it; the records stay in r. */
static int read_hostile(struct hostile *h, struct ht_time_records *r)
{
	struct ht_diag d = {0};
	struct ht_trace *t;
	struct ht_buf raw = {0}, block = {0};
	int fd = model_file("", 0);
	struct ht_trace_writer *w = begin(fd);
	ht_trace_writer_flush(w, &d);
	ht_trace_writer_abandon(w);
	struct ht_block_head head = {
	    .kind = h->kind, .sequence = 3, .count = h->count, .first_ns = h->first_ns, .last_ns = h->last_ns};
	struct ht_block_packer *p = ht_block_packer_new();
	ht_columns_build(&raw, h->columns, h->n);
	ht_block_pack(p, &head, raw.data, raw.len, false, &block);
	ht_block_packer_free(p);
	assert_int_equal(ht_write_all(fd, block.data, block.len), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_TRUNCATED);
	assert_int_equal(ht_trace_time_block_count(t), 1);
	int err = ht_trace_time_decode(t, 0, r, &d);
	if (err) {
		assert_true(d.text[0]);
		assert_int_equal(r->wait_count + r->wake_count + r->switch_count + r->stall_count, 0);
		assert_int_equal(ht_trace_verdict(t), HT_VERDICT_DAMAGED);
	}
	ht_buf_release(&raw);
	ht_buf_release(&block);
	ht_trace_close(t);
	close(fd);
	return err;
}

enum { V = HT_ENC_VARINT, D = HT_ENC_DELTA, Z = HT_ENC_ZIGZAG, B = HT_ENC_BYTES };

/* Two waits of thread 1 at one place: 3..10 and 12..14. */
static struct hostile good(void)
{
	struct hostile h = {.kind = HT_KIND_WAITS, .count = 2, .first_ns = 10, .last_ns = 14};
	COLUMN(&h, HT_COL_TIME_PARAMS, V, 1, 2);
	COLUMN(&h, HT_COL_WAIT_THREAD, D, 2);
	COLUMN(&h, HT_COL_WAIT_COUNT, V, 2);
	COLUMN(&h, HT_COL_WAIT_GAP, Z, 13, 4);
	COLUMN(&h, HT_COL_WAIT_LENGTH, V, 7, 2);
	COLUMN(&h, HT_COL_WAIT_PLACE, V, 0, 1);
	COLUMN(&h, HT_COL_WAIT_DETAIL, V, 0, 5);
	COLUMN(&h, HT_COL_PLACE_KIND, B, HT_WAIT_PIPE);
	COLUMN(&h, HT_COL_PLACE_CALL, B, HT_CALL_READ);
	COLUMN(&h, HT_COL_PLACE_OUTCOME, B, HT_OUTCOME_FAILED);
	COLUMN(&h, HT_COL_PLACE_FLAGS, B, 0);
	COLUMN(&h, HT_COL_PLACE_FD, V, 4);
	COLUMN(&h, HT_COL_PLACE_STACK, D, 10);
	COLUMN(&h, HT_COL_PLACE_OBJECT, D, 200, 1);
	return h;
}

/* The column with that id, to be spoiled. */
static uint8_t *of(struct hostile *h, uint8_t id)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->columns[i].id == id)
			return h->bytes[i];
	fail();
	return NULL;
}

static struct ht_column_out *table_of(struct hostile *h, uint8_t id)
{
	return &h->columns[(size_t)(of(h, id) - h->bytes[0]) / sizeof(h->bytes[0])];
}

/* COLUMN's bytes moved with the struct: the pointers must follow. */
static void settle(struct hostile *h)
{
	for (size_t i = 0; i < h->n; i++)
		h->columns[i].data = h->bytes[i];
}

static void spoil(uint8_t id, size_t at, uint8_t v)
{
	struct ht_time_records r = {0};
	struct hostile h = good();
	settle(&h);
	of(&h, id)[at] = v;
	assert_int_equal(read_hostile(&h, &r), HT_ERR_DAMAGED);
	ht_time_records_release(&r);
}

static void test_hostile(void **unused)
{
	(void)unused;
	struct ht_time_records r = {0};
	struct hostile h = good();
	settle(&h);
	assert_int_equal(read_hostile(&h, &r), 0);
	assert_int_equal(r.wait_count, 2);
	assert_int_equal(r.waits[0].thread, 1);
	assert_int_equal(r.waits[0].begin_ns, 3);
	assert_int_equal(r.waits[0].end_ns, 10);
	assert_int_equal(r.waits[1].begin_ns, 12);
	assert_int_equal(r.waits[1].end_ns, 14);
	assert_int_equal(r.waits[1].fd, 3);
	assert_int_equal(r.waits[1].stack, 5);
	assert_int_equal(r.waits[1].object, 100);
	assert_int_equal(r.waits[1].detail, 5);
	assert_int_equal(r.waits[1].call, HT_CALL_READ);

	spoil(HT_COL_TIME_PARAMS, 0, 0);	   /* no unit */
	spoil(HT_COL_TIME_PARAMS, 0, 3);	   /* times are no multiples of it */
	spoil(HT_COL_TIME_PARAMS, 1, 3);	   /* more waits than records */
	spoil(HT_COL_TIME_PARAMS, 1, 1);	   /* a wake without its columns */
	spoil(HT_COL_WAIT_THREAD, 0, 2 * THREADS); /* no such thread */
	spoil(HT_COL_WAIT_THREAD, 0, 1);	   /* nor -1 */
	spoil(HT_COL_WAIT_COUNT, 0, 0);
	spoil(HT_COL_WAIT_COUNT, 0, 1);
	spoil(HT_COL_WAIT_COUNT, 0, 3);
	spoil(HT_COL_WAIT_GAP, 0, 99);	   /* begins before time 0 */
	spoil(HT_COL_WAIT_GAP, 0, 11);	   /* ends behind the block's */
	spoil(HT_COL_WAIT_GAP, 1, 7);	   /* ends before the one before */
	spoil(HT_COL_WAIT_LENGTH, 1, 3);   /* ends too late */
	spoil(HT_COL_WAIT_LENGTH, 1, 130); /* a varint that does not end */
	spoil(HT_COL_WAIT_PLACE, 0, 2);	   /* no such place */
	spoil(HT_COL_WAIT_PLACE, 1, 0);	   /* a second one is not there */
	spoil(HT_COL_PLACE_STACK, 0, 2 * NODES + 2);
	spoil(HT_COL_PLACE_STACK, 0, 1);

	h = good(); /* what a later version may know */
	settle(&h);
	*of(&h, HT_COL_PLACE_KIND) = 200;
	*of(&h, HT_COL_PLACE_CALL) = 255;
	*of(&h, HT_COL_PLACE_OUTCOME) = 77;
	assert_int_equal(read_hostile(&h, &r), 0);
	assert_int_equal(r.waits[0].kind, HT_WAIT_NONE);
	assert_int_equal(r.waits[0].call, HT_CALL_NONE);
	assert_int_equal(r.waits[0].outcome, HT_OUTCOME_UNKNOWN);
	table_of(&h, HT_COL_WAIT_GAP)->encoding = 99;
	assert_int_equal(read_hostile(&h, &r), HT_ERR_VERSION);

	h = good();
	settle(&h);
	h.count = 1000; /* more than it has bytes */
	assert_int_equal(read_hostile(&h, &r), HT_ERR_LIMIT);
	ht_time_records_release(&r);
}

static void test_hostile_switches(void **unused)
{
	(void)unused;
	struct ht_time_records r = {0};
	struct hostile h = {.kind = HT_KIND_SCHED, .count = 3, .first_ns = 100, .last_ns = 107};
	COLUMN(&h, HT_COL_TIME_PARAMS, V, 1, 3);
	COLUMN(&h, HT_COL_SWITCH_THREAD, D, 0);
	COLUMN(&h, HT_COL_SWITCH_COUNT, V, 3);
	COLUMN(&h, HT_COL_SWITCH_STEP, V, 0, 5, 2);
	COLUMN(&h, HT_COL_SWITCH_WHAT, V, 12, 1, 3); /* in on 2; preempted; in on 1 */
	assert_int_equal(read_hostile(&h, &r), 0);
	assert_int_equal(r.switches[0].how, HT_SWITCH_IN);
	assert_int_equal(r.switches[0].cpu, 2);
	assert_int_equal(r.switches[1].how, HT_SWITCH_PREEMPTED);
	assert_int_equal(r.switches[1].time_ns, 105);
	assert_int_equal(r.switches[2].how, HT_SWITCH_IN);
	assert_int_equal(r.switches[2].cpu, 1);
	of(&h, HT_COL_SWITCH_WHAT)[1] = 33; /* processor -4 */
	assert_int_equal(read_hostile(&h, &r), HT_ERR_DAMAGED);
	of(&h, HT_COL_SWITCH_WHAT)[1] = 1;
	of(&h, HT_COL_SWITCH_STEP)[1] = 6;
	assert_int_equal(read_hostile(&h, &r), HT_ERR_DAMAGED);
	ht_time_records_release(&r);
}

/* A damaged block of waits costs itself: the events and the other blocks are as they were. */
static void test_damaged(void **unused)
{
	(void)unused;
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	struct ht_trace *t;
	size_t n;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = begin(fd);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t now = 1000 + 10 * i + i * i % 7;
		ht_trace_writer_wait(
		    w, &(struct ht_wait){.kind = HT_WAIT_SEM, .thread = i % 3, .begin_ns = now - 5, .end_ns = now});
		ht_trace_writer_switch(w, &(struct ht_switch){.how = i % 2, .thread = i % 5, .time_ns = now});
	}
	struct ht_event e = {.op = HT_OP_MALLOC, .stamped = true, .time = 2000, .size = 1, .address = 16};
	ht_trace_writer_event(w, &e);
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	uint8_t *bytes = model_bytes(fd, &n);
	assert_int_equal(model_open(&t, bytes, n, &d), 0);
	size_t bad = ht_trace_time_block(t, 0)->kind == HT_TIME_WAITS ? 0 : 1;
	bytes[ht_trace_time_block(t, bad)->offset + HT_BLOCK_HEAD + 40] ^= 1;
	ht_trace_close(t);
	assert_int_equal(model_open(&t, bytes, n, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
	assert_int_equal(ht_trace_time_block_count(t), 2);
	struct ht_time_records r = {0};
	struct ht_events events = {0};
	assert_int_equal(ht_trace_time_decode(t, 1 - bad, &r, &d), 0);
	assert_int_equal(r.switch_count, 300);
	assert_int_equal(ht_trace_time_decode(t, bad, &r, &d), HT_ERR_DAMAGED);
	assert_int_equal(r.switch_count + r.wait_count, 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_DAMAGED);
	assert_int_equal(ht_trace_block_decode(t, 0, &events, &d), 0);
	assert_int_equal(events.count, 1);
	uint64_t violations;
	assert_int_equal(ht_trace_verify(t, NULL, NULL, 0, &violations), HT_ERR_DAMAGED);
	assert_int_equal(violations, 1);
	ht_events_release(&events);
	ht_time_records_release(&r);
	ht_trace_close(t);
	free(bytes);
	close(fd);
}

static void test_names(void **unused)
{
	(void)unused;
	for (unsigned i = 1; i < HT_WAIT_KINDS; i++)
		assert_true(ht_wait_kind_names[i] && ht_wait_kind_names[i][0]);
	for (unsigned i = 1; i < HT_CALL_COUNT; i++)
		assert_true(ht_wait_call_names[i] && ht_wait_call_names[i][0]);
	for (unsigned i = 0; i < HT_OUTCOMES; i++)
		assert_true(ht_outcome_names[i] && ht_outcome_names[i][0]);
	assert_string_equal(ht_wait_kind_names[0], "");
	assert_string_equal(ht_wait_call_names[0], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_hostile_switches),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
