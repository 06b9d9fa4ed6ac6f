/*
 * lock_names: see lock_names.h. A lock in a module's memory is looked up in that module's symbol tables, if the file
 * has the build-id that was recorded. A module's place in memory is known for the image that loaded it first, and so
 * for those forked from it.
 */
#include "lock_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elf_objects.h"
#include "elfview.h"

static bool same_memory(const struct ht_trace *t, uint32_t image, uint32_t loaded_by)
{
	for (unsigned n = 0; n < 64; n++) {
		const struct ht_image *m = ht_trace_image(t, image);
		if (image == loaded_by)
			return true;
		if (!m || m->kind != HT_IMAGE_FORK || !m->parent)
			return false;
		image = m->parent - 1;
	}
	return false;
}

static bool in_module(const struct ht_trace *t, const struct ht_module *m, const struct ht_lock *k)
{
	return k->address >= m->bias && k->address - m->bias < m->size && same_memory(t, k->image, m->image);
}

static bool same_file(const struct ht_trace *t, uint32_t module, const char *path)
{
	struct ht_elf_view view;
	char id[2 * HT_BUILD_ID_MAX + 1];
	struct ht_diag d;
	if (ht_elf_view_read(&view, path, &d))
		return false;
	ht_build_id_text(t, module + 1, id);
	return !strcmp(id, view.build_id);
}

static void name_of_module(const struct ht_analysis *a, const struct ht_lock_use *u, size_t count, uint32_t module,
			   char **names)
{
	const struct ht_module *m = ht_trace_module(a->trace, module);
	const char *sysroot = a->options.symbolize.sysroot;
	struct ht_elf_object *objects = ht_xcalloc(count + 1, sizeof(*objects));
	size_t *locks = ht_xcalloc(count + 1, sizeof(*locks)), n = 0;
	for (size_t i = 0; i < count; i++) {
		if (names[i] || !in_module(a->trace, m, &u->items[i]))
			continue;
		locks[n] = i;
		objects[n++].address = u->items[i].address - m->bias;
	}
	char *path = ht_xasprintf("%s%s", sysroot ? sysroot : "", ht_trace_string(a->trace, m->path, NULL));
	if (n && same_file(a->trace, module, path))
		ht_elf_objects_find(path, objects, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t in = objects[i].address - objects[i].start;
		if (objects[i].name && in)
			names[locks[i]] = ht_xasprintf("%s+0x%llx", objects[i].name, (unsigned long long)in);
		else if (objects[i].name)
			names[locks[i]] = ht_xstrdup(objects[i].name);
		free(objects[i].name);
	}
	free(path);
	free(objects);
	free(locks);
}

char **ht_lock_names(const struct ht_analysis *a, const struct ht_lock_use *u)
{
	/* A symbol table is read once, and asked for each lock in its module: thousands of them do not deserve names.
	 */
	enum { MOST = 1000 };
	size_t count = u->count < MOST ? u->count : MOST;
	char **names = ht_xcalloc(u->count + 1, sizeof(*names));
	for (uint32_t m = 0; count && m < ht_trace_module_count(a->trace); m++)
		name_of_module(a, u, count, m, names);
	return names;
}

char *ht_lock_name(const struct ht_analysis *a, uint64_t address, uint32_t image)
{
	struct ht_lock lock = {.address = address, .image = image};
	const struct ht_lock_use u = {.items = &lock, .count = 1};
	char **names = ht_lock_names(a, &u), *name = names[0];
	free(names);
	return name;
}
