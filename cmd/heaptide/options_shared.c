/*
 * options_shared: the options that mean the same wherever a trace is read: which part of it
 * (selection), how many rows of it, and how addresses become names (symbols).
 */
#include "options.h"

#include <stdlib.h>

struct ht_selection_settings ht_selection_settings = {.max_size = UINT64_MAX, .temporary = 1};

static bool temporary_given;

const struct ht_option ht_range_options[] = {
    {.name = "", .kind = HT_OPTION_HEADING, .help = "What is looked at:"},
    {.name = "from",
     .kind = HT_OPTION_TIME,
     .value = &ht_selection_settings.from,
     .argument = "T",
     .help = "from this time on: 250us, 3.2s, 40% of the span"},
    {.name = "to",
     .kind = HT_OPTION_TIME,
     .value = &ht_selection_settings.to,
     .argument = "T",
     .help = "up to this time"},
    {.name = "thread",
     .kind = HT_OPTION_STRING,
     .value = &ht_selection_settings.thread,
     .argument = "NAME|TID",
     .help = "what this thread did"},
    {.name = "process",
     .kind = HT_OPTION_NUMBER,
     .value = &ht_selection_settings.process,
     .argument = "PID",
     .min = 1,
     .max = UINT32_MAX,
     .help = "what this process did"},
    {0},
};

const struct ht_option ht_moment_options[] = {
    {.name = "at",
     .kind = HT_OPTION_MOMENT,
     .value = &ht_selection_settings.at,
     .argument = "T|peak|end",
     .help = "the moment whose live blocks are shown",
     .fallback = "end"},
    {.name = "temporary",
     .kind = HT_OPTION_NUMBER,
     .value = &ht_selection_settings.temporary,
     .given = &temporary_given,
     .argument = "N",
     .help = "temporary: freed after at most N other allocations of its thread",
     .fallback = "1"},
    {0},
};

const struct ht_option ht_filter_options[] = {
    {.name = "",
     .kind = HT_OPTION_HEADING,
     .help = "Which rows of it (RE: POSIX extended expression, on function names):"},
    {.name = "focus",
     .kind = HT_OPTION_STRING,
     .value = &ht_selection_settings.focus,
     .argument = "RE",
     .help = "only stacks with such a function"},
    {.name = "ignore",
     .kind = HT_OPTION_STRING,
     .value = &ht_selection_settings.ignore,
     .argument = "RE",
     .help = "no stacks with such a function"},
    {.name = "hide",
     .kind = HT_OPTION_STRING,
     .value = &ht_selection_settings.hide,
     .argument = "RE",
     .help = "leave such frames out of the stacks"},
    {.name = "allocators",
     .kind = HT_OPTION_STRING,
     .value = &ht_selection_settings.allocators,
     .argument = "RE",
     .help = "callsites lie outside such functions, as outside malloc; '' for none",
     .fallback = "xmalloc and other well-known wrappers"},
    {.name = "module",
     .kind = HT_OPTION_STRING,
     .value = &ht_selection_settings.module,
     .argument = "RE",
     .help = "only stacks whose callsite is in such a file"},
    {.name = "min-size",
     .kind = HT_OPTION_SIZE,
     .value = &ht_selection_settings.min_size,
     .argument = "SIZE",
     .help = "only blocks of at least this size"},
    {.name = "max-size",
     .kind = HT_OPTION_SIZE,
     .value = &ht_selection_settings.max_size,
     .argument = "SIZE",
     .help = "only blocks of at most this size"},
    {.name = "region",
     .kind = HT_OPTION_STRING,
     .value = &ht_selection_settings.region,
     .argument = "NAME",
     .help = "blocks allocated inside a region of heaptide.h with this name"},
    {.name = "task",
     .kind = HT_OPTION_STRING,
     .value = &ht_selection_settings.task,
     .argument = "NAME",
     .help = "blocks allocated while their thread worked for a task of this type"},
    {0},
};

static struct {
	bool given;
	uint64_t limit;
} rows;

const struct ht_option ht_rows_options[] = {
    {.name = "limit",
     .letter = 'n',
     .kind = HT_OPTION_NUMBER,
     .value = &rows.limit,
     .given = &rows.given,
     .argument = "N",
     .help = "rows shown; 0: all; the default depends on the view, JSON and CSV have all"},
    {0},
};

size_t ht_rows_limit(size_t usual)
{
	if (!rows.given)
		return usual;
	return rows.limit ? (size_t)rows.limit : SIZE_MAX;
}

bool ht_chosen(enum ht_choice one)
{
	const struct ht_selection_settings *s = &ht_selection_settings;
	switch (one) {
	case HT_CHOICE_AT:
		return s->at.kind != HT_TIME_NONE;
	case HT_CHOICE_TEMPORARY:
		return temporary_given;
	case HT_CHOICE_FOCUS:
		return s->focus;
	case HT_CHOICE_IGNORE:
		return s->ignore;
	case HT_CHOICE_HIDE:
		return s->hide;
	case HT_CHOICE_ALLOCATORS:
		return s->allocators;
	case HT_CHOICE_MODULE:
		return s->module;
	case HT_CHOICE_MIN_SIZE:
		return s->min_size;
	case HT_CHOICE_MAX_SIZE:
		return s->max_size != UINT64_MAX;
	case HT_CHOICE_REGION:
		return s->region;
	case HT_CHOICE_TASK:
		return s->task;
	default:
		return one == HT_CHOICE_LIMIT && rows.given;
	}
}

char *ht_choices_given(uint32_t choices)
{
	static const char *const names[] = {"at",     "temporary", "focus",    "ignore", "hide", "allocators",
					    "module", "min-size",  "max-size", "region", "task", "limit"};
	struct ht_buf given = {0};
	for (size_t i = 0; i < HT_ARRAY_SIZE(names); i++)
		if (choices >> i & 1 && ht_chosen((enum ht_choice)(1u << i)))
			ht_buf_printf(&given, "%s--%s", given.len ? ", " : "", names[i]);
	if (given.len)
		ht_buf_byte(&given, '\0');
	return (char *)given.data;
}

int ht_choices_refuse(uint32_t choices, const char *what, struct ht_diag *d)
{
	char *given = ht_choices_given(choices);
	const int code = given ? ht_fail(d, HT_ERR_USAGE, "%s: no effect on %s", given, what) : 0;
	free(given);
	return code;
}

struct ht_symbol_settings ht_symbol_settings;

static const char *const demangle_choices[] = {"short", "full", "none", NULL};

const struct ht_option ht_symbol_options[] = {
    {.name = "", .kind = HT_OPTION_HEADING, .help = "Symbols:"},
    {.name = "sysroot",
     .kind = HT_OPTION_STRING,
     .value = &ht_symbol_settings.sysroot,
     .argument = "DIR",
     .help = "look for programs and libraries below this folder"},
    {.name = "debug-dir",
     .kind = HT_OPTION_LIST,
     .value = &ht_symbol_settings.debug_dirs,
     .argument = "DIR",
     .help = "look for separate debug files here, too"},
    {.name = "source-root",
     .kind = HT_OPTION_STRING,
     .value = &ht_symbol_settings.source_root,
     .argument = "DIR",
     .help = "look for source files below this folder"},
    {.name = "no-inline",
     .kind = HT_OPTION_FLAG,
     .value = &ht_symbol_settings.no_inline,
     .help = "do not show inlined functions as frames"},
    {.name = "demangle",
     .kind = HT_OPTION_CHOICE,
     .value = &ht_symbol_settings.demangle,
     .choices = demangle_choices,
     .help = "how C++, Rust and D names are written",
     .fallback = "short"},
    {.name = "debuginfod",
     .kind = HT_OPTION_FLAG,
     .value = &ht_symbol_settings.debuginfod,
     .help = "fetch missing debug files from the servers in DEBUGINFOD_URLS"},
    {.name = "no-symbol-cache",
     .kind = HT_OPTION_FLAG,
     .value = &ht_symbol_settings.no_cache,
     .help = "read debug files anew and keep nothing of them"},
    {0},
};
