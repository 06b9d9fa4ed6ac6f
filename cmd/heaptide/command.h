/*
 * command: what a command of heaptide is. One file cmd_NAME.c holds one const struct ht_command;
 * main.c lists them in one table, and help, validation of options and the man pages' order come
 * out of that table.
 *
 * main parses the command's options (options.h) before run is called: values stand where the
 * option table points, argv holds the remaining arguments alone, their count is checked, and
 * --help has been dealt with. run returns the exit status of heaptide.
 *
 * To add a command: write cmd_NAME.c with `const struct ht_command ht_cmd_NAME = {...}`, declare it
 * below, and add a line to the table in main.c.
 */
#ifndef HT_COMMAND_H
#define HT_COMMAND_H

#include <stdbool.h>

#include "base.h"
#include "options.h"

/* In the order in which `heaptide` alone prints them. */
enum ht_purpose {
	HT_PURPOSE_RECORD, /* make a trace */
	HT_PURPOSE_READ,   /* understand one */
	HT_PURPOSE_EXPORT, /* hand it to other tools */
	HT_PURPOSE_CHECK,  /* trust it */
	HT_PURPOSE_COUNT,
};

struct ht_command {
	const char *name;
	enum ht_purpose purpose;
	const char *arguments; /* as the usage line shows them: "TRACE", "[--] COMMAND [ARG...]" */
	const char *summary;   /* one line, lower case, no full stop */
	/* Option tables, ended by NULL; each table ended by an option without name. */
	const struct ht_option *const *options;
	int min_arguments, max_arguments; /* max -1: any number */
	/* Options end at the first argument: what follows belongs to the program that is run. */
	bool stop_at_argument;
	/* argv[0 .. argc-1] are the arguments without options; argv[argc] is NULL. */
	int (*run)(int argc, char **argv);
};

extern const struct ht_command ht_cmd_record; /* cmd_record.c */
extern const struct ht_command ht_cmd_info;
extern const struct ht_command ht_cmd_report;
extern const struct ht_command ht_cmd_dump;
extern const struct ht_command ht_cmd_verify;
extern const struct ht_command ht_cmd_doctor;
extern const struct ht_command ht_cmd_export;
extern const struct ht_command ht_cmd_diff;
extern const struct ht_command ht_cmd_check;
extern const struct ht_command ht_cmd_symbolize;
extern const struct ht_command ht_cmd_escape;
extern const struct ht_command ht_cmd_latency;
extern const struct ht_command ht_cmd_timeline;

/* --- for every command -------------------------------------------------------------------- */

/* Prints `heaptide: TEXT` and the hint line, if there is one, on stderr. Control characters in
 * either are made harmless. */
void ht_message(const struct ht_diag *d);
/* The same for a text alone: ht_warn("%s: truncated after %s", ...). */
void ht_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* ht_message, then the exit status that belongs to code. */
int ht_give_up(int code, const struct ht_diag *d);

/* The folder of the running executable, without a slash at the end; "" if unknown. */
const char *ht_program_folder(void);
/* A file of heaptide's own: beside the executable, or in the build tree, or installed. Looks for
 * `name` in the folder of the executable, then in each of `places` relative to it. Returns a
 * heap copy of the absolute path, or NULL. */
char *ht_find_own_file(const char *name, const char *const *places);
/* libheaptide-hook.so, or NULL. HEAPTIDE_HOOK overrides. */
char *ht_find_hook(void);

#endif
