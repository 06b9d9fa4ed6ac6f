/* source_text: see source_text.h. */
#include "source_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST (UINT64_C(64) << 20)

/* A path from a trace may name anything: only regular files are read, and without waiting. */
static int open_regular(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	if (!fstat(fd, st) && S_ISREG(st->st_mode) && (uint64_t)st->st_size <= LARGEST)
		return fd;
	close(fd);
	return -1;
}

/* The whole path, then without its first folder, and so on. Where it was found comes back in *place
 * (heap). */
static int open_below_root(const char *root, const char *path, struct stat *st, char **place)
{
	for (const char *tail = path; root && tail && *tail; tail = strchr(tail, '/')) {
		while (*tail == '/')
			tail++;
		*place = ht_xasprintf("%s/%s", root, tail);
		int fd = open_regular(*place, st);
		if (fd >= 0)
			return fd;
		free(*place);
	}
	return -1;
}

char *ht_source_place(const char *root, const char *path)
{
	struct stat st;
	char *place;
	int fd = open_below_root(root, path, &st, &place);
	if (fd < 0)
		return NULL;
	close(fd);
	return place;
}

static void split(struct ht_source_file *f)
{
	uint32_t cap = 0;
	for (char *at = f->text; *at;) {
		char *end = strchr(at, '\n');
		if (f->line_count == cap) {
			cap = cap ? cap * 2 : 256;
			f->lines = ht_xrealloc(f->lines, cap, sizeof(*f->lines));
		}
		f->lines[f->line_count++] = at;
		if (!end)
			return;
		*end = '\0';
		if (end > at && end[-1] == '\r')
			end[-1] = '\0';
		at = end + 1;
	}
}

/* Lines that the trace does not have stay unknown. */
static bool take_stored(const struct ht_sources *s, struct ht_source_file *f)
{
	const struct ht_stored_source *stored =
	    s->stacks ? ht_stacks_source(s->stacks, f->path) : NULL;
	uint32_t last = stored && stored->count ? stored->numbers[stored->count - 1] : 0;
	if (!last || last > LARGEST)
		return false;
	f->lines = ht_xcalloc(last, sizeof(*f->lines));
	f->line_count = last;
	f->newer = stored->newer;
	for (size_t i = 0; i < stored->count; i++)
		if (stored->numbers[i] && stored->numbers[i] <= last)
			f->lines[stored->numbers[i] - 1] = stored->lines[i];
	return true;
}

static bool take_file(const struct ht_sources *s, struct ht_source_file *f, int fd,
		      const struct stat *st)
{
	size_t size = (size_t)st->st_size;
	char *text = ht_xmalloc(size + 1);
	int64_t n = ht_pread_all(fd, text, size, 0);
	close(fd);
	if (n < 0) {
		free(text);
		return false;
	}
	text[n] = '\0';
	f->text = text;
	f->newer = s->recorded_utc_ns && (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec > s->recorded_utc_ns;
	split(f);
	return true;
}

static bool load(const struct ht_sources *s, struct ht_source_file *f)
{
	struct stat st;
	char *place;
	int fd = open_below_root(s->root, f->path, &st, &place);
	if (fd >= 0)
		free(place);
	else if (take_stored(s, f))
		return true;
	if (fd < 0 && *f->path == '/')
		fd = open_regular(f->path, &st);
	return fd >= 0 && take_file(s, f, fd, &st);
}

const struct ht_source_file *ht_source_file(struct ht_sources *s, const char *path)
{
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->files[i].path, path))
			return &s->files[i];
	s->files = ht_xrealloc(s->files, s->count + 1, sizeof(*s->files));
	struct ht_source_file *f = &s->files[s->count++];
	*f = (struct ht_source_file){.path = ht_xstrdup(path)};
	f->found = load(s, f);
	return f;
}

const char *ht_source_line(const struct ht_source_file *f, uint32_t line)
{
	return f && line && line <= f->line_count ? f->lines[line - 1] : NULL;
}

void ht_sources_say(struct ht_emitter *e, const struct ht_sources *s)
{
	bool missing = false;
	for (size_t i = 0; i < s->count; i++) {
		const struct ht_source_file *f = &s->files[i];
		if (!f->found)
			ht_emit_clean(e, "source not found: ", f->path, "\n");
		else if (f->newer)
			ht_emit_clean(e, "changed since the recording: ", f->path, "\n");
		missing |= !f->found;
	}
	if (missing && !s->root)
		ht_emit_text(e, "hint: --source-root DIR names the folder that holds them\n");
}

void ht_sources_release(struct ht_sources *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->files[i].path);
		free(s->files[i].text);
		free(s->files[i].lines);
	}
	free(s->files);
	*s = (struct ht_sources){0};
}
