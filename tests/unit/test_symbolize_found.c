/* test_symbolize_found: debug information in other places: debuglink, split units, packed symbols, large modules, the vdso. */
#include "test_symbolize_common.h"

#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>

static const struct ht_symbolize_options plain = { .demangle = HT_DEMANGLE_SHORT };

struct answer {
	enum ht_symbols_kind kind;
	char reason[1024];
};

/* The reading of path says of every byte what that of `whole` says. */
static struct answer same_as(const char *whole, const char *path, const struct ht_symbolize_options *o, bool compare)
{
	struct functions all = functions_of(whole);
	struct ht_symbolizer *a = resolve_functions(&plain, whole, &all), *b = resolve_functions(o, path, &all);
	const char *reason;
	struct answer found = { .kind = ht_symbolizer_kind(b, 0, &reason) };
	snprintf(found.reason, sizeof(found.reason), "%s", reason);
	if (compare) {
		assert_string_equal(reason, "");
		assert_int_equal(found.kind, HT_SYMBOLS_DWARF);
		assert_same(a, b, &all);
	}
	ht_symbolizer_free(a);
	ht_symbolizer_free(b);
	free(all.list);
	return found;
}

static void debug_links(void **state)
{
	(void)state;
	same_as(fixture("gcc-O2-5"), fixture("linked/byid"), &plain, true);
	same_as(fixture("gcc-O2-5"), fixture("linked/bysum"), &plain, true);
	/* The file of another build, and one whose checksum is not the one that the program has. */
	struct answer a = same_as(fixture("gcc-O2-5"), fixture("linked/wrong"), &plain, false);
	assert_int_equal(a.kind, HT_SYMBOLS_NONE);
	assert_non_null(strstr(a.reason, "wrong.debug is not its debug file: build-id"));
	assert_non_null(strstr(a.reason, "--debug-dir"));
	a = same_as(fixture("gcc-O2-5"), fixture("linked/changed"), &plain, false);
	assert_int_equal(a.kind, HT_SYMBOLS_NONE);
	assert_non_null(strstr(a.reason, "changed.debug is not its debug file: wrong checksum"));
	/* A folder with the file by its name alone. */
	char folder[600];
	snprintf(folder, sizeof(folder), "%s/linked/.debug", HT_ELF_DIR);
	const char *folders[] = { folder };
	struct ht_symbolize_options o = { .debug_dirs = folders, .debug_dir_count = 1 };
	char path[] = "/tmp/ht_symbolize_XXXXXX", command[700];
	assert_non_null(mkdtemp(path));
	snprintf(command, sizeof(command), "cp '%s' %s/byid", fixture("no-names"), path);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "%s/byid", path);
	same_as(fixture("gcc-O2-5"), command, &o, true);
	unlink(command);
	rmdir(path);
}

static void split_units(void **state)
{
	(void)state;
	static const char *const names[] = { "gcc-4", "gcc-5", "clang-4", "clang-5" };
	size_t packed = 0;
	for (size_t i = 0; i < HT_ARRAY_SIZE(names); i++) {
		char whole[64], split[64], in_package[80], folder[600];
		snprintf(whole, sizeof(whole), "%.*s-O2-%s", (int)strlen(names[i]) - 2, names[i], names[i] + strlen(names[i]) - 1);
		snprintf(split, sizeof(split), "split-%s", names[i]);
		snprintf(in_package, sizeof(in_package), "packed/%s", split);
		snprintf(folder, sizeof(folder), "%s/dwo-%s", HT_ELF_DIR, split);
		const char *folders[] = { folder };
		struct ht_symbolize_options o = { .debug_dirs = folders, .debug_dir_count = 1 };
		if (!fixture_exists(whole) || !fixture_exists(split))
			continue;
		same_as(fixture(whole), fixture(split), &o, true);
		if (fixture_exists(in_package)) {
			same_as(fixture(whole), fixture(in_package), &plain, true);
			packed++;
		}
		/* Neither: lines stay, and what to do is said. */
		struct answer a = same_as(fixture(whole), fixture(split), &plain, false);
		assert_int_equal(a.kind, HT_SYMBOLS_DWARF);
		assert_non_null(strstr(a.reason, "6 of 6 units"));
		assert_non_null(strstr(a.reason, ".dwo"));
	}
	assert_true(packed >= 1 || system("command -v llvm-dwp >/dev/null") != 0);
}

/* Wrong .dwo files under the right names are not taken. */
static void split_units_of_another_build(void **state)
{
	(void)state;
	char folder[600];
	snprintf(folder, sizeof(folder), "%s/dwo-split-gcc-4", HT_ELF_DIR);
	const char *folders[] = { folder };
	struct ht_symbolize_options o = { .debug_dirs = folders, .debug_dir_count = 1 };
	if (!fixture_exists("split-gcc-5"))
		skip();
	struct answer a = same_as(fixture("gcc-O2-5"), fixture("split-gcc-5"), &o, false);
	assert_non_null(strstr(a.reason, "6 of 6 units"));
}

static void packed_symbols(void **state)
{
	(void)state;
	const char *reason;
	if (!fixture_exists("packed-symbols"))
		skip();
	struct functions all = functions_of(fixture("gcc-O2-5"));
	struct ht_symbolizer *s = resolve_functions(&plain, fixture("packed-symbols"), &all);
	assert_int_equal(ht_symbolizer_kind(s, 0, &reason), HT_SYMBOLS_SYMTAB);
	assert_non_null(strstr(reason, "no debug information"));
	for (size_t i = 0; i < all.count; i++)
		assert_true(ht_symbolizer_get(s, 0, all.list[i].address).count == 1);
	ht_symbolizer_free(s);
	/* One that unpacks to more than any symbol table needs. */
	s = resolve_functions(&plain, fixture("hostile-symbols"), &all);
	assert_int_equal(ht_symbolizer_kind(s, 0, &reason), HT_SYMBOLS_NONE);
	ht_symbolizer_free(s);
	free(all.list);
}

/* Several children read one file, each its share of the units. */
static void large_modules(void **state)
{
	(void)state;
	static const char *const names[] = { "gcc-O2-5", "gcc-O2-4", "clang-O2-5", "gcc-O0-4", "dwz/one", "packed-zlib" };
	struct ht_symbolize_options o = { .split_size = 1 };
	for (size_t i = 0; i < HT_ARRAY_SIZE(names); i++)
		if (fixture_exists(names[i]))
			same_as(fixture(i == 4 ? "gcc-O2-4" : i == 5 ? "gcc-O2-5" : names[i]), fixture(names[i]), &o, true);
	struct answer a = same_as(fixture("gcc-O2-5"), fixture("symtab-only"), &o, false);
	assert_int_equal(a.kind, HT_SYMBOLS_SYMTAB);
}

/* The kernel's library: "[vdso]" is answered from this process's own. */
static void the_vdso(void **state)
{
	(void)state;
	const uint8_t *start = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);
	if (!start)
		skip();
	const ElfW(Ehdr) *h = (const void *)start;
	const ElfW(Phdr) *p = (const void *)(start + h->e_phoff);
	uint64_t size = 0;
	for (size_t i = 0; i < h->e_phnum; i++)
		if (p[i].p_type == PT_LOAD)
			size = p[i].p_memsz;
	struct ht_symbolizer *s = resolve_range(&plain, "[vdso]", 0, size);
	assert_int_equal(ht_symbolizer_kind(s, 0, NULL), HT_SYMBOLS_DYNSYM);
	bool found = false;
	for (uint64_t a = 0; a < size; a++) {
		struct ht_symbol y = ht_symbolizer_get(s, 0, a);
		found |= y.count && y.frames[0].function && strstr(y.frames[0].function, "clock_gettime");
	}
	assert_true(found);
	ht_symbolizer_free(s);
	/* That of another kernel. */
	static const uint8_t other[20] = { 1 };
	s = ht_symbolizer_new(&plain);
	ht_symbolizer_module(s, 0, "[vdso]", other, sizeof(other));
	ht_symbolizer_want(s, 0, 0x800);
	ht_symbolizer_resolve(s, NULL, NULL);
	assert_int_equal(ht_symbolizer_kind(s, 0, NULL), HT_SYMBOLS_MISMATCH);
	ht_symbolizer_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(debug_links),	   cmocka_unit_test(split_units),   cmocka_unit_test(split_units_of_another_build),
		cmocka_unit_test(packed_symbols), cmocka_unit_test(large_modules), cmocka_unit_test(the_vdso),
	};
	return cmocka_run_group_tests_name("symbolize found", tests, NULL, NULL);
}
