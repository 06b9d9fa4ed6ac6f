/* lifespans and labelled: percentiles and classes of lifetimes; and what labels tell apart adds up to what they split. */
#include <stdlib.h>
#include <string.h>

#include "analyze_fixture.h"
#include "lifespans.h"

static void classes(void **state)
{
	uint64_t counts[HT_LIFESPAN_CLASSES] = {0};
	struct ht_lifespan l = {.classes = counts};
	(void)state;
	assert_int_equal(ht_lifespan_bound(0), 0);
	assert_int_equal(ht_lifespan_bound(1), 256);
	assert_int_equal(ht_lifespan_bound(5), 512);
	assert_int_equal(ht_lifespan_bound(HT_LIFESPAN_CLASSES - 1), UINT64_C(1) << HT_LIFESPAN_LAST);
	for (unsigned k = 1; k <= HT_LIFESPAN_CLASSES; k++)
		assert_true(ht_lifespan_bound(k) > ht_lifespan_bound(k - 1));
	assert_int_equal(ht_lifespan_percentile(&l, 0.5), 0);
	counts[0] = 90;
	counts[9] = 10; /* 1024 to 1279 */
	l.frees = 100;
	l.max_ns = 1100;
	assert_int_equal(ht_lifespan_percentile(&l, 0.5), 255);
	assert_int_equal(ht_lifespan_percentile(&l, 0.9), 255);
	assert_int_equal(ht_lifespan_percentile(&l, 0.91), 1100);
	assert_int_equal(ht_lifespan_percentile(&l, 1), 1100);
}

/* Two stacks; one second apart births and deaths, in two threads of one name and one of another. */
static void begin(struct fixture *f)
{
	fixture_begin(f);
	uint32_t image = fixture_image(f, 7, 0, 0);
	uint32_t a = fixture_thread(f, image, 7, "pool"), b = fixture_thread(f, image, 8, "pool"),
		 c = fixture_thread(f, image, 9, "main");
	uint32_t m = fixture_module(f, "/bin/labelled", "") + 1;
	uint32_t x = fixture_node(f, 0, m, 0x100), y = fixture_node(f, 0, m, 0x200);
	fixture_birth(f, a, x, 100);
	uint64_t dies = fixture_birth(f, b, x, 110);
	fixture_birth(f, c, x, 4000);
	f->now += 1000000;
	fixture_death(f, b, x, dies);
	fixture_birth(f, c, y, 50);
	fixture_image_end(f, image, c);
	fixture_open(f);
}

static const struct ht_profile_label *label(const struct ht_profile_sample *s, const char *key)
{
	for (size_t i = 0; i < s->label_count; i++)
		if (!strcmp(s->labels[i].key, key))
			return &s->labels[i];
	return NULL;
}

static void labels(void **state)
{
	struct fixture f;
	struct ht_analysis_options o;
	int64_t sums[2][4] = {{0}};
	(void)state;
	for (unsigned with = 0; with < 2; with++) {
		begin(&f);
		ht_analysis_options_init(&o);
		o.sites = true;
		o.labels = with ? HT_LABEL_THREAD | HT_LABEL_SIZE : 0;
		struct ht_analysis *a = fixture_analyze(&f, &o);
		const struct ht_profile *p = ht_analysis_profile(a, HT_PROFILE_HEAP, NULL, 0, NULL);
		assert_int_equal(p->sample_count, with ? 3 : 2);
		for (size_t i = 0; i < p->sample_count; i++) {
			const struct ht_profile_sample *s = &p->samples[i];
			for (size_t k = 0; k < 4; k++)
				sums[with][k] += s->values[k];
			assert_int_equal(s->label_count, with ? 2 : 0);
			if (!with || s->values[0] != 2)
				continue;
			/* 100 and 110 bytes by threads of one name: one sample, of their mean size. */
			assert_string_equal(label(s, "thread")->str, "pool");
			assert_int_equal(label(s, "bytes")->num, 105);
			assert_string_equal(label(s, "bytes")->unit, "bytes");
			assert_int_equal(s->values[2], 1);
			assert_int_equal(s->values[3], 100);
		}
		ht_profile_free(p);
		ht_analysis_free(a);
		fixture_end(&f);
	}
	for (size_t k = 0; k < 4; k++)
		assert_int_equal(sums[0][k], sums[1][k]);
	assert_int_equal(sums[0][0], 4);
	assert_int_equal(sums[0][1], 4260);
}

static void peak_of_labels(void **state)
{
	struct fixture f;
	struct ht_analysis_options o;
	int64_t objects = 0, space = 0;
	(void)state;
	begin(&f);
	ht_analysis_options_init(&o);
	o.sites = true;
	o.labels = HT_LABEL_PROCESS | HT_LABEL_SIZE;
	struct ht_analysis *a = fixture_analyze(&f, &o);
	const struct ht_profile *p = ht_analysis_profile(a, HT_PROFILE_PEAK, NULL, 0, NULL);
	for (size_t i = 0; i < p->sample_count; i++) {
		objects += p->samples[i].values[0];
		space += p->samples[i].values[1];
		assert_non_null(label(&p->samples[i], "process"));
	}
	assert_int_equal(objects, a->totals.c.peak_objects);
	assert_int_equal(space, a->totals.c.peak_bytes);
	assert_int_equal(space, 4210);
	ht_profile_free(p);
	ht_analysis_free(a);
	fixture_end(&f);
}

/* Per stack and per row; blocks that stay live count up to the end, in the sum alone. */
static void lifespans(void **state)
{
	struct fixture f;
	struct ht_analysis_options o;
	struct ht_rows rows;
	(void)state;
	begin(&f);
	ht_analysis_options_init(&o);
	o.sites = true;
	o.lifetimes = true;
	struct ht_analysis *a = fixture_analyze(&f, &o);
	ht_analysis_rows(a, HT_METRIC_ALLOCS, false, &rows);
	assert_int_equal(rows.count, 2);
	const struct ht_lifespan *l = ht_row_lifespan(a, &rows.items[0]);
	assert_non_null(l);
	assert_int_equal(l->frees, 1);
	uint64_t longest = ht_lifespan_percentile(l, 1);
	assert_true(longest >= 1000000 && longest < 1100000);
	assert_null(ht_row_lifespan(a, &rows.items[1]));
	assert_true(ht_stack_lifespan_ns(a, rows.items[0].node) > 3000000);
	ht_rows_release(&rows);
	ht_analysis_free(a);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(labels),
		cmocka_unit_test(peak_of_labels),
		cmocka_unit_test(lifespans),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
