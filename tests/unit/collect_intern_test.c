/* collect_intern_test: a node has one id, whatever was grown and forgotten since; and what grows, grows for a reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "intern.h"

#define NODES 100000u

struct world {
	struct ht_interner in;
	uint64_t used;
	int fd;
};

static void begin(struct world *w, uint64_t cap)
{
	struct ht_trace_settings settings = {0};
	struct ht_diag d;
	*w = (struct world){.fd = memfd_create("trace", MFD_CLOEXEC)};
	ht_intern_init(&w->in, &w->used, cap);
	w->in.writer = ht_trace_writer_new(w->fd, &settings, &d);
	assert_non_null(w->in.writer);
}

static void end(struct world *w)
{
	ht_trace_writer_abandon(w->in.writer);
	ht_intern_release(&w->in);
	close(w->fd);
}

static struct ht_stack_node node(uint32_t i)
{
	return (struct ht_stack_node){.parent = i / 3, .module = 1, .address = 0x1000 + 16ull * (i % 5000), .cfa_delta = i};
}

/* As the collector does it: the cache, then the table of all nodes. */
static uint32_t look_up(struct world *w, uint32_t i)
{
	struct ht_stack_node n = node(i);
	struct ht_node_cache key = {.pc = n.address, .parent = n.parent, .view = 1, .delta = n.cfa_delta};
	uint32_t id = ht_intern_cached(&w->in, &key);
	if (id)
		return id;
	id = key.node = ht_intern_node(&w->in, &n);
	if (id != HT_NODE_REFUSED)
		ht_intern_remember(&w->in, &key);
	return id;
}

static void test_ids(void **state)
{
	(void)state;
	struct world w;
	begin(&w, UINT64_MAX);
	uint32_t small = w.in.cache_mask, wrong = 0;
	for (uint32_t i = 0; i < NODES; i++)
		wrong += look_up(&w, i) != i + 1;
	assert_int_equal(wrong, 0);
	assert_int_equal(w.in.node_count, NODES + 1);
	assert_int_equal(w.in.cache_mask, small); /* nothing was looked up again */
	for (unsigned round = 0; round < 4; round++)
		for (uint32_t i = 0; i < NODES; i++)
			wrong += look_up(&w, i) != i + 1;
	assert_int_equal(wrong, 0);
	assert_int_equal(w.in.node_count, NODES + 1);
	assert_true(w.in.cache_mask >= NODES / 2);
	end(&w);
}

/* At the cap new nodes are refused, and the old ones stay. */
static void test_cap(void **state)
{
	(void)state;
	struct world w;
	begin(&w, 1 << 20);
	uint32_t known = 0, wrong = 0;
	while (known < NODES && look_up(&w, known) != HT_NODE_REFUSED)
		known++;
	assert_true(known >= 4000 && known < NODES);
	assert_true(w.used <= 1 << 20);
	for (unsigned round = 0; round < 20; round++)
		for (uint32_t i = 0; i < known; i++)
			wrong += look_up(&w, i) != i + 1;
	assert_int_equal(wrong, 0);
	assert_true(w.used <= 1 << 20);
	assert_int_equal(look_up(&w, NODES), HT_NODE_REFUSED);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ids), cmocka_unit_test(test_cap)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
