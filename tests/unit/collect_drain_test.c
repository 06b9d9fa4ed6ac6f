/*
 * collect_drain_test: what the collector makes of rings whose clocks, or whose bytes, do not tell the
 * order: births before deaths, forks before children, modules before frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "collect_fixture.h"

#define A 0x7f0000001000ull
#define B 0x7f0000002000ull
#define CHILD 0x3ffffff0u /* above any pid: a process that is gone */

static uint32_t me(void)
{
	return (uint32_t)getpid();
}

static struct fixture *setup(void)
{
	struct fixture *f = malloc(sizeof(*f));
	fixture_open(f);
	fixture_image(f, getpid());
	return f;
}

static void teardown(struct fixture *f)
{
	fixture_free(f);
	free(f);
}

static const struct ht_trace_totals *totals(const struct fixture *f)
{
	bool footer;
	const struct ht_trace_totals *t = ht_trace_totals(f->trace, &footer);
	assert_true(footer);
	return t;
}

static void expect_accounts(const struct fixture *f)
{
	uint64_t lost = 0;
	for (unsigned i = 0; i < HT_LOST_COUNT; i++)
		lost += totals(f)->lost[i];
	assert_int_equal(totals(f)->counted, totals(f)->recorded + lost);
}

static void test_one_thread(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me());
	put_malloc(&p, 10, A, 24);
	put_free(&p, 0, A);
	put_malloc(&p, 20, A, 100);
	put_free(&p, 0, B); /* nobody's */
	fixture_close(f);
	assert_int_equal(count_of(f, HT_OP_MALLOC), 2);
	assert_int_equal(event_of(f, HT_OP_FREE, 0)->seq, 0);
	assert_int_equal(event_of(f, HT_OP_MALLOC, 1)->size, 100);
	assert_int_equal(event_of(f, HT_OP_FREE_UNKNOWN, 0)->address, B);
	assert_int_equal(f->events[0].op, HT_OP_IMAGE_START);
	expect_accounts(f);
	teardown(f);
}

static void test_merge_by_time(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), q = producer_new(f, me(), me() + 1);
	for (unsigned i = 0; i < 100; i++) {
		put_malloc(i % 3 ? &p : &q, 10 + i, A + 64 * i, i);
		if (i == 50)
			ht_drain_round(&f->c);
	}
	fixture_close(f);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(event_of(f, HT_OP_MALLOC, i)->size, i);
	assert_int_equal(ht_trace_thread_count(f->trace), 2);
	teardown(f);
}

/* The free inherits a stamp from long before the birth. */
static void test_free_waits_for_birth(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), q = producer_new(f, me(), me() + 1);
	put_malloc(&q, 5, B, 1);
	put_malloc(&p, 50, A, 24);
	put_free(&q, 0, A);
	put_free(&q, 0, B);
	fixture_close(f);
	const struct ht_event *birth = event_of(f, HT_OP_MALLOC, 1), *death = event_of(f, HT_OP_FREE, 0);
	assert_int_equal(death->seq, birth->seq);
	assert_true(index_of(f, death) > index_of(f, birth));
	assert_true(death->time >= birth->time);
	assert_int_equal(count_of(f, HT_OP_FREE_UNKNOWN), 0);
	assert_int_equal(count_of(f, HT_OP_FREE), 2);
	expect_accounts(f);
	teardown(f);
}

/* The same over rounds: the free is seen in a round whose heads were loaded before the birth was there. */
static void test_birth_comes_a_round_later(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), q = producer_new(f, me(), me() + 1);
	put_malloc(&p, 5, B, 1);
	put_malloc(&q, 6, B + 64, 1);
	ht_drain_round(&f->c);
	put_free(&q, 0, A);
	struct ht_lane *lane = f->c.lanes[0]->slot == q.slot ? f->c.lanes[0] : f->c.lanes[1];
	put_malloc(&p, 7, B + 128, 1); /* so that q is not alone */
	struct ht_record r = {.op = HT_REC_FREE, .address = A};
	uint64_t wanted;
	assert_int_equal(ht_event_tell(&f->c, lane, &r, &wanted), HT_WANT_BIRTH); /* told nothing yet */
	put_malloc(&p, 50, A, 24);
	fixture_close(f);
	assert_int_equal(count_of(f, HT_OP_FREE_UNKNOWN), 0);
	assert_int_equal(event_of(f, HT_OP_FREE, 0)->seq, event_of(f, HT_OP_MALLOC, 3)->seq);
	teardown(f);
}

/* The free is due at its lane's next stamp, which is later than the birth that it made possible. */
static void test_birth_waits_for_death(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), q = producer_new(f, me(), me() + 1);
	put_malloc(&p, 10, A, 1);
	put_malloc(&q, 20, B, 1);
	put_free(&q, 0, A);
	put_malloc(&q, 60, B + 64, 3);
	put_malloc(&p, 30, A, 2);
	fixture_close(f);
	assert_int_equal(count_of(f, HT_OP_IMPLIED_FREE), 0);
	const struct ht_event *death = event_of(f, HT_OP_FREE, 0);
	assert_int_equal(death->seq, 0);
	assert_true(index_of(f, death) < index_of(f, event_of(f, HT_OP_MALLOC, 2)));
	assert_int_equal(event_of(f, HT_OP_MALLOC, 2)->size, 2);
	teardown(f);
}

static void test_implied_free(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), q = producer_new(f, me(), me() + 1);
	put_malloc(&p, 10, A, 1);
	put_malloc(&p, 15, B, 1);
	put_malloc(&q, 20, A, 2); /* the free in between was lost */
	put_free(&q, 30, A);
	fixture_close(f);
	assert_int_equal(event_of(f, HT_OP_IMPLIED_FREE, 0)->seq, 0);
	assert_int_equal(event_of(f, HT_OP_FREE, 0)->seq, 2);
	assert_int_equal(totals(f)->implied_frees, 1);
	expect_accounts(f);
	teardown(f);
}

/* Two lanes wait; the one whose wish the other holds must not be given up. */
static void test_waiting_for_one_that_waits(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), q = producer_new(f, me(), me() + 1);
	put_malloc(&p, 10, B, 1);
	put_malloc(&q, 11, B + 64, 1);
	put_free(&q, 20, A);	      /* waits for p */
	put_free(&p, 30, 0x123000);   /* foreign: p waits, in vain */
	put_malloc(&p, 40, A, 3);
	fixture_close(f);
	assert_int_equal(count_of(f, HT_OP_FREE_UNKNOWN), 1);
	assert_int_equal(event_of(f, HT_OP_FREE_UNKNOWN, 0)->address, 0x123000);
	assert_int_equal(event_of(f, HT_OP_FREE, 0)->seq, 2);
	teardown(f);
}

static void test_realloc_undone(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me());
	put_malloc(&p, 10, A, 24);
	producer_put(&p, (uint64_t[]){word0(HT_REC_REALLOC_FREE, 0, 0, 0, 0), A}, 2);
	producer_put(&p, (uint64_t[]){word0(HT_REC_REALLOC_UNDO, 0, 0, 0, 0)}, 1);
	producer_put(&p, (uint64_t[]){word0(HT_REC_FAILED, HT_REC_SIZE, 0, 0, 0), 1ull << 60}, 2);
	put_free(&p, 0, A);
	fixture_close(f);
	assert_int_equal(event_of(f, HT_OP_REALLOC_FREE, 0)->seq, 0);
	assert_int_equal(count_of(f, HT_OP_REALLOC_UNDO), 1);
	assert_int_equal(event_of(f, HT_OP_FREE, 0)->seq, 0);
	assert_int_equal(event_of(f, HT_OP_FAILED, 0)->size, 1ull << 60);
	assert_int_equal(totals(f)->undone_reallocs, 1);
	teardown(f);
}

static void put_module(struct producer *p, uint64_t generation, uint64_t start, const char *path)
{
	uint64_t words[1 + sizeof(struct ht_ring_module) / 8 + 4] = {0};
	struct ht_ring_module m = {.generation = generation, .start = start, .end = start + 0x10000, .bias = start,
				   .build_id_len = 1, .build_id = {(uint8_t)path[0]}, .path_len = strlen(path)};
	words[0] = word0(HT_REC_MODULE, 0, HT_ARRAY_SIZE(words) - 1, 0, 0);
	memcpy(words + 1, &m, sizeof(m));
	memcpy(words + 1 + sizeof(m) / 8, path, strlen(path));
	producer_put(p, words, HT_ARRAY_SIZE(words));
}

static void put_stack(struct producer *p, unsigned at, uint64_t address, unsigned flags, unsigned kept,
		      const uint64_t *frames, unsigned n)
{
	uint64_t words[64] = {word0(HT_REC_MALLOC, HT_REC_STAMP | HT_REC_STACK | flags, n, kept, 8), stamp(p->f, at),
			      address};
	memcpy(words + 3, frames, 8 * n);
	producer_put(p, words, 3 + n);
}

static void test_stacks(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me());
	put_module(&p, 0, 0x400000, "prog");
	put_stack(&p, 10, A, HT_REC_ABS, 0, (uint64_t[]){0x400300 | 2ull << 48, 0x400200 | 4ull << 48, 0x400100}, 3);
	put_stack(&p, 11, A + 64, 0, 2, (uint64_t[]){0x400308 | 2ull << 48}, 1);  /* another leaf */
	put_stack(&p, 12, A + 128, HT_REC_ABS | HT_REC_ASIDE, HT_END_ALTSTACK, (uint64_t[]){0x400400}, 1);
	put_stack(&p, 13, A + 192, 0, 3, NULL, 0); /* the aside changed nothing */
	fixture_close(f);
	const struct ht_stack_node *n = ht_trace_nodes(f->trace);
	const struct ht_event *first = event_of(f, HT_OP_MALLOC, 0), *second = event_of(f, HT_OP_MALLOC, 1);
	assert_int_equal(n[first->stack].address, 0x300);
	assert_int_equal(n[first->stack].module, 1);
	assert_int_equal(n[first->stack].cfa_delta, 2);
	assert_int_equal(n[second->stack].address, 0x308);
	assert_int_equal(n[second->stack].parent, n[first->stack].parent);
	const struct ht_event *aside = event_of(f, HT_OP_MALLOC, 2), *last = event_of(f, HT_OP_MALLOC, 3);
	assert_int_equal(n[aside->stack].end, HT_END_ALTSTACK);
	assert_true(aside->new_machine && last->new_machine && !second->new_machine);
	assert_int_equal(last->stack, second->stack);
	assert_string_equal(ht_trace_string(f->trace, ht_trace_module(f->trace, 0)->path, NULL), "prog");
	teardown(f);
}

/* Everything that a thread can do to blocks, and what it cannot, in an order that chance decides. */
static void put_anything(struct producer *p, unsigned step)
{
	uint64_t address = A + 64 * (uint64_t)(random() % 40), frame = 0x400000 + 16ull * (unsigned)(random() % 50);
	unsigned at = 10 + step, kept = (unsigned)(random() % 3);
	switch (random() % 8) {
	case 0:
		producer_put(p, (uint64_t[]){word0(HT_REC_REALLOC_FREE, 0, 0, 0, 0), address}, 2);
		producer_put(p, (uint64_t[]){word0(HT_REC_REALLOC_UNDO, 0, 0, 0, 0)}, 1);
		break;
	case 1:
		producer_put(p, (uint64_t[]){word0(HT_REC_REALLOC_FREE, 0, 0, 0, 0), address}, 2);
		producer_put(p, (uint64_t[]){word0(HT_REC_REALLOC, HT_REC_STAMP, 0, 0, 9), stamp(p->f, at), address}, 3);
		break;
	case 2:
		producer_put(p, (uint64_t[]){word0(HT_REC_FAILED, HT_REC_SIZE, 0, 0, 0), 1ull << 40}, 2);
		break;
	case 3:
		put_stack(p, at, address, HT_REC_ABS, 0, (uint64_t[]){frame, frame + 4, 0x400100, 0x400200, 0x400300}, 5);
		break;
	case 4:
		put_stack(p, at, address, 0, 1 + kept, (uint64_t[]){frame, frame + 4, frame + 8, frame + 12}, 4 - kept);
		break;
	default:
		put_free(p, 0, address);
	}
}

static struct fixture *played(bool with_another)
{
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me());
	if (with_another) { /* that does nothing, so that the thread is not alone */
		struct producer q = producer_new(f, me(), me() + 1);
		producer_put(&q, (uint64_t[]){word0(HT_REC_NAME, 0, 0, 0, 0), 'q', 0}, 3);
	}
	srandom(7);
	put_stack(&p, 9, B, HT_REC_ABS, 0, (uint64_t[]){0x400100, 0x400200, 0x400300, 0x400400}, 4);
	for (unsigned step = 0; step < 20000; step++) {
		put_anything(&p, step);
		if (step % 250 == 0)
			ht_drain_all(&f->c);
	}
	fixture_close(f);
	expect_accounts(f);
	return f;
}

/* Told in batches, as its ring's order is the order, or merged: the same. */
static void test_alone_or_not(void **state)
{
	(void)state;
	struct fixture *alone = played(false), *merged = played(true);
	size_t a = 0, m = 0, compared = 0;
	for (;; a++, m++) {
		while (a < alone->count && alone->events[a].op >= HT_OP_THREAD_START)
			a++;
		while (m < merged->count && merged->events[m].op >= HT_OP_THREAD_START)
			m++;
		if (a == alone->count || m == merged->count)
			break;
		const struct ht_event *x = &alone->events[a], *y = &merged->events[m];
		assert_int_equal(x->op, y->op);
		assert_int_equal(x->address, y->address);
		assert_int_equal(x->seq, y->seq);
		assert_int_equal(x->size, y->size);
		assert_int_equal(x->stack, y->stack);
		assert_int_equal(x->new_machine, y->new_machine);
		compared++;
	}
	assert_true(a == alone->count && m == merged->count && compared > 20000);
	assert_true(totals(alone)->implied_frees > 1000 && totals(alone)->unknown_frees > 1000);
	assert_true(totals(alone)->undone_reallocs > 1000);
	assert_int_equal(ht_trace_node_count(alone->trace), ht_trace_node_count(merged->trace));
	teardown(alone);
	teardown(merged);
}

/* A frame whose module is told of by another thread, later in time. */
static void test_frame_waits_for_module(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), q = producer_new(f, me(), me() + 1);
	put_stack(&p, 10, A, HT_REC_ABS, 0, (uint64_t[]){0x500100}, 1);
	put_malloc(&q, 40, B, 1);
	put_module(&q, 0, 0x500000, "late");
	put_stack(&p, 50, A + 64, HT_REC_ABS, 0, (uint64_t[]){0x990000}, 1); /* in no file */
	fixture_close(f);
	const struct ht_stack_node *n = ht_trace_nodes(f->trace);
	const struct ht_event *inside = NULL, *outside = NULL;
	for (size_t i = 0; i < 3; i++) {
		const struct ht_event *e = event_of(f, HT_OP_MALLOC, i);
		inside = e->address == A ? e : inside;
		outside = e->address == A + 64 ? e : outside;
	}
	assert_int_equal(n[inside->stack].module, 1);
	assert_int_equal(n[inside->stack].address, 0x100);
	assert_int_equal(n[outside->stack].module, 0);
	assert_int_equal(n[outside->stack].address, 0x990000);
	teardown(f);
}

/* The same address in two generations is two modules; unloaded and loaded again, it is the same one. */
static void test_generations(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me());
	const char *paths[] = {"one", "two", "one"};
	for (unsigned g = 0; g < 3; g++) {
		producer_put(&p, (uint64_t[]){word0(HT_REC_GENERATION, 0, 0, 0, 0), g}, 2);
		put_module(&p, g, 0x600000, paths[g]);
		put_stack(&p, 10 + g, A + 64 * g, HT_REC_ABS, 0, (uint64_t[]){0x600100}, 1);
	}
	fixture_close(f);
	assert_int_equal(ht_trace_module_count(f->trace), 2);
	assert_int_equal(event_of(f, HT_OP_MALLOC, 0)->stack, event_of(f, HT_OP_MALLOC, 2)->stack);
	assert_int_not_equal(event_of(f, HT_OP_MALLOC, 0)->stack, event_of(f, HT_OP_MALLOC, 1)->stack);
	teardown(f);
}

/* The child's slot is claimed, and its first free stamped, before the parent's FORK is. */
static void test_fork(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), child = producer_new(f, CHILD, CHILD);
	child.slot->forked = 1;
	child.slot->fork_token = 7;
	child.slot->parent_serial = p.slot->serial;
	put_free(&child, 10, A);
	put_malloc(&child, 11, A, 5);
	put_malloc(&p, 20, A, 24);
	producer_put(&p, (uint64_t[]){word0(HT_REC_FORK, HT_REC_STAMP | HT_REC_EXTRA, 0, 0, 0), stamp(f, 30), 7, 0}, 4);
	put_free(&p, 40, A);
	ht_drain_all(&f->c);
	ht_guests_close(&f->c); /* the child is dead: its image closes */
	fixture_close(f);
	assert_int_equal(ht_trace_image_count(f->trace), 2);
	const struct ht_image *i = ht_trace_image(f->trace, 1);
	assert_int_equal(i->kind, HT_IMAGE_FORK);
	assert_int_equal(i->parent, 1);
	const struct ht_event *fork = event_of(f, HT_OP_FORK, 0), *inherited = event_of(f, HT_OP_FREE_UNKNOWN, 0);
	assert_int_equal(i->fork_number, fork->extra);
	assert_true(index_of(f, fork) < index_of(f, inherited));
	assert_int_equal(inherited->address, A);
	assert_int_equal(count_of(f, HT_OP_IMPLIED_FREE), 0); /* the child's block at A is its own */
	assert_int_equal(count_of(f, HT_OP_IMAGE_END), 1);
	assert_true(i->end_ns != UINT64_MAX);
	expect_accounts(f);
	teardown(f);
}

static void test_handler_slot(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer h = producer_new(f, me(), me()), p = producer_new(f, me(), me());
	h.slot->handler_of = p.slot->serial;
	put_malloc(&h, 10, A, 1);
	put_malloc(&p, 20, B, 1);
	fixture_close(f);
	assert_int_equal(ht_trace_thread_count(f->trace), 1);
	assert_int_equal(count_of(f, HT_OP_MALLOC), 2);
	assert_int_equal(event_of(f, HT_OP_MALLOC, 0)->thread, event_of(f, HT_OP_MALLOC, 1)->thread);
	teardown(f);
}

/* The thread finds its ring full, or half full, and moves to the one that it was offered. */
static void starve(struct producer *p)
{
	p->slot->starving = p->f->host->seg->starving = 1;
	ht_host_offer(&p->f->c, p->f->host);
}

static void move(struct producer *p)
{
	uint64_t offer = p->slot->offer;
	assert_true(offer != 0);
	producer_put(p, (uint64_t[]){HT_REC_LINK | 8ull << 32}, 1);
	p->base = (uint8_t *)p->f->host->seg + (offer & ~63ull);
	p->mask = (1ull << (offer & 63)) - 1;
	p->start = p->slot->head;
	p->slot->offer = 0;
}

static void test_growing(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me());
	unsigned n = 0;
	for (unsigned ring = 0; ring < 3; ring++) {
		for (uint64_t half = p.mask / 2 / 24 + 10; half--; n++)
			put_malloc(&p, 10 + n / 1000, A + 16 * n, n);
		p.slot->starving = f->host->seg->starving = 1;
		ht_drain_round(&f->c);
		if (ring == 2)
			break;
		move(&p);
		put_malloc(&p, 20 + n / 1000, A + 16 * n, n);
		n++;
	}
	assert_int_equal(p.mask + 1, HT_RING_MAX);
	fixture_close(f);
	assert_int_equal(count_of(f, HT_OP_MALLOC), n);
	assert_int_equal(event_of(f, HT_OP_MALLOC, n - 1)->address, A + 16 * (n - 1));
	teardown(f);
}

/* Nobody drains: ring after ring, until the rest of the memory is for others. Then all of it, in order. */
static void test_chain(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), q = producer_new(f, me(), me() + 1);
	unsigned n = 0, rings = 1;
	put_malloc(&p, 10, A, 1);
	ht_drain_round(&f->c);
	for (n = 1;; rings++) {
		for (uint64_t full = p.mask / 24 - 2; full--; n++)
			put_malloc(&p, 10 + n / 1000, A + 16 * (uint64_t)n, 1);
		starve(&p);
		if (!p.slot->offer)
			break;
		move(&p);
	}
	assert_true(f->host->hungry);
	assert_in_range(rings, 4, 3 + HT_CHAIN); /* as the fixture has 16 MiB: one of the largest more than growing gives */
	assert_true(f->host->map_bytes - f->host->used >= HT_RING_MAX / 2);
	put_malloc(&q, 5, B, 2); /* the other thread's ring grows still */
	starve(&q);
	ht_drain_round(&f->c);
	assert_true(q.slot->offer != 0);
	assert_false(f->host->hungry);
	assert_int_equal(p.slot->tail, p.slot->head);
	starve(&p); /* rings that were drained are given again */
	assert_true(p.slot->offer != 0);
	fixture_close(f);
	assert_int_equal(count_of(f, HT_OP_MALLOC), n + 1);
	for (unsigned i = 1; i < n; i += 997)
		assert_int_equal(event_of(f, HT_OP_MALLOC, i + 1)->address, A + 16 * (uint64_t)i);
	teardown(f);
}

static void test_damaged_lane(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), q = producer_new(f, me(), me() + 1);
	put_malloc(&p, 10, A, 1);
	producer_put(&p, (uint64_t[]){77}, 1); /* no such op */
	p.slot->counted = 5;
	put_malloc(&q, 20, B, 1);
	fixture_close(f);
	assert_int_equal(count_of(f, HT_OP_MALLOC), 2);
	assert_int_equal(totals(f)->lost[HT_LOST_DAMAGED], 4);
	expect_accounts(f);
	teardown(f);
}

/* A stack that keeps frames which were never sent, and a head that runs away. */
static void test_hostile_lanes(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me()), q = producer_new(f, me(), me() + 1);
	struct producer far = producer_new(f, me(), me() + 2);
	put_stack(&p, 10, A, 0, 40000, (uint64_t[]){0x1000}, 1);
	put_malloc(&q, 20, B, 1);
	ht_drain_round(&f->c);
	q.slot->head = 1ull << 40;
	producer_put(&far, (uint64_t[]){word0(HT_REC_MALLOC, HT_REC_STAMP, 0, 0, 1), UINT64_MAX - 5, A}, 3);
	q.slot->counted = 3;
	fixture_close(f);
	assert_int_equal(totals(f)->lost[HT_LOST_DAMAGED], 3);
	assert_int_equal(count_of(f, HT_OP_MALLOC), 2); /* the stamp of the far future was taken for now */
	assert_true(event_of(f, HT_OP_MALLOC, 1)->time < 60ull * 1000000000);
	teardown(f);
}

static void test_memory_cap(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me());
	f->guest->pairs.cap = 0;
	put_malloc(&p, 10, A, 24);
	put_free(&p, 0, A);
	fixture_close(f);
	assert_true(event_of(f, HT_OP_MALLOC, 0)->unpaired);
	assert_int_equal(event_of(f, HT_OP_MALLOC, 0)->address, A);
	assert_int_equal(event_of(f, HT_OP_FREE_UNKNOWN, 0)->address, A);
	teardown(f);
}

static void test_size_limit(void **state)
{
	(void)state;
	struct fixture *f = setup();
	struct producer p = producer_new(f, me(), me());
	put_malloc(&p, 10, A, 24);
	ht_drain_round(&f->c);
	ht_collector_stop(&f->c, NULL);
	put_malloc(&p, 20, B, 24);
	assert_int_equal(f->host->seg->control, HT_CONTROL_STOP);
	fixture_close(f);
	assert_int_equal(count_of(f, HT_OP_MALLOC), 1);
	assert_int_equal(totals(f)->lost[HT_LOST_FULL_DISK], 1);
	expect_accounts(f);
	teardown(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_thread),
		cmocka_unit_test(test_merge_by_time),
		cmocka_unit_test(test_free_waits_for_birth),
		cmocka_unit_test(test_birth_comes_a_round_later),
		cmocka_unit_test(test_birth_waits_for_death),
		cmocka_unit_test(test_implied_free),
		cmocka_unit_test(test_waiting_for_one_that_waits),
		cmocka_unit_test(test_realloc_undone),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_alone_or_not),
		cmocka_unit_test(test_frame_waits_for_module),
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_handler_slot),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_damaged_lane),
		cmocka_unit_test(test_hostile_lanes),
		cmocka_unit_test(test_memory_cap),
		cmocka_unit_test(test_size_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
