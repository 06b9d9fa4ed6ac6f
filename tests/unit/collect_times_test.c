/* collect_times_test: records of waits, wakes and stalls from a ring into the trace: times, stacks, accounts, hostile
 * values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "collect_fixture.h"

#define A 0x7f0000001000ull
#define LOCK 0x7ffff7000040ull

static uint32_t me(void)
{
	return (uint32_t)getpid();
}

static uint64_t words_of(unsigned call, unsigned kind, unsigned outcome, unsigned flags, int64_t fd)
{
	return call | kind << 8 | outcome << 16 | (uint64_t)flags << 24 | (uint64_t)(fd + 1) << 32;
}

/* Ended at stamp `at`, and took so many ticks. */
static void put_wait(struct producer *p, unsigned at, uint64_t ticks, uint64_t extra, uint64_t detail)
{
	producer_put(p,
		     (uint64_t[]){word0(HT_REC_WAIT, HT_REC_STAMP | HT_REC_SIZE | HT_REC_EXTRA, 0, 0, 0),
				  stamp(p->f, at), LOCK, ticks, extra, detail},
		     6);
}

static void put_wake(struct producer *p, unsigned at, uint64_t extra)
{
	producer_put(
	    p, (uint64_t[]){word0(HT_REC_WAKE, HT_REC_STAMP | HT_REC_EXTRA, 0, 0, 0), stamp(p->f, at), LOCK, extra, 0},
	    5);
}

static void put_stall(struct producer *p, unsigned at, uint64_t ticks, uint64_t extra, uint64_t size)
{
	producer_put(p,
		     (uint64_t[]){word0(HT_REC_STALL, HT_REC_STAMP | HT_REC_SIZE | HT_REC_EXTRA, 0, 0, 0),
				  stamp(p->f, at), A, ticks, extra, size},
		     6);
}

/* All of the trace; NULL: it has no such block. */
static void read_times(const struct fixture *f, unsigned kind, struct ht_time_records *r)
{
	struct ht_diag d;
	for (size_t i = 0; i < ht_trace_time_block_count(f->trace); i++)
		if (ht_trace_time_block(f->trace, i)->kind == kind)
			assert_int_equal(ht_trace_time_decode(f->trace, i, r, &d), 0);
}

static const struct ht_trace_totals *accounts(const struct fixture *f)
{
	const struct ht_trace_totals *t = ht_trace_totals(f->trace, NULL);
	uint64_t lost = 0;
	for (unsigned i = 0; i < HT_LOST_COUNT; i++)
		lost += t->lost[i];
	assert_int_equal(t->counted, t->recorded + lost);
	return t;
}

static void test_waits(void **state)
{
	(void)state;
	struct fixture f;
	struct ht_time_records r = {0};
	fixture_open(&f);
	fixture_image(&f, getpid());
	struct producer p = producer_new(&f, me(), me()), q = producer_new(&f, me(), me() + 1);
	put_malloc(&p, 10, A, 24);
	put_wait(&p, 30, 1500, words_of(HT_CALL_MUTEX_LOCK, HT_WAIT_MUTEX, HT_OUTCOME_OK, 0, -1), 0);
	put_free(&p, 0, A); /* it inherits the wait's stamp */
	put_wake(&q, 25, words_of(HT_CALL_MUTEX_UNLOCK, HT_WAIT_MUTEX, 0, 0, -1));
	put_wait(&q, 40, 100, words_of(HT_CALL_READ, HT_WAIT_PIPE, HT_OUTCOME_FAILED, 0, 7), 4096);
	put_stall(&q, 50, 2000, HT_OP_MALLOC | 1 << 8, 64);
	fixture_close(&f);
	const struct ht_trace_totals *t = accounts(&f);
	assert_int_equal(t->recorded, 6);
	assert_int_equal(t->waits, 2);
	assert_int_equal(t->io_waits, 1);
	assert_int_equal(t->wakes, 1);
	assert_int_equal(t->stalls, 1);
	assert_int_equal(f.events[0].op, HT_OP_IMAGE_START);
	assert_int_equal(count_of(&f, HT_OP_MALLOC), 1);
	assert_int_equal(count_of(&f, HT_OP_FREE), 1);
	read_times(&f, HT_TIME_WAITS, &r);
	assert_int_equal(r.wait_count, 2);
	const struct ht_wait *w = &r.waits[0];
	assert_int_equal(w->kind, HT_WAIT_MUTEX);
	assert_int_equal(w->call, HT_CALL_MUTEX_LOCK);
	assert_int_equal(w->fd, -1);
	assert_int_equal(w->object, LOCK);
	assert_int_equal(w->end_ns, ht_tickclock_ns(&f.c.clock, stamp(&f, 30)));
	assert_int_equal(w->begin_ns, ht_tickclock_past_ns(&f.c.clock, stamp(&f, 15)));
	assert_true(w->begin_ns < w->end_ns);
	assert_int_equal(ht_trace_thread(f.trace, w->thread)->tid, me());
	assert_int_equal(event_of(&f, HT_OP_FREE, 0)->time / 1000, w->end_ns / 1000);
	assert_int_equal(r.waits[1].fd, 7);
	assert_int_equal(r.waits[1].outcome, HT_OUTCOME_FAILED);
	assert_int_equal(r.waits[1].detail, 4096);
	assert_int_equal(ht_trace_thread(f.trace, r.waits[1].thread)->tid, me() + 1);
	assert_int_equal(r.wakes[0].call, HT_CALL_MUTEX_UNLOCK);
	assert_true(r.wakes[0].time_ns < w->end_ns);
	read_times(&f, HT_TIME_STALLS, &r);
	assert_int_equal(r.stalls[0].op, HT_OP_MALLOC);
	assert_true(r.stalls[0].bound);
	assert_int_equal(r.stalls[0].address, A);
	assert_int_equal(r.stalls[0].size, 64);
	ht_time_records_release(&r);
	fixture_free(&f);
}

/* The program's only thread: a free behind a wait inherits the wait's stamp, however long ago the last event was. */
static void test_alone(void **state)
{
	(void)state;
	struct fixture f;
	struct ht_time_records r = {0};
	fixture_open(&f);
	fixture_image(&f, getpid());
	struct producer p = producer_new(&f, me(), me());
	put_malloc(&p, 10, A, 24);
	put_malloc(&p, 11, A + 64, 24);
	ht_drain_all(&f.c);
	put_wait(&p, 90000, 89000, words_of(HT_CALL_SLEEP, HT_WAIT_SLEEP, HT_OUTCOME_OK, 0, -1), 0);
	put_free(&p, 0, A);
	put_free(&p, 0, A + 64);
	put_malloc(&p, 90001, A, 24);
	fixture_close(&f);
	assert_int_equal(accounts(&f)->recorded, 6);
	read_times(&f, HT_TIME_WAITS, &r);
	assert_int_equal(r.wait_count, 1);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(event_of(&f, HT_OP_FREE, i)->time / 1000, r.waits[0].end_ns / 1000);
	assert_true(event_of(&f, HT_OP_FREE, 0)->stamped);
	assert_false(event_of(&f, HT_OP_FREE, 1)->stamped);
	ht_time_records_release(&r);
	fixture_free(&f);
}

/* A wait's stack is a stack like any: what the next record keeps of it, it has. */
static void test_stacks(void **state)
{
	(void)state;
	struct fixture f;
	struct ht_time_records r = {0};
	fixture_open(&f);
	fixture_image(&f, getpid());
	struct producer p = producer_new(&f, me(), me());
	const uint64_t wait = words_of(HT_CALL_SEM_WAIT, HT_WAIT_SEM, HT_OUTCOME_OK, 0, -1);
	producer_put(
	    &p,
	    (uint64_t[]){word0(HT_REC_MALLOC, HT_REC_STACK | HT_REC_STAMP, 2, 0, 8), stamp(&f, 10), A, 0x1200, 0x1300},
	    5);
	producer_put(&p,
		     (uint64_t[]){word0(HT_REC_WAIT, HT_REC_STACK | HT_REC_STAMP | HT_REC_EXTRA, 1, 1, 5),
				  stamp(&f, 11), LOCK, wait, 0, 0x1100},
		     6);
	producer_put(&p, (uint64_t[]){word0(HT_REC_FREE, HT_REC_STACK | HT_REC_STAMP, 0, 2, 0), stamp(&f, 12), A}, 3);
	/* on another machine stack, and back: the free's stack is not comparable with the malloc's before the wait */
	producer_put(&p,
		     (uint64_t[]){word0(HT_REC_WAIT, HT_REC_STACK | HT_REC_ABS | HT_REC_STAMP | HT_REC_EXTRA, 1, 0, 5),
				  stamp(&f, 13), LOCK, wait, 0, 0x1500},
		     6);
	producer_put(&p, (uint64_t[]){word0(HT_REC_MALLOC, HT_REC_STACK | HT_REC_STAMP, 0, 1, 8), stamp(&f, 14), A}, 3);
	fixture_close(&f);
	assert_int_equal(accounts(&f)->recorded, 5);
	read_times(&f, HT_TIME_WAITS, &r);
	assert_int_equal(r.wait_count, 2);
	const struct ht_stack_node *nodes = ht_trace_nodes(f.trace);
	assert_true(r.waits[0].stack && r.waits[0].stack == event_of(&f, HT_OP_FREE, 0)->stack);
	assert_int_equal(nodes[r.waits[0].stack].address, 0x1100);
	assert_int_equal(nodes[nodes[r.waits[0].stack].parent].address, 0x1300);
	assert_false(event_of(&f, HT_OP_FREE, 0)->new_machine);
	assert_int_equal(r.waits[1].stack, event_of(&f, HT_OP_MALLOC, 1)->stack);
	assert_true(event_of(&f, HT_OP_MALLOC, 1)->new_machine);
	ht_time_records_release(&r);
	fixture_free(&f);
}

/* Whatever stands in the ring. */
static void test_hostile(void **state)
{
	(void)state;
	struct fixture f;
	struct ht_time_records r = {0};
	fixture_open(&f);
	fixture_image(&f, getpid());
	struct producer p = producer_new(&f, me(), me());
	put_wait(&p, 10, UINT64_MAX, UINT64_MAX, UINT64_MAX);
	put_wake(&p, 11, UINT64_MAX);
	put_stall(&p, 12, UINT64_MAX, UINT64_MAX, UINT64_MAX);
	put_wait(&p, 13, 0, words_of(HT_CALL_COUNT, HT_WAIT_KINDS, HT_OUTCOMES, 0, -1), 0);
	producer_put(&p, (uint64_t[]){word0(HT_REC_WAIT, 0, 0, 0, 9), LOCK}, 2); /* neither stamp nor words */
	fixture_close(&f);
	assert_int_equal(accounts(&f)->recorded, 5);
	read_times(&f, HT_TIME_WAITS, &r);
	assert_int_equal(r.wait_count, 3);
	for (size_t i = 0; i < r.wait_count; i++) {
		assert_int_equal(r.waits[i].kind, HT_WAIT_NONE);
		assert_int_equal(r.waits[i].call, HT_CALL_NONE);
		assert_int_equal(r.waits[i].fd, -1);
		assert_true(r.waits[i].begin_ns <= r.waits[i].end_ns);
	}
	assert_int_equal(r.waits[0].outcome, HT_OUTCOME_UNKNOWN);
	assert_int_equal(r.waits[0].begin_ns, 0);
	assert_int_equal(r.waits[1].outcome, HT_OUTCOME_UNKNOWN);
	assert_int_equal(r.waits[1].begin_ns, r.waits[1].end_ns);
	assert_int_equal(r.waits[2].end_ns, r.waits[1].end_ns);
	read_times(&f, HT_TIME_STALLS, &r);
	assert_int_equal(r.stalls[0].op, HT_OP_NONE);
	ht_time_records_release(&r);
	fixture_free(&f);
}

/* Cut off at its ring's head: damaged, and counted as lost. */
static void test_cut_off(void **state)
{
	(void)state;
	struct fixture f;
	fixture_open(&f);
	fixture_image(&f, getpid());
	struct producer p = producer_new(&f, me(), me());
	put_malloc(&p, 5, A, 8);
	producer_put(
	    &p,
	    (uint64_t[]){word0(HT_REC_WAIT, HT_REC_STAMP | HT_REC_SIZE | HT_REC_EXTRA, 0, 0, 0), stamp(&f, 9), LOCK},
	    3);
	fixture_close(&f);
	assert_int_equal(accounts(&f)->waits, 0);
	assert_int_equal(ht_trace_totals(f.trace, NULL)->lost[HT_LOST_DAMAGED], 1);
	fixture_free(&f);
}

/* The writer gets a block's worth of waits and nothing else. */
static void test_many(void **state)
{
	(void)state;
	struct fixture f;
	fixture_open(&f);
	fixture_image(&f, getpid());
	struct producer p = producer_new(&f, me(), me());
	for (unsigned i = 0; i < 40000; i++) {
		put_wait(&p, 10 + i, 50, words_of(HT_CALL_POLL, HT_WAIT_POLL, HT_OUTCOME_TIMEOUT, 0, -1), 1);
		if (i % 500 == 499)
			ht_drain_all(&f.c);
	}
	fixture_close(&f);
	assert_int_equal(accounts(&f)->waits, 40000);
	assert_int_equal(ht_trace_totals(f.trace, NULL)->io_waits, 40000);
	assert_int_equal(ht_trace_time_block_count(f.trace), 2);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_waits), cmocka_unit_test(test_alone),   cmocka_unit_test(test_stacks), cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_cut_off), cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
