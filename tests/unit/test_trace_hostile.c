/*
 * test_trace_hostile: blocks with good checksums and bad content, one lie at a time; and what later
 * versions may add, which must be stepped over. (Random lies are the fuzzers' work.)
 */
#include "test_trace_model.h"
#include "trace_layout.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A header and five dictionary blocks: a string, an image, a module, 4 nodes, 2 threads. */
struct file {
	struct ht_buf bytes, raw;
	struct ht_block_packer *packer;
	uint32_t sequence;
};

static void begin(struct file *f)
{
	struct ht_trace_settings s = {.time_unit_ns = 1000, .addresses = true};
	struct ht_diag d;
	memset(f, 0, sizeof(*f));
	int fd = model_file("", 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	struct ht_image image = {.exe = ht_trace_writer_string(w, "/bin/app", 8)};
	struct ht_module module = {.path = 1};
	struct ht_thread_info thread = {.tid = 1};
	ht_trace_writer_image(w, &image);
	ht_trace_writer_module(w, &module);
	for (uint32_t i = 0; i < 4; i++) {
		struct ht_stack_node node = {.parent = i, .module = 1};
		ht_trace_writer_node(w, &node);
	}
	ht_trace_writer_thread(w, &thread);
	ht_trace_writer_thread(w, &thread);
	assert_int_equal(ht_trace_writer_flush(w, &d), 0);
	ht_trace_writer_abandon(w);
	uint8_t *bytes = model_bytes(fd, &f->bytes.len);
	f->bytes.data = bytes;
	f->bytes.cap = f->bytes.len;
	close(fd);
	f->packer = ht_block_packer_new();
	f->sequence = 5;
}

static void release(struct file *f)
{
	ht_buf_release(&f->bytes);
	ht_buf_release(&f->raw);
	ht_block_packer_free(f->packer);
}

static void block(struct file *f, struct ht_block_head h, const struct ht_column_out *c, size_t n)
{
	h.sequence = f->sequence++;
	ht_columns_build(&f->raw, c, n);
	ht_block_pack(f->packer, &h, f->raw.data, f->raw.len, h.kind != HT_KIND_EVENTS, &f->bytes);
}

#define BYTES(s) (const uint8_t *)(s), sizeof(s) - 1
#define DATA(id, encoding, s) {id, encoding, BYTES(s)}

/* Three events that are as they should be: malloc, free of it, malloc on another thread. */
#define EVENT_COLUMNS 13
static const struct ht_column_out good_events[EVENT_COLUMNS] = {
	DATA(HT_COL_EV_PARAMS, HT_ENC_VARINT, "\x01\x01"),
	DATA(HT_COL_EV_THREAD_ID, HT_ENC_DELTA, "\x00\x02"),
	DATA(HT_COL_EV_THREAD_START, HT_ENC_VARINT, "\x00\x05"),
	DATA(HT_COL_EV_RUN_THREAD, HT_ENC_VARINT, "\x00\x01"),
	DATA(HT_COL_EV_RUN_LENGTH, HT_ENC_VARINT, "\x02\x01"),
	DATA(HT_COL_EV_OP, HT_ENC_BYTES, "\x21\x08\x21"),
	DATA(HT_COL_EV_TIME, HT_ENC_STEPS, "\x0c"),
	DATA(HT_COL_EV_BIRTH_STACK, HT_ENC_DELTA, "\x02\x00"),
	DATA(HT_COL_EV_OTHER_STACK, HT_ENC_DELTA, "\x00"),
	DATA(HT_COL_EV_SIZE, HT_ENC_VARINT, "\x10\x20"),
	DATA(HT_COL_EV_FREED, HT_ENC_TURNS, "\x02"),
	DATA(HT_COL_EV_BIRTH_ADDRESS, HT_ENC_ADDRESS16, "\x09\x0b"),
	DATA(HT_COL_EV_FAR_TIME, HT_ENC_ZIGZAG, "\x0a"),
};
static const struct ht_block_head good_head = {.kind = HT_KIND_EVENTS, .count = 3, .births = 2, .last_ns = 5};

/* The file with one column replaced (or added), and the verdict on its events. */
static int with_column(struct ht_column_out c, struct ht_block_head h)
{
	struct file f;
	struct ht_trace *t;
	struct ht_diag d;
	struct ht_events e = {0};
	struct ht_column_out columns[EVENT_COLUMNS + 1];
	size_t n = EVENT_COLUMNS;
	memcpy(columns, good_events, sizeof(good_events));
	size_t at = 0;
	while (at < n && columns[at].id != c.id)
		at++;
	columns[at] = c;
	begin(&f);
	block(&f, h, columns, at == n ? n + 1 : n);
	assert_int_equal(model_open(&t, f.bytes.data, f.bytes.len, &d), 0);
	int err = HT_ERR_LIMIT; /* refused by its head alone */
	if (ht_trace_block_count(t)) {
		err = ht_trace_block_decode(t, 0, &e, &d);
		assert_int_equal(e.count, err ? 0 : 3);
	}
	assert_int_equal(ht_trace_verdict(t), err ? HT_VERDICT_DAMAGED : HT_VERDICT_TRUNCATED);
	ht_trace_close(t);
	ht_events_release(&e);
	release(&f);
	return err;
}

static int with(struct ht_column_out c)
{
	return with_column(c, good_head);
}

static void test_lies_in_events(void **state)
{
	(void)state;
	static const struct ht_column_out bad[] = {
		DATA(HT_COL_EV_PARAMS, HT_ENC_VARINT, "\x00\x01"),	       /* no time unit */
		DATA(HT_COL_EV_PARAMS, HT_ENC_VARINT, "\x01"),		       /* too short */
		DATA(HT_COL_EV_THREAD_ID, HT_ENC_DELTA, "\x00\x04"),	       /* thread 2 of 2 */
		DATA(HT_COL_EV_THREAD_ID, HT_ENC_DELTA, "\x00\x03"),	       /* thread -2 */
		DATA(HT_COL_EV_THREAD_ID, HT_ENC_DELTA, "\x00"),	       /* a run without thread */
		DATA(HT_COL_EV_THREAD_START, HT_ENC_VARINT, "\x00\x06"),       /* after the block's end */
		DATA(HT_COL_EV_RUN_THREAD, HT_ENC_VARINT, "\x00\x02"),	       /* not in the table */
		DATA(HT_COL_EV_RUN_LENGTH, HT_ENC_VARINT, "\x02\x02"),	       /* more than there are */
		DATA(HT_COL_EV_RUN_LENGTH, HT_ENC_VARINT, "\x02\x00"),	       /* none */
		DATA(HT_COL_EV_RUN_LENGTH, HT_ENC_VARINT, "\x02"),	       /* too few */
		DATA(HT_COL_EV_RUN_LENGTH, HT_ENC_VARINT, "\x01\x01\x01"),     /* too many */
		DATA(HT_COL_EV_OP, HT_ENC_BYTES, "\x21\x08\x21\x21"),	       /* more than count */
		DATA(HT_COL_EV_OP, HT_ENC_BYTES, "\x21\x08"),		       /* fewer */
		DATA(HT_COL_EV_OP, HT_ENC_BYTES, "\x21\x08\x28"),	       /* births do not add up */
		DATA(HT_COL_EV_TIME, HT_ENC_STEPS, "\x0c\x00"),	       /* too many steps */
		DATA(HT_COL_EV_TIME, HT_ENC_STEPS, "\x1c"),		       /* a third step */
		DATA(HT_COL_EV_TIME, HT_ENC_STEPS, "\x04"),		       /* a far step that nobody takes */
		DATA(HT_COL_EV_TIME, HT_ENC_STEPS, "\x0f"),		       /* far to nowhere */
		DATA(HT_COL_EV_FAR_TIME, HT_ENC_ZIGZAG, "\x0c"),	       /* beyond last_ns */
		DATA(HT_COL_EV_FAR_TIME, HT_ENC_ZIGZAG, "\x01"),	       /* before first_ns */
		DATA(HT_COL_EV_FAR_TIME, HT_ENC_ZIGZAG, "\x80"),	       /* half a number */
		DATA(HT_COL_EV_BIRTH_STACK, HT_ENC_DELTA, "\x02\x08"),	       /* node 5 of 4 */
		DATA(HT_COL_EV_BIRTH_STACK, HT_ENC_DELTA, "\x02\x03"),	       /* node -1 */
		DATA(HT_COL_EV_SIZE, HT_ENC_VARINT, "\x10\x20\x30"),	       /* one too many */
		DATA(HT_COL_EV_SIZE, HT_ENC_VARINT, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x01"), /* 65 bits */
		DATA(HT_COL_EV_FREED, HT_ENC_TURNS, "\x00"),		       /* birth 1, not yet born */
		DATA(HT_COL_EV_FREED, HT_ENC_TURNS, "\x06"),		       /* birth -1 */
		DATA(HT_COL_EV_OTHER_SIZE, HT_ENC_VARINT, "\x01"),	       /* nobody takes it */
		DATA(HT_COL_EV_FAR_ADDRESS, HT_ENC_ZIGZAG, "\x01"),	       /* nor this */
		DATA(HT_COL_EV_BIRTH_ADDRESS, HT_ENC_ADDRESS16, "\x09\x00"),   /* escape to nowhere */
		DATA(HT_COL_EV_EXTRA, HT_ENC_VARINT, "\x01"),		       /* nobody takes it */
	};
	assert_int_equal(with(good_events[0]), 0);
	for (size_t i = 0; i < HT_ARRAY_SIZE(bad); i++)
		if (with(bad[i]) != HT_ERR_DAMAGED)
			fail_msg("lie %zu was believed", i);
}

static void test_lies_in_heads(void **state)
{
	(void)state;
	struct ht_block_head h = good_head;
	h.count = 1u << 30;
	assert_int_equal(with_column(good_events[0], h), HT_ERR_LIMIT);
	h.count = 1u << 19; /* allowed, but the block is too small for it */
	assert_int_equal(with_column(good_events[0], h), HT_ERR_LIMIT);
	h = good_head;
	h.births = 4;
	assert_int_equal(with_column(good_events[0], h), HT_ERR_LIMIT);
	h = good_head;
	h.first_ns = 6;
	assert_int_equal(with_column(good_events[0], h), HT_ERR_LIMIT);
	h = good_head;
	h.first_seq = UINT64_MAX; /* births wrap: numbers stay below the next one's, or it is refused */
	with_column(good_events[0], h);
	h = good_head;
	h.first_ns = h.last_ns = UINT64_MAX;
	with_column(good_events[0], h);
}

/* One dictionary block behind the good ones: refused, and nothing of it is seen. */
static void refused(struct ht_block_head h, const struct ht_column_out *c, size_t n)
{
	struct file f;
	struct ht_trace *t;
	struct ht_diag d;
	begin(&f);
	block(&f, h, c, n);
	assert_int_equal(model_open(&t, f.bytes.data, f.bytes.len, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_DAMAGED);
	for (uint32_t i = 1; i < ht_trace_node_count(t); i++)
		assert_true(ht_trace_nodes(t)[i].parent < i);
	assert_string_equal(ht_trace_string(t, 1, NULL), "/bin/app");
	ht_trace_close(t);
	release(&f);
}

static void test_lies_in_dictionaries(void **state)
{
	(void)state;
	struct ht_column_out parent = DATA(0, HT_ENC_VARINT, "\x05"), ten = DATA(0, HT_ENC_BACK, "\x07");
	struct ht_block_head node = {.kind = HT_KIND_NODES, .count = 1, .first_seq = 5};
	refused(node, &parent, 1); /* its own parent */
	refused(node, &ten, 1);	   /* a parent below 0 */
	struct ht_column_out module = DATA(1, HT_ENC_VARINT, "\x02");
	refused(node, &module, 1);
	struct ht_column_out wide = DATA(3, HT_ENC_VARINT, "\xff\xff\xff\xff\x7f");
	refused(node, &wide, 1); /* more than 32 bits */
	node.first_seq = 6;	 /* a gap, though no block was lost */
	struct ht_column_out fine = DATA(0, HT_ENC_BACK, "\x00");
	refused(node, &fine, 1);
	node.first_seq = 4;
	refused(node, &fine, 1);
	node.first_seq = 5;
	node.count = UINT32_MAX;
	refused(node, &fine, 1);
	node.count = 9;
	refused(node, &fine, 1);

	struct ht_column_out strings[] = {DATA(0, HT_ENC_VARINT, "\x03\x09"), DATA(1, HT_ENC_BYTES, "abcdef")};
	refused((struct ht_block_head){.kind = HT_KIND_STRINGS, .count = 2, .first_seq = 2}, strings, 2);
	struct ht_column_out lengths = DATA(0, HT_ENC_VARINT, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	refused((struct ht_block_head){.kind = HT_KIND_STRINGS, .count = 1, .first_seq = 2}, &lengths, 1);
	struct ht_column_out image[] = {DATA(0, HT_ENC_DELTA, "\x04")};
	refused((struct ht_block_head){.kind = HT_KIND_IMAGES, .count = 1}, image, 1);
	struct ht_column_out later[] = {DATA(0, HT_ENC_DELTA, "\x02"), DATA(2, HT_ENC_VARINT, "\x05")};
	refused((struct ht_block_head){.kind = HT_KIND_IMAGES, .count = 1}, later, 2); /* a parent to come */
	struct ht_column_out thread[] = {DATA(0, HT_ENC_DELTA, "\x01")};
	refused((struct ht_block_head){.kind = HT_KIND_THREADS, .count = 1}, thread, 1); /* id -1 */
}

static void test_bombs(void **state)
{
	(void)state;
	/* a dictionary that unpacks to far more than it takes: packed as if it were events */
	static uint8_t zeros[4u << 20];
	struct file f;
	struct ht_trace *t;
	struct ht_diag d;
	begin(&f);
	struct ht_column_out c = {0, HT_ENC_BACK, zeros, 1u << 20}, events = {HT_COL_EV_OP, HT_ENC_BYTES, zeros, sizeof(zeros)};
	struct ht_block_head h = {.kind = HT_KIND_NODES, .count = 1u << 20, .first_seq = 5, .sequence = f.sequence++};
	ht_columns_build(&f.raw, &c, 1);
	ht_block_pack(f.packer, &h, f.raw.data, f.raw.len, false, &f.bytes);
	assert_true(h.packed_len < 1000);
	block(&f, (struct ht_block_head){.kind = HT_KIND_EVENTS, .count = sizeof(zeros)}, &events, 1);
	assert_int_equal(model_open(&t, f.bytes.data, f.bytes.len, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_DAMAGED);
	assert_int_equal(ht_trace_node_count(t), 5);
	assert_int_equal(ht_trace_block_count(t), 0);
	ht_trace_close(t);
	release(&f);
}

/* What a later minor version may add, a reader of today steps over. */
static void test_later_versions(void **state)
{
	(void)state;
	struct file f;
	struct ht_trace *t;
	struct ht_diag d;
	struct ht_events e = {0};
	begin(&f);
	struct ht_column_out unknown = DATA(0, 99, "whatever"), far = DATA(200, 77, "whatever");
	struct ht_column_out columns[EVENT_COLUMNS + 2];
	memcpy(columns, good_events, sizeof(good_events));
	columns[EVENT_COLUMNS] = far;
	columns[EVENT_COLUMNS + 1] = (struct ht_column_out)DATA(31, 5, "?");
	block(&f, (struct ht_block_head){.kind = 7, .count = 12345}, &unknown, 1);
	block(&f, (struct ht_block_head){.kind = 18}, NULL, 0);
	block(&f, good_head, columns, EVENT_COLUMNS + 2);
	assert_int_equal(model_open(&t, f.bytes.data, f.bytes.len, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_TRUNCATED);
	assert_int_equal(ht_trace_block_decode(t, 0, &e, &d), 0);
	assert_int_equal(e.count, 3);
	assert_int_equal(e.items[1].seq, 0);
	assert_int_equal(e.items[2].address, 80);
	ht_trace_close(t);
	ht_events_release(&e);
	release(&f);
	/* an encoding of tomorrow: this block only, and not called damaged bytes */
	struct ht_column_out sizes = DATA(HT_COL_EV_SIZE, 42, "\x10\x20");
	assert_int_equal(with(sizes), HT_ERR_VERSION);
}

/* A tool adds a block behind END, a new footer and a new END. */
static void test_appended_blocks(void **state)
{
	(void)state;
	struct file f = {.packer = ht_block_packer_new()};
	struct model_options o = {.seed = 3, .events = 100, .threads = 2, .images = 1, .addresses = true, .time_unit_ns = 1000};
	struct model m;
	struct ht_trace *t;
	struct ht_diag d;
	int fd = model_file("", 0);
	model_write(&m, &o, fd, true);
	f.bytes.data = model_bytes(fd, &f.bytes.len);
	f.bytes.cap = f.bytes.len;
	close(fd);
	struct ht_block_head end;
	assert_true(ht_block_head_get(&end, f.bytes.data + f.bytes.len - HT_BLOCK_HEAD));
	f.sequence = end.sequence + 1;
	struct ht_column_out symbols = DATA(0, 1, "symbols"), keys = DATA(HT_COL_FT_KEY, HT_ENC_VARINT, "\x12"),
			     values = DATA(HT_COL_FT_VALUE, HT_ENC_VARINT, "\x63");
	block(&f, (struct ht_block_head){.kind = 7, .count = 1}, &symbols, 1);
	assert_int_equal(model_open(&t, f.bytes.data, f.bytes.len, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK); /* as it was: no new END yet */
	ht_trace_close(t);
	uint64_t footer = f.bytes.len;
	block(&f, (struct ht_block_head){.kind = HT_KIND_FOOTER}, (struct ht_column_out[]){keys, values}, 2);
	end = (struct ht_block_head){.kind = HT_KIND_END, .first_seq = footer, .sequence = f.sequence};
	ht_block_pack(f.packer, &end, NULL, 0, true, &f.bytes);
	assert_int_equal(model_open(&t, f.bytes.data, f.bytes.len, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
	assert_int_equal(ht_trace_totals(t, NULL)->blocked_ns, 99);
	assert_int_equal(ht_trace_totals(t, NULL)->births, 0);
	model_compare_events(&m, t, m.event_count);
	ht_trace_close(t);
	model_release(&m);
	release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lies_in_events), cmocka_unit_test(test_lies_in_heads),
		cmocka_unit_test(test_lies_in_dictionaries), cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_later_versions), cmocka_unit_test(test_appended_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
