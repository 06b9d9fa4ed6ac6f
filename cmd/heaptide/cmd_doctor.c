/*
 * doctor: can this program be recorded, and if not or not fully, why. One line per thing that was
 * looked at; exit 0 if it can, 3 if not. Looks at files; runs the dynamic loader's listing, in
 * which no code of the program or of its libraries is executed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "inspect.h"
#include "perf_events.h"
#include "result.h"
#include "schedstat.h"
#include "text.h"

static const struct ht_option *const tables[] = {ht_result_options, NULL};

enum status { GOOD, NOTE, BAD };
static const char *const status_words[] = {"ok", "note", "no"};

struct finding {
	enum status status;
	const char *check;
	char text[400];
	const char *remedy; /* NULL = nothing to do */
};
struct findings {
	struct finding items[12];
	size_t count;
	bool refused;
};

static void find(struct findings *f, enum status s, const char *check, const char *remedy,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void find(struct findings *f, enum status s, const char *check, const char *remedy,
		 const char *fmt, ...)
{
	if (f->count == HT_ARRAY_SIZE(f->items))
		return;
	struct finding *it = &f->items[f->count++];
	va_list ap;
	it->status = s;
	it->check = check;
	it->remedy = remedy && *remedy ? remedy : NULL;
	va_start(ap, fmt);
	vsnprintf(it->text, sizeof(it->text), fmt, ap);
	va_end(ap);
	f->refused |= s == BAD;
}

/* --- the program -------------------------------------------------------------------------- */

static enum status verdict_status(const struct ht_inspection *in)
{
	return in->verdict == HT_INSPECT_OK ? GOOD : in->verdict == HT_INSPECT_PARTLY ? NOTE : BAD;
}

static void look_at_program(struct findings *f, const struct ht_inspection *in)
{
	if (in->script[0])
		find(f, GOOD, "script", NULL, "run by %s",
		     in->path[0] ? in->path : "an unknown interpreter");
	if (in->verdict != HT_INSPECT_OK)
		find(f, verdict_status(in), "program", in->remedy, "%s", in->reason);
	else
		find(f, GOOD, "program", NULL, "64-bit %s, dynamically linked by %s",
		     ht_elf_machine_name(in->elf.machine), in->elf.interpreter);
	if (!in->elf.readable)
		return;
	if (in->secure)
		find(f, BAD, "privileges", NULL,
		     "setuid, setgid or capabilities of the file take effect");
	else
		find(f, GOOD, "privileges", NULL, "%s",
		     in->has_setid || in->has_capabilities
			 ? "its special rights change nothing for this user"
			 : "neither setuid nor setgid nor capabilities");
	if (in->verdict > HT_INSPECT_PARTLY)
		return;
	if (in->allocator[0])
		find(f, NOTE, "allocator", NULL,
		     "%s: its malloc family is recorded, operator new by the second hook",
		     in->allocator);
	else if (!in->elf.defines_malloc)
		find(f, GOOD, "allocator", NULL, "the C library's: it brings none of its own");
}

static bool separate_debug_file(const struct ht_elf_view *v, char *out, size_t n)
{
	if (!v->build_id[0])
		return false;
	snprintf(out, n, "/usr/lib/debug/.build-id/%.2s/%s.debug", v->build_id, v->build_id + 2);
	return !access(out, R_OK);
}

static void look_at_symbols(struct findings *f, const struct ht_elf_view *v)
{
	char separate[160];
	if (!v->readable)
		return;
	if (v->has_debug_info)
		find(f, GOOD, "debug info", NULL,
		     "in the file: functions, files, lines, inlined frames");
	else if (separate_debug_file(v, separate, sizeof(separate)))
		find(f, GOOD, "debug info", NULL, "in %s", separate);
	else if (v->has_symtab)
		find(f, NOTE, "debug info", "compile with -g for lines and inlined functions",
		     "symbol table only: functions without lines");
	else
		find(f, NOTE, "debug info",
		     v->has_debug_link ? "install its debug package"
				       : "compile with -g, and do not strip",
		     "%s: only exported functions have names",
		     v->has_debug_link ? "split off, and not found here" : "none");
}

/* --- the hook ----------------------------------------------------------------------------- */

/* What the loader says about the program with the hook preloaded; a heap string or NULL. Only
 * loaders known by name are run. */
static char *loader_listing(const char *interpreter, const char *path, const char *hook)
{
	static const char *const known[] = {"/lib64/ld-linux-x86-64.so.2",
					    "/lib/ld-linux-aarch64.so.1"};
	int ends[2];
	bool trusted = false;
	for (size_t i = 0; i < HT_ARRAY_SIZE(known); i++)
		trusted |= !strcmp(interpreter, known[i]);
	if (!trusted || pipe2(ends, O_CLOEXEC))
		return NULL;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		setenv("LD_PRELOAD", hook, 1);
		setenv("LC_ALL", "C", 1);
		execl(interpreter, interpreter, "--list", path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	struct ht_buf out = {0};
	char part[4096];
	ssize_t n;
	while (pid > 0 && out.len < (1 << 20) &&
	       ((n = read(ends[0], part, sizeof(part))) > 0 || (n < 0 && errno == EINTR)))
		ht_buf_append(&out, part, n > 0 ? (size_t)n : 0);
	close(ends[0]);
	int status;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ht_buf_byte(&out, '\0');
	return (char *)out.data;
}

/* Libraries of libraries may bring an allocator or a sanitizer, too. */
static void look_at_closure(struct findings *f, const struct ht_inspection *in, char *listing)
{
	char *save, *line;
	for (line = strtok_r(listing, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *end = strstr(line, " => ");
		if (end)
			*end = '\0';
		const char *name = ht_base_name(line + strspn(line, " \t"));
		const char *s = ht_inspect_sanitizer_library(name);
		const char *a = ht_inspect_allocator_library(name);
		if (s && !in->sanitizer[0])
			find(f, BAD, "libraries", "build it without -fsanitize to record it",
			     "%s brings %s, whose allocator must come first", name, s);
		else if (a && !in->allocator[0])
			find(f, NOTE, "libraries", NULL, "%s brings the allocator %s", name, a);
		else if (end && !strncmp(end + 4, "not found", 9))
			find(f, BAD, "libraries", "install it, or set LD_LIBRARY_PATH",
			     "%s is not found: the program does not start", name);
	}
}

static void look_at_hook(struct findings *f, const struct ht_inspection *in)
{
	struct ht_elf_view v;
	char *hook = ht_find_hook();
	if (!hook) {
		find(f, BAD, "hook", "build or install heaptide anew, or set HEAPTIDE_HOOK",
		     "libheaptide-hook.so is not where it belongs");
		return;
	}
	if (ht_elf_view_read(&v, hook, NULL) || !v.readable ||
	    v.machine != ht_elf_native_machine()) {
		find(f, BAD, "hook", NULL, "%s is no library of this machine", hook);
		free(hook);
		return;
	}
	char *listing = in->verdict <= HT_INSPECT_PARTLY && in->elf.readable
			    ? loader_listing(in->elf.interpreter, in->path, hook)
			    : NULL;
	char *refusal = listing ? strstr(listing, "cannot be preloaded") : NULL;
	if (refusal) {
		refusal[strcspn(refusal, "\n")] = '\0';
		find(f, BAD, "hook", NULL, "%s %s", hook, refusal);
	} else {
		find(f, GOOD, "hook", NULL, "%s%s", hook,
		     listing ? ", and the loader takes it" : "");
		if (listing)
			look_at_closure(f, in, listing);
	}
	free(listing);
	free(hook);
}

/* Tried, not guessed: containers refuse it whatever the setting says, and root may at any. */
static void look_at_perf(struct findings *f)
{
	char why[80], level[32] = "";
	struct ht_schedstat_words words;
	if (ht_perf_allowed(why)) {
		find(f, GOOD, "switches", NULL, "perf events are allowed: context switches and page faults can be recorded");
		return;
	}
	int fd = open("/proc/sys/kernel/perf_event_paranoid", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!ht_pread_all(fd, level, sizeof(level) - 1, 0);
		close(fd);
	}
	const char *instead = ht_schedstat_read(getpid(), getpid(), &words) ? "threads' running times are polled instead"
									    : "nor does this kernel keep threads' running times";
	const char *remedy = atoi(level) > 2   ? "set kernel.perf_event_paranoid to 2; allocations do not need it"
			     : strstr(why, "denied") ? "allow perf_event_open (a container's seccomp profile); allocations do not need it"
						     : NULL;
	find(f, NOTE, "switches", remedy, "no perf events (%s): %s", why, instead);
}

/* --- running ------------------------------------------------------------------------------ */

static void print_text(const struct ht_inspection *in, const struct findings *f, struct ht_buf *out)
{
	const char *verdict = f->refused			 ? "cannot be recorded"
			      : in->verdict == HT_INSPECT_PARTLY ? "can be recorded in part"
								 : "can be recorded";
	ht_text_clean(out, in->command);
	ht_buf_printf(out, ": %s\n", verdict);
	for (size_t i = 0; i < f->count; i++) {
		ht_buf_printf(out, "  %-4s  %-10s  ", status_words[f->items[i].status],
			      f->items[i].check);
		ht_text_clean(out, f->items[i].text);
		ht_buf_byte(out, '\n');
		if (f->items[i].remedy)
			ht_buf_printf(out, "%20sdo: %s\n", "", f->items[i].remedy);
	}
	if (!f->refused) {
		ht_buf_printf(out, "next: heaptide record ");
		ht_text_clean(out, in->command);
		ht_buf_byte(out, '\n');
	}
}

static void print_data(const struct ht_inspection *in, const struct findings *f, struct ht_emitter *e)
{
	static const struct ht_column columns[] = {
	    {.key = "check"}, {.key = "status"}, {.key = "finding"}, {.key = "remedy"}, {0}};
	ht_emit_json(e, "program", ht_string(in->command));
	ht_emit_json(e, "path", ht_string(in->path[0] ? in->path : NULL));
	ht_emit_json(e, "recordable", ht_bool(!f->refused));
	ht_emit_json(e, "reason", ht_string(in->reason[0] ? in->reason : NULL));
	ht_emit_json(e, "build_id", ht_string(in->elf.build_id[0] ? in->elf.build_id : NULL));
	ht_emit_table(e, "rows", columns);
	for (size_t i = 0; i < f->count; i++) {
		ht_emit_cell(e, ht_string(f->items[i].check));
		ht_emit_cell(e, ht_string(status_words[f->items[i].status]));
		ht_emit_cell(e, ht_string(f->items[i].text));
		ht_emit_cell(e, ht_string(f->items[i].remedy));
		ht_emit_row(e);
	}
	ht_emit_table_end(e, 0);
}

/* A number that names a process, and no file: its program is examined. */
static char *program_of_process(const char *argument)
{
	if (!*argument || strspn(argument, "0123456789") != strlen(argument) ||
	    !access(argument, F_OK))
		return NULL;
	char *link = ht_xasprintf("/proc/%s/exe", argument);
	char *path = realpath(link, NULL);
	free(link);
	return path;
}

static int run(int argc, char **argv)
{
	(void)argc;
	static struct ht_inspection in;
	struct findings f = {.count = 0};
	struct ht_result result;
	struct ht_diag d = {0};
	int r = ht_result_check(&d);
	if (r)
		return ht_give_up(r, &d);
	char *path = program_of_process(argv[0]);
	ht_inspect(&in, path ? path : argv[0]);
	look_at_program(&f, &in);
	if (path)
		find(
		    &f, NOTE, "process", NULL,
		    "a process that runs already cannot be joined: start the program under record");
	look_at_symbols(&f, &in.elf);
	look_at_hook(&f, &in);
	look_at_perf(&f);
	r = ht_result_open(&result, "heaptide.doctor/1", in.path, &d);
	if (!r) {
		if (ht_result_is_data())
			print_data(&in, &f, &result.e);
		else
			print_text(&in, &f, &result.out.buf);
		r = ht_result_close(&result, &d);
	}
	free(path);
	if (r)
		return ht_give_up(r, &d);
	return f.refused ? 3 : 0;
}

const struct ht_command ht_cmd_doctor = {
    .name = "doctor",
    .purpose = HT_PURPOSE_CHECK,
    .arguments = "PROGRAM|PID",
    .summary = "say whether a program can be recorded, and if not, why",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
