/*
 * test_trace_checkpoint: what a checkpoint says against what all events before it say. A program of some threads
 * and two images, with blocks of every age, reallocs that are taken back, and an image that ends; and
 * what switches checkpoints off, or makes one of no use.
 */
#include "test_trace_model.h"
#include "trace_layout.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 5
#define EVENTS 3500000u
#define OLD_BLOCKS 4000u /* live at a time, of those that live long */

static struct ht_trace_settings settings = {.time_unit_ns = 1000, .addresses = true};
static uint64_t random_state;

static uint64_t below(uint64_t n)
{
	random_state = random_state * 0x5851f42d4c957f2du + 0x14057b7ef767814fu;
	return (random_state >> 33) % n;
}

static struct ht_trace_writer *begin(int fd)
{
	struct ht_diag d;
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &settings, &d);
	struct ht_image image = {.pid = 1, .end_ns = UINT64_MAX};
	ht_trace_writer_image(w, &image);
	ht_trace_writer_image(w, &image);
	for (uint32_t i = 0; i < 100; i++)
		ht_trace_writer_node(w, &(struct ht_stack_node){.address = i});
	for (uint32_t i = 0; i < THREADS; i++)
		ht_trace_writer_thread(w, &(struct ht_thread_info){.image = i == THREADS - 1, .tid = i});
	return w;
}

struct maker {
	struct ht_trace_writer *w;
	uint64_t *old; /* blocks that live long: numbers, of their threads */
	uint64_t time, address;
	bool ended; /* the second image */
};

static uint64_t put(struct maker *m, unsigned op, uint32_t thread, uint64_t seq, bool unpaired)
{
	m->time += below(700);
	struct ht_event e = {.op = (uint8_t)op,
			     .thread = thread,
			     .stamped = op < 8 || !below(3),
			     .time = m->time,
			     .stack = (uint32_t)below(101),
			     .seq = seq,
			     .unpaired = unpaired,
			     .size = 16 * (1 + below(8)),
			     .address = m->address += 160};
	return ht_trace_writer_event(m->w, &e);
}

static uint32_t some_thread(const struct maker *m)
{
	return (uint32_t)below(below(100) ? 2 : m->ended ? THREADS - 1 : THREADS);
}

/* A block that lives long takes the place of another one, which dies. */
static void replace_old(struct maker *m)
{
	uint64_t *slot = &m->old[below(OLD_BLOCKS)];
	uint32_t thread = (uint32_t)(*slot >> 56);
	bool gone = !*slot || (thread == THREADS - 1 && m->ended);
	unsigned op = below(4) ? HT_OP_FREE : HT_OP_REALLOC_FREE;
	if (!gone) {
		uint32_t killer = thread == THREADS - 1 ? thread : (uint32_t)below(THREADS - 1);
		put(m, op, killer, (*slot & ~0ull >> 8) - 1, false);
		if (op == HT_OP_REALLOC_FREE && !below(3)) {
			put(m, HT_OP_REALLOC_UNDO, killer, 0, false);
			return;
		}
	}
	uint32_t by = some_thread(m);
	*slot = (uint64_t)by << 56 | (put(m, HT_OP_MALLOC, by, 0, false) + 1);
}

static void make(int fd, size_t events, size_t unpaired_at)
{
	struct maker m = {.w = begin(fd), .old = ht_xcalloc(OLD_BLOCKS, sizeof(uint64_t)), .address = 1 << 20};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	random_state = 1;
	for (size_t i = 0; i < events; i += 2) {
		uint32_t thread = some_thread(&m);
		if (i % 64 == 0) {
			replace_old(&m);
			continue;
		}
		uint64_t seq = put(&m, HT_OP_CALLOC, thread, 0, i >= unpaired_at);
		if (i >= unpaired_at)
			continue;
		put(&m, HT_OP_FREE, thread, seq, false);
		if (i % 4096 == 2)
			put(&m, HT_OP_REALLOC_FREE_UNKNOWN, thread, 0, false);
		if (i > events / 2 && !m.ended) {
			m.ended = true;
			put(&m, HT_OP_IMAGE_END, THREADS - 1, 0, false);
		}
	}
	free(m.old);
	assert_int_equal(ht_trace_writer_finish(m.w, &totals, 0, &d), 0);
}

/* --- what all events say ------------------------------------------------------------------------- */

struct truth {
	struct ht_live_block *blocks; /* by number; op 0: dead */
	uint64_t count, births[THREADS];
	struct ht_open_realloc open[THREADS];
	bool is_open[THREADS], ended[2];
};

static void tell(struct truth *t, const struct ht_event *e)
{
	if (ht_op_is_birth(e->op)) {
		t->blocks[e->seq] = (struct ht_live_block){.seq = e->seq,
							   .address = e->address,
							   .size = e->size,
							   .time = e->time,
							   .stack = e->stack,
							   .thread = e->thread,
							   .order = (uint32_t)t->births[e->thread]++,
							   .op = e->op};
		t->count = e->seq + 1;
	} else if (e->op == HT_OP_REALLOC_FREE || e->op == HT_OP_REALLOC_FREE_UNKNOWN) {
		bool known = e->op == HT_OP_REALLOC_FREE;
		struct ht_open_realloc r = {.thread = e->thread, .known = known, .address = e->address};
		if (known) {
			r.block = t->blocks[e->seq];
			r.address = r.block.address;
		}
		t->open[e->thread] = r;
		t->is_open[e->thread] = true;
	} else if (e->op == HT_OP_REALLOC_UNDO) {
		t->is_open[e->thread] = false;
		t->blocks[t->open[e->thread].block.seq] = t->open[e->thread].block;
	} else if (e->op == HT_OP_IMAGE_END) {
		t->ended[e->thread == THREADS - 1] = true;
		t->is_open[e->thread] = false;
		for (uint64_t i = 0; i < t->count; i++)
			if (t->blocks[i].thread == e->thread)
				t->blocks[i].op = 0;
	}
	if (ht_op_is_death(e->op))
		t->blocks[e->seq].op = 0;
}

static void same_block(const struct ht_live_block *a, const struct ht_live_block *b)
{
	if (a->seq != b->seq || a->address != b->address || a->size != b->size || a->time != b->time ||
	    a->stack != b->stack || a->thread != b->thread || a->order != b->order || a->op != b->op)
		fail_msg("block %llu is not as block %llu", (unsigned long long)a->seq, (unsigned long long)b->seq);
}

static void compare(const struct truth *t, const struct ht_live_set *s)
{
	size_t at = 0, open = 0;
	assert_int_equal(s->next_seq, t->count);
	for (uint64_t i = 0; i < t->count; i++) {
		if (!t->blocks[i].op)
			continue;
		assert_true(at < s->count);
		same_block(&s->blocks[at++], &t->blocks[i]);
	}
	assert_int_equal(at, s->count);
	for (uint32_t i = 0; i < THREADS; i++) {
		if (t->is_open[i]) {
			const struct ht_open_realloc *a = &s->reallocs[open++], *b = &t->open[i];
			assert_true(open <= s->realloc_count);
			assert_int_equal(a->thread, i);
			assert_int_equal(a->known, b->known);
			assert_int_equal(a->address, b->address);
			if (a->known)
				same_block(&a->block, &b->block);
		}
		assert_int_equal(s->threads[i].thread, i);
		assert_int_equal(s->threads[i].births, t->births[i]);
	}
	assert_int_equal(open, s->realloc_count);
}

static void test_against_events(void **state)
{
	(void)state;
	struct ht_trace *t;
	struct ht_diag d;
	struct ht_events events = {0};
	struct ht_live_set set = {0};
	struct truth truth = {.blocks = ht_xcalloc(EVENTS, sizeof(*truth.blocks))};
	int fd = model_file("", 0);
	make(fd, EVENTS, SIZE_MAX);
	assert_int_equal(ht_trace_open_fd(&t, fd, "test.tide", &d), 0);
	size_t n = ht_trace_checkpoint_count(t), c = 0;
	assert_true(n >= 2);
	for (size_t i = 0; i <= ht_trace_block_count(t); i++) {
		for (; c < n && ht_trace_checkpoint_block(t, c) == i; c++) {
			if (ht_trace_checkpoint_load(t, c, &set, &d))
				fail_msg("%s", d.text);
			compare(&truth, &set);
		}
		if (i == ht_trace_block_count(t))
			break;
		assert_int_equal(ht_trace_checkpoint_before(t, i), (int64_t)c - 1);
		assert_int_equal(ht_trace_block_of_birth(t, ht_trace_block(t, i)->first_seq), i);
		assert_int_equal(ht_trace_block_decode(t, i, &events, &d), 0);
		for (size_t k = 0; k < events.count; k++)
			tell(&truth, &events.items[k]);
	}
	assert_int_equal(c, n);
	assert_true(truth.ended[1] && truth.blocks[0].thread < THREADS);
	assert_int_equal(ht_trace_verify(t, NULL, NULL, 0, NULL), 0);
	assert_int_equal(ht_trace_block_at_time(t, 0), 0);
	assert_int_equal(ht_trace_block_at_time(t, UINT64_MAX), ht_trace_block_count(t));
	assert_int_equal(ht_trace_block_of_birth(t, UINT64_MAX), ht_trace_block_count(t));
	ht_trace_close(t);
	ht_events_release(&events);
	ht_live_set_release(&set);
	free(truth.blocks);
}

/* From the first unpaired birth on, and when there is no memory for them, a trace has no more of them. */
static void test_switched_off(void **state)
{
	(void)state;
	struct ht_trace *t;
	struct ht_diag d;
	int fd = model_file("", 0);
	make(fd, EVENTS / 2, 1100000);
	assert_int_equal(ht_trace_open_fd(&t, fd, "test.tide", &d), 0);
	size_t n = ht_trace_checkpoint_count(t);
	assert_true(n <= 1);
	assert_int_equal(ht_trace_verify(t, NULL, NULL, 0, NULL), 0);
	ht_trace_close(t);
	settings.checkpoint_memory = 100000;
	fd = model_file("", 0);
	make(fd, EVENTS / 2, SIZE_MAX);
	settings.checkpoint_memory = 0;
	assert_int_equal(ht_trace_open_fd(&t, fd, "test.tide", &d), 0);
	assert_int_equal(ht_trace_checkpoint_count(t), 0);
	ht_trace_close(t);
}

/* One that rotted: it and those behind it are refused, and verify says so. */
static void test_damaged(void **state)
{
	(void)state;
	struct ht_trace *t;
	struct ht_diag d;
	struct ht_live_set set = {0};
	size_t n, at = 0;
	struct ht_block_head h;
	int fd = model_file("", 0);
	make(fd, EVENTS, SIZE_MAX);
	uint8_t *bytes = model_bytes(fd, &n);
	close(fd);
	for (size_t i = 0; i + HT_BLOCK_HEAD <= n && !at; i++)
		if (ht_block_head_get(&h, bytes + i) && h.kind == HT_KIND_CHECKPOINT)
			at = i;
	assert_true(at);
	bytes[at + HT_BLOCK_HEAD + 20] ^= 4;
	assert_int_equal(model_open(&t, bytes, n, &d), 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
	for (size_t c = 0; c < ht_trace_checkpoint_count(t); c++) {
		assert_int_equal(ht_trace_checkpoint_load(t, c, &set, &d), HT_ERR_DAMAGED);
		assert_int_equal(set.count, 0);
	}
	uint64_t violations;
	assert_int_equal(ht_trace_verify(t, NULL, NULL, 0, &violations), HT_ERR_DAMAGED);
	assert_int_equal(violations, 1);
	ht_trace_close(t);
	ht_live_set_release(&set);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_events), cmocka_unit_test(test_switched_off),
					   cmocka_unit_test(test_damaged)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
