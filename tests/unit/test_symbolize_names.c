/*
 * test_symbolize_names: functions, files, lines and inlined chains of programs whose source is
 * known, for every compiler, optimisation level and DWARF version there is; then the same against
 * what addr2line and llvm-symbolizer say of every byte of code.
 */
#include "test_symbolize_common.h"

#include <unistd.h>

static const char *const variants[] = {
	"gcc-O0-4", "gcc-O0-5", "gcc-O2-4", "gcc-O2-5", "clang-O0-4", "clang-O0-5",
	"clang-O2-4", "clang-O2-5", "gcc-nopie", "gcc-so", "clang-so",
};
static const struct ht_symbolize_options plain = { .demangle = HT_DEMANGLE_SHORT };

/* The longest chain among the addresses of one function. */
static struct ht_symbol deepest(const struct ht_symbolizer *s, const struct function *f)
{
	struct ht_symbol best = { 0 };
	for (uint64_t a = f->address; a < f->address + f->size; a++) {
		struct ht_symbol y = ht_symbolizer_get(s, 0, a);
		if (y.count > best.count)
			best = y;
	}
	return best;
}

static void nine_levels_of_inlining(void **state)
{
	(void)state;
	for (size_t v = 0; v < HT_ARRAY_SIZE(variants); v++) {
		if (!fixture_exists(variants[v]))
			continue;
		struct functions all = functions_of(fixture(variants[v]));
		const struct function *f = function_named(&all, "deep_entry");
		struct ht_symbolizer *s = resolve_range(&plain, fixture(variants[v]), f->address, f->address + f->size);
		assert_int_equal(ht_symbolizer_kind(s, 0, NULL), HT_SYMBOLS_DWARF);
		struct ht_symbol y = deepest(s, f);
		/* At -O2 sink itself may be inlined, too: skip it. */
		size_t first = y.count > 10 ? y.count - 10 : 0;
		assert_int_equal(y.count - first, 10);
		for (int level = 9; level >= 0; level--) {
			const struct ht_symbol_frame *frame = &y.frames[first + 9 - (size_t)level];
			char name[16], marker[16];
			snprintf(name, sizeof(name), level ? "level%d" : "deep_entry", level);
			snprintf(marker, sizeof(marker), "L%d", level);
			assert_string_equal(frame->function, name);
			assert_true(frame->file && frame->file[0] == '/' && ends_with(frame->file, "/deep_inline.c"));
			assert_int_equal(frame->line, marker_line("deep_inline.c", marker));
			assert_int_equal(frame->inlined, level > 0);
			assert_true(frame->start_line > 0 && frame->start_line <= frame->line);
			assert_string_equal(frame->suffix, "");
		}
		ht_symbolizer_free(s);
		free(all.list);
	}
}

static void physical_functions_alone(void **state)
{
	(void)state;
	struct ht_symbolize_options o = { .no_inline = true };
	struct functions all = functions_of(fixture("gcc-O2-5"));
	const struct function *f = function_named(&all, "deep_entry");
	struct ht_symbolizer *s = resolve_range(&o, fixture("gcc-O2-5"), f->address, f->address + f->size);
	for (uint64_t a = f->address; a < f->address + f->size; a++) {
		struct ht_symbol y = ht_symbolizer_get(s, 0, a);
		assert_int_equal(y.count, 1);
		assert_string_equal(y.frames[0].function, "deep_entry");
		assert_true(y.frames[0].line >= y.frames[0].start_line);
		assert_true(y.frames[0].line <= marker_line("deep_inline.c", "L0") + 1);
	}
	ht_symbolizer_free(s);
	free(all.list);
}

static void equal_names_in_two_files(void **state)
{
	(void)state;
	for (size_t v = 0; v < HT_ARRAY_SIZE(variants); v++) {
		if (!fixture_exists(variants[v]))
			continue;
		struct functions all = functions_of(fixture(variants[v]));
		struct ht_symbolizer *s = resolve_functions(&plain, fixture(variants[v]), &all);
		unsigned a = 0, b = 0;
		for (size_t i = 0; i < all.count; i++) {
			if (strcmp(all.list[i].name, "same_name"))
				continue;
			struct ht_symbol y = ht_symbolizer_get(s, 0, all.list[i].address);
			const struct ht_symbol_frame *last = &y.frames[y.count - 1];
			assert_string_equal(last->function, "same_name");
			bool is_a = ends_with(last->file, "same_name_a.c");
			assert_true(is_a || ends_with(last->file, "same_name_b.c"));
			a += is_a;
			b += !is_a;
			uint32_t line = is_a ? marker_line("same_name_a.c", "A") : marker_line("same_name_b.c", "B");
			assert_in_range(last->line, line - 2, line);
			assert_int_equal(last->start_line, line - 2);
		}
		assert_int_equal(a, 1);
		assert_int_equal(b, 1);
		ht_symbolizer_free(s);
		free(all.list);
	}
}

/* Is there an address where function, inlined into caller, is called from the line of marker? */
static bool inlined_at(const struct ht_symbolizer *s, const struct functions *all, const char *function,
		       const char *caller, const char *marker)
{
	uint32_t line = marker_line("cxx_names.cc", marker);
	for (size_t i = 0; i < all->count; i++)
		for (uint64_t a = all->list[i].address; a < all->list[i].address + all->list[i].size; a++) {
			struct ht_symbol y = ht_symbolizer_get(s, 0, a);
			for (size_t k = 0; k + 1 < y.count; k++)
				if (y.frames[k].function && !strcmp(y.frames[k].function, function) &&
				    !strcmp(y.frames[k + 1].function, caller) && y.frames[k + 1].line == line)
					return true;
		}
	return false;
}

/* Is there a physical function of that plain name, with a line at marker? */
static bool defined_at(const struct ht_symbolizer *s, const struct functions *all, const char *function, const char *marker)
{
	uint32_t line = marker_line("cxx_names.cc", marker);
	for (size_t i = 0; i < all->count; i++)
		for (uint64_t a = all->list[i].address; a < all->list[i].address + all->list[i].size; a++) {
			struct ht_symbol y = ht_symbolizer_get(s, 0, a);
			const struct ht_symbol_frame *f = y.count ? &y.frames[y.count - 1] : NULL;
			if (f && f->function && !strcmp(f->function, function) && f->line == line)
				return true;
		}
	return false;
}

static void names_of_cxx(void **state)
{
	(void)state;
	for (size_t v = 0; v < HT_ARRAY_SIZE(variants); v++) {
		if (!fixture_exists(variants[v]))
			continue;
		struct functions all = functions_of(fixture(variants[v]));
		struct ht_symbolizer *s = resolve_functions(&plain, fixture(variants[v]), &all);
		assert_true(inlined_at(s, &all, "outer::inner::helper", "outer::use_local", "CALL_HELPER"));
		assert_true(inlined_at(s, &all, "outer::(anonymous namespace)::box<int, 3>::peek",
				       "outer::(anonymous namespace)::box<int, 3>::get", "GET"));
		assert_true(inlined_at(s, &all, "outer::(anonymous namespace)::box<char, 7>::peek",
				       "outer::(anonymous namespace)::box<char, 7>::get", "GET"));
		assert_true(defined_at(s, &all, "outer::inner::shape::area", "AREA"));
		assert_true(defined_at(s, &all, "outer::inner::shape::operator<<", "SHIFT"));
		assert_true(defined_at(s, &all, "outer::use_local(int)::local::method", "METHOD"));
		ht_symbolizer_free(s);
		free(all.list);
	}
}

static void clone_suffixes_are_apart(void **state)
{
	(void)state;
	struct functions all = functions_of(fixture("gcc-O2-5"));
	struct ht_symbolizer *s = resolve_functions(&plain, fixture("gcc-O2-5"), &all);
	size_t clones = 0;
	for (size_t i = 0; i < all.count; i++) {
		char *dot = strchr(all.list[i].name, '.');
		struct ht_symbol y = ht_symbolizer_get(s, 0, all.list[i].address);
		const struct ht_symbol_frame *f = &y.frames[y.count - 1];
		assert_true(y.count > 0);
		assert_string_equal(f->suffix, dot ? dot : "");
		assert_null(strchr(f->function, '.'));
		if (dot)
			assert_string_equal(f->linkage, all.list[i].name);
		clones += dot != NULL;
	}
	assert_true(clones > 0);
	ht_symbolizer_free(s);
	free(all.list);
}

/* ---- against other tools ---- */

struct other {
	char names[64][512];
	char bases[64][128];
	unsigned lines[64];
	size_t count;
};

/* The next address of the tool's output: pairs of a name and file:line[:column], up to an empty line. */
static bool read_other(FILE *in, struct other *o)
{
	char line[4096];
	o->count = 0;
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (!line[0])
			return true;
		if (o->count == 64)
			return false;
		snprintf(o->names[o->count], 512, "%.511s", line);
		if (!fgets(line, sizeof(line), in))
			return false;
		char *slash = strrchr(line, '/'), *base = slash ? slash + 1 : line;
		char *colon = strchr(base, ':');
		o->lines[o->count] = colon ? (unsigned)atoi(colon + 1) : 0;
		snprintf(o->bases[o->count], 128, "%.*s", colon ? (int)(colon - base) : 100, slash ? base : "");
		o->count++;
	}
	return o->count > 0;
}

static bool same_name(const struct ht_symbol_frame *f, const char *theirs)
{
	const char *ours = f->linkage ? f->linkage : f->function ? f->function : "??";
	size_t n = strcspn(ours, "."), m = strcspn(theirs, ".");
	/* The two constructors of a class are one function under two names: C1 and C2. */
	for (size_t i = 1; n == m && i + 1 < n; i++)
		if (ours[i] != theirs[i])
			return strchr("CD", ours[i - 1]) && strchr("12", ours[i]) && strchr("12", theirs[i]) &&
			       !strncmp(ours, theirs, i) && !strncmp(ours + i + 1, theirs + i + 1, n - i - 1);
	/* They leave out the scopes of an inlined function without linkage name. */
	return n >= m && !strncmp(ours + n - m, theirs, m) && (n == m || ours[n - m - 1] == ':');
}

static bool agree(const struct ht_symbol *y, const struct other *o, bool lenient)
{
	if (y->count != o->count)
		return false;
	for (size_t i = 0; i < o->count; i++) {
		const struct ht_symbol_frame *f = &y->frames[i];
		if (f->line != o->lines[i] || !ends_with(f->file, o->bases[i]))
			return false;
		/* addr2line names the physical function at the first byte of an inlined range. */
		bool quirk = lenient && i == 0 && same_name(&y->frames[y->count - 1], o->names[0]);
		/* And it writes "apply<...>" where there is a symbol but no linkage name. */
		quirk |= lenient && strchr(o->names[i], '<');
		if (!quirk && !same_name(f, o->names[i]))
			return false;
	}
	return true;
}

/* Every address of every function with debug information; how many there were. */
static size_t compare(const char *path, const char *command, bool lenient)
{
	struct functions all = functions_of(path);
	struct ht_symbolize_options o = { .demangle = HT_DEMANGLE_NONE };
	struct ht_symbolizer *s = resolve_functions(&o, path, &all);
	char list[] = "/tmp/ht_symbolize_XXXXXX", run[1200];
	int fd = mkstemp(list);
	assert_true(fd >= 0);
	for (size_t i = 0; i < all.count; i++)
		for (uint64_t a = 0; a < all.list[i].size; a++)
			dprintf(fd, "0x%lx\n\n", (unsigned long)(all.list[i].address + a));
	close(fd);
	snprintf(run, sizeof(run), "grep . %s | %s '%s' %s", list, command, path,
		 lenient ? "| sed 's/^0x.*//' | tail -n +2; echo" : "");
	FILE *in = popen(run, "r");
	assert_non_null(in);
	struct other *theirs = malloc(sizeof(*theirs));
	size_t compared = 0;
	for (size_t i = 0; i < all.count; i++)
		for (uint64_t a = all.list[i].address; a < all.list[i].address + all.list[i].size; a++) {
			assert_true(read_other(in, theirs));
			if (!theirs->count || !theirs->bases[0][0])
				continue; /* start-up code of libc: no debug information */
			struct ht_symbol y = ht_symbolizer_get(s, 0, a);
			compared++;
			if (!agree(&y, theirs, lenient))
				fail_msg("%s: %#lx: %s is %s:%u in %zu frames there, %s:%u in %zu frames here", path,
					 (unsigned long)a, theirs->names[0], theirs->bases[0], theirs->lines[0],
					 theirs->count, y.count && y.frames[0].file ? y.frames[0].file : "?",
					 y.count ? y.frames[0].line : 0, y.count);
		}
	pclose(in);
	unlink(list);
	free(theirs);
	free(all.list);
	ht_symbolizer_free(s);
	return compared;
}

static void as_llvm_symbolizer_says(void **state)
{
	(void)state;
	if (system("command -v llvm-symbolizer >/dev/null 2>&1"))
		skip();
	for (size_t v = 0; v < HT_ARRAY_SIZE(variants); v++)
		if (fixture_exists(variants[v]))
			assert_true(compare(fixture(variants[v]),
					    "llvm-symbolizer --inlining --functions=linkage --no-demangle -e", false) > 200);
}

static void as_addr2line_says(void **state)
{
	(void)state;
	/* binutils 2.40 reads no rnglistx, which clang writes since DWARF 5: gcc's files, and clang's of DWARF 4. */
	static const char *const known[] = {
		"gcc-O0-4", "gcc-O0-5", "gcc-O2-4", "gcc-O2-5", "clang-O0-4", "clang-O2-4", "gcc-nopie", "gcc-so",
	};
	for (size_t v = 0; v < HT_ARRAY_SIZE(known); v++)
		if (fixture_exists(known[v]))
			assert_true(compare(fixture(known[v]), "addr2line -a -i -f -e", true) > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nine_levels_of_inlining), cmocka_unit_test(physical_functions_alone),
		cmocka_unit_test(equal_names_in_two_files), cmocka_unit_test(names_of_cxx),
		cmocka_unit_test(clone_suffixes_are_apart), cmocka_unit_test(as_llvm_symbolizer_says),
		cmocka_unit_test(as_addr2line_says),
	};
	return cmocka_run_group_tests_name("symbolize names", tests, NULL, NULL);
}
