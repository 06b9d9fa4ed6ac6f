/*
 * drain: from many rings to one order.
 *
 * A round loads all heads once, then merges: a heap of lanes by when their next records are due; the first
 * lane is told until it passes the second. Nothing is told that is due after the heads were loaded.
 *
 * Clocks alone do not order a free on one thread and a malloc on another, because most frees inherit
 * an older stamp. Publication does: a death is in its ring before the address can be handed out
 * again, a birth is in its ring before anybody else can know the address. Hence:
 *
 *   - A birth is due at its stamp, which was taken before anybody else could know the address.
 *   - A death is due as LATE as it can have happened: at the next stamp of its lane, or when the tick that
 *     let it go without a stamp changed. If neither is known yet: was it below this lane's head in the round
 *     before, so that every birth before it is below the heads of this round, it is due now. Otherwise it waits a
 *     round. So no death ever meets an older block at its address, and none is told over a tick late.
 *   - A death that is told too late is noticed, because its address is born again while live. It is in another
 *     ring, in front of any stamp later than that birth's: that lane is pulled forward up to it. If it is not
 *     there even with fresh heads, nobody recorded it (IMPLIED_FREE).
 *   - A death of nothing, when no lane waits, has no birth (FREE_UNKNOWN).
 *
 * What the order of events does not decide (a fork's child before its fork, a frame in no known module) waits: what
 * it waits for lies below heads loaded after it was seen. If it does not come it is not there, and the
 * lane goes on without: earliest first, but not while another waiting lane still holds it.
 *
 * Images with one thread never wait: there is nobody who could hold anything.
 */
#include <stdlib.h>
#include <string.h>

#include "collector.h"

#define ALONE_LANES 16 /* look whether all others are empty; with more threads, wait for a round */

/* --- lanes -------------------------------------------------------------------------------- */

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
	h->lanes++;
	add_lane(c, l);
}

/* Slots whose thread has written something. */
static void adopt_all(struct ht_collector *c)
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
		if (h->ready && kept != h->spare_count) {
			h->spare_count = kept;
			ht_host_replenish(c, h);
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
	ht_host_retire(c, l->host, l->index, reuse);
	free(l->mirror);
	free(l);
}

static void damage(struct ht_lane *l)
{
	l->damaged = true;
	l->reader.head = l->reader.at;
}

static void load_head(struct ht_lane *l)
{
	if (l->damaged)
		return;
	uint64_t slack = l->offered ? ht_ring_class_bytes(l->offered_class) : 0;
	if (!ht_ring_head(&l->reader, l->slot, slack)) {
		damage(l);
		return;
	}
	uint64_t size = l->reader.mask + 1;
	l->ring_hot |= l->reader.head - l->reader.tail > size / 2 || HT_LOAD_RELAXED(&l->slot->starving);
}

bool ht_lane_drained(struct ht_lane *l)
{
	if (!l->damaged && l->reader.at == l->reader.head)
		load_head(l);
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

/* Always inline: gcc takes a function that only prefetches for one without effect, and drops its calls. */
HT_INLINE void prefetch(const struct ht_lane *l, const struct ht_record *r)
{
	if (l->image && r->op < HT_REC_FAILED)
		ht_pairs_prefetch(&l->image->pairs, r->address);
}

/* Does its stamp say when it happened? A death inherits an older one, or may have read the clock before it
 * knew the address. */
static bool has_time(const struct ht_record *r)
{
	return r->flags & HT_REC_STAMP && !(r->op >= HT_REC_FREE && r->op <= HT_REC_REALLOC_FREE);
}

/* Reads on behind a lane's queue, below the head that was loaded, through the LINK to the ring that was offered. */
struct ahead {
	struct ht_ring_reader reader;
	bool linked, moved;
};

static struct ahead look_ahead(const struct ht_lane *m)
{
	return (struct ahead){m->reader, m->linked, false};
}

static bool next_ahead(const struct ht_lane *m, struct ahead *a, struct ht_record *r)
{
	for (;;) {
		if (a->linked) {
			if (a->moved || !m->offered)
				return false;
			ht_ring_reader_move(&a->reader, (uint8_t *)m->host->seg + m->offered,
					    ht_ring_class_bytes(m->offered_class));
			a->moved = true;
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
	struct ahead ahead = look_ahead(l);
	struct ht_record r;
	l->stamp = UINT64_MAX;
	l->stamp_round = c->round;
	while (l->stamp == UINT64_MAX && next_ahead(l, &ahead, &r))
		if (has_time(&r))
			l->stamp = r.ticks;
	l->stamp_at = ahead.reader.at;
	return l->stamp; /* UINT64_MAX: none yet */
}

/* When the tick that stood at `ticks`, or one after it, was seen to change by everybody; UINT64_MAX: it still stands. */
static uint64_t tick_end(const struct ht_collector *c, uint64_t ticks)
{
	uint32_t lo = c->tick_count > HT_TICK_LOG ? c->tick_count - HT_TICK_LOG : 0, hi = c->tick_count;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (c->tick_log[mid % HT_TICK_LOG].before > ticks)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo == c->tick_count ? UINT64_MAX : c->tick_log[lo % HT_TICK_LOG].after;
}

/* When each queued record is due; see the head of this file. */
static void set_keys(struct ht_collector *c, struct ht_lane *l)
{
	uint64_t bound = UINT64_MAX;
	bool looked = false;
	l->unbounded = false;
	for (uint32_t i = l->queue_count; i-- > l->queue_at;) {
		const struct ht_record *r = &l->queue[i];
		if (has_time(r)) {
			bound = r->ticks;
		} else if (!looked && bound == UINT64_MAX) {
			bound = next_stamp(c, l);
			looked = true;
		}
		l->keys[i] = bound;
		if (!has_time(r) && r->op < 32) {
			uint64_t end = tick_end(c, r->ticks);
			if (end < bound)
				l->keys[i] = end;
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

/* The queue is empty: decodes the next records below head. False: there are none. */
static bool refill(struct ht_collector *c, struct ht_lane *l)
{
	l->queue_at = l->queue_count = 0;
	ht_collector_tick(c, ht_tickclock_now(&c->clock));
	do {
		if (l->linked) {
			ht_ring_release(&l->reader, l->slot, l->reader.at);
			ht_host_move(l->host, l);
		}
		while (l->queue_count < HT_QUEUE && !l->linked) {
			struct ht_record *r = &l->queue[l->queue_count];
			enum ht_read e = ht_ring_read(&l->reader, r);
			if (e == HT_READ_NONE)
				break;
			if (e == HT_READ_DAMAGED || (e == HT_READ_LINK && !l->offered)) {
				damage(l);
				break;
			}
			if (e == HT_READ_LINK) {
				l->linked = true;
				break;
			}
			if (r->ticks > c->now && r->ticks > ht_tickclock_now(&c->clock))
				r->ticks = l->reader.ticks = ht_tickclock_now(&c->clock); /* no stamp is of the future */
			prefetch(l, r);
			l->queue_count++;
		}
	} while (!l->queue_count && l->linked);
	set_keys(c, l);
	return l->queue_count > 0;
}

static bool has_next(struct ht_collector *c, struct ht_lane *l)
{
	if (l->unbounded && l->queue_at < l->queue_count)
		set_keys(c, l); /* a round later, more is known */
	return l->queue_at < l->queue_count || refill(c, l);
}

/* Gives back what was told, at most a few times per ring's turn. */
static void release_told(struct ht_lane *l, bool all)
{
	uint64_t told = l->queue_at < l->queue_count ? l->told : l->reader.at;
	if (l->linked && l->queue_at == l->queue_count)
		return; /* refill moves */
	if (told > l->reader.tail && (all || told - l->reader.tail > (l->reader.mask + 1) / 8))
		ht_ring_release(&l->reader, l->slot, told);
}

/* --- the heap ----------------------------------------------------------------------------- */

static void sift_down(struct ht_collector *c, size_t i)
{
	struct ht_lane *l = c->heap[i];
	for (;;) {
		size_t k = 2 * i + 1;
		if (k >= c->heap_count)
			break;
		if (k + 1 < c->heap_count && c->heap[k + 1]->key < c->heap[k]->key)
			k++;
		if (c->heap[k]->key >= l->key)
			break;
		c->heap[i] = c->heap[k];
		i = k;
	}
	c->heap[i] = l;
}

static void heap_push(struct ht_collector *c, struct ht_lane *l)
{
	size_t i = c->heap_count++;
	while (i && c->heap[(i - 1) / 2]->key > l->key) {
		c->heap[i] = c->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	c->heap[i] = l;
}

static void heap_pop(struct ht_collector *c)
{
	c->heap[0] = c->heap[--c->heap_count];
	if (c->heap_count)
		sift_down(c, 0);
}

/* Up to which ticks the first lane may be told. */
static uint64_t heap_limit(const struct ht_collector *c)
{
	uint64_t limit = c->cutoff;
	for (size_t i = 1; i < 3 && i < c->heap_count; i++)
		if (c->heap[i]->key < limit)
			limit = c->heap[i]->key;
	return limit;
}

/* --- waiting ------------------------------------------------------------------------------ */

static void wait_for(struct ht_collector *c, struct ht_lane *l, enum ht_want want, uint64_t wanted)
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

static bool fulfils(const struct ht_record *r, unsigned want, uint64_t wanted)
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
	default:
		return r->op == HT_REC_MODULE;
	}
}

/* Is it in what m has not told yet? */
static bool holds(const struct ht_lane *m, unsigned want, uint64_t wanted)
{
	struct ahead ahead = look_ahead(m);
	struct ht_record r;
	for (uint32_t i = m->queue_at; i < m->queue_count; i++)
		if (fulfils(&m->queue[i], want, wanted))
			return true;
	while (next_ahead(m, &ahead, &r))
		if (fulfils(&r, want, wanted))
			return true;
	return false;
}

static bool held_by_another(const struct ht_collector *c, const struct ht_lane *l)
{
	for (size_t i = 0; i < c->waiting_count; i++) {
		const struct ht_lane *m = c->waiting[i];
		if (m != l && m->host == l->host && holds(m, l->want, l->wanted))
			return true;
	}
	return false;
}

/* Ends the wait of one lane that has seen fresh heads in vain. False: none has. */
static bool resolve_one(struct ht_collector *c)
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
		return false;
	struct ht_lane *l = c->waiting[best];
	stop_waiting(c, best);
	l->resolved = true;
	heap_push(c, l);
	return true;
}

/* --- telling ------------------------------------------------------------------------------ */

enum told { TOLD, TOLD_LAST, TOLD_NOT };

static enum told tell_next(struct ht_collector *c, struct ht_lane *l, unsigned depth);

/* Is the death of address the next of its kind in m, before anything that happened after `then`? */
static bool holds_death(const struct ht_lane *m, uint64_t address, uint64_t then)
{
	struct ahead ahead = look_ahead(m);
	struct ht_record r;
	for (uint32_t i = m->queue_at; i < m->queue_count; i++) {
		if (m->queue[i].flags & HT_REC_STAMP && m->queue[i].ticks > then)
			return false;
		if (fulfils(&m->queue[i], HT_WANT_DEATH, address))
			return true;
	}
	while (next_ahead(m, &ahead, &r)) {
		if (r.flags & HT_REC_STAMP && r.ticks > then)
			return false; /* a death's stamp is no later than the death */
		if (fulfils(&r, HT_WANT_DEATH, address))
			return true;
	}
	return false;
}

/* Tells m up to and with the death of address. False: it must wait for something itself. */
static bool pull(struct ht_collector *c, struct ht_lane *m, uint64_t address, unsigned depth)
{
	m->pulled = true;
	c->heap_stale = true;
	bool found = false, more = true;
	while (!found && more && m->queue_at < m->queue_count) {
		found = fulfils(&m->queue[m->queue_at], HT_WANT_DEATH, address);
		more = tell_next(c, m, depth + 1) == TOLD;
	}
	m->pulled = false;
	return found && !m->want;
}

/* The address is live and born again: its death is in another ring, before any stamp later than l's. Looked for below
 * the heads of this round, then below fresh ones, then, as the clocks of two processors may differ a
 * little, a microsecond further. 1 told now, 0 nowhere, -1 in a lane that waits. */
static int find_death(struct ht_collector *c, struct ht_lane *l, uint64_t address, unsigned depth)
{
	uint64_t then = l->queue[l->queue_at].ticks;
	for (int pass = 0; pass < 3; pass++) {
		if (pass == 2)
			then += c->tick_ticks / 1024;
		for (size_t i = 0; i < c->lane_count; i++) {
			struct ht_lane *m = c->lanes[i];
			if (m == l || m->pulled || m->damaged || m->host != l->host || (m->image && m->image != l->image))
				continue;
			if (pass == 1)
				load_head(m);
			if (m->queue_at == m->queue_count && !m->want)
				refill(c, m);
			if (holds_death(m, address, then))
				return m->want || depth > 16 || !pull(c, m, address, depth) ? -1 : 1;
		}
	}
	return 0;
}

/* Tells the lane's next record. TOLD_LAST: it was the last one; TOLD_NOT: it waits, or is damaged. */
static enum told tell_next(struct ht_collector *c, struct ht_lane *l, unsigned depth)
{
	for (;;) {
		const struct ht_record *r = &l->queue[l->queue_at];
		uint64_t wanted = 0;
		enum ht_want want = ht_event_tell(c, l, r, &wanted);
		if (want == HT_WANT_NEVER) {
			l->queue_at = l->queue_count;
			l->linked = false;
			damage(l);
			return TOLD_NOT;
		}
		if (want == HT_WANT_DEATH) {
			l->pulled = true;
			int found = find_death(c, l, wanted, depth);
			l->pulled = false;
			l->resolved = found == 0;
			if (found >= 0)
				continue;
		}
		if (want == HT_WANT_BIRTH && !c->waiting_count) {
			l->resolved = true;
			continue;
		}
		if (want) {
			wait_for(c, l, want, wanted);
			release_told(l, true);
			return TOLD_NOT;
		}
		l->resolved = false;
		l->told = r->end;
		c->moved = true;
		if (++l->queue_at < l->queue_count) {
			l->key = l->keys[l->queue_at];
			return TOLD;
		}
		release_told(l, false);
		if (refill(c, l))
			return TOLD;
		release_told(l, true);
		return TOLD_LAST;
	}
}

/* Tells the first lane's records up to limit. False: it has left the heap's order (empty, or waits). */
static bool tell_run(struct ht_collector *c, struct ht_lane *l, uint64_t limit)
{
	while (l->key <= limit && !c->woken_count && !c->heap_stale)
		if (tell_next(c, l, 0) != TOLD)
			return false;
	return true;
}

static void build_heap(struct ht_collector *c)
{
	c->heap_count = 0;
	c->woken_count = 0;
	c->heap_stale = false;
	for (size_t i = 0; i < c->lane_count; i++)
		if (!c->lanes[i]->want && has_next(c, c->lanes[i]))
			c->heap[c->heap_count++] = c->lanes[i];
	for (size_t i = c->heap_count / 2; i-- > 0;)
		sift_down(c, i);
}

static void merge(struct ht_collector *c)
{
	while (c->heap_count && c->heap[0]->key <= c->cutoff && !c->stopped) {
		struct ht_lane *l = c->heap[0];
		bool more = tell_run(c, l, heap_limit(c));
		if (c->heap_stale) { /* other lanes were pulled */
			build_heap(c);
			continue;
		}
		if (more)
			sift_down(c, 0);
		else
			heap_pop(c);
		while (c->woken_count)
			heap_push(c, c->woken[--c->woken_count]);
	}
}

/* One thread, and none that we have not met: nobody can hold anything back. */
static bool is_alone(const struct ht_host *h)
{
	for (uint32_t i = 0; i < h->spare_count; i++)
		if (HT_LOAD_ACQUIRE(&ht_host_slot(h, h->spares[i])->state) != HT_SLOT_SPARE)
			return false;
	return h->lanes == 1;
}

bool ht_drain_round(struct ht_collector *c)
{
	c->round++;
	c->moved = false;
	c->now = ht_tickclock_now(&c->clock);
#if defined(__x86_64__)
	__builtin_ia32_lfence(); /* no head is loaded before the clock was read */
#endif
	c->cutoff = c->now;
	adopt_all(c);
	for (size_t i = 0; i < c->lane_count; i++) {
		c->lanes[i]->told_before = c->lanes[i]->reader.head;
		load_head(c->lanes[i]);
	}
	for (struct ht_host *h = c->hosts; h; h = h->next)
		h->alone = is_alone(h);
	build_heap(c);
	merge(c);
	while (!c->stopped && resolve_one(c))
		merge(c);
	for (size_t i = 0; i < c->lane_count; i++) {
		struct ht_lane *l = c->lanes[i];
		release_told(l, true);
		if (l->ring_hot) {
			HT_STORE_RELAXED(&l->slot->starving, 0);
			ht_host_offer(l->host, l);
		}
	}
	return c->waiting_count > 0;
}

/* A round or two tell what was published before them; a busy target never ends. */
void ht_drain_all(struct ht_collector *c)
{
	for (int i = 0; i < 64 && !c->stopped; i++) {
		ht_drain_round(c);
		bool rest = c->waiting_count > 0;
		for (size_t k = 0; k < c->lane_count && !rest; k++) {
			const struct ht_lane *l = c->lanes[k];
			rest = !l->damaged && (l->queue_at < l->queue_count || l->reader.at != l->reader.head);
		}
		if (!rest && i > 1)
			break;
	}
}
