/*
 * trace_survivors: see trace_survivors.h. Where nearly all blocks live on, fresh pages cost most of all (huge ones were no
 * faster, and sometimes far slower): so blocks are packed, and the arena grows by what lives, not by what was born.
 */
#include "trace_survivors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SOFT_LEAST (256u << 10)
#define STORE_SLACK 8 /* a word is stored whole, whatever its width */
#define CHUNK_MOST (HT_WINDOW * HT_SURVIVOR_WORDS * sizeof(uint64_t) + STORE_SLACK)
#define OP_BITS 3
/* Loops over words are written out: at -O2 they stay loops, with their arrays in memory, and take twice the time. */
#define EACH_WORD(act) act(0) act(1) act(2) act(3) act(4)
_Static_assert(HT_SURVIVOR_WORDS == 5, "EACH_WORD is of each");

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
	free(s->chunk_of);
	free(s->deaths);
	free(s->window);
	*s = (struct ht_survivors){.off = true};
}

void ht_survivors_stop(struct ht_survivors *s)
{
	ht_survivors_release(s);
}

static bool is_dead(const uint64_t *dead, unsigned low)
{
	return dead[low / 64] >> low % 64 & 1;
}

/* --- packing ------------------------------------------------------------------------------ */

static inline void to_words(const struct ht_survivor *b, unsigned low, uint64_t v[HT_SURVIVOR_WORDS])
{
	v[0] = b->address >> 4 | b->address << 60;
	v[1] = b->size << OP_BITS | b->op;
	v[2] = b->time;
	v[3] = (uint64_t)b->thread << 32 | b->stack;
	v[4] = (uint32_t)(b->order - low);
}

static inline void from_words(struct ht_survivor *b, unsigned low, const uint64_t v[HT_SURVIVOR_WORDS])
{
	b->address = v[0] << 4 | v[0] >> 60;
	b->size = v[1] >> OP_BITS;
	b->op = v[1] & ((1u << OP_BITS) - 1);
	b->time = v[2];
	b->thread = (uint32_t)(v[3] >> 32);
	b->stack = (uint32_t)v[3];
	b->order = (uint32_t)v[4] + low;
}

static unsigned bytes_of(uint64_t v)
{
	return v ? (71 - (unsigned)__builtin_clzll(v)) / 8 : 0;
}

/* Where each word begins, if all have their width; the last one is where the next block does. */
static void offsets(const struct ht_survivor_chunk *c, size_t at[HT_SURVIVOR_WORDS + 1])
{
	at[0] = 0;
	for (unsigned k = 0; k < HT_SURVIVOR_WORDS; k++)
		at[k + 1] = at[k] + c->width[k];
}

/* The blocks that are not dead, from their places in b into arena + used. False: one has no such size. */
static bool pack(struct ht_survivors *s, struct ht_survivor_chunk *c, const struct ht_survivor *b)
{
	uint16_t low[HT_WINDOW];
	uint64_t v[HT_SURVIVOR_WORDS], like[HT_SURVIVOR_WORDS], differ[HT_SURVIVOR_WORDS] = {0}, sizes = 0;
	size_t at[HT_SURVIVOR_WORDS + 1];
	unsigned n = 0;
	for (unsigned i = 0; i < HT_WINDOW / 64; i++)
		for (uint64_t left = c->stored[i] = ~c->dead[i]; left; left &= left - 1)
			low[n++] = (uint16_t)(64 * i + (unsigned)__builtin_ctzll(left));
	to_words(&b[low[0]], low[0], like);
	for (unsigned i = 0; i < n; i++) {
		to_words(&b[low[i]], low[i], v);
		sizes |= b[low[i]].size;
#define DIFFER(k) differ[k] |= v[k] ^ like[k];
		EACH_WORD(DIFFER)
	}
	memcpy(c->like, like, sizeof(like));
	for (unsigned k = 0; k < HT_SURVIVOR_WORDS; k++)
		c->width[k] = (uint8_t)bytes_of(differ[k]);
	c->count = c->live = (uint16_t)n;
	c->at = s->used;
	offsets(c, at);
	uint8_t *to = s->arena + s->used;
	for (unsigned i = 0; i < n; i++, to += at[HT_SURVIVOR_WORDS]) {
		to_words(&b[low[i]], low[i], v);
#define STORE(k) memcpy(to + at[k], &v[k], sizeof(v[k]));
		EACH_WORD(STORE)
	}
	s->used += n * at[HT_SURVIVOR_WORDS] + STORE_SLACK;
	return !(sizes >> (64 - OP_BITS));
}

static void unpack(const struct ht_survivors *s, const struct ht_survivor_chunk *c, struct ht_survivor *b)
{
	const uint8_t *from = s->arena + c->at;
	uint64_t mask[HT_SURVIVOR_WORDS], like[HT_SURVIVOR_WORDS], v[HT_SURVIVOR_WORDS];
	size_t at[HT_SURVIVOR_WORDS + 1];
	offsets(c, at);
	for (unsigned k = 0; k < HT_SURVIVOR_WORDS; k++) {
		mask[k] = c->width[k] == 8 ? UINT64_MAX : (1ull << 8 * c->width[k]) - 1;
		like[k] = c->like[k] & ~mask[k];
	}
	for (unsigned i = 0; i < HT_WINDOW / 64; i++)
		for (uint64_t left = c->stored[i]; left; left &= left - 1, from += at[HT_SURVIVOR_WORDS]) {
			unsigned low = 64 * i + (unsigned)__builtin_ctzll(left);
#define LOAD(k) memcpy(&v[k], from + at[k], sizeof(v[k])); v[k] = (v[k] & mask[k]) | like[k];
			EACH_WORD(LOAD)
			from_words(&b[low], low, v);
		}
}

bool ht_survivors_unpack(const struct ht_survivors *s, size_t window, struct ht_survivor out[HT_WINDOW],
			 uint64_t live[HT_WINDOW / 64])
{
	if (!s->chunk_of[window])
		return false;
	const struct ht_survivor_chunk *c = &s->chunks[s->chunk_of[window] - 1];
	unpack(s, c, out);
	for (unsigned i = 0; i < HT_WINDOW / 64; i++)
		live[i] = ~c->dead[i];
	return c->live != 0;
}

/* --- room --------------------------------------------------------------------------------- */

/* All chunks move down, without their dead. None gets longer: bytes in which all were alike, those that are left are. */
static void compact(struct ht_survivors *s)
{
	struct ht_survivor *b = ht_xmalloc(HT_WINDOW * sizeof(*b));
	s->used = s->stored = 0;
	uint32_t kept = 0;
	for (size_t i = 0; i < s->windows; i++) {
		if (!s->chunk_of[i])
			continue;
		struct ht_survivor_chunk *from = &s->chunks[s->chunk_of[i] - 1], *to = &s->chunks[kept];
		s->chunk_of[i] = 0;
		if (!from->live)
			continue;
		unpack(s, from, b);
		memmove(to, from, sizeof(*to));
		pack(s, to, b);
		s->stored += to->count;
		s->chunk_of[i] = ++kept;
	}
	s->chunk_count = kept;
	free(b);
}

/* For one more window. At the bound, compacting must give much room back, else it would soon be full again. */
static bool make_room(struct ht_survivors *s)
{
	if (s->soft == s->bound && s->live > s->stored / 2)
		return false;
	if (s->live <= s->stored / 4 * 3)
		compact(s);
	if (s->soft == s->bound && s->used > s->bound / 4 * 3)
		return false;
	uint64_t soft = 2 * s->used > s->soft ? 2 * s->used : s->soft;
	s->soft = soft < s->bound ? soft : s->bound;
	return s->soft - s->used >= CHUNK_MOST;
}

/* One more chunk, or one more window, if need be; half of the bound is for the chunks. */
static bool grow_tables(struct ht_survivors *s)
{
	if (s->chunk_count == s->chunk_cap) {
		uint32_t cap = s->chunk_cap ? 2 * s->chunk_cap : 16;
		if (cap * sizeof(*s->chunks) > s->bound / 2)
			return false;
		s->chunks = ht_xrealloc(s->chunks, cap, sizeof(*s->chunks));
		s->chunk_cap = cap;
	}
	if (s->windows == s->windows_cap) {
		s->windows_cap = s->windows_cap ? 2 * s->windows_cap : 64;
		s->chunk_of = ht_xrealloc(s->chunk_of, s->windows_cap, sizeof(*s->chunk_of));
	}
	return true;
}

void ht_survivors_move_window(struct ht_survivors *s, uint64_t next_seq)
{
	if ((s->soft - s->used < CHUNK_MOST && !make_room(s)) || !grow_tables(s)) {
		ht_survivors_stop(s);
		return;
	}
	uint64_t left = 0;
	for (uint64_t i = next_seq - s->window_first; i < HT_WINDOW; i++) /* not born yet */
		s->dead[i / 64] |= 1ull << i % 64;
	for (unsigned i = 0; i < HT_WINDOW / 64; i++)
		left |= ~s->dead[i];
	uint32_t id = 0;
	if (left) {
		struct ht_survivor_chunk *c = &s->chunks[s->chunk_count];
		id = ++s->chunk_count;
		memcpy(c->dead, s->dead, sizeof(c->dead));
		if (!pack(s, c, s->window)) {
			ht_survivors_stop(s);
			return;
		}
		s->live += c->count;
		s->stored += c->count;
	}
	s->chunk_of[s->windows++] = id;
	s->window_first += HT_WINDOW;
	memset(s->dead, 0, sizeof(s->dead));
}

/* --- deaths ------------------------------------------------------------------------------- */

static void chunk_death(struct ht_survivors *s, uint64_t at)
{
	uint32_t id = s->chunk_of[at / HT_WINDOW];
	unsigned low = at % HT_WINDOW;
	if (!id || is_dead(s->chunks[id - 1].dead, low))
		return; /* dead before: the caller's affair */
	s->chunks[id - 1].dead[low / 64] |= 1ull << low % 64;
	s->chunks[id - 1].live--;
	s->live--;
}

void ht_survivors_far_death(struct ht_survivors *s, uint64_t seq)
{
	uint64_t at = seq - s->base;
	if (seq >= s->base) {
		if (at / HT_WINDOW < s->windows)
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
	s->used = s->stored = s->live = 0;
	s->chunk_count = 0;
	s->windows = s->death_count = 0;
	memset(s->dead, 0, sizeof(s->dead));
	s->base = s->window_first = next_seq;
}
