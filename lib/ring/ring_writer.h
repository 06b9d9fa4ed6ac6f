/*
 * ring_writer: the thread's side of a slot. reserve → write → publish, for records of whole words.
 *
 *   words = ht_ring_reserve(w, bytes)     claims, and makes the claim read as padding
 *   ... fill words[1..]
 *   ht_ring_commit(w, words, word0)       true: published; false: a signal handler published in
 *                                         between and the claim was given up: reserve again
 *
 * One thread owns a writer, and signal handlers on that thread. A handler that interrupts an open claim
 * must publish its own record at once (its free has to be visible before the real free), and with it the
 * interrupted claim: it turns that into VOID padding first, and the interrupted writer, whose commit
 * expects PAD, finds VOID and writes again. Every step that a handler could meet half done is one
 * instruction, so nothing is ever published twice or torn (tests/unit/test_ring_writer.c interrupts
 * at each step).
 *
 * Fast path: two compares, two unlocked cmpxchg, the record's stores, one release store.
 */
#ifndef HT_RING_WRITER_H
#define HT_RING_WRITER_H

#include "ring.h"

struct ht_ring_writer {
	uint8_t *base;	 /* of the ring */
	uint64_t mask;	 /* size - 1 */
	uint64_t head;	 /* reserved up to here */
	uint64_t limit;	 /* go to the slow path beyond: half full, full, or 0 = no ring */
	uint64_t start;	 /* position at which this ring began (tail may still be in an older one) */
	struct ht_slot *slot;
	struct ht_segment *seg;
	uint64_t *open;	 /* the claim being written, for a handler to void */
	uint64_t waited_ns;    /* in all */
};

HT_INLINE void ht_ring_publish(struct ht_ring_writer *w)
{
	uint64_t h;
	do { /* a handler between the load and the store would be stepped back over */
		h = HT_LOAD_RELAXED(&w->head);
		HT_STORE_RELEASE(&w->slot->head, h); /* pairs with the collector's acquire of head */
		HT_COMPILER_BARRIER();
	} while (HT_UNLIKELY(HT_LOAD_RELAXED(&w->head) != h));
}

/* Makes room or gives up: NULL, and the loss is counted by the caller. may_wait is false inside handlers. */
uint64_t *ht_ring_reserve_slow(struct ht_ring_writer *w, uint64_t bytes, bool may_wait);

#define HT_PAD_WORD(bytes) (HT_REC_PAD | (uint64_t)(bytes) << 32)
#define HT_VOID_WORD(bytes) (HT_REC_PAD | 1u << 8 | (uint64_t)(bytes) << 32)

/* Compare-and-swap against this thread's own signals alone: no lock prefix. */
HT_INLINE bool ht_ring_swap(uint64_t *at, uint64_t from, uint64_t to)
{
#if defined(__x86_64__)
	bool ok;
	__asm__ volatile("cmpxchgq %3, %1" : "=@cce"(ok), "+m"(*at), "+a"(from) : "r"(to) : "memory");
	return ok;
#else
	return __atomic_compare_exchange_n(at, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
#endif
}

HT_INLINE uint64_t *ht_ring_reserve(struct ht_ring_writer *w, uint64_t bytes, bool may_wait)
{
	uint64_t pos = w->head, off = pos & w->mask;
	if (HT_UNLIKELY(pos + bytes > w->limit || off + bytes > w->mask + 1))
		return ht_ring_reserve_slow(w, bytes, may_wait);
	uint64_t *p = (uint64_t *)(w->base + off);
	*(volatile uint64_t *)p = HT_PAD_WORD(bytes); /* before the claim: whoever publishes it sees padding */
	*(uint64_t *volatile *)&w->open = p;
	if (HT_UNLIKELY(!ht_ring_swap(&w->head, pos, pos + bytes)))
		return ht_ring_reserve_slow(w, bytes, may_wait);
	return p;
}

HT_INLINE bool ht_ring_commit(struct ht_ring_writer *w, uint64_t *p, uint64_t bytes, uint64_t word0)
{
	HT_COMPILER_BARRIER();
	if (HT_UNLIKELY(!ht_ring_swap(p, HT_PAD_WORD(bytes), word0)))
		return false;
	*(uint64_t *volatile *)&w->open = NULL;
	ht_ring_publish(w);
	return true;
}

/* For a handler, before it reserves: gives up the claim that it interrupted, if there is one. */
HT_INLINE void ht_ring_void_open(struct ht_ring_writer *w)
{
	uint64_t *p = w->open;
	if (p && (*p & 0xffff) == HT_REC_PAD)
		ht_ring_swap(p, *p, HT_VOID_WORD(*p >> 32));
	w->open = NULL;
}

/* Takes a SPARE slot; NULL when there is none. The caller fills pid, tid, forked before ht_ring_open. */
struct ht_slot *ht_ring_take(struct ht_segment *seg);
void ht_ring_open(struct ht_ring_writer *w, struct ht_segment *seg, struct ht_slot *slot);
/* Wakes the collector if it sleeps. */
void ht_ring_wake(struct ht_segment *seg);

#endif
