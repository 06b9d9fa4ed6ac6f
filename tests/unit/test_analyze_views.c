/* analyze: series, RSS, lifetimes, recursion, and what a damaged block does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyze_fixture.h"

static void series(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	f.now = 0;
	uint32_t image = fixture_image(&f, 5, 0, 0), t = fixture_thread(&f, image, 5, "");
	uint32_t s = fixture_node(&f, 0, 0, 0x5000);
	uint64_t a1 = fixture_birth(&f, t, s, 100); /* 0 */
	fixture_birth(&f, t, s, 50);		    /* 1000 */
	fixture_death(&f, t, s, a1);		    /* 2000 */
	f.now = 7000;
	uint64_t a3 = fixture_birth(&f, t, s, 25); /* 7000 */
	fixture_death(&f, t, s, a3);		    /* 8000 */
	struct ht_sample sample = {.time = 500, .image = image, .rss_bytes = 4096};
	ht_trace_writer_sample(f.writer, &sample);
	sample = (struct ht_sample){.time = 7500, .image = image, .rss_bytes = 8192};
	ht_trace_writer_sample(f.writer, &sample);
	f.now = 9999;
	fixture_image_end(&f, image, t);
	fixture_open(&f);
	struct ht_analysis_options o;
	ht_analysis_options_init(&o);
	o.series_buckets = 5; /* of 2000 ns */
	struct ht_analysis *a = fixture_analyze(&f, &o);
	static const struct {
		uint64_t live, objects, end, allocs, frees, rss;
	} expected[] = {
		{150, 2, 150, 2, 0, 4096}, {150, 2, 50, 0, 1, 4096}, {50, 1, 50, 0, 0, 4096},
		{75, 2, 75, 1, 0, 8192},   {75, 2, 0, 0, 1, 8192},
	};
	assert_int_equal(a->series_count, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(a->series[i].live_bytes, expected[i].live);
		assert_int_equal(a->series[i].live_objects, expected[i].objects);
		assert_int_equal(a->series[i].end_bytes, expected[i].end);
		assert_int_equal(a->series[i].allocs, expected[i].allocs);
		assert_int_equal(a->series[i].frees, expected[i].frees);
		assert_int_equal(a->series[i].rss_bytes, expected[i].rss);
		assert_int_equal(a->series[i].time_ns, i * 9999 / 5);
	}
	assert_true(a->has_rss);
	assert_int_equal(a->max_rss_bytes, 8192);
	assert_int_equal(a->max_rss_time_ns, 7500);
	/* Lifetimes: 2000 ns has bit length 11, 1000 ns 10; 50 bytes were never freed. */
	assert_int_equal(a->lifetimes[11].frees, 1);
	assert_int_equal(a->lifetimes[11].bytes, 100);
	assert_int_equal(a->lifetimes[10].frees, 1);
	assert_int_equal(a->lifetimes[10].min_ns, 512);
	assert_true(ht_analysis_complete(a, NULL));
	ht_analysis_free(a);
	fixture_end(&f);
}

/* f -> f -> f: one row, counted once in total; one chain of three in the tree. */
static void recursion(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 5, 0, 0), t = fixture_thread(&f, image, 5, "");
	uint32_t m = fixture_module(&f, "/bin/r", "") + 1;
	uint32_t root = fixture_node(&f, 0, m, 0x100), node = root;
	for (int i = 0; i < 3; i++)
		node = fixture_node(&f, node, m, 0x200);
	fixture_birth(&f, t, node, 10);
	fixture_birth(&f, t, fixture_node(&f, root, m, 0x300), 20);
	uint32_t other = fixture_node(&f, root, m, 0x400);
	fixture_birth(&f, t, fixture_node(&f, other, m, 0x200), 5); /* f again, but not within f */
	fixture_open(&f);
	struct ht_analysis_options o;
	ht_analysis_options_init(&o);
	o.sites = true;
	o.by = HT_BY_FUNCTION;
	struct ht_analysis *a = fixture_analyze(&f, &o);
	struct ht_rows rows;
	ht_analysis_rows(a, HT_METRIC_ALLOCS, true, &rows);
	assert_int_equal(rows.count, 4);
	for (size_t i = 0; i < rows.count; i++) {
		const struct ht_row *r = &rows.items[i];
		static const struct {
			uint64_t address, self, total;
		} expected[] = {{0xff, 0, 3}, {0x1ff, 2, 2}, {0x2ff, 1, 1}, {0x3ff, 0, 1}};
		const unsigned k = (unsigned)(r->frame->address >> 8);
		assert_int_equal(r->frame->address, expected[k].address);
		assert_int_equal(r->self.allocs, expected[k].self);
		assert_int_equal(r->total.allocs, expected[k].total);
		assert_null(r->function);
	}
	ht_rows_release(&rows);
	struct ht_tree tree;
	ht_analysis_tree(a, HT_TOP_DOWN, HT_METRIC_BYTES, &tree);
	assert_int_equal(tree.count, 7);
	const struct ht_tree_node *n = &tree.nodes[tree.first_root];
	assert_int_equal(n->total.bytes, 35);
	n = &tree.nodes[n->first_child];
	assert_int_equal(n->frame->address, 0x2ff); /* 20 bytes, before 10 */
	n = &tree.nodes[n->next_sibling];
	assert_false(n->recursive);
	assert_int_equal(n->frame->address, 0x1ff);
	assert_false(tree.nodes[tree.nodes[n->next_sibling].first_child].recursive);
	n = &tree.nodes[n->first_child];
	assert_true(n->recursive);
	n = &tree.nodes[n->first_child];
	assert_true(n->recursive);
	assert_int_equal(n->depth, 3);
	assert_int_equal(n->self.bytes, 10);
	assert_int_equal(n->first_child, HT_NO_NODE);
	ht_tree_release(&tree);
	ht_analysis_free(a);
	fixture_end(&f);
}

/* The middle one of three blocks is unreadable: its births are missing, the deaths that name them are
 * counted, and the rest is as it was. */
static void damage(void **state)
{
	(void)state;
	struct fixture f;
	uint64_t seq[30];
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 5, 0, 0), t = fixture_thread(&f, image, 5, "");
	uint32_t s = fixture_node(&f, 0, 0, 0x5000);
	for (int i = 0; i < 30; i++) {
		seq[i] = fixture_birth(&f, t, s, 1000);
		if (i % 10 == 9)
			fixture_cut(&f);
	}
	for (int i = 0; i < 30; i++)
		fixture_death(&f, t, s, seq[i]);
	fixture_open(&f);
	assert_int_equal(ht_trace_block_count(f.trace), 4);
	uint64_t next = ht_trace_block(f.trace, 2)->offset;
	ht_trace_close(f.trace);
	char path[64], byte;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f.fd);
	assert_int_equal(pread(f.fd, &byte, 1, (off_t)next - 3), 1);
	byte ^= 0x55;
	assert_int_equal(pwrite(f.fd, &byte, 1, (off_t)next - 3), 1);
	assert_int_equal(ht_trace_open(&f.trace, path, NULL), 0);
	struct ht_analysis_options o;
	ht_analysis_options_init(&o);
	struct ht_analysis *a = fixture_analyze(&f, &o);
	assert_int_equal(a->totals.c.allocs, 20);
	assert_int_equal(a->totals.c.frees, 20);
	assert_int_equal(a->totals.unmatched_deaths, 10);
	assert_int_equal(a->totals.c.peak_bytes, 20000);
	assert_int_equal(ht_trace_verdict(f.trace), HT_VERDICT_DAMAGED);
	assert_false(ht_analysis_complete(a, NULL));
	ht_analysis_free(a);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(series),
		cmocka_unit_test(recursion),
		cmocka_unit_test(damage),
	};
	return cmocka_run_group_tests_name("analyze views", tests, NULL, NULL);
}
