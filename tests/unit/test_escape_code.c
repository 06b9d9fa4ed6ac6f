/*
 * code: questions about this very program's functions, whose answers stand in their source; and images that lie.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "birth_log.h"
#include "flow.h"

extern char __executable_start[];

static uint64_t calls[4]; /* return addresses, run-time */

static __attribute__((noinline)) void mark(unsigned i)
{
	calls[i] = (uint64_t)(uintptr_t)__builtin_return_address(0);
	__asm__ volatile("" : : : "memory");
}

/* One after the other. */
static __attribute__((noinline)) void straight(void)
{
	mark(0);
	mark(1);
	__asm__ volatile("");
}

/* Either, round a loop. */
static __attribute__((noinline)) void looping(volatile int *rounds)
{
	while ((*rounds)-- > 0) {
		if (*rounds % 2)
			mark(0);
		else
			mark(1);
		__asm__ volatile("");
	}
	mark(2);
	__asm__ volatile("");
}

static struct ht_image_code open_self(void)
{
	struct ht_image_code m;
	assert_int_equal(ht_image_open(&m, "/proc/self/exe", NULL, 0), 0);
	return m;
}

static struct ht_flow *flow_at(const struct ht_image_code *m, uint64_t call)
{
	struct ht_extent e;
	assert_true(ht_image_extent(m, call - 1, &e));
	struct ht_flow *f = ht_flow_new(m, &e);
	assert_non_null(f);
	return f;
}

static int32_t end_of(const struct ht_flow *f, unsigned i)
{
	int32_t at = ht_flow_ending(f, calls[i] - (uint64_t)(uintptr_t)__executable_start);
	assert_true(at >= 0);
	return at;
}

static bool leads(struct ht_flow *f, unsigned from, unsigned to, bool forward)
{
	return ht_flow_reaches(f, end_of(f, from) + 1, end_of(f, to), -1, forward);
}

static void test_straight(void **state)
{
	struct ht_image_code m = open_self();
	(void)state;
	straight();
	struct ht_flow *f = flow_at(&m, calls[0] - (uint64_t)(uintptr_t)__executable_start);
	assert_true(leads(f, 0, 1, false));
	assert_false(leads(f, 1, 0, false));
	assert_false(leads(f, 0, 0, false));
	assert_false(ht_flow_reaches(f, f->entry, end_of(f, 1), end_of(f, 0), false));
	assert_true(ht_flow_reaches(f, f->entry, end_of(f, 1), -1, false));
	ht_flow_free(f);
	ht_image_close(&m);
}

static void test_loop(void **state)
{
	struct ht_image_code m = open_self();
	int rounds = 4;
	(void)state;
	looping(&rounds);
	struct ht_flow *f = flow_at(&m, calls[0] - (uint64_t)(uintptr_t)__executable_start);
	assert_true(leads(f, 0, 1, false));
	assert_true(leads(f, 1, 0, false));
	assert_false(leads(f, 0, 1, true) && leads(f, 1, 0, true));
	assert_true(leads(f, 0, 2, false));
	assert_false(leads(f, 2, 0, false));
	assert_true(ht_flow_reaches(f, f->entry, end_of(f, 1), end_of(f, 0), false));
	ht_flow_free(f);
	ht_image_close(&m);
}

/* Bytes are changed at random: nothing is read beyond the file, and everything comes to an end. */
static void test_hostile(void **state)
{
	struct ht_image_code good = open_self();
	char path[] = "/tmp/heaptide-image-XXXXXX";
	size_t size = good.size;
	int fd = mkstemp(path);
	uint8_t *bytes = ht_xmalloc(size);
	unsigned opened = 0, found = 0;
	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ht_pread_all(good.fd, bytes, size, 0), (int64_t)size);
	srand(11);
	uint64_t here = (uint64_t)(uintptr_t)straight - (uint64_t)(uintptr_t)__executable_start;
	for (unsigned round = 0; round < 300; round++) {
		uint8_t *copy = ht_xmalloc(size);
		memcpy(copy, bytes, size);
		for (unsigned i = 0; i < 8 + round; i++)
			copy[(size_t)rand() % (i % 2 ? size : 1024)] ^= (uint8_t)(1u << rand() % 8);
		size_t length = round % 5 ? size : (size_t)rand() % size;
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, copy, length, 0), (ssize_t)length);
		struct ht_image_code m;
		if (!ht_image_open(&m, path, NULL, 0)) {
			opened++;
			for (unsigned i = 0; i < 20; i++) {
				struct ht_extent e;
				if (!ht_image_extent(&m, here + (uint64_t)rand() % 4096, &e))
					continue;
				struct ht_flow *f = ht_flow_new(&m, &e);
				found += f != NULL;
				ht_flow_free(f);
			}
			ht_image_close(&m);
		}
		free(copy);
	}
	assert_true(opened > 0 && found > 0);
	free(bytes);
	ht_image_close(&good);
	close(fd);
	unlink(path);
}

static void test_birth_log(void **state)
{
	struct ht_birth_log l;
	uint64_t entry;
	(void)state;
	ht_birth_log_init(&l, 2, sizeof(uint64_t));
	for (uint64_t i = 0; i < 5000; i++)
		*(uint64_t *)ht_birth_log_add(&l, 1) = i;
	for (uint64_t i = 0; i < 5000; i += 2)
		assert_true(ht_birth_log_take(&l, 1, i, &entry) && entry == i);
	assert_false(ht_birth_log_take(&l, 1, 4000, &entry));
	assert_null(ht_birth_log_find(&l, 1, 4000));
	assert_int_equal(*(uint64_t *)ht_birth_log_find(&l, 1, 4001), 4001);
	assert_int_equal(ht_birth_number(&l, 1, 0), 4999);
	assert_true(ht_birth_number(&l, 1, 5000) == UINT64_MAX);
	for (uint64_t i = 1; i < 4096; i += 2)
		assert_true(ht_birth_log_take(&l, 1, i, &entry));
	assert_null(ht_birth_log_find(&l, 1, 1));
	*(uint64_t *)ht_birth_log_revive(&l, 1, 1) = 77;
	assert_int_equal(*(uint64_t *)ht_birth_log_find(&l, 1, 1), 77);
	assert_null(ht_birth_log_find(&l, 0, 0));
	ht_birth_log_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_straight),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_birth_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
