/*
 * straight: the ring of a program's only thread, told in the order in which it was written. Nobody else can hold anything that
 * it waits for, so there are no keys, no heap and no waiting; and nearly all of its records are plain births and
 * deaths. These pass through in batches, one kind of work at a time, so that one record's cache misses pass while others
 * are worked on, and each loop keeps its state in registers:
 *
 *     ring words → struct ht_plain → nodes of stacks → struct ht_birth_death (paired, timed) → columns
 *
 * What is not simple in a plain record (an implied free, a free of nothing, no room for a pair) goes through event.c, after
 * what stands in front of it has been written.
 */
#include "drain.h"

struct batch {
	struct ht_collector *c;
	struct ht_lane *l;
	struct ht_birth_death lives[HT_QUEUE];
	unsigned count;
	uint64_t births, bytes; /* of them */
	uint64_t next_seq;
};

static void write_out(struct batch *b)
{
	struct ht_trace_totals *t = b->c->totals;
	ht_trace_writer_lives(b->c->writer, b->l->thread, b->lives, b->count);
	t->events += b->count;
	t->births += b->births;
	t->deaths += b->count - b->births;
	t->requested_bytes += b->bytes;
	b->count = 0;
	b->births = b->bytes = 0;
}

static HT_COLD void tell_rare(struct batch *b, const struct ht_plain *r, uint32_t leaf)
{
	write_out(b);
	ht_event_tell_plain(b->c, b->l, r, leaf);
	b->next_seq = ht_trace_writer_births(b->c->writer);
}

/* False: it is not so simple. */
HT_INLINE bool be_born(struct batch *b, const struct ht_plain *r, struct ht_birth_death *e)
{
	struct ht_pairs *pairs = &b->l->image->pairs;
	if (HT_UNLIKELY(!ht_pairs_room(pairs, r->address, b->next_seq)))
		return false;
	e->address = r->address;
	e->size = r->size;
	if (HT_UNLIKELY(!ht_pairs_put_near(pairs, r->address, b->next_seq, e->time, r->size))) {
		struct ht_pair *place = ht_pairs_seek(pairs, r->address);
		if (place->lo)
			return false;
		ht_pairs_put(pairs, place, r->address, b->next_seq, e->time, r->size);
	}
	b->next_seq++;
	b->births++;
	b->bytes += r->size;
	b->l->undo.any = b->l->undo.known = false;
	return true;
}

HT_INLINE bool die(struct batch *b, const struct ht_plain *r, struct ht_birth_death *e)
{
	struct ht_pairs *pairs = &b->l->image->pairs;
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
	if (HT_UNLIKELY(b->l->host->shared || r->op == HT_REC_REALLOC_FREE)) {
		uint64_t birth = ht_pair_birth(pairs, &was);
		if (birth > e->time) { /* born on another thread after our last stamp */
			e->time = birth;
			e->bits |= HT_EVENT_STAMPED;
		}
		if (r->op == HT_REC_REALLOC_FREE)
			b->l->undo = (typeof(b->l->undo)){r->address, e->seq, e->size, birth ? birth : pairs->epoch_ns, true, true};
	}
	return true;
}

static void tell(struct batch *b, const struct ht_plain *r, const uint32_t *leaf, unsigned n)
{
	struct ht_lane *l = b->l;
	b->next_seq = ht_trace_writer_births(b->c->writer);
	for (unsigned i = 0; i < n; i++, r++) {
		struct ht_birth_death *e = &b->lives[b->count];
		unsigned bits = r->op | (r->flags & HT_REC_STAMP ? HT_EVENT_STAMPED : 0);
		if (HT_UNLIKELY(l->waited) && !i)
			bits |= HT_EVENT_STAMPED; /* as event.c has it, for the first one behind a wait; so below */
		if (HT_UNLIKELY(l->after_aside) && r->flags & HT_REC_STACK) {
			tell_rare(b, r, leaf[i]);
			continue;
		}
		e->time = ht_event_time(b->c, l, r->ticks);
		e->stack = leaf[i];
		e->bits = (uint8_t)bits;
		bool simple = ht_op_is_birth(r->op) ? be_born(b, r, e) : die(b, r, e);
		if (HT_UNLIKELY(!simple)) {
			tell_rare(b, r, leaf[i]);
			continue;
		}
		l->last_ns = e->time;
		b->count++;
	}
	l->waited = false;
	write_out(b);
}

/* No stamp is of the future. */
static HT_COLD void hold_back(struct ht_collector *c, struct ht_lane *l, struct ht_plain *r, unsigned n)
{
	uint64_t now = ht_tickclock_now(&c->clock);
	if (l->reader.ticks <= now)
		return;
	l->reader.ticks = now;
	for (unsigned i = 0; i < n; i++)
		if (r[i].ticks > now)
			r[i].ticks = now;
}

unsigned ht_straight_tell(struct ht_collector *c, struct ht_lane *l)
{
	struct ht_plain plain[HT_QUEUE];
	uint32_t leaf[HT_QUEUE];
	struct batch b;
	unsigned n = ht_ring_read_plain(&l->reader, plain, HT_QUEUE);
	if (!n)
		return 0;
	if (HT_UNLIKELY(l->reader.ticks > c->now))
		hold_back(c, l, plain, n);
	for (unsigned i = 0; i < n; i++)
		ht_pairs_prefetch(&l->image->pairs, plain[i].address);
	unsigned right = ht_stack_apply_plain(c, l, plain, n, leaf);
	b.c = c;
	b.l = l;
	b.count = 0;
	b.births = b.bytes = 0;
	tell(&b, plain, leaf, right);
	l->told = l->reader.at;
	l->recorded += right;
	c->totals->recorded += right;
	if (HT_UNLIKELY(right < n))
		ht_lane_damage(l);
	return n;
}
