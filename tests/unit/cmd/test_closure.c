/* closure: who brings operator new, who calls it, in what the loader would map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "closure.h"

/* This program is C alone. */
static void plain(void **state)
{
	(void)state;
	struct ht_closure_new n;
	ht_closure_new("/proc/self/exe", NULL, &n);
	assert_string_equal(n.who, "");
	assert_false(n.used);
}

static void absent(void **state)
{
	(void)state;
	struct ht_closure_new n;
	ht_closure_new("/nonexistent", "nothing.so:/none.so  ::", &n);
	assert_string_equal(n.who, "");
	assert_false(n.used);
}

/* jemalloc brings its own; libstdc++'s, which it needs, does not count as a use. */
static void allocator(void **state)
{
	(void)state;
	struct ht_closure_new n;
	if (access("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", R_OK))
		skip();
	ht_closure_new("/proc/self/exe", "libjemalloc.so.2", &n);
	assert_non_null(strstr(n.who, "libjemalloc"));
	assert_false(n.used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain),
		cmocka_unit_test(absent),
		cmocka_unit_test(allocator),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
