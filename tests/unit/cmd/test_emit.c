/* The emitter: one sequence of calls, three golden outputs; strange strings and unknown values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emit.h"

static const struct ht_column columns[] = {
    {.key = "rank", .heading = "", .flags = HT_COLUMN_TEXT_ONLY},
    {.key = "function", .heading = "function", .flags = HT_COLUMN_LEFT | HT_COLUMN_FLEX},
    {.key = "self.bytes", .heading = "bytes"},
    {.key = "self.allocs", .heading = "calls"},
    {.key = "total.bytes", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "unresolved", .flags = HT_COLUMN_DATA_ONLY},
    {.key = "site", .heading = "site", .flags = HT_COLUMN_LEFT | HT_COLUMN_KEEP_END, .widest = 10},
    {0}};

static void row(struct ht_emitter *e, uint64_t rank, const char *function, uint64_t bytes,
		const char *site)
{
	ht_emit_cell(e, ht_number(rank));
	ht_emit_cell(e, ht_string(function));
	ht_emit_cell(e, ht_bytes(bytes));
	ht_emit_cell(e, ht_count(1234567));
	ht_emit_cell(e, ht_bytes(bytes + 1));
	ht_emit_cell(e, function ? ht_omit() : ht_string("no \"names\""));
	ht_emit_cell(e, ht_string(site));
	ht_emit_row(e);
}

/* What all three formats are made of. The caller frees. */
static char *emit_all(enum ht_emit_format format)
{
	struct ht_output out = {.fd = -1};
	struct ht_emitter e;
	ht_emit_begin(&e, format, &out, "heaptide.test/1");
	ht_emit_item(&e, "allocations", "allocations", ht_count(5412880));
	ht_emit_item(&e, "peak_bytes", "peak", ht_bytes(96 << 20));
	ht_emit_item(&e, "peak_time_ns", "at", ht_null());
	ht_emit_text(&e, " (measured)");
	ht_emit_newline(&e);
	ht_emit_array(&e, "command");
	ht_emit_json(&e, NULL, ht_string("a\xff\033\n\"b\\"));
	ht_emit_json(&e, NULL, ht_bool(true));
	ht_emit_close(&e);
	ht_emit_object(&e, "empty");
	ht_emit_close(&e);
	ht_emit_json(&e, "share", ht_share(1, 3));
	ht_emit_table(&e, "rows", columns);
	row(&e, 1, "cache_insert", 96 << 20, "src/cache.c:142");
	row(&e, 2, NULL, 10, NULL);
	row(&e, 3, "=cmd|' /C calc'!A0", 10, "a,\"b\"");
	ht_emit_table_end(&e, 7);
	ht_emit_end(&e);
	ht_buf_byte(&out.buf, '\0');
	return (char *)out.buf.data;
}

static void text(void **state)
{
	(void)state;
	static const char golden[] = "allocations 5,412,880   peak 96.0 MB   at - (measured)\n"
				     "   function                                                  "
				     "           bytes      calls  site\n"
				     "1  cache_insert                                              "
				     "         96.0 MB  1,234,567  …che.c:142\n"
				     "2  -                                                         "
				     "            10 B  1,234,567  -\n"
				     "3  =cmd|' /C calc'!A0                                        "
				     "            10 B  1,234,567  a,\"b\"\n";
	char *s = emit_all(HT_EMIT_TEXT);
	assert_string_equal(s, golden);
	free(s);
}

static void json(void **state)
{
	(void)state;
	static const char golden[] = "{\n"
				     "  \"schema\": \"heaptide.test/1\",\n"
				     "  \"allocations\": 5412880,\n"
				     "  \"peak_bytes\": 100663296,\n"
				     "  \"peak_time_ns\": null,\n"
				     "  \"command\": [\n"
				     "    \"a\xef\xbf\xbd\\u001b\\u000a\\\"b\\\\\",\n"
				     "    true\n"
				     "  ],\n"
				     "  \"empty\": {},\n"
				     "  \"share\": 0.333333,\n"
				     "  \"rows\": [\n"
				     "    {\n"
				     "      \"function\": \"cache_insert\",\n"
				     "      \"self\": {\n"
				     "        \"bytes\": 100663296,\n"
				     "        \"allocs\": 1234567\n"
				     "      },\n"
				     "      \"total\": {\n"
				     "        \"bytes\": 100663297\n"
				     "      },\n"
				     "      \"site\": \"src/cache.c:142\"\n"
				     "    },\n"
				     "    {\n"
				     "      \"function\": null,\n"
				     "      \"self\": {\n"
				     "        \"bytes\": 10,\n"
				     "        \"allocs\": 1234567\n"
				     "      },\n"
				     "      \"total\": {\n"
				     "        \"bytes\": 11\n"
				     "      },\n"
				     "      \"unresolved\": \"no \\\"names\\\"\",\n"
				     "      \"site\": null\n"
				     "    },\n"
				     "    {\n"
				     "      \"function\": \"=cmd|' /C calc'!A0\",\n"
				     "      \"self\": {\n"
				     "        \"bytes\": 10,\n"
				     "        \"allocs\": 1234567\n"
				     "      },\n"
				     "      \"total\": {\n"
				     "        \"bytes\": 11\n"
				     "      },\n"
				     "      \"site\": \"a,\\\"b\\\"\"\n"
				     "    }\n"
				     "  ],\n"
				     "  \"truncated_rows\": 7\n"
				     "}\n";
	char *s = emit_all(HT_EMIT_JSON);
	assert_string_equal(s, golden);
	free(s);
}

static void csv(void **state)
{
	(void)state;
	static const char golden[] = "function,self.bytes,self.allocs,total.bytes,unresolved,site\n"
				     "cache_insert,100663296,1234567,100663297,,src/cache.c:142\n"
				     ",10,1234567,11,\"no \"\"names\"\"\",\n"
				     "\"'=cmd|' /C calc'!A0\",10,1234567,11,,\"a,\"\"b\"\"\"\n";
	char *s = emit_all(HT_EMIT_CSV);
	assert_string_equal(s, golden);
	free(s);
}

/* Dots open objects within objects, and close as many as they must. */
static void nested_keys(void **state)
{
	static const struct ht_column deep[] = {{.key = "a.b.x"}, {.key = "a.b.y"}, {.key = "a.bc"},	{.key = "a.c.z"},
						{.key = "ab.x"},  {.key = "d"},	    {.key = "e.f.g"}, {0}};
	struct ht_output out = {.fd = -1};
	struct ht_emitter e;
	(void)state;
	ht_emit_begin(&e, HT_EMIT_JSON, &out, "heaptide.test/1");
	ht_emit_table(&e, "rows", deep);
	for (uint64_t n = 1; n <= 2; n++) {
		for (uint64_t i = 0; i < 7; i++)
			ht_emit_cell(&e, ht_number(10 * n + i));
		ht_emit_row(&e);
	}
	ht_emit_table_end(&e, UINT64_MAX);
	ht_emit_end(&e);
	ht_buf_byte(&out.buf, '\0');
	struct ht_buf packed = {0};
	for (const char *c = (char *)out.buf.data; *c; c++)
		if (*c != ' ' && *c != '\n')
			ht_buf_byte(&packed, (uint8_t)*c);
	ht_buf_byte(&packed, '\0');
	assert_string_equal((char *)packed.data,
			    "{\"schema\":\"heaptide.test/1\",\"rows\":["
			    "{\"a\":{\"b\":{\"x\":10,\"y\":11},\"bc\":12,\"c\":{\"z\":13}},\"ab\":{\"x\":14},\"d\":15,"
			    "\"e\":{\"f\":{\"g\":16}}},"
			    "{\"a\":{\"b\":{\"x\":20,\"y\":21},\"bc\":22,\"c\":{\"z\":23}},\"ab\":{\"x\":24},\"d\":25,"
			    "\"e\":{\"f\":{\"g\":26}}}]}");
	ht_buf_release(&packed);
	ht_buf_release(&out.buf);
}

static void frames(void **state)
{
	(void)state;
	const struct ht_emit_frame stack[] = {
	    {.function = "f", .file = "/a.c", .line = 3, .module = "/bin/a", .inlined = true},
	    {.module = "/lib/b.so",
	     .build_id = "00ff",
	     .address = 0x1f,
	     .unresolved = "no symbols"},
	};
	struct ht_value value = ht_frames(stack, 2);
	struct ht_buf b = {0};
	ht_value_json(&b, &value);
	ht_buf_byte(&b, '\0');
	assert_string_equal(
	    (char *)b.data,
	    "[{\"function\": \"f\", \"file\": \"/a.c\", \"line\": 3, \"module\": \"/bin/a\", "
	    "\"inlined\": true}, {\"function\": null, \"file\": null, \"line\": null, "
	    "\"module\": \"/lib/b.so\", \"inlined\": false, \"build_id\": \"00ff\", "
	    "\"address\": \"0x1f\", \"unresolved\": \"no symbols\"}]");
	b.len = 0;
	ht_value_text(&b, &value);
	ht_buf_byte(&b, '\0');
	assert_string_equal((char *)b.data, "f (inlined) ← 0x1f");
	ht_buf_release(&b);
}

/* Whatever the names, no line of a table is wider than the promise. */
static void tables_fit(void **state)
{
	(void)state;
	struct ht_output out = {.fd = -1};
	struct ht_emitter e;
	char name[400];
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ht_emit_begin(&e, HT_EMIT_TEXT, &out, "heaptide.test/1");
	ht_emit_table(&e, "rows", columns);
	row(&e, 1, name, UINT64_MAX, name);
	ht_emit_table_end(&e, 0);
	ht_emit_end(&e);
	ht_buf_byte(&out.buf, '\0');
	for (char *line = strtok((char *)out.buf.data, "\n"); line; line = strtok(NULL, "\n")) {
		size_t width = 0;
		for (const char *p = line; *p; p++)
			width += (*p & 0xc0) != 0x80;
		assert_true(width <= 100);
	}
	ht_buf_release(&out.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text),   cmocka_unit_test(json),	    cmocka_unit_test(csv),
	    cmocka_unit_test(frames), cmocka_unit_test(tables_fit), cmocka_unit_test(nested_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
