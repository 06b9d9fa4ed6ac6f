/*
 * waits: lanes whose next record refers to something that another lane may hold, until it was told there or is surely nowhere.
 */
#include "drain.h"

#define ALONE_LANES 16 /* look whether all others are empty; with more threads, wait for a round */

void ht_wait_for(struct ht_collector *c, struct ht_lane *l, enum ht_want want, uint64_t wanted)
{
	l->want = want;
	l->wanted = wanted;
	l->wanted_round = c->round;
	c->waiting[c->waiting_count++] = l;
}

static void stop_waiting(struct ht_collector *c, size_t i)
{
	c->waiting[i]->want = HT_WANT_NOTHING;
	c->waiting[i] = c->waiting[--c->waiting_count];
}

static const void *where(const struct ht_lane *l, unsigned want)
{
	return want == HT_WANT_BIRTH || want == HT_WANT_DEATH ? (const void *)l->image : (const void *)l->host;
}

void ht_drain_told(struct ht_collector *c, const void *of, uint8_t want, uint64_t what)
{
	for (size_t i = 0; i < c->waiting_count;) {
		struct ht_lane *l = c->waiting[i];
		bool its = l->want == want && where(l, want) == of && (want == HT_WANT_MODULE || l->wanted == what);
		if (!its) {
			i++;
			continue;
		}
		stop_waiting(c, i);
		c->woken[c->woken_count++] = l; /* into the heap when the lane that is being told pauses */
	}
}

bool ht_drain_alone(struct ht_collector *c, const struct ht_lane *l, bool family)
{
	const struct ht_host *h = l->host;
	for (uint32_t i = 0; i < h->spare_count; i++)
		if (HT_LOAD_ACQUIRE(&ht_host_slot(h, h->spares[i])->state) != HT_SLOT_SPARE)
			return false; /* a thread that we have not met */
	if (h->lanes == 1)
		return true;
	if (h->lanes > ALONE_LANES)
		return false;
	for (size_t i = 0; i < c->lane_count; i++) {
		const struct ht_lane *m = c->lanes[i];
		bool matters = m->host == h && m != l && !m->damaged &&
			       (family || !m->image || m->image == l->image);
		if (matters && (m->queue_at < m->queue_count || m->reader.at != HT_LOAD_ACQUIRE(&m->slot->head)))
			return false;
	}
	return true;
}

bool ht_wait_fulfils(const struct ht_record *r, unsigned want, uint64_t wanted)
{
	switch (want) {
	case HT_WANT_DEATH:
		return r->op >= HT_REC_FREE && r->op <= HT_REC_REALLOC_FREE && r->address == wanted;
	case HT_WANT_BIRTH:
		return ((r->op >= HT_REC_MALLOC && r->op <= HT_REC_REALLOC) || r->op == HT_REC_REALLOC_UNDO) &&
		       r->address == wanted;
	case HT_WANT_FORK:
		return r->op == HT_REC_FORK && r->extra == wanted;
	case HT_WANT_LANE:
		return r->op == HT_REC_THREAD_START;
	default: /* the module that holds a pc; its words are start, end, ... */
		return r->op == HT_REC_MODULE && r->count * 8u >= sizeof(struct ht_ring_module) &&
		       wanted - 1 - HT_LOAD_RELAXED(&r->words[offsetof(struct ht_ring_module, start) / 8]) <
			       HT_LOAD_RELAXED(&r->words[offsetof(struct ht_ring_module, end) / 8]) -
				       HT_LOAD_RELAXED(&r->words[offsetof(struct ht_ring_module, start) / 8]);
	}
}

bool ht_wait_for_older(const struct ht_collector *c, const struct ht_lane *l, const struct ht_record *death)
{
	uint64_t before = death->ticks - c->tick_ticks / 1024; /* as the clocks of two processors may differ a little */
	for (size_t i = 0; i < c->waiting_count; i++) {
		const struct ht_lane *m = c->waiting[i];
		if (m != l && m->want == HT_WANT_DEATH && m->wanted == death->address && m->image == l->image &&
		    m->queue[m->queue_at].ticks < before)
			return true;
	}
	return false;
}

bool ht_wait_holds(const struct ht_lane *m, unsigned want, uint64_t wanted)
{
	struct ht_ahead ahead = ht_ahead_of(m);
	struct ht_record r;
	for (uint32_t i = m->queue_at; i < m->queue_count; i++)
		if (ht_wait_fulfils(&m->queue[i], want, wanted))
			return true;
	while (ht_ahead_next(m, &ahead, &r))
		if (ht_wait_fulfils(&r, want, wanted))
			return true;
	return false;
}

static bool held_by_another(const struct ht_collector *c, const struct ht_lane *l)
{
	for (size_t i = 0; i < c->waiting_count; i++) {
		const struct ht_lane *m = c->waiting[i];
		if (m != l && m->host == l->host && ht_wait_holds(m, l->want, l->wanted))
			return true;
	}
	return false;
}

struct ht_lane *ht_wait_resolve(struct ht_collector *c)
{
	size_t best = SIZE_MAX, fallback = SIZE_MAX;
	bool all_seen = true;
	for (size_t i = 0; i < c->waiting_count; i++) {
		const struct ht_lane *l = c->waiting[i];
		if (l->wanted_round + 2 >= c->round) {
			all_seen = false; /* what it holds may come free in the next round */
			continue;
		}
		if (fallback == SIZE_MAX || l->key < c->waiting[fallback]->key)
			fallback = i;
		if ((best == SIZE_MAX || l->key < c->waiting[best]->key) && !held_by_another(c, l))
			best = i;
	}
	if (best == SIZE_MAX && all_seen)
		best = fallback; /* a circle: cannot be, but must not hold up the rest for ever */
	if (best == SIZE_MAX)
		return NULL;
	struct ht_lane *l = c->waiting[best];
	stop_waiting(c, best);
	l->resolved = true;
	return l;
}
