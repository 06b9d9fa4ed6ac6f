/*
 * analyze: what is decoded, and by how many, changes no number. Windows of a trace with checkpoints are held against
 * the same windows of the same trace with damage behind its end, which is read from the front; so are those of a trace
 * that can be read from anywhere, since its deaths name births; and the work of several threads against that of one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analyze_fixture.h"

/* Checkpoints stand at least 2^20 events apart. */
enum { PARTS = 16, EVENTS = 220000, THREADS = 4, SITES = 50, MOST_LIVE = 60 };

struct heap {
	uint64_t seq[MOST_LIVE], address[MOST_LIVE];
	unsigned thread[MOST_LIVE];
	unsigned count;
};

static struct {
	struct fixture f;
	struct heap heap;
	uint64_t inherited[MOST_LIVE];
	unsigned inherited_count;
	uint32_t nodes[SITES];
	uint64_t seed;
	bool named; /* all deaths name births */
} t;

static uint64_t pick(uint64_t n)
{
	t.seed = t.seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (t.seed >> 20) % n;
}

static uint32_t stack(void)
{
	return t.nodes[pick(SITES)];
}

static void birth(unsigned thread, unsigned op)
{
	struct heap *h = &t.heap;
	/* sizes that do not compress, so that checkpoints are cheap beside them */
	struct ht_event e = {.op = (uint8_t)op, .thread = thread, .stack = stack(), .size = pick(UINT64_C(1) << 40)};
	e.stamped = true;
	e.time = t.f.now += pick(3000);
	e.address = t.f.address += 0x1000 + pick(1u << 20) * 16;
	h->seq[h->count] = ht_trace_writer_event(t.f.writer, &e);
	h->address[h->count] = e.address;
	h->thread[h->count++] = thread;
}

/* Returns the block's number; it is not in the heap any more. */
static uint64_t death(unsigned i, unsigned op)
{
	struct heap *h = &t.heap;
	uint64_t seq = h->seq[i];
	/* threads 0 to 2 are of one image and free each other's blocks */
	fixture_event(&t.f, op, pick(4) ? h->thread[i] : (unsigned)pick(3), stack(), seq);
	h->count--;
	h->seq[i] = h->seq[h->count];
	h->address[i] = h->address[h->count];
	h->thread[i] = h->thread[h->count];
	return seq;
}

/* A realloc that fails, its halves on both sides of a block's end. */
static void failed_realloc_across(void)
{
	unsigned i = (unsigned)pick(t.heap.count), thread = t.heap.thread[i];
	fixture_event(&t.f, HT_OP_REALLOC_FREE, thread, stack(), t.heap.seq[i]);
	fixture_cut(&t.f);
	birth((thread + 1) % 3, HT_OP_CALLOC);
	birth(thread, HT_OP_NEW); /* of a signal handler, say */
	fixture_event(&t.f, HT_OP_REALLOC_UNDO, thread, 0, 0);
}

static void one_step(void)
{
	uint64_t what = pick(100);
	if (t.heap.count < 10 || (what < 48 && t.heap.count < MOST_LIVE - 4))
		birth((unsigned)pick(3), HT_OP_MALLOC + (unsigned)pick(3));
	else if (what < 92)
		death((unsigned)pick(t.heap.count), pick(2) ? HT_OP_FREE : HT_OP_DELETE);
	else if (what < 97) {
		unsigned i = (unsigned)pick(t.heap.count), thread = t.heap.thread[i];
		fixture_event(&t.f, HT_OP_REALLOC_FREE, thread, stack(), t.heap.seq[i]);
		t.heap.count--;
		t.heap.seq[i] = t.heap.seq[t.heap.count];
		t.heap.address[i] = t.heap.address[t.heap.count];
		t.heap.thread[i] = t.heap.thread[t.heap.count];
		birth(thread, HT_OP_REALLOC);
	} else if (!t.named) {
		fixture_event(&t.f, HT_OP_FREE_UNKNOWN, (unsigned)pick(3), stack(), 0x10);
	}
}

/* A child that frees some of what it inherits, over the next blocks, and ends. */
static uint32_t fork_now(void)
{
	fixture_event(&t.f, HT_OP_FORK, 0, 0, 7);
	memcpy(t.inherited, t.heap.address, sizeof(t.inherited));
	t.inherited_count = t.heap.count;
	return fixture_image(&t.f, 101, 1, 7);
}

static int make(bool named)
{
	uint32_t child = UINT32_MAX;
	memset(&t, 0, sizeof(t));
	t.named = named;
	t.seed = 20;
	fixture_begin(&t.f);
	fixture_image(&t.f, 100, 0, 0);
	for (unsigned i = 0; i < 3; i++)
		fixture_thread(&t.f, 0, 200 + i, "");
	for (unsigned i = 0; i < SITES; i++)
		t.nodes[i] = fixture_node(&t.f, 0, 0, 0x1000 + i * 16);
	for (unsigned b = 0; b < PARTS; b++) {
		if (b == 5) {
			child = fork_now();
			fixture_thread(&t.f, child, 300, "child");
		}
		for (unsigned i = 0; i < EVENTS; i++) {
			one_step();
			if (!t.named && child != UINT32_MAX && i % 2000 == 0 && t.inherited_count)
				fixture_event(&t.f, HT_OP_FREE_UNKNOWN, 3, stack(), t.inherited[--t.inherited_count]);
		}
		if (b == 8) {
			fixture_image_end(&t.f, child, 3);
			child = UINT32_MAX;
		}
		failed_realloc_across();
	}
	fixture_open(&t.f);
	return 0;
}
static int make_mixed(void **state)
{
	(void)state;
	return make(false);
}
static int make_named(void **state)
{
	(void)state;
	return make(true);
}
static int end(void **state)
{
	(void)state;
	fixture_end(&t.f);
	return 0;
}

/* The same bytes, and some more. */
static struct ht_trace *damaged_copy(int *fd)
{
	static const char garbage[] = "this is no block, and nothing that could be the beginning of one, however long";
	char buf[1 << 16], path[64];
	struct ht_diag d;
	struct ht_trace *copy;
	int64_t n;
	*fd = memfd_create("damaged", 0);
	for (uint64_t at = 0; (n = ht_pread_all(t.f.fd, buf, sizeof(buf), at)) > 0; at += (uint64_t)n)
		assert_int_equal(ht_write_all(*fd, buf, (size_t)n), 0);
	assert_int_equal(ht_write_all(*fd, garbage, sizeof(garbage)), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	assert_int_equal(ht_trace_open(&copy, path, &d), 0);
	assert_int_equal(ht_trace_verdict(copy), HT_VERDICT_DAMAGED);
	return copy;
}

/* --- comparing -------------------------------------------------------------------------------- */

static void same_counters(const struct ht_counters *a, const struct ht_counters *b)
{
	assert_int_equal(a->allocs, b->allocs);
	assert_int_equal(a->bytes, b->bytes);
	assert_int_equal(a->frees, b->frees);
	assert_int_equal(a->freed_bytes, b->freed_bytes);
	assert_int_equal(a->freed_here, b->freed_here);
	assert_int_equal(a->live_objects, b->live_objects);
	assert_int_equal(a->live_bytes, b->live_bytes);
	assert_int_equal(a->peak_objects, b->peak_objects);
	assert_int_equal(a->peak_bytes, b->peak_bytes);
	assert_int_equal(a->own_peak_bytes, b->own_peak_bytes);
	assert_int_equal(a->own_peak_objects, b->own_peak_objects);
	assert_int_equal(a->own_peak_time_ns, b->own_peak_time_ns);
	assert_int_equal(a->leaked_objects, b->leaked_objects);
	assert_int_equal(a->leaked_bytes, b->leaked_bytes);
	assert_int_equal(a->temporary, b->temporary);
	assert_int_equal(a->temporary_bytes, b->temporary_bytes);
}

static void same_totals(const struct ht_totals *a, const struct ht_totals *b)
{
	same_counters(&a->c, &b->c);
	assert_memory_equal(&a->events, &b->events, sizeof(a->events));
	assert_int_equal(a->peak_time_ns, b->peak_time_ns);
	assert_int_equal(a->first_ns, b->first_ns);
	assert_int_equal(a->last_ns, b->last_ns);
	assert_int_equal(a->foreign_frees, b->foreign_frees);
	assert_int_equal(a->inherited_frees, b->inherited_frees);
	assert_int_equal(a->undecided_frees, b->undecided_frees);
	assert_int_equal(a->implied_frees, b->implied_frees);
	assert_int_equal(a->unmatched_deaths, b->unmatched_deaths);
	assert_int_equal(a->stacks, b->stacks);
	assert_int_equal(a->stackless, b->stackless);
	assert_int_equal(a->truncated_stacks, b->truncated_stacks);
	assert_int_equal(a->cross_thread_frees, b->cross_thread_frees);
	assert_int_equal(a->damaged_blocks, b->damaged_blocks);
}

static void same_rows(const struct ht_analysis *a, const struct ht_analysis *b)
{
	struct ht_rows ra, rb;
	ht_analysis_rows(a, HT_METRIC_BYTES, false, &ra);
	ht_analysis_rows(b, HT_METRIC_BYTES, false, &rb);
	assert_int_equal(ra.count, rb.count);
	for (size_t i = 0; i < ra.count; i++) {
		assert_int_equal(ra.items[i].node, rb.items[i].node);
		same_counters(&ra.items[i].self, &rb.items[i].self);
	}
	ht_rows_release(&ra);
	ht_rows_release(&rb);
}

static void same(const struct ht_analysis *a, const struct ht_analysis *b)
{
	same_totals(&a->totals, &b->totals);
	assert_int_equal(a->image_count, b->image_count);
	assert_int_equal(a->thread_count, b->thread_count);
	for (size_t i = 0; i < a->image_count; i++) {
		same_counters(&a->images[i].c, &b->images[i].c);
		assert_int_equal(a->images[i].foreign_frees, b->images[i].foreign_frees);
		assert_int_equal(a->images[i].inherited_frees, b->images[i].inherited_frees);
	}
	for (size_t i = 0; i < a->thread_count; i++) {
		same_counters(&a->threads[i].c, &b->threads[i].c);
		assert_int_equal(a->threads[i].freed_foreign, b->threads[i].freed_foreign);
	}
	assert_memory_equal(a->sizes, b->sizes, sizeof(a->sizes));
	assert_memory_equal(a->lifetimes, b->lifetimes, sizeof(a->lifetimes));
	assert_int_equal(a->series_count, b->series_count);
	assert_memory_equal(a->series, b->series, a->series_count * sizeof(*a->series));
	same_rows(a, b);
}

/* --- the tests -------------------------------------------------------------------------------- */

static uint64_t blocks_read;

static void count_blocks(void *ctx, const char *phase, uint64_t done, uint64_t total)
{
	(void)ctx;
	(void)total;
	if (!strcmp(phase, "events"))
		blocks_read = done;
}

static struct ht_analysis *analyze(struct ht_trace *trace, struct ht_analysis_options *o)
{
	struct ht_analysis *a;
	struct ht_diag d;
	blocks_read = 0;
	assert_int_equal(ht_analyze(&a, trace, o, &d), 0);
	return a;
}

static void options(struct ht_analysis_options *o)
{
	ht_analysis_options_init(o);
	o->sites = true;
	o->series_buckets = 30;
	o->progress = count_blocks;
}

static void windows(void **state)
{
	(void)state;
	/* in thousandths of the time; the fork is near 312, the child's end near 562 */
	static const unsigned spans[][2] = {{0, 10}, {100, 110}, {299, 301}, {313, 320}, {350, 420},
					    {555, 570}, {700, 702}, {800, 1000}, {990, 1000}, {1000, 1000}};
	int fd;
	struct ht_trace *whole = damaged_copy(&fd);
	unsigned short_cuts = 0;
	assert_true(ht_trace_checkpoint_count(t.f.trace) >= 3);
	for (size_t i = 0; i < HT_ARRAY_SIZE(spans); i++) {
		struct ht_analysis_options o;
		options(&o);
		o.selection.from_ns = t.f.now / 1000 * spans[i][0];
		o.selection.to_ns = t.f.now / 1000 * spans[i][1];
		o.selection.at = (enum ht_at)(i % 3);
		o.selection.at_ns = (o.selection.from_ns + o.selection.to_ns) / 2;
		struct ht_analysis *a = analyze(t.f.trace, &o);
		uint64_t read = blocks_read;
		struct ht_analysis *b = analyze(whole, &o);
		short_cuts += read * 2 < blocks_read;
		/* nothing in front is read where all deaths name births: of a window this short, its block and the next */
		if (t.named && spans[i][0] > 50 && spans[i][1] - spans[i][0] <= 2)
			assert_in_range(read, 0, 3);
		same(a, b);
		assert_true(a->totals.undecided_frees == 0);
		ht_analysis_free(a);
		ht_analysis_free(b);
	}
	assert_true(short_cuts >= 3); /* that it is done, and not only right */
	ht_trace_close(whole);
	close(fd);
}

static void threads(void **state)
{
	(void)state;
	struct ht_analysis_options o;
	options(&o);
	o.jobs = 1;
	struct ht_analysis *one = analyze(t.f.trace, &o);
	assert_int_equal(blocks_read, ht_trace_block_count(t.f.trace));
	assert_true(one->totals.c.allocs > PARTS * EVENTS / 3 && (t.named || one->totals.inherited_frees));
	for (o.jobs = 2; o.jobs <= 4; o.jobs += 2) {
		struct ht_analysis *many = analyze(t.f.trace, &o);
		same(one, many);
		ht_analysis_free(many);
	}
	ht_analysis_free(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(windows), cmocka_unit_test(threads)};
	return cmocka_run_group_tests_name("analyze: ranges and threads", tests, make_mixed, end) +
	       cmocka_run_group_tests_name("analyze: where all deaths name births", tests, make_named, end);
}
