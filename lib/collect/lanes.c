/*
 * lanes: which threads there are: claimed slots become lanes, and go with their threads. A lane that breaks the rules of
 * ring.h is damaged: nothing more is read from it, and what its thread counted is lost.
 */
#include <stdlib.h>

#include "drain.h"

static void add_lane(struct ht_collector *c, struct ht_lane *l)
{
	if (c->lane_count == c->lane_cap) {
		c->lane_cap = c->lane_cap ? 2 * c->lane_cap : 64;
		c->lanes = ht_xrealloc(c->lanes, c->lane_cap, sizeof(struct ht_lane *));
		c->heap = ht_xrealloc(c->heap, c->lane_cap, sizeof(struct ht_lane *));
		c->waiting = ht_xrealloc(c->waiting, c->lane_cap, sizeof(struct ht_lane *));
		c->woken = ht_xrealloc(c->woken, c->lane_cap, sizeof(struct ht_lane *));
	}
	c->lanes[c->lane_count++] = l;
}

static void adopt(struct ht_collector *c, struct ht_host *h, uint32_t index)
{
	struct ht_slot *s = ht_host_slot(h, index);
	struct ht_lane *l = ht_xcalloc(1, sizeof(*l));
	l->host = h;
	l->slot = s;
	l->index = index;
	l->pid = HT_LOAD_RELAXED(&s->pid);
	l->tid = HT_LOAD_RELAXED(&s->tid);
	l->forked = HT_LOAD_RELAXED(&s->forked) == 1;
	l->fork_token = HT_LOAD_RELAXED(&s->fork_token);
	l->parent_serial = HT_LOAD_RELAXED(&s->parent_serial);
	l->handler_of = HT_LOAD_RELAXED(&s->handler_of);
	l->serial = h->serial[index];
	l->end_ns = UINT64_MAX;
	ht_ring_reader_init(&l->reader, (uint8_t *)h->seg + h->ring_offset[index],
			    ht_ring_class_bytes(h->ring_class[index]), 0);
	if (HT_LOAD_RELAXED(&s->starving)) /* and nobody knew the lane yet */
		HT_STORE_RELAXED(&h->seg->starving, 1);
	h->shared |= h->lanes++ > 0;
	add_lane(c, l);
}

/* Slots whose thread has written something. */
void ht_lanes_adopt(struct ht_collector *c)
{
	for (struct ht_host *h = c->hosts; h; h = h->next) {
		uint32_t kept = 0;
		for (uint32_t i = 0; h->ready && i < h->spare_count; i++) {
			struct ht_slot *s = ht_host_slot(h, h->spares[i]);
			/* acquire: pid, tid, ... were stored before the first head */
			if (HT_LOAD_RELAXED(&s->state) == HT_SLOT_CLAIMED && HT_LOAD_ACQUIRE(&s->head))
				adopt(c, h, h->spares[i]);
			else
				h->spares[kept++] = h->spares[i];
		}
		if (h->ready) {
			h->spare_count = kept;
			ht_host_replenish(c, h); /* also for what was claimed and not yet written to */
		}
	}
}

/* counted == recorded + lost, for this lane. */
static void account(struct ht_collector *c, const struct ht_lane *l, bool dead)
{
	uint64_t missing = HT_LOAD_RELAXED(&l->slot->counted) - l->recorded;
	for (unsigned i = 0; i < HT_RING_LOST_COUNT; i++)
		missing -= HT_LOAD_RELAXED(&l->slot->lost[i]);
	if (!missing || missing >> 62)
		return;
	if (l->damaged)
		c->totals->lost[HT_LOST_DAMAGED] += missing;
	else if (c->stopped)
		c->totals->lost[HT_LOST_FULL_DISK] += missing;
	else if (!dead)
		c->totals->lost[HT_LOST_AFTER_CLOSE] += missing;
	else if (missing <= 2) /* killed between counting and publishing: the call never returned */
		c->totals->counted -= missing;
	else /* a dead thread that counted more than it published: its slot was scribbled over */
		c->totals->lost[HT_LOST_DAMAGED] += missing;
}

void ht_lane_drop(struct ht_collector *c, struct ht_lane *l, bool reuse)
{
	account(c, l, reuse);
	for (size_t i = 0; i < c->lane_count; i++)
		if (c->lanes[i] == l) {
			c->lanes[i] = c->lanes[--c->lane_count];
			break;
		}
	c->exiting -= l->exiting;
	l->host->lanes--;
	if (l->image)
		l->image->lanes--;
	ht_host_retire(c, l, reuse);
	ht_frames_release(c, &l->frames);
	free(l->mirror);
	free(l);
}

void ht_lane_damage(struct ht_lane *l)
{
	l->damaged = true;
	l->reader.head = l->reader.at;
}

void ht_lane_load_head(struct ht_lane *l)
{
	if (l->damaged)
		return;
	if (!ht_ring_head(&l->reader, l->slot, ht_lane_chained(l)))
		ht_lane_damage(l);
}

bool ht_lane_drained(struct ht_lane *l)
{
	if (!l->damaged && l->reader.at == l->reader.head)
		ht_lane_load_head(l);
	return !l->want && l->queue_at == l->queue_count && !l->linked && l->reader.at == l->reader.head;
}

bool ht_drain_pending(struct ht_collector *c)
{
	for (const struct ht_host *h = c->hosts; h; h = h->next)
		for (uint32_t i = 0; h->ready && i < h->spare_count; i++)
			if (HT_LOAD_RELAXED(&ht_host_slot(h, h->spares[i])->head))
				return true;
	for (size_t i = 0; i < c->lane_count; i++)
		if (!c->lanes[i]->damaged && HT_LOAD_RELAXED(&c->lanes[i]->slot->head) != c->lanes[i]->reader.at)
			return true;
	return false;
}
