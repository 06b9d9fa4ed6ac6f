/*
 * ring_reader: the collector's side of a slot. The target wrote these bytes and may still be
 * writing them, so every word that decides something is copied once and checked before it is used.
 *
 *   ht_ring_head()    takes the thread's word for how far it wrote, and checks it
 *   ht_ring_read()    decodes the record at `at` and steps over it; padding is skipped
 *   ht_ring_release() gives everything in front of a position back to the thread
 *
 * Reading runs ahead of releasing: `tail` <= `at` <= `head`. A decoded record's words stay in
 * the ring, and stay valid, until the position behind it is released.
 */
#ifndef HT_RING_READER_H
#define HT_RING_READER_H

#include "ring.h"

struct ht_ring_reader {
	const uint8_t *base; /* of the ring, from the collector's own books */
	uint64_t mask;	     /* size - 1 */
	uint64_t start;	     /* position at which this ring began */
	uint64_t tail;	     /* given back up to here */
	uint64_t at;	     /* decoded up to here */
	uint64_t head;	     /* the thread's claim, checked */
	uint64_t ticks;	     /* the last stamp: what unstamped records inherit */
};

/* A record, decoded. words: frames, or a module's words, `count` of them, inside the ring. */
struct ht_record {
	uint8_t op, flags;
	uint16_t frames; /* of the stack, leaf first */
	uint16_t kept;	 /* frames kept, or with ABS or ASIDE an enum ht_stack_end */
	uint16_t count;
	const uint64_t *words;
	uint64_t end; /* position behind it */
	uint64_t ticks;
	uint64_t address, size, extra, extra2;
};

enum ht_read {
	HT_READ_NONE = 0, /* nothing below head */
	HT_READ_RECORD,
	HT_READ_LINK, /* the thread went on in the bigger ring: at is where that begins */
	HT_READ_DAMAGED,
};

/* Starts at position pos of a ring. */
void ht_ring_reader_init(struct ht_ring_reader *r, const void *base, uint64_t size, uint64_t pos);
/* After a LINK whose predecessors are all released: goes on in the next ring. */
void ht_ring_reader_move(struct ht_ring_reader *r, const void *base, uint64_t size);

/* Loads slot->head. slack: bytes of the rings that were offered, 0 = none. False: it cannot be right. */
bool ht_ring_head(struct ht_ring_reader *r, const struct ht_slot *slot, uint64_t slack);

/* Never reads outside the ring, whatever it holds. After DAMAGED the reader is of no more use. */
enum ht_read ht_ring_read(struct ht_ring_reader *r, struct ht_record *out);
/* Up to `most` records. Says what stopped it; RECORD: nothing did. */
enum ht_read ht_ring_read_some(struct ht_ring_reader *r, struct ht_record *out, unsigned most, unsigned *count);

/* Up to `most` births and deaths as nearly all are (with a stack or without, stamped or not, and nothing else), up to the first
 * record that is not one: a third of the work of ht_ring_read_some. How many. */
unsigned ht_ring_read_plain(struct ht_ring_reader *r, struct ht_record *out, unsigned most);

/* Stores slot->tail and wakes the thread if it waits for room. */
void ht_ring_release(struct ht_ring_reader *r, struct ht_slot *slot, uint64_t pos);

/* Offers another ring, which has its memory, and wakes the thread likewise. */
void ht_ring_offer(struct ht_slot *slot, uint64_t offset, uint64_t size);

#endif
