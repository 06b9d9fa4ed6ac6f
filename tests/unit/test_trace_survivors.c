/*
 * test_trace_survivors: what is unpacked is what was born and has not died, field by field, whatever makes the words
 * of a chunk differ: one thread or many, neighbours or blocks all over the address space, sizes of 0 and of exabytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace_survivors.h"

#define BIRTHS 300000

enum kind { NEAR, THREADS, ANYTHING, KINDS };

static uint64_t any(unsigned bits)
{
	uint64_t v = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
	return bits == 64 ? v : v & ((1ull << bits) - 1);
}

static struct ht_survivor make(enum kind kind, uint64_t i)
{
	switch (kind) {
	case NEAR: /* as of a program with one thread */
		return (struct ht_survivor){0x555555000000 + 48 * i, any(9), i / 8, (uint32_t)any(10), 3, (uint32_t)i, 1};
	case THREADS:
		return (struct ht_survivor){0x7f0000000000 + any(30) * 16, any(16),  i / 8 + any(12), (uint32_t)any(20),
					    (uint32_t)any(5),		   (uint32_t)any(24), (uint8_t)(1 + any(64) % 5)};
	default: /* and, now and then, one that has nothing in common with the others */
		if (random() % 4)
			return make(NEAR, i);
		return (struct ht_survivor){any(64), any(61), any(64), (uint32_t)any(32), (uint32_t)any(32), (uint32_t)any(32), 5};
	}
}

static bool same(const struct ht_survivor *a, const struct ht_survivor *b)
{
	return a->address == b->address && a->size == b->size && a->time == b->time && a->stack == b->stack &&
	       a->thread == b->thread && a->order == b->order && a->op == b->op;
}

/* Of the births from base on; those that are dead have op 0. */
static void compare(const struct ht_survivors *s, const struct ht_survivor *model, uint64_t count)
{
	static struct ht_survivor out[HT_WINDOW];
	uint64_t live[HT_WINDOW / 64], found = 0, lost = 0, wrong = 0, there = 0;
	for (size_t w = 0; w < s->windows; w++) {
		bool some = ht_survivors_unpack(s, w, out, live);
		for (size_t i = 0; i < HT_WINDOW; i++) {
			bool is = some && live[i / 64] >> i % 64 & 1, was = w * HT_WINDOW + i < count && model[w * HT_WINDOW + i].op;
			found += is;
			there += was;
			lost += is != was;
			wrong += is && was && !same(&out[i], &model[w * HT_WINDOW + i]);
		}
	}
	assert_int_equal(lost, 0);
	assert_int_equal(wrong, 0);
	assert_int_equal(found, there);
	assert_int_equal(found, s->live);
}

/* Of how many births one lives on, how the others die: at once, or any time later. */
static void run(enum kind kind, unsigned one_in, struct ht_survivors *s)
{
	struct ht_survivor *model = calloc(BIRTHS, sizeof(*model));
	uint64_t base = s->base;
	for (uint64_t i = 0; i < BIRTHS; i++) {
		struct ht_survivor *b = ht_survivors_birth(s, base + i);
		assert_non_null(b);
		*b = model[i] = make(kind, i);
		uint64_t dies = random() % one_in ? random() % 2 ? i : any(64) % (i + 1) : UINT64_MAX;
		if (dies != UINT64_MAX) {
			ht_survivors_death(s, base + dies); /* perhaps once more: that is nothing */
			model[dies].op = 0;
		}
	}
	ht_survivors_move_window(s, base + BIRTHS);
	assert_false(s->off);
	compare(s, model, BIRTHS);
	for (uint64_t i = 0; i < BIRTHS; i += 1 + i % 3) {
		ht_survivors_death(s, base + i);
		model[i].op = 0;
	}
	compare(s, model, BIRTHS);
	ht_survivors_restart(s, base + BIRTHS);
	assert_int_equal(s->windows, 0);
	free(model);
}

static void test_against_model(void **state)
{
	(void)state;
	srandom(11);
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct ht_survivors s;
		ht_survivors_init(&s, 64 << 20);
		run(kind, 1, &s);
		run(kind, 2, &s);
		run(kind, 1000, &s);
		run(kind, 20, &s);
		ht_survivors_release(&s);
	}
}

/* Neighbours of one thread, born close together: some bytes each, as what is alike stands there once. */
static void test_small(void **state)
{
	(void)state;
	struct ht_survivors s;
	ht_survivors_init(&s, 64 << 20);
	for (uint64_t i = 0; i < BIRTHS; i++)
		*ht_survivors_birth(&s, i) = make(NEAR, i);
	assert_true(s.used <= 11 * s.stored);
	ht_survivors_release(&s);
}

/* Room is what lives: with little of it, most must have died; else there is nothing more. */
static void test_bound(void **state)
{
	(void)state;
	struct ht_survivors s;
	struct ht_survivor *b;
	ht_survivors_init(&s, 400 << 10);
	for (uint64_t i = 0; i < BIRTHS; i++) {
		b = ht_survivors_birth(&s, i);
		assert_non_null(b);
		*b = make(ANYTHING, i);
		if (i >= 3000)
			ht_survivors_death(&s, i - 3000);
		assert_true(s.used <= s.bound);
	}
	for (uint64_t i = BIRTHS; !s.off; i++) {
		assert_true(i < 2 * BIRTHS);
		if ((b = ht_survivors_birth(&s, i)))
			*b = make(NEAR, i);
	}
	assert_null(ht_survivors_birth(&s, 2 * BIRTHS));
	ht_survivors_release(&s);
}

/* No block is so large; a number that does not fit is not kept as another one. */
static void test_impossible(void **state)
{
	(void)state;
	struct ht_survivors s;
	ht_survivors_init(&s, 64 << 20);
	for (uint64_t i = 0; i < HT_WINDOW; i++)
		*ht_survivors_birth(&s, i) = (struct ht_survivor){.address = 16 * i, .size = i == 5 ? 1ull << 61 : 1, .op = 1};
	assert_false(s.off);
	assert_null(ht_survivors_birth(&s, HT_WINDOW));
	assert_true(s.off);
	ht_survivors_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_model), cmocka_unit_test(test_small),
					   cmocka_unit_test(test_bound), cmocka_unit_test(test_impossible)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
