/*
 * closure: see closure.h. Objects are found as ld.so finds them: DT_RPATH or DT_RUNPATH with $ORIGIN,
 * LD_LIBRARY_PATH, the folders of /etc/ld.so.conf, the standard ones. ld.so's cache is not read: what
 * it holds are these folders' contents. Files are read by elfview, which checks bounds.
 */
#include "closure.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elfview.h"

#define MAX_OBJECTS 512

struct closure {
	char *paths[MAX_OBJECTS]; /* found, by real path; all before `next` are scanned */
	size_t count, next;
	char **folders; /* of ld.so.conf and the standard ones */
	size_t folder_count;
};

static void add_folder(struct closure *c, const char *path, size_t n)
{
	c->folders = ht_xrealloc(c->folders, c->folder_count + 1, sizeof(*c->folders));
	c->folders[c->folder_count++] = ht_xasprintf("%.*s", (int)n, path);
}

static void read_conf(struct closure *c, const char *path, int depth)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	while (f && getline(&line, &cap, f) > 0) {
		line[strcspn(line, "#\n")] = '\0';
		char *p = line + strspn(line, " \t");
		size_t n = strcspn(p, " \t");
		glob_t g;
		if (!strncmp(p, "include", n) && n == 7 && depth < 4) {
			p += n + strspn(p + n, " \t");
			if (glob(p, 0, NULL, &g))
				continue;
			for (size_t i = 0; i < g.gl_pathc; i++)
				read_conf(c, g.gl_pathv[i], depth + 1);
			globfree(&g);
		} else if (*p == '/') {
			add_folder(c, p, n);
		}
	}
	free(line);
	if (f)
		fclose(f);
}

static void add_object(struct closure *c, const char *path)
{
	char *real = realpath(path, NULL);
	for (size_t i = 0; real && i < c->count; i++)
		if (!strcmp(c->paths[i], real)) {
			free(real);
			return;
		}
	if (real && c->count < MAX_OBJECTS)
		c->paths[c->count++] = real;
	else
		free(real);
}

/* The first `name` in a list of folders separated by ':', with $ORIGIN standing for the object's own. */
static bool try_list(struct closure *c, const char *list, const char *origin, const char *name)
{
	const char *slash = strrchr(origin, '/');
	int origin_length = slash ? (int)(slash - origin) : 0;
	while (list && *list) {
		size_t n = strcspn(list, ":;");
		char *path;
		if (n >= 7 && !strncmp(list, "$ORIGIN", 7))
			path = ht_xasprintf("%.*s%.*s/%s", origin_length, origin, (int)n - 7, list + 7, name);
		else if (n >= 9 && !strncmp(list, "${ORIGIN}", 9))
			path = ht_xasprintf("%.*s%.*s/%s", origin_length, origin, (int)n - 9, list + 9, name);
		else
			path = ht_xasprintf("%.*s/%s", (int)n, list, name);
		bool found = !access(path, R_OK);
		if (found)
			add_object(c, path);
		free(path);
		if (found)
			return true;
		list += n + (list[n] != '\0');
	}
	return false;
}

static void add_needed(struct closure *c, const char *name, const char *origin, const char *rpath)
{
	if (strchr(name, '/')) {
		add_object(c, name);
		return;
	}
	if (try_list(c, rpath, origin, name) || try_list(c, getenv("LD_LIBRARY_PATH"), origin, name))
		return;
	for (size_t i = 0; i < c->folder_count; i++)
		if (try_list(c, c->folders[i], origin, name))
			return;
}

/* The runtimes whose operator new calls malloc, and our own. */
static bool is_runtime(const char *path)
{
	static const char *const names[] = {"libstdc++.so", "libc++.so", "libc++abi.so", "libheaptide-hook"};
	const char *base = ht_base_name(path);
	for (size_t i = 0; i < HT_ARRAY_SIZE(names); i++)
		if (!strncmp(base, names[i], strlen(names[i])))
			return true;
	return false;
}

/* Adds what the object needs, and notes what it has to do with operator new. */
static void scan(struct closure *c, const char *path, struct ht_closure_new *out)
{
	struct ht_elf_view v;
	if (ht_elf_view_read(&v, path, NULL) || !v.readable)
		return;
	for (size_t i = 0; i < v.needed_count; i++)
		if (v.needed[i][0])
			add_needed(c, v.needed[i], path, v.rpath);
	if (is_runtime(path))
		return;
	if (v.exports_new && !out->who[0])
		snprintf(out->who, sizeof(out->who), "%s", path);
	out->used |= v.imports_new && !v.exports_new;
}

static void add_preloads(struct closure *c, const char *preload, const char *program)
{
	while (preload && *preload) {
		size_t n = strcspn(preload, ": ");
		char *name = ht_xasprintf("%.*s", (int)n, preload);
		if (n)
			add_needed(c, name, program, NULL);
		free(name);
		preload += n + (preload[n] != '\0');
	}
}

void ht_closure_new(const char *program, const char *preload, struct ht_closure_new *out)
{
	static const char *const standard[] = {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64",
					       "/usr/lib64", "/lib", "/usr/lib"};
	struct closure c = {0};
	*out = (struct ht_closure_new){0};
	read_conf(&c, "/etc/ld.so.conf", 0);
	for (size_t i = 0; i < HT_ARRAY_SIZE(standard); i++)
		add_folder(&c, standard[i], strlen(standard[i]));
	add_object(&c, program);
	add_preloads(&c, preload, program);
	for (; c.next < c.count; c.next++)
		scan(&c, c.paths[c.next], out);
	for (size_t i = 0; i < c.count; i++)
		free(c.paths[i]);
	for (size_t i = 0; i < c.folder_count; i++)
		free(c.folders[i]);
	free(c.folders);
}
