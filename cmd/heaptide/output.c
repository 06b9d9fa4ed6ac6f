/*
 * output: see output.h. The temporary file stands in the folder of the final one, so that the
 * rename cannot cross file systems; it is removed when a signal ends the program.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The one temporary file of this process, for the signal handler. */
static char *volatile pending;

static void remove_pending(int sig)
{
	char *p = pending;
	if (p)
		unlink(p);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void guard_pending(char *path)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	pending = path;
	for (size_t i = 0; i < HT_ARRAY_SIZE(signals); i++) {
		struct sigaction old;
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler == SIG_DFL)
			signal(signals[i], remove_pending);
	}
}

static int same_file(const char *a, const char *b)
{
	struct stat sa, sb;
	return !stat(a, &sa) && !stat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static int open_temporary(struct ht_output *o, const char *path, struct ht_diag *d)
{
	char *temporary = ht_xasprintf("%s.XXXXXX", path);
	o->fd = mkostemp(temporary, O_CLOEXEC);
	if (o->fd < 0) {
		free(temporary);
		return ht_fail(d, HT_ERR_SYSTEM, "%s: cannot be written: %s", path,
			       strerror(errno));
	}
	mode_t mask = umask(0);
	umask(mask);
	fchmod(o->fd, 0666 & ~mask);
	o->temporary = temporary;
	guard_pending(temporary);
	return 0;
}

static struct {
	const char **items;
	size_t count;
} kept;

void ht_output_keep(const char *path)
{
	kept.items = ht_xrealloc(kept.items, kept.count + 1, sizeof(*kept.items));
	kept.items[kept.count++] = path;
}

int ht_output_open(struct ht_output *o, const char *path, const char *never, struct ht_diag *d)
{
	struct stat st;
	*o = (struct ht_output){.fd = STDOUT_FILENO};
	if (!path || !strcmp(path, "-"))
		return 0;
	if (never && same_file(path, never))
		return ht_fail(d, HT_ERR_USAGE, "%s: is the trace itself: not overwritten", path);
	for (size_t i = 0; i < kept.count; i++)
		if (same_file(path, kept.items[i]))
			return ht_fail(d, HT_ERR_USAGE, "%s: is one of the traces: not overwritten", path);
	bool there = !stat(path, &st);
	if (there && S_ISDIR(st.st_mode))
		return ht_fail(d, HT_ERR_SYSTEM, "%s: cannot be written: it is a folder", path);
	if (!there || S_ISREG(st.st_mode)) {
		if (open_temporary(o, path, d))
			return HT_ERR_SYSTEM;
	} else {
		/* A device or a pipe has no other name to be written under. */
		o->fd = open(path, O_WRONLY | O_CLOEXEC);
		if (o->fd < 0)
			return ht_fail(d, HT_ERR_SYSTEM, "%s: cannot be written: %s", path,
				       strerror(errno));
	}
	o->path = ht_xstrdup(path);
	return 0;
}

static void flush(struct ht_output *o)
{
	if (!o->error && o->buf.len && ht_write_all(o->fd, o->buf.data, o->buf.len)) {
		o->error = errno;
		if (errno == EPIPE && !o->temporary)
			_exit(0);
	}
	o->buf.len = 0;
}

void ht_output_flush_some(struct ht_output *o)
{
	if (o->buf.len >= 65536)
		flush(o);
}

static void release(struct ht_output *o)
{
	if (o->path)
		close(o->fd);
	if (o->temporary) {
		unlink(o->temporary);
		pending = NULL;
	}
	free(o->temporary);
	free(o->path);
	ht_buf_release(&o->buf);
	*o = (struct ht_output){.fd = -1};
}

int ht_output_close(struct ht_output *o, struct ht_diag *d)
{
	flush(o);
	const char *name = o->path ? o->path : "standard output";
	int r = 0;
	if (!o->error && o->temporary && rename(o->temporary, o->path))
		o->error = errno;
	if (o->error)
		r = ht_fail(d, HT_ERR_SYSTEM, "%s: cannot be written: %s", name,
			    strerror(o->error));
	if (!r && o->temporary) {
		pending = NULL;
		free(o->temporary);
		o->temporary = NULL;
	}
	release(o);
	return r;
}

void ht_output_abandon(struct ht_output *o)
{
	release(o);
}
