/*
 * drain: what the files of draining share.
 *
 *   drain.c  rounds, the heap of lanes, telling      lanes.c  lanes come and go
 *   queue.c  a lane's next records, when they are    waits.c  lanes that wait for what another one holds
 *            due, looking ahead of them
 */
#ifndef HT_DRAIN_H
#define HT_DRAIN_H

#include "collector.h"

/* lanes.c */
/* Makes lanes of the slots whose thread has written something. */
void ht_lanes_adopt(struct ht_collector *c);
void ht_lane_load_head(struct ht_lane *l);
/* Nothing more is read from it. */
void ht_lane_damage(struct ht_lane *l);

/* queue.c */
/* The queue is empty: decodes the next records below head. False: there are none. */
bool ht_lane_decode(struct ht_collector *c, struct ht_lane *l);
/* The same, and says when they are due. */
bool ht_lane_refill(struct ht_collector *c, struct ht_lane *l);
/* Is there a record to tell? Then its key is set. */
bool ht_lane_has_next(struct ht_collector *c, struct ht_lane *l);
/* Gives back what was told: at most a few times per ring's turn, or all. */
void ht_lane_release(struct ht_lane *l, bool all);
/* Reads on behind a lane's queue, below the head that was loaded, through the LINKs to rings that were offered. */
struct ht_ahead {
	struct ht_ring_reader reader;
	bool linked;
	unsigned moved; /* over so many of the lane's chained rings */
};
struct ht_ahead ht_ahead_of(const struct ht_lane *m);
bool ht_ahead_next(const struct ht_lane *m, struct ht_ahead *a, struct ht_record *r);

/* waits.c */
void ht_wait_for(struct ht_collector *c, struct ht_lane *l, enum ht_want want, uint64_t wanted);
/* Is it the record that is wanted? */
bool ht_wait_fulfils(const struct ht_record *r, unsigned want, uint64_t wanted);
/* Is such a one in what m has not told yet? */
bool ht_wait_holds(const struct ht_lane *m, unsigned want, uint64_t wanted);
/* Ends the wait of one lane that has seen fresh heads in vain. NULL: none has. */
struct ht_lane *ht_wait_resolve(struct ht_collector *c);

#endif
