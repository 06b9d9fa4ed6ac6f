/*
 * plain: births and deaths as nearly all are, in batches, one kind of work at a time, so that one record's cache misses
 * pass while others are worked on, and each loop keeps its state in registers:
 *
 *     ring words → struct ht_record → nodes of stacks (a lane's queue, queue.c)
 *                                   → struct ht_birth_death: paired, timed, in the order of all lanes (here) → columns
 *
 * What is not simple in a plain record (a birth where a block is live, a death of nothing, no room for a pair) is told by
 * event.c, after what stands in front of it has been written.
 */
#include "drain.h"

void ht_plain_flush(struct ht_collector *c)
{
	struct ht_plain_batch *b = &c->batch;
	ht_trace_writer_lives(c->writer, b->lives, b->count);
	b->count = 0;
}

/* False: it is not so simple. */
HT_INLINE bool be_born(struct ht_pairs *pairs, uint64_t seq, const struct ht_record *r, struct ht_birth_death *e)
{
	if (HT_UNLIKELY(!ht_pairs_room(pairs, r->address, seq)))
		return false;
	e->address = r->address;
	e->size = r->size;
	if (HT_UNLIKELY(!ht_pairs_put_near(pairs, r->address, seq, e->time, r->size))) {
		struct ht_pair *place = ht_pairs_seek(pairs, r->address);
		if (place->lo)
			return false;
		ht_pairs_put(pairs, place, r->address, seq, e->time, r->size);
	}
	return true;
}

HT_INLINE bool die(struct ht_lane *l, const struct ht_record *r, struct ht_birth_death *e)
{
	struct ht_pairs *pairs = &l->image->pairs;
	struct ht_pair was, *pair;
	if (HT_LIKELY(pairs->table && !(r->address & 7) && !(r->address >> 47)) &&
	    HT_LIKELY(ht_pairs_take_near(pairs, r->address, &was))) {
		e->size = was.hi & HT_PAIR_HUGE;
	} else {
		pair = ht_pairs_find(pairs, r->address);
		if (!pair)
			return false;
		was = *pair;
		e->size = ht_pair_size(pairs, pair);
		ht_pairs_remove(pairs, pair);
	}
	e->seq = ht_pair_seq(&was);
	if (HT_UNLIKELY(l->host->shared || r->op == HT_REC_REALLOC_FREE)) {
		uint64_t birth = ht_pair_birth(pairs, &was);
		if (birth > e->time) { /* born on another thread after our last stamp */
			e->time = birth;
			e->bits |= HT_EVENT_STAMPED;
		}
		if (r->op == HT_REC_REALLOC_FREE)
			l->undo = (typeof(l->undo)){r->address, e->seq, e->size, birth ? birth : pairs->epoch_ns, true, true};
	}
	return true;
}

unsigned ht_plain_tell(struct ht_collector *c, struct ht_lane *l, unsigned n)
{
	struct ht_pairs *pairs = &l->image->pairs;
	struct ht_plain_batch *b = &c->batch;
	if (HT_UNLIKELY(b->count > HT_ARRAY_SIZE(b->lives) - HT_QUEUE))
		ht_plain_flush(c);
	if (!b->count)
		b->next_seq = ht_trace_writer_births(c->writer);
	const struct ht_record *r = &l->queue[l->queue_at], *begin = r, *end = r + n;
	const uint32_t *leaf = &l->leaf[l->queue_at];
	struct ht_birth_death *e = &b->lives[b->count];
	uint64_t births = 0, bytes = 0;
	for (; r < end; r++, e++, leaf++) {
		if (HT_UNLIKELY(l->after_aside) && r->flags & HT_REC_STACK)
			break;
		unsigned stamped = r->flags & HT_REC_STAMP || l->waited; /* as event.c has it, for the first one behind a wait */
		e->bits = (uint8_t)(r->op | (stamped ? HT_EVENT_STAMPED : 0));
		e->time = ht_event_time(c, l, r->ticks);
		e->stack = *leaf;
		e->thread = l->thread;
		if (ht_op_is_birth(r->op)) {
			if (HT_UNLIKELY(!be_born(pairs, b->next_seq, r, e)))
				break;
			b->next_seq++;
			births++;
			bytes += r->size;
			l->undo.any = l->undo.known = false;
		} else if (HT_UNLIKELY(!die(l, r, e))) {
			break;
		}
		l->waited = false;
		l->last_ns = e->time;
	}
	unsigned told = (unsigned)(r - begin);
	struct ht_trace_totals *t = c->totals;
	b->count += told;
	t->events += told;
	t->births += births;
	t->deaths += told - births;
	t->requested_bytes += bytes;
	t->recorded += told;
	l->recorded += told;
	return told;
}
