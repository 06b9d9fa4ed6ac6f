/* space: see space.h. Few mappings, and asked only for frames never seen before: a list is enough. */
#include "space.h"

#include <stdlib.h>

#define MAX_DEPTH 32 /* children of children: beyond it, generations that loaded nothing are skipped */
#define MAX_MAPPINGS (1u << 16) /* a program that reloads for ever keeps its latest */

struct ht_space *ht_space_new(struct ht_space *parent)
{
	struct ht_space *s = ht_xcalloc(1, sizeof(*s));
	s->references = 1;
	while (parent && parent->depth > MAX_DEPTH && !parent->count)
		parent = parent->parent;
	s->parent = parent;
	s->depth = parent ? parent->depth + 1 : 0;
	if (parent)
		parent->references++;
	return s;
}

void ht_space_release(struct ht_space *s)
{
	while (s && --s->references == 0) {
		struct ht_space *parent = s->parent;
		free(s->maps);
		free(s);
		s = parent;
	}
}

void ht_space_add(struct ht_space *s, const struct ht_mapping *m)
{
	if (s->count == MAX_MAPPINGS)
		s->count = MAX_MAPPINGS / 2; /* the newest half is overwritten first; old code stays resolvable */
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 16;
		s->maps = ht_xrealloc(s->maps, s->cap, sizeof(*s->maps));
	}
	s->maps[s->count++] = *m;
	s->last = s->count; /* of two that hold a pc, the newer one counts */
}

static bool contains(const struct ht_mapping *m, uint64_t pc)
{
	return pc >= m->start && pc < m->end;
}

const struct ht_mapping *ht_space_find(struct ht_space *s, uint64_t generation, uint64_t pc)
{
	for (; s; s = s->parent) {
		if (s->last < s->count && s->maps[s->last].generation == generation &&
		    contains(&s->maps[s->last], pc))
			return &s->maps[s->last];
		for (size_t i = s->count; i-- > 0;)
			if (s->maps[i].generation == generation && contains(&s->maps[i], pc)) {
				s->last = i;
				return &s->maps[i];
			}
	}
	return NULL;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

const struct ht_mapping *ht_space_nearest(const struct ht_space *s, uint64_t generation, uint64_t pc)
{
	const struct ht_mapping *best = NULL;
	for (; s; s = s->parent)
		for (size_t i = s->count; i-- > 0;)
			if (contains(&s->maps[i], pc) &&
			    (!best || distance(s->maps[i].generation, generation) <
					      distance(best->generation, generation)))
				best = &s->maps[i];
	return best;
}

const struct ht_mapping *ht_space_settle(struct ht_space *s, uint64_t generation, uint64_t pc)
{
	const struct ht_mapping *near = ht_space_nearest(s, generation, pc);
	struct ht_mapping m = {.start = pc & ~4095ull, .end = (pc & ~4095ull) + 4096, .module = HT_NO_MODULE};
	if (near)
		m = *near;
	m.generation = generation;
	ht_space_add(s, &m);
	return &s->maps[s->count - 1];
}
