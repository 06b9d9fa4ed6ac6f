/* sym_open: see sym_open.h. */
#include "sym_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static int open_below(const char *root, const char *path)
{
	char *full = ht_xasprintf("%s%s%s", root ? root : "", root && path[0] != '/' ? "/" : "", path);
	int fd = open_regular(full);
	int saved = errno;
	free(full);
	errno = saved;
	return fd;
}

int sym_open_module(const struct sym_places *p, const char *path)
{
	if (!path || !*path) {
		errno = ENOENT;
		return -1;
	}
	return open_below(p->sysroot, path);
}

int sym_open_by_build_id(const struct sym_places *p, const uint8_t *id, size_t id_len)
{
	struct ht_buf b = { 0 };
	int fd = -1;
	if (id_len < 2 || id_len > 64)
		return -1;
	ht_buf_printf(&b, "/.build-id/%02x/", id[0]);
	for (size_t i = 1; i < id_len; i++)
		ht_buf_printf(&b, "%02x", id[i]);
	ht_buf_printf(&b, ".debug");
	ht_buf_byte(&b, 0);
	const char *tail = (const char *)b.data;
	for (size_t i = 0; fd < 0 && i < p->debug_dir_count; i++)
		fd = open_below(p->debug_dirs[i], tail);
	/* A build-id names one build: the host's own file is as right as the root's. */
	char *standard = ht_xasprintf("/usr/lib/debug%s", tail);
	if (fd < 0 && p->sysroot)
		fd = open_below(p->sysroot, standard);
	if (fd < 0)
		fd = open_regular(standard);
	free(standard);
	ht_buf_release(&b);
	return fd;
}

int sym_open_alternate(const struct sym_places *p, const char *module, const char *name, const uint8_t *id,
		       size_t id_len)
{
	int fd = -1;
	if (name[0] == '/') {
		fd = open_below(p->sysroot, name);
	} else if (name[0]) {
		/* Relative to the file that names it, which may be the module or its debug file. */
		const char *slash = strrchr(module, '/');
		char *beside = ht_xasprintf("%.*s/%s", slash ? (int)(slash - module) : 1, slash ? module : ".", name);
		fd = open_below(p->sysroot, beside);
		free(beside);
		if (fd < 0 && id_len) {
			char *by_id = ht_xasprintf("/usr/lib/debug/.build-id/%02x/%s", id[0], name);
			fd = open_below(p->sysroot, by_id);
			free(by_id);
		}
	}
	return fd >= 0 ? fd : sym_open_by_build_id(p, id, id_len);
}
