/* trace_livemap: see trace_livemap.h. */
#include "trace_livemap.h"

#include <stdlib.h>

static size_t home(const struct ht_livemap *m, uint64_t key, uint32_t tag)
{
	uint64_t x = (key ^ (uint64_t)tag << 32) * 0x9e3779b97f4a7c15u;
	x ^= x >> 29;
	return (x * 0xbf58476d1ce4e5b9u >> 20) & m->mask;
}

struct ht_live *ht_livemap_get(const struct ht_livemap *m, uint64_t key, uint32_t tag)
{
	if (!m->used)
		return NULL;
	for (size_t i = home(m, key, tag);; i = (i + 1) & m->mask) {
		struct ht_live *s = &m->slots[i];
		if (s->tag == HT_LIVE_EMPTY)
			return NULL;
		if (s->key == key && s->tag == tag)
			return s;
	}
}

static void place(struct ht_livemap *m, const struct ht_live *entry)
{
	size_t i = home(m, entry->key, entry->tag);
	while (m->slots[i].tag != HT_LIVE_EMPTY)
		i = (i + 1) & m->mask;
	m->slots[i] = *entry;
}

static void grow(struct ht_livemap *m)
{
	struct ht_livemap old = *m;
	size_t count = old.slots ? (old.mask + 1) * 2 : 1024;
	m->slots = ht_xrealloc(NULL, count, sizeof(*m->slots));
	m->mask = count - 1;
	for (size_t i = 0; i < count; i++)
		m->slots[i].tag = HT_LIVE_EMPTY;
	for (size_t i = 0; old.slots && i <= old.mask; i++)
		if (old.slots[i].tag != HT_LIVE_EMPTY)
			place(m, &old.slots[i]);
	free(old.slots);
}

void ht_livemap_put(struct ht_livemap *m, uint64_t key, uint32_t tag, uint64_t value,
		    uint32_t extra)
{
	struct ht_live *s = ht_livemap_get(m, key, tag);
	struct ht_live entry = {key, value, tag, extra};
	if (s) {
		*s = entry;
		return;
	}
	if (!m->slots || m->used >= (m->mask + 1) / 4 * 3)
		grow(m);
	place(m, &entry);
	m->used++;
}

void ht_livemap_remove(struct ht_livemap *m, uint64_t key, uint32_t tag)
{
	struct ht_live *s = ht_livemap_get(m, key, tag);
	if (!s)
		return;
	size_t hole = (size_t)(s - m->slots);
	for (size_t i = (hole + 1) & m->mask; m->slots[i].tag != HT_LIVE_EMPTY;
	     i = (i + 1) & m->mask) {
		/* an entry may fill the hole when its home does not lie cyclically in (hole, i] */
		size_t at = home(m, m->slots[i].key, m->slots[i].tag);
		if (((i - at) & m->mask) < ((i - hole) & m->mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole].tag = HT_LIVE_EMPTY;
	m->used--;
}

void ht_livemap_release(struct ht_livemap *m)
{
	free(m->slots);
	*m = (struct ht_livemap){0};
}
