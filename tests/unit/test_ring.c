/* What ring.h and the trace share by number, and what it promises of its layout. */
#include "ring.h"
#include "trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_numbers_are_the_traces(void **state)
{
	(void)state;
	assert_int_equal(HT_REC_MALLOC, HT_OP_MALLOC);
	assert_int_equal(HT_REC_CALLOC, HT_OP_CALLOC);
	assert_int_equal(HT_REC_ALIGNED, HT_OP_ALIGNED);
	assert_int_equal(HT_REC_NEW, HT_OP_NEW);
	assert_int_equal(HT_REC_REALLOC, HT_OP_REALLOC);
	assert_int_equal(HT_REC_FREE, HT_OP_FREE);
	assert_int_equal(HT_REC_DELETE, HT_OP_DELETE);
	assert_int_equal(HT_REC_REALLOC_FREE, HT_OP_REALLOC_FREE);
	assert_int_equal(HT_REC_REALLOC_UNDO, HT_OP_REALLOC_UNDO);
	assert_int_equal(HT_REC_FAILED, HT_OP_FAILED);
	assert_int_equal(HT_REC_MMAP, HT_OP_MMAP);
	assert_int_equal(HT_REC_MUNMAP, HT_OP_MUNMAP);
	assert_int_equal(HT_REC_MREMAP, HT_OP_MREMAP);
	assert_int_equal(HT_REC_BRK, HT_OP_BRK);
	assert_int_equal(HT_REC_THREAD_START, HT_OP_THREAD_START);
	assert_int_equal(HT_REC_THREAD_EXIT, HT_OP_THREAD_EXIT);
	assert_int_equal(HT_REC_FORK, HT_OP_FORK);
	assert_int_equal(HT_RING_LOST_FULL, HT_LOST_RING_FULL);
	assert_int_equal(HT_RING_LOST_NO_RING, HT_LOST_NO_RING);
	assert_int_equal(HT_RING_LOST_NO_CONTEXT, HT_LOST_NO_CONTEXT);
	assert_int_equal(HT_RING_LOST_NESTED, HT_LOST_NESTED);
	assert_int_equal(HT_RING_LOST_EARLY, HT_LOST_EARLY);
	assert_int_equal(HT_RING_LOST_ABANDONED, HT_LOST_ABANDONED);
}

static void test_lines_are_not_shared(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct ht_slot) % 64, 0);
	assert_int_equal(offsetof(struct ht_slot, head) / 64, 0);
	assert_int_equal(offsetof(struct ht_slot, tail) / 64, 1);
	assert_int_equal(offsetof(struct ht_slot, state) / 64, 2);
	assert_true(offsetof(struct ht_slot, lost) / 64 >= 3);
	assert_int_not_equal(offsetof(struct ht_segment, tick) / 64, offsetof(struct ht_segment, sleeping) / 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_the_traces),
		cmocka_unit_test(test_lines_are_not_shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
