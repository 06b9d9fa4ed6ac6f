/* inspect: see inspect.h. Nothing is executed to find out. */
#include "inspect.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static void decide(struct ht_inspection *in, enum ht_inspect_verdict v, const char *remedy,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static void decide(struct ht_inspection *in, enum ht_inspect_verdict v, const char *remedy,
		   const char *fmt, ...)
{
	va_list ap;
	in->verdict = v;
	va_start(ap, fmt);
	vsnprintf(in->reason, sizeof(in->reason), fmt, ap);
	va_end(ap);
	snprintf(in->remedy, sizeof(in->remedy), "%s", remedy);
}

/* --- which file runs ---------------------------------------------------------------------- */

static int check_file(const char *path)
{
	struct stat st;
	if (stat(path, &st))
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return access(path, X_OK) ? errno : 0;
}

/* As execvp: a name with a slash is a path, else PATH is searched; EACCES is remembered while the
 * search goes on. Returns 0 or an errno. */
static int find_program(const char *command, char *out, size_t n)
{
	if (strchr(command, '/')) {
		snprintf(out, n, "%s", command);
		return check_file(out);
	}
	const char *path = getenv("PATH");
	int refused = ENOENT;
	if (!path)
		path = "/bin:/usr/bin";
	for (;;) {
		size_t len = strcspn(path, ":");
		if (!*command)
			break;
		int need = len ? snprintf(out, n, "%.*s/%s", (int)len, path, command)
			       : snprintf(out, n, "./%s", command);
		int e = need > 0 && (size_t)need < n ? check_file(out) : ENAMETOOLONG;
		if (!e)
			return 0;
		if (e == EACCES)
			refused = e;
		if (!path[len])
			break;
		path += len + 1;
	}
	out[0] = '\0';
	return refused;
}

/* The first word after #!, and the second into argument; false when there is no such line. */
static bool script_line(const char *path, char *interpreter, size_t n, char *argument, size_t m)
{
	char line[257];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int64_t got = fd < 0 ? -1 : ht_pread_all(fd, line, sizeof(line) - 1, 0);
	if (fd >= 0)
		close(fd);
	if (got < 2)
		return false;
	line[got] = '\0';
	if (line[0] != '#' || line[1] != '!') {
		/* execvp hands text without #! to the shell. */
		if (memchr(line, '\0', (size_t)got))
			return false;
		snprintf(interpreter, n, "/bin/sh");
		argument[0] = '\0';
		return true;
	}
	line[strcspn(line, "\n")] = '\0';
	char *save, *first = strtok_r(line + 2, " \t", &save);
	char *second = first ? strtok_r(NULL, " \t", &save) : NULL;
	snprintf(interpreter, n, "%s", first ? first : "");
	snprintf(argument, m, "%s", second ? second : "");
	return first != NULL;
}

static bool is_env(const char *interpreter)
{
	return !strcmp(ht_base_name(interpreter), "env");
}

static void not_runnable(struct ht_inspection *in, int e, const char *what)
{
	if (e == ENOENT || e == ENOTDIR)
		decide(in, HT_INSPECT_NOT_FOUND, "", "%s", what ? what : "no such program");
	else
		decide(in, HT_INSPECT_NOT_EXECUTABLE, "", "cannot be executed: %s", strerror(e));
}

/* Follows scripts to an ELF file; false when a verdict stands. */
static bool resolve(struct ht_inspection *in)
{
	char interpreter[256], argument[256];
	int e = find_program(in->command, in->path, sizeof(in->path));
	if (e) {
		not_runnable(in, e, NULL);
		return false;
	}
	for (int depth = 0; depth < 5; depth++) {
		struct ht_diag d = {0};
		if (ht_elf_view_read(&in->elf, in->path, &d)) {
			/* Executable without being readable: it runs, and we cannot look. */
			decide(in, HT_INSPECT_PARTLY, "", "cannot be examined: not readable");
			return false;
		}
		if (in->elf.is_elf)
			return true;
		if (!script_line(in->path, interpreter, sizeof(interpreter), argument,
				 sizeof(argument)))
			break;
		if (!in->script[0])
			memcpy(in->script, in->path, sizeof(in->script));
		const char *next = is_env(interpreter) && argument[0] && argument[0] != '-'
				       ? argument
				       : interpreter;
		e = find_program(next, in->path, sizeof(in->path));
		if (e) {
			char what[300];
			snprintf(what, sizeof(what), "its interpreter %s does not exist", next);
			not_runnable(in, e, what);
			return false;
		}
	}
	decide(in, HT_INSPECT_NOT_EXECUTABLE, "", "is neither a program nor a script");
	return false;
}

/* --- what of it matters ------------------------------------------------------------------- */

static void look_at_privileges(struct ht_inspection *in)
{
	struct stat st;
	if (stat(in->path, &st))
		return;
	in->has_setid = st.st_mode & (S_ISUID | S_ISGID);
	in->has_capabilities = getxattr(in->path, "security.capability", NULL, 0) > 0;
	in->secure = ((st.st_mode & S_ISUID) && st.st_uid != getuid()) ||
		     ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getgid()) ||
		     (in->has_capabilities && geteuid() != 0);
}

struct known_library {
	const char *prefix, *name;
};

static const char *match(const char *file_name, const struct known_library *known, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!strncmp(file_name, known[k].prefix, strlen(known[k].prefix)))
			return known[k].name;
	return NULL;
}

const char *ht_inspect_allocator_library(const char *file_name)
{
	static const struct known_library allocators[] = {
	    {"libjemalloc", "jemalloc"},   {"libtcmalloc", "tcmalloc"}, {"libmimalloc", "mimalloc"},
	    {"libtbbmalloc", "tbbmalloc"}, {"libhoard", "Hoard"},	{"librpmalloc", "rpmalloc"},
	    {"libsnmalloc", "snmalloc"},   {"libscudo", "Scudo"},
	};
	return match(file_name, allocators, HT_ARRAY_SIZE(allocators));
}

const char *ht_inspect_sanitizer_library(const char *file_name)
{
	static const struct known_library sanitizers[] = {
	    {"libasan", "AddressSanitizer"},	     {"libclang_rt.asan", "AddressSanitizer"},
	    {"libhwasan", "HWAddressSanitizer"},     {"libtsan", "ThreadSanitizer"},
	    {"libclang_rt.tsan", "ThreadSanitizer"}, {"liblsan", "LeakSanitizer"},
	};
	return match(file_name, sanitizers, HT_ARRAY_SIZE(sanitizers));
}

static void look_at_allocator(struct ht_inspection *in)
{
	const struct ht_elf_view *v = &in->elf;
	const char *s = v->defines_asan	  ? "AddressSanitizer"
			: v->defines_tsan ? "ThreadSanitizer"
			: v->defines_msan ? "MemorySanitizer"
					  : NULL;
	const char *a = NULL;
	for (size_t i = 0; i < v->needed_count; i++) {
		a = a ? a : ht_inspect_allocator_library(v->needed[i]);
		s = s ? s : ht_inspect_sanitizer_library(v->needed[i]);
	}
	snprintf(in->allocator, sizeof(in->allocator), "%s", a ? a : "");
	snprintf(in->sanitizer, sizeof(in->sanitizer), "%s", s ? s : "");
}

static void judge(struct ht_inspection *in)
{
	const struct ht_elf_view *v = &in->elf;
	if (!v->is_64 || !v->little || v->machine != ht_elf_native_machine()) {
		decide(in, HT_INSPECT_FOREIGN, "build it for this machine, 64-bit",
		       "is a %d-bit %s program, this heaptide records 64-bit %s",
		       v->is_64 ? 64 : 32, ht_elf_machine_name(v->machine),
		       ht_elf_machine_name(ht_elf_native_machine()));
	} else if (!v->readable || (v->type != ET_EXEC && v->type != ET_DYN)) {
		decide(in, HT_INSPECT_NOT_EXECUTABLE, "", "is a damaged ELF file or no program");
	} else if (!v->interpreter[0]) {
		decide(in, HT_INSPECT_STATIC, "link it dynamically (without -static) to record it",
		       "statically linked, so no hook can be loaded");
	} else if (strstr(v->interpreter, "ld-musl")) {
		decide(in, HT_INSPECT_FOREIGN, "build it against glibc",
		       "is linked against musl, the hook needs glibc");
	} else if (in->secure) {
		decide(in, HT_INSPECT_SECURE, "run it as the user whose privileges it takes",
		       "is %s, so the loader ignores the hook",
		       in->has_setid ? "setuid or setgid" : "given capabilities by its file");
	} else if (in->sanitizer[0]) {
		decide(in, HT_INSPECT_SANITIZED, "build it without -fsanitize to record it",
		       "is built with %s, whose allocator must come first", in->sanitizer);
	} else if (v->exports_malloc) {
		decide(in, HT_INSPECT_SHADOWED,
		       "link the allocator as a shared library, or use libc's",
		       "exports malloc itself, so its calls never reach the hook");
	} else if (v->defines_malloc) {
		decide(in, HT_INSPECT_PARTLY, "",
		       "defines malloc for itself: its own calls are not seen, its libraries' are");
	}
}

void ht_inspect(struct ht_inspection *in, const char *command)
{
	*in = (struct ht_inspection){.command = command};
	if (!resolve(in))
		return;
	look_at_privileges(in);
	look_at_allocator(in);
	judge(in);
}

int ht_inspect_refusal(const struct ht_inspection *in, struct ht_diag *d)
{
	if (in->verdict == HT_INSPECT_OK || in->verdict == HT_INSPECT_PARTLY)
		return 0;
	bool is_script = in->script[0] && in->path[0];
	bool started =
	    in->verdict != HT_INSPECT_NOT_FOUND && in->verdict != HT_INSPECT_NOT_EXECUTABLE;
	ht_fail(d, HT_ERR_SYSTEM, "%s: %s%s%s%s", in->command, is_script ? in->path : "",
		is_script ? ": " : "", in->reason, started ? ": nothing was recorded" : "");
	if (started)
		ht_hint(d, "`heaptide doctor %s` says what can be recorded of it", in->command);
	if (in->verdict == HT_INSPECT_NOT_FOUND)
		return 127;
	return in->verdict == HT_INSPECT_NOT_EXECUTABLE ? 126 : 125;
}
