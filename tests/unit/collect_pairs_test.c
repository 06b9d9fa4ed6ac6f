/* collect_pairs_test: the table of live blocks against a plain array, with deletions in every order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pairs.h"

#define BLOCKS 50000

static uint64_t address_of(unsigned i)
{
	return 0x7f0000001000ull + 16ull * i * (1 + i % 7);
}

/* Also such that do not fit beside their number. */
static uint64_t size_of(uint64_t seq)
{
	return seq % 1000 ? seq * 7 : HT_PAIR_HUGE - 1 + seq / 1000 * (seq % 3);
}

/* All lines between an entry's home and its place are full, and say that they were passed. */
static void check_lines(const struct ht_pairs *p)
{
	uint64_t wrong = 0, count = 0;
	for (uint64_t line = 0; line <= p->mask; line++) {
		for (unsigned k = 0; k < HT_PAIRS_LINE; k++) {
			const struct ht_pair *e = ht_pairs_line(p, line) + k;
			count += e->lo != 0;
			for (uint64_t i = ht_pairs_home(p, ht_pair_address(e)); e->lo && i != line; i = (i + 1) & p->mask)
				wrong += ht_pairs_look(ht_pairs_line(p, i), 0).empty || !ht_pairs_is_passed(p, i);
		}
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(count, p->count);
}

static void test_against_array(void **state)
{
	(void)state;
	struct ht_pairs p;
	uint64_t used = 0, *seq = calloc(BLOCKS, sizeof(*seq)), live = 0, bytes = 0, sure = 0;
	ht_pairs_init(&p, &used, UINT64_MAX);
	srandom(3);
	for (unsigned step = 1; step < 1000000; step++) {
		unsigned i = (unsigned)random() % BLOCKS;
		struct ht_pair *e = ht_pairs_find(&p, address_of(i));
		/* two numbers may share an address: the first one that lives owns it */
		if (e && seq[i]) {
			assert_int_equal(ht_pair_seq(e), seq[i]);
			assert_int_equal(ht_pair_size(&p, e), size_of(seq[i]));
			uint64_t birth = ht_pair_birth(&p, e);
			assert_true(birth == seq[i] * 1000 || (!birth && step - seq[i] > HT_PAIRS_EPOCH / 1000));
			sure += birth != 0;
			bytes -= size_of(seq[i]);
			struct ht_pair was;
			if (step % 2 && ht_pairs_take_near(&p, address_of(i), &was))
				assert_int_equal(ht_pair_seq(&was), seq[i]);
			else
				ht_pairs_remove(&p, e);
			seq[i] = 0;
			live--;
		} else if (!e) {
			assert_int_equal(seq[i], 0);
			assert_true(ht_pairs_room(&p, address_of(i), step));
			if (step % 2 || !ht_pairs_put_near(&p, address_of(i), step, step * 1000ull, size_of(step)))
				ht_pairs_add(&p, address_of(i), step, step * 1000ull, size_of(step));
			seq[i] = step;
			bytes += size_of(step);
			live++;
		}
		assert_int_equal(p.count, live);
		assert_int_equal(p.bytes, bytes);
		if (step % 100000 == 0)
			check_lines(&p);
	}
	assert_true(sure > 100000);
	ht_pairs_release(&p);
	assert_int_equal(used, 0);
	free(seq);
}

/* Blocks of 8 bytes: 8 have one home line of four. Those are full, and the next ones, and the table grows many times. */
static void test_dense(void **state)
{
	(void)state;
	struct ht_pairs p;
	uint64_t used = 0;
	ht_pairs_init(&p, &used, UINT64_MAX);
	for (uint64_t i = 1; i <= BLOCKS; i++) {
		assert_true(ht_pairs_room(&p, 8 * i, i));
		ht_pairs_add(&p, 8 * i, i, 0, 1);
	}
	assert_true(used <= 16 * 4 * BLOCKS);
	check_lines(&p);
	for (uint64_t i = 1; i <= BLOCKS; i += 3)
		ht_pairs_remove(&p, ht_pairs_find(&p, 8 * i));
	check_lines(&p);
	for (uint64_t i = 1; i <= BLOCKS; i++) {
		const struct ht_pair *e = ht_pairs_find(&p, 8 * i);
		assert_int_equal(e ? ht_pair_seq(e) : 0, i % 3 == 1 ? 0 : i);
	}
	ht_pairs_release(&p);
}

/* A hostile target's: all at home in the last two lines of the table, however large. They come round to the first. */
static void test_collisions(void **state)
{
	(void)state;
	enum { MANY = 1000 };
	struct ht_pairs p, large = {.shift = 64 - 14};
	uint64_t used = 0, *address = calloc(MANY, sizeof(*address)), at = 64;
	for (unsigned n = 0; n < MANY; at += 64)
		if (ht_pairs_home(&large, at) >= (1u << 14) - 2)
			address[n++] = at;
	ht_pairs_init(&p, &used, UINT64_MAX);
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(ht_pairs_room(&p, address[i], i));
		ht_pairs_add(&p, address[i], i, 0, 1);
	}
	for (uint64_t i = 1; i < 1u << 15; i++) { /* others, so that it grows around them */
		if (ht_pairs_find(&p, i << 32) || !ht_pairs_room(&p, i << 32, i))
			continue;
		ht_pairs_add(&p, i << 32, i, 0, 1);
	}
	for (unsigned i = 0; i < MANY; i++) {
		for (unsigned k = i; k < MANY; k += 97)
			assert_int_equal(ht_pair_seq(ht_pairs_find(&p, address[k])), k);
		ht_pairs_remove(&p, ht_pairs_find(&p, address[i]));
		assert_null(ht_pairs_find(&p, address[i]));
		if (i % 100 == 0)
			check_lines(&p);
	}
	ht_pairs_release(&p);
	free(address);
}

static void test_limits(void **state)
{
	(void)state;
	struct ht_pairs p;
	uint64_t used = 0;
	ht_pairs_init(&p, &used, 1 << 20);
	assert_null(ht_pairs_find(&p, 0x1000));
	assert_false(ht_pairs_room(&p, 0x1001, 1)); /* odd */
	assert_false(ht_pairs_room(&p, 0, 1));
	assert_false(ht_pairs_room(&p, 1ull << 47, 1));
	assert_false(ht_pairs_room(&p, 0x1000, 1ull << 40));
	assert_true(ht_pairs_room(&p, 0x1000, (1ull << 40) - 1));
	ht_pairs_add(&p, 0x1000, (1ull << 40) - 1, 1, 1);
	assert_int_equal(ht_pair_seq(ht_pairs_find(&p, 0x1000)), (1ull << 40) - 1);
	unsigned n = 1;
	while (n < 1 << 20 && ht_pairs_room(&p, 0x1000 + 16ull * n, n)) {
		ht_pairs_add(&p, 0x1000 + 16ull * n, n, n, 1);
		n++;
	}
	assert_true(used <= 1 << 20);
	assert_in_range(n, 10000, 1 << 16); /* the cap said no, and what is in stays */
	assert_int_equal(ht_pair_seq(ht_pairs_find(&p, 0x1000 + 16 * 5000)), 5000);
	ht_pairs_release(&p);
}

/* A birth is known exactly or not at all, whatever gaps and disorder there are. */
static void test_births(void **state)
{
	(void)state;
	enum { MANY = 4000 };
	struct ht_pairs p;
	uint64_t used = 0, now = 5000000000, birth[MANY], latest = 0;
	unsigned known = 0;
	ht_pairs_init(&p, &used, UINT64_MAX);
	srandom(5);
	for (unsigned i = 0; i < MANY; i++) {
		now += (unsigned)random() % 1000 ? (unsigned)random() % 10 * 1000000ull : (unsigned)random() * 5ull;
		birth[i] = (now - (unsigned)random() % 20 * 3000000ull) / 1000 * 1000;
		if (i % 1500 == 1499)
			birth[i] -= 2000000000;
		latest = birth[i] > latest ? birth[i] : latest;
		assert_true(ht_pairs_room(&p, 0x1000 + 16 * i, i));
		ht_pairs_add(&p, 0x1000 + 16 * i, i, birth[i], 1);
		for (unsigned k = i > 300 ? i - 300 : 0; k <= i; k += 7) {
			uint64_t b = ht_pair_birth(&p, ht_pairs_find(&p, 0x1000 + 16 * k));
			if (b)
				assert_int_equal(b, birth[k]);
			known += b != 0;
			if (!b && i % 1500 < 1400 && i % 1500 > 300)
				assert_true(latest - birth[k] + HT_PAIRS_SLACK >= HT_PAIRS_EPOCH);
		}
	}
	assert_true(known > 10000);
	ht_pairs_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_array),
		cmocka_unit_test(test_births),
		cmocka_unit_test(test_dense),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
