/*
 * sym_open: the parent's opening of files for its children: modules below the system root, separate debug
 * files by build-id and by the names that files give, dwz's common files, split units. Only regular files are
 * ever opened, never blocking, so that a name out of a hostile file cannot reach a device or a pipe; what is in
 * them only the sandboxed child sees.
 */
#ifndef HT_SYM_OPEN_H
#define HT_SYM_OPEN_H

#include "sym_wire.h"

struct sym_places {
	const char *sysroot; /* NULL: none */
	char **debug_dirs;
	size_t debug_dir_count;
	bool fetch; /* ask debuginfod servers */
	struct sym_fetch *servers; /* their client, NULL until needed */
};

/* A descriptor, or -1 with errno (EINVAL: no regular file). "[vdso]" is this process's own. */
int sym_open_module(const struct sym_places *p, const char *path);

/* What a child asks for. */
struct sym_question {
	enum sym_file which;
	unsigned nth; /* of the files found in the places where it may be, from 0 */
	const char *name;
	const uint8_t *id;
	size_t id_len;
};
/*
 * A descriptor and the file's path, or -1. Where is looked, in this order:
 *   DEBUG      DIR/.build-id/xx/yyyy.debug and DIR/NAME(.debug) for each debug directory, /usr/lib/debug below the
 *              system root, /usr/lib/debug; then, when asked to, debuginfod servers
 *   LINK       beside the module, in .debug beside it, DIR/FOLDER/name and DIR/name for the same directories
 *   ALTERNATE  name beside the module; then by build-id
 *   PACKAGE    MODULE.dwp, DIR/NAME.dwp
 *   LOOSE      name; its last part beside the module; DIR/name, DIR/last part
 */
int sym_open_question(struct sym_places *p, const char *module, const struct sym_question *q, char *path, size_t size);

/* sym_fetch.c: one file from the servers in DEBUGINFOD_URLS, by libdebuginfod if it is installed. */
int sym_fetch_debug(struct sym_fetch **client, const uint8_t *id, size_t id_len, char *path, size_t size);
void sym_fetch_close(struct sym_fetch *client);
/* Why no server can be asked; NULL when one can. */
const char *sym_fetch_obstacle(void);

#endif
