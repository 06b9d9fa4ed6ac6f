/*
 * test_symbolize_hostile: files that are broken on purpose. Each must end in a kind and, unless it was
 * read in full, a reason, within the limits; the program that asked goes on.
 */
#include "test_symbolize_common.h"

#include "sym_sandbox.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct file {
	uint8_t *data;
	size_t size;
};

static struct file read_file(const char *path)
{
	struct file f = { NULL, 0 };
	FILE *in = fopen(path, "rb");
	assert_non_null(in);
	fseek(in, 0, SEEK_END);
	f.size = (size_t)ftell(in);
	rewind(in);
	f.data = malloc(f.size);
	assert_int_equal(fread(f.data, 1, f.size, in), f.size);
	fclose(in);
	return f;
}

static struct file copy_of(const struct file *f)
{
	struct file c = { malloc(f->size), f->size };
	memcpy(c.data, f->data, f->size);
	return c;
}

static Elf64_Ehdr *header(struct file *f)
{
	return (Elf64_Ehdr *)f->data;
}

static Elf64_Shdr *section(struct file *f, const char *name)
{
	Elf64_Shdr *all = (Elf64_Shdr *)(f->data + header(f)->e_shoff);
	const char *names = (const char *)f->data + all[header(f)->e_shstrndx].sh_offset;
	for (unsigned i = 0; i < header(f)->e_shnum; i++)
		if (!strcmp(names + all[i].sh_name, name))
			return &all[i];
	fail_msg("no section %s", name);
	return NULL;
}

static uint8_t *contents(struct file *f, const char *name)
{
	return f->data + section(f, name)->sh_offset;
}

static struct functions functions;
static size_t tried;

/* Writes the damaged file, resolves every function in it, checks what has to hold; the kind. Frees f's bytes. */
static enum ht_symbols_kind check(struct file f)
{
	char path[] = "/tmp/ht_symbolize_XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ht_write_all(fd, f.data, f.size), 0);
	close(fd);
	free(f.data);
	struct ht_symbolize_options o = { .cpu_seconds = 2, .wall_seconds = 10 };
	struct timespec before, after;
	clock_gettime(CLOCK_MONOTONIC, &before);
	struct ht_symbolizer *s = resolve_functions(&o, path, &functions);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec <= 11);
	const char *reason;
	enum ht_symbols_kind kind = ht_symbolizer_kind(s, 0, &reason);
	assert_in_range(kind, HT_SYMBOLS_DWARF, HT_SYMBOLS_LIMIT);
	if (kind != HT_SYMBOLS_DWARF)
		assert_true(strlen(reason) > 0);
	for (size_t i = 0; i < functions.count; i++) {
		struct ht_symbol y = ht_symbolizer_get(s, 0, functions.list[i].address);
		assert_true(y.count > 0 || strlen(y.reason) > 0);
		for (size_t k = 0; k < y.count; k++)
			assert_true(!y.frames[k].function || strncmp(y.frames[k].function, "<DW_FORM", 8) != 0);
	}
	ht_symbolizer_free(s);
	unlink(path);
	tried++;
	return kind;
}

static struct file original;

static void truncated_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < 16; i++) {
		struct file f = copy_of(&original);
		f.size = i < 4 ? (size_t[]){ 0, 4, 20, 64 }[i] : original.size * (i - 3) / 13;
		enum ht_symbols_kind kind = check(f);
		if (i < 4)
			assert_int_equal(kind, HT_SYMBOLS_BROKEN);
	}
}

static void flipped_bytes(void **state)
{
	(void)state;
	static const char *const where[] = {
		".debug_info", ".debug_abbrev", ".debug_line",	  ".debug_rnglists",
		".debug_str",  ".symtab",	".debug_aranges", ".debug_line_str",
	};
	srand(7);
	for (size_t i = 0; i < 40; i++) {
		struct file f = copy_of(&original);
		const Elf64_Shdr *h = section(&f, where[i % HT_ARRAY_SIZE(where)]);
		for (size_t k = 0; k <= i; k++)
			f.data[h->sh_offset + (size_t)rand() % h->sh_size] ^= (uint8_t)(1 << rand() % 8);
		check(f);
	}
	for (size_t i = 0; i < 10; i++) { /* anywhere, headers included */
		struct file f = copy_of(&original);
		for (size_t k = 0; k < 30; k++)
			f.data[16 + (size_t)rand() % (f.size - 16)] = (uint8_t)rand();
		check(f);
	}
}

static void wiped_sections(void **state)
{
	(void)state;
	static const char *const where[] = {
		".debug_info", ".debug_abbrev", ".debug_line", ".debug_rnglists", ".symtab", ".strtab", ".shstrtab",
	};
	for (size_t i = 0; i < HT_ARRAY_SIZE(where) * 2; i++) {
		struct file f = copy_of(&original);
		const Elf64_Shdr *h = section(&f, where[i / 2]);
		memset(f.data + h->sh_offset, i % 2 ? 0xff : 0, h->sh_size);
		check(f);
	}
}

static void huge_numbers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		struct file f = copy_of(&original);
		switch (i) {
		case 0: header(&f)->e_shnum = 0xfeff; break;
		case 1: header(&f)->e_shoff = UINT64_MAX - 8; break;
		case 2: header(&f)->e_shstrndx = 0xfff0; break;
		case 3: section(&f, ".debug_info")->sh_size = UINT64_C(1) << 62; break;
		case 4: section(&f, ".debug_info")->sh_offset = UINT64_MAX - 4; break;
		case 5: section(&f, ".symtab")->sh_size = UINT64_C(1) << 40; break;
		case 6: section(&f, ".symtab")->sh_entsize = 0; break;
		case 7: section(&f, ".symtab")->sh_link = 0xffffff; break;
		case 8: memset(contents(&f, ".debug_info"), 0xff, 4); break; /* 64-bit DWARF, nonsense length */
		case 9: memcpy(contents(&f, ".debug_info"), "\xf0\xff\xff\x7f", 4); break;
		case 10: memcpy(contents(&f, ".debug_line"), "\xf0\xff\xff\x7f", 4); break;
		case 11: header(&f)->e_phnum = 0xffff; break;
		}
		check(f);
	}
}

static void packed_sections_that_lie(void **state)
{
	(void)state;
	struct file packed = read_file(fixture("packed-zlib"));
	for (unsigned i = 0; i < 4; i++) {
		struct file f = copy_of(&packed);
		Elf64_Chdr *c = (Elf64_Chdr *)contents(&f, ".debug_info");
		if (i == 0)
			c->ch_size = UINT64_C(1) << 40; /* would be 1 TiB */
		else if (i == 1)
			c->ch_size += 1;
		else if (i == 2)
			c->ch_type = 77;
		else
			memset(c + 1, 0x5a, 64);
		enum ht_symbols_kind kind = check(f);
		assert_int_equal(kind, i == 0 ? HT_SYMBOLS_LIMIT : HT_SYMBOLS_SYMTAB);
	}
	free(packed.data);
}

/* Split units, packed: the program is whole, what belongs to it is not. */
static void damaged_packages(void **state)
{
	(void)state;
	static const char *const where[] = {
		".debug_cu_index", ".debug_info.dwo", ".debug_abbrev.dwo", ".debug_str_offsets.dwo", ".debug_str.dwo",
	};
	if (!fixture_exists("packed/split-clang-5"))
		skip();
	struct file good = read_file(fixture("packed/split-clang-5.dwp"));
	char folder[] = "/tmp/ht_symbolize_XXXXXX", program[64], package[64], command[700];
	assert_non_null(mkdtemp(folder));
	snprintf(program, sizeof(program), "%s/p", folder);
	snprintf(package, sizeof(package), "%s/p.dwp", folder);
	snprintf(command, sizeof(command), "cp '%s' %s", fixture("packed/split-clang-5"), program);
	assert_int_equal(system(command), 0);
	struct functions all = functions_of(program);
	srand(5);
	for (size_t i = 0; i < 30; i++) {
		struct file f = copy_of(&good);
		const Elf64_Shdr *h = section(&f, where[i % HT_ARRAY_SIZE(where)]);
		for (size_t k = 0; k <= i; k++)
			f.data[h->sh_offset + (size_t)rand() % h->sh_size] = i < 5 ? 0xff : (uint8_t)rand();
		if (i >= 25)
			f.size = f.size * (i - 24) / 6;
		int fd = open(package, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		assert_true(fd >= 0 && ht_write_all(fd, f.data, f.size) == 0);
		close(fd);
		free(f.data);
		struct ht_symbolize_options o = { .cpu_seconds = 2 };
		struct ht_symbolizer *s = resolve_functions(&o, program, &all);
		assert_int_equal(ht_symbolizer_kind(s, 0, NULL), HT_SYMBOLS_DWARF);
		for (size_t k = 0; k < all.count; k++)
			assert_true(ht_symbolizer_get(s, 0, all.list[k].address).count > 0);
		ht_symbolizer_free(s);
		tried++;
	}
	unlink(package);
	unlink(program);
	rmdir(folder);
	free(all.list);
	free(good.data);
}

/* The file is cut while it is read: the reader's end, and nobody else's. */
static void a_file_that_shrinks(void **state)
{
	(void)state;
#ifndef HT_SANITIZE /* which has a handler of its own for SIGBUS */
	char path[] = "/tmp/ht_symbolize_XXXXXX", command[700];
	const char *reason;
	int fd = mkstemp(path), status;
	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "cp '%s' %s", fixture("hostile-slow"), path);
	assert_int_equal(system(command), 0);
	struct functions f = functions_of(path);
	uint64_t at = function_named(&f, "circle_two")->address;
	pid_t other = fork();
	if (other == 0) {
		usleep(300000);
		_exit(truncate(path, 4096) != 0);
	}
	struct ht_symbolizer *s = resolve_range(&(struct ht_symbolize_options){ 0 }, path, at, at + 2);
	assert_true(waitpid(other, &status, 0) == other && status == 0);
	assert_int_equal(ht_symbolizer_kind(s, 0, &reason), HT_SYMBOLS_BROKEN);
	assert_non_null(strstr(reason, "became shorter"));
	assert_string_equal(ht_symbolizer_get(s, 0, at).frames[0].function, "circle_two");
	ht_symbolizer_free(s);
	free(f.list);
	unlink(path);
#endif
}

static void references_in_circles(void **state)
{
	(void)state;
	struct functions f = functions_of(fixture("hostile-circles"));
	struct ht_symbolize_options o = { .cpu_seconds = 2 };
	struct ht_symbolizer *s = resolve_functions(&o, fixture("hostile-circles"), &f);
	assert_int_equal(ht_symbolizer_kind(s, 0, NULL), HT_SYMBOLS_DWARF);
	struct ht_symbol y = ht_symbolizer_get(s, 0, function_named(&f, "circle_one")->address);
	assert_int_equal(y.count, 2);
	assert_null(y.frames[0].function);
	assert_string_equal(y.frames[1].function, "circle_one");
	ht_symbolizer_free(s);
	free(f.list);
}

static void limits_end_the_reading(void **state)
{
	(void)state;
	const char *reason;
	struct functions f = functions_of(fixture("hostile-slow"));
	uint64_t at = function_named(&f, "circle_two")->address;
	struct ht_symbolize_options o = { .cpu_seconds = 1 };
	struct ht_symbolizer *s = resolve_range(&o, fixture("hostile-slow"), at, at + 2);
	assert_int_equal(ht_symbolizer_kind(s, 0, &reason), HT_SYMBOLS_LIMIT);
	assert_non_null(strstr(reason, "1 s of processor time"));
	/* What was known before the limit is kept. */
	assert_string_equal(ht_symbolizer_get(s, 0, at).frames[0].function, "circle_two");
	ht_symbolizer_free(s);

	o = (struct ht_symbolize_options){ .wall_seconds = 1 };
	s = resolve_range(&o, fixture("hostile-slow"), at, at + 2);
	assert_int_equal(ht_symbolizer_kind(s, 0, &reason), HT_SYMBOLS_LIMIT);
	assert_non_null(strstr(reason, "more than 1 s"));
	ht_symbolizer_free(s);
	free(f.list);
#ifndef HT_SANITIZE /* its shadow alone maps terabytes */
	o = (struct ht_symbolize_options){ .memory = 4096 };
	s = resolve_range(&o, fixture("hostile-slow"), at, at + 500000); /* to each belongs some memory */
	assert_int_equal(ht_symbolizer_kind(s, 0, &reason), HT_SYMBOLS_LIMIT);
	assert_non_null(strstr(reason, "memory"));
	ht_symbolizer_free(s);
#endif
}

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(HT_SANITIZE)
/* The child's answer to "what can you still do?": one letter per thing that worked. */
static void probe_walls(int parent)
{
	char report[8] = "";
	struct sym_limits l = { 5, 1 << 30 };
	sym_sandbox_enter(parent, -1, &l);
	if (open("/etc/passwd", O_RDONLY) >= 0)
		strcat(report, "o");
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
		strcat(report, "s");
	if (write(1, "x", 1) >= 0)
		strcat(report, "w");
	if (fork() >= 0)
		strcat(report, "f");
	if (execl("/bin/true", "true", NULL) == 0)
		strcat(report, "x");
	strcat(report, ".");
	ht_write_all(SYM_FD_PARENT, report, strlen(report));
	_exit(0);
}

static void sandbox_holds(void **state)
{
	(void)state;
	int ends[2];
	char report[8] = "";
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid_t pid = fork();
	if (pid == 0)
		probe_walls(ends[1]);
	close(ends[1]);
	assert_true(read(ends[0], report, sizeof(report) - 1) > 0);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	assert_string_equal(report, ".");
}
#else
static void sandbox_holds(void **state)
{
	(void)state;
	skip(); /* no filter on this machine, or the sanitizer needs the calls */
}
#endif

static int set_up(void **state)
{
	(void)state;
	original = read_file(fixture("gcc-O2-5"));
	functions = functions_of(fixture("gcc-O2-5"));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(original.data);
	free(functions.list);
	print_message("%zu damaged files\n", tried);
	struct rusage children;
	getrusage(RUSAGE_CHILDREN, &children);
	bool small = children.ru_maxrss < 1 << 20; /* KiB */
#ifdef HT_SANITIZE
	small = true;
#endif
	return tried >= 50 && small ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(truncated_files), cmocka_unit_test(flipped_bytes), cmocka_unit_test(wiped_sections),
		cmocka_unit_test(huge_numbers), cmocka_unit_test(packed_sections_that_lie),
		cmocka_unit_test(damaged_packages), cmocka_unit_test(a_file_that_shrinks), cmocka_unit_test(references_in_circles), cmocka_unit_test(limits_end_the_reading),
		cmocka_unit_test(sandbox_holds),
	};
	return cmocka_run_group_tests_name("symbolize hostile", tests, set_up, tear_down);
}
