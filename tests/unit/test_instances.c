/* instances: begins, ends, nesting and pieces of regions and tasks, and what was allocated in them. */
#include <string.h>

#include "analyze_fixture.h"
#include "instances.h"

/* A name is one string, whoever says it. */
static struct {
	const char *name;
	uint32_t id;
} known[16];

static void begin(struct fixture *f)
{
	memset(known, 0, sizeof(known));
	fixture_begin(f);
}

static uint32_t interned(struct fixture *f, const char *name)
{
	size_t i = 0;
	if (!*name)
		return 0;
	while (known[i].name && strcmp(known[i].name, name))
		i++;
	if (!known[i].name) {
		known[i].name = name;
		known[i].id = fixture_string(f, name);
	}
	return known[i].id;
}

/* The fixture's clock goes on by 1000 ns an event. */
static void region(struct fixture *f, uint32_t thread, unsigned op, const char *name)
{
	fixture_event(f, op, thread, 0, interned(f, name));
}

static void task(struct fixture *f, uint32_t thread, uint64_t number, unsigned step, const char *type)
{
	struct ht_event e = {
		.op = HT_OP_TASK,
		.thread = thread,
		.time = f->now,
		.stamped = true,
		.size = step,
		.extra = number,
		.extra2 = interned(f, type),
	};
	f->now += 1000;
	ht_trace_writer_event(f->writer, &e);
}

static void read_all(struct fixture *f, enum ht_instances_of what, struct ht_instances *in)
{
	const struct ht_instances_options o = {.what = what, .to_ns = UINT64_MAX};
	ht_instances_read(in, f->trace, &o);
}

static const char *name_of(const struct fixture *f, const struct ht_instance *i)
{
	return ht_trace_string(f->trace, i->name, NULL);
}

static void nested_regions(void **state)
{
	struct fixture f;
	struct ht_instances in;
	(void)state;
	begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0);
	uint32_t a = fixture_thread(&f, image, 7, "a"), b = fixture_thread(&f, image, 8, "b");
	fixture_birth(&f, a, 0, 1000);		     /* 1000: before */
	region(&f, a, HT_OP_REGION_BEGIN, "outer");  /* 2000 */
	fixture_birth(&f, a, 0, 10);		     /* 3000 */
	region(&f, a, HT_OP_REGION_BEGIN, "inner");  /* 4000 */
	fixture_birth(&f, b, 0, 500);		     /* 5000: another thread's */
	fixture_birth(&f, a, 0, 20);		     /* 6000 */
	fixture_cut(&f);
	region(&f, a, HT_OP_REGION_END, "inner");    /* 7000 */
	region(&f, a, HT_OP_REGION_BEGIN, "lost");   /* 8000: its end is forgotten */
	fixture_birth(&f, a, 0, 30);		     /* 9000 */
	region(&f, a, HT_OP_REGION_END, "outer");    /* 10000: ends both */
	region(&f, a, HT_OP_REGION_END, "outer");    /* 11000: nothing */
	region(&f, b, HT_OP_REGION_BEGIN, "open");   /* 12000 */
	fixture_image_end(&f, image, a);	     /* 13000 */
	fixture_open(&f);
	read_all(&f, HT_INSTANCES_REGIONS, &in);
	assert_int_equal(in.count, 4);
	assert_int_equal(in.cut, 1);
	assert_int_equal(in.unmatched, 1);
	const struct {
		const char *name;
		uint64_t begin, end, allocs, bytes;
		bool cut;
	} wanted[] = {{"outer", 2000, 10000, 3, 60, false},
		      {"inner", 4000, 7000, 1, 20, false},
		      {"lost", 8000, 10000, 1, 30, false},
		      {"open", 12000, 13000, 0, 0, true}};
	for (size_t i = 0; i < 4; i++) {
		const struct ht_instance *x = &in.items[i];
		assert_string_equal(name_of(&f, x), wanted[i].name);
		assert_int_equal(x->begin_ns, wanted[i].begin);
		assert_int_equal(x->end_ns, wanted[i].end);
		assert_int_equal(x->allocs, wanted[i].allocs);
		assert_int_equal(x->bytes, wanted[i].bytes);
		assert_int_equal(x->cut, wanted[i].cut);
		assert_int_equal(x->piece_count, 1);
		assert_int_equal(in.pieces[x->first_piece].thread, i < 3 ? a : b);
		assert_int_equal(ht_instance_worked_ns(&in, x), wanted[i].end - wanted[i].begin);
	}
	ht_instances_release(&in);
	fixture_end(&f);
}

/* One task, two threads at once for a while, and time when nobody works; another that is never ended. */
static void pieces_of_tasks(void **state)
{
	struct fixture f;
	struct ht_instances in;
	(void)state;
	begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0);
	uint32_t a = fixture_thread(&f, image, 7, "a"), b = fixture_thread(&f, image, 8, "b");
	task(&f, a, 41, HT_TASK_BEGIN, "request"); /* 1000 */
	task(&f, a, 42, HT_TASK_BEGIN, "other");   /* 2000 */
	fixture_birth(&f, a, 0, 999);		   /* 3000: not working for it */
	task(&f, a, 41, HT_TASK_ENTER, "");	   /* 4000 */
	fixture_birth(&f, a, 0, 10);		   /* 5000 */
	task(&f, a, 42, HT_TASK_ENTER, "");	   /* 6000: within 41 */
	fixture_birth(&f, a, 0, 20);		   /* 7000 */
	task(&f, a, 41, HT_TASK_ENTER, "");	   /* 8000: again */
	task(&f, b, 41, HT_TASK_ENTER, "");	   /* 9000 */
	task(&f, a, 41, HT_TASK_LEAVE, "");	   /* 10000 */
	task(&f, a, 42, HT_TASK_LEAVE, "");	   /* 11000 */
	task(&f, a, 41, HT_TASK_LEAVE, "");	   /* 12000 */
	fixture_birth(&f, b, 0, 30);		   /* 13000 */
	task(&f, b, 41, HT_TASK_LEAVE, "");	   /* 14000 */
	task(&f, b, 77, HT_TASK_ENTER, "");	   /* 15000: never begun */
	task(&f, b, 77, HT_TASK_LEAVE, "");	   /* 16000 */
	task(&f, a, 41, HT_TASK_END, "");	   /* 17000 */
	fixture_image_end(&f, image, a);	   /* 18000 */
	fixture_open(&f);
	read_all(&f, HT_INSTANCES_TASKS, &in);
	assert_int_equal(in.count, 2);
	assert_int_equal(in.cut, 1);
	assert_int_equal(in.unmatched, 1);
	const struct ht_instance *x = &in.items[0], *y = &in.items[1];
	assert_string_equal(name_of(&f, x), "request");
	assert_int_equal(x->task, 41);
	assert_int_equal(x->begin_ns, 1000);
	assert_int_equal(x->end_ns, 17000);
	assert_int_equal(x->allocs, 3);
	assert_int_equal(x->bytes, 60);
	assert_int_equal(x->piece_count, 2); /* entering again makes none */
	assert_int_equal(in.pieces[x->first_piece].begin_ns, 4000);
	assert_int_equal(in.pieces[x->first_piece].end_ns, 12000);
	assert_int_equal(in.pieces[x->first_piece + 1].begin_ns, 9000);
	assert_int_equal(in.pieces[x->first_piece + 1].end_ns, 14000);
	assert_int_equal(ht_instance_worked_ns(&in, x), 10000);
	assert_int_equal(y->end_ns, 18000);
	assert_true(y->cut);
	assert_int_equal(y->allocs, 1);
	assert_int_equal(y->bytes, 20);
	assert_int_equal(ht_instance_worked_ns(&in, y), 5000);
	ht_instances_release(&in);
	fixture_end(&f);
}

/* What begins in the selection counts, up to its end; threads and names choose. */
static void selections(void **state)
{
	struct fixture f;
	struct ht_instances in;
	(void)state;
	begin(&f);
	uint32_t image = fixture_image(&f, 7, 0, 0);
	uint32_t a = fixture_thread(&f, image, 7, "a"), b = fixture_thread(&f, image, 8, "b");
	for (unsigned i = 0; i < 10; i++) { /* begins at 1000, 5000, 9000, ...; ends 3000 later */
		region(&f, i & 1 ? b : a, HT_OP_REGION_BEGIN, i < 5 ? "early" : "late");
		fixture_birth(&f, i & 1 ? b : a, 0, 1);
		fixture_birth(&f, i & 1 ? b : a, 0, 1);
		region(&f, i & 1 ? b : a, HT_OP_REGION_END, i < 5 ? "early" : "late");
	}
	task(&f, a, 5, HT_TASK_BEGIN, "t");
	task(&f, b, 5, HT_TASK_ENTER, "");
	task(&f, b, 5, HT_TASK_LEAVE, "");
	task(&f, a, 6, HT_TASK_BEGIN, "t");
	task(&f, a, 6, HT_TASK_END, "");
	fixture_image_end(&f, image, a);
	fixture_open(&f);
	const bool only_b[] = {false, true};
	struct ht_instances_options o = {.what = HT_INSTANCES_REGIONS, .from_ns = 5000, .to_ns = 14500};
	ht_instances_read(&in, f.trace, &o);
	assert_int_equal(in.count, 3);
	assert_int_equal(in.items[2].begin_ns, 13000);
	assert_int_equal(in.items[2].end_ns, 14500);
	assert_int_equal(in.items[2].allocs, 1);
	assert_int_equal(in.cut, 1);
	ht_instances_release(&in);
	o = (struct ht_instances_options){
		.what = HT_INSTANCES_REGIONS, .to_ns = UINT64_MAX, .threads = only_b, .name = "late"};
	ht_instances_read(&in, f.trace, &o);
	assert_int_equal(in.count, 3);
	for (size_t i = 0; i < in.count; i++)
		assert_int_equal(in.items[i].thread, b);
	ht_instances_release(&in);
	o = (struct ht_instances_options){.what = HT_INSTANCES_TASKS, .to_ns = UINT64_MAX, .threads = only_b};
	ht_instances_read(&in, f.trace, &o);
	assert_int_equal(in.count, 1);
	assert_int_equal(in.items[0].task, 5);
	assert_int_equal(in.items[0].piece_count, 1);
	ht_instances_release(&in);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nested_regions),
		cmocka_unit_test(pieces_of_tasks),
		cmocka_unit_test(selections),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
