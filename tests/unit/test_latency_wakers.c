/* test_latency_wakers: who ended which wait, in cases made by hand and in hand-offs whose truth a simulation knows. */
#include "latency_fixture.h"

enum { A = 0x1000, B = 0x2000 };

static uint32_t threads_of(struct fixture *f, uint32_t image, unsigned n)
{
	uint32_t first = 0;
	for (unsigned i = 0; i < n; i++) {
		uint32_t id = latency_thread(f, image, 100 * (image + 1) + i, "", 0, 10000);
		first = i ? first : id;
	}
	return first;
}

static void locks(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = threads_of(&f, 0, 3), u = t + 1, v = t + 2;
	/* Two unlocks while it waits: the later one let it in. Its own, and another lock's, did not. */
	latency_lock(&f, t, A, 10, 50);
	latency_unlock(&f, u, A, 20);
	latency_unlock(&f, v, A, 40);
	latency_unlock(&f, u, B, 45);
	latency_unlock(&f, t, A, 48);
	/* One that came before it began to wait. */
	latency_lock(&f, t, B, 100, 120);
	/* It gave up. */
	latency_timed_wait(&f, t, HT_WAIT_MUTEX, HT_CALL_MUTEX_TIMEDLOCK, HT_OUTCOME_TIMEOUT, B, 200, 220, 10);
	latency_unlock(&f, u, B, 210);
	/* Readers were let in by the writer, whatever other readers did. */
	latency_wait(&f, t, HT_WAIT_RWLOCK, HT_CALL_RWLOCK_WRLOCK, A, 300, 340);
	latency_wake(&f, u, HT_WAIT_RWLOCK, HT_CALL_RWLOCK_UNLOCK, 0, A, 320);
	latency_wake(&f, v, HT_WAIT_RWLOCK, HT_CALL_RWLOCK_UNLOCK, HT_WAITED_SHARED, A, 330);
	struct ht_wait reader = {.kind = HT_WAIT_RWLOCK,
				 .call = HT_CALL_RWLOCK_RDLOCK,
				 .flags = HT_WAITED_SHARED,
				 .fd = -1,
				 .thread = v,
				 .begin_ns = 310 * US,
				 .end_ns = 338 * US,
				 .object = A};
	ht_trace_writer_wait(f.writer, &reader);
	/* A thread that ended long ago. */
	latency_wake(&f, v, HT_WAIT_JOIN, HT_CALL_EXIT, HT_WAITED_ALL, 0x7f00, 350);
	latency_wait(&f, t, HT_WAIT_JOIN, HT_CALL_JOIN, 0x7f00, 400, 420);
	struct ht_latency *l = latency_read(&f);
	assert_int_equal(latency_waker(l, t, 0), v);
	assert_int_equal(latency_waker(l, t, 1), -1);
	assert_int_equal(latency_waker(l, t, 2), -1);
	assert_int_equal(latency_waker(l, t, 3), v);
	assert_int_equal(latency_waker(l, v, 0), u);
	assert_int_equal(latency_waker(l, t, 4), v);
	latency_end(&f, l);
}

/* The same address in another image is another lock; an inode is the same everywhere. */
static void images(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	fixture_image(&f, 200, 1, 1);
	uint32_t t = threads_of(&f, 0, 1), u = threads_of(&f, 1, 1);
	latency_lock(&f, t, A, 10, 50);
	latency_unlock(&f, u, A, 20);
	latency_lock(&f, u, A, 10, 15);
	latency_wait(&f, t, HT_WAIT_PIPE, HT_CALL_READ, 4711, 60, 90);
	latency_wake(&f, u, HT_WAIT_PIPE, HT_CALL_WRITE, 0, 4711, 80);
	struct ht_latency *l = latency_read(&f);
	assert_int_equal(latency_waker(l, t, 0), -1);
	assert_int_equal(latency_waker(l, t, 1), u);
	assert_int_not_equal(l->waits[0].object, l->waits[2].object);
	latency_end(&f, l);
}

static void cond_wait(struct fixture *f, uint32_t t, uint64_t begin, uint64_t end)
{
	latency_wait(f, t, HT_WAIT_COND, HT_CALL_COND_WAIT, A, begin, end);
}
static void cond_signal(struct fixture *f, uint32_t t, uint64_t at)
{
	latency_wake(f, t, HT_WAIT_COND, HT_CALL_COND_SIGNAL, 0, A, at);
}

static void conditions(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = threads_of(&f, 0, 6), u = t + 1, v = t + 2, x = t + 3, y = t + 4, z = t + 5;
	/* Each signal is for the one that waits longest, also when they return the other way round. */
	cond_wait(&f, t, 10, 60);
	cond_wait(&f, u, 20, 50);
	cond_signal(&f, x, 30);
	cond_signal(&f, y, 40);
	/* One that is awake first takes another's; he waits on, and takes the next. */
	cond_wait(&f, t, 110, 160);
	cond_wait(&f, u, 120, 140);
	cond_signal(&f, x, 130);
	cond_signal(&f, y, 150);
	/* Nobody signalled. */
	cond_wait(&f, t, 210, 220);
	/* Who gave up took none. */
	latency_timed_wait(&f, t, HT_WAIT_COND, HT_CALL_COND_TIMEDWAIT, HT_OUTCOME_TIMEOUT, A, 310, 345, 30);
	cond_wait(&f, u, 320, 350);
	cond_signal(&f, x, 330);
	/* All; and one who came later is woken by another. */
	cond_wait(&f, t, 410, 460);
	cond_wait(&f, u, 415, 470);
	latency_wake(&f, x, HT_WAIT_COND, HT_CALL_COND_BROADCAST, HT_WAITED_ALL, A, 420);
	cond_wait(&f, v, 430, 480);
	cond_signal(&f, y, 440);
	/* Stamped a little too soon. */
	cond_wait(&f, z, 501, 510);
	cond_signal(&f, y, 500);
	struct ht_latency *l = latency_read(&f);
	assert_int_equal(latency_waker(l, t, 0), x);
	assert_int_equal(latency_waker(l, u, 0), y);
	assert_int_equal(latency_waker(l, t, 1), y);
	assert_int_equal(latency_waker(l, u, 1), x);
	assert_int_equal(latency_waker(l, t, 2), -1);
	assert_int_equal(latency_waker(l, t, 3), -1);
	assert_int_equal(latency_waker(l, u, 2), x);
	assert_int_equal(latency_waker(l, t, 4), x);
	assert_int_equal(latency_waker(l, u, 3), x);
	assert_int_equal(latency_waker(l, v, 0), y);
	assert_int_equal(latency_waker(l, z, 0), y);
	latency_end(&f, l);
}

/* What was posted somebody else took: it slept again, and the next post was what ended its wait. Pipes have two
 * directions. */
static void taken_away(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = threads_of(&f, 0, 4), u = t + 1, v = t + 2, x = t + 3;
	latency_wait(&f, t, HT_WAIT_SEM, HT_CALL_SEM_WAIT, A, 10, 100);
	latency_blocked(&f, t, 12);
	latency_wake(&f, u, HT_WAIT_SEM, HT_CALL_SEM_POST, 0, A, 30);
	latency_in(&f, t, 40);
	latency_blocked(&f, t, 42);
	latency_wake(&f, v, HT_WAIT_SEM, HT_CALL_SEM_POST, 0, A, 80);
	latency_in(&f, t, 90);
	latency_wait(&f, u, HT_WAIT_PIPE, HT_CALL_READ, 9, 200, 250);
	latency_wait(&f, v, HT_WAIT_PIPE, HT_CALL_WRITE, 9, 205, 260);
	latency_wake(&f, x, HT_WAIT_PIPE, HT_CALL_READ, 0, 9, 210);
	latency_wake(&f, t, HT_WAIT_PIPE, HT_CALL_WRITE, 0, 9, 220);
	struct ht_latency *l = latency_read(&f);
	assert_int_equal(latency_waker(l, t, 0), v);
	assert_string_equal(latency_spans(l, t), "run 12 sem 18 ready 10 run 2 sem 38 ready 10 run 9910");
	assert_int_equal(latency_waker(l, u, 0), t);
	assert_int_equal(latency_waker(l, v, 0), x);
	latency_end(&f, l);
}

static uint64_t state = 88172645463325252u;
static uint64_t dice(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* A token goes round: who has it posts to a random other one, who has waited since its own turn. */
static void pipe_read(struct fixture *f, uint32_t t, uint64_t begin, uint64_t end, uint64_t bytes)
{
	struct ht_wait w = {.kind = HT_WAIT_PIPE,
			    .call = HT_CALL_READ,
			    .fd = 3,
			    .thread = t,
			    .begin_ns = begin * US,
			    .end_ns = end * US,
			    .object = A,
			    .detail = bytes};
	ht_trace_writer_wait(f->writer, &w);
}

static void pipe_wake(struct fixture *f, uint32_t t, unsigned call, uint64_t at)
{
	latency_wake(f, t, HT_WAIT_PIPE, call, 0, A, at);
}

/* Each process that inherited a pipe closes its end of it: the last one's close is the end of the data. */
static void closes(void **unused)
{
	(void)unused;
	struct fixture f;
	latency_begin(&f);
	uint32_t t = threads_of(&f, 0, 4), u = t + 1, v = t + 2, x = t + 3;
	/* A close brings no bytes: nobody who is known wrote them, and when is not known either. */
	latency_in(&f, t, 5);
	pipe_read(&f, t, 10, 90, 41);
	latency_blocked(&f, t, 12);
	pipe_wake(&f, u, HT_CALL_CLOSE, 20);
	latency_in(&f, t, 88);
	/* A write in between does. */
	pipe_read(&f, t, 110, 150, 1);
	pipe_wake(&f, u, HT_CALL_CLOSE, 115);
	pipe_wake(&f, v, HT_CALL_WRITE, 130);
	pipe_wake(&f, x, HT_CALL_CLOSE, 140);
	/* The end of the data: the last close; if that is the one of a process that ends, nobody sees it. */
	pipe_read(&f, t, 210, 290, 0);
	latency_blocked(&f, t, 212);
	pipe_wake(&f, u, HT_CALL_CLOSE, 220);
	pipe_wake(&f, v, HT_CALL_CLOSE, 240);
	pipe_wake(&f, x, HT_CALL_CLOSE, 260);
	latency_in(&f, t, 288);
	struct ht_latency *l = latency_read(&f);
	assert_int_equal(latency_waker(l, t, 0), -1);
	assert_int_equal(latency_waker(l, t, 1), v);
	assert_int_equal(latency_waker(l, t, 2), x);
	const struct ht_latency_thread *it = ht_latency_thread(l, t);
	for (size_t i = 0; i < it->span_count; i++)
		assert_int_not_equal(it->spans[i].state, HT_STATE_RUNNABLE);
	latency_end(&f, l);
}

static void hand_offs(void **unused)
{
	(void)unused;
	enum { THREADS = 16, TURNS = 100000 };
	struct fixture f;
	latency_begin(&f);
	uint32_t first = threads_of(&f, 0, THREADS);
	static uint32_t truth[THREADS][TURNS];
	static unsigned count[THREADS];
	uint64_t now = 100 * US, since[THREADS];
	for (unsigned i = 0; i < THREADS; i++)
		since[i] = now + i;
	unsigned holder = 0;
	for (unsigned i = 0; i < TURNS; i++) {
		unsigned next = (holder + 1 + (unsigned)dice(THREADS - 1)) % THREADS;
		now += 50 + dice(300);
		const struct ht_wake wake = {.kind = HT_WAIT_SEM,
					     .call = HT_CALL_SEM_POST,
					     .thread = first + holder,
					     .time_ns = now,
					     .object = A + 64 * next};
		ht_trace_writer_wake(f.writer, &wake);
		since[holder] = now + 30 + dice(20);
		now += 50 + dice(5000);
		const struct ht_wait wait = {.kind = HT_WAIT_SEM,
					     .call = HT_CALL_SEM_WAIT,
					     .fd = -1,
					     .thread = first + next,
					     .begin_ns = since[next],
					     .end_ns = now,
					     .object = A + 64 * next};
		ht_trace_writer_wait(f.writer, &wait);
		truth[next][count[next]++] = first + holder;
		holder = next;
	}
	struct ht_latency *l = latency_read(&f);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(ht_latency_thread(l, first + i)->wait_count, count[i]);
		for (unsigned j = 0; j < count[i]; j++)
			assert_int_equal(latency_waker(l, first + i, j), truth[i][j]);
	}
	latency_end(&f, l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(locks),	  cmocka_unit_test(images),    cmocka_unit_test(conditions),
	    cmocka_unit_test(taken_away), cmocka_unit_test(closes),    cmocka_unit_test(hand_offs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
