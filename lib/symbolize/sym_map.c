/* sym_map: see sym_map.h. Linear probing; keys are mixed, since section offsets are anything but random. */
#include "sym_map.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(uint64_t key, size_t cap)
{
	key ^= key >> 31;
	key *= 0x9e3779b97f4a7c15u;
	return (size_t)(key >> 20) & (cap - 1);
}

uint32_t sym_map_get(const struct sym_map *m, uint64_t key)
{
	if (!m->cap)
		return 0;
	for (size_t i = slot_of(key, m->cap); m->slots[i].value; i = (i + 1) & (m->cap - 1))
		if (m->slots[i].key == key)
			return m->slots[i].value;
	return 0;
}

static void place(struct sym_map *m, uint64_t key, uint32_t value)
{
	size_t i = slot_of(key, m->cap);
	while (m->slots[i].value && m->slots[i].key != key)
		i = (i + 1) & (m->cap - 1);
	if (!m->slots[i].value)
		m->count++;
	m->slots[i] = (struct sym_map_slot){ key, value };
}

void sym_map_put(struct sym_map *m, uint64_t key, uint32_t value)
{
	if (m->count * 2 >= m->cap) {
		struct sym_map bigger = { .cap = m->cap ? m->cap * 2 : 64 };
		bigger.slots = ht_xcalloc(bigger.cap, sizeof(*bigger.slots));
		for (size_t i = 0; i < m->cap; i++)
			if (m->slots[i].value)
				place(&bigger, m->slots[i].key, m->slots[i].value);
		free(m->slots);
		*m = bigger;
	}
	place(m, key, value);
}

void sym_map_release(struct sym_map *m)
{
	free(m->slots);
	*m = (struct sym_map){ 0 };
}

uint64_t sym_hash(const char *text, size_t len)
{
	uint64_t h = 0xcbf29ce484222325u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)text[i]) * 0x100000001b3u;
	return h;
}

size_t sym_first_not_below(const uint64_t *array, size_t count, uint64_t v)
{
	size_t lo = 0, hi = count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (array[mid] < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int64_t sym_sleb(struct ht_cursor *c)
{
	uint64_t v = 0;
	unsigned shift = 0;
	uint8_t byte;
	do {
		byte = ht_cursor_u8(c);
		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (shift < 64 && (byte & 0x40))
		v |= ~UINT64_C(0) << shift;
	return (int64_t)v;
}

void *sym_grow(void *array, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 16;
	return ht_xrealloc(array, *cap, size);
}

uint32_t sym_strings_add(struct sym_strings *s, const char *text, size_t len, bool *is_new)
{
	uint64_t key = sym_hash(text, len);
	uint32_t id;
	/* Two texts with one hash: the second lives under the next key. */
	for (; (id = sym_map_get(&s->by_hash, key)); key++) {
		*is_new = false;
		if (!strncmp(s->text[id - 1], text, len) && !s->text[id - 1][len])
			return id;
	}
	size_t cap = s->cap;
	s->text = sym_grow(s->text, s->count, &cap, sizeof(*s->text));
	s->cap = (uint32_t)cap;
	char *copy = ht_xmalloc(len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	s->text[s->count++] = copy;
	sym_map_put(&s->by_hash, key, s->count);
	*is_new = true;
	return s->count;
}

void sym_strings_release(struct sym_strings *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		free(s->text[i]);
	free(s->text);
	sym_map_release(&s->by_hash);
	*s = (struct sym_strings){ 0 };
}
