/* The ring's writer: full, wrapping, moving to a bigger ring, abandoned in the middle of a record. */
#include "ring_writer.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct ht_segment *seg;
static struct ht_slot *slot;
static struct ht_ring_writer w;

static bool write_one(uint64_t address)
{
	uint64_t *p = ht_ring_reserve(&w, 24, false);
	if (!p)
		return false;
	p[1] = address;
	p[2] = ~address;
	ht_ring_commit(&w, p, 24, HT_REC_FREE);
	return true;
}

/* Every record from..to is whole and in order; returns how many. */
static unsigned read_ring(uint64_t from, uint64_t to, uint64_t first)
{
	unsigned n = 0;
	while (from < to) {
		const uint64_t *p = (const uint64_t *)(w.base + (from & w.mask));
		if ((p[0] & 0xff) == HT_REC_PAD) {
			from += p[0] >> 32;
			continue;
		}
		assert_int_equal(p[0], HT_REC_FREE);
		assert_int_equal(p[1], first + n);
		assert_int_equal(p[2], ~(first + n));
		n++;
		from += 24;
	}
	assert_int_equal(from, to);
	return n;
}

static void test_wraps(void **state)
{
	(void)state;
	uint64_t next = 0;
	for (int round = 0; round < 200; round++) {
		uint64_t begin = w.head, first = next;
		HT_STORE_RELAXED(&slot->tail, begin);
		for (int i = 0; i < 700; i++)
			assert_true(write_one(next++));
		assert_int_equal(slot->head, w.head);
		assert_int_equal(read_ring(begin, slot->head, first), 700);
	}
}

static void test_abandoned_record_was_never_there(void **state)
{
	(void)state;
	HT_STORE_RELAXED(&slot->tail, w.head);
	uint64_t begin = w.head;
	uint64_t *p = ht_ring_reserve(&w, 48, false);
	assert_non_null(p);
	memset(p, 0xee, 48); /* and out by longjmp */
	assert_int_equal(slot->head, begin);
	assert_true(write_one(7));
	assert_int_equal(read_ring(begin, slot->head, 7), 1);
}

static void test_full_ring_drops_without_a_collector(void **state)
{
	(void)state;
	HT_STORE_RELAXED(&slot->tail, w.head);
	uint64_t begin = w.head, size = w.mask + 1;
	unsigned n = 0;
	while (write_one(n))
		n++;
	assert_true(w.head - begin <= size);
	assert_true(n > size / 24 - 4);
	HT_STORE_RELAXED(&slot->tail, w.head);
	assert_non_null(ht_ring_reserve(&w, 24, false));
}

static void test_moves_to_another_ring(void **state)
{
	(void)state;
	HT_STORE_RELAXED(&slot->tail, w.head);
	uint64_t offset = slot->ring_offset + HT_RING_MIN;
	HT_STORE_RELAXED(&slot->offer, offset | 17);
	uint64_t begin = w.head;
	uint8_t *old = w.base;
	for (int i = 0; i < 2000 && w.base == old; i++)
		write_one(1);
	assert_ptr_equal(w.base, (uint8_t *)seg + offset);
	assert_int_equal(w.mask, (1 << 17) - 1);
	const uint64_t *link = (const uint64_t *)(old + ((w.start - 8) & (HT_RING_MIN - 1)));
	assert_int_equal(link[0] & 0xff, HT_REC_LINK);
	assert_in_range(w.start - begin, HT_RING_MIN / 2, HT_RING_MIN / 2 + 64); /* when the smaller one was half full */
	assert_int_equal(slot->offer, 0);
	assert_int_equal(slot->starving & seg->starving, 1);

	/* one of its own size is taken when it is full */
	offset += 1 << 17;
	begin = w.start;
	HT_STORE_RELAXED(&slot->offer, offset | 17);
	for (int i = 0; i < 10000 && w.base != (uint8_t *)seg + offset; i++)
		assert_true(write_one(2));
	assert_ptr_equal(w.base, (uint8_t *)seg + offset);
	assert_in_range(w.start - begin, (1 << 17) - 64, 1 << 17);
	HT_STORE_RELAXED(&slot->tail, w.start); /* and a smaller one never */
	HT_STORE_RELAXED(&slot->offer, slot->ring_offset | 16);
	while (write_one(3))
		;
	assert_ptr_equal(w.base, (uint8_t *)seg + offset);
	assert_int_equal(slot->offer, 0);
}

/* Thrown out anywhere on the way to another ring: before the LINK, behind it, with and without the offer still there. */
static void test_thrown_out_between_rings(void **state)
{
	(void)state;
	for (unsigned step = 0; step < 4; step++) {
		ht_ring_open(&w, seg, slot);
		HT_STORE_RELAXED(&slot->tail, w.head);
		uint64_t begin = w.head, offset = slot->ring_offset + HT_RING_MIN;
		uint8_t *old = w.base;
		assert_true(write_one(1));
		HT_STORE_RELAXED(&slot->offer, step == 0 ? offset | 17 : 0);
		w.link_at = w.head;
		w.next = offset | 17;
		uint64_t *link = (uint64_t *)(w.base + (w.head & w.mask));
		if (step >= 2) {
			*link = HT_REC_LINK | 8ull << 32;
			w.head += 8;
		}
		if (step == 3)
			HT_STORE_RELAXED(&slot->head, w.head);
		ht_ring_heal(&w);
		ht_ring_heal(&w);
		assert_int_equal(*link, HT_REC_LINK | 8ull << 32);
		assert_int_equal(slot->offer, 0);
		assert_int_equal(slot->head, begin + 24 + 8);
		assert_ptr_equal(w.base, (uint8_t *)seg + offset);
		assert_ptr_not_equal(w.base, old);
		begin = w.head;
		for (unsigned i = 0; i < 3000; i++)
			assert_true(write_one(i));
		assert_int_equal(read_ring(begin, slot->head, 0), 3000);
	}
}

/* A collector that is kept off its processor: no heartbeat for so long, then it makes room, or a slot. */
struct late {
	unsigned ms;
	bool beats, room;
};

static void *be_late(void *p)
{
	const struct late *l = p;
	for (unsigned ms = 0; ms < l->ms; ms += 10) {
		usleep(10000);
		if (l->beats)
			__atomic_fetch_add(&seg->heartbeat, 1, __ATOMIC_RELAXED);
	}
	if (l->room)
		HT_STORE_RELEASE(&slot->tail, w.head);
	else
		HT_STORE_RELEASE(&slot->state, HT_SLOT_SPARE);
	return NULL;
}

static uint64_t ms_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void test_full_ring_waits_for_a_starved_collector(void **state)
{
	(void)state;
	struct late l = {.ms = 450, .room = true};
	pthread_t t;
	HT_STORE_RELAXED(&slot->tail, w.head);
	while (write_one(0))
		;
	assert_int_equal(pthread_create(&t, NULL, be_late, &l), 0);
	assert_non_null(ht_ring_reserve(&w, 24, true));
	pthread_join(t, NULL);
}

static void test_full_ring_does_not_wait_for_the_dead(void **state)
{
	(void)state;
	HT_STORE_RELAXED(&slot->tail, w.head);
	while (write_one(0))
		;
	uint64_t start = ms_now();
	assert_null(ht_ring_reserve(&w, 24, true));
	assert_in_range(ms_now() - start, 900, 3000);
	start = ms_now();
	for (int i = 0; i < 1000; i++)
		assert_null(ht_ring_reserve(&w, 24, true));
	assert_in_range(ms_now() - start, 0, 500);
	HT_STORE_RELAXED(&slot->tail, w.head);
	assert_non_null(ht_ring_reserve(&w, 24, true));
}

static void test_an_offer_that_makes_no_sense(void **state)
{
	(void)state;
	HT_STORE_RELAXED(&slot->tail, w.head);
	while (write_one(0))
		;
	HT_STORE_RELAXED(&slot->offer, seg->map_bytes | 17);
	assert_null(ht_ring_reserve(&w, 24, false));
	assert_int_equal(slot->offer, 0);
	HT_STORE_RELAXED(&slot->tail, w.head);
}

static void test_claims_wait_within_bounds(void **state)
{
	(void)state;
	uint32_t waited = 0;
	pthread_t t;
	uint64_t start = ms_now();
	seg->exhausted = 1; /* no slot can be made */
	assert_null(ht_ring_claim(seg, &waited));
	assert_in_range(ms_now() - start, 0, 200);
	seg->exhausted = 0;

	struct late l = {.ms = 300};
	assert_int_equal(pthread_create(&t, NULL, be_late, &l), 0);
	assert_ptr_equal(ht_ring_claim(seg, &waited), slot);
	pthread_join(t, NULL);
	assert_in_range(waited, 200, 900);
	assert_int_equal(slot->state, HT_SLOT_CLAIMED);

	start = ms_now();
	l = (struct late){.ms = 1500, .beats = true, .room = true}; /* it lives, and gives no slot: one bound a thread */
	assert_int_equal(pthread_create(&t, NULL, be_late, &l), 0);
	waited = 0;
	assert_null(ht_ring_claim(seg, &waited));
	assert_in_range(ms_now() - start, 900, 3000);
	assert_null(ht_ring_claim(seg, &waited));
	assert_in_range(ms_now() - start, 900, 3100);
	pthread_join(t, NULL);

	start = ms_now();
	waited = 0;
	assert_null(ht_ring_claim(seg, &waited)); /* dead: found out by one thread, for all */
	assert_in_range(ms_now() - start, 900, 3000);
	start = ms_now();
	waited = 0;
	assert_null(ht_ring_claim(seg, &waited));
	assert_in_range(ms_now() - start, 0, 200);
}

static int begin(void **state)
{
	(void)state;
	size_t size = 4096 + HT_RING_MIN + 2 * (1 << 17);
	seg = aligned_alloc(4096, size);
	memset(seg, 0, size);
	*seg = (struct ht_segment){.magic = HT_SEG_MAGIC, .map_bytes = size, .slot_count = 1, .slots_offset = 2048};
	seg->control = HT_CONTROL_RUN;
	seg->heartbeat = 1;
	slot = (struct ht_slot *)((uint8_t *)seg + 2048);
	slot->ring_offset = 4096;
	slot->ring_size = HT_RING_MIN;
	slot->state = HT_SLOT_SPARE;
	if (ht_ring_take(seg) != slot || ht_ring_take(seg) != NULL)
		return -1;
	ht_ring_open(&w, seg, slot);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_abandoned_record_was_never_there),
		cmocka_unit_test(test_full_ring_drops_without_a_collector),
		cmocka_unit_test(test_an_offer_that_makes_no_sense),
		cmocka_unit_test(test_moves_to_another_ring),
		cmocka_unit_test(test_thrown_out_between_rings),
		cmocka_unit_test(test_full_ring_waits_for_a_starved_collector),
		cmocka_unit_test(test_full_ring_does_not_wait_for_the_dead),
		cmocka_unit_test(test_claims_wait_within_bounds),
	};
	return cmocka_run_group_tests(tests, begin, NULL);
}
