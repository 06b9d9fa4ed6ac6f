/*
 * The exporters of text, on a profile made by hand: each writes what stands below, to the byte. The stack is
 * main -> outer -> inlined -> operator new, of which the last is left out; one address has no name, one name
 * has everything that a format might stumble over.
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

#include "csv_profile.h"
#include "dhat.h"
#include "gperftools.h"
#include "massif.h"
#include "speedscope.h"

static const struct ht_profile_function functions[] = {
	{"main", "main", "/src/a.c", 10},
	{"acme::outer(int)", "_ZN4acme5outerEi", "/src/a.cc", 20},
	{"=in\"ner\"--#;\n,", "inner", "/src/a.h", 0},
	{"operator new(unsigned long)", "_Znwm", "", 0},
};
static const struct ht_profile_line main_line[] = {{0, 12}};
static const struct ht_profile_line inlined_lines[] = {{3, 0}, {2, 5}, {1, 22}};
static const struct ht_profile_location locations[] = {
	{1, 0x1234, inlined_lines, 3},
	{1, 0x1100, main_line, 1},
	{2, 0x555, NULL, 0},
};
static const struct ht_profile_mapping mappings[] = {
	{"/bin/app", "0123abcd", 0x1000, 0x3000, 0x1000, true, true, true, true},
	{"/lib/libx.so", "", 0, 0x1000, 0, false, false, false, false},
};
static const uint32_t stack_a[] = {0, 1}, stack_b[] = {2, 1};
static const int64_t values_a[HT_WHOLE_COUNT] = {3, 300, 1, 100, 2, 200, 2, 210, 1, 100, 1, 50, 4000};
static const int64_t values_b[HT_WHOLE_COUNT] = {5, 50, 0, 0, 1, 1, 1, 10, 0, 0, 0, 0, 2000};
static const struct ht_profile_sample samples[] = {
	{stack_a, 2, 0, 1, values_a, NULL, 0},
	{stack_b, 2, 0, 0, values_b, NULL, 0},
	{NULL, 0, 0, 0, values_b, NULL, 0},
};
static const struct ht_profile_point points[] = {{0, 0}, {1500000, 202}, {2000000, 100}};
static const struct ht_profile_type types[HT_WHOLE_COUNT] = {
	{"alloc_objects", "count"}, {"alloc_space", "bytes"},	  {"inuse_objects", "count"},	 {"inuse_space", "bytes"},
	{"peak_objects", "count"},  {"peak_space", "bytes"},	  {"own_peak_objects", "count"}, {"own_peak_space", "bytes"},
	{"leaked_objects", "count"}, {"leaked_space", "bytes"}, {"temporary_objects", "count"}, {"temporary_space", "bytes"},
	{"lifetime", "nanoseconds"},
};
static const struct ht_profile profile = {
	.command = "app #1 \"x\"",
	.pid = 42,
	.points = points,
	.point_count = 3,
	.peak_point = 1,
	.types = types,
	.type_count = HT_WHOLE_COUNT,
	.duration_ns = 2000000,
	.mappings = mappings,
	.mapping_count = 2,
	.functions = functions,
	.function_count = 4,
	.locations = locations,
	.location_count = 3,
	.samples = samples,
	.sample_count = 3,
};

static char *written(const struct ht_exporter *x, size_t type_count)
{
	static char text[65536];
	struct ht_profile p = profile;
	struct ht_diag d;
	int fd = memfd_create("out", 0);
	p.type_count = type_count;
	assert_int_equal(x->write_profile(&p, 1, fd, &d), 0);
	int64_t n = ht_pread_all(fd, text, sizeof(text) - 1, 0);
	assert_true(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static void writes_speedscope(void **state)
{
	(void)state;
	assert_string_equal(
		written(&ht_exporter_speedscope, 2),
		"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n"
		"\"name\":\"app #1 \\\"x\\\"\",\"exporter\":\"heaptide\",\"activeProfileIndex\":1,\n"
		"\"shared\":{\"frames\":[\n"
		"{\"name\":\"=in\\\"ner\\\"--#;\\u000a,\",\"file\":\"/src/a.h\"},\n"
		"{\"name\":\"acme::outer(int)\",\"file\":\"/src/a.cc\",\"line\":20},\n"
		"{\"name\":\"main\",\"file\":\"/src/a.c\",\"line\":10},\n"
		"{\"name\":\"[libx.so+0x555]\"}]},\n"
		"\"profiles\":[\n"
		"{\"type\":\"sampled\",\"name\":\"alloc_objects\",\"unit\":\"none\",\"samples\":[\n"
		"[2,1,0],\n[2,3],\n[]],\n\"weights\":[3,5,5],\"startValue\":0,\"endValue\":13},\n"
		"{\"type\":\"sampled\",\"name\":\"alloc_space\",\"unit\":\"bytes\",\"samples\":[\n"
		"[2,1,0],\n[2,3],\n[]],\n\"weights\":[300,50,50],\"startValue\":0,\"endValue\":400}]}\n");
}

static void writes_dhat(void **state)
{
	(void)state;
	assert_string_equal(
		written(&ht_exporter_dhat, HT_WHOLE_COUNT),
		"{\"dhatFileVersion\":2,\"mode\":\"heap\",\"verb\":\"Allocated\",\"bklt\":true,\"bkacc\":false,\n"
		"\"tu\":\"\302\265s\",\"Mtu\":\"s\",\"tuth\":500,\n"
		"\"cmd\":\"app #1 \\\"x\\\"\",\"pid\":42,\"te\":2000,\"tg\":1500,\n"
		"\"pps\":[\n"
		"{\"tb\":50,\"tbk\":5,\"tl\":2,\"mb\":10,\"mbk\":1,\"gb\":1,\"gbk\":1,\"eb\":0,\"ebk\":0,\"fs\":[]},\n"
		"{\"tb\":300,\"tbk\":3,\"tl\":4,\"mb\":210,\"mbk\":2,\"gb\":200,\"gbk\":2,\"eb\":100,\"ebk\":1,\"fs\":[1,2,3]},\n"
		"{\"tb\":50,\"tbk\":5,\"tl\":2,\"mb\":10,\"mbk\":1,\"gb\":1,\"gbk\":1,\"eb\":0,\"ebk\":0,\"fs\":[4,3]}],\n"
		"\"ftbl\":[\"[root]\",\n"
		"\"0x1234: =in\\\"ner\\\"--#;\\u000a, (a.h:5)\",\n"
		"\"0x1234: acme::outer(int) (a.cc:22)\",\n"
		"\"0x1100: main (a.c:12)\",\n"
		"\"0x555: ??? (in /lib/libx.so)\"]}\n");
}

static void writes_massif(void **state)
{
	(void)state;
	assert_string_equal(
		written(&ht_exporter_massif, HT_WHOLE_COUNT),
		"desc: (recorded by heaptide)\ncmd: app ?1 \"x\"\ntime_unit: ms\n"
		"#-----------\nsnapshot=0\n#-----------\ntime=0.000\n"
		"mem_heap_B=0\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=empty\n"
		"#-----------\nsnapshot=1\n#-----------\ntime=1.500\n"
		"mem_heap_B=202\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=peak\n"
		"n2: 202 (heap allocation functions) malloc/new/new[], --alloc-fns, etc.\n"
		" n1: 200 0x1234: =in\"ner\"--?;?, (a.h:5)\n"
		"  n1: 200 0x1234: acme::outer(int) (a.cc:22)\n"
		"   n0: 200 0x1100: main (a.c:12)\n"
		" n0: 1 in 1 place, all below massif's threshold (1.00%)\n"
		"#-----------\nsnapshot=2\n#-----------\ntime=2.000\n"
		"mem_heap_B=100\nmem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=empty\n");
}

static void writes_gperftools(void **state)
{
	(void)state;
	assert_string_equal(written(&ht_exporter_gperftools, HT_WHOLE_COUNT),
			    "--- symbol\nbinary=/bin/app\n"
			    "0x0000000000100000 acme::outer(int)--=in\"ner\"_-#;_,--operator new(unsigned long)\n"
			    "0x0000000000100010 acme::outer(int)--=in\"ner\"_-#;_,\n"
			    "0x0000000000100020 acme::outer(int)\n"
			    "0x0000000000110000 main\n"
			    "0x0000000000120000 [libx.so+0x555]\n"
			    "---\n"
			    "heap profile: 1: 100 [13: 400] @ heapprofile\n"
			    "1: 100 [3: 300] @ 0x0000000000100010 0x0000000000110000\n"
			    "0: 0 [5: 50] @ 0x0000000000120000 0x0000000000110000\n"
			    "0: 0 [5: 50] @\n");
}

static void writes_csv(void **state)
{
	(void)state;
	assert_string_equal(written(&ht_exporter_csv, 2),
			    "function,file,line,module,alloc_objects,alloc_space,stack\n"
			    "\"'=in\"\"ner\"\"--#;\n,\",/src/a.h,5,/bin/app,3,300,\"main;acme::outer(int);=in\"\"ner\"\"--#;\n,\"\n"
			    "[libx.so+0x555],,,/lib/libx.so,5,50,main;[libx.so+0x555]\n"
			    ",,,,5,50,\n");
}

/* What cannot be written is said, with the reason. */
static void says_what_failed(void **state)
{
	static const struct ht_exporter *const all[] = {&ht_exporter_speedscope, &ht_exporter_dhat, &ht_exporter_massif,
							&ht_exporter_gperftools, &ht_exporter_csv};
	(void)state;
	for (size_t i = 0; i < HT_ARRAY_SIZE(all); i++) {
		struct ht_diag d;
		int fd = memfd_create("closed", 0);
		close(fd);
		assert_int_equal(all[i]->write_profile(&profile, 1, fd, &d), HT_ERR_SYSTEM);
		assert_string_equal(d.text, "cannot be written: Bad file descriptor");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_speedscope), cmocka_unit_test(writes_dhat),
		cmocka_unit_test(writes_massif),     cmocka_unit_test(writes_gperftools),
		cmocka_unit_test(writes_csv),	     cmocka_unit_test(says_what_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
