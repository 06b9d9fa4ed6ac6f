/* test_symbolize_files: which file is read, and what is said when it is not the right one or holds little. */
#include "test_symbolize_common.h"

#include <sys/stat.h>
#include <unistd.h>

static const struct ht_symbolize_options plain = { .demangle = HT_DEMANGLE_SHORT };

static enum ht_symbols_kind kind_of(const char *path, const uint8_t *id, size_t id_len, const struct ht_symbolize_options *o,
				    char reason[512])
{
	struct ht_symbolizer *s = ht_symbolizer_new(o);
	const char *why;
	ht_symbolizer_module(s, 0, path, id, id_len);
	ht_symbolizer_want(s, 0, 0x1234);
	ht_symbolizer_resolve(s, NULL, NULL);
	enum ht_symbols_kind kind = ht_symbolizer_kind(s, 0, &why);
	snprintf(reason, 512, "%s", why);
	ht_symbolizer_free(s);
	return kind;
}

static void files_that_are_not_there(void **state)
{
	(void)state;
	char reason[512];
	assert_int_equal(kind_of("/nonexistent/lib.so", NULL, 0, &plain, reason), HT_SYMBOLS_MISSING);
	assert_string_equal(reason, "no such file");
	assert_int_equal(kind_of("[stack]", NULL, 0, &plain, reason), HT_SYMBOLS_MISSING);
	assert_int_equal(kind_of("", NULL, 0, &plain, reason), HT_SYMBOLS_MISSING);
	assert_int_equal(kind_of("/tmp", NULL, 0, &plain, reason), HT_SYMBOLS_MISSING);
	assert_string_equal(reason, "not a regular file");
	assert_int_equal(kind_of("/dev/zero", NULL, 0, &plain, reason), HT_SYMBOLS_MISSING);
	assert_int_equal(kind_of(HT_ELF_SOURCES "/sink.c", NULL, 0, &plain, reason), HT_SYMBOLS_BROKEN);
	assert_non_null(strstr(reason, "not an ELF file"));
}

static void build_ids_must_match(void **state)
{
	(void)state;
	char reason[512];
	uint8_t id[64];
	size_t n = build_id(fixture("gcc-O2-5"), id);
	assert_int_equal(kind_of(fixture("gcc-O2-5"), id, n, &plain, reason), HT_SYMBOLS_DWARF);
	assert_string_equal(reason, "");
	assert_int_equal(kind_of(fixture("gcc-O2-4"), id, n, &plain, reason), HT_SYMBOLS_MISMATCH);
	assert_non_null(strstr(reason, "is not the recorded"));
	assert_int_equal(kind_of(fixture("gcc-O2-5"), id, n - 1, &plain, reason), HT_SYMBOLS_MISMATCH);
	/* The right debug file helps when the program itself was replaced, or is gone. */
	char folder[600];
	snprintf(folder, sizeof(folder), "%s/debug", HT_ELF_DIR);
	const char *folders[] = { folder };
	struct ht_symbolize_options o = { .debug_dirs = folders, .debug_dir_count = 1 };
	assert_int_equal(kind_of(fixture("gcc-O2-4"), id, n, &o, reason), HT_SYMBOLS_DWARF);
	assert_int_equal(kind_of("/nonexistent/program", id, n, &o, reason), HT_SYMBOLS_DWARF);
}

static void packed_and_separated_files(void **state)
{
	(void)state;
	static const char *const forms[] = { "packed-zlib", "packed-zdebug", "packed-zstd", "no-names" };
	char folder[600];
	snprintf(folder, sizeof(folder), "%s/debug", HT_ELF_DIR);
	const char *folders[] = { "/nonexistent", folder };
	struct ht_symbolize_options o = { .debug_dirs = folders, .debug_dir_count = 2 };
	struct functions all = functions_of(fixture("gcc-O2-5"));
	struct ht_symbolizer *whole = resolve_functions(&plain, fixture("gcc-O2-5"), &all);
	for (size_t i = 0; i < HT_ARRAY_SIZE(forms); i++) {
		if (!fixture_exists(forms[i]))
			continue;
		struct ht_symbolizer *s = resolve_functions(i == 3 ? &o : &plain, fixture(forms[i]), &all);
		assert_int_equal(ht_symbolizer_kind(s, 0, NULL), HT_SYMBOLS_DWARF);
		assert_same(whole, s, &all);
		ht_symbolizer_free(s);
	}
	ht_symbolizer_free(whole);
	free(all.list);
}

static void files_without_debug_information(void **state)
{
	(void)state;
	const char *reason;
	struct functions all = functions_of(fixture("gcc-O2-5"));
	const struct function *clone = function_named(&all, "deep_clone");
	struct ht_symbolizer *s = resolve_range(&plain, fixture("symtab-only"), clone->address, clone->address + 2);
	assert_int_equal(ht_symbolizer_kind(s, 0, &reason), HT_SYMBOLS_SYMTAB);
	assert_non_null(strstr(reason, "no debug information"));
	struct ht_symbol y = ht_symbolizer_get(s, 0, clone->address + 1);
	assert_int_equal(y.count, 1);
	assert_string_equal(y.frames[0].function, "deep_clone");
	assert_null(y.frames[0].file);
	assert_int_equal(y.frames[0].line, 0);
	ht_symbolizer_free(s);

	s = resolve_range(&plain, fixture("no-names"), clone->address, clone->address + 1);
	assert_int_equal(ht_symbolizer_kind(s, 0, &reason), HT_SYMBOLS_NONE);
	y = ht_symbolizer_get(s, 0, clone->address);
	assert_int_equal(y.count, 0);
	assert_true(strlen(y.reason) > 0);
	ht_symbolizer_free(s);
	free(all.list);

	all = functions_of(fixture("gcc-so"));
	const struct function *entry = function_named(&all, "deep_entry");
	s = resolve_range(&plain, fixture("dynsym-only"), entry->address, entry->address + entry->size);
	assert_int_equal(ht_symbolizer_kind(s, 0, &reason), HT_SYMBOLS_DYNSYM);
	assert_string_equal(ht_symbolizer_get(s, 0, entry->address + 3).frames[0].function, "deep_entry");
	ht_symbolizer_free(s);
	free(all.list);
}

static void stubs_have_names(void **state)
{
	(void)state;
	char command[700];
	unsigned long plt = 0;
	snprintf(command, sizeof(command), "objdump -d '%s' | sed -n 's/^\\([0-9a-f]*\\) <sink@plt>:/\\1/p'", fixture("gcc-so"));
	FILE *in = popen(command, "r");
	assert_non_null(in);
	int got = fscanf(in, "%lx", &plt);
	pclose(in);
	if (got != 1)
		skip(); /* other machine, or a linker without stubs */
	struct ht_symbolizer *s = resolve_range(&plain, fixture("gcc-so"), plt, plt + 1);
	assert_string_equal(ht_symbolizer_get(s, 0, plt).frames[0].function, "sink@plt");
	ht_symbolizer_free(s);
}

static void the_system_root_is_prefixed(void **state)
{
	(void)state;
	char reason[512];
	struct ht_symbolize_options o = { .sysroot = HT_ELF_DIR };
	assert_int_equal(kind_of("/gcc-O2-5", NULL, 0, &o, reason), HT_SYMBOLS_DWARF);
	o.sysroot = "/nonexistent";
	assert_int_equal(kind_of(fixture("gcc-O2-5"), NULL, 0, &o, reason), HT_SYMBOLS_MISSING);
}

/* Names that dwz moved to a common file: found with it, absent and never garbage without it. */
static void common_files_of_dwz(void **state)
{
	(void)state;
	if (!fixture_exists("dwz/one") || !fixture_exists("dwz/alone"))
		skip();
	struct functions all = functions_of(fixture("gcc-O2-4"));
	struct ht_symbolizer *whole = resolve_functions(&plain, fixture("gcc-O2-4"), &all);
	struct ht_symbolizer *s = resolve_functions(&plain, fixture("dwz/one"), &all);
	assert_same(whole, s, &all);
	ht_symbolizer_free(s);

	char folder[] = "/tmp/ht_symbolize_XXXXXX", path[64], command[700];
	const char *reason;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/alone", folder);
	snprintf(command, sizeof(command), "cp '%s' %s", fixture("dwz/alone"), path);
	assert_int_equal(system(command), 0);
	s = resolve_functions(&plain, path, &all);
	assert_int_equal(ht_symbolizer_kind(s, 0, &reason), HT_SYMBOLS_DWARF);
	assert_non_null(strstr(reason, "common"));
	size_t absent = 0;
	for (size_t i = 0; i < all.count; i++)
		for (uint64_t a = all.list[i].address; a < all.list[i].address + all.list[i].size; a++) {
			struct ht_symbol y = ht_symbolizer_get(s, 0, a), x = ht_symbolizer_get(whole, 0, a);
			assert_int_equal(x.count, y.count);
			for (size_t k = 0; k < y.count; k++) {
				const char *name = y.frames[k].function;
				absent += !name;
				if (name)
					assert_string_equal(name, x.frames[k].function);
				assert_int_equal(y.frames[k].line, x.frames[k].line);
			}
		}
	assert_true(absent > 0);
	ht_symbolizer_free(s);
	ht_symbolizer_free(whole);
	free(all.list);
	unlink(path);
	rmdir(folder);
}

struct seen {
	size_t calls, done, total;
};

static void count_progress(void *ctx, size_t done, size_t total)
{
	struct seen *p = ctx;
	assert_true(done >= p->done && done <= total);
	*p = (struct seen){ p->calls + 1, done, total };
}

static void many_modules_and_a_second_round(void **state)
{
	(void)state;
	static const char *const names[] = {
		"gcc-O0-4", "missing", "gcc-O2-5", "gcc-so", "no-names", "gcc-nopie", "symtab-only", "gcc-O2-4",
	};
	struct functions all = functions_of(fixture("gcc-O2-5"));
	const struct function *f = function_named(&all, "call_a");
	struct ht_symbolizer *s = ht_symbolizer_new(&plain);
	struct seen seen = { 0 };
	for (uint32_t i = 0; i < HT_ARRAY_SIZE(names); i++) {
		ht_symbolizer_module(s, i, fixture(names[i]), NULL, 0);
		ht_symbolizer_want(s, i, f->address);
		ht_symbolizer_want(s, i, f->address);
	}
	ht_symbolizer_want(s, 4711, f->address); /* no such module */
	ht_symbolizer_resolve(s, count_progress, &seen);
	assert_int_equal(seen.done, HT_ARRAY_SIZE(names));
	assert_int_equal(seen.total, HT_ARRAY_SIZE(names));
	assert_int_equal(ht_symbolizer_kind(s, 1, NULL), HT_SYMBOLS_MISSING);
	struct ht_symbol first = ht_symbolizer_get(s, 2, f->address);
	assert_string_equal(first.frames[first.count - 1].function, "call_a");
	assert_int_equal(ht_symbolizer_get(s, 2, f->address + 1).count, 0);
	assert_int_equal(ht_symbolizer_get(s, 4711, f->address).count, 0);

	ht_symbolizer_want(s, 2, f->address + 1);
	ht_symbolizer_resolve(s, NULL, NULL);
	struct ht_symbol again = ht_symbolizer_get(s, 2, f->address);
	assert_ptr_equal(again.frames, first.frames);
	assert_true(ht_symbolizer_get(s, 2, f->address + 1).count > 0);
	ht_symbolizer_free(s);
	free(all.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_are_not_there), cmocka_unit_test(build_ids_must_match),
		cmocka_unit_test(packed_and_separated_files), cmocka_unit_test(files_without_debug_information),
		cmocka_unit_test(stubs_have_names), cmocka_unit_test(the_system_root_is_prefixed),
		cmocka_unit_test(common_files_of_dwz), cmocka_unit_test(many_modules_and_a_second_round),
	};
	return cmocka_run_group_tests_name("symbolize files", tests, NULL, NULL);
}
