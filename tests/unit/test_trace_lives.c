/*
 * test_trace_lives: births and deaths written many at a time make the same file, byte for byte, as written one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "trace.h"

enum { THREADS = 3, EVENTS = 400000, LIVE = 5000, NODES = 300, RUN = 64 };

static uint64_t state_of_random;

static uint64_t draw(uint64_t below)
{
	state_of_random = state_of_random * 6364136223846793005ull + 1442695040888963407ull;
	return (state_of_random >> 33) % below;
}

/* Runs of a thread, long ones and short ones; few far steps of time and odd addresses; reallocs among the deaths. */
static struct ht_birth_death *generate(uint64_t seed)
{
	static struct { uint64_t seq, size; } live[LIVE];
	struct ht_birth_death *g = calloc(EVENTS, sizeof(*g));
	uint64_t now = 5000, next = 0;
	size_t live_count = 0;
	uint32_t thread = 0;
	state_of_random = seed;
	for (size_t i = 0; i < EVENTS; i++) {
		if (!draw(i & 4096 ? 40 : 2))
			thread = (uint32_t)draw(THREADS);
		now += draw(200) ? draw(3000) : draw(10000000);
		struct ht_birth_death *e = &g[i];
		e->thread = thread;
		e->time = now;
		e->stack = (uint32_t)draw(NODES + 1);
		if (live_count == LIVE || (live_count && draw(2))) {
			size_t k = draw(4) ? live_count - 1 : draw(live_count);
			e->bits = draw(10) ? HT_OP_FREE : HT_OP_REALLOC_FREE;
			e->bits |= draw(3) ? 0 : HT_EVENT_STAMPED;
			e->seq = live[k].seq;
			e->size = live[k].size;
			live[k] = live[--live_count];
		} else {
			e->bits = (uint8_t)(draw(5) ? HT_OP_MALLOC : draw(2) ? HT_OP_CALLOC : HT_OP_NEW) | HT_EVENT_STAMPED | (draw(50) ? 0 : HT_EVENT_NEW_MACHINE);
			e->size = draw(100) ? draw(500) : draw(1u << 30);
			e->address = 0x550000000000 + draw(1u << 20) * 16 + (draw(500) ? 0 : 8);
			live[live_count].seq = next++;
			live[live_count++].size = e->size;
		}
	}
	return g;
}

static int written(const struct ht_birth_death *g, bool in_runs, bool addresses, struct ht_buf *file)
{
	struct ht_trace_settings s = {.time_unit_ns = 1000, .addresses = addresses, .sized_ends = true};
	struct ht_trace_totals totals = {0};
	struct ht_diag d;
	int fd = memfd_create("lives", 0);
	struct ht_trace_writer *w = ht_trace_writer_new(fd, &s, &d);
	struct ht_image image = {.pid = 1, .end_ns = UINT64_MAX, .wait_status = -1};
	ht_trace_writer_image(w, &image);
	for (uint32_t i = 0; i < THREADS; i++)
		ht_trace_writer_thread(w, &(struct ht_thread_info){.tid = i + 1, .serial = i, .end_ns = UINT64_MAX});
	for (uint32_t i = 0; i < NODES; i++)
		ht_trace_writer_node(w, &(struct ht_stack_node){.address = i * 16});
	struct ht_birth_death run[RUN];
	size_t n = 0;
	for (size_t i = 0; i < EVENTS; i++) {
		const struct ht_birth_death *l = &g[i];
		struct ht_event e = {.op = l->bits & HT_EVENT_OP, .stamped = l->bits & HT_EVENT_STAMPED,
				     .new_machine = l->bits & HT_EVENT_NEW_MACHINE, .thread = l->thread, .stack = l->stack,
				     .time = l->time, .seq = l->seq, .address = l->address, .size = l->size};
		if (!in_runs) {
			ht_trace_writer_event(w, &e);
			continue;
		}
		run[n++] = *l;
		if (n == RUN || i + 1 == EVENTS) {
			ht_trace_writer_lives(w, run, n);
			n = 0;
		}
	}
	uint64_t bad = ht_trace_writer_bad_references(w);
	int err = ht_trace_writer_finish(w, &totals, 0, &d);
	file->len = 0;
	char part[65536];
	int64_t got;
	for (off_t at = 0; (got = pread(fd, part, sizeof(part), at)) > 0; at += got)
		ht_buf_append(file, part, (size_t)got);
	close(fd);
	assert_int_equal(bad, 0);
	return err;
}

static void same_files(void **unused)
{
	(void)unused;
	struct ht_buf one = {0}, other = {0};
	for (unsigned k = 0; k < 4; k++) {
		struct ht_birth_death *g = generate(k + 1);
		assert_int_equal(written(g, false, k & 1, &one), 0);
		assert_int_equal(written(g, true, k & 1, &other), 0);
		assert_int_equal(one.len, other.len);
		assert_memory_equal(one.data, other.data, one.len);
		free(g);
	}
	ht_buf_release(&one);
	ht_buf_release(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_files)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
