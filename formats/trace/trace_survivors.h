/*
 * trace_survivors: what the writer knows for its next checkpoint: the blocks born since the last one that are
 * still live, and the deaths of older ones. It costs by survivors, not by events:
 *
 *	births  → window (the last 1024, in the cache) → when it is full, what is left of it → a chunk in the arena
 *	deaths  → a bit of the window or of a chunk; of blocks from before the last checkpoint: a list
 *	arena full up to `soft` → the dead are taken out of all chunks, in one pass; soft: twice what was left, up to the bound
 *
 * Off for good when it would outgrow its bound, or from the first unpaired birth on (its end has no number):
 * then the trace has no further checkpoints. Private to this folder.
 */
#ifndef HT_TRACE_SURVIVORS_H
#define HT_TRACE_SURVIVORS_H

#include "base.h"

#define HT_WINDOW 1024u

struct ht_survivor {
	uint64_t address, size, time; /* time in units */
	uint32_t stack, thread, order;
	uint16_t low; /* of its number, within the window */
	uint8_t op;
};
struct ht_survivor_chunk { /* 1024 births in a row; none live: NULL */
	uint32_t count, live;
	uint64_t dead[HT_WINDOW / 64];
	struct ht_survivor items[];
};
struct ht_survivors {
	bool off;
	uint64_t base;	       /* number of the first birth since the last checkpoint */
	uint64_t window_first; /* base + a multiple of HT_WINDOW */
	struct ht_survivor *window;
	uint64_t dead[HT_WINDOW / 64]; /* of the window */
	uint8_t *arena;			    /* `bound` bytes, in which chunks stand one behind the other */
	uint64_t used, soft, bound; /* used <= soft <= bound */
	struct ht_survivor_chunk **chunks; /* by (number - base) / HT_WINDOW */
	size_t chunk_count, chunk_cap;
	uint64_t *deaths; /* of births before base */
	size_t death_count, death_cap;
	uint64_t live;	 /* in chunks */
};

void ht_survivors_init(struct ht_survivors *s, uint64_t bound);
void ht_survivors_release(struct ht_survivors *s);
/* Turns it off and frees what it has. */
void ht_survivors_stop(struct ht_survivors *s);
void ht_survivors_move_window(struct ht_survivors *s, uint64_t next_seq);
void ht_survivors_far_death(struct ht_survivors *s, uint64_t seq);
/* Everything begins anew, with the birth next_seq. */
void ht_survivors_restart(struct ht_survivors *s, uint64_t next_seq);

/* Where to put the birth of this number; births come in the order of their numbers. NULL: it is off now. */
static inline struct ht_survivor *ht_survivors_birth(struct ht_survivors *s, uint64_t seq)
{
	if (__builtin_expect(seq - s->window_first >= HT_WINDOW, 0))
		ht_survivors_move_window(s, seq);
	return s->off ? NULL : &s->window[seq - s->window_first];
}
static inline void ht_survivors_death(struct ht_survivors *s, uint64_t seq)
{
	uint64_t at = seq - s->window_first;
	if (__builtin_expect(at < HT_WINDOW, 1))
		s->dead[at / 64] |= 1ull << at % 64;
	else
		ht_survivors_far_death(s, seq);
}

#endif
