/*
 * ring_reader_test: what the writer writes is what the reader reads, over wraps, padding and links; and
 * nothing that stands in a ring makes the reader leave it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring_reader.h"

/* A ring with forbidden bytes on both sides: a read outside changes what is seen. */
struct fixture {
	uint64_t before[64];
	uint64_t ring[HT_RING_MIN / 8];
	uint64_t after[64];
	struct ht_slot slot;
	struct ht_ring_reader reader;
};

static struct fixture *new_fixture(uint64_t at)
{
	struct fixture *f = aligned_alloc(64, sizeof(*f));
	memset(f, 0, sizeof(*f));
	f->slot.head = f->slot.tail = at;
	ht_ring_reader_init(&f->reader, f->ring, HT_RING_MIN, at);
	return f;
}

static uint64_t *place(struct fixture *f, uint64_t pos)
{
	return &f->ring[(pos & (HT_RING_MIN - 1)) / 8];
}

static void put(struct fixture *f, const uint64_t *words, size_t n)
{
	uint64_t pos = f->slot.head, to_end = HT_RING_MIN - (pos & (HT_RING_MIN - 1));
	if (8 * n > to_end) {
		*place(f, pos) = HT_REC_PAD | to_end << 32;
		pos += to_end;
	}
	memcpy(place(f, pos), words, 8 * n);
	f->slot.head = pos + 8 * n;
}

static uint64_t word0(unsigned op, unsigned flags, unsigned new_frames, unsigned kept, unsigned small)
{
	return op | (uint64_t)flags << 8 | (uint64_t)new_frames << 16 | (uint64_t)kept << 32 |
	       (uint64_t)small << 48;
}

static void test_fields(void **state)
{
	(void)state;
	struct fixture *f = new_fixture(0);
	struct ht_record r;
	put(f, (uint64_t[]){word0(HT_REC_MALLOC, HT_REC_STAMP | HT_REC_STACK, 2, 3, 24), 1000, 0x7000, 11, 12}, 5);
	put(f, (uint64_t[]){word0(HT_REC_FREE, 0, 0, 0, 0), 0x7000}, 2);
	put(f, (uint64_t[]){word0(HT_REC_ALIGNED, HT_REC_SIZE | HT_REC_EXTRA, 0, 0, 0), 0x8000, 1 << 20, 64, 7}, 5);
	put(f, (uint64_t[]){word0(HT_REC_NAME, 0, 0, 0, 0), 0x6162, 0}, 3);
	assert_true(ht_ring_head(&f->reader, &f->slot, 0));
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_RECORD);
	assert_int_equal(r.op, HT_REC_MALLOC);
	assert_int_equal(r.ticks, 1000);
	assert_int_equal(r.address, 0x7000);
	assert_int_equal(r.size, 24);
	assert_int_equal(r.kept, 3);
	assert_int_equal(r.frames, 2);
	assert_int_equal(r.words[1], 12);
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_RECORD);
	assert_int_equal(r.op, HT_REC_FREE);
	assert_int_equal(r.ticks, 1000); /* inherited */
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_RECORD);
	assert_int_equal(r.size, 1 << 20);
	assert_int_equal(r.extra, 64);
	assert_int_equal(r.extra2, 7);
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_RECORD);
	assert_int_equal(r.count, 2);
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_NONE);
	free(f);
}

/* The short forms stand for the same as the long ones. */
static void test_short_forms(void **state)
{
	(void)state;
	struct fixture *f = new_fixture(0);
	struct ht_record r[8];
	unsigned n;
	uint64_t base = 0x5fffffff0ull, top = 0x7ffffffffff8ull; /* the low half of the stamps goes over */
	put(f, (uint64_t[]){word0(HT_REC_MALLOC, HT_REC_STAMP, 0, 0, 1), base, 0x7000}, 3);
	put(f, (uint64_t[]){ht_short_word(HT_REC_CALLOC, 2, 511, 0x7010), (uint32_t)(base + 32) | 0xfffffffeull << 32, 11, 12}, 4);
	put(f, (uint64_t[]){ht_short_word(HT_SHORT_DEATH, 0, 0, top)}, 1);
	put(f, (uint64_t[]){ht_short_word(HT_SHORT_DEATH + 4 + HT_SHORT_STACK, 15, 3, 0x20), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 16);
	put(f, (uint64_t[]){ht_short_word(HT_SHORT_DEATH + 8 + HT_SHORT_STAMP, 0, 0, 0x30), (uint32_t)(base + HT_SHORT_GAP + 31)}, 2);
	put(f, (uint64_t[]){ht_short_word(HT_SHORT_DEATH + HT_SHORT_STAMP + HT_SHORT_STACK, 1, 2, 0x40), (uint32_t)(base + HT_SHORT_GAP), 77}, 3);
	put(f, (uint64_t[]){ht_short_word(HT_REC_NEW, 0, 7, 0x50), (uint32_t)(base + HT_SHORT_GAP + 40) | 24ull << 32}, 2);
	assert_true(ht_ring_head(&f->reader, &f->slot, 0));
	struct ht_ring_reader one = f->reader;
	assert_int_equal(n = ht_ring_read_plain(&f->reader, r, 8), 7);
	static const struct { uint8_t op, flags; uint16_t frames, kept; uint64_t later, address, size; } want[7] = {
		{HT_REC_MALLOC, HT_REC_STAMP, 0, 0, 0, 0x7000, 1},
		{HT_REC_CALLOC, HT_REC_STAMP | HT_REC_STACK, 2, 511, 32, 0x7010, 0xfffffffe},
		{HT_REC_FREE, 0, 0, 0, 32, 0x7ffffffffff8, 0},
		{HT_REC_DELETE, HT_REC_STACK, 15, 3, 32, 0x20, 0},
		{HT_REC_REALLOC_FREE, HT_REC_STAMP, 0, 0, HT_SHORT_GAP + 31, 0x30, 0},
		{HT_REC_FREE, HT_REC_STAMP | HT_REC_STACK, 1, 2, HT_SHORT_GAP + 31, 0x40, 0}, /* a stamp never goes back */
		{HT_REC_NEW, HT_REC_STAMP | HT_REC_STACK, 0, 7, HT_SHORT_GAP + 40, 0x50, 24},
	};
	for (unsigned i = 0; i < n; i++) {
		struct ht_record alone;
		assert_int_equal(ht_ring_read(&one, &alone), HT_READ_RECORD);
		assert_int_equal(alone.end, r[i].end);
		assert_int_equal(alone.ticks, r[i].ticks);
		assert_int_equal(alone.address, r[i].address);
		assert_ptr_equal(alone.words, r[i].words);
		assert_int_equal(r[i].op, want[i].op);
		assert_int_equal(r[i].flags, want[i].flags);
		assert_int_equal(r[i].frames, want[i].frames);
		assert_int_equal(r[i].count, want[i].frames);
		assert_int_equal(r[i].kept, want[i].kept);
		assert_int_equal(r[i].ticks, base + want[i].later);
		assert_int_equal(r[i].address, want[i].address);
		assert_int_equal(r[i].size, want[i].size);
		assert_int_equal(r[i].extra | r[i].extra2, 0);
	}
	assert_int_equal(r[3].words[14], 15);
	assert_int_equal(r[5].words[0], 77);
	free(f);
}

static void test_wide_and_module_counts(void **state)
{
	(void)state;
	struct fixture *f = new_fixture(0);
	struct ht_record r;
	put(f, (uint64_t[]){word0(HT_REC_FREE, HT_REC_STACK | HT_REC_WIDE, 2, 0, 0), 0x10, 1, 2, 3, 4}, 6);
	put(f, (uint64_t[]){word0(HT_REC_MODULE, 0, 3, 0, 0), 5, 6, 7}, 4);
	assert_true(ht_ring_head(&f->reader, &f->slot, 0));
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_RECORD);
	assert_int_equal(r.count, 4);
	assert_int_equal(r.frames, 2);
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_RECORD);
	assert_int_equal(r.op, HT_REC_MODULE);
	assert_int_equal(r.count, 3);
	assert_int_equal(r.words[2], 7);
	free(f);
}

/* Positions near 2^64 are only a matter of time; those near the ring's end of every turn. */
static void test_many_turns(void **state)
{
	(void)state;
	struct fixture *f = new_fixture(0xffffffff00000000ull);
	struct ht_record r;
	uint64_t written = 0, read = 0;
	for (unsigned round = 0; round < 2000; round++) {
		for (unsigned i = 0; i < 100; i++, written++) {
			uint64_t words[12] = {word0(HT_REC_MALLOC, HT_REC_STACK, written % 8, 0, 1), 0x1000 + written * 16};
			put(f, words, 2 + written % 8);
		}
		assert_true(ht_ring_head(&f->reader, &f->slot, 0));
		while (ht_ring_read(&f->reader, &r) == HT_READ_RECORD) {
			assert_int_equal(r.address, 0x1000 + read * 16);
			assert_int_equal(r.frames, read % 8);
			read++;
		}
		ht_ring_release(&f->reader, &f->slot, f->reader.at);
		assert_int_equal(f->slot.tail, f->slot.head);
	}
	assert_int_equal(read, written);
	free(f);
}

static void test_head_is_checked(void **state)
{
	(void)state;
	struct fixture *f = new_fixture(4096);
	f->slot.head = 4095;
	assert_false(ht_ring_head(&f->reader, &f->slot, 0));
	f->slot.head = 4088; /* backwards */
	assert_false(ht_ring_head(&f->reader, &f->slot, 0));
	f->slot.head = 4096 + HT_RING_MIN + 8;
	assert_false(ht_ring_head(&f->reader, &f->slot, 0));
	assert_true(ht_ring_head(&f->reader, &f->slot, HT_RING_MIN)); /* some of it may lie in the offered ring */
	free(f);
}

static void expect_damaged(uint64_t first)
{
	struct fixture *f = new_fixture(0);
	struct ht_record r;
	put(f, &first, 1);
	assert_true(ht_ring_head(&f->reader, &f->slot, 0));
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_DAMAGED);
	free(f);
}

static void test_nonsense(void **state)
{
	(void)state;
	expect_damaged(0);
	expect_damaged(63);
	expect_damaged(255);
	expect_damaged(HT_REC_PAD);			    /* length 0: would never end */
	expect_damaged(HT_REC_PAD | 12ull << 32);	    /* no whole words */
	expect_damaged(HT_REC_PAD | 16ull << 32);	    /* beyond head */
	expect_damaged(word0(HT_REC_FREE, 0, 0, 0, 0));	    /* its address is not there */
	expect_damaged(word0(HT_REC_FREE, HT_REC_STACK | HT_REC_WIDE, 65535, 0, 0));
	expect_damaged(word0(HT_REC_MODULE, 0, 65535, 0, 0));
	expect_damaged(ht_short_word(HT_REC_ALIGNED, 0, 0, 16)); /* has none */
	expect_damaged(ht_short_word(HT_SHORT_DEATH + 12, 0, 0, 16));
	expect_damaged(ht_short_word(HT_REC_MALLOC, 0, 0, 16)); /* its second word is not there */
	expect_damaged(ht_short_word(HT_SHORT_DEATH + HT_SHORT_STACK, 1, 0, 16));
}

/* Random bytes in every place: only the verdict may differ, never a byte outside be touched (ASan). */
static void test_random_bytes(void **state)
{
	(void)state;
	struct fixture *f = new_fixture(0);
	srandom(7);
	for (unsigned round = 0; round < 300; round++) {
		for (size_t i = 0; i < HT_RING_MIN / 8; i++) {
			uint64_t v = (uint64_t)random() << 33 ^ (uint64_t)random();
			f->ring[i] = i % 3 ? v : i % 2 ? (v & 0xfffffffffffffbdfull) | HT_REC_SHORT : (v & 0xffffff00001fff27ull) | (uint64_t)(random() % 4) << 16;
		}
		f->slot.head = f->slot.tail = 0;
		ht_ring_reader_init(&f->reader, f->ring, HT_RING_MIN, 0);
		f->slot.head = 8 * (uint64_t)(random() % (long)(HT_RING_MIN / 8 + 1));
		assert_true(ht_ring_head(&f->reader, &f->slot, 0));
		struct ht_record r;
		uint64_t last = 0;
		for (enum ht_read e; (e = ht_ring_read(&f->reader, &r)) == HT_READ_RECORD;) {
			assert_true(r.end > last && r.end <= f->slot.head);
			assert_true((const uint8_t *)(r.words + r.count) <= (const uint8_t *)f->after);
			last = r.end;
		}
	}
	free(f);
}

static void test_link(void **state)
{
	(void)state;
	struct fixture *f = new_fixture(0), *next = new_fixture(0);
	struct ht_record r;
	put(f, (uint64_t[]){word0(HT_REC_FREE, 0, 0, 0, 0), 0x10}, 2);
	put(f, (uint64_t[]){HT_REC_LINK | 8ull << 32}, 1);
	next->slot.head = f->slot.head; /* positions go on */
	put(next, (uint64_t[]){word0(HT_REC_FREE, 0, 0, 0, 0), 0x20}, 2);
	f->slot.head = next->slot.head;
	assert_true(ht_ring_head(&f->reader, &f->slot, HT_RING_MIN));
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_RECORD);
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_LINK);
	ht_ring_release(&f->reader, &f->slot, f->reader.at);
	ht_ring_reader_move(&f->reader, next->ring, HT_RING_MIN);
	assert_int_equal(ht_ring_read(&f->reader, &r), HT_READ_RECORD);
	assert_int_equal(r.address, 0x20);
	free(f);
	free(next);
}

/* As one by one: over the padding, up to the number that was asked for, the link, the head. */
static void test_several(void **state)
{
	(void)state;
	struct fixture *f = new_fixture(HT_RING_MIN - 40);
	struct ht_record r[8];
	unsigned count;
	for (uint64_t i = 1; i <= 5; i++)
		put(f, (uint64_t[]){word0(HT_REC_MALLOC, HT_REC_STAMP, 0, 0, (unsigned)i), 100 * i, 4096 * i}, 3);
	put(f, (uint64_t[]){HT_REC_LINK | 8ull << 32}, 1);
	assert_true(ht_ring_head(&f->reader, &f->slot, 0));
	assert_int_equal(ht_ring_read_some(&f->reader, r, 3, &count), HT_READ_RECORD);
	assert_int_equal(count, 3);
	assert_int_equal(r[2].size, 3);
	assert_int_equal(r[2].ticks, 300);
	assert_int_equal(r[2].end, f->reader.at);
	assert_int_equal(ht_ring_read_some(&f->reader, r, 8, &count), HT_READ_LINK);
	assert_int_equal(count, 2);
	assert_int_equal(r[1].address, 4096 * 5);
	assert_int_equal(ht_ring_read_some(&f->reader, r, 8, &count), HT_READ_NONE);
	assert_int_equal(count, 0);
	put(f, (uint64_t[]){word0(HT_REC_FREE, 0, 0, 0, 0), 4096}, 2);
	put(f, (uint64_t[]){word0(63, 0, 0, 0, 0)}, 1);
	assert_true(ht_ring_head(&f->reader, &f->slot, 0));
	assert_int_equal(ht_ring_read_some(&f->reader, r, 8, &count), HT_READ_DAMAGED);
	assert_int_equal(count, 1); /* what stands before the damage is good */
	assert_int_equal(r[0].ticks, 500);
	free(f);
}

/* What ht_ring_read_plain takes, ht_ring_read reads alike; and it leaves standing whatever is not plain. */
static void test_plain(void **state)
{
	(void)state;
	uint64_t random = 99;
	struct fixture *f = new_fixture(8 * 777);
	for (unsigned round = 0; round < 3000; round++) {
		struct ht_ring_reader copy;
		uint64_t tail = f->slot.tail;
		for (unsigned i = 0; i < 40; i++) {
			random = random * 6364136223846793005ull + 1442695040888963407ull;
			unsigned r = (unsigned)(random >> 40), frames = r & 1 ? r >> 3 & 7 : 0;
			static const uint8_t ops[] = {HT_REC_MALLOC, HT_REC_FREE, HT_REC_CALLOC, HT_REC_REALLOC, HT_REC_REALLOC_FREE, HT_REC_FAILED};
			unsigned op = ops[(r >> 8) % 6], flags = (r & 1 ? HT_REC_STACK : 0) | (r & 2 ? HT_REC_STAMP : 0);
			if (!(r >> 12 & 15))
				flags |= r & 1 ? HT_REC_ABS : HT_REC_SIZE;
			uint64_t words[16];
			size_t n = 0;
			words[n++] = word0(op, flags, frames, r & 63, r >> 16 & 255);
			if (flags & HT_REC_STAMP)
				words[n++] = 1000 * round + 10 * i + (r & 31);
			if (op != HT_REC_FAILED)
				words[n++] = 16 * (uint64_t)(r & 0xffff);
			if (flags & HT_REC_SIZE)
				words[n++] = r;
			while (frames--)
				words[n++] = random + frames;
			put(f, words, n);
		}
		assert_true(ht_ring_head(&f->reader, &f->slot, 0));
		for (copy = f->reader; copy.at != copy.head;) {
			struct ht_record plain[16], record;
			struct ht_ring_reader one = copy;
			unsigned n = ht_ring_read_plain(&copy, plain, 16);
			for (unsigned i = 0; i < n; i++) {
				assert_int_equal(ht_ring_read(&one, &record), HT_READ_RECORD);
				assert_int_equal(record.op, plain[i].op);
				assert_int_equal(record.flags, plain[i].flags);
				assert_int_equal(record.ticks, plain[i].ticks);
				assert_int_equal(record.end, plain[i].end);
				assert_int_equal(record.address, plain[i].address);
				assert_int_equal(record.size, plain[i].size);
				assert_int_equal(record.extra | record.extra2, plain[i].extra | plain[i].extra2);
				assert_int_equal(record.frames, plain[i].frames);
				assert_int_equal(record.kept, plain[i].kept);
				assert_int_equal(record.count, plain[i].count);
				assert_ptr_equal(record.words, plain[i].words);
			}
			assert_int_equal(one.at, copy.at);
			if (n < 16)
				assert_true(ht_ring_read(&copy, &record) == HT_READ_RECORD || copy.at == copy.head);
		}
		f->reader = copy;
		ht_ring_release(&f->reader, &f->slot, copy.at);
		assert_true(f->slot.tail > tail);
	}
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields), cmocka_unit_test(test_plain), cmocka_unit_test(test_short_forms),	      cmocka_unit_test(test_wide_and_module_counts),
		cmocka_unit_test(test_many_turns),    cmocka_unit_test(test_head_is_checked),
		cmocka_unit_test(test_nonsense),      cmocka_unit_test(test_random_bytes),
		cmocka_unit_test(test_link),	      cmocka_unit_test(test_several),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
