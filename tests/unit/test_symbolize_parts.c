/* test_symbolize_parts: the pieces that can be asked directly: demangling, suffixes, line programs, replies. */
#include "test_symbolize_common.h"

#include "sym_demangle.h"
#include "sym_reply.h"
#include "sym_rows.h"
#include "sym_table.h"

#include <unistd.h>

static void assert_demangled(const char *name, enum ht_demangle how, const char *want)
{
	char *got = sym_demangle(name, how);
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
	free(got);
}

static void names_are_demangled(void **state)
{
	(void)state;
	assert_demangled("main", HT_DEMANGLE_FULL, NULL);
	assert_demangled("_Zgarbage", HT_DEMANGLE_FULL, NULL);
	assert_demangled("_ZN2ns3fooEii", HT_DEMANGLE_NONE, NULL);
	assert_demangled("_ZN2ns3fooEii", HT_DEMANGLE_FULL, "ns::foo(int, int)");
	assert_demangled("_ZN2ns3fooEii", HT_DEMANGLE_SHORT, "ns::foo");
	assert_demangled("_Z3maxIiET_S0_S0_", HT_DEMANGLE_FULL, "int max<int>(int, int)");
	assert_demangled("_Z3maxIiET_S0_S0_", HT_DEMANGLE_SHORT, "max<int>");
	assert_demangled("_ZlsRSoRK1A", HT_DEMANGLE_SHORT, "operator<<");
	assert_demangled("_ZZ4mainENKUliE_clEi", HT_DEMANGLE_SHORT, "main::{lambda(int)#1}::operator()");
	assert_demangled("_RNvCs1234_7mycrate3foo", HT_DEMANGLE_SHORT, "mycrate::foo");
	assert_demangled("_ZN3std2rt10lang_start17h0123456789abcdefE", HT_DEMANGLE_SHORT, "std::rt::lang_start");
	assert_demangled("_D3std5stdio6File_A5closeMFNfZv", HT_DEMANGLE_SHORT, "std.stdio.File_A.close");
	assert_demangled("_D8demangle4testFiZv", HT_DEMANGLE_FULL, "demangle.test(int)");
	assert_demangled("_D8demangle4testFiZv", HT_DEMANGLE_SHORT, "demangle.test");
	assert_demangled("_D8demangle9__T4testZv", HT_DEMANGLE_SHORT, "demangle.test!()");
	assert_demangled("_DYNAMIC", HT_DEMANGLE_SHORT, NULL);
}

static void assert_short(const char *name, const char *want)
{
	char buf[512];
	snprintf(buf, sizeof(buf), "%s", name);
	sym_shorten(buf);
	assert_string_equal(buf, want);
}

static void long_template_arguments_are_cut(void **state)
{
	(void)state;
	char a[512], b[512];
	assert_short("std::vector<int>::push_back", "std::vector<int>::push_back");
	assert_short("a::operator<< <int>", "a::operator<< <int>");
	assert_short("a::operator->", "a::operator->");
	assert_short("a<unclosed<b", "a<unclosed<b");
	assert_short(">>>> <<<<", ">>>> <<<<");
	assert_short("a.b!(int).c", "a.b!(int).c");
	assert_short("a.b!(unclosed", "a.b!(unclosed");
	snprintf(a, sizeof(a), "std::map<int, std::vector<std::basic_string<char, std::allocator<char> > > >::insert");
	snprintf(b, sizeof(b), "std::map<int, std::vector<std::basic_string<wchar_t, std::allocator<char> > > >::insert");
	sym_shorten(a);
	sym_shorten(b);
	assert_true(strlen(a) < 48);
	assert_memory_equal(a, "std::map<int, ..#", 17);
	assert_true(ends_with(a, ">::insert"));
	assert_string_not_equal(a, b);
}

static void names_that_unfold_without_end(void **state)
{
	(void)state;
	/* Each step of this name doubles what the one before printed. */
	struct ht_buf b = { 0 };
	ht_buf_printf(&b, "_Z1fI1A");
	for (int i = 0; i < 40; i++)
		ht_buf_printf(&b, "1BIS%s_S%s_E", i ? "0" : "", i ? "0" : "");
	ht_buf_printf(&b, "EvT_");
	ht_buf_byte(&b, 0);
	free(sym_demangle((const char *)b.data, HT_DEMANGLE_FULL));
	ht_buf_release(&b);
	char *deep = malloc(8000);
	memset(deep, 'P', 7999);
	memcpy(deep, "_Z1f", 4);
	deep[7999] = '\0';
	free(sym_demangle(deep, HT_DEMANGLE_FULL));
	free(deep);
}

static void clone_suffixes(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t base;
	} cases[] = {
		{ "foo", 3 },		{ "foo.isra.0", 3 },	   { "foo.part.1.cold", 3 }, { "foo.constprop.0", 3 },
		{ "foo.lto_priv.12", 3 }, { "foo.llvm.1234", 3 },  { "foo.cold", 3 },	     { "main.main.func1.2", 17 },
		{ "foo.partial", 11 },	{ "environ@GLIBC_2.2.5", 7 }, { "malloc@plt", 10 },  { ".isra.0", 7 },
		{ "read@@GLIBC_2.0", 4 }, { "", 0 },
	};
	for (size_t i = 0; i < HT_ARRAY_SIZE(cases); i++)
		assert_int_equal(sym_base_length(cases[i].name), cases[i].base);
}

/* A DWARF 5 table whose program first uses the file register as it starts: 1, not 0. */
static void line_programs(void **state)
{
	(void)state;
	static const uint8_t table[] = {
		36, 0, 0, 0, 5, 0, 8, 0, 9, 0, 0, 0, /* length, version, address and selector size, header length */
		1, 1, 1, 0xfb, 14, 4, 0, 1, 1,	     /* min length, ops, is_stmt, base -5, range 14, opcodes 1..3 */
		0, 5, 2, 0, 0x10, 0, 0,		     /* set_address 0x1000 */
		3, 9, 1, 0x90,			     /* line 10, copy; special: opcode 0x90 - 4 = 140: +10, line -5 */
		2, 4, 0, 1, 1,			     /* advance_pc 4, end of sequence */
	};
	uint8_t t[sizeof(table)];
	struct sym_rows r;
	struct sym_row row;
	memcpy(t, table, sizeof(t));
	t[0] = sizeof(t) - 4;
	/* opcode_base 4: opcodes 1, 2, 3 are copy, advance_pc, advance_line. */
	assert_true(sym_rows_start(&r, t, sizeof(t), 0, false));
	assert_true(sym_rows_next(&r, &row));
	assert_int_equal(row.address, 0x1000);
	assert_int_equal(row.file, 1);
	assert_int_equal(row.line, 10);
	assert_true(sym_rows_next(&r, &row));
	assert_int_equal(row.address, 0x100a);
	assert_int_equal(row.line, 5);
	assert_true(sym_rows_next(&r, &row));
	assert_true(row.end);
	assert_int_equal(row.address, 0x100e);
	assert_false(sym_rows_next(&r, &row));
	/* Any prefix of it, and any byte of it changed, ends as well. */
	for (size_t n = 0; n < sizeof(t); n++)
		for (size_t i = 0; i < sizeof(t); i++) {
			uint8_t bad[sizeof(t)];
			memcpy(bad, t, sizeof(t));
			bad[i] ^= 0xff;
			size_t rows = 0;
			if (sym_rows_start(&r, bad, n, 0, false))
				while (sym_rows_next(&r, &row))
					rows++;
			assert_true(rows <= sizeof(t));
		}
	assert_false(sym_rows_start(&r, t, sizeof(t), 1000, false));
}

static int no_file(void *ctx, const struct sym_question *q, char *path, size_t size)
{
	(void)q, (void)path, (void)size;
	++*(int *)ctx;
	return -1;
}

static struct sym_answer answers[4];
static struct sym_arena arena;
static int files_asked;

static struct sym_reply new_reply(void)
{
	memset(answers, 0, sizeof(answers));
	return (struct sym_reply){ .arena = &arena, .answers = answers, .answer_count = 4, .open_file = no_file,
				   .ctx = &files_asked, .socket = -1 };
}

static struct ht_buf good_reply(void)
{
	int ends[2];
	struct ht_buf b = { 0 };
	assert_int_equal(pipe(ends), 0);
	struct sym_out o = { .fd = ends[1] };
	struct sym_wire_frame f[2] = { { .line = 3, .inlined = true }, { .line = 9, .inlined = true } };
	f[0].function = sym_out_string(&o, "inner");
	f[0].file = sym_out_string(&o, "/a.c");
	f[1].function = sym_out_string(&o, "outer");
	assert_int_equal(sym_out_string(&o, "inner"), 1);
	sym_out_answer(&o, 2, f, 2);
	sym_out_kind(&o, HT_SYMBOLS_DWARF, "a\x1b[31m reason");
	sym_out_done(&o);
	ht_buf_reserve(&b, 4096);
	b.len = (size_t)read(ends[0], b.data, 4096);
	close(ends[0]);
	close(ends[1]);
	ht_buf_release(&o.buf);
	sym_strings_release(&o.strings);
	return b;
}

static void replies_are_believed_only_so_far(void **state)
{
	(void)state;
	struct ht_buf good = good_reply();
	struct sym_reply r = new_reply();
	for (size_t i = 0; i < good.len; i++) /* byte by byte */
		assert_int_equal(sym_reply_feed(&r, good.data + i, 1), 0);
	assert_true(r.done && r.has_kind);
	assert_string_equal(r.reason, "a?[31m reason");
	assert_int_equal(answers[2].count, 2);
	assert_string_equal(answers[2].frames[0].function, "inner");
	assert_string_equal(answers[2].frames[0].file, "/a.c");
	assert_true(answers[2].frames[0].inlined);
	assert_false(answers[2].frames[1].inlined); /* the last one never is */
	sym_reply_release(&r);

	srand(11);
	for (int i = 0; i < 3000; i++) {
		struct ht_buf bad = { 0 };
		ht_buf_append(&bad, good.data, good.len);
		for (int k = rand() % 4; k >= 0; k--)
			bad.data[(size_t)rand() % bad.len] = (uint8_t)rand();
		r = new_reply();
		(void)sym_reply_feed(&r, bad.data, bad.len);
		for (size_t a = 0; a < 4; a++)
			for (uint32_t k = 0; k < answers[a].count; k++)
				assert_non_null(answers[a].frames[k].suffix);
		sym_reply_release(&r);
		ht_buf_release(&bad);
	}
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 1 }, unknown[] = { 0, 0, 0, 0, 99 };
	r = new_reply();
	assert_int_equal(sym_reply_feed(&r, huge, sizeof(huge)), HT_ERR_DAMAGED);
	sym_reply_release(&r);
	r = new_reply();
	assert_int_equal(sym_reply_feed(&r, unknown, sizeof(unknown)), HT_ERR_DAMAGED);
	sym_reply_release(&r);
	ht_buf_release(&good);
	sym_arena_release(&arena);
}

static void the_map_holds_what_was_put(void **state)
{
	(void)state;
	struct sym_map m = { 0 };
	for (uint32_t i = 1; i <= 20000; i++)
		sym_map_put(&m, (uint64_t)i << 12, i);
	sym_map_put(&m, 0, 7);
	for (uint32_t i = 1; i <= 20000; i++)
		assert_int_equal(sym_map_get(&m, (uint64_t)i << 12), i);
	assert_int_equal(sym_map_get(&m, 0), 7);
	assert_int_equal(sym_map_get(&m, 1), 0);
	assert_int_equal(m.count, 20001);
	sym_map_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_demangled), cmocka_unit_test(long_template_arguments_are_cut),
		cmocka_unit_test(names_that_unfold_without_end), cmocka_unit_test(clone_suffixes),
		cmocka_unit_test(line_programs), cmocka_unit_test(replies_are_believed_only_so_far),
		cmocka_unit_test(the_map_holds_what_was_put),
	};
	return cmocka_run_group_tests_name("symbolize parts", tests, NULL, NULL);
}
