/*
 * cmd_record: runs a program under the hook and writes one trace of it and of what it starts. This
 * file decides what is run and what is returned; record_run.c runs it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "closure.h"
#include "command.h"
#include "inspect.h"
#include "record_run.h"
#include "record_settings.h"
#include "record_summary.h"
#include "symbolize_trace.h"

enum { CANNOT_START = 125, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

static int cannot_start(const struct ht_diag *d)
{
	ht_message(d);
	return CANNOT_START;
}

/* Not in LD_PRELOAD, whose words end at either. */
static bool separator_in(const char *path)
{
	return path[strcspn(path, ": \t\n")] != '\0';
}

/* Ours first, then what the user preloads. NULL: the hook is not to be had. */
static char *preload_value(const char *program, struct ht_diag *d)
{
	const char *users = getenv("LD_PRELOAD");
	struct ht_closure_new news;
	char *hook = ht_find_hook();
	if (!hook || access(hook, R_OK)) {
		ht_fail(d, HT_ERR_SYSTEM, "libheaptide-hook.so: not found beside heaptide");
		ht_hint(d, "HEAPTIDE_HOOK names it where it lies elsewhere");
		return NULL;
	}
	if (separator_in(hook)) {
		ht_fail(d, HT_ERR_SYSTEM, "%s: LD_PRELOAD cannot hold a path with a space or a colon", hook);
		return NULL;
	}
	const char *slash = strrchr(hook, '/');
	char *second = ht_xasprintf("%.*s/libheaptide-hook-new.so", (int)(slash - hook), hook);
	ht_closure_new(program, users, &news);
	bool wanted = news.who[0] && !access(second, R_OK);
	char *value = ht_xasprintf("%s%s%s%s%s", hook, wanted ? ":" : "", wanted ? second : "",
				   users && *users ? ":" : "", users ? users : "");
	free(second);
	free(hook);
	return value;
}

/* The environment without what we set ourselves. */
static char **environment(void)
{
	size_t n = 0;
	while (environ[n])
		n++;
	char **env = ht_xcalloc(n + 1, sizeof(*env)), **to = env;
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "LD_PRELOAD=", 11) && strncmp(environ[i], "HEAPTIDE_ATTACH=", 16))
			*to++ = environ[i];
	return env;
}

static int exec_failed(const struct ht_recording *r)
{
	ht_warn("%s: %s", r->command[0], strerror(r->exec_error));
	return r->exec_error == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
}

static int status_of(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/* The target's output is out, its status known: what fails here is said, and changes neither. */
static void symbolize(const struct ht_recording *r)
{
	struct ht_stored_result stored;
	struct ht_diag d = {0};
	if (ht_symbolize_trace(r->path, false, &stored, &d)) {
		ht_message(&d);
		ht_warn("%s: has no symbols: `heaptide symbolize` adds them", r->path);
	}
	ht_stored_result_release(&stored);
}

/* After the run: says what there is to say and returns what record returns. */
static int conclude(const struct ht_recording *r)
{
	struct ht_diag d = {0};
	if (ht_record_settings.status_file && ht_record_status_file(ht_record_settings.status_file, r, &d))
		ht_message(&d);
	if (r->exec_error)
		return exec_failed(r);
	if (!ht_record_settings.quiet)
		ht_record_complaints(r);
	const bool recorded = r->has_result && r->result.attached;
	if (r->has_result && !recorded)
		unlink(r->path);
	if (recorded && ht_record_settings.symbolize)
		symbolize(r);
	if (recorded && !ht_record_settings.quiet)
		ht_record_summary(r);
	if (ht_record_settings.strict && !ht_record_complete(r))
		return CANNOT_START;
	return status_of(r->wait_status);
}

static int run(int argc, char **argv)
{
	struct ht_diag d = {0};
	struct ht_inspection in;
	struct ht_recording r = {.command = argv};
	(void)argc;
	if (ht_record_settings_check(&d)) {
		ht_message(&d);
		return 2;
	}
	ht_inspect(&in, argv[0]);
	int refusal = ht_inspect_refusal(&in, &d);
	if (refusal) {
		ht_message(&d);
		return refusal;
	}
	ht_record_settings_collect(&r.settings);
	r.preload = preload_value(in.path, &d);
	if (!r.preload)
		return cannot_start(&d);
	r.environment = environment();
	r.replace = ht_record_settings.exec;
	r.force = ht_record_settings.force;
	r.pattern = ht_record_settings.output;
	if (ht_record_run(&r, &d))
		return cannot_start(&d);
	return conclude(&r);
}

static const struct ht_option *const options[] = {ht_record_options, NULL};

const struct ht_command ht_cmd_record = {
	.name = "record",
	.purpose = HT_PURPOSE_RECORD,
	.arguments = "[--] COMMAND [ARG...]",
	.summary = "run a program and record its allocations",
	.options = options,
	.min_arguments = 1,
	.max_arguments = -1,
	.stop_at_argument = true,
	.run = run,
};
