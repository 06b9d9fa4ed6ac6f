/*
 * pairs: the live blocks of one image: address → (sequence number, size, time of birth if that was just now).
 *
 * One flat table of 16-byte entries in lines of four, a cache line each. All blocks of 64 neighbouring bytes have the
 * same home line, as they mostly come and go together; what does not fit goes into the next line with room.
 * An entry packs address/8 (44 bits), sequence number (40), size (24) and birth in microseconds, modulo a second (20):
 *	lo = address/8 << 20 | seq & 0xfffff      hi = seq >> 20 << 44 | birth << 24 | size
 * A size that does not fit is HT_PAIR_HUGE, and stands in a list of its own. Births are of epochs of EPOCH each: the time is
 * known of those in the last epoch and the one before it, which are the only ones that a death's inherited stamp could precede.
 * Invariant: an entry with lo == 0 is empty; all lines between an entry's home and its place are full, and have their
 * bit in `passed`. So a look-up ends at the first line with room, and a removal looks for something to move up only when
 * its line was full and has that bit: few full lines are passed, and the next line would have to come from memory.
 * What does not fit (odd or very high addresses, over 2^40 births, the memory cap) is refused by
 * ht_pairs_room, and its block goes unpaired.
 */
#ifndef HT_PAIRS_H
#define HT_PAIRS_H

#include "base.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define HT_PAIR_TIME_NS 1000 /* the trace's own unit, so that a death is never written as earlier than its birth */
#define HT_PAIR_TIMES (1u << 20)
#define HT_PAIR_HUGE ((1u << 24) - 1)
#define HT_PAIRS_EPOCH UINT64_C(300000000) /* ns; three of them are less than HT_PAIR_TIMES */
#define HT_PAIRS_SLACK UINT64_C(100000000) /* ns by which births may come in the wrong order */

struct ht_pair {
	uint64_t lo, hi;
};
struct ht_pairs {
	struct ht_pair *table;
	uint64_t *passed; /* a bit for each line: entries that were kept out of it may stand behind */
	uint64_t mask;	/* lines - 1; no table yet: 0 */
	unsigned shift; /* 64 - log2(lines) */
	uint64_t count, grow_at;
	uint64_t bytes; /* sizes of all blocks */
	uint64_t epoch_ns, epoch_seq; /* when the epoch began, and with which birth */
	uint64_t young; /* birth times are known from this number on */
	struct ht_huge_block { uint64_t address, size; } *huge;
	size_t huge_count, huge_cap;
	uint64_t *used, cap; /* bytes of all tables of the collector, and their limit */
};

void ht_pairs_init(struct ht_pairs *p, uint64_t *used, uint64_t cap);
void ht_pairs_release(struct ht_pairs *p);
/* Makes room for one more; false: the cap says no. */
bool ht_pairs_grow(struct ht_pairs *p);
/* A birth that is not of the current epoch. */
void ht_pairs_epoch(struct ht_pairs *p, uint64_t seq, uint64_t birth_ns);
void ht_pairs_add_huge(struct ht_pairs *p, uint64_t address, uint64_t size);
uint64_t ht_pairs_huge_size(const struct ht_pairs *p, uint64_t address);
void ht_pairs_remove_huge(struct ht_pairs *p, uint64_t address);

#define HT_PAIRS_LINE 4
static inline uint64_t ht_pairs_home(const struct ht_pairs *p, uint64_t address)
{
	return ((address >> 6) * 0x9e3779b97f4a7c15ull) >> p->shift;
}
static inline struct ht_pair *ht_pairs_line(const struct ht_pairs *p, uint64_t line)
{
	return p->table + line * HT_PAIRS_LINE;
}
/* Which of a line's entries are of this address/8, and which are empty: a bit each. */
struct ht_pairs_seen {
	unsigned key, empty;
};
#if defined(__SSE2__)
static inline unsigned ht_pairs_equal(__m128i a, __m128i b) /* two words of 64 bits */
{
	__m128i halves = _mm_cmpeq_epi32(a, b);
	return (unsigned)_mm_movemask_pd(_mm_castsi128_pd(_mm_and_si128(halves, _mm_slli_epi64(halves, 32))));
}
static inline struct ht_pairs_seen ht_pairs_look(const struct ht_pair *e, uint64_t key)
{
	const __m128i *at = (const __m128i *)(const void *)e;
	__m128i near = _mm_srli_epi64(_mm_unpacklo_epi64(_mm_load_si128(at), _mm_load_si128(at + 1)), 20),
		far = _mm_srli_epi64(_mm_unpacklo_epi64(_mm_load_si128(at + 2), _mm_load_si128(at + 3)), 20),
		wanted = _mm_set1_epi64x((long long)key), none = _mm_setzero_si128();
	return (struct ht_pairs_seen){ht_pairs_equal(near, wanted) | ht_pairs_equal(far, wanted) << 2,
				      ht_pairs_equal(near, none) | ht_pairs_equal(far, none) << 2};
}
#else
static inline struct ht_pairs_seen ht_pairs_look(const struct ht_pair *e, uint64_t key)
{
	struct ht_pairs_seen s = {0, 0};
	for (unsigned i = 0; i < HT_PAIRS_LINE; i++) {
		s.key |= (unsigned)(e[i].lo >> 20 == key) << i;
		s.empty |= (unsigned)!(e[i].lo >> 20) << i;
	}
	return s;
}
#endif
static inline uint64_t ht_pair_seq(const struct ht_pair *e)
{
	return (e->lo & 0xfffff) | e->hi >> 44 << 20;
}
static inline uint64_t ht_pair_address(const struct ht_pair *e)
{
	return e->lo >> 20 << 3;
}
/* In ns; 0: longer ago than any stamp that is still inherited. */
static inline uint64_t ht_pair_birth(const struct ht_pairs *p, const struct ht_pair *e)
{
	uint64_t last = (p->epoch_ns + HT_PAIRS_EPOCH) / HT_PAIR_TIME_NS; /* the latest that it can be */
	uint64_t ago = (last - (e->hi >> 24)) % HT_PAIR_TIMES;
	return ht_pair_seq(e) < p->young || ago > last ? 0 : (last - ago) * HT_PAIR_TIME_NS;
}
static inline uint64_t ht_pair_size(const struct ht_pairs *p, const struct ht_pair *e)
{
	uint64_t size = e->hi & HT_PAIR_HUGE;
	return __builtin_expect(size == HT_PAIR_HUGE, 0) ? ht_pairs_huge_size(p, ht_pair_address(e)) : size;
}
/* always_inline: else gcc may think that calls of it have no effect. */
static inline __attribute__((always_inline)) void ht_pairs_prefetch(const struct ht_pairs *p, uint64_t address)
{
	if (p->table)
		__builtin_prefetch(ht_pairs_line(p, ht_pairs_home(p, address)), 1);
}

/* The entry of an address that fits, or the empty one where it belongs. There must be a table. */
static inline struct ht_pair *ht_pairs_seek(const struct ht_pairs *p, uint64_t address)
{
	for (uint64_t i = ht_pairs_home(p, address);; i = (i + 1) & p->mask) {
		struct ht_pair *e = ht_pairs_line(p, i);
		struct ht_pairs_seen s = ht_pairs_look(e, address >> 3);
		unsigned at = s.key ? s.key : s.empty;
		if (__builtin_expect(at, 1))
			return e + __builtin_ctz(at);
	}
}
/* The entry, or NULL. */
static inline struct ht_pair *ht_pairs_find(const struct ht_pairs *p, uint64_t address)
{
	if (!p->table || address & 7 || address >> 47)
		return NULL;
	struct ht_pair *e = ht_pairs_seek(p, address);
	return e->lo ? e : NULL;
}
/* Can this block be added? Grows the table if need be. */
static inline bool ht_pairs_room(struct ht_pairs *p, uint64_t address, uint64_t seq)
{
	bool fits = address && !(address & 7) && !(address >> 47) && !(seq >> 40);
	return fits && (p->count < p->grow_at || ht_pairs_grow(p));
}
static inline void ht_pairs_fill(struct ht_pairs *p, struct ht_pair *e, uint64_t address, uint64_t seq, uint64_t birth_ns,
				 uint64_t size)
{
	if (__builtin_expect(birth_ns - p->epoch_ns + HT_PAIRS_SLACK >= HT_PAIRS_EPOCH + HT_PAIRS_SLACK, 0))
		ht_pairs_epoch(p, seq, birth_ns);
	if (__builtin_expect(size >= HT_PAIR_HUGE, 0))
		ht_pairs_add_huge(p, address, size);
	e->lo = address >> 3 << 20 | (seq & 0xfffff);
	e->hi = seq >> 20 << 44 | birth_ns / HT_PAIR_TIME_NS % HT_PAIR_TIMES << 24 | (size < HT_PAIR_HUGE ? size : HT_PAIR_HUGE);
	p->count++;
	p->bytes += size;
}
static inline uint64_t ht_pairs_line_of(const struct ht_pairs *p, const struct ht_pair *e)
{
	return (uint64_t)(e - p->table) / HT_PAIRS_LINE;
}
static inline bool ht_pairs_is_passed(const struct ht_pairs *p, uint64_t line)
{
	return p->passed[line / 64] >> line % 64 & 1;
}
/* An entry has the lines from first on behind it, up to where it stands. */
static inline void ht_pairs_pass(struct ht_pairs *p, uint64_t first, uint64_t last)
{
	for (; first != last; first = (first + 1) & p->mask)
		p->passed[first / 64] |= 1ull << first % 64;
}
/* Fills the empty place that ht_pairs_seek found after ht_pairs_room. */
static inline void ht_pairs_put(struct ht_pairs *p, struct ht_pair *e, uint64_t address, uint64_t seq, uint64_t birth_ns,
				uint64_t size)
{
	ht_pairs_pass(p, ht_pairs_home(p, address), ht_pairs_line_of(p, e));
	ht_pairs_fill(p, e, address, seq, birth_ns, size);
}
/* Needs ht_pairs_room, and an address that is not in the table. */
static inline void ht_pairs_add(struct ht_pairs *p, uint64_t address, uint64_t seq, uint64_t birth_ns, uint64_t size)
{
	ht_pairs_put(p, ht_pairs_seek(p, address), address, seq, birth_ns, size);
}
/* A line that was full and passed has room now: an entry behind it that was kept out of it moves in, if there is one. */
void ht_pairs_close_gap(struct ht_pairs *p, uint64_t line);
static inline void ht_pairs_remove(struct ht_pairs *p, struct ht_pair *e)
{
	p->bytes -= ht_pair_size(p, e);
	if (__builtin_expect((e->hi & HT_PAIR_HUGE) == HT_PAIR_HUGE, 0))
		ht_pairs_remove_huge(p, ht_pair_address(e));
	uint64_t line = ht_pairs_line_of(p, e);
	bool full = !ht_pairs_look(ht_pairs_line(p, line), 0).empty;
	*e = (struct ht_pair){0};
	p->count--;
	if (__builtin_expect(full && ht_pairs_is_passed(p, line), 0))
		ht_pairs_close_gap(p, line);
}

/* A birth and a death in one look each, for the table's nearest line alone. False: another way must be taken. There must be a
 * table, and room; the address must fit. */
static inline bool ht_pairs_put_near(struct ht_pairs *p, uint64_t address, uint64_t seq, uint64_t birth_ns, uint64_t size)
{
	struct ht_pair *line = ht_pairs_line(p, ht_pairs_home(p, address));
	struct ht_pairs_seen s = ht_pairs_look(line, address >> 3);
	if (__builtin_expect(s.key || !s.empty, 0))
		return false;
	ht_pairs_fill(p, line + __builtin_ctz(s.empty), address, seq, birth_ns, size);
	return true;
}
static inline bool ht_pairs_take_near(struct ht_pairs *p, uint64_t address, struct ht_pair *was)
{
	uint64_t home = ht_pairs_home(p, address);
	struct ht_pair *line = ht_pairs_line(p, home);
	struct ht_pairs_seen s = ht_pairs_look(line, address >> 3);
	if (__builtin_expect(!s.key, 0) || (__builtin_expect(!s.empty, 0) && ht_pairs_is_passed(p, home)))
		return false;
	struct ht_pair *e = line + __builtin_ctz(s.key);
	*was = *e;
	if (__builtin_expect((was->hi & HT_PAIR_HUGE) == HT_PAIR_HUGE, 0))
		return false;
	*e = (struct ht_pair){0};
	p->bytes -= was->hi & HT_PAIR_HUGE;
	p->count--;
	return true;
}

#endif
