/*
 * activations: what is said to have ended has ended. A thread is acted out at random, with every activation numbered;
 * of what it does only stacks are shown, as in a trace.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "activations.h"

enum { NODES = 60000, DEEPEST = 24 };

struct stage {
	struct ht_stacks stacks;
	struct ht_shapes shapes;
	struct ht_activity activity;
	uint32_t pc[NODES];
	uint32_t count;
};

static void raise_stage(struct stage *s)
{
	*s = (struct stage){.count = 1};
	s->stacks.node_count = NODES;
	s->shapes.stacks = &s->stacks;
	s->shapes.of = ht_xcalloc(NODES, sizeof(*s->shapes.of));
}

static void strike_stage(struct stage *s)
{
	ht_activity_release(&s->activity);
	free(s->shapes.of);
}

/* The node of a frame, interned as the recorder does. */
static uint32_t node(struct stage *s, uint32_t parent, uint32_t function, uint32_t pc, uint32_t cfa_delta)
{
	for (uint32_t i = 1; i < s->count; i++)
		if (s->shapes.of[i].parent == parent && s->shapes.of[i].function == function && s->pc[i] == pc &&
		    s->shapes.of[i].cfa_delta == cfa_delta)
			return i;
	assert_true(s->count < NODES);
	uint32_t i = s->count++;
	s->shapes.of[i] = (struct ht_shape){
		.parent = parent,
		.function = function,
		.cfa_delta = cfa_delta,
		.depth = (uint16_t)(parent ? s->shapes.of[parent].depth + 1 : 1),
		.root = parent ? s->shapes.of[parent].root : (uint16_t)function,
	};
	s->pc[i] = pc;
	return i;
}

static void event(struct stage *s, uint32_t leaf, bool new_machine)
{
	ht_activity_event(&s->activity, &s->shapes, leaf, new_machine);
}

static int alive(const struct stage *s, const struct ht_moment *m, uint32_t depth)
{
	return ht_activity_alive(&s->activity, m, depth);
}

static void test_what_ends(void **state)
{
	struct stage *s = ht_xcalloc(1, sizeof(*s));
	(void)state;
	raise_stage(s);
	uint32_t start = node(s, 0, 1, 0, 0), main_a = node(s, start, 2, 10, 4), main_b = node(s, start, 2, 20, 4);
	uint32_t f = node(s, main_a, 3, 30, 4), f_later = node(s, main_a, 3, 31, 4), g = node(s, main_a, 4, 40, 4);
	uint32_t f_lower = node(s, main_a, 3, 30, 6);

	event(s, f, false);
	struct ht_moment m = ht_activity_now(&s->activity);
	event(s, f, false);
	assert_int_equal(alive(s, &m, 3), 3); /* the same stack proves nothing */
	event(s, f_later, false);
	assert_int_equal(alive(s, &m, 3), 3); /* the same function and frame neither */
	event(s, g, false);
	assert_int_equal(alive(s, &m, 3), 2); /* another function does */
	event(s, f, false);
	assert_int_equal(alive(s, &m, 3), 2); /* and it does not come back */

	m = ht_activity_now(&s->activity);
	event(s, f_lower, false);
	assert_int_equal(alive(s, &m, 3), 2); /* so does another address of the frame */

	event(s, f, false);
	m = ht_activity_now(&s->activity);
	event(s, main_b, false);
	assert_int_equal(alive(s, &m, 3), 2); /* the stack is too short for it */
	event(s, f, false);
	assert_int_equal(alive(s, &m, 3), 2);
	strike_stage(s);
	free(s);
}

static void test_other_stacks(void **state)
{
	struct stage *s = ht_xcalloc(1, sizeof(*s));
	(void)state;
	raise_stage(s);
	uint32_t start = node(s, 0, 1, 0, 0), f = node(s, start, 2, 10, 4), g = node(s, start, 3, 10, 4);
	uint32_t routine = node(s, 0, 9, 0, 0), inside = node(s, routine, 2, 10, 4), cut = node(s, 0, 8, 0, 0);
	s->shapes.of[cut].depth = 0;

	event(s, f, true);
	struct ht_moment m = ht_activity_now(&s->activity), n;
	event(s, inside, true);
	assert_int_equal(alive(s, &m, 2), -1);
	n = ht_activity_now(&s->activity);
	event(s, inside, false);
	assert_int_equal(alive(s, &n, 2), 2);
	event(s, f, true);
	assert_int_equal(alive(s, &m, 2), 2); /* the thread's own stack goes on where it was */
	assert_int_equal(alive(s, &n, 2), -1);
	event(s, inside, true);
	assert_int_equal(alive(s, &n, 2), -1); /* another coroutine, perhaps */
	event(s, cut, false);
	assert_int_equal(alive(s, &m, 2), -1);
	event(s, g, false);
	assert_int_equal(alive(s, &m, 2), 1);
	strike_stage(s);
	free(s);
}

/* A thread's stack as it is. */
struct acted {
	uint32_t function, pc, delta, activation;
};

static uint32_t show(struct stage *s, const struct acted *a, uint32_t depth)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < depth; i++)
		n = node(s, n, a[i].function, a[i].pc, a[i].delta);
	return n;
}

static void test_never_too_much(void **state)
{
	enum { KEPT = 32 };
	struct stage *s = ht_xcalloc(1, sizeof(*s));
	struct {
		struct ht_moment m;
		struct acted stack[DEEPEST];
		uint32_t depth;
	} kept[KEPT];
	struct acted now[DEEPEST] = {{1, 0, 0, 0}};
	uint32_t depth = 1, activations = 1, known = 0, ended = 0;
	(void)state;
	srand(7);
	raise_stage(s);
	for (unsigned step = 0; step < 20000; step++) {
		unsigned what = (unsigned)rand() % 8;
		if (what < 2 && depth < 6) {
			uint32_t function = 2 + (uint32_t)rand() % 3;
			now[depth++] = (struct acted){function, 0, 4 + (uint32_t)rand() % 2, activations++};
		} else if (what < 4 && depth > 1) {
			depth--;
		} else {
			now[depth - 1].pc = (uint32_t)rand() % 2;
			event(s, show(s, now, depth), false);
			unsigned i = (unsigned)rand() % KEPT;
			if (known < KEPT)
				i = known++;
			kept[i].m = ht_activity_now(&s->activity);
			kept[i].depth = depth;
			memcpy(kept[i].stack, now, sizeof(now));
			for (unsigned k = 0; k < known; k++) {
				uint32_t same = 0;
				while (same < depth && same < kept[k].depth && now[same].activation == kept[k].stack[same].activation)
					same++;
				int said = alive(s, &kept[k].m, kept[k].depth);
				assert_true(said >= (int)same);
				ended += said < (int)kept[k].depth;
			}
		}
	}
	assert_true(ended > 10000); /* and it does say something */
	strike_stage(s);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_ends),
		cmocka_unit_test(test_other_stacks),
		cmocka_unit_test(test_never_too_much),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
