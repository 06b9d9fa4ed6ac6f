/* test_trace_times: waits, wakes, stalls, faults, switches and schedstats through writer and reader, field by field. */
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

static uint64_t state;

static uint64_t any(uint64_t below)
{
	state = state * 0x5851f42d4c957f2du + 0x14057b7ef767814fu;
	return below ? (state >> 20) % below : 0;
}

/* What was given to the writer; sorted by time as a reader must give it back, equal times in any order. */
struct told {
	struct ht_time_records r;
	uint64_t io_waits;
};

static void *grow(void *items, size_t n, size_t size)
{
	if (n & (n - 1))
		return items; /* there is room up to the next power of two */
	void *p = realloc(items, 2 * n * size);
	assert_non_null(p);
	return p;
}

/* Field by field into zeroed memory, so that records compare by their bytes. */
static void copy_wait(struct ht_wait *to, const struct ht_wait *x)
{
	*to = *x;
}

static void copy_wake(struct ht_wake *to, const struct ht_wake *x)
{
	to->kind = x->kind;
	to->call = x->call;
	to->flags = x->flags;
	to->thread = x->thread;
	to->stack = x->stack;
	to->time_ns = x->time_ns;
	to->object = x->object;
}

static void copy_stall(struct ht_stall *to, const struct ht_stall *x)
{
	to->op = x->op;
	to->bound = x->bound;
	to->thread = x->thread;
	to->stack = x->stack;
	to->begin_ns = x->begin_ns;
	to->end_ns = x->end_ns;
	to->address = x->address;
	to->size = x->size;
}

static void copy_fault(struct ht_fault *to, const struct ht_fault *x)
{
	*to = *x;
}

static void copy_switch(struct ht_switch *to, const struct ht_switch *x)
{
	to->how = x->how;
	to->cpu = x->cpu;
	to->thread = x->thread;
	to->time_ns = x->time_ns;
}

static void copy_schedstat(struct ht_schedstat *to, const struct ht_schedstat *x)
{
	to->thread = x->thread;
	to->time_ns = x->time_ns;
	to->running_ns = x->running_ns;
	to->runnable_ns = x->runnable_ns;
	to->slices = x->slices;
}

#define ADD(all, name, items, from)                                                                                    \
	do {                                                                                                           \
		(all)->items = grow((all)->items, (all)->name##_count + 1, sizeof(*(all)->items));                     \
		memset(&(all)->items[(all)->name##_count], 0, sizeof(*(all)->items));                                  \
		copy_##name(&(all)->items[(all)->name##_count++], from);                                               \
	} while (0)

static void put_waits(struct ht_trace_writer *w, struct told *t, uint64_t now)
{
	uint32_t thread = (uint32_t)any(THREADS);
	struct ht_wait x = {.kind = (uint8_t)(1 + any(HT_WAIT_KINDS - 1)),
			    .call = (uint8_t)(1 + any(HT_CALL_COUNT - 1)),
			    .outcome = (uint8_t)any(HT_OUTCOMES),
			    .flags = (uint8_t)any(4),
			    .fd = any(3)   ? -1
				  : any(2) ? INT32_MAX
					   : (int32_t)any(9),
			    .thread = thread,
			    .stack = (uint32_t)any(NODES + 1),
			    .begin_ns = any(20) ? now - any(now + 1) / 3 : 0,
			    .end_ns = now,
			    .object = any(4) ? 0x7f0000001000 + 64 * any(5) : any(UINT64_MAX),
			    .detail = any(3) ? 0 : any(UINT64_MAX)};
	struct ht_wake k = {.kind = x.kind,
			    .call = x.call,
			    .flags = x.flags,
			    .thread = thread,
			    .stack = x.stack,
			    .time_ns = now + any(3),
			    .object = x.object};
	ht_trace_writer_wait(w, &x);
	ADD(&t->r, wait, waits, &x);
	t->io_waits += x.kind >= HT_WAIT_SLEEP;
	if (any(2))
		return;
	ht_trace_writer_wake(w, &k);
	ADD(&t->r, wake, wakes, &k);
}

static void put_stalls(struct ht_trace_writer *w, struct told *t, uint64_t now)
{
	struct ht_stall x = {.op = (uint8_t)any(HT_OP_COUNT),
			     .bound = any(2),
			     .thread = (uint32_t)any(THREADS),
			     .stack = (uint32_t)any(NODES + 1),
			     .begin_ns = now - any(now + 1),
			     .end_ns = now,
			     .address = any(2) ? 0x555555550000 + any(1 << 20) : 0,
			     .size = any(UINT64_MAX)};
	struct ht_fault f = {
	    .thread = x.thread, .stack = (uint32_t)any(NODES + 1), .time_ns = now, .address = any(UINT64_MAX)};
	ht_trace_writer_stall(w, &x);
	ADD(&t->r, stall, stalls, &x);
	ht_trace_writer_fault(w, &f);
	ADD(&t->r, fault, faults, &f);
}

static void put_switches(struct ht_trace_writer *w, struct told *t, uint64_t now)
{
	struct ht_switch x = {.how = (uint8_t)any(3),
			      .cpu = (uint16_t)(any(50) ? any(8) : any(65536)),
			      .thread = (uint32_t)any(THREADS),
			      .time_ns = now};
	struct ht_schedstat s = {.thread = x.thread,
				 .time_ns = now,
				 .running_ns = any(UINT64_MAX),
				 .runnable_ns = any(1 << 30),
				 .slices = any(1 << 20)};
	ht_trace_writer_switch(w, &x);
	ADD(&t->r, switch, switches, &x);
	if (any(4))
		return;
	ht_trace_writer_schedstat(w, &s);
	ADD(&t->r, schedstat, schedstats, &s);
}

static struct ht_trace_writer *begin(int fd)
{
	struct ht_trace_settings s = {.time_unit_ns = 1000, .addresses = true, .sched = "perf"};
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

/* --- comparing: both sides by time, then by bytes ------------------------------------------------- */

static size_t time_at, record_size;

static int by_time(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, (const char *)a + time_at, sizeof(x));
	memcpy(&y, (const char *)b + time_at, sizeof(y));
	return x != y ? (x < y ? -1 : 1) : memcmp(a, b, record_size);
}

static void same(void *wanted, size_t n, void *got, size_t count, size_t size, size_t at)
{
	assert_int_equal(n, count);
	time_at = at;
	record_size = size;
	if (n) {
		qsort(wanted, n, size, by_time);
		qsort(got, n, size, by_time);
		assert_memory_equal(wanted, got, n * size);
	}
}

/* Everything that the reader has, block after block; each block must be in order. */
static void read_all(const struct ht_trace *t, struct told *all)
{
	struct ht_time_records r = {0};
	struct ht_diag d = {0};
	for (size_t i = 0; i < ht_trace_time_block_count(t); i++) {
		const struct ht_time_block *b = ht_trace_time_block(t, i);
		int err = ht_trace_time_decode(t, i, &r, &d);
		if (err)
			print_error("%s\n", d.text);
		assert_int_equal(err, 0);
		assert_int_equal(b->count, r.wait_count + r.wake_count + r.stall_count + r.fault_count +
					       r.switch_count + r.schedstat_count);
		for (size_t k = 1; k < r.wait_count; k++)
			assert_true(r.waits[k - 1].end_ns <= r.waits[k].end_ns);
		for (size_t k = 1; k < r.switch_count; k++)
			assert_true(r.switches[k - 1].time_ns <= r.switches[k].time_ns);
		for (size_t k = 0; k < r.wait_count; k++) {
			const struct ht_wait *x = &r.waits[k];
			assert_true(x->end_ns >= b->first_ns && x->end_ns <= b->last_ns);
			ADD(&all->r, wait, waits, x);
		}
		for (size_t k = 0; k < r.wake_count; k++)
			ADD(&all->r, wake, wakes, &r.wakes[k]);
		for (size_t k = 0; k < r.stall_count; k++)
			ADD(&all->r, stall, stalls, &r.stalls[k]);
		for (size_t k = 0; k < r.fault_count; k++)
			ADD(&all->r, fault, faults, &r.faults[k]);
		for (size_t k = 0; k < r.switch_count; k++)
			ADD(&all->r, switch, switches, &r.switches[k]);
		for (size_t k = 0; k < r.schedstat_count; k++)
			ADD(&all->r, schedstat, schedstats, &r.schedstats[k]);
	}
	ht_time_records_release(&r);
}

#define SAME(items, count, type, time)                                                                                 \
	same(a->r.items, a->r.count, b->r.items, b->r.count, sizeof(struct type), offsetof(struct type, time))
static void compare(struct told *a, struct told *b)
{
	SAME(waits, wait_count, ht_wait, end_ns);
	SAME(wakes, wake_count, ht_wake, time_ns);
	SAME(stalls, stall_count, ht_stall, end_ns);
	SAME(faults, fault_count, ht_fault, time_ns);
	SAME(switches, switch_count, ht_switch, time_ns);
	SAME(schedstats, schedstat_count, ht_schedstat, time_ns);
}

static void say(void *ctx, const char *line)
{
	(void)ctx;
	print_error("%s\n", line);
}

static void check_totals(const struct ht_trace *t, const struct told *all)
{
	uint64_t violations;
	const struct ht_trace_totals *n = ht_trace_totals(t, NULL);
	assert_int_equal(n->waits, all->r.wait_count);
	assert_int_equal(n->wakes, all->r.wake_count);
	assert_int_equal(n->stalls, all->r.stall_count);
	assert_int_equal(n->faults, all->r.fault_count);
	assert_int_equal(n->switches, all->r.switch_count);
	assert_int_equal(n->io_waits, all->io_waits);
	assert_int_equal(ht_trace_verify(t, say, NULL, 10, &violations), 0);
	assert_int_equal(violations, 0);
	assert_int_equal(ht_trace_verdict(t), HT_VERDICT_OK);
}

/* jumbled: times go back and forth, as they do when many threads are told in turn. */
static void round_trip(uint64_t seed, size_t records, bool jumbled, size_t flush_every)
{
	struct told in = {0}, out = {0};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	struct ht_trace *t;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = begin(fd);
	state = seed;
	uint64_t now = 1000;
	for (size_t i = 0; i < records; i++) {
		now += any(jumbled ? 5000 : 800);
		uint64_t at = jumbled && any(3) ? now - any(now < 90000 ? now : 90000) : now;
		unsigned what = (unsigned)any(3);
		(what == 0 ? put_waits : what == 1 ? put_stalls : put_switches)(w, &in, at);
		if (flush_every && i % flush_every == 0)
			assert_int_equal(ht_trace_writer_flush(w, &d), 0);
		if (i % 7 == 0) {
			struct ht_event e = {
			    .op = HT_OP_MALLOC, .stamped = true, .time = now, .size = 1, .address = 16 * i + 16};
			ht_trace_writer_event(w, &e);
		}
	}
	assert_int_equal(ht_trace_writer_bad_references(w), 0);
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	read_all(t, &out);
	compare(&in, &out);
	check_totals(t, &in);
	assert_string_equal(ht_trace_settings(t)->sched, "perf");
	ht_trace_close(t);
	ht_time_records_release(&in.r);
	ht_time_records_release(&out.r);
	close(fd);
}

static void test_round_trip(void **unused)
{
	(void)unused;
	for (uint64_t seed = 1; seed <= 40; seed++)
		round_trip(seed, 1 + seed * 53 % 700, seed % 2, seed % 3 * 90);
	round_trip(77, 0, false, 0);
}

static void test_many_blocks(void **unused)
{
	(void)unused;
	round_trip(5, 150000, true, 0);
}

/* --- what a caller may do wrong ---------------------------------------------------------------------- */

static void test_bad_references(void **unused)
{
	(void)unused;
	struct ht_time_records r = {0};
	struct ht_trace_totals totals = {0};
	struct ht_trace *t;
	struct ht_diag d;
	int fd = model_file("", 0);
	struct ht_trace_writer *w = begin(fd);
	ht_trace_writer_wait(w, &(struct ht_wait){.thread = THREADS, .end_ns = 5});
	ht_trace_writer_switch(w, &(struct ht_switch){.thread = 99, .time_ns = 5});
	ht_trace_writer_wait(w, &(struct ht_wait){.kind = 1, .fd = -7, .stack = NODES + 1, .begin_ns = 9, .end_ns = 5});
	assert_int_equal(ht_trace_writer_bad_references(w), 3);
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	assert_int_equal(totals.waits, 1);
	assert_int_equal(totals.switches, 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	assert_int_equal(ht_trace_time_block_count(t), 1);
	assert_int_equal(ht_trace_time_decode(t, 0, &r, &d), 0);
	assert_int_equal(r.waits[0].stack, 0);
	assert_int_equal(r.waits[0].fd, -1);
	assert_int_equal(r.waits[0].begin_ns, 5);
	assert_null(ht_trace_time_block(t, 1));
	assert_int_equal(ht_trace_time_decode(t, 1, &r, &d), HT_ERR_USAGE);
	ht_time_records_release(&r);
	ht_trace_close(t);
	close(fd);
}

/* The same events, with and without waits between them. */
static struct ht_trace *checkpointed(int fd, bool waits)
{
	struct told in = {0};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	struct ht_trace *t;
	struct ht_trace_writer *w = begin(fd);
	state = 9;
	for (uint64_t i = 0; i < 1400000; i++) {
		struct ht_event e = {.op = i % 2 ? HT_OP_FREE : HT_OP_MALLOC,
				     .stamped = true,
				     .time = 1000 * i,
				     .seq = i / 2,
				     .size = (i * 0x9e3779b97f4a7c15u >> 40) % 5000,
				     .address = (i * 0x9e3779b97f4a7c15u >> 20) | 16}; /* so that checkpoints pay */
		ht_trace_writer_event(w, &e);
		if (waits && i % 8 == 0)
			put_waits(w, &in, 1000 * i);
	}
	assert_int_equal(ht_trace_writer_finish(w, &totals, 0, &d), 0);
	assert_int_equal(model_reopen(&t, fd, &d), 0);
	ht_time_records_release(&in.r);
	return t;
}

/* Blocks, checkpoints and windows of the heap are what they would be without. */
static void test_apart(void **unused)
{
	(void)unused;
	int fd = model_file("", 0), fd2 = model_file("", 0);
	struct ht_trace *a = checkpointed(fd, false), *b = checkpointed(fd2, true);
	struct ht_live_set s = {0};
	struct ht_diag d;
	uint64_t violations;
	assert_true(ht_trace_time_block_count(b) > 3);
	assert_int_equal(ht_trace_time_block_count(a), 0);
	assert_int_equal(ht_trace_block_count(a), ht_trace_block_count(b));
	assert_int_equal(ht_trace_checkpoint_count(a), 1);
	assert_int_equal(ht_trace_checkpoint_count(b), 1);
	assert_int_equal(ht_trace_checkpoint_block(a, 0), ht_trace_checkpoint_block(b, 0));
	assert_int_equal(ht_trace_checkpoint_load(b, 0, &s, &d), 0);
	for (size_t i = 0; i < ht_trace_block_count(a); i++) {
		const struct ht_block_info *x = ht_trace_block(a, i), *y = ht_trace_block(b, i);
		assert_int_equal(x->first_seq, y->first_seq);
		assert_int_equal(x->births, y->births);
		assert_int_equal(x->first_ns, y->first_ns);
		assert_int_equal(x->last_ns, y->last_ns);
		assert_int_equal(ht_trace_block_at_time(a, x->first_ns + 1),
				 ht_trace_block_at_time(b, x->first_ns + 1));
	}
	assert_int_equal(ht_trace_verify(b, say, NULL, 10, &violations), 0);
	ht_live_set_release(&s);
	ht_trace_close(a);
	ht_trace_close(b);
	close(fd);
	close(fd2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_many_blocks),
	    cmocka_unit_test(test_bad_references),
	    cmocka_unit_test(test_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
