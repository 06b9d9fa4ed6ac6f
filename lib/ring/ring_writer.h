/*
 * ring_writer: one owner's side of a slot. reserve → fill → commit, for records of whole words.
 *
 *   words = ht_ring_reserve(w, bytes, may_wait)   room for the record, or NULL: lost, the caller counts it
 *   ... fill words[1..]
 *   ht_ring_commit(w, words, bytes, word0)        head moves, and the record is published
 *
 * A writer has one owner and is not re-entered: a signal handler that interrupts its thread's writer uses
 * a second one, with a slot of its own (slot->handler_of). So a record that is never committed, because its
 * writer was thrown out by an exception or a jump, was never there: nothing moves before commit.
 *
 * Fast path: one compare, the record's stores, one release store.
 */
#ifndef HT_RING_WRITER_H
#define HT_RING_WRITER_H

#include "ring.h"

struct ht_ring_writer {
	uint8_t *origin; /* where position 0 would lie, counted back from this turn: the next record is at origin + head */
	uint64_t head;	 /* == slot->head */
	uint64_t limit;	 /* go to the slow path beyond: half full, full, the ring's end, not mapped yet, or 0 = no ring */
	uint64_t start;	 /* position at which this ring began (tail may still be in an older one) */
	uint64_t mapped; /* the ring's pages are mapped up to this position; UINT64_MAX = all */
	struct ht_slot *slot;
	struct ht_segment *seg;
	uint8_t *base;	 /* of the ring */
	uint64_t mask;	 /* size - 1 */
	uint64_t in_vain_ns; /* waited since there was last room */
	uint64_t last_room_ns; /* when a wait last ended, while in vain */
	uint32_t last_beat, dropped;
	uint64_t next, link_at; /* on the way to another ring: which, and where the LINK to it stands; 0 = on no way */
};

/* Makes room, or gives up with NULL. may_wait is false inside signal handlers. */
uint64_t *ht_ring_reserve_slow(struct ht_ring_writer *w, uint64_t bytes, bool may_wait);

/* How far ahead lines are fetched: the collector's processor has them, and the program goes on before they are written. */
#define HT_RING_FETCH 512

HT_INLINE uint64_t *ht_ring_reserve(struct ht_ring_writer *w, uint64_t bytes, bool may_wait)
{
	if (HT_UNLIKELY(w->head + bytes > w->limit))
		return ht_ring_reserve_slow(w, bytes, may_wait);
	uint8_t *p = w->origin + w->head;
	ht_prefetch_to_write(p + HT_RING_FETCH);
	return (uint64_t *)p;
}

HT_INLINE void ht_ring_commit(struct ht_ring_writer *w, uint64_t *p, uint64_t bytes, uint64_t word0)
{
	uint64_t head = w->head + bytes;
	p[0] = word0;
	w->head = head;
	HT_STORE_RELEASE(&w->slot->head, head); /* pairs with the collector's acquire of head */
}

/* After the owner was thrown out by a jump or an exception, before anything else: ends what it was at. */
void ht_ring_heal(struct ht_ring_writer *w);

/* Takes a SPARE slot; NULL when there is none. The collector is woken when none is left. The caller fills pid, tid, forked
 * before its first record. */
struct ht_slot *ht_ring_take(struct ht_segment *seg);
/* The same, waiting for one within bounds. waited_ms: what this thread has waited so far; the caller keeps it. */
struct ht_slot *ht_ring_claim(struct ht_segment *seg, uint32_t *waited_ms);
void ht_ring_open(struct ht_ring_writer *w, struct ht_segment *seg, struct ht_slot *slot);
/* Wakes the collector if it sleeps. */
void ht_ring_wake(struct ht_segment *seg);

#endif
