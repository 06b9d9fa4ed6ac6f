/*
 * timeline_walk: what happens on one thread of a timeline, in order of time: slices begin and end, arrows leave and
 * arrive, messages. Both formats of timelines are written along it.
 *
 * At one instant: first what ends, then arrivals (the wait that ends there is over), departures, messages, then what
 * begins. A slice that would end behind the one around it ends with it; times never go back.
 *
 *	ht_timeline_order_init(&order, timeline);
 *	ht_timeline_walk_init(&walk, &order, thread);
 *	while (ht_timeline_next(&walk, &step)) ...
 */
#ifndef HT_TIMELINE_WALK_H
#define HT_TIMELINE_WALK_H

#include "base.h"
#include "timeline.h"

/* An arrow leads forward, whatever two threads' stamps say: it arrives 1 ns behind its departure at least. */
static inline uint64_t ht_timeline_arrival(const struct ht_timeline_arrow *a)
{
	return a->to_ns > a->from_ns ? a->to_ns : a->from_ns + 1;
}

/* Positions of things by thread: those of thread i are items[first[i]] .. items[first[i + 1] - 1], in order of time. */
struct ht_timeline_group {
	size_t *first;
	uint32_t *items;
};
struct ht_timeline_order {
	const struct ht_timeline *timeline;
	struct ht_timeline_group slices, instants, departures, arrivals; /* slices: first alone, they stand by thread */
};
void ht_timeline_order_init(struct ht_timeline_order *o, const struct ht_timeline *t);
void ht_timeline_order_release(struct ht_timeline_order *o);

enum ht_timeline_step_kind {
	HT_TIMELINE_END,
	HT_TIMELINE_ARRIVE,
	HT_TIMELINE_DEPART,
	HT_TIMELINE_MESSAGE,
	HT_TIMELINE_BEGIN,
};
struct ht_timeline_step {
	uint8_t kind;
	uint32_t item;	 /* position in slices, arrows or instants */
	uint64_t time_ns;
	uint64_t end_ns; /* BEGIN: of the slice, within the one around it */
};
struct ht_timeline_walk {
	const struct ht_timeline_order *order;
	size_t at[HT_TIMELINE_BEGIN + 1], end[HT_TIMELINE_BEGIN + 1]; /* END: the open ones, at = how many */
	uint32_t *open;
	uint64_t *open_end, now_ns;
	size_t open_cap;
};
void ht_timeline_walk_init(struct ht_timeline_walk *w, const struct ht_timeline_order *o, uint32_t thread);
bool ht_timeline_next(struct ht_timeline_walk *w, struct ht_timeline_step *s);
/* When the next step is; UINT64_MAX: there is none. */
uint64_t ht_timeline_peek(const struct ht_timeline_walk *w);
void ht_timeline_walk_release(struct ht_timeline_walk *w);

#endif
