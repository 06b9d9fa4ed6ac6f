/* Options: every kind, every way to write it, every way to get it wrong, and the help screen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

static struct {
	bool flag, onoff, given;
	const char *string;
	struct ht_string_list list;
	uint64_t number, size;
	struct ht_time_value time, moment;
	int choice, custom;
} v;

static int parse_custom(void *value, const char *text, struct ht_diag *d)
{
	if (strcmp(text, "seven"))
		return ht_fail(d, HT_ERR_USAGE, "'%s' is not seven", text);
	*(int *)value = 7;
	return 0;
}

static const char *const choices[] = {"pprof", "folded", NULL};
static const struct ht_option first[] = {
    {.name = "", .kind = HT_OPTION_HEADING, .help = "All kinds:"},
    {.name = "flag",
     .letter = 'q',
     .kind = HT_OPTION_FLAG,
     .value = &v.flag,
     .help = "a flag",
     .environment = "HT_TEST_FLAG"},
    {.name = "free-stacks",
     .kind = HT_OPTION_ONOFF,
     .value = &v.onoff,
     .help = "on or off",
     .fallback = "on"},
    {.name = "output",
     .letter = 'o',
     .kind = HT_OPTION_STRING,
     .value = &v.string,
     .argument = "FILE",
     .help = "where to"},
    {.name = "debug-dir",
     .kind = HT_OPTION_LIST,
     .value = &v.list,
     .argument = "DIR",
     .help = "folders",
     .environment = "HT_TEST_LIST"},
    {0},
};
static const struct ht_option second[] = {
    {.name = "limit",
     .letter = 'n',
     .kind = HT_OPTION_NUMBER,
     .value = &v.number,
     .argument = "N",
     .help = "rows",
     .min = 1,
     .max = 100,
     .given = &v.given},
    {.name = "size",
     .kind = HT_OPTION_SIZE,
     .value = &v.size,
     .argument = "SIZE",
     .help = "bytes",
     .environment = "HT_TEST_SIZE"},
    {.name = "from", .kind = HT_OPTION_TIME, .value = &v.time, .argument = "T", .help = "a time"},
    {.name = "at",
     .kind = HT_OPTION_MOMENT,
     .value = &v.moment,
     .argument = "T|peak|end",
     .help = "a moment"},
    {.name = "format",
     .kind = HT_OPTION_CHOICE,
     .value = &v.choice,
     .choices = choices,
     .help = "a choice"},
    {.name = "custom",
     .kind = HT_OPTION_CUSTOM,
     .value = &v.custom,
     .parse = parse_custom,
     .argument = "X",
     .help =
	 "its own parser, and a text so long that it has to go on in a second line of the screen"},
    {0},
};
static const struct ht_option *const tables[] = {first, second, NULL};

static struct ht_diag diag;
static char *argv_[20];

static void forget(void)
{
	free(v.list.items);
	memset(&v, 0, sizeof(v));
}

/* Parses up to 19 words given as one string. */
static int parse(const char *words, bool stop)
{
	static char copy[500];
	int argc = 0;
	forget();
	memset(&diag, 0, sizeof(diag));
	strcpy(copy, words);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		argv_[argc++] = w;
	return ht_options_parse(tables, argc, argv_, stop, &diag);
}

static void values_in_every_form(void **state)
{
	(void)state;
	assert_int_equal(parse("a --flag --free-stacks=on -o out.txt b --debug-dir x --debug-dir=y "
			       "-n5 --size 1.5M",
			       false),
			 2);
	assert_string_equal(argv_[0], "a");
	assert_string_equal(argv_[1], "b");
	assert_null(argv_[2]);
	assert_true(v.flag && v.onoff && v.given);
	assert_string_equal(v.string, "out.txt");
	assert_int_equal(v.list.count, 2);
	assert_string_equal(v.list.items[1], "y");
	assert_int_equal(v.number, 5);
	assert_int_equal(v.size, 1536 * 1024);
	assert_int_equal(parse("--from 40% --at peak --format=folded --custom seven -qoz", false),
			 0);
	assert_int_equal(v.time.kind, HT_TIME_SHARE);
	assert_true(v.time.share > 0.399 && v.time.share < 0.401);
	assert_int_equal(v.moment.kind, HT_TIME_PEAK);
	assert_int_equal(v.choice, 1);
	assert_int_equal(v.custom, 7);
	assert_true(v.flag);
	assert_string_equal(v.string, "z");
	assert_int_equal(parse("--from 3.2s --at 250us", false), 0);
	assert_int_equal(v.time.ns, 3200000000ull);
	assert_int_equal(v.moment.ns, 250000);
}

static void options_end(void **state)
{
	(void)state;
	assert_int_equal(parse("-- --flag -q", false), 2);
	assert_false(v.flag);
	assert_int_equal(parse("-q ls -l --help", true), 3);
	assert_string_equal(argv_[1], "-l");
	assert_int_equal(parse("-q -- ls -- -l", true), 3);
	assert_string_equal(argv_[1], "--");
	assert_int_equal(parse("- x", false), 2); /* a dash alone is an argument */
	assert_int_equal(parse("x --help", false), HT_OPTIONS_HELP);
	assert_int_equal(parse("-h", false), HT_OPTIONS_HELP);
}

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	static const struct {
		const char *words, *text;
	} cases[] = {
	    {"--ouput=x", "--ouput: unknown option (did you mean '--output'?)"},
	    {"--zzz", "--zzz: unknown option"},
	    {"-z", "-z: unknown option"},
	    {"--flag=1", "--flag: takes no value"},
	    {"--output", "--output: needs a value"},
	    {"--limit x", "--limit: 'x' is no whole number"},
	    {"--limit 0", "--limit: 0 is not between 1 and 100"},
	    {"--limit 99999999999999999999", "--limit: '99999999999999999999' is no whole number"},
	    {"--limit=", "--limit: '' is no whole number"},
	    {"--size=1X", "--size: '1X' is no size: write 4096, 64K, 1.5M or 2G"},
	    {"--from 5", "--from: '5' is no time: write 250us, 3.2s, 40%"},
	    {"--from peak", "--from: 'peak' is no time: write 250us, 3.2s, 40%"},
	    {"--from 101%", "--from: '101%' is no share from 0% to 100%"},
	    {"--at peek", "--at: 'peek' is no time: write 250us, 3.2s, 40%, peak or end"},
	    {"--format=fodled", "--format: unknown value 'fodled' (did you mean 'folded'?)"},
	    {"--format=x", "--format: unknown value 'x': one of pprof, folded"},
	    {"--free-stacks=1", "--free-stacks: '1' is neither on nor off"},
	    {"--custom=8", "--custom: '8' is not seven"},
	};
	for (size_t i = 0; i < HT_ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(cases[i].words, false), HT_ERR_USAGE);
		assert_string_equal(diag.text, cases[i].text);
	}
}

static void environment_comes_first(void **state)
{
	(void)state;
	forget();
	setenv("HT_TEST_FLAG", "1", 1);
	setenv("HT_TEST_LIST", "a:b", 1);
	setenv("HT_TEST_SIZE", "2K", 1);
	assert_int_equal(ht_options_environment(tables, &diag), 0);
	assert_true(v.flag);
	assert_int_equal(v.list.count, 2);
	assert_string_equal(v.list.items[0], "a");
	assert_int_equal(v.size, 2048);
	setenv("HT_TEST_SIZE", "many", 1);
	assert_int_equal(ht_options_environment(tables, &diag), HT_ERR_USAGE);
	assert_string_equal(diag.text,
			    "HT_TEST_SIZE: 'many' is no size: write 4096, 64K, 1.5M or 2G");
	unsetenv("HT_TEST_SIZE");
	setenv("HT_TEST_FLAG", "", 1); /* empty: not set */
	assert_int_equal(ht_options_environment(tables, &diag), 0);
	unsetenv("HT_TEST_FLAG");
	unsetenv("HT_TEST_LIST");
	/* Each read of the environment keeps a copy of the list's text for good. */
	for (size_t i = 0; i < v.list.count; i += 2)
		free((char *)v.list.items[i]);
	forget();
}

static void help_screen(void **state)
{
	(void)state;
	static const char golden[] =
	    "\nAll kinds:\n"
	    "  -q, --flag                      a flag\n"
	    "      --free-stacks=on|off        on or off (default on)\n"
	    "  -o, --output=FILE               where to\n"
	    "      --debug-dir=DIR             folders (repeatable)\n"
	    "  -n, --limit=N                   rows\n"
	    "      --size=SIZE                 bytes\n"
	    "      --from=T                    a time\n"
	    "      --at=T|peak|end             a moment\n"
	    "      --format=pprof|folded       a choice\n"
	    "      --custom=X                  its own parser, and a text so long that it has to "
	    "go on in a\n"
	    "                                  second line of the screen\n";
	struct ht_buf b = {0};
	ht_options_help(tables, &b);
	ht_buf_byte(&b, '\0');
	assert_string_equal((char *)b.data, golden);
	ht_buf_release(&b);
}

static void near_words(void **state)
{
	(void)state;
	static const char *const words[] = {"record", "report", "info", "export", NULL};
	assert_string_equal(ht_nearest_word("reprot", words), "report");
	assert_string_equal(ht_nearest_word("rec", words), "record");
	assert_string_equal(ht_nearest_word("inf", words), "info");
	assert_null(ht_nearest_word("zebra", words));
	assert_null(ht_nearest_word("", words));
	assert_null(ht_nearest_word("a-word-that-is-longer-than-the-table-of-distances", words));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_in_every_form),  cmocka_unit_test(options_end),
	    cmocka_unit_test(what_is_wrong_is_said), cmocka_unit_test(environment_comes_first),
	    cmocka_unit_test(help_screen),	     cmocka_unit_test(near_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
