/* latency_order: see latency_order.h. */
#include "latency_order.h"

#include <stdlib.h>
#include <string.h>

#include "base.h"

struct order {
	char *items, *spare;
	size_t size, key;
};

static uint64_t key_of(const struct order *o, size_t i)
{
	uint64_t v;
	memcpy(&v, o->items + i * o->size + o->key, sizeof(v));
	return v;
}

/* --- merging ------------------------------------------------------------------------------ */

/* The first position of [lo, hi) whose key is above v, or not below it. */
static size_t place(const struct order *o, size_t lo, size_t hi, uint64_t v, bool above)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		uint64_t k = key_of(o, mid);
		if (k < v || (above && k == v))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* [a, b) and [b, c) are in order. */
static void merge(struct order *o, size_t a, size_t b, size_t c)
{
	size_t size = o->size;
	a = place(o, a, b, key_of(o, b), true);
	if (a == b)
		return;
	c = place(o, b, c, key_of(o, b - 1), false);
	size_t left = b - a, i = 0, j = b, at = a;
	memcpy(o->spare, o->items + a * size, left * size);
	while (i < left && j < c) {
		uint64_t k;
		memcpy(&k, o->spare + i * size + o->key, sizeof(k));
		const char *from = k <= key_of(o, j) ? o->spare + i++ * size : o->items + j++ * size;
		memcpy(o->items + at++ * size, from, size);
	}
	memcpy(o->items + at * size, o->spare + i * size, (left - i) * size);
}

/* Short runs would make many rounds: each is made at least so long, by insertion. */
enum { LEAST_RUN = 16 };

static size_t run_end(struct order *o, size_t from, size_t count)
{
	char item[64];
	size_t end = from + 1;
	while (end < count && key_of(o, end - 1) <= key_of(o, end))
		end++;
	size_t least = count - from < LEAST_RUN ? count : from + LEAST_RUN;
	for (; end < least; end++) {
		size_t at = place(o, from, end, key_of(o, end), true);
		memcpy(item, o->items + end * o->size, o->size);
		memmove(o->items + (at + 1) * o->size, o->items + at * o->size, (end - at) * o->size);
		memcpy(o->items + at * o->size, item, o->size);
	}
	return end;
}

void ht_order(void *items, size_t count, size_t size, size_t key)
{
	struct order o = {.items = items, .size = size, .key = key};
	if (count < 2)
		return;
	size_t runs = 0, cap = 64, *ends = ht_xmalloc(cap * sizeof(*ends));
	for (size_t at = 0; at < count; runs++) {
		if (runs == cap)
			ends = ht_xrealloc(ends, cap *= 2, sizeof(*ends));
		ends[runs] = at = run_end(&o, at, count);
	}
	if (runs > 1)
		o.spare = ht_xmalloc(count * size);
	while (runs > 1) {
		size_t out = 0, begin = 0;
		for (size_t i = 0; i < runs; i += 2) {
			size_t last = i + 1 < runs ? i + 1 : i;
			if (last != i)
				merge(&o, begin, ends[i], ends[last]);
			begin = ends[out++] = ends[last];
		}
		runs = out;
	}
	free(o.spare);
	free(ends);
}

/* --- grouping ----------------------------------------------------------------------------- */

static uint32_t group_of(const void *items, size_t i, size_t size, size_t key)
{
	uint32_t v;
	memcpy(&v, (const char *)items + i * size + key, sizeof(v));
	return v;
}

/* Where each group begins, twice: what the second is told to grow. */
static size_t *count_groups(const void *items, size_t count, size_t size, size_t key, size_t *first, size_t groups)
{
	memset(first, 0, (groups + 1) * sizeof(*first));
	for (size_t i = 0; i < count; i++)
		first[group_of(items, i, size, key) + 1]++;
	for (size_t g = 0; g < groups; g++)
		first[g + 1] += first[g];
	size_t *next = ht_xmalloc((groups + 1) * sizeof(*next));
	memcpy(next, first, (groups + 1) * sizeof(*next));
	return next;
}

void *ht_group(void *items, size_t count, size_t size, size_t key, size_t *first, size_t groups)
{
	size_t *next = count_groups(items, count, size, key, first, groups);
	char *out = ht_xmalloc(count ? count * size : 1);
	for (size_t i = 0; i < count; i++)
		memcpy(out + next[group_of(items, i, size, key)]++ * size, (const char *)items + i * size, size);
	free(next);
	free(items);
	return out;
}

uint32_t *ht_group_positions(const void *items, size_t count, size_t size, size_t key, size_t *first, size_t groups)
{
	size_t *next = count_groups(items, count, size, key, first, groups);
	uint32_t *out = ht_xmalloc((count + 1) * sizeof(*out));
	for (size_t i = 0; i < count; i++)
		out[next[group_of(items, i, size, key)]++] = (uint32_t)i;
	free(next);
	return out;
}
