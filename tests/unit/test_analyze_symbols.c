/*
 * analyze: from addresses to rows, trees and profiles. The traced program is this test itself: its
 * stacks are taken from real calls, one of them inlined, so that function, file and line are known.
 */
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyze_fixture.h"

/* --- the program -------------------------------------------------------------------------- */

static uintptr_t stack[4]; /* return addresses, leaf first */

__attribute__((noinline)) static void here(void)
{
	stack[0] = (uintptr_t)__builtin_return_address(0);
	__asm__ volatile("" ::: "memory");
}

/* Named like one of the family: the code that asked is its caller. */
__attribute__((noinline)) static void g_malloc(void)
{
	here();
	stack[1] = (uintptr_t)__builtin_return_address(0);
	__asm__ volatile("" ::: "memory");
}

static inline __attribute__((always_inline)) void small_helper(void)
{
	g_malloc();
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void first_caller(void)
{
	small_helper();
	stack[2] = (uintptr_t)__builtin_return_address(0);
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void second_caller(void)
{
	g_malloc();
	stack[2] = (uintptr_t)__builtin_return_address(0);
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void program_main(int which)
{
	if (which == 0)
		first_caller();
	else
		second_caller();
	stack[3] = (uintptr_t)__builtin_return_address(0);
	__asm__ volatile("" ::: "memory");
}

static int first_object(struct dl_phdr_info *info, size_t size, void *base)
{
	(void)size;
	*(uintptr_t *)base = info->dlpi_addr;
	return 1;
}

/* --- the trace ---------------------------------------------------------------------------- */

struct program {
	struct fixture f;
	uint32_t first, second, unknown; /* leaf nodes */
	uint64_t bytes_first, bytes_second;
};

static uint32_t take_stack(struct fixture *f, uint32_t module, int which, uint32_t root)
{
	uintptr_t base = 0;
	program_main(which);
	dl_iterate_phdr(first_object, &base);
	uint32_t node = root;
	for (int i = 2; i >= 0; i--)
		node = fixture_node(f, node, module, stack[i] - base);
	return node;
}

static void make(struct program *p)
{
	struct fixture *f = &p->f;
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	assert_true(n > 0);
	path[n] = '\0';
	fixture_begin(f);
	uint32_t image = fixture_image(f, 1, 0, 0), t = fixture_thread(f, image, 1, "main");
	uint32_t exe = fixture_module(f, path, "") + 1, gone = fixture_module(f, "/nowhere/libgone.so", "\xab\xcd") + 1;
	p->first = take_stack(f, exe, 0, 0);
	p->second = take_stack(f, exe, 1, 0);
	uint32_t twice = take_stack(f, exe, 1, 0); /* the same stack in other nodes */
	p->unknown = fixture_node(f, 0, gone, 0x4242);
	fixture_birth(f, t, p->first, 1000);
	fixture_birth(f, t, p->second, 300);
	fixture_birth(f, t, twice, 200); /* the peak: 1500 of which 1000 */
	uint64_t x = fixture_birth(f, t, p->unknown, 77);
	fixture_death(f, t, p->first, x);
	fixture_birth(f, t, 0, 5);
	fixture_open(f);
}

static struct ht_analysis *symbolized(struct program *p, enum ht_by by, struct ht_analysis_options *o)
{
	struct ht_analysis_options plain;
	if (!o) {
		ht_analysis_options_init(&plain);
		o = &plain;
	}
	o->sites = o->symbols = true;
	o->by = by;
	return fixture_analyze(&p->f, o);
}

static const struct ht_row *row_named(const struct ht_rows *rows, const char *function)
{
	for (size_t i = 0; i < rows->count; i++)
		if (rows->items[i].function && !strcmp(rows->items[i].function, function))
			return &rows->items[i];
	return NULL;
}

/* --- tests -------------------------------------------------------------------------------- */

static void rows_by_function(void **state)
{
	struct program *p = *state;
	struct ht_analysis *a = symbolized(p, HT_BY_FUNCTION, NULL);
	struct ht_rows rows;
	ht_analysis_rows(a, HT_METRIC_PEAK, true, &rows);
	const struct ht_row *helper = row_named(&rows, "small_helper"), *second = row_named(&rows, "second_caller");
	const struct ht_row *main_row = row_named(&rows, "program_main"), *family = row_named(&rows, "g_malloc");
	assert_non_null(helper);
	assert_non_null(second);
	assert_non_null(main_row);
	assert_null(family);
	assert_int_equal(helper->self.peak_bytes, 1000);
	assert_true(helper->frame->inlined);
	assert_int_equal(second->self.allocs, 2);
	assert_int_equal(second->self.own_peak_bytes, 500);
	assert_int_equal(second->stacks, 1);
	assert_int_equal(main_row->self.allocs, 0);
	assert_int_equal(main_row->total.allocs, 3);
	assert_int_equal(main_row->total.bytes, 1500);
	assert_false(main_row->total.own_peak_known);
	assert_int_equal(helper->self.freed_here, 1);
	assert_non_null(strstr(helper->file, "test_analyze_symbols.c"));
	/* 1500 + 77: 5 came after 77 was freed */
	assert_int_equal(a->totals.c.peak_bytes, 1577);
	assert_int_equal(rows.sum.peak_bytes, 1577);
	assert_int_equal(a->totals.stackless, 1);
	const struct ht_frame *frames[16];
	assert_int_equal(ht_stacks_expand(a->stacks, helper->node, true, frames, 16), 3);
	assert_string_equal(frames[0]->function, "small_helper");
	assert_string_equal(frames[1]->function, "first_caller");
	assert_string_equal(frames[2]->function, "program_main");
	assert_int_equal(ht_stacks_expand(a->stacks, helper->node, false, frames, 16), 4);
	assert_string_equal(frames[0]->function, "g_malloc");
	ht_rows_release(&rows);
	ht_analysis_free(a);
}

static void unresolved(void **state)
{
	struct program *p = *state;
	struct ht_analysis *a = symbolized(p, HT_BY_LINE, NULL);
	struct ht_rows rows;
	char id[2 * HT_BUILD_ID_MAX + 1];
	ht_analysis_rows(a, HT_METRIC_ALLOCS, false, &rows);
	assert_int_equal(rows.count, 4);
	const struct ht_row *gone = NULL, *none = NULL;
	for (size_t i = 0; i < rows.count; i++)
		if (!rows.items[i].function)
			*(rows.items[i].frame->module_id ? &gone : &none) = &rows.items[i];
	assert_non_null(gone);
	assert_non_null(none);
	assert_string_equal(gone->module, "/nowhere/libgone.so");
	assert_int_equal(gone->frame->address, 0x4241);
	assert_true(*gone->frame->reason);
	assert_string_equal(ht_build_id_text(a->trace, gone->frame->module_id, id), "abcd");
	assert_int_equal(none->self.bytes, 5);
	const struct ht_symbol_quality *q = ht_stacks_quality(a->stacks);
	assert_int_equal(q->frames, q->resolved + 1);
	assert_int_equal(q->module_count, 2);
	assert_int_equal(q->modules[0].kind, HT_SYMBOLS_DWARF);
	assert_int_equal(q->modules[1].kind, HT_SYMBOLS_MISSING);
	ht_rows_release(&rows);
	ht_analysis_free(a);
}

static uint64_t filtered(struct program *p, const char *focus, const char *ignore, const char *module, uint64_t min,
			 uint64_t max)
{
	struct ht_analysis_options o;
	struct ht_rows rows;
	ht_analysis_options_init(&o);
	o.selection.focus = focus;
	o.selection.ignore = ignore;
	o.selection.module = module;
	o.selection.min_size = min;
	o.selection.max_size = max;
	struct ht_analysis *a = symbolized(p, HT_BY_LINE, &o);
	assert_int_equal(a->totals.c.peak_bytes, 1577); /* row filters never move it */
	ht_analysis_rows(a, HT_METRIC_PEAK, false, &rows);
	uint64_t sum = rows.sum.peak_bytes;
	ht_rows_release(&rows);
	ht_analysis_free(a);
	return sum;
}

static void row_filters(void **state)
{
	struct program *p = *state;
	assert_int_equal(filtered(p, "^second", NULL, NULL, 0, UINT64_MAX), 500);
	assert_int_equal(filtered(p, "program_main", NULL, NULL, 0, UINT64_MAX), 1500);
	assert_int_equal(filtered(p, NULL, "small_(helper|x)", NULL, 0, UINT64_MAX), 577);
	assert_int_equal(filtered(p, NULL, NULL, "libgone", 0, UINT64_MAX), 77);
	assert_int_equal(filtered(p, NULL, NULL, NULL, 77, 300), 577);
	assert_int_equal(filtered(p, "program_main", "first", "symbols", 250, 400), 300);
	struct ht_analysis_options o;
	struct ht_analysis *a;
	struct ht_diag d;
	ht_analysis_options_init(&o);
	o.selection.hide = "(";
	assert_int_equal(ht_analyze(&a, p->f.trace, &o, &d), HT_ERR_USAGE);
	assert_non_null(strstr(d.text, "--hide '('"));
}

static void hidden_frames(void **state)
{
	struct program *p = *state;
	struct ht_analysis_options o;
	struct ht_rows rows;
	ht_analysis_options_init(&o);
	o.selection.hide = "^(small_helper|second_caller)$";
	struct ht_analysis *a = symbolized(p, HT_BY_FUNCTION, &o);
	ht_analysis_rows(a, HT_METRIC_PEAK, false, &rows);
	assert_null(row_named(&rows, "small_helper"));
	assert_int_equal(row_named(&rows, "first_caller")->self.peak_bytes, 1000);
	assert_int_equal(row_named(&rows, "program_main")->self.peak_bytes, 500);
	ht_rows_release(&rows);
	ht_analysis_free(a);
}

static void trees(void **state)
{
	struct program *p = *state;
	struct ht_analysis *a = symbolized(p, HT_BY_FUNCTION, NULL);
	struct ht_tree t;
	ht_analysis_tree(a, HT_TOP_DOWN, HT_METRIC_PEAK, &t);
	const struct ht_tree_node *root = &t.nodes[t.first_root];
	assert_string_equal(root->frame->function, "program_main");
	assert_int_equal(root->total.peak_bytes, 1500);
	assert_int_equal(root->self.allocs, 0);
	const struct ht_tree_node *first = &t.nodes[root->first_child], *second = &t.nodes[first->next_sibling];
	assert_string_equal(first->frame->function, "first_caller");
	assert_string_equal(second->frame->function, "second_caller");
	assert_int_equal(second->next_sibling, HT_NO_NODE);
	assert_int_equal(second->self.allocs, 2);
	assert_string_equal(t.nodes[first->first_child].frame->function, "small_helper");
	assert_int_equal(t.nodes[first->first_child].self.peak_bytes, 1000);
	assert_int_equal(t.nodes[first->first_child].depth, 2);
	assert_int_equal(t.sum.peak_bytes, 1577);
	ht_tree_release(&t);
	ht_analysis_tree(a, HT_BOTTOM_UP, HT_METRIC_PEAK, &t);
	root = &t.nodes[t.first_root];
	assert_string_equal(root->frame->function, "small_helper");
	assert_int_equal(root->total.peak_bytes, 1000);
	assert_int_equal(root->self.peak_bytes, 0);
	assert_string_equal(t.nodes[root->first_child].frame->function, "first_caller");
	assert_string_equal(t.nodes[root->next_sibling].frame->function, "second_caller");
	ht_tree_release(&t);
	ht_analysis_free(a);
}

/* The sums of a profile are the analysis' totals; locations are link-time call addresses. */
static void profiles(void **state)
{
	struct program *p = *state;
	struct ht_analysis *a = symbolized(p, HT_BY_LINE, NULL);
	const char *more[] = {"made by a test"};
	size_t main_value;
	const struct ht_profile *x = ht_analysis_profile(a, HT_PROFILE_HEAP, more, 1, &main_value);
	int64_t sums[4] = {0};
	assert_int_equal(main_value, 3);
	assert_string_equal(x->default_type, "inuse_space");
	assert_string_equal(x->types[main_value].type, x->default_type);
	for (size_t i = 0; i < x->sample_count; i++)
		for (int k = 0; k < 4; k++)
			sums[k] += x->samples[i].values[k];
	assert_int_equal(sums[0], a->totals.c.allocs);
	assert_int_equal(sums[1], a->totals.c.bytes);
	assert_int_equal(sums[2], a->totals.c.leaked_objects);
	assert_int_equal(sums[3], a->totals.c.leaked_bytes);
	assert_int_equal(x->sample_count, 4); /* equal stacks are one, the one without frames counts, too */
	assert_int_equal(x->mapping_count, 2);
	assert_true(x->mappings[0].has_functions && x->mappings[0].has_lines && x->mappings[0].has_inlines);
	assert_false(x->mappings[1].has_functions);
	assert_string_equal(x->mappings[1].build_id, "abcd");
	const struct ht_profile_sample *s = &x->samples[0];
	assert_int_equal(s->location_count, 3);
	const struct ht_profile_location *l = &x->locations[s->locations[1]];
	assert_int_equal(l->line_count, 2);
	assert_string_equal(x->functions[l->lines[0].function].name, "small_helper");
	assert_string_equal(x->functions[l->lines[1].function].name, "first_caller");
	assert_string_equal(x->comments[0], "command: ./program --flag");
	bool base = false, mine = false;
	for (size_t i = 0; i < x->comment_count; i++) {
		base |= !strncmp(x->comments[i], "#base /", 7) && strstr(x->comments[i], "=0x555555000000");
		mine |= !strcmp(x->comments[i], more[0]);
	}
	assert_true(base && mine);
	assert_non_null(strstr(x->drop_frames, "operator new.*"));
	ht_profile_free(x);
	x = ht_analysis_profile(a, HT_PROFILE_PEAK, NULL, 0, NULL);
	sums[1] = 0;
	for (size_t i = 0; i < x->sample_count; i++)
		sums[1] += x->samples[i].values[1];
	assert_int_equal(sums[1], a->totals.c.peak_bytes);
	ht_profile_free(x);
	ht_analysis_free(a);
}

/* A wrapper that the option names is skipped, in rows and by pprof. */
static void wrappers(void **state)
{
	struct program *p = *state;
	struct ht_analysis_options o;
	struct ht_rows rows;
	struct ht_diag d;
	struct ht_analysis *a;
	ht_analysis_options_init(&o);
	o.allocators = "^second_[a-z]+$";
	a = symbolized(p, HT_BY_FUNCTION, &o);
	ht_analysis_rows(a, HT_METRIC_PEAK, true, &rows);
	assert_null(row_named(&rows, "second_caller"));
	assert_int_equal(row_named(&rows, "program_main")->self.allocs, 2);
	const struct ht_profile *x = ht_analysis_profile(a, HT_PROFILE_HEAP, NULL, 0, NULL);
	assert_non_null(strstr(x->drop_frames, "|second_caller"));
	ht_profile_free(x);
	ht_rows_release(&rows);
	ht_analysis_free(a);
	o.allocators = "";
	a = symbolized(p, HT_BY_FUNCTION, &o);
	ht_analysis_rows(a, HT_METRIC_PEAK, true, &rows);
	assert_int_equal(row_named(&rows, "second_caller")->self.allocs, 2);
	ht_rows_release(&rows);
	ht_analysis_free(a);
	o.allocators = "(";
	assert_int_equal(ht_analyze(&a, p->f.trace, &o, &d), HT_ERR_USAGE);
}

static void family(void **state)
{
	(void)state;
	assert_true(ht_allocator_function("malloc"));
	assert_true(ht_allocator_function("operator new(unsigned long)"));
	assert_true(ht_allocator_function("operator new[](unsigned long, std::nothrow_t const&)"));
	assert_true(ht_allocator_function("std::allocator<int>::allocate(unsigned long)"));
	assert_true(ht_allocator_function("strdup"));
	assert_true(ht_allocator_function("_Znwm"));
	assert_false(ht_allocator_function("malloc_stats"));
	assert_false(ht_allocator_function("my_malloc"));
	assert_false(ht_allocator_function("std::vector<int>::push_back(int&&)"));
	assert_false(ht_allocator_function(""));
	assert_false(ht_allocator_function(NULL));
}

static int setup(void **state)
{
	static struct program p;
	make(&p);
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	fixture_end(&((struct program *)*state)->f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_by_function), cmocka_unit_test(unresolved), cmocka_unit_test(row_filters),
		cmocka_unit_test(hidden_frames),    cmocka_unit_test(trees),	  cmocka_unit_test(profiles),
		cmocka_unit_test(family),	    cmocka_unit_test(wrappers),
	};
	return cmocka_run_group_tests_name("analyze with symbols", tests, setup, teardown);
}
