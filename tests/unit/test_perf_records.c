/*
 * test_perf_records: forged buffers of the kernel's: every kind of record, records that wrap around the end, lengths
 * that cannot be right, bytes at random; and what perf_events.h and schedstat.h promise where the kernel refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "perf_events.h"
#include "schedstat.h"

#define SIZE 4096u

struct forged {
	struct perf_event_mmap_page page;
	uint8_t data[SIZE], guard[64]; /* nobody may read into the guard: run under -fsanitize=address it is seen */
	struct ht_perf_buffer b;
};

static struct forged *forge(uint64_t at)
{
	struct forged *f = calloc(1, sizeof(*f));
	f->page.data_tail = f->page.data_head = at;
	ht_perf_buffer_init(&f->b, &f->page, f->data, SIZE, 5);
	return f;
}

static void put(struct forged *f, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		f->data[(f->page.data_head + i) % SIZE] = ((const uint8_t *)bytes)[i];
	f->page.data_head += n;
}

static void put_header(struct forged *f, uint32_t type, uint16_t misc, size_t size)
{
	put(f, &(struct perf_event_header){type, misc, (uint16_t)size}, 8);
}

static void put_stamp(struct forged *f, uint32_t pid, uint32_t tid, uint64_t time)
{
	put(f, (uint32_t[]){pid, tid}, 8);
	put(f, &time, 8);
}

static void put_switch(struct forged *f, uint16_t misc, uint32_t tid, uint64_t time)
{
	put_header(f, PERF_RECORD_SWITCH, misc, 24);
	put_stamp(f, 7, tid, time);
}

static const struct ht_perf_record *next(struct forged *f)
{
	f->b.has_next = false;
	return ht_perf_buffer_peek(&f->b);
}

static void test_every_kind(void **state)
{
	(void)state;
	struct forged *f = forge(0);
	put_switch(f, 0, 11, 100);
	put_switch(f, PERF_RECORD_MISC_SWITCH_OUT, 12, 101);
	put_switch(f, PERF_RECORD_MISC_SWITCH_OUT | PERF_RECORD_MISC_SWITCH_OUT_PREEMPT, 13, 102);
	put_header(f, PERF_RECORD_FORK, 0, 8 + 24 + 16);
	put(f, (uint32_t[]){20, 7, 21, 11}, 16);
	put(f, (uint64_t[]){103}, 8);
	put_stamp(f, 7, 11, 104);
	put_header(f, PERF_RECORD_EXIT, 0, 8 + 24 + 16);
	put(f, (uint32_t[]){20, 7, 21, 11}, 16);
	put(f, (uint64_t[]){105}, 8);
	put_stamp(f, 20, 21, 106);
	put_header(f, PERF_RECORD_COMM, 0, 8 + 8 + 8 + 16); /* a thread's new name */
	put(f, "\7\0\0\0\13\0\0\0cat\0\0\0\0", 16);
	put_stamp(f, 7, 11, 107);
	put_header(f, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, 8 + 8 + 8 + 16);
	put(f, "\7\0\0\0\13\0\0\0cat\0\0\0\0", 16);
	put_stamp(f, 7, 11, 108);
	put_header(f, PERF_RECORD_SAMPLE, 0, 8 + 32);
	put(f, (uint64_t[]){0x401000}, 8);
	put_stamp(f, 7, 11, 109);
	put(f, (uint64_t[]){0x7000}, 8);
	put_header(f, PERF_RECORD_LOST, 0, 8 + 16 + 16);
	put(f, (uint64_t[]){1, 77}, 16);
	put_stamp(f, 7, 11, 110);
	put_header(f, PERF_RECORD_LOST_SAMPLES, 0, 8 + 8 + 16);
	put(f, (uint64_t[]){78}, 8);
	put_stamp(f, 7, 11, 111);
	assert_null(next(f)); /* not looked at yet */
	ht_perf_buffer_look(&f->b);
	static const struct { uint8_t kind; uint32_t tid; uint64_t time; } wanted[] = {
		{HT_PERF_IN, 11, 100},	 {HT_PERF_BLOCKED, 12, 101}, {HT_PERF_PREEMPTED, 13, 102}, {HT_PERF_FORK, 21, 103},
		{HT_PERF_EXIT, 21, 105}, {HT_PERF_EXEC, 11, 108},    {HT_PERF_FAULT, 11, 109},	   {HT_PERF_LOST, 11, 110},
		{HT_PERF_LOST, 11, 111},
	};
	for (size_t i = 0; i < HT_ARRAY_SIZE(wanted); i++) {
		const struct ht_perf_record *r = next(f);
		assert_non_null(r);
		assert_int_equal(r->kind, wanted[i].kind);
		assert_int_equal(r->tid, wanted[i].tid);
		assert_int_equal(r->time, wanted[i].time);
		assert_int_equal(r->cpu, 5);
		assert_true(r->kind != HT_PERF_FORK || (r->pid == 20 && r->parent_pid == 7 && r->parent_tid == 11));
		assert_true(r->kind != HT_PERF_FAULT || (r->ip == 0x401000 && r->address == 0x7000));
		assert_true(r->kind != HT_PERF_LOST || r->lost == 77 + (r->time == 111));
	}
	assert_null(next(f));
	ht_perf_buffer_publish(&f->b);
	assert_int_equal(f->page.data_tail, f->page.data_head);
	free(f);
}

/* Whatever the place in the buffer; positions only grow, also beyond 2^32. */
static void test_wrap_around(void **state)
{
	(void)state;
	struct forged *f = forge(0xfffffff0u * 8ull);
	uint64_t time = 0;
	for (unsigned round = 0; round < 1000; round++) {
		unsigned n = 1 + round % (SIZE / 24);
		for (unsigned i = 0; i < n; i++)
			put_switch(f, 0, 11, time + i);
		ht_perf_buffer_look(&f->b);
		for (unsigned i = 0; i < n; i++) {
			const struct ht_perf_record *r = next(f);
			assert_non_null(r);
			assert_int_equal(r->time, time + i);
		}
		assert_null(next(f));
		ht_perf_buffer_publish(&f->b);
		assert_int_equal(f->page.data_tail, f->page.data_head);
		time += n;
	}
	free(f);
}

static void lost_and_empty(struct forged *f)
{
	ht_perf_buffer_look(&f->b);
	const struct ht_perf_record *r = next(f);
	assert_non_null(r);
	assert_int_equal(r->kind, HT_PERF_LOST);
	assert_true(r->lost >= 1 && r->lost <= SIZE / 8);
	assert_null(next(f));
	assert_int_equal(f->b.tail, f->page.data_head);
	put_switch(f, 0, 11, 1); /* and it goes on */
	ht_perf_buffer_look(&f->b);
	assert_int_equal(next(f)->kind, HT_PERF_IN);
	free(f);
}

static void test_hostile_sizes(void **state)
{
	(void)state;
	static const uint16_t sizes[] = {0, 1, 7, 9, 12, 25, 4096, 65528, 65535};
	for (size_t i = 0; i < HT_ARRAY_SIZE(sizes); i++) {
		struct forged *f = forge(SIZE - 16);
		put_header(f, PERF_RECORD_SWITCH, 0, sizes[i]);
		put_stamp(f, 1, 2, 3);
		lost_and_empty(f);
	}
	struct forged *f = forge(64);
	f->page.data_head = 64 + SIZE + 8; /* more than there is room for */
	lost_and_empty(f);
	f = forge(64);
	f->page.data_head = 0; /* backwards */
	lost_and_empty(f);
	f = forge(64);
	f->page.data_head += 4; /* half a header */
	lost_and_empty(f);
}

/* Too short for what they say they are, too long for anything, of a kind that we did not ask for: passed over. */
static void test_passed_over(void **state)
{
	(void)state;
	static const uint32_t types[] = {PERF_RECORD_SWITCH, PERF_RECORD_FORK, PERF_RECORD_EXIT, PERF_RECORD_COMM,
					 PERF_RECORD_SAMPLE, PERF_RECORD_LOST, PERF_RECORD_LOST_SAMPLES};
	struct forged *f = forge(0);
	for (size_t i = 0; i < HT_ARRAY_SIZE(types); i++) {
		put_header(f, types[i], PERF_RECORD_MISC_COMM_EXEC, 16);
		put(f, (uint64_t[]){UINT64_MAX}, 8);
	}
	uint8_t zeros[1024] = {0};
	put_header(f, PERF_RECORD_SWITCH, 0, 8 + sizeof(zeros));
	put(f, zeros, sizeof(zeros));
	put_header(f, PERF_RECORD_THROTTLE, 0, 8 + 24);
	put(f, zeros, 24);
	put_switch(f, 0, 11, 5);
	ht_perf_buffer_look(&f->b);
	assert_int_equal(next(f)->time, 5);
	assert_null(next(f));
	free(f);
}

static void test_random_bytes(void **state)
{
	(void)state;
	srand(1);
	for (unsigned round = 0; round < 20000; round++) {
		struct forged *f = forge((uint64_t)rand() * 8);
		for (unsigned i = 0; i < SIZE; i++)
			f->data[i] = (uint8_t)(rand() & (round % 2 ? 255 : 31));
		f->page.data_head += (uint64_t)rand() % (2 * SIZE);
		ht_perf_buffer_look(&f->b);
		for (unsigned n = 0; next(f); n++)
			assert_true(n <= SIZE / 8);
		assert_int_equal(f->b.tail, f->page.data_head);
		free(f);
	}
}

/* A reader that does not come far: what it has read is free again before it says that it is done. */
static void test_publishes_meanwhile(void **state)
{
	(void)state;
	struct forged *f = forge(0);
	for (unsigned i = 0; i < SIZE / 24; i++)
		put_switch(f, 0, 11, i);
	ht_perf_buffer_look(&f->b);
	for (unsigned i = 0; i < SIZE / 48; i++)
		next(f);
	assert_true(f->page.data_tail >= SIZE / 4);
	free(f);
}

/* --- the kernel itself -------------------------------------------------------------------- */

static void test_too_many_processors(void **state)
{
	(void)state;
	char why[80];
	struct ht_perf_wishes wishes = {.switches = true, .cpus_max = 0};
	assert_null(ht_perf_new(&wishes, why));
	assert_non_null(strstr(why, "processor"));
}

static uint64_t monotonic(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Our own sleeps, in order, stamped by the clock that we read. */
static void test_own_switches(void **state)
{
	(void)state;
	char why[80];
	struct ht_perf_wishes wishes = {.switches = true, .faults = true, .cpus_max = HT_PERF_CPUS_MAX};
	struct ht_perf *p = ht_perf_new(&wishes, why);
	if (!p) {
		print_message("perf is refused here: %s\n", why);
		assert_true(why[0] != '\0');
		skip();
	}
	uint64_t begin = monotonic(), last = 0;
	assert_int_equal(ht_perf_follow(p, getpid()), 0);
	for (unsigned i = 0; i < 20; i++)
		usleep(1000);
	uint64_t end = monotonic();
	struct ht_perf_record r;
	unsigned in = 0, out = 0;
	ht_perf_look(p);
	while (ht_perf_next(p, end, &r)) {
		assert_true(r.time >= begin && r.time < end);
		assert_true(r.time >= last);
		assert_int_equal(r.pid, getpid());
		in += r.kind == HT_PERF_IN;
		out += r.kind == HT_PERF_BLOCKED;
		last = r.time;
	}
	ht_perf_done(p);
	assert_true(in >= 20 && out >= 20);
	assert_int_equal(ht_perf_lost(p), 0);
	ht_perf_free(p);
}

static void test_schedstat(void **state)
{
	(void)state;
	struct ht_schedstat_words a, b;
	if (!ht_schedstat_read(getpid(), getpid(), &a))
		skip(); /* a kernel without it */
	for (unsigned i = 0; i < 5; i++)
		usleep(1000);
	assert_true(ht_schedstat_read(getpid(), getpid(), &b));
	assert_true(b.slices >= a.slices + 5);
	assert_true(b.running_ns > a.running_ns);
	assert_false(ht_schedstat_read(getpid(), 0x7fffffff, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind),	    cmocka_unit_test(test_wrap_around),
		cmocka_unit_test(test_hostile_sizes),	    cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_random_bytes),	    cmocka_unit_test(test_publishes_meanwhile),
		cmocka_unit_test(test_too_many_processors), cmocka_unit_test(test_own_switches),
		cmocka_unit_test(test_schedstat),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
