/*
 * help: see help.h. Pages are looked for beside the executable first, so that a build tree shows
 * its own pages and not those of another version that is installed.
 */
#include "help.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const purpose_titles[HT_PURPOSE_COUNT] = {
    [HT_PURPOSE_RECORD] = "make a trace",
    [HT_PURPOSE_READ] = "read it",
    [HT_PURPOSE_EXPORT] = "hand it to other tools",
    [HT_PURPOSE_CHECK] = "check",
};

void ht_help_overview(const struct ht_command *const *commands)
{
	int widest = 0;
	for (const struct ht_command *const *c = commands; *c; c++)
		widest = (int)strlen((*c)->name) > widest ? (int)strlen((*c)->name) : widest;
	printf(
	    "usage: heaptide COMMAND [options] ...\n"
	    "\nheaptide records every allocation of a program and shows where the memory went.\n");
	for (int p = 0; p < HT_PURPOSE_COUNT; p++) {
		printf("\n%s\n", purpose_titles[p]);
		for (const struct ht_command *const *c = commands; *c; c++)
			if ((int)(*c)->purpose == p)
				printf("  %-*s  %s\n", widest, (*c)->name, (*c)->summary);
	}
	printf("\n`heaptide COMMAND --help` lists a command's options, `heaptide help COMMAND` "
	       "opens its\n"
	       "manual, `heaptide --version` says what this build is made of.\n");
}

void ht_help_command(const struct ht_command *c)
{
	struct ht_buf out = {0};
	ht_options_help(c->options, &out);
	printf("usage: heaptide %s [options] %s\n\n%c%s.\n", c->name, c->arguments,
	       c->summary[0] >= 'a' && c->summary[0] <= 'z' ? c->summary[0] - 32 : c->summary[0],
	       c->summary + 1);
	if (out.len)
		printf("%s%.*s", out.data[0] == '\n' ? "" : "\n", (int)out.len, (char *)out.data);
	printf("\n`heaptide help %s` opens the manual.\n", c->name);
	ht_buf_release(&out);
}

/* Runs a viewer; its exit status, or -1 if it is not there. */
static int view(char *const argv[])
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return -1;
	return WEXITSTATUS(status);
}

static int view_page(char *page)
{
	char *man[] = {"man", "-l", page, NULL};
	int r = view(man);
	if (r == 0)
		return 0;
	char *mandoc[] = {"mandoc", page, NULL};
	return view(mandoc);
}

int ht_help_manual(const char *name, const struct ht_command *const *commands)
{
	static const char *const places[] = {"../../man", "../share/man/man1", NULL};
	char *page = name ? ht_xasprintf("heaptide-%s.1", name) : ht_xstrdup("heaptide.1");
	char *found = ht_find_own_file(page, places);
	int r = found ? view_page(found) : -1;
	free(found);
	free(page);
	if (r >= 0)
		return r;
	for (const struct ht_command *const *c = commands; name && *c; c++) {
		if (!strcmp((*c)->name, name)) {
			ht_help_command(*c);
			return 0;
		}
	}
	ht_help_overview(commands);
	return 0;
}
