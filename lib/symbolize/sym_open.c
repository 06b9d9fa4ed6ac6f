/* sym_open: see sym_open.h. */
#include "sym_open.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STANDARD_DIR "/usr/lib/debug"

static int open_regular(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

/* The kernel's own library is in every process and in no file; one of another kernel has another build-id. */
static int open_vdso(void)
{
	const uint8_t *start = (const uint8_t *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Ehdr) *h = (const void *)start;
	int fd = start ? memfd_create("vdso", MFD_CLOEXEC) : -1;
	if (fd < 0)
		return -1;
	if (ht_write_all(fd, start, h->e_shoff + (size_t)h->e_shnum * h->e_shentsize) == 0)
		return fd;
	close(fd);
	return -1;
}

int sym_open_module(const struct sym_places *p, const char *path)
{
	if (!path || !*path) {
		errno = ENOENT;
		return -1;
	}
	if (!strcmp(path, "[vdso]") || !strncmp(path, "linux-vdso.so", 13))
		return open_vdso();
	char *full = ht_xasprintf("%s%s%s", p->sysroot ? p->sysroot : "", p->sysroot && path[0] != '/' ? "/" : "", path);
	int fd = open_regular(full);
	int saved = errno;
	free(full);
	errno = saved;
	return fd;
}

/* --- places ------------------------------------------------------------------------------- */

struct search {
	const struct sym_places *p;
	unsigned skip; /* files to pass over */
	int fd;
	char *path;
	size_t size;
};

static void try_path(struct search *s, const char *root, const char *path)
{
	char *full = s->fd < 0 ? ht_xasprintf("%s%s%s", root, *root && path[0] != '/' ? "/" : "", path) : NULL;
	int fd = full ? open_regular(full) : -1;
	if (fd >= 0 && s->skip) {
		s->skip--;
		close(fd);
	} else if (fd >= 0) {
		s->fd = fd;
		snprintf(s->path, s->size, "%s", full);
	}
	free(full);
}

static const char *root_of(const struct search *s)
{
	return s->p->sysroot ? s->p->sysroot : "";
}

/* Below every debug directory. */
static void try_everywhere(struct search *s, const char *path)
{
	for (size_t i = 0; i < s->p->debug_dir_count; i++)
		try_path(s, s->p->debug_dirs[i], path);
	char *standard = ht_xasprintf(STANDARD_DIR "/%s", path);
	if (s->p->sysroot)
		try_path(s, s->p->sysroot, standard);
	/* Build-ids and checksums decide: the host's own file is as right as the root's. */
	try_path(s, "", standard);
	free(standard);
}

static void try_build_id(struct search *s, const struct sym_question *q)
{
	struct ht_buf b = { 0 };
	if (q->id_len < 2 || q->id_len > 64)
		return;
	ht_buf_printf(&b, ".build-id/%02x/", q->id[0]);
	for (size_t i = 1; i < q->id_len; i++)
		ht_buf_printf(&b, "%02x", q->id[i]);
	ht_buf_printf(&b, ".debug");
	ht_buf_byte(&b, 0);
	try_everywhere(s, (const char *)b.data);
	ht_buf_release(&b);
}

/* Formats one path and tries it: below root, or in every debug directory for a NULL root. */
__attribute__((format(printf, 3, 4))) static void try_format(struct search *s, const char *root, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n < sizeof(text)) {
		if (root)
			try_path(s, root, text);
		else
			try_everywhere(s, text);
	}
}

static void search_for(struct search *s, const char *module, const struct sym_question *q)
{
	const char *root = root_of(s), *base = ht_base_name(module), *name = q->name;
	int folder = base > module ? (int)(base - module - 1) : 1;
	const char *in = base > module ? module : ".";
	switch (q->which) {
	case SYM_FILE_DEBUG:
		try_build_id(s, q);
		for (size_t i = 0; i < s->p->debug_dir_count; i++) {
			try_format(s, s->p->debug_dirs[i], "%s", base);
			try_format(s, s->p->debug_dirs[i], "%s.debug", base);
		}
		return;
	case SYM_FILE_LINK:
		name = ht_base_name(name);
		try_format(s, root, "%.*s/%s", folder, in, name);
		try_format(s, root, "%.*s/.debug/%s", folder, in, name);
		try_format(s, NULL, "%.*s/%s", folder, in, name);
		try_format(s, NULL, "%s", name);
		return;
	case SYM_FILE_ALTERNATE:
		/* Relative to the file that names it, which may be the module or its debug file. */
		if (name[0] == '/')
			try_path(s, root, name);
		else if (name[0])
			try_format(s, root, "%.*s/%s", folder, in, name);
		if (name[0] && name[0] != '/' && q->id_len)
			try_format(s, NULL, ".build-id/%02x/%s", q->id[0], name);
		try_build_id(s, q);
		return;
	case SYM_FILE_PACKAGE:
		try_format(s, root, "%s.dwp", module);
		try_format(s, NULL, "%s.dwp", base);
		return;
	case SYM_FILE_LOOSE:
		try_path(s, root, name);
		try_format(s, root, "%.*s/%s", folder, in, ht_base_name(name));
		try_format(s, NULL, "%s", name);
		try_format(s, NULL, "%s", ht_base_name(name));
		return;
	}
}

int sym_open_question(struct sym_places *p, const char *module, const struct sym_question *q, char *path, size_t size)
{
	struct search s = { p, q->nth, -1, path, size };
	*path = '\0';
	search_for(&s, module, q);
	if (s.fd < 0 && !s.skip && q->which == SYM_FILE_DEBUG && p->fetch)
		return sym_fetch_debug(&p->servers, q->id, q->id_len, path, size);
	return s.fd;
}
