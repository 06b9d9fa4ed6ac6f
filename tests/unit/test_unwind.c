/*
 * The unwinder against two others: itself without cache and rows (ht_unwind_check), and libgcc's
 * _Unwind_Backtrace, which shares no line with it.
 */
#include "unwinder.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unwind.h>

#include <cmocka.h>

static struct ht_unwinder u;
static uint64_t rng = 88172645463325252ull;
static unsigned long captures, plainly, remembered, kept_some, against_libgcc;

static uint64_t next(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static bool accept_module(void *ctx, const struct ht_cfi_module *m)
{
	(void)ctx, (void)m;
	return true;
}

struct trace {
	uint64_t pc[512];
	unsigned n;
};

static _Unwind_Reason_Code collect(struct _Unwind_Context *c, void *p)
{
	struct trace *t = p;
	if (t->n == 512)
		return _URC_END_OF_STACK;
	t->pc[t->n++] = _Unwind_GetIP(c);
	return _URC_NO_REASON;
}

/* The place that stands for an allocation: captures, and compares. */
__attribute__((noinline)) static void probe(void)
{
	const uint64_t *frame = __builtin_frame_address(0);
	struct ht_unwind_state from = {frame[1], (uint64_t)(frame + 2), frame[0]};
	struct ht_capture c;
	uint32_t hits = u.walked_hits;
	uint64_t plain = ht_unwind_capture_plain(&u, &from);
	remembered += u.walked_hits == hits + 1;
	if (plain)
		c = (struct ht_capture){.kept = (uint32_t)plain, .depth = (uint32_t)(plain >> 32)};
	else
		ht_unwind_capture(&u, &from, NULL, &c);
	plainly += plain != 0;
	captures++;
	kept_some += c.kept > 0;
	int same = ht_unwind_check(&u, &from, &c);
	assert_int_not_equal(same, 0);
	if (next() % 64 || c.aside)
		return;
	struct trace t = {.n = 0};
	_Unwind_Backtrace(collect, &t);
	/* t: this function first; ours starts at its caller */
	unsigned i = 0;
	while (i < t.n && t.pc[i] != from.pc)
		i++;
	for (unsigned k = 0; k < c.depth && i + k < t.n; k++)
		assert_int_equal(u.stack->pc[c.depth - 1 - k], t.pc[i + k]);
	assert_true(t.n - i >= c.depth);
	against_libgcc++;
}

__attribute__((noinline)) static int wander(int depth);

__attribute__((noinline)) static int with_alloca(int depth)
{
	volatile char *room = __builtin_alloca(next() % 300 + 1);
	room[0] = (char)depth;
	int r = wander(depth - 1);
	return r + room[0];
}

__attribute__((noinline)) static int aligned_frame(int depth)
{
	volatile char room[96] __attribute__((aligned(64)));
	volatile char *more = __builtin_alloca(next() % 100 + 1); /* with the alignment: CFA by DRAP */
	room[0] = more[0] = 1;
	return wander(depth - 1) + room[0];
}

__attribute__((noinline)) static int big_frame(int depth)
{
	volatile char room[20000];
	room[depth] = 1;
	return wander(depth - 1) + room[depth];
}

static int compare(const void *a, const void *b)
{
	if (next() % 8 == 0)
		probe();
	return *(const int *)a - *(const int *)b;
}

__attribute__((noinline)) static int sorting(int depth)
{
	int v[12];
	for (int i = 0; i < 12; i++)
		v[i] = (int)(next() % 100);
	qsort(v, 12, sizeof(v[0]), compare);
	return wander(depth - 1) + v[0];
}

static jmp_buf out;
__attribute__((noinline)) static int jumping(int depth)
{
	jmp_buf saved;
	memcpy(saved, out, sizeof(out));
	volatile int r = 0;
	if (setjmp(out) == 0) {
		r = wander(depth - 1);
		if (next() % 2)
			longjmp(out, 1);
	}
	memcpy(out, saved, sizeof(out));
	probe();
	return r;
}

static int wander(int depth)
{
	if (next() % 3 == 0)
		probe();
	if (depth <= 0)
		return 0;
	int r = 0;
	switch (next() % 7) {
	case 0:
		r = with_alloca(depth);
		break;
	case 1:
		r = aligned_frame(depth);
		break;
	case 2:
		r = big_frame(depth);
		break;
	case 3:
		r = sorting(depth);
		break;
	case 4:
		r = jumping(depth);
		break;
	default:
		r = wander(depth - 1) + 1;
		break;
	}
	if (next() % 3 == 0)
		probe();
	return r;
}

/* Paths of one tree, again and again: three frames of five are new each time, and were met before. No two paths end at the same place on
 * the stack: a walk is remembered by its inner end alone. */
static int branch(unsigned path, unsigned depth);

#define STEP(depth, turn, bytes)                                                                 \
	__attribute__((noinline)) static int step_##depth##turn(unsigned path)                    \
	{                                                                                         \
		volatile char room[bytes];                                                        \
		room[path % (bytes)] = 1;                                                         \
		return branch(path / 3, depth) + room[path % (bytes)];                            \
	}
STEP(2, 0, 16)
STEP(2, 1, 160)
STEP(2, 2, 320)
STEP(1, 0, 16)
STEP(1, 1, 48)
STEP(1, 2, 80)
STEP(0, 0, 16)
STEP(0, 1, 32)
STEP(0, 2, 496)

__attribute__((noinline)) static int branch(unsigned path, unsigned depth)
{
	static int (*const steps[3][3])(unsigned) = {
		{step_00, step_01, step_02}, {step_10, step_11, step_12}, {step_20, step_21, step_22}};
	if (depth)
		return steps[depth - 1][path % 3](path) + 1;
	probe();
	return 1;
}

/* With frame pointers, frames depend on rbp, and no walk is remembered. */
static void test_walks_come_again(void **state)
{
	(void)state;
	unsigned long before = captures;
	remembered = 0;
	for (unsigned round = 0; round < 300; round++)
		for (unsigned path = 0; path < 27; path++)
			branch(path * 7 % 27, 3);
	printf("%lu captures, %lu by a remembered walk\n", captures - before, remembered);
#ifdef HT_NO_FRAME_POINTERS
	assert_true(remembered > (captures - before) / 2);
#endif
}

static void test_random_programs(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++)
		wander((int)(next() % 30));
	printf("%lu captures, %lu plainly, %lu kept a part, %lu against libgcc\n", captures, plainly, kept_some, against_libgcc);
	assert_true(kept_some > captures / 2);
	assert_true(plainly > captures / 2);
	assert_true(against_libgcc > 100);
}

static ucontext_t main_context, coroutines[2];
static void coroutine(int which)
{
	for (int i = 0; i < 200; i++) {
		wander(6);
		swapcontext(&coroutines[which], which ? &coroutines[0] : &coroutines[1]);
	}
}

static void test_coroutines(void **state)
{
	(void)state;
	static char stacks[2][256 << 10];
	for (int i = 0; i < 2; i++) {
		getcontext(&coroutines[i]);
		coroutines[i].uc_stack.ss_sp = stacks[i];
		coroutines[i].uc_stack.ss_size = sizeof(stacks[i]);
		coroutines[i].uc_link = &main_context;
		makecontext(&coroutines[i], (void (*)(void))coroutine, 1, i);
	}
	swapcontext(&main_context, &coroutines[0]);
	probe();
}

static int begin(void **state)
{
	(void)state;
	ht_cfi_init(dlsym(RTLD_DEFAULT, "_dl_find_object"));
	ht_cfi_snapshot();
	struct ht_unwind_config c = {.rows = calloc(1 << 14, 8), .row_bits = 14, .on_module = accept_module};
	ht_unwind_init(&c);
	struct rlimit lim;
	getrlimit(RLIMIT_STACK, &lim);
	uint64_t *end = dlsym(RTLD_DEFAULT, "__libc_stack_end");
	u.hi = *end + 8;
	u.lo = *end - (lim.rlim_cur == RLIM_INFINITY ? 64u << 20 : lim.rlim_cur);
	u.stack = mmap(NULL, sizeof(*u.stack), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return u.stack == MAP_FAILED;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks_come_again),
		cmocka_unit_test(test_random_programs),
		cmocka_unit_test(test_coroutines),
	};
	return cmocka_run_group_tests(tests, begin, NULL);
}
