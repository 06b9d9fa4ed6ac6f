/*
 * options: command-line options as tables. A row names an option, says what its value is and
 * where it goes; parsing, validation, the environment and the help screen come out of the rows.
 *
 *   --name=VALUE  --name VALUE  -o VALUE  -oVALUE  --flag  --       (the last ends the options)
 *
 * Values go through pointers into the command's own static storage; what stands there before is the
 * default. The environment is read first, so that the command line wins. A list in the
 * environment is separated by ':'.
 */
#ifndef HT_OPTIONS_H
#define HT_OPTIONS_H

#include "base.h"

/* A time of --from, --to, --at, before the trace's span is known. */
enum ht_time_kind { HT_TIME_NONE = 0, HT_TIME_NS, HT_TIME_SHARE, HT_TIME_PEAK, HT_TIME_END };
struct ht_time_value {
	enum ht_time_kind kind;
	uint64_t ns;  /* NS: offset from the trace's first instant */
	double share; /* SHARE: 0 to 1 of the selected images' span */
};

struct ht_string_list {
	const char **items;
	size_t count;
};

enum ht_option_kind {
	HT_OPTION_FLAG = 1, /* bool *: no value; true */
	HT_OPTION_ONOFF,    /* bool *: on or off */
	HT_OPTION_STRING,   /* const char ** */
	HT_OPTION_LIST,	    /* struct ht_string_list *: repeatable */
	HT_OPTION_FILES,    /* struct ht_string_list *: its value and the arguments up to the next option */
	HT_OPTION_NUMBER,   /* uint64_t *: decimal, min <= n <= max when max is not 0 */
	HT_OPTION_SIZE,	    /* uint64_t *: 4096, 64K, 1.5M; same bounds */
	HT_OPTION_TIME,	    /* struct ht_time_value *: 250us, 3.2s, 40% */
	HT_OPTION_MOMENT,   /* struct ht_time_value *: the same, or peak, or end */
	HT_OPTION_CHOICE,   /* int *: index into choices */
	HT_OPTION_CUSTOM,   /* parse(value, text, d) */
	HT_OPTION_HEADING, /* no option: help is the headline of the rows that follow; name is "" */
};

struct ht_option {
	const char *name; /* without dashes; NULL ends a table */
	char letter;	  /* short form, 0 = none */
	uint8_t kind;	  /* enum ht_option_kind */
	void *value;
	const char *argument;	    /* its name in the help: "FILE"; choices print themselves */
	const char *help;	    /* one line, lower case */
	const char *const *choices; /* CHOICE: ended by NULL */
	uint64_t min, max;
	const char *environment; /* variable that sets it, NULL = none */
	bool *given;		 /* set true when the value came from anywhere, may be NULL */
	/* CUSTOM: 0 or a negative ht_error with d filled in as "why", without the option's name. */
	int (*parse)(void *value, const char *text, struct ht_diag *d);
	const char *fallback; /* the default as the help shows it, NULL = not shown */
};

/* Tables ended by NULL, each table ended by a row without name. */

/* Sets what the environment names. 0, or HT_ERR_USAGE with the variable in d. */
int ht_options_environment(const struct ht_option *const *tables, struct ht_diag *d);

/* Parses argv[0 .. argc-1] (no command name in front). Arguments that are no options are moved to
 * the front of argv in their order, followed by NULL (argv has room for argc + 1). Returns their
 * number, or HT_ERR_USAGE with a diagnostic, or HT_OPTIONS_HELP when --help or -h was met. */
#define HT_OPTIONS_HELP (-100)
int ht_options_parse(const struct ht_option *const *tables, int argc, char **argv,
		     bool stop_at_argument, struct ht_diag *d);

/* The option part of a help screen, aligned, at most 100 columns. */
void ht_options_help(const struct ht_option *const *tables, struct ht_buf *out);

/* The word of `words` (ended by NULL) that is nearest to `word`, or NULL if none is near. */
const char *ht_nearest_word(const char *word, const char *const *words);

/* --- tables that commands share (options_shared.c) ----------------------------------------- */

struct ht_selection_settings {
	struct ht_time_value from, to, at;
	const char *thread;
	uint64_t process; /* pid, 0 = all */
	const char *focus, *ignore, *hide, *module, *allocators;
	uint64_t min_size, max_size;
	const char *region, *task;
	uint64_t temporary; /* N of what counts as temporary */
};
extern struct ht_selection_settings ht_selection_settings;
extern const struct ht_option ht_range_options[];  /* from, to, thread, process */
extern const struct ht_option ht_moment_options[]; /* at, temporary */
extern const struct ht_option
    ht_filter_options[]; /* focus, ignore, hide, allocators, module, min-size, max-size, region, task */

/* Those of the shared options that not everything has a use for. */
enum ht_choice {
	HT_CHOICE_AT = 1 << 0,
	HT_CHOICE_TEMPORARY = 1 << 1,
	HT_CHOICE_FOCUS = 1 << 2,
	HT_CHOICE_IGNORE = 1 << 3,
	HT_CHOICE_HIDE = 1 << 4,
	HT_CHOICE_ALLOCATORS = 1 << 5,
	HT_CHOICE_MODULE = 1 << 6,
	HT_CHOICE_MIN_SIZE = 1 << 7,
	HT_CHOICE_MAX_SIZE = 1 << 8,
	HT_CHOICE_REGION = 1 << 9,
	HT_CHOICE_TASK = 1 << 10,
	HT_CHOICE_LIMIT = 1 << 11,
	HT_CHOICES_OF_STACKS = HT_CHOICE_FOCUS | HT_CHOICE_IGNORE | HT_CHOICE_MODULE,
	HT_CHOICES_OF_SIZES = HT_CHOICE_MIN_SIZE | HT_CHOICE_MAX_SIZE,
	HT_CHOICES_OF_NAMES = HT_CHOICE_REGION | HT_CHOICE_TASK,
};
/* Was it given? */
bool ht_chosen(enum ht_choice one);
/* "--focus, --task": those that were; heap, NULL: none. */
char *ht_choices_given(uint32_t choices);
/* An option that would change nothing is refused, for who gave it expects that it does: 0, or HT_ERR_USAGE where some of
 * them were given: "--at, --region: no effect on WHAT". */
int ht_choices_refuse(uint32_t choices, const char *what, struct ht_diag *d);

/* Rows of a result. */
extern const struct ht_option ht_rows_options[]; /* limit */
/* How many are shown; SIZE_MAX: all. usual: without --limit. */
size_t ht_rows_limit(size_t usual);

struct ht_symbol_settings {
	const char *sysroot, *source_root;
	struct ht_string_list debug_dirs;
	bool no_inline, debuginfod, no_cache;
	int demangle; /* enum ht_demangle */
};
extern struct ht_symbol_settings ht_symbol_settings;
extern const struct ht_option ht_symbol_options[];

#endif
