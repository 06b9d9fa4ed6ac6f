/*
 * trace_survivors: see trace_survivors.h. Where nearly all blocks live on, the arena's page faults cost most (huge pages were no
 * faster, and sometimes far slower): so it grows by what lives, and not by what was born.
 */
#include "trace_survivors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SOFT_LEAST (256u << 10)

void ht_survivors_init(struct ht_survivors *s, uint64_t bound)
{
	*s = (struct ht_survivors){.bound = bound};
	s->soft = bound < SOFT_LEAST ? bound : SOFT_LEAST;
	s->window = ht_xmalloc(HT_WINDOW * sizeof(*s->window));
	void *m = mmap(NULL, bound, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m == MAP_FAILED) {
		ht_survivors_stop(s);
		return;
	}
	s->arena = m;
}

void ht_survivors_release(struct ht_survivors *s)
{
	if (s->arena)
		munmap(s->arena, s->bound);
	free(s->chunks);
	free(s->deaths);
	free(s->window);
	*s = (struct ht_survivors){.off = true};
}

void ht_survivors_stop(struct ht_survivors *s)
{
	ht_survivors_release(s);
}

static uint64_t chunk_bytes(uint32_t count)
{
	return sizeof(struct ht_survivor_chunk) + (uint64_t)count * sizeof(struct ht_survivor);
}

static bool is_dead(const uint64_t *dead, unsigned low)
{
	return dead[low / 64] >> low % 64 & 1;
}

/* All chunks move down, without their dead. */
static void compact(struct ht_survivors *s)
{
	uint64_t used = 0;
	for (size_t i = 0; i < s->chunk_count; i++) {
		struct ht_survivor_chunk *from = s->chunks[i], *to = (struct ht_survivor_chunk *)(void *)(s->arena + used);
		uint32_t count = from ? from->count : 0, kept = 0;
		if (!from)
			continue;
		s->chunks[i] = from->live ? to : NULL;
		if (!from->live)
			continue;
		memmove(to, from, sizeof(*to));
		for (uint32_t n = 0; n < count; n++)
			if (!is_dead(to->dead, from->items[n].low))
				to->items[kept++] = from->items[n];
		to->count = kept;
		used += chunk_bytes(kept);
	}
	s->used = used;
}

/* For one more window. At the bound, compacting must give much room back, else it would soon be full again. */
static bool make_room(struct ht_survivors *s)
{
	if (s->soft == s->bound && s->live * sizeof(struct ht_survivor) > s->bound / 2)
		return false;
	if (s->live * sizeof(struct ht_survivor) <= s->used / 4 * 3)
		compact(s);
	if (s->soft == s->bound && s->used > s->bound / 4 * 3)
		return false;
	uint64_t soft = 2 * s->used > s->soft ? 2 * s->used : s->soft;
	s->soft = soft < s->bound ? soft : s->bound;
	return s->soft - s->used >= chunk_bytes(HT_WINDOW);
}

/* What is left of the window's first n; NULL if that is nothing. */
static struct ht_survivor_chunk *survivors_of(struct ht_survivors *s, size_t n)
{
	uint32_t live = 0;
	for (size_t i = n; i < HT_WINDOW; i++) /* not born yet */
		s->dead[i / 64] |= 1ull << i % 64;
	for (size_t i = 0; i < HT_WINDOW / 64; i++)
		for (uint64_t left = ~s->dead[i]; left; left &= left - 1)
			live++;
	if (!live)
		return NULL;
	struct ht_survivor_chunk *c = (struct ht_survivor_chunk *)(void *)(s->arena + s->used);
	c->count = 0;
	c->live = live;
	memcpy(c->dead, s->dead, sizeof(c->dead));
	for (size_t i = 0; i < HT_WINDOW / 64; i++)
		for (uint64_t left = ~s->dead[i]; left; left &= left - 1)
			c->items[c->count++] = s->window[64 * i + (size_t)__builtin_ctzll(left)];
	s->used += chunk_bytes(live);
	s->live += live;
	return c;
}

void ht_survivors_move_window(struct ht_survivors *s, uint64_t next_seq)
{
	if (s->soft - s->used < chunk_bytes(HT_WINDOW) && !make_room(s)) {
		ht_survivors_stop(s);
		return;
	}
	if (s->chunk_count == s->chunk_cap) {
		s->chunk_cap = s->chunk_cap ? 2 * s->chunk_cap : 64;
		s->chunks = ht_xrealloc(s->chunks, s->chunk_cap, sizeof(struct ht_survivor_chunk *));
	}
	s->chunks[s->chunk_count++] = survivors_of(s, next_seq - s->window_first);
	s->window_first += HT_WINDOW;
	memset(s->dead, 0, sizeof(s->dead));
}

static void chunk_death(struct ht_survivors *s, uint64_t at)
{
	struct ht_survivor_chunk *c = s->chunks[at / HT_WINDOW];
	unsigned low = at % HT_WINDOW;
	if (!c || is_dead(c->dead, low))
		return; /* dead before: the caller's affair */
	c->dead[low / 64] |= 1ull << low % 64;
	c->live--;
	s->live--;
}

void ht_survivors_far_death(struct ht_survivors *s, uint64_t seq)
{
	uint64_t at = seq - s->base;
	if (seq >= s->base) {
		if (at / HT_WINDOW < s->chunk_count)
			chunk_death(s, at);
		return;
	}
	if (s->death_count == s->death_cap) {
		size_t cap = s->death_cap ? 2 * s->death_cap : 1024;
		if (2 * cap * sizeof(*s->deaths) > s->bound) { /* twice: to be sorted */
			ht_survivors_stop(s);
			return;
		}
		s->deaths = ht_xrealloc(s->deaths, cap, sizeof(*s->deaths));
		s->death_cap = cap;
	}
	s->deaths[s->death_count++] = seq;
}

void ht_survivors_restart(struct ht_survivors *s, uint64_t next_seq)
{
	s->used = s->live = 0;
	s->chunk_count = s->death_count = 0;
	memset(s->dead, 0, sizeof(s->dead));
	s->base = s->window_first = next_seq;
}
