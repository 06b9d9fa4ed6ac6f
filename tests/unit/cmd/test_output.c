/* Output files: appear whole or not at all, and never over the trace. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "output.h"

static char folder[] = "/tmp/ht-output-XXXXXX";
static char path[64];

static int enter(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/out", folder);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder); /* fails if a temporary file is left */
}

static void appears_at_the_end(void **state)
{
	(void)state;
	struct ht_output o;
	struct ht_diag d = {0};
	char text[8] = "";
	assert_int_equal(ht_output_open(&o, path, NULL, &d), 0);
	ht_buf_printf(&o.buf, "whole");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(ht_output_close(&o, &d), 0);
	int fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 5);
	close(fd);
	assert_string_equal(text, "whole");
}

static void abandoned_leaves_nothing(void **state)
{
	(void)state;
	struct ht_output o;
	struct ht_diag d = {0};
	assert_int_equal(ht_output_open(&o, path, NULL, &d), 0);
	ht_buf_printf(&o.buf, "half");
	ht_output_abandon(&o);
}

static void never_over_the_trace(void **state)
{
	(void)state;
	struct ht_output o;
	struct ht_diag d = {0};
	char other[80];
	snprintf(other, sizeof(other), "%s/./out", folder);
	assert_int_equal(ht_output_open(&o, other, path, &d), HT_ERR_USAGE);
	assert_non_null(strstr(d.text, "is the trace itself"));
	assert_int_equal(ht_output_open(&o, folder, NULL, &d), HT_ERR_SYSTEM);
	assert_int_equal(ht_output_open(&o, "/nonexistent/x", NULL, &d), HT_ERR_SYSTEM);
}

static void full_disk_is_said(void **state)
{
	(void)state;
	struct ht_output o;
	struct ht_diag d = {0};
	if (access("/dev/full", W_OK))
		skip();
	assert_int_equal(ht_output_open(&o, "/dev/full", NULL, &d), 0);
	ht_buf_printf(&o.buf, "x");
	assert_int_equal(ht_output_close(&o, &d), HT_ERR_SYSTEM);
	assert_string_equal(d.text, "/dev/full: cannot be written: No space left on device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(appears_at_the_end),
	    cmocka_unit_test(abandoned_leaves_nothing),
	    cmocka_unit_test(never_over_the_trace),
	    cmocka_unit_test(full_disk_is_said),
	};
	return cmocka_run_group_tests(tests, enter, leave);
}
