/* Text: numbers with units, names made harmless, widths, cutting, sparklines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "text.h"

static void numbers(void **state)
{
	(void)state;
	assert_string_equal(ht_text_count(0).s, "0");
	assert_string_equal(ht_text_count(999).s, "999");
	assert_string_equal(ht_text_count(1000).s, "1,000");
	assert_string_equal(ht_text_count(5412880).s, "5,412,880");
	assert_string_equal(ht_text_count(UINT64_MAX).s, "18,446,744,073,709,551,615");
	assert_string_equal(ht_text_bytes(0).s, "0 B");
	assert_string_equal(ht_text_bytes(1023).s, "1023 B");
	assert_string_equal(ht_text_bytes(1024).s, "1.00 KB");
	assert_string_equal(ht_text_bytes(1023 * 1024).s, "1,023 KB");
	assert_string_equal(ht_text_bytes(1024 * 1024 - 1).s, "1.00 MB");
	assert_string_equal(ht_text_bytes(96ull << 20).s, "96.0 MB");
	assert_string_equal(ht_text_bytes(182ull << 20).s, "182 MB");
	assert_string_equal(ht_text_bytes(UINT64_MAX).s, "16.0 EB");
	assert_string_equal(ht_text_ns(0).s, "0 ns");
	assert_string_equal(ht_text_ns(999).s, "999 ns");
	assert_string_equal(ht_text_ns(40000).s, "40.0 µs");
	assert_string_equal(ht_text_ns(999600).s, "1.00 ms");
	assert_string_equal(ht_text_ns(8210000000).s, "8.21 s");
	assert_string_equal(ht_text_ns(200000000000).s, "3 min 20 s");
	assert_string_equal(ht_text_rate(436000).s, "436 k/s");
	assert_string_equal(ht_text_rate(0).s, "0.00 /s");
	assert_string_equal(ht_text_rate(0.0 / 0.0).s, "-");
	assert_string_equal(ht_text_share(0.527).s, "52.7 %");
}

static void clean_is(const char *in, const char *out)
{
	struct ht_buf b = {0};
	ht_text_clean(&b, in);
	ht_buf_byte(&b, '\0');
	assert_string_equal((char *)b.data, out);
	ht_buf_release(&b);
}

#define BAD "\xef\xbf\xbd"
static void names_are_harmless(void **state)
{
	(void)state;
	clean_is("plain ü 漢 ←", "plain ü 漢 ←");
	clean_is("\033[31mred\033[0m", BAD "[31mred" BAD "[0m");
	clean_is("a\nb\tc\x7f", "a" BAD "b" BAD "c" BAD);
	clean_is("\xc2\x9b"
		 "31m",
		 BAD "31m"); /* CSI as one C1 control */
	clean_is("\xff\xfe", BAD BAD);
	clean_is("\xc0\x80", BAD BAD);		       /* overlong */
	clean_is("\xed\xa0\x80", BAD BAD BAD);	       /* surrogate */
	clean_is("\xf4\x90\x80\x80", BAD BAD BAD BAD); /* beyond Unicode */
	clean_is("cut\xe6\xbc", "cut" BAD BAD);
	clean_is("txt\xe2\x80\xae"
		 "cod",
		 "txt" BAD "cod"); /* right-to-left override */
}

static void fit_is(const char *in, size_t columns, bool keep_end, const char *out)
{
	char *s = ht_text_fit(in, columns, keep_end);
	assert_string_equal(s, out);
	free(s);
}

static void widths(void **state)
{
	(void)state;
	assert_int_equal(ht_text_width("abc"), 3);
	assert_int_equal(ht_text_width("a ← b"), 5);
	assert_int_equal(ht_text_width("漢字"), 4);
	assert_int_equal(ht_text_width("e\xcc\x81"), 1); /* e and a combining accent */
	fit_is("parse_headers", 13, false, "parse_headers");
	fit_is("parse_headers", 6, false, "parse…");
	fit_is("very/long/path.c:12", 10, true, "…path.c:12");
	fit_is("漢字漢字", 4, false, "漢…");
	fit_is("漢字漢字", 4, true, "…字");
	fit_is("abc", 0, false, "");
	fit_is("abc", 1, false, "…");
}

static void sparkline_is(const uint64_t *values, size_t n, size_t columns, const char *out)
{
	struct ht_buf b = {0};
	ht_text_sparkline(&b, values, n, columns);
	ht_buf_byte(&b, '\0');
	assert_string_equal((char *)b.data, out);
	ht_buf_release(&b);
}

static void sparklines(void **state)
{
	(void)state;
	const uint64_t up[] = {0, 1, 2, 3, 4, 5, 6, 7}, none[] = {0, 0, 0};
	sparkline_is(up, 8, 8, "▁▂▃▄▅▆▇█");
	sparkline_is(up, 8, 4, "▂▄▆█"); /* the maximum of each pair */
	sparkline_is(up, 8, 100, "▁▂▃▄▅▆▇█");
	sparkline_is(none, 3, 8, "▁▁▁");
	sparkline_is(none, 0, 8, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(names_are_harmless),
	    cmocka_unit_test(widths),
	    cmocka_unit_test(sparklines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
