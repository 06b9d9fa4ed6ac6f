/*
 * queue: a lane's next records, decoded ahead of being told, and when each of them is due (see drain.c).
 */
#include "drain.h"

#define SOME 4 /* records that are not all plain: behind them there may be plain ones again */

/* Always inline: gcc takes a function that only prefetches for one without effect, and drops its calls. */
HT_INLINE void prefetch(const struct ht_lane *l, const struct ht_record *r)
{
	if (l->image && r->op < HT_REC_FAILED)
		ht_pairs_prefetch(&l->image->pairs, r->address);
}

/* Does its stamp say when it happened? A death inherits an older one, or may have read the clock before it
 * knew the address. A birth that inherits (--timestamps=coarse) was noted while its thread was alone: before anything
 * that another one did. */
static bool has_time(const struct ht_record *r)
{
	if (r->op >= HT_REC_MALLOC && r->op <= HT_REC_REALLOC)
		return true;
	return r->flags & HT_REC_STAMP && !(r->op >= HT_REC_FREE && r->op <= HT_REC_REALLOC_FREE);
}

struct ht_ahead ht_ahead_of(const struct ht_lane *m)
{
	return (struct ht_ahead){m->reader, m->linked, 0};
}

bool ht_ahead_next(const struct ht_lane *m, struct ht_ahead *a, struct ht_record *r)
{
	for (;;) {
		if (a->linked) {
			if (a->moved == m->chained)
				return false;
			ht_ring_reader_move(&a->reader, (uint8_t *)m->host->seg + m->chain[a->moved].offset,
					    ht_ring_class_bytes(m->chain[a->moved].class));
			a->moved++;
			a->linked = false;
		}
		enum ht_read e = ht_ring_read(&a->reader, r);
		if (e == HT_READ_RECORD)
			return true;
		if (e != HT_READ_LINK)
			return false;
		a->linked = true;
	}
}

/* The next stamp of a lane behind its queue: what stands before it happened before. */
static uint64_t next_stamp(struct ht_collector *c, struct ht_lane *l)
{
	if (l->stamp != UINT64_MAX ? l->stamp_at > l->reader.at : l->stamp_round == c->round && l->stamp_at >= l->reader.at)
		return l->stamp;
	struct ht_ahead ahead = ht_ahead_of(l);
	struct ht_record r;
	l->stamp = UINT64_MAX;
	l->stamp_round = c->round;
	while (l->stamp == UINT64_MAX && ht_ahead_next(l, &ahead, &r))
		if (has_time(&r))
			l->stamp = r.ticks;
	l->stamp_at = ahead.reader.at;
	return l->stamp; /* UINT64_MAX: none yet */
}

/* Between `from` and `until` stood ticks that everybody had seen change at `end`; UINT64_MAX: it still stands. */
struct tick {
	uint64_t from, until, end;
};

/* The tick that stood at `ticks`. */
static struct tick find_tick(const struct ht_collector *c, uint64_t ticks)
{
	uint32_t first = c->tick_count > HT_TICK_LOG ? c->tick_count - HT_TICK_LOG : 0, lo = first, hi = c->tick_count;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (c->tick_log[mid % HT_TICK_LOG].before > ticks)
			hi = mid;
		else
			lo = mid + 1;
	}
	struct tick t = {.from = lo == first ? 0 : c->tick_log[(lo - 1) % HT_TICK_LOG].before, UINT64_MAX, UINT64_MAX};
	if (lo < c->tick_count) {
		t.until = c->tick_log[lo % HT_TICK_LOG].before;
		t.end = c->tick_log[lo % HT_TICK_LOG].after;
	}
	return t;
}

/* When each queued record is due; see the head of drain.c. */
static void set_keys(struct ht_collector *c, struct ht_lane *l)
{
	uint64_t bound = UINT64_MAX;
	struct tick tick = {0}; /* most records of a queue are of one */
	bool looked = false;
	l->unbounded = false;
	for (uint32_t i = l->queue_count; i-- > l->queue_at;) {
		const struct ht_record *r = &l->queue[i];
		bool timed = has_time(r);
		if (timed) {
			bound = r->ticks;
		} else if (!looked && bound == UINT64_MAX) {
			bound = next_stamp(c, l);
			looked = true;
		}
		l->keys[i] = bound;
		if (!timed && r->op < 32) {
			if (r->ticks < tick.from || r->ticks >= tick.until)
				tick = find_tick(c, r->ticks);
			if (tick.end < bound)
				l->keys[i] = tick.end;
		}
		l->unbounded |= bound == UINT64_MAX; /* a stamp yet to come may be earlier than the tick's end */
		if (l->keys[i] == UINT64_MAX) {
			if (l->host->alone || r->end <= l->told_before || r->op >= 32)
				l->keys[i] = c->now;
		}
	}
	if (l->queue_at < l->queue_count)
		l->key = l->keys[l->queue_at];
}

/* Plain records with their stacks, if such are next; else a few of all kinds. */
static void read_queue(struct ht_collector *c, struct ht_lane *l)
{
	l->queue_count = l->image ? ht_ring_read_plain(&l->reader, l->queue, HT_QUEUE) : 0;
	unsigned plain = l->queue_count;
	if (!plain) {
		enum ht_read e = ht_ring_read_some(&l->reader, l->queue, SOME, &l->queue_count);
		if (e == HT_READ_LINK && l->chained)
			l->linked = true;
		else if (e == HT_READ_LINK || e == HT_READ_DAMAGED)
			ht_lane_damage(l);
	}
	if (l->reader.ticks > c->now && l->reader.ticks > ht_tickclock_now(&c->clock)) {
		uint64_t now = l->reader.ticks = ht_tickclock_now(&c->clock); /* no stamp is of the future */
		for (uint32_t i = 0; i < l->queue_count; i++)
			if (l->queue[i].ticks > now)
				l->queue[i].ticks = now;
	}
	for (uint32_t i = 0; i < l->queue_count; i++)
		prefetch(l, &l->queue[i]);
	l->stacked = plain ? ht_stack_apply_plain(c, l, l->queue, plain, l->leaf) : 0;
}

bool ht_lane_decode(struct ht_collector *c, struct ht_lane *l)
{
	l->queue_at = l->queue_count = 0;
	do {
		if (l->linked) {
			ht_ring_release(&l->reader, l->slot, l->reader.at);
			ht_host_move(l->host, l);
		}
		read_queue(c, l);
	} while (!l->queue_count && l->linked);
	return l->queue_count > 0;
}

bool ht_lane_refill(struct ht_collector *c, struct ht_lane *l)
{
	ht_collector_tick(c, ht_tickclock_now(&c->clock));
	bool more = ht_lane_decode(c, l);
	set_keys(c, l);
	return more;
}

bool ht_lane_has_next(struct ht_collector *c, struct ht_lane *l)
{
	if (l->unbounded && l->queue_at < l->queue_count)
		set_keys(c, l); /* a round later, more is known */
	return l->queue_at < l->queue_count || ht_lane_refill(c, l);
}

void ht_lane_release(struct ht_lane *l, bool all)
{
	uint64_t told = l->queue_at < l->queue_count ? l->told : l->reader.at;
	if (l->linked && l->queue_at == l->queue_count)
		return; /* ht_lane_refill moves */
	if (told > l->reader.tail && (all || told - l->reader.tail > (l->reader.mask + 1) / 8))
		ht_ring_release(&l->reader, l->slot, told);
}

