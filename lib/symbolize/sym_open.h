/*
 * sym_open: the parent's opening of files for its children: modules below the system root,
 * separate debug files by build-id, dwz's common files. Only regular files are ever opened, never
 * blocking, so that a name out of a hostile file cannot reach a device or a pipe.
 */
#ifndef HT_SYM_OPEN_H
#define HT_SYM_OPEN_H

#include "symbolize.h"

struct sym_places {
	const char *sysroot; /* NULL: none */
	char **debug_dirs;
	size_t debug_dir_count;
};

/* A descriptor, or -1 with errno (EINVAL: no regular file). */
int sym_open_module(const struct sym_places *p, const char *path);
/* DIR/.build-id/xx/yyyy.debug in the debug directories, /usr/lib/debug below the system root, /usr/lib/debug. */
int sym_open_by_build_id(const struct sym_places *p, const uint8_t *id, size_t id_len);
/* name as it stands in .gnu_debugaltlink of a file that belongs to module; then by build-id. */
int sym_open_alternate(const struct sym_places *p, const char *module, const char *name, const uint8_t *id,
		       size_t id_len);

#endif
