/* frames: see frames.h. */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

#include "base.h"

static uint64_t hash_frame(const struct ht_compare_frame *f)
{
	uint64_t h = ht_hash_text(ht_hash_text(ht_hash_text(HT_HASH_START, f->function), f->module), f->file);
	h = (h ^ f->address) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static void grow(struct frame_table *t)
{
	t->mask = t->index ? 2 * t->mask + 1 : 1023;
	free(t->index);
	t->index = ht_xcalloc(t->mask + 1ull, sizeof(*t->index));
	for (uint32_t k = 0; k < t->count; k++) {
		uint32_t i = (uint32_t)hash_frame(&t->items[k]) & t->mask;
		while (t->index[i])
			i = (i + 1) & t->mask;
		t->index[i] = k + 1;
	}
}

uint32_t frame_intern(struct frame_table *t, const struct ht_compare_frame *f, unsigned sides)
{
	if (!t->index || 2 * t->count > t->mask)
		grow(t);
	uint32_t i = (uint32_t)hash_frame(f) & t->mask;
	for (; t->index[i]; i = (i + 1) & t->mask) {
		const struct ht_compare_frame *k = &t->items[t->index[i] - 1];
		if (same_text(k->function, f->function) && same_text(k->module, f->module) && same_text(k->file, f->file) &&
		    k->address == f->address) {
			t->sides[t->index[i] - 1] |= (uint8_t)sides;
			return t->index[i] - 1;
		}
	}
	if (t->count == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 256;
		t->items = ht_xrealloc(t->items, t->cap, sizeof(*t->items));
		t->sides = ht_xrealloc(t->sides, t->cap, sizeof(*t->sides));
	}
	t->sides[t->count] = (uint8_t)sides;
	t->items[t->count] = (struct ht_compare_frame){
		.function = f->function ? ht_xstrdup(f->function) : NULL,
		.module = ht_xstrdup(f->module),
		.file = ht_xstrdup(f->file),
		.address = f->address,
	};
	t->index[i] = ++t->count;
	return t->count - 1;
}

void frame_table_release(struct frame_table *t)
{
	for (uint32_t i = 0; i < t->count; i++) {
		free((char *)t->items[i].function);
		free((char *)t->items[i].module);
		free((char *)t->items[i].file);
	}
	free(t->items);
	free(t->sides);
	free(t->index);
	*t = (struct frame_table){0};
}

char *frame_module_name(const char *path)
{
	char *name = ht_xstrdup(ht_base_name(path));
	char *so = strstr(name, ".so");
	if (so && (so[3] == '.' || !so[3]))
		so[3] = '\0';
	return name;
}

char *ht_compare_frame_text(const struct ht_compare_frame *f)
{
	if (f->function)
		return ht_xstrdup(f->function);
	const char *module = *f->module ? f->module : "program";
	return f->address ? ht_xasprintf("[%s+0x%llx]", module, (unsigned long long)f->address) : ht_xasprintf("[%s]", module);
}
