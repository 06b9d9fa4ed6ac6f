/*
 * main: finds the command in the table, lets its option tables parse the arguments, and runs it.
 * Everything else that main knows is help and version.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "help.h"
#include "trace.h"

static const struct ht_command *const commands[] = {
    &ht_cmd_record, &ht_cmd_report, &ht_cmd_diff,      &ht_cmd_escape, &ht_cmd_latency, &ht_cmd_timeline, &ht_cmd_info,
    &ht_cmd_dump,   &ht_cmd_export, &ht_cmd_symbolize, &ht_cmd_check,  &ht_cmd_doctor,	&ht_cmd_verify,	  NULL,
};

static const struct ht_command *find_command(const char *name)
{
	for (const struct ht_command *const *c = commands; *c; c++)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[HT_ARRAY_SIZE(commands) + 1] = {"help"};
	for (size_t i = 0; commands[i]; i++)
		names[i + 1] = commands[i]->name;
	const char *near = ht_nearest_word(name, names);
	struct ht_diag d;
	if (near)
		ht_fail(&d, HT_ERR_USAGE, "%s: unknown command (did you mean '%s'?)", name, near);
	else
		ht_fail(&d, HT_ERR_USAGE, "%s: unknown command", name);
	ht_hint(&d, "`heaptide` alone lists the commands");
	return ht_give_up(HT_ERR_USAGE, &d);
}

/* Built-with versions come from CMake: libraries stay behind the folders that use them. */
static int print_version(void)
{
	printf("heaptide %s (commit %s)\n", HT_VERSION, HT_COMMIT);
	printf("reads traces of format version %d\n", HT_TRACE_VERSION);
	printf("libraries: %s\n", HT_LIBRARIES);
	return 0;
}

static int run_help(int argc, char **argv)
{
	if (argc == 0)
		return ht_help_manual(NULL, commands);
	if (!strcmp(argv[0], "help"))
		return ht_help_manual("help", commands);
	if (!find_command(argv[0]))
		return unknown_command(argv[0]);
	return ht_help_manual(argv[0], commands);
}

static int usage_error(const struct ht_command *c, struct ht_diag *d)
{
	if (!d->hint[0])
		ht_hint(d, "`heaptide %s --help` lists the options", c->name);
	return ht_give_up(HT_ERR_USAGE, d);
}

static int run_command(const struct ht_command *c, int argc, char **argv)
{
	struct ht_diag d = {0};
	int n = ht_options_environment(c->options, &d);
	if (!n)
		n = ht_options_parse(c->options, argc, argv, c->stop_at_argument, &d);
	if (n == HT_OPTIONS_HELP) {
		ht_help_command(c);
		return 0;
	}
	if (n < 0)
		return usage_error(c, &d);
	if (n < c->min_arguments) {
		ht_fail(&d, HT_ERR_USAGE, "%s: needs %s", c->name, c->arguments);
		return usage_error(c, &d);
	}
	if (c->max_arguments >= 0 && n > c->max_arguments) {
		ht_fail(&d, HT_ERR_USAGE, "%s: one argument too many", argv[c->max_arguments]);
		return usage_error(c, &d);
	}
	return c->run(n, argv);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		ht_help_overview(commands);
		return 0;
	}
	const char *name = argv[1];
	if (!strcmp(name, "--version") || !strcmp(name, "-V"))
		return print_version();
	if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
		ht_help_overview(commands);
		return 0;
	}
	if (!strcmp(name, "help"))
		return run_help(argc - 2, argv + 2);
	const struct ht_command *c = find_command(name);
	if (!c)
		return unknown_command(name);
	return run_command(c, argc - 2, argv + 2);
}
