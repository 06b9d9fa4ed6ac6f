/*
 * pprof and folded: the bytes that the exporters write, decoded by a reader of the test's own, and,
 * where go is installed, by go tool pprof.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "folded.h"
#include "pprof.h"

/* --- the profile: main -> outer -> inlined, and an address without a name ----------------- */

static const struct ht_profile_type types[] = {
	{"alloc_objects", "count"},
	{"alloc_space", "bytes"},
	{"inuse_objects", "count"},
	{"inuse_space", "bytes"},
};
static const struct ht_profile_function functions[] = {
	{"main", "main", "/src/a.c", 10},
	{"acme::outer(int)", "_ZN4acme5outerEi", "/src/a.cc", 20},
	{"acme::inner;x", "_ZN4acme5innerEv", "/src/a.h", 0},
};
static const struct ht_profile_line main_line[] = {{0, 12}};
static const struct ht_profile_line inlined_lines[] = {{2, 5}, {1, 22}};
static const struct ht_profile_location locations[] = {
	{1, 0x1234, inlined_lines, 2},
	{1, 0x1100, main_line, 1},
	{2, 0x555, NULL, 0},
};
static const struct ht_profile_mapping mappings[] = {
	{"/bin/app", "0123abcd", 0x1000, 0x3000, 0x1000, true, true, true, true},
	{"/lib/libx.so", "", 0, 0x1000, 0, false, false, false, false},
};
static const uint32_t stack_a[] = {0, 1}, stack_b[] = {2, 1};
static const int64_t values_a[] = {3, 300, 1, 100}, values_b[] = {5, 50, 0, 0}, zeros[] = {0, 0, 0, 0};
static const struct ht_profile_label labels[] = {{"thread_name", "worker", 0, NULL}, {"bytes", NULL, 64, "bytes"}};
static const struct ht_profile_sample samples[] = {
	{stack_a, 2, 0, 0, values_a, labels, 2},
	{stack_b, 2, 0, 0, values_b, NULL, 0},
	{stack_a, 2, 0, 0, zeros, NULL, 0},
	{stack_a, 2, 0, 0, values_a, NULL, 0},
};
static const char *const comments[] = {"command: app", "#base /bin/app=0x5555"};

static struct ht_profile example(void)
{
	return (struct ht_profile){
		.types = types,
		.type_count = 4,
		.default_type = "inuse_space",
		.period_type = {"space", "bytes"},
		.period = 1,
		.time_ns = 1700000000000000000,
		.duration_ns = 2000000000,
		.comments = comments,
		.comment_count = 2,
		.drop_frames = "malloc|operator new.*",
		.keep_frames = "",
		.mappings = mappings,
		.mapping_count = 2,
		.functions = functions,
		.function_count = 3,
		.locations = locations,
		.location_count = 3,
		.samples = samples,
		.sample_count = 4,
	};
}

/* --- a reader ----------------------------------------------------------------------------- */

static uint8_t plain[1 << 20];

static size_t export(const struct ht_exporter *x, const struct ht_profile *p, size_t value, uint8_t *out, size_t max)
{
	int fd = memfd_create("out", 0);
	struct ht_diag d;
	assert_int_equal(x->write_profile(p, value, fd, &d), 0);
	int64_t n = ht_pread_all(fd, out, max, 0);
	close(fd);
	return (size_t)n;
}

static struct ht_cursor unzip(const struct ht_profile *p)
{
	static uint8_t packed[1 << 20];
	z_stream z = {0};
	size_t n = export(&ht_exporter_pprof, p, 0, packed, sizeof(packed));
	assert_true(n > 2 && packed[0] == 0x1f && packed[1] == 0x8b);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = packed;
	z.avail_in = (uInt)n;
	z.next_out = plain;
	z.avail_out = sizeof(plain);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	return (struct ht_cursor){plain, plain + z.total_out, false};
}

struct field {
	unsigned number;
	uint64_t v;
	struct ht_cursor content;
};

static bool next_field(struct ht_cursor *c, struct field *f)
{
	if (!ht_cursor_left(c))
		return false;
	uint64_t tag = ht_cursor_varint(c);
	f->number = (unsigned)(tag >> 3);
	f->v = ht_cursor_varint(c);
	assert_true((tag & 7) == 0 || (tag & 7) == 2);
	if ((tag & 7) == 2) {
		const uint8_t *at = ht_cursor_bytes(c, f->v);
		assert_non_null(at);
		f->content = (struct ht_cursor){at, at + f->v, false};
	}
	assert_false(c->bad);
	return true;
}

/* The i-th occurrence of a field. */
static struct field field(struct ht_cursor c, unsigned number, unsigned i)
{
	struct field f;
	while (next_field(&c, &f))
		if (f.number == number && !i--)
			return f;
	fail_msg("field %u is missing", number);
	return f;
}

static unsigned count(struct ht_cursor c, unsigned number)
{
	struct field f;
	unsigned n = 0;
	while (next_field(&c, &f))
		n += f.number == number;
	return n;
}

static void assert_string(struct ht_cursor profile, uint64_t id, const char *expected)
{
	struct field s = field(profile, 6, (unsigned)id);
	assert_int_equal(ht_cursor_left(&s.content), strlen(expected));
	assert_memory_equal(s.content.at, expected, strlen(expected));
}

/* --- tests -------------------------------------------------------------------------------- */

static void head(void **state)
{
	(void)state;
	struct ht_profile p = example();
	struct ht_cursor c = unzip(&p), all = c;
	struct field f;
	unsigned last = 0;
	assert_int_equal(count(c, 1), 4);
	assert_string(c, field(field(c, 1, 0).content, 1, 0).v, "alloc_objects");
	assert_string(c, field(field(c, 1, 3).content, 2, 0).v, "bytes");
	assert_string(c, field(c, 14, 0).v, "inuse_space");
	assert_string(c, field(c, 7, 0).v, "malloc|operator new.*");
	assert_int_equal(count(c, 8), 0);
	assert_int_equal(field(c, 9, 0).v, 1700000000000000000);
	assert_int_equal(field(c, 10, 0).v, 2000000000);
	assert_int_equal(field(c, 12, 0).v, 1);
	struct ht_cursor ids = field(c, 13, 0).content;
	assert_string(c, ht_cursor_varint(&ids), comments[0]);
	assert_string(c, ht_cursor_varint(&ids), comments[1]);
	assert_string(c, 0, "");
	while (next_field(&all, &f)) {
		assert_false(last == 6 && f.number != 6); /* the string table is last */
		last = f.number;
	}
	assert_int_equal(last, 6);
}

static void body(void **state)
{
	(void)state;
	struct ht_profile p = example();
	struct ht_cursor c = unzip(&p);
	assert_int_equal(count(c, 2), 3); /* the sample of zeros is left out */
	struct field s = field(c, 2, 0);
	struct ht_cursor ids = field(s.content, 1, 0).content, values = field(s.content, 2, 0).content;
	assert_int_equal(ht_cursor_varint(&ids), 1); /* leaf first */
	assert_int_equal(ht_cursor_varint(&ids), 2);
	for (int i = 0; i < 4; i++)
		assert_int_equal(ht_cursor_varint(&values), values_a[i]);
	assert_int_equal(ht_cursor_left(&values), 0);
	struct ht_cursor label = field(s.content, 3, 1).content;
	assert_string(c, field(label, 1, 0).v, "bytes");
	assert_int_equal(field(label, 3, 0).v, 64);
	assert_string(c, field(label, 4, 0).v, "bytes");
	values = field(field(c, 2, 1).content, 2, 0).content;
	assert_int_equal(ht_cursor_left(&values), 4); /* zeros inside are written */

	struct ht_cursor m = field(c, 3, 0).content;
	assert_int_equal(field(m, 1, 0).v, 1);
	assert_int_equal(field(m, 2, 0).v, 0x1000);
	assert_int_equal(field(m, 3, 0).v, 0x3000);
	assert_int_equal(field(m, 4, 0).v, 0x1000);
	assert_string(c, field(m, 5, 0).v, "/bin/app");
	assert_string(c, field(m, 6, 0).v, "0123abcd");
	assert_int_equal(count(m, 7) + count(m, 8) + count(m, 9) + count(m, 10), 4);
	m = field(c, 3, 1).content;
	assert_int_equal(count(m, 7) + count(m, 8) + count(m, 9) + count(m, 10), 0);

	struct ht_cursor l = field(c, 4, 0).content;
	assert_int_equal(field(l, 3, 0).v, 0x1234);
	assert_int_equal(field(field(l, 4, 0).content, 1, 0).v, 3); /* innermost first */
	assert_int_equal(field(field(l, 4, 0).content, 2, 0).v, 5);
	assert_int_equal(field(field(l, 4, 1).content, 1, 0).v, 2);
	assert_int_equal(count(field(c, 4, 2).content, 4), 0);
	struct ht_cursor fn = field(c, 5, 1).content;
	assert_string(c, field(fn, 2, 0).v, "acme::outer(int)");
	assert_string(c, field(fn, 3, 0).v, "_ZN4acme5outerEi");
	assert_string(c, field(fn, 4, 0).v, "/src/a.cc");
	assert_int_equal(field(fn, 5, 0).v, 20);
}

static void same_bytes(void **state)
{
	(void)state;
	static uint8_t a[65536], b[65536];
	struct ht_profile p = example();
	size_t n = export(&ht_exporter_pprof, &p, 0, a, sizeof(a));
	assert_int_equal(export(&ht_exporter_pprof, &p, 0, b, sizeof(b)), n);
	assert_memory_equal(a, b, n);
}

static void folded(void **state)
{
	(void)state;
	static uint8_t text[65536];
	struct ht_profile p = example();
	size_t n = export(&ht_exporter_folded, &p, 1, text, sizeof(text) - 1);
	text[n] = 0;
	assert_string_equal((char *)text, "main;[libx.so+0x555] 50\n"
					  "main;acme::outer(int);acme::inner:x 600\n");
	n = export(&ht_exporter_folded, &p, 3, text, sizeof(text) - 1);
	text[n] = 0;
	assert_string_equal((char *)text, "main;acme::outer(int);acme::inner:x 200\n");
	p.sample_count = 0;
	assert_int_equal(export(&ht_exporter_folded, &p, 0, text, sizeof(text)), 0);
}

static void full_disk(void **state)
{
	(void)state;
	struct ht_profile p = example();
	struct ht_diag d;
	FILE *full = fopen("/dev/full", "w");
	if (!full)
		skip();
	assert_int_equal(ht_exporter_pprof.write_profile(&p, 0, fileno(full), &d), HT_ERR_SYSTEM);
	assert_int_equal(ht_exporter_folded.write_profile(&p, 0, fileno(full), &d), HT_ERR_SYSTEM);
	assert_non_null(strstr(d.text, "No space"));
	fclose(full);
}

/* What go's own reader says of it. */
static void go_tool(void **state)
{
	(void)state;
	if (system("go version >/dev/null 2>&1"))
		skip();
	struct ht_profile p = example();
	struct ht_diag d;
	int fd = memfd_create("profile", 0);
	char command[256], text[16384];
	assert_int_equal(ht_exporter_pprof.write_profile(&p, 0, fd, &d), 0);
	snprintf(command, sizeof(command), "go tool pprof -symbolize=none -raw /proc/%d/fd/%d 2>&1", (int)getpid(), fd);
	FILE *out = popen(command, "r");
	text[fread(text, 1, sizeof(text) - 1, out)] = 0;
	assert_int_equal(pclose(out), 0);
	close(fd);
	assert_non_null(strstr(text, "inuse_space/bytes[dflt]"));
	assert_non_null(strstr(text, "          3        300          1        100: 1 2"));
	assert_non_null(strstr(text, "0x1234 M=1 acme::inner;x /src/a.h:5"));
	assert_non_null(strstr(text, "acme::outer(int) /src/a.cc:22"));
	assert_non_null(strstr(text, "0x555 M=2"));
	assert_non_null(strstr(text, "1: 0x1000/0x3000/0x1000 /bin/app 0123abcd [FN][FL][LN][IN]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head),	  cmocka_unit_test(body),      cmocka_unit_test(same_bytes),
		cmocka_unit_test(folded), cmocka_unit_test(full_disk), cmocka_unit_test(go_tool),
	};
	return cmocka_run_group_tests_name("pprof and folded", tests, NULL, NULL);
}
