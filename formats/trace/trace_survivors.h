/*
 * trace_survivors: what the writer knows for its next checkpoint: the blocks born since the last one that are
 * still live, and the deaths of older ones. It costs by survivors, not by events:
 *
 *	births  → window (the last 1024, in the cache) → when it is full, what is left of it → a chunk, packed
 *	deaths  → a bit of the window or of a chunk; of blocks from before the last checkpoint: a list
 *	arena full up to `soft` → the dead are taken out of all chunks, in one pass; soft: twice what was left, up to the bound
 *
 * A block is five words, in this order, and is packed as the low bytes of each in which the blocks of its chunk differ
 * (most take 8 or 9 bytes: they come from one thread, and lie near each other in space and time):
 *
 *	address, turned right by 4 bits | size << 3 | op | time | thread << 32 | stack | order - its place in the window
 *
 * Off for good when it would outgrow its bound, or from the first unpaired birth on (its end has no number):
 * then the trace has no further checkpoints. Private to this folder.
 */
#ifndef HT_TRACE_SURVIVORS_H
#define HT_TRACE_SURVIVORS_H

#include "base.h"

#define HT_WINDOW 1024u
#define HT_SURVIVOR_WORDS 5

struct ht_survivor {
	uint64_t address, size, time; /* time in units */
	uint32_t stack, thread, order;
	uint8_t op;
};
struct ht_survivor_chunk { /* of 1024 births in a row, of which some lived on */
	uint64_t dead[HT_WINDOW / 64]; /* or not born yet */
	uint64_t stored[HT_WINDOW / 64]; /* whose bytes stand one behind the other from arena + at on: all that live, at least */
	uint64_t like[HT_SURVIVOR_WORDS]; /* the words of one of them: in what is above `width` all are like it */
	uint64_t at;
	uint16_t count, live; /* bits of stored; of those that are not dead */
	uint8_t width[HT_SURVIVOR_WORDS]; /* bytes */
};
struct ht_survivors {
	bool off;
	uint64_t base;	       /* number of the first birth since the last checkpoint */
	uint64_t window_first; /* base + a multiple of HT_WINDOW */
	struct ht_survivor *window;
	uint64_t dead[HT_WINDOW / 64]; /* of the window */
	uint8_t *arena; /* `bound` bytes */
	uint64_t used, soft, bound; /* used <= soft <= bound */
	struct ht_survivor_chunk *chunks;
	uint32_t chunk_count, chunk_cap;
	uint32_t *chunk_of; /* by (number - base) / HT_WINDOW: a chunk's index + 1; 0: nobody lived on */
	size_t windows, windows_cap;
	uint64_t *deaths; /* of births before base */
	size_t death_count, death_cap;
	uint64_t stored, live; /* in chunks */
};

void ht_survivors_init(struct ht_survivors *s, uint64_t bound);
void ht_survivors_release(struct ht_survivors *s);
/* Turns it off and frees what it has. */
void ht_survivors_stop(struct ht_survivors *s);
void ht_survivors_move_window(struct ht_survivors *s, uint64_t next_seq);
void ht_survivors_far_death(struct ht_survivors *s, uint64_t seq);
/* The live blocks of a window that moved: each to its place in out, with a bit in live. False: there are none. */
bool ht_survivors_unpack(const struct ht_survivors *s, size_t window, struct ht_survivor out[HT_WINDOW],
			 uint64_t live[HT_WINDOW / 64]);
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
