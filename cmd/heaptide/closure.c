/*
 * closure: see closure.h. Objects are found as ld.so finds them: DT_RPATH or DT_RUNPATH with $ORIGIN,
 * LD_LIBRARY_PATH, the folders of /etc/ld.so.conf, the standard ones. ld.so's cache is not read: what
 * it holds are these folders' contents. Files are read through libelf, which checks bounds.
 */
#include "closure.h"

#include <fcntl.h>
#include <gelf.h>
#include <glob.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	for (size_t i = 0; i < HT_ARRAY_SIZE(names); i++)
		if (!strncmp(base, names[i], strlen(names[i])))
			return true;
	return false;
}

static bool defines_new(Elf *e, Elf_Scn *scn, const GElf_Shdr *sh)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t count = sh->sh_entsize ? sh->sh_size / sh->sh_entsize : 0;
	for (size_t i = 1; data && i < count; i++) {
		GElf_Sym sym;
		if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx == SHN_UNDEF ||
		    GELF_ST_TYPE(sym.st_info) != STT_FUNC)
			continue;
		const char *name = elf_strptr(e, sh->sh_link, sym.st_name);
		if (name && !strcmp(name, "_Znwm"))
			return true;
	}
	return false;
}

static void scan_needed(struct closure *c, Elf *e, Elf_Scn *scn, const GElf_Shdr *sh, const char *path)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t count = sh->sh_entsize ? sh->sh_size / sh->sh_entsize : 0;
	const char *rpath = NULL;
	GElf_Dyn dyn;
	for (size_t i = 0; data && i < count && gelf_getdyn(data, (int)i, &dyn); i++)
		if (dyn.d_tag == DT_RPATH || dyn.d_tag == DT_RUNPATH)
			rpath = elf_strptr(e, sh->sh_link, dyn.d_un.d_val);
	for (size_t i = 0; data && i < count && gelf_getdyn(data, (int)i, &dyn); i++) {
		const char *name = dyn.d_tag == DT_NEEDED ? elf_strptr(e, sh->sh_link, dyn.d_un.d_val) : NULL;
		if (name && *name)
			add_needed(c, name, path, rpath);
	}
}

/* Adds what the object needs. True: it defines operator new. */
static bool scan(struct closure *c, const char *path)
{
	bool found = false;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *e = fd >= 0 ? elf_begin(fd, ELF_C_READ_MMAP, NULL) : NULL;
	if (e && elf_kind(e) == ELF_K_ELF && gelf_getclass(e) == ELFCLASS64) {
		for (Elf_Scn *scn = elf_nextscn(e, NULL); scn; scn = elf_nextscn(e, scn)) {
			GElf_Shdr sh;
			if (!gelf_getshdr(scn, &sh))
				continue;
			if (sh.sh_type == SHT_DYNAMIC)
				scan_needed(c, e, scn, &sh, path);
			if (sh.sh_type == SHT_DYNSYM && !is_runtime(path))
				found |= defines_new(e, scn, &sh);
		}
	}
	if (e)
		elf_end(e);
	if (fd >= 0)
		close(fd);
	return found;
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

bool ht_closure_own_new(const char *program, const char *preload, char *who, size_t n)
{
	static const char *const standard[] = {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64",
					       "/usr/lib64", "/lib", "/usr/lib"};
	struct closure c = {0};
	bool found = false;
	who[0] = '\0';
	if (elf_version(EV_CURRENT) == EV_NONE)
		return false;
	read_conf(&c, "/etc/ld.so.conf", 0);
	for (size_t i = 0; i < HT_ARRAY_SIZE(standard); i++)
		add_folder(&c, standard[i], strlen(standard[i]));
	add_object(&c, program);
	add_preloads(&c, preload, program);
	for (; c.next < c.count && !found; c.next++)
		if (scan(&c, c.paths[c.next])) {
			found = true;
			snprintf(who, n, "%s", c.paths[c.next]);
		}
	for (size_t i = 0; i < c.count; i++)
		free(c.paths[i]);
	for (size_t i = 0; i < c.folder_count; i++)
		free(c.folders[i]);
	free(c.folders);
	return found;
}
