/* analyze: totals, peak, images, forks, reallocs on traces whose numbers were worked out by hand. */
#include "analyze_fixture.h"

static struct ht_analysis *plain(struct fixture *f)
{
	struct ht_analysis_options o;
	ht_analysis_options_init(&o);
	o.sites = true;
	o.by = HT_BY_STACK;
	fixture_open(f);
	return fixture_analyze(f, &o);
}

static void done(struct fixture *f, struct ht_analysis *a)
{
	ht_analysis_free(a);
	fixture_end(f);
}

/* One thread: 100 + 50 live is the peak; then 100 freed, 120 more does not exceed it. */
static void simple(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 100, 0, 0), t = fixture_thread(&f, image, 100, "main");
	uint32_t m = fixture_module(&f, "/bin/a", "x") + 1;
	uint32_t root = fixture_node(&f, 0, m, 0x2000);
	uint32_t s1 = fixture_node(&f, root, m, 0x2100), s2 = fixture_node(&f, root, m, 0x2200);
	fixture_event(&f, HT_OP_IMAGE_START, t, 0, 0);		/* 1000 */
	uint64_t a1 = fixture_birth(&f, t, s1, 100);		/* 2000 */
	uint64_t a2 = fixture_birth(&f, t, s2, 50);		/* 3000: peak 150 */
	fixture_death(&f, t, s2, a1);				/* 4000: 1 other in between: temporary */
	fixture_birth(&f, t, s1, 90);				/* 5000: 140 */
	fixture_birth(&f, t, s1, 0);				/* 6000 */
	fixture_birth(&f, t, s2, 10);				/* 7000: 150, equal: not the peak */
	fixture_death(&f, t, s1, a2);				/* 8000: 3 others: not temporary */
	fixture_event(&f, HT_OP_FAILED, t, s1, 1 << 30);	/* 9000 */
	fixture_event(&f, HT_OP_FREE_UNKNOWN, t, s1, 0xdead000);/* 10000 */
	fixture_event(&f, HT_OP_MMAP, t, 0, 0x7000000);
	struct ht_analysis *a = plain(&f);
	const struct ht_totals *x = &a->totals;
	assert_int_equal(x->c.allocs, 5);
	assert_int_equal(x->c.bytes, 250);
	assert_int_equal(x->c.frees, 2);
	assert_int_equal(x->c.freed_bytes, 150);
	assert_int_equal(x->c.peak_bytes, 150);
	assert_int_equal(x->c.peak_objects, 2);
	assert_true(x->has_peak);
	assert_int_equal(x->peak_time_ns, 3000);
	assert_int_equal(x->c.leaked_objects, 3);
	assert_int_equal(x->c.leaked_bytes, 100);
	assert_int_equal(x->c.temporary, 1);
	assert_int_equal(x->c.temporary_bytes, 100);
	assert_int_equal(x->failed_calls, 1);
	assert_int_equal(x->foreign_frees, 1);
	assert_int_equal(x->inherited_frees, 0);
	assert_int_equal(x->events.alloc, 5);
	assert_int_equal(x->events.free, 3);
	assert_int_equal(x->events.realloc, 0);
	assert_int_equal(x->events.map, 1);
	assert_int_equal(x->stacks, 2);
	assert_int_equal(a->sizes[0].allocs, 1);
	assert_int_equal(a->sizes[6].allocs, 1); /* 50: 32..63 */
	assert_int_equal(a->sizes[7].allocs, 2); /* 100, 90 */
	assert_int_equal(a->sizes[7].min, 64);
	assert_int_equal(a->sizes[7].max, 127);
	assert_int_equal(a->sizes[7].peak_bytes, 100);

	struct ht_rows rows;
	ht_analysis_rows(a, HT_METRIC_PEAK, false, &rows);
	assert_int_equal(rows.count, 2);
	const struct ht_counters *r1 = &rows.items[0].self, *r2 = &rows.items[1].self;
	assert_int_equal(rows.items[0].node, s1);
	assert_int_equal(r1->peak_bytes, 100);
	assert_int_equal(r1->peak_objects, 1);
	assert_int_equal(r1->allocs, 3);
	assert_int_equal(r1->frees, 1);
	assert_int_equal(r1->freed_here, 1);
	assert_int_equal(r1->own_peak_bytes, 100);
	assert_int_equal(r1->own_peak_time_ns, 2000);
	assert_int_equal(r1->leaked_bytes, 90);
	assert_int_equal(r1->leaked_objects, 2);
	assert_int_equal(r1->temporary, 1);
	assert_int_equal(r2->peak_bytes, 50);
	assert_int_equal(r2->freed_here, 1);
	assert_int_equal(r2->own_peak_bytes, 60);
	assert_int_equal(r2->own_peak_objects, 2);
	assert_int_equal(r2->own_peak_time_ns, 7000);
	assert_int_equal(rows.sum.peak_bytes, 150);
	ht_rows_release(&rows);
	done(&f, a);
}

/* Temporary needs the allocating thread itself, and counts its allocations alone. */
static void threads(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0);
	uint32_t t1 = fixture_thread(&f, image, 7, "main"), t2 = fixture_thread(&f, image, 8, "worker");
	uint32_t s = fixture_node(&f, 0, 0, 0x5000);
	uint64_t a1 = fixture_birth(&f, t1, s, 10);
	for (int i = 0; i < 5; i++)
		fixture_birth(&f, t2, s, 1);
	fixture_death(&f, t1, s, a1); /* none of t1 in between: temporary */
	uint64_t a2 = fixture_birth(&f, t1, s, 20);
	fixture_death(&f, t2, s, a2); /* by another thread: not */
	uint64_t a3 = fixture_birth(&f, t1, s, 30);
	fixture_birth(&f, t1, s, 1);
	fixture_birth(&f, t1, s, 1);
	fixture_death(&f, t1, s, a3); /* two in between: not with N = 1 */
	struct ht_analysis *a = plain(&f);
	assert_int_equal(a->totals.c.temporary, 1);
	assert_int_equal(a->totals.cross_thread_frees, 1);
	assert_int_equal(a->threads[t1].c.allocs, 5);
	assert_int_equal(a->threads[t1].c.frees, 3);
	assert_int_equal(a->threads[t1].c.freed_here, 2);
	assert_int_equal(a->threads[t2].c.freed_here, 1);
	assert_int_equal(a->threads[t2].freed_foreign, 1);
	assert_string_equal(a->threads[t2].name, "worker");
	assert_int_equal(a->threads[t1].c.own_peak_bytes, 32);
	assert_int_equal(a->threads[t2].c.peak_bytes, 5);
	assert_int_equal(a->totals.c.peak_bytes, 37);
	struct ht_analysis_options o = a->options;
	o.temporary = 2;
	struct ht_analysis *b = fixture_analyze(&f, &o);
	assert_int_equal(b->totals.c.temporary, 2);
	ht_analysis_free(b);
	o.temporary = 0;
	o.selection.thread = "worker";
	b = fixture_analyze(&f, &o);
	assert_int_equal(b->totals.c.allocs, 5);
	assert_int_equal(b->totals.c.peak_bytes, 5);
	assert_int_equal(b->totals.c.frees, 0);
	ht_analysis_free(b);
	o.selection.thread = "7";
	b = fixture_analyze(&f, &o);
	assert_int_equal(b->totals.c.allocs, 5);
	assert_int_equal(b->totals.c.frees, 3);
	ht_analysis_free(b);
	done(&f, a);
}

static void reallocs(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0), t = fixture_thread(&f, image, 7, "main");
	uint32_t s = fixture_node(&f, 0, 0, 0x5000), g = fixture_node(&f, 0, 0, 0x6000);
	uint64_t b = fixture_birth_at(&f, t, s, 100, 0x1000, false); /* 100 */
	fixture_event(&f, HT_OP_REALLOC_FREE, t, g, b);		     /* moved: 0 */
	b = fixture_event(&f, HT_OP_REALLOC, t, g, 0);
	fixture_event(&f, HT_OP_REALLOC_FREE, t, g, b); /* fails: back again */
	fixture_event(&f, HT_OP_REALLOC_UNDO, t, g, 0);
	fixture_event(&f, HT_OP_FAILED, t, g, 1 << 20); /* the same call */
	fixture_event(&f, HT_OP_REALLOC_FREE, t, g, b); /* realloc(p, 0) */
	fixture_event(&f, HT_OP_FAILED, t, g, 1 << 21); /* two other calls */
	fixture_event(&f, HT_OP_FAILED, t, g, 1 << 22);
	fixture_birth(&f, t, s, 60);
	fixture_event(&f, HT_OP_REALLOC_FREE_UNKNOWN, t, g, 0x99000); /* foreign, and it fails, too */
	fixture_event(&f, HT_OP_REALLOC_UNDO, t, g, 0);
	fixture_event(&f, HT_OP_FAILED, t, g, 1 << 20);
	fixture_event(&f, HT_OP_REALLOC, t, g, 0); /* realloc(NULL, 0) */
	struct ht_analysis *a = plain(&f);
	const struct ht_totals *x = &a->totals;
	assert_int_equal(x->c.allocs, 4);
	assert_int_equal(x->c.frees, 2);
	assert_int_equal(x->c.leaked_objects, 2);
	assert_int_equal(x->c.leaked_bytes, 60);
	assert_int_equal(x->failed_calls, 4);
	assert_int_equal(x->foreign_frees, 0);
	assert_int_equal(x->events.alloc, 2);
	assert_int_equal(x->events.realloc, 2);
	assert_int_equal(x->events.free, 1);
	assert_int_equal(x->c.freed_here, 2);
	assert_int_equal(x->c.peak_bytes, 100);
	assert_int_equal(x->c.temporary, 2);
	done(&f, a);
}

/* realloc(p, 0), then a free, then realloc(NULL, 8): the last is no half of the first. */
static void realloc_to_nothing(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0), t = fixture_thread(&f, image, 7, "main");
	uint32_t s = fixture_node(&f, 0, 0, 0x5000);
	uint64_t b1 = fixture_birth(&f, t, s, 100), b2 = fixture_birth(&f, t, s, 10);
	fixture_event(&f, HT_OP_REALLOC_FREE, t, s, b1);
	fixture_death(&f, t, s, b2);
	fixture_event(&f, HT_OP_REALLOC, t, s, 0);
	struct ht_analysis *a = plain(&f);
	assert_int_equal(a->totals.events.free, 2);
	assert_int_equal(a->totals.events.realloc, 1);
	assert_int_equal(a->totals.events.alloc, 2);
	assert_int_equal(a->totals.c.frees, 2);
	assert_int_equal(a->totals.c.leaked_objects, 1);
	done(&f, a);
}

/* An undo brings the level back, which may be a new maximum because others went on. */
/* Whatever the thread does in between: a signal handler may run inside of realloc. */
static void undo_after_others(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 1, 0, 0), t = fixture_thread(&f, image, 1, "main");
	uint32_t n = fixture_node(&f, 0, 0, 0x1000);
	uint64_t a = fixture_birth(&f, t, n, 100), b = fixture_birth(&f, t, n, 10);
	fixture_event(&f, HT_OP_REALLOC_FREE, t, n, a);
	fixture_birth(&f, t, n, 1);
	fixture_death(&f, t, n, b);
	fixture_event(&f, HT_OP_REALLOC_UNDO, t, n, 0);
	fixture_event(&f, HT_OP_REALLOC_UNDO, t, n, 0); /* there is nothing more to take back */
	fixture_open(&f);
	struct ht_analysis_options o;
	ht_analysis_options_init(&o);
	struct ht_analysis *all = fixture_analyze(&f, &o);
	assert_int_equal(all->totals.c.allocs, 3);
	assert_int_equal(all->totals.c.frees, 1);
	assert_int_equal(all->totals.c.leaked_bytes, 101);
	assert_int_equal(all->totals.c.peak_bytes, 110);
	assert_int_equal(all->totals.events.free, 1);
	assert_int_equal(all->totals.events.realloc, 0);
	ht_analysis_free(all);
	fixture_end(&f);
}

static void undo_peak(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0);
	uint32_t t1 = fixture_thread(&f, image, 7, ""), t2 = fixture_thread(&f, image, 8, "");
	uint32_t s1 = fixture_node(&f, 0, 0, 0x5000), s2 = fixture_node(&f, 0, 0, 0x6000);
	uint64_t b = fixture_birth(&f, t1, s1, 100);
	fixture_event(&f, HT_OP_REALLOC_FREE, t1, s1, b);
	uint64_t c = fixture_birth(&f, t2, s2, 30);
	uint64_t now = f.now;
	fixture_event(&f, HT_OP_REALLOC_UNDO, t1, s1, 0);
	fixture_death(&f, t2, s2, c);
	fixture_death(&f, t1, s2, b);
	struct ht_analysis *a = plain(&f);
	assert_int_equal(a->totals.c.peak_bytes, 130);
	assert_int_equal(a->totals.peak_time_ns, now);
	assert_int_equal(a->totals.c.frees, 2);
	assert_int_equal(a->totals.c.leaked_objects, 0);
	struct ht_rows rows;
	ht_analysis_rows(a, HT_METRIC_PEAK, false, &rows);
	assert_int_equal(rows.items[0].self.peak_bytes, 100);
	assert_int_equal(rows.items[1].self.peak_bytes, 30);
	assert_int_equal(rows.items[1].self.freed_here, 2);
	assert_int_equal(rows.items[0].self.freed_here, 0);
	ht_rows_release(&rows);
	done(&f, a);
}

static void forks(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t parent = fixture_image(&f, 10, 0, 0), p = fixture_thread(&f, parent, 10, "p");
	uint32_t s = fixture_node(&f, 0, 0, 0x5000);
	uint64_t a1 = fixture_birth_at(&f, p, s, 100, 0x1000, false);
	fixture_birth_at(&f, p, s, 200, 0x2000, false);
	uint64_t a3 = fixture_birth_at(&f, p, s, 300, 0x3000, false);
	fixture_death(&f, p, s, a3); /* gone before the fork */
	fixture_event(&f, HT_OP_FORK, p, s, 1);
	uint32_t child = fixture_image(&f, 11, parent + 1, 1), c = fixture_thread(&f, child, 11, "c");
	fixture_event(&f, HT_OP_IMAGE_START, c, 0, 0);
	fixture_death(&f, p, s, a1);				     /* in the parent, after it */
	fixture_birth_at(&f, p, s, 400, 0x4000, false);		     /* parent only: 600 there */
	fixture_event(&f, HT_OP_FREE_UNKNOWN, c, s, 0x1000);	     /* inherited */
	fixture_event(&f, HT_OP_FREE_UNKNOWN, c, s, 0x1000);	     /* a second time: foreign */
	fixture_event(&f, HT_OP_FREE_UNKNOWN, c, s, 0x3000);	     /* dead at the fork: foreign */
	fixture_event(&f, HT_OP_FREE_UNKNOWN, c, s, 0x4000);	     /* born after it: foreign */
	fixture_event(&f, HT_OP_REALLOC_FREE_UNKNOWN, c, s, 0x2000); /* inherited, undone, done again */
	fixture_event(&f, HT_OP_REALLOC_UNDO, c, s, 0);
	uint64_t cb = fixture_birth_at(&f, c, s, 50, 0x1000, false);
	fixture_event(&f, HT_OP_FORK, c, s, 2);
	uint32_t grand = fixture_image(&f, 12, child + 1, 2), g = fixture_thread(&f, grand, 12, "g");
	fixture_event(&f, HT_OP_IMAGE_START, g, 0, 0);
	fixture_event(&f, HT_OP_FREE_UNKNOWN, g, s, 0x1000); /* the child's block */
	fixture_event(&f, HT_OP_FREE_UNKNOWN, g, s, 0x2000); /* the grandparent's */
	fixture_image_end(&f, grand, g);
	fixture_event(&f, HT_OP_FREE_UNKNOWN, c, s, 0x2000);
	fixture_death(&f, c, s, cb);
	fixture_image_end(&f, child, c);
	struct ht_analysis *a = plain(&f);
	const struct ht_totals *x = &a->totals;
	assert_int_equal(x->c.allocs, 5);
	assert_int_equal(x->c.frees, 3);
	assert_int_equal(x->inherited_frees, 4);
	assert_int_equal(x->foreign_frees, 3);
	assert_int_equal(x->undecided_frees, 0); /* every fork was read: these are foreign for certain */
	assert_int_equal(x->c.leaked_bytes, 600);
	assert_int_equal(x->c.peak_bytes, 650);
	assert_int_equal(x->images, 3);
	assert_int_equal(a->images[parent].c.own_peak_bytes, 600);
	assert_int_equal(a->images[child].c.own_peak_bytes, 50);
	assert_int_equal(a->images[child].inherited_frees, 2);
	assert_int_equal(a->images[grand].inherited_frees, 2);
	assert_int_equal(a->images[child].c.peak_bytes, 50);
	assert_int_equal(x->events.free, 10);
	done(&f, a);
}

/* A fork whose position is not known: the child inherits what lives at its own start. What it frees
 * beyond that may have been born in the parent before the fork, and stand later in the file: foreign,
 * but not for certain. The same holds for the children of such a child, however well their own fork is
 * known; and a realloc of such a block that failed counts nothing. */
static void fork_without_position(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t parent = fixture_image(&f, 10, 0, 0), p = fixture_thread(&f, parent, 10, "p");
	uint32_t s = fixture_node(&f, 0, 0, 0x5000);
	fixture_birth_at(&f, p, s, 100, 0x1000, false);
	struct ht_image m = {.pid = 11, .parent = parent + 1, .kind = HT_IMAGE_FORK, .end_ns = UINT64_MAX, .wait_status = -1};
	uint32_t child = ht_trace_writer_image(f.writer, &m), c = fixture_thread(&f, child, 11, "c");
	fixture_event(&f, HT_OP_IMAGE_START, c, 0, 0);
	fixture_event(&f, HT_OP_FREE_UNKNOWN, c, s, 0x1000);
	fixture_event(&f, HT_OP_FREE_UNKNOWN, c, s, 0x2000); /* not born yet, as the file has it */
	fixture_event(&f, HT_OP_FORK, c, s, 9);
	uint32_t grand = fixture_image(&f, 12, child + 1, 9), g = fixture_thread(&f, grand, 12, "g");
	fixture_event(&f, HT_OP_IMAGE_START, g, 0, 0);
	fixture_event(&f, HT_OP_FREE_UNKNOWN, g, s, 0x2000);
	fixture_event(&f, HT_OP_REALLOC_FREE_UNKNOWN, g, s, 0x3000);
	fixture_event(&f, HT_OP_REALLOC_UNDO, g, s, 0);
	fixture_birth_at(&f, p, s, 7, 0x2000, false);
	fixture_event(&f, HT_OP_FORK, p, s, 1);
	fixture_event(&f, HT_OP_FREE_UNKNOWN, p, s, 0x9000); /* the parent is no forked image: certain */
	struct ht_analysis *a = plain(&f);
	assert_int_equal(a->totals.inherited_frees, 1);
	assert_int_equal(a->totals.foreign_frees, 3);
	assert_int_equal(a->totals.undecided_frees, 2);
	assert_int_equal(a->totals.c.frees, 0);
	done(&f, a);
}

/* Image 1 peaks at 500 and ends with 500 live; image 2 then has 450: the peak stays the first. */
static void image_ends(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t i1 = fixture_image(&f, 10, 0, 0), t1 = fixture_thread(&f, i1, 10, "one");
	uint32_t s = fixture_node(&f, 0, 0, 0x5000);
	fixture_birth(&f, t1, s, 500);
	uint64_t peak = f.now - 1000;
	fixture_image_end(&f, i1, t1);
	uint32_t i2 = fixture_image(&f, 10, i1 + 1, 0), t2 = fixture_thread(&f, i2, 10, "two");
	fixture_event(&f, HT_OP_IMAGE_START, t2, 0, 0);
	fixture_birth(&f, t2, s, 450);
	struct ht_analysis *a = plain(&f);
	assert_int_equal(a->totals.c.peak_bytes, 500);
	assert_int_equal(a->totals.peak_time_ns, peak);
	assert_int_equal(a->totals.c.leaked_bytes, 950);
	assert_int_equal(a->totals.c.leaked_objects, 2);
	assert_int_equal(a->images[i1].c.leaked_bytes, 500);
	assert_int_equal(a->images[i2].c.peak_bytes, 0);
	assert_int_equal(a->images[i2].c.own_peak_bytes, 450);
	assert_true(a->images[i1].ended);
	assert_false(a->images[i2].ended);
	assert_false(ht_analysis_complete(a, NULL));
	done(&f, a);
}

static void unpaired(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0), t = fixture_thread(&f, image, 7, "main");
	uint32_t s = fixture_node(&f, 0, 0, 0x5000);
	fixture_birth_at(&f, t, s, 10, 0x1000, true);
	fixture_birth_at(&f, t, s, 20, 0x2000, true);
	fixture_event(&f, HT_OP_FREE_UNKNOWN, t, s, 0x1000);
	fixture_event(&f, HT_OP_FREE_UNKNOWN, t, s, 0x1000);  /* foreign */
	fixture_birth_at(&f, t, s, 40, 0x2000, true);	      /* 20 must have died */
	fixture_event(&f, HT_OP_REALLOC_FREE_UNKNOWN, t, s, 0x2000);
	fixture_event(&f, HT_OP_REALLOC_UNDO, t, s, 0);
	fixture_event(&f, HT_OP_FREE_UNKNOWN, t, s, 0x2000);
	uint64_t b = fixture_birth(&f, t, s, 80);
	fixture_event(&f, HT_OP_IMPLIED_FREE, t, 0, b);
	struct ht_analysis *a = plain(&f);
	const struct ht_totals *x = &a->totals;
	assert_int_equal(x->c.allocs, 4);
	assert_int_equal(x->c.frees, 4);
	assert_int_equal(x->implied_frees, 2);
	assert_int_equal(x->foreign_frees, 1);
	assert_int_equal(x->c.leaked_objects, 0);
	assert_int_equal(x->c.freed_here, 2);
	assert_int_equal(x->c.peak_bytes, 80);
	done(&f, a);
}

static void nothing(void **state)
{
	(void)state;
	struct fixture f;
	fixture_begin(&f);
	struct ht_analysis *a = plain(&f);
	struct ht_rows rows;
	struct ht_tree tree;
	ht_analysis_rows(a, HT_METRIC_PEAK, true, &rows);
	ht_analysis_tree(a, HT_TOP_DOWN, HT_METRIC_PEAK, &tree);
	assert_int_equal(rows.count, 0);
	assert_int_equal(tree.count, 0);
	assert_int_equal(tree.first_root, HT_NO_NODE);
	assert_false(a->totals.has_peak);
	ht_rows_release(&rows);
	ht_tree_release(&tree);
	done(&f, a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simple),    cmocka_unit_test(threads),	 cmocka_unit_test(reallocs),
		cmocka_unit_test(realloc_to_nothing),
		cmocka_unit_test(undo_after_others), cmocka_unit_test(undo_peak), cmocka_unit_test(forks),	 cmocka_unit_test(fork_without_position),
		cmocka_unit_test(image_ends), cmocka_unit_test(unpaired), cmocka_unit_test(nothing),
	};
	return cmocka_run_group_tests_name("analyze totals", tests, NULL, NULL);
}
