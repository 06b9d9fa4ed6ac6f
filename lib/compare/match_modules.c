/*
 * match_modules: which files of the two sides are the same, and which frames.
 *
 *   same file     the same name and build-id wherever it ran: addresses in it mean the same, and nothing in it was renamed
 *   same library  another name (a version, usually), but mostly the same functions: its frames take the new name
 *   same frame    function and module. The source file counts only where a side has the function in several: static
 *                 functions of one name; else code that moved to another file is the same
 */
#include "work.h"

#include <stdlib.h>
#include <string.h>

void see_module(struct ht_compare_work *w, const char *name, const char *build_id, enum ht_side side)
{
	for (size_t i = 0; i < w->module_count; i++)
		if (!strcmp(w->modules[i].name, name) && !strcmp(w->modules[i].build_id, build_id)) {
			w->modules[i].sides |= 1u << side;
			return;
		}
	w->modules = ht_xrealloc(w->modules, w->module_count + 1, sizeof(*w->modules));
	w->modules[w->module_count++] =
		(struct module_seen){.name = ht_xstrdup(name), .build_id = ht_xstrdup(build_id), .sides = 1u << side};
}

static bool is_same_file(const struct ht_compare_work *w, const char *name)
{
	bool seen = false;
	for (size_t i = 0; i < w->module_count; i++)
		if (!strcmp(w->modules[i].name, name)) {
			if (w->modules[i].sides != 3 || !*w->modules[i].build_id)
				return false;
			seen = true;
		}
	return seen;
}

static unsigned sides_of(const struct ht_compare_work *w, const char *name)
{
	unsigned sides = 0;
	for (size_t i = 0; i < w->module_count; i++)
		if (!strcmp(w->modules[i].name, name))
			sides |= w->modules[i].sides;
	return sides;
}

/* --- libraries of another name ------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of a module's functions, sorted, each once; heap. */
static const char **functions_of(const struct ht_compare_work *w, const char *module, size_t *count)
{
	const char **names = ht_xcalloc(w->frames.count + 1ull, sizeof(*names));
	size_t n = 0, kept = 0;
	for (uint32_t i = 0; i < w->frames.count; i++)
		if (w->frames.items[i].function && !strcmp(w->frames.items[i].module, module))
			names[n++] = w->frames.items[i].function;
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++)
		if (!kept || strcmp(names[kept - 1], names[i]))
			names[kept++] = names[i];
	*count = kept;
	return names;
}

/* How alike two modules are, 0 = not at all: half of the functions; or a name that differs in little and a fifth of them. */
static double module_likeness(const struct ht_compare_work *w, const char *old, const char *new, size_t *common, size_t *most)
{
	size_t na, nb, same = 0;
	const char **a = functions_of(w, old, &na), **b = functions_of(w, new, &nb);
	for (size_t i = 0, k = 0; i < na && k < nb;) {
		int order = strcmp(a[i], b[k]);
		same += !order;
		i += order <= 0;
		k += order >= 0;
	}
	free(a);
	free(b);
	*common = same;
	*most = na > nb ? na : nb;
	double share = *most ? (double)same / (double)*most : 0, name = name_likeness(old, new);
	if ((share >= 0.5 && same >= 3) || (name >= 0.7 && (share >= 0.2 || !na || !nb)))
		return share + name;
	return 0;
}

static bool is_renamed(const struct ht_compare_work *w, const char *name)
{
	bool yes = false;
	for (size_t i = 0; i < w->module_count; i++)
		yes |= w->modules[i].now && !strcmp(w->modules[i].name, name);
	return yes;
}

static void pair_module(struct ht_compare_work *w, struct module_seen *old)
{
	const struct module_seen *best = NULL;
	size_t best_common = 0, best_most = 0, common = 0, most = 0;
	double highest = 0;
	for (size_t k = 0; k < w->module_count; k++) {
		const struct module_seen *new = &w->modules[k];
		bool taken = sides_of(w, new->name) != 1u << HT_NEW;
		for (size_t i = 0; i < w->module_count; i++)
			taken |= w->modules[i].now && !strcmp(w->modules[i].now, new->name);
		double l = taken ? 0 : module_likeness(w, old->name, new->name, &common, &most);
		if (l > highest) {
			highest = l;
			best = new;
			best_common = common;
			best_most = most;
		}
	}
	if (!best)
		return;
	old->now = best->name;
	old->evidence = best_most ? ht_xasprintf("%zu of %zu functions are the same", best_common, best_most)
				  : ht_xstrdup("the names are alike");
}

const struct module_seen *renamed_module(const struct ht_compare_work *w, const char *now)
{
	for (size_t i = 0; i < w->module_count; i++)
		if (w->modules[i].now && !strcmp(w->modules[i].now, now))
			return &w->modules[i];
	return NULL;
}

/* --- frames -------------------------------------------------------------------------------- */

/* What is known of all frames of a function in a module. */
struct files_seen {
	const char *first[2]; /* of a side; NULL: it has none that is known */
	bool several[2];
};

static void see_file(struct files_seen *f, const char *file, unsigned sides)
{
	for (unsigned s = 0; s < 2; s++) {
		if (!(sides & 1u << s) || !*file)
			continue;
		f->several[s] |= f->first[s] && strcmp(f->first[s], file);
		f->first[s] = f->first[s] ? f->first[s] : file;
	}
}

/* By file, a function that moved is part of another row; and files tell apart what they can. */
static const char *common_file(const struct ht_compare *c, const struct files_seen *f, const char *own)
{
	bool told_apart = (f->several[0] && (f->several[1] || f->first[1])) || (f->several[1] && (f->several[0] || f->first[0]));
	if (c->by == HT_COMPARE_FILE || told_apart)
		return own;
	return f->first[HT_NEW] ? f->first[HT_NEW] : f->first[HT_OLD] ? f->first[HT_OLD] : "";
}

void common_frames(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	uint32_t count = w->frames.count, *common = ht_xcalloc(count + 1ull, sizeof(*common));
	struct frame_table plain = {0};
	struct files_seen *files = ht_xcalloc(count + 1ull, sizeof(*files));
	uint32_t *plain_of = ht_xcalloc(count + 1ull, sizeof(*plain_of));
	struct ht_compare_frame *frames = ht_xcalloc(count + 1ull, sizeof(*frames));
	for (size_t i = 0; i < w->module_count; i++)
		if (sides_of(w, w->modules[i].name) == 1u << HT_OLD && !is_renamed(w, w->modules[i].name))
			pair_module(w, &w->modules[i]);
	const char *last = NULL, *now = NULL;
	bool same_file = false;
	for (uint32_t i = 0; i < count; i++) {
		struct ht_compare_frame f = w->frames.items[i];
		if (!last || strcmp(last, f.module)) { /* the frames of a module mostly come together */
			last = now = f.module;
			same_file = is_same_file(w, last);
			for (size_t m = 0; m < w->module_count; m++)
				if (w->modules[m].now && !strcmp(w->modules[m].name, last))
					now = w->modules[m].now;
		}
		f.module = now;
		c->unnamed += f.address && !same_file;
		if (!same_file)
			f.address = 0;
		frames[i] = f;
		f.file = "";
		plain_of[i] = frame_intern(&plain, &f, 0);
		see_file(&files[plain_of[i]], frames[i].file, w->frames.sides[i]);
	}
	c->frame_count = count;
	for (uint32_t i = 0; i < count; i++) {
		frames[i].file = common_file(c, &files[plain_of[i]], frames[i].file);
		common[i] = frame_intern(&w->frames, &frames[i], w->frames.sides[i]);
	}
	for (size_t i = 0; i < w->pool_count; i++)
		w->pool[i] = common[w->pool[i]];
	w->settled = ht_xcalloc(w->frames.count + 1ull, sizeof(*w->settled));
	for (uint32_t i = 0; i < w->frames.count; i++) {
		const char *module = w->frames.items[i].module;
		if (!last || strcmp(last, module)) {
			last = module;
			same_file = is_same_file(w, last);
		}
		w->settled[i] = same_file;
	}
	frame_table_release(&plain);
	free(frames);
	free(plain_of);
	free(files);
	free(common);
}
