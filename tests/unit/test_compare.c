/* Grouping and pairing on profiles made by hand: what a comparison does with names, files, lines, modules and runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare.h"
#include "delta_profile.h"

enum { MOST = 16 };

/* A stack is "callee:line caller caller"; frames are "function@file". All but "lib_..." are in the program, those in a library. */
struct making {
	struct ht_profile profile;
	struct ht_profile_mapping mappings[2];
	struct ht_profile_function functions[MOST * 8];
	struct ht_profile_line lines[MOST * 8];
	struct ht_profile_location locations[MOST * 8];
	struct ht_profile_sample samples[MOST];
	uint32_t stacks[MOST][8];
	int64_t values[MOST][HT_WHOLE_COUNT];
	char texts[MOST * 8][64];
};

static void begin(struct making *m, const char *library, const char *build_id)
{
	memset(m, 0, sizeof(*m));
	m->mappings[0] = (struct ht_profile_mapping){.file = "/bin/prog", .build_id = ""};
	m->mappings[1] = (struct ht_profile_mapping){.file = library, .build_id = build_id};
	m->profile.mappings = m->mappings;
	m->profile.mapping_count = 2;
	m->profile.functions = m->functions;
	m->profile.locations = m->locations;
	m->profile.samples = m->samples;
}

static void add(struct making *m, const char *stack, int64_t allocs, int64_t bytes)
{
	size_t at = m->profile.sample_count++;
	struct ht_profile_sample *s = &m->samples[at];
	char copy[256], *rest = copy;
	strncpy(copy, stack, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	for (char *word; (word = strtok_r(rest, " ", &rest));) {
		size_t n = m->profile.function_count++;
		char *line = strchr(word, ':'), *file = strchr(word, '@');
		m->lines[n] = (struct ht_profile_line){(uint32_t)n, line ? (uint32_t)atoi(line + 1) : 0};
		if (line)
			*line = '\0';
		strcpy(m->texts[n], word);
		if (file)
			m->texts[n][file - word] = '\0';
		m->functions[n] = (struct ht_profile_function){.name = m->texts[n],
							       .system_name = m->texts[n],
							       .file = file ? m->texts[n] + (file - word) + 1 : "",
							       .start_line = 10};
		m->locations[n] = (struct ht_profile_location){.mapping = !strncmp(word, "lib_", 4) ? 2 : 1, .address = n + 1, .lines = &m->lines[n], .line_count = 1};
		if (*word == '?') { /* no name, at an address of the library */
			m->locations[n].line_count = 0;
			m->locations[n].mapping = 2;
			m->locations[n].address = (uint64_t)atoi(word + 1);
		}
		m->stacks[at][s->location_count++] = (uint32_t)n;
		m->profile.location_count = n + 1;
	}
	s->locations = m->stacks[at];
	m->values[at][HT_WHOLE_ALLOC_OBJECTS] = allocs;
	m->values[at][HT_WHOLE_ALLOC_SPACE] = bytes;
	s->values = m->values[at];
}

static struct making old, new;

static void start(void)
{
	begin(&old, "/lib/libx.so.1.2", "aa");
	begin(&new, "/lib/libx.so.1.3", "bb");
}

static struct ht_compare *compare(enum ht_compare_by by)
{
	struct ht_compare *c = ht_compare_new(by, HT_CV_ALLOCS);
	ht_compare_add(c, HT_OLD, &old.profile, "/bin/prog", 1);
	ht_compare_add(c, HT_NEW, &new.profile, "/bin/prog", 1);
	ht_compare_finish(c);
	double sum_old = 0, sum_new = 0;
	for (size_t i = 0; i < c->row_count; i++) {
		sum_old += c->rows[i].old[HT_CV_BYTES];
		sum_new += c->rows[i].new[HT_CV_BYTES];
	}
	assert_true(sum_old == c->total.old[HT_CV_BYTES] && sum_new == c->total.new[HT_CV_BYTES]);
	return c;
}

static const struct ht_compare_row *row(const struct ht_compare *c, const char *function, const char *file)
{
	for (size_t i = 0; i < c->row_count; i++)
		if (c->rows[i].frame.function && !strcmp(c->rows[i].frame.function, function) &&
		    (!file || !strcmp(c->rows[i].frame.file, file)))
			return &c->rows[i];
	fail_msg("no row %s", function);
	return NULL;
}

static void test_same(void **state)
{
	(void)state;
	start();
	add(&old, "f@a.c:12 main@a.c", 5, 50);
	add(&new, "f@b.c:112 main@b.c", 5, 50); /* moved to another file */
	struct ht_compare *c = compare(HT_COMPARE_FUNCTION);
	assert_int_equal(c->row_count, 1);
	assert_int_equal(c->rows[0].status, HT_ROW_SAME);
	assert_string_equal(c->rows[0].frame.file, "b.c");
	ht_compare_free(c);
}

/* Two static functions of one name: what one gains does not hide what the other loses. */
static void test_static_functions(void **state)
{
	(void)state;
	start();
	add(&old, "init@a.c:12 main@m.c", 10, 100);
	add(&old, "init@b.c:12 main@m.c", 10, 100);
	add(&new, "init@a.c:12 main@m.c", 15, 150);
	add(&new, "init@b.c:12 main@m.c", 5, 50);
	struct ht_compare *c = compare(HT_COMPARE_FUNCTION);
	assert_int_equal(c->row_count, 2);
	assert_int_equal(row(c, "init", "a.c")->status, HT_ROW_GREW);
	assert_int_equal(row(c, "init", "b.c")->status, HT_ROW_SHRANK);
	ht_compare_free(c);
}

static void test_renamed(void **state)
{
	(void)state;
	start();
	add(&old, "parse_value@p.c:12 parse@p.c main@m.c", 1000, 24000);
	add(&old, "other@p.c:12 main@m.c", 3, 4096);
	add(&new, "read_value@p.c:12 parse@p.c main@m.c", 1000, 24000);
	add(&new, "other@p.c:12 main@m.c", 3, 4096);
	for (int by = HT_COMPARE_FUNCTION; by <= HT_COMPARE_STACK; by++) {
		struct ht_compare *c = compare((enum ht_compare_by)by);
		if (by == HT_COMPARE_FILE || by == HT_COMPARE_MODULE) {
			assert_int_equal(c->row_count, 1);
			assert_int_equal(c->rows[0].status, HT_ROW_SAME);
		} else {
			assert_int_equal(c->row_count, 2);
			assert_int_equal(row(c, "read_value", NULL)->status, HT_ROW_RENAMED);
			assert_string_equal(row(c, "read_value", NULL)->renamed_from, "parse_value");
			assert_non_null(strstr(row(c, "read_value", NULL)->evidence, "callers agree to 100 %"));
			assert_int_equal(row(c, "other", NULL)->status, HT_ROW_SAME);
		}
		ht_compare_free(c);
	}
}

/* Other callers, other sizes: a loss and a gain. */
static void test_not_renamed(void **state)
{
	(void)state;
	start();
	add(&old, "draw@d.c:12 paint@d.c main@m.c", 1000, 24000);
	add(&new, "send@s.c:12 serve@s.c main@m.c", 1000, 4096000);
	struct ht_compare *c = compare(HT_COMPARE_FUNCTION);
	assert_int_equal(row(c, "draw", NULL)->status, HT_ROW_GONE);
	assert_int_equal(row(c, "send", NULL)->status, HT_ROW_NEW);
	ht_compare_free(c);
}

/* A helper is gone, and what called it has as many more. */
static void test_took_over(void **state)
{
	(void)state;
	start();
	add(&old, "helper@h.c:12 work@h.c main@m.c", 70, 700);
	add(&old, "work@h.c:20 main@m.c", 100, 3000);
	add(&new, "work@h.c:20 main@m.c", 170, 3700);
	struct ht_compare *c = compare(HT_COMPARE_FUNCTION);
	assert_int_equal(c->row_count, 1);
	assert_int_equal(c->rows[0].status, HT_ROW_RENAMED);
	assert_true(ht_compare_delta(&c->rows[0], HT_CV_ALLOCS) == 0 && ht_compare_delta(&c->rows[0], HT_CV_BYTES) == 0);
	assert_non_null(strstr(c->rows[0].evidence, "took over 70 allocations of helper"));
	ht_compare_free(c);
}

/* A line inserted above others takes nobody's place. */
static void test_lines(void **state)
{
	(void)state;
	start();
	add(&old, "f@a.c:12 main@m.c", 100, 800);
	add(&old, "f@a.c:14 main@m.c", 7, 7000);
	add(&new, "f@a.c:12 main@m.c", 55, 880);
	add(&new, "f@a.c:13 main@m.c", 100, 800);
	add(&new, "f@a.c:15 main@m.c", 7, 7000);
	struct ht_compare *c = compare(HT_COMPARE_LINE);
	assert_int_equal(c->row_count, 3);
	assert_int_equal(c->rows[0].status, HT_ROW_NEW);
	assert_int_equal(c->rows[0].line, 12);
	assert_int_equal(c->rows[1].status, HT_ROW_SAME);
	assert_int_equal(c->rows[2].status, HT_ROW_SAME);
	ht_compare_free(c);
}

static void test_library(void **state)
{
	(void)state;
	start(); /* another version of it, so addresses mean nothing */
	add(&old, "lib_open main@m.c", 2, 20);
	add(&old, "?100 main@m.c", 2, 20);
	add(&new, "lib_open main@m.c", 2, 20);
	add(&new, "?200 main@m.c", 2, 20);
	struct ht_compare *c = compare(HT_COMPARE_FUNCTION);
	assert_int_equal(c->row_count, 2);
	assert_int_equal(c->rows[0].status, HT_ROW_SAME);
	assert_int_equal(c->rows[1].status, HT_ROW_SAME);
	assert_true(c->unnamed == 2);
	ht_compare_free(c);
	new.mappings[1].build_id = "aa"; /* the same file: they do, and nothing in it was renamed */
	c = compare(HT_COMPARE_FUNCTION);
	assert_int_equal(c->row_count, 3);
	assert_int_equal(c->unnamed, 0);
	assert_int_equal(c->rows[0].status + c->rows[1].status, HT_ROW_NEW + HT_ROW_GONE);
	ht_compare_free(c);
	/* With the version in its name it is the same library all the same. */
	old.mappings[1].file = "/lib/libx-1.2.so";
	new.mappings[1].file = "/lib/libx-1.3.so";
	new.mappings[1].build_id = "bb";
	c = compare(HT_COMPARE_MODULE);
	assert_int_equal(c->row_count, 1);
	assert_int_equal(c->rows[0].status, HT_ROW_RENAMED);
	assert_string_equal(c->rows[0].renamed_from, "libx-1.2.so");
	ht_compare_free(c);
}

static void test_nothing(void **state)
{
	(void)state;
	start();
	add(&new, "f@a.c:12 main@m.c", 5, 50);
	add(&new, "", 1, 8); /* a stack of which nothing is to be shown */
	struct ht_compare *c = compare(HT_COMPARE_FUNCTION);
	assert_int_equal(c->row_count, 2);
	assert_int_equal(c->rows[0].status, HT_ROW_NEW);
	ht_compare_free(c);
	c = ht_compare_new(HT_COMPARE_STACK, HT_CV_BYTES); /* a side without a run */
	ht_compare_add(c, HT_NEW, &new.profile, "/bin/prog", 1);
	ht_compare_finish(c);
	assert_int_equal(c->row_count, 2);
	assert_true(c->total.old[HT_CV_BYTES] == 0 && c->total.new[HT_CV_BYTES] == 58);
	ht_compare_free(c);
}

static void test_runs(void **state)
{
	(void)state;
	struct ht_compare *c = ht_compare_new(HT_COMPARE_FUNCTION, HT_CV_ALLOCS);
	for (int i = 0; i < 5; i++) {
		start();
		add(&old, "noisy@a.c:12 main@m.c", 1000 + i, 8000);
		add(&old, "exact@a.c:12 main@m.c", 10, 80);
		add(&new, "noisy@a.c:12 main@m.c", 1000 + (i * 3) % 5, 8000);
		add(&new, "exact@a.c:12 main@m.c", 11, 88);
		ht_compare_add(c, HT_NEW, &new.profile, "/bin/prog", 1); /* in whatever order they come */
		ht_compare_add(c, HT_OLD, &old.profile, "/bin/prog", 1);
	}
	ht_compare_finish(c);
	assert_true(row(c, "exact", NULL)->significance.news && row(c, "exact", NULL)->significance.exact);
	assert_false(row(c, "noisy", NULL)->significance.news);
	bool chosen[2] = {false, false};
	chosen[row(c, "exact", NULL) - c->rows] = true;
	struct ht_significance s;
	assert_true(ht_compare_test(c, HT_CV_BYTES, chosen, &s) && s.news && s.new_mean == 88);
	ht_compare_free(c);
}

static void test_delta(void **state)
{
	(void)state;
	start();
	add(&old, "f@a.c:12 main@m.c", 5, 50);
	add(&new, "f@a.c:12 main@m.c", 2, 20);
	add(&new, "?77 main@m.c", 1, 8);
	struct ht_compare *c = compare(HT_COMPARE_STACK);
	const struct ht_profile *p = ht_delta_profile(c);
	int64_t sum = 0;
	for (size_t i = 0; i < p->sample_count; i++)
		sum += p->samples[i].values[HT_CV_BYTES];
	assert_int_equal(p->sample_count, 2);
	assert_int_equal(sum, -22);
	ht_delta_profile_free(p);
	ht_compare_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),	     cmocka_unit_test(test_static_functions),
		cmocka_unit_test(test_renamed),	     cmocka_unit_test(test_not_renamed),
		cmocka_unit_test(test_took_over),    cmocka_unit_test(test_lines),
		cmocka_unit_test(test_library),	     cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_runs),	     cmocka_unit_test(test_delta),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
