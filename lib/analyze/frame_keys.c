/*
 * frame_keys: numbers frames by what a grouping sees of them. The parts that the grouping ignores
 * are blanked, and equal remainders get one number, densely from 0.
 *
 * A function's identity is its name and its file; without a file, its module. An unresolved frame
 * is its module and address; by file, it goes with its module.
 */
#include <stdlib.h>
#include <string.h>

#include "hash_index.h"
#include "stacks.h"

struct key {
	const char *function, *file, *module; /* never NULL */
	uint32_t line;
	uint64_t address;
};

static const char *text(const char *s)
{
	return s ? s : "";
}

static struct key key_of(const struct ht_frame *f, enum ht_by by)
{
	struct key k = {"", "", "", 0, 0};
	if (by == HT_BY_MODULE) {
		k.module = f->module;
		return k;
	}
	if (by == HT_BY_FILE) {
		if (f->file)
			k.file = f->file;
		else
			k.module = f->module;
		return k;
	}
	if (!f->function) {
		k.module = f->module;
		k.address = f->address;
		return k;
	}
	k.function = f->function;
	k.file = text(f->file);
	if (!f->file)
		k.module = f->module;
	if (by != HT_BY_FUNCTION)
		k.line = f->line;
	if (by == HT_BY_STACK) {
		k.module = f->module;
		k.address = f->address;
	}
	return k;
}

static uint32_t hash_key(const struct key *k)
{
	uint64_t h = ht_hash_text(HT_HASH_START, k->function);
	h = ht_hash_text(h, k->file);
	h = ht_hash_text(h, k->module);
	return ht_mix(h ^ k->line ^ k->address * 3);
}

static bool same_key(const struct key *a, const struct key *b)
{
	return a->line == b->line && a->address == b->address && !strcmp(a->function, b->function) &&
	       !strcmp(a->file, b->file) && !strcmp(a->module, b->module);
}

void ht_stacks_number_frames(struct ht_stacks *s, enum ht_by by)
{
	struct ht_index index = {0};
	uint32_t *first = ht_xcalloc(s->frame_count, sizeof(*first)); /* per key: a frame that has it */
	s->keys = ht_xcalloc(s->frame_count, sizeof(*s->keys));
	for (uint32_t i = 0; i < s->frame_count; i++) {
		struct key k = key_of(&s->frames[i], by), other;
		uint32_t hash = hash_key(&k), v;
		size_t at = ht_index_start(&index, hash);
		for (; (v = ht_index_at(&index, &at, hash)) != HT_INDEX_NONE; at++) {
			other = key_of(&s->frames[first[v]], by);
			if (same_key(&k, &other))
				break;
		}
		if (v == HT_INDEX_NONE) {
			v = s->key_count++;
			first[v] = i;
			ht_index_insert(&index, hash, v);
		}
		s->keys[i] = v;
	}
	free(first);
	ht_index_release(&index);
}
