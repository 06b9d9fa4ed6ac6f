/* The ELF reader: itself, files that are none, and every prefix and single-byte change of its
 * headers. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "elfview.h"
#include "inspect.h"

static char scratch[] = "/tmp/ht-elf-XXXXXX";

static void reads_itself(void **state)
{
	(void)state;
	struct ht_elf_view v;
	assert_int_equal(ht_elf_view_read(&v, "/proc/self/exe", NULL), 0);
	assert_true(v.is_elf && v.is_64 && v.little && v.readable && v.has_dynamic);
	assert_int_equal(v.machine, ht_elf_native_machine());
	assert_true(v.interpreter[0] == '/');
	bool libc = false;
	for (size_t i = 0; i < v.needed_count; i++)
		libc |= !strncmp(v.needed[i], "libc.so", 7);
	assert_true(libc);
	assert_true(v.has_symtab);
}

static void other_files(void **state)
{
	(void)state;
	struct ht_elf_view v;
	struct ht_diag d = {0};
	assert_int_equal(ht_elf_view_read(&v, "/dev/null", &d), 0);
	assert_false(v.is_elf);
	assert_int_equal(ht_elf_view_read(&v, "/nonexistent", &d), HT_ERR_SYSTEM);
}

static size_t read_self(uint8_t *out, size_t n)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	int64_t got = ht_pread_all(fd, out, n, 0);
	close(fd);
	return (size_t)got;
}

static void view_bytes(const uint8_t *bytes, size_t n)
{
	struct ht_elf_view v;
	int fd = open(scratch, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	assert_int_equal(ht_write_all(fd, bytes, n), 0);
	close(fd);
	assert_int_equal(ht_elf_view_read(&v, scratch, NULL), 0);
	assert_true(v.needed_count <= HT_ELF_NEEDED_MAX);
	assert_true(memchr(v.interpreter, '\0', sizeof(v.interpreter)) != NULL);
}

/* No crash, no hang, whatever the headers say: sanitizers and valgrind look at this test, too. */
static void broken_headers(void **state)
{
	(void)state;
	static uint8_t bytes[64 * 1024];
	size_t n = read_self(bytes, sizeof(bytes));
	for (size_t cut = 0; cut < 1024; cut += 7)
		view_bytes(bytes, cut);
	for (size_t i = 4; i < 64 + 13 * 56 && i < n; i++) {
		uint8_t was = bytes[i];
		bytes[i] = 0xff;
		view_bytes(bytes, n);
		bytes[i] = was;
	}
	unlink(scratch);
}

static void programs(void **state)
{
	(void)state;
	static struct ht_inspection in;
	struct ht_diag d = {0};
	ht_inspect(&in,
		   "sh"); /* not ourselves: we may be built with a sanitizer, which is refused */
	assert_int_equal(ht_inspect_refusal(&in, &d), 0);
	ht_inspect(&in, "no-such-program-of-ours");
	assert_int_equal(in.verdict, HT_INSPECT_NOT_FOUND);
	assert_int_equal(ht_inspect_refusal(&in, &d), 127);
	assert_string_equal(d.text, "no-such-program-of-ours: no such program");
	ht_inspect(&in, "/tmp");
	assert_int_equal(ht_inspect_refusal(&in, &d), 126);
	ht_inspect(&in, "");
	assert_int_equal(ht_inspect_refusal(&in, &d), 127);
}

static void write_script(const char *text)
{
	int fd = open(scratch, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	assert_int_equal(ht_write_all(fd, text, strlen(text)), 0);
	fchmod(fd, 0700);
	close(fd);
}

static void scripts(void **state)
{
	(void)state;
	static struct ht_inspection in;
	struct ht_diag d = {0};
	write_script("#!/bin/sh\n");
	ht_inspect(&in, scratch);
	assert_int_equal(in.verdict, HT_INSPECT_OK);
	assert_string_equal(in.script, scratch);
	assert_string_equal(in.path, "/bin/sh");
	write_script("#! /usr/bin/env sh\n");
	ht_inspect(&in, scratch);
	assert_int_equal(in.verdict, HT_INSPECT_OK);
	assert_true(in.elf.is_elf);
	write_script("echo text without a first line\n");
	ht_inspect(&in, scratch);
	assert_string_equal(in.path, "/bin/sh");
	write_script("#!/nonexistent/interpreter\n");
	ht_inspect(&in, scratch);
	assert_int_equal(ht_inspect_refusal(&in, &d), 127);
	char *loop = ht_xasprintf("#!%s\n", scratch);
	write_script(loop); /* its own interpreter */
	free(loop);
	ht_inspect(&in, scratch);
	assert_int_equal(ht_inspect_refusal(&in, &d), 126);
	unlink(scratch);
}

static int choose_scratch(void **state)
{
	(void)state;
	int fd = mkstemp(scratch);
	close(fd);
	return fd < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_itself),   cmocka_unit_test(other_files),
	    cmocka_unit_test(programs),	      cmocka_unit_test(scripts),
	    cmocka_unit_test(broken_headers),
	};
	return cmocka_run_group_tests(tests, choose_scratch, NULL);
}
