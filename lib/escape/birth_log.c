/* birth_log: see birth_log.h. */
#include "birth_log.h"

#include <stdlib.h>
#include <string.h>

struct ht_birth_page {
	uint32_t live;
	struct ht_birth_page *next; /* among spare ones */
	uint8_t is_live[HT_BIRTH_PAGE / 8];
	_Alignas(16) uint8_t entries[];
};

void ht_birth_log_init(struct ht_birth_log *l, uint32_t threads, size_t entry)
{
	*l = (struct ht_birth_log){.thread_count = threads, .entry = entry};
	l->threads = ht_xcalloc(threads, sizeof(*l->threads));
}

void ht_birth_log_release(struct ht_birth_log *l)
{
	for (uint32_t i = 0; i < l->thread_count; i++) {
		struct ht_birth_thread *t = &l->threads[i];
		for (size_t k = 0; k < t->page_cap; k++)
			free(t->pages[k]);
		free(t->pages);
	}
	while (l->spare) {
		struct ht_birth_page *p = l->spare;
		l->spare = p->next;
		free(p);
	}
	free(l->threads);
}

static void room(struct ht_birth_thread *t, uint64_t page)
{
	if (page < t->page_cap)
		return;
	size_t cap = t->page_cap ? t->page_cap * 2 : 16;
	t->pages = ht_xrealloc(t->pages, cap, sizeof(struct ht_birth_page *));
	memset(t->pages + t->page_cap, 0, (cap - t->page_cap) * sizeof(struct ht_birth_page *));
	t->page_cap = cap;
}

static struct ht_birth_page *page_of(struct ht_birth_log *l, struct ht_birth_thread *t, uint64_t number)
{
	struct ht_birth_page **slot = &t->pages[number >> HT_BIRTH_PAGE_BITS], *p = *slot;
	if (p)
		return p;
	p = l->spare;
	if (p)
		l->spare = p->next;
	else
		p = ht_xmalloc(sizeof(*p) + HT_BIRTH_PAGE * l->entry);
	p->live = 0;
	memset(p->is_live, 0, sizeof(p->is_live));
	return *slot = p;
}

static void *place(struct ht_birth_log *l, struct ht_birth_thread *t, uint64_t number)
{
	struct ht_birth_page *p = page_of(l, t, number);
	uint32_t i = number % HT_BIRTH_PAGE;
	if (!(p->is_live[i / 8] >> i % 8 & 1))
		p->live++;
	p->is_live[i / 8] |= (uint8_t)(1u << i % 8);
	return memset(p->entries + i * l->entry, 0, l->entry);
}

void *ht_birth_log_add(struct ht_birth_log *l, uint32_t thread)
{
	struct ht_birth_thread *t = &l->threads[thread];
	uint64_t number = t->births++;
	room(t, number >> HT_BIRTH_PAGE_BITS);
	return place(l, t, number);
}

static struct ht_birth_page *live_page(struct ht_birth_log *l, uint32_t thread, uint64_t number)
{
	const struct ht_birth_thread *t = &l->threads[thread];
	uint32_t i = number % HT_BIRTH_PAGE;
	if (number >= t->births || number >> HT_BIRTH_PAGE_BITS >= t->page_cap)
		return NULL;
	struct ht_birth_page *p = t->pages[number >> HT_BIRTH_PAGE_BITS];
	return p && p->is_live[i / 8] >> i % 8 & 1 ? p : NULL;
}

void ht_birth_log_prefetch(const struct ht_birth_log *l, uint32_t thread, uint64_t number)
{
	const struct ht_birth_thread *t = &l->threads[thread];
	if (number >> HT_BIRTH_PAGE_BITS < t->page_cap && t->pages[number >> HT_BIRTH_PAGE_BITS])
		__builtin_prefetch(t->pages[number >> HT_BIRTH_PAGE_BITS]->entries + number % HT_BIRTH_PAGE * l->entry, 1);
}

void *ht_birth_log_find(struct ht_birth_log *l, uint32_t thread, uint64_t number)
{
	struct ht_birth_page *p = live_page(l, thread, number);
	return p ? p->entries + number % HT_BIRTH_PAGE * l->entry : NULL;
}

/* The youngest page stays: its births are still to come. */
bool ht_birth_log_take(struct ht_birth_log *l, uint32_t thread, uint64_t number, void *entry)
{
	struct ht_birth_thread *t = &l->threads[thread];
	struct ht_birth_page *p = live_page(l, thread, number);
	uint32_t i = number % HT_BIRTH_PAGE;
	if (!p)
		return false;
	memcpy(entry, p->entries + i * l->entry, l->entry);
	p->is_live[i / 8] &= (uint8_t)~(1u << i % 8);
	if (--p->live || number >> HT_BIRTH_PAGE_BITS == t->births >> HT_BIRTH_PAGE_BITS)
		return true;
	t->pages[number >> HT_BIRTH_PAGE_BITS] = NULL;
	p->next = l->spare;
	l->spare = p;
	return true;
}

void *ht_birth_log_revive(struct ht_birth_log *l, uint32_t thread, uint64_t number)
{
	struct ht_birth_thread *t = &l->threads[thread];
	return number < t->births && number >> HT_BIRTH_PAGE_BITS < t->page_cap ? place(l, t, number) : NULL;
}

void ht_birth_log_each(struct ht_birth_log *l, void (*visit)(void *ctx, void *entry), void *ctx)
{
	for (uint32_t i = 0; i < l->thread_count; i++)
		for (size_t k = 0; k < l->threads[i].page_cap; k++) {
			struct ht_birth_page *p = l->threads[i].pages[k];
			for (uint32_t e = 0; p && e < HT_BIRTH_PAGE; e++)
				if (p->is_live[e / 8] >> e % 8 & 1)
					visit(ctx, p->entries + e * l->entry);
		}
}
