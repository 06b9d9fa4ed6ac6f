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
 * Most records are plain births and deaths, and are told in batches (plain.c); the others one by one (event.c).
 *
 * Images with one thread never wait: there is nobody who could hold anything. While such a one is the only one that
 * tells, as mostly, its ring's order is the order: no keys are needed and no heap.
 */
#include "drain.h"

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

/* --- telling ------------------------------------------------------------------------------ */

enum told { TOLD, TOLD_LAST, TOLD_NOT };

static enum told tell_next(struct ht_collector *c, struct ht_lane *l, unsigned depth);

/* Is the death of address the next of its kind in m, before anything that happened after `then`? */
static bool holds_death(const struct ht_lane *m, uint64_t address, uint64_t then)
{
	struct ht_ahead ahead = ht_ahead_of(m);
	struct ht_record r;
	for (uint32_t i = m->queue_at; i < m->queue_count; i++) {
		if (m->queue[i].flags & HT_REC_STAMP && m->queue[i].ticks > then)
			return false;
		if (ht_wait_fulfils(&m->queue[i], HT_WANT_DEATH, address))
			return true;
	}
	while (ht_ahead_next(m, &ahead, &r)) {
		if (r.flags & HT_REC_STAMP && r.ticks > then)
			return false; /* a death's stamp is no later than the death */
		if (ht_wait_fulfils(&r, HT_WANT_DEATH, address))
			return true;
	}
	return false;
}

/* Tells m up to and with what is wanted. False: it must wait for something itself. */
static bool pull(struct ht_collector *c, struct ht_lane *m, unsigned want, uint64_t wanted, unsigned depth)
{
	m->pulled = true;
	c->heap_stale = true;
	bool found = false, more = true;
	while (!found && more && m->queue_at < m->queue_count) {
		found = ht_wait_fulfils(&m->queue[m->queue_at], want, wanted);
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
				ht_lane_load_head(m);
			if (m->queue_at == m->queue_count && !m->want)
				ht_lane_refill(c, m);
			if (holds_death(m, address, then))
				return m->want || depth > 16 || !pull(c, m, HT_WANT_DEATH, address, depth) ? -1 : 1;
		}
	}
	return 0;
}

/* A frame in no module that was told of: its module was in a ring before any frame of it was in another. Looked for at
 * once, as lanes that wait are passed by others, which may then free what is still to be born. Answers as find_death; 0:
 * no module holds it, as with code that the program made itself. */
static int find_module(struct ht_collector *c, struct ht_lane *l, uint64_t pc, unsigned depth)
{
	size_t met = c->lane_count;
	ht_lanes_adopt(c); /* threads that we have not met, and that have written something */
	if (c->lane_count > met)
		l->host->alone = false;
	for (size_t i = 0; i < c->lane_count; i++) {
		struct ht_lane *m = c->lanes[i];
		if (m == l || m->damaged || m->host != l->host)
			continue;
		ht_lane_load_head(m);
		c->heap_stale |= i >= met;
		if (m->queue_at == m->queue_count && !m->want)
			ht_lane_refill(c, m);
		if (ht_wait_holds(m, HT_WANT_MODULE, pc))
			return m->want || m->pulled || depth > 16 || !pull(c, m, HT_WANT_MODULE, pc, depth) ? -1 : 1;
	}
	return 0;
}

/* The queue is told up to queue_at. */
static enum told advance(struct ht_collector *c, struct ht_lane *l)
{
	l->told = l->queue[l->queue_at - 1].end;
	c->moved = true;
	if (l->queue_at < l->queue_count) {
		l->key = l->keys[l->queue_at];
		return TOLD;
	}
	ht_lane_release(l, false);
	if (ht_lane_refill(c, l))
		return TOLD;
	ht_lane_release(l, true);
	return TOLD_LAST;
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
			ht_lane_damage(l);
			return TOLD_NOT;
		}
		if (want == HT_WANT_DEATH || want == HT_WANT_MODULE) {
			l->pulled = true;
			int found = want == HT_WANT_DEATH ? find_death(c, l, wanted, depth) : find_module(c, l, wanted, depth);
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
			ht_wait_for(c, l, want, wanted);
			ht_lane_release(l, true);
			return TOLD_NOT;
		}
		l->resolved = false;
		l->queue_at++;
		return advance(c, l);
	}
}

/* How many of the lane's next records are plain and due up to limit, while nobody waits for one of them. */
static unsigned plain_ones(const struct ht_collector *c, const struct ht_lane *l, uint64_t limit)
{
	uint32_t end = l->queue_at;
	if (!c->waiting_count && !l->resolved)
		while (end < l->stacked && l->keys[end] <= limit)
			end++;
	return end - l->queue_at;
}

/* Tells the first lane's records up to limit. False: it has left the heap's order (empty, or waits). */
static bool tell_run(struct ht_collector *c, struct ht_lane *l, uint64_t limit)
{
	while (l->key <= limit && !c->woken_count && !c->heap_stale) {
		unsigned plain = plain_ones(c, l, limit), told = plain ? ht_plain_tell(c, l, plain) : 0;
		l->queue_at += told;
		if ((told ? advance(c, l) : tell_next(c, l, 0)) != TOLD)
			return false;
	}
	return true;
}

static void build_heap(struct ht_collector *c)
{
	c->heap_count = 0;
	c->woken_count = 0;
	c->heap_stale = false;
	for (size_t i = 0; i < c->lane_count; i++)
		if (!c->lanes[i]->want && ht_lane_has_next(c, c->lanes[i]))
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

/* The lane that alone has something to tell, and of a program whose only thread's it is. */
static struct ht_lane *only_lane(const struct ht_collector *c)
{
	struct ht_lane *only = NULL;
	for (size_t i = 0; i < c->lane_count; i++) {
		struct ht_lane *l = c->lanes[i];
		if (l->queue_at == l->queue_count && !l->linked && l->reader.at == l->reader.head)
			continue;
		if (only)
			return NULL;
		only = l;
	}
	bool simple = only && only->host->alone && only->image && only->queue_at == only->queue_count;
	return simple && !c->waiting_count ? only : NULL;
}

/* Its ring's order is the order: no keys, no heap. What is not told here is told by merge(). */
static void tell_alone(struct ht_collector *c, struct ht_lane *l)
{
	for (;;) {
		ht_collector_tick(c, ht_tickclock_now(&c->clock));
		if (c->stopped || !ht_lane_decode(c, l))
			return;
		while (l->queue_at < l->queue_count) {
			unsigned plain = l->stacked > l->queue_at ? ht_plain_tell(c, l, l->stacked - l->queue_at) : 0;
			uint64_t wanted;
			c->moved = true;
			if (!plain && ht_event_tell(c, l, &l->queue[l->queue_at], &wanted)) {
				l->unbounded = true; /* it has no key yet */
				return;
			}
			l->queue_at += plain ? plain : 1;
			l->told = l->queue[l->queue_at - 1].end;
		}
		ht_lane_release(l, false);
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
	ht_lanes_adopt(c);
	for (size_t i = 0; i < c->lane_count; i++) {
		struct ht_lane *l = c->lanes[i];
		l->told_before = l->reader.head;
		ht_lane_load_head(l);
		if (HT_UNLIKELY(HT_LOAD_RELAXED(&l->slot->ended)) && !l->exiting) {
			l->exiting = true;
			c->exiting++;
		}
	}
	for (struct ht_host *h = c->hosts; h; h = h->next)
		h->alone = is_alone(h);
	struct ht_lane *only = only_lane(c);
	if (only && !c->stopped)
		tell_alone(c, only);
	build_heap(c);
	merge(c);
	for (struct ht_lane *l; !c->stopped && (l = ht_wait_resolve(c));) {
		heap_push(c, l);
		merge(c);
	}
	if (c->batch.count)
		ht_plain_flush(c);
	for (size_t i = 0; i < c->lane_count; i++)
		ht_lane_release(c->lanes[i], true);
	for (struct ht_host *h = c->hosts; h; h = h->next) {
		h->hungry = false;
		ht_host_offer(c, h);
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
