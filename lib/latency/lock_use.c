/* lock_use: see lock_use.h; what was allocated meanwhile is lock_bytes.c's. */
#include "lock_use.h"

#include <stdlib.h>

#include "latency_order.h"
#include "wait_sites.h"

enum { OWNERS = 64 };
#define NOBODY UINT32_MAX

struct making {
	const struct ht_latency *l;
	struct ht_lock_use *u;
	uint32_t *lock_of;	      /* per object: position in items + 1 */
	size_t cap, hold_cap;
	struct ht_shares wait_stacks; /* key: node */
	struct ht_shares hold_stacks; /* key: node of the unlock that ended the wait */
	struct ht_shares wakers;      /* key: thread of it */
};

static bool is_lock(unsigned kind)
{
	return kind == HT_WAIT_MUTEX || kind == HT_WAIT_RWLOCK || kind == HT_WAIT_SPIN || kind == HT_WAIT_ONCE;
}

/* --- waits -------------------------------------------------------------------------------- */

static uint32_t lock_of(struct making *m, const struct ht_waited *w)
{
	uint32_t *lock = &m->lock_of[w->object];
	if (*lock)
		return *lock - 1;
	if (m->u->count == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 64;
		m->u->items = ht_xrealloc(m->u->items, m->cap, sizeof(*m->u->items));
	}
	const struct ht_thread_info *info = ht_trace_thread(m->l->trace, w->w.thread);
	m->u->items[m->u->count] = (struct ht_lock){.address = w->w.object,
						    .image = info ? info->image : 0,
						    .object = w->object,
						    .kind = w->w.kind,
						    .holder = NOBODY};
	*lock = (uint32_t)++m->u->count;
	return *lock - 1;
}

static void add_wait(struct making *m, const struct ht_waited *w)
{
	uint64_t ns = ht_wait_ns(m->l, &w->w);
	uint32_t row = lock_of(m, w);
	struct ht_lock *k = &m->u->items[row];
	k->waits++;
	k->wait_ns += ns;
	k->wait_max_ns = ns > k->wait_max_ns ? ns : k->wait_max_ns;
	k->timeouts += w->w.outcome == HT_OUTCOME_TIMEOUT;
	k->wakers_unknown += !w->wake;
	ht_shares_add(&m->wait_stacks, row, w->w.stack, 1, ns);
	ht_shares_add(&m->u->waiters, row, w->w.thread, 1, ns);
	if (w->wake) {
		const struct ht_wake *wake = &m->l->wakes[w->wake - 1];
		ht_shares_add(&m->wakers, row, wake->thread, 1, ns);
		if (wake->stack)
			ht_shares_add(&m->hold_stacks, row, wake->stack, 1, ns);
	}
}

/* A wait that was slept through in pieces was woken in between, for nothing. */
static void count_futile(struct making *m)
{
	for (size_t i = 0; i < m->l->thread_count; i++) {
		const struct ht_latency_thread *t = &m->l->threads[i];
		uint32_t last = 0;
		for (size_t j = 0; j < t->span_count; j++) {
			const struct ht_span *s = &t->spans[j];
			if (s->state != HT_STATE_BLOCKED || !s->wait)
				continue;
			const struct ht_waited *w = &m->l->waits[s->wait - 1];
			if (s->wait == last && w->object && is_lock(w->w.kind))
				m->u->items[m->lock_of[w->object] - 1].futile_wakes++;
			last = s->wait;
		}
	}
}

/* --- holds -------------------------------------------------------------------------------- */

/* What happens to one lock: a wait begins, a wait ends, it is let go. */
struct happening {
	uint64_t ns;
	uint32_t lock, thread;
	uint8_t what; /* in this order where stamps are equal */
	bool shared, got;
};
enum what { LET_GO, WAIT_ENDS, WAIT_BEGINS };

struct owner {
	uint32_t thread;
	bool watched; /* somebody has waited ever since */
	uint64_t since;
};
struct lock_state {
	struct owner owners[OWNERS];
	unsigned owner_count;
	size_t waiting;
	uint64_t in_turn; /* hand-offs at which enough waited */
};

static void end_hold(struct making *m, struct lock_state *s, const struct happening *h)
{
	struct ht_lock *k = &m->u->items[h->lock];
	unsigned i = 0;
	while (i < s->owner_count && s->owners[i].thread != h->thread)
		i++;
	bool watched = i < s->owner_count && s->owners[i].watched;
	uint64_t since = watched ? s->owners[i].since : h->ns, ns = h->ns > since ? h->ns - since : 0;
	if (i < s->owner_count)
		s->owners[i] = s->owners[--s->owner_count];
	if (!watched) {
		k->holds_unknown++;
		return;
	}
	k->holds++;
	k->hold_ns += ns;
	k->hold_max_ns = ns > k->hold_max_ns ? ns : k->hold_max_ns;
	ht_shares_add(&m->u->holders, h->lock, h->thread, 1, ns);
	if (m->u->hold_count == m->hold_cap) {
		m->hold_cap = m->hold_cap ? 2 * m->hold_cap : 256;
		m->u->holds = ht_xrealloc(m->u->holds, m->hold_cap, sizeof(*m->u->holds));
	}
	m->u->holds[m->u->hold_count++] = (struct ht_hold){h->lock, h->thread, since, h->ns};
}

static void end_convoy(struct ht_lock *k, struct lock_state *s)
{
	if (s->in_turn >= HT_CONVOY_HANDOFFS) {
		k->convoys++;
		k->convoy_handoffs += s->in_turn;
	}
	s->in_turn = 0;
}

static void end_wait(struct making *m, struct lock_state *s, const struct happening *h)
{
	bool many = s->waiting >= HT_CONVOY_WAITERS;
	s->waiting -= s->waiting > 0;
	for (unsigned i = 0; i < s->owner_count && !s->waiting; i++)
		s->owners[i].watched = false;
	if (!h->got)
		return;
	if (many)
		s->in_turn++;
	else
		end_convoy(&m->u->items[h->lock], s);
	/* Whoever else had it has let go, unnoticed. */
	if (!h->shared)
		s->owner_count = 0;
	if (s->owner_count < OWNERS)
		s->owners[s->owner_count++] = (struct owner){h->thread, s->waiting > 0, h->ns};
}

static void follow_lock(struct making *m, const struct happening *h, size_t n)
{
	struct lock_state s = {.owner_count = 0};
	for (size_t i = 0; i < n; i++) {
		if (h[i].what == LET_GO)
			end_hold(m, &s, &h[i]);
		else if (h[i].what == WAIT_ENDS)
			end_wait(m, &s, &h[i]);
		else
			s.waiting++;
	}
	if (n)
		end_convoy(&m->u->items[h[0].lock], &s);
}

static struct happening *list_happenings(const struct making *m, size_t *count)
{
	const struct ht_latency *l = m->l;
	struct happening *all = ht_xmalloc((2 * l->wait_count + l->wake_count + 1) * sizeof(*all));
	size_t n = 0;
	for (size_t i = 0; i < l->wake_count; i++) {
		uint32_t lock = l->wake_objects[i] ? m->lock_of[l->wake_objects[i]] : 0;
		if (lock && l->wakes[i].time_ns >= l->from_ns && l->wakes[i].time_ns <= l->to_ns)
			all[n++] =
			    (struct happening){l->wakes[i].time_ns, lock - 1, l->wakes[i].thread, LET_GO, false, false};
	}
	for (size_t i = 0; i < l->wait_count; i++) {
		const struct ht_waited *w = &l->waits[i];
		uint32_t lock = w->object ? m->lock_of[w->object] : 0;
		bool got = w->w.outcome == HT_OUTCOME_OK || w->w.outcome == HT_OUTCOME_OWNER_DEAD;
		if (!lock)
			continue;
		bool shared = w->w.flags & HT_WAITED_SHARED;
		all[n++] = (struct happening){w->w.begin_ns, lock - 1, w->w.thread, WAIT_BEGINS, shared, got};
		all[n++] = (struct happening){w->w.end_ns, lock - 1, w->w.thread, WAIT_ENDS, shared, got};
	}
	*count = n;
	return all;
}

static void follow_locks(struct making *m)
{
	size_t n, *first = ht_xcalloc(m->u->count + 1, sizeof(*first));
	struct happening *all = list_happenings(m, &n);
	ht_order(all, n, sizeof(*all), offsetof(struct happening, ns));
	all = ht_group(all, n, sizeof(*all), offsetof(struct happening, lock), first, m->u->count);
	for (size_t i = 0; i < m->u->count; i++)
		follow_lock(m, all + first[i], first[i + 1] - first[i]);
	free(all);
	free(first);
}

/* --- rows --------------------------------------------------------------------------------- */

static const struct ht_lock *ordered; /* qsort has no context */

static int by_time(const void *pa, const void *pb)
{
	const struct ht_lock *a = &ordered[*(const uint32_t *)pa], *b = &ordered[*(const uint32_t *)pb];
	if (a->wait_ns != b->wait_ns)
		return a->wait_ns > b->wait_ns ? -1 : 1;
	if (a->waits != b->waits)
		return a->waits > b->waits ? -1 : 1;
	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return (a->object > b->object) - (a->object < b->object);
}

static void renumber(struct ht_shares *s, const uint32_t *place_of)
{
	for (size_t i = 0; i < s->count; i++)
		s->items[i].row = place_of[s->items[i].row];
	ht_shares_sort(s);
}

static void order_locks(struct ht_lock_use *u)
{
	uint32_t *order = ht_xcalloc(u->count + 1, sizeof(*order)),
		 *place_of = ht_xcalloc(u->count + 1, sizeof(*place_of));
	struct ht_lock *sorted = ht_xcalloc(u->count + 1, sizeof(*sorted));
	for (size_t i = 0; i < u->count; i++)
		order[i] = (uint32_t)i;
	ordered = u->items;
	if (u->count)
		qsort(order, u->count, sizeof(*order), by_time);
	for (size_t i = 0; i < u->count; i++) {
		sorted[i] = u->items[order[i]];
		place_of[order[i]] = (uint32_t)i;
	}
	for (size_t i = 0; i < u->hold_count; i++)
		u->holds[i].lock = place_of[u->holds[i].lock];
	renumber(&u->waiters, place_of);
	renumber(&u->holders, place_of);
	free(u->items);
	free(order);
	free(place_of);
	u->items = sorted;
}

static void order_holds(struct ht_lock_use *u, uint32_t threads)
{
	size_t *first = ht_xcalloc(threads + 1ull, sizeof(*first));
	ht_order(u->holds, u->hold_count, sizeof(*u->holds), offsetof(struct ht_hold, begin_ns));
	u->holds =
	    ht_group(u->holds, u->hold_count, sizeof(*u->holds), offsetof(struct ht_hold, thread), first, threads);
	free(first);
}

void ht_lock_use_make(struct ht_lock_use *u, const struct ht_latency *l)
{
	struct making m = {.l = l, .u = u};
	*u = (struct ht_lock_use){0};
	m.lock_of = ht_xcalloc(l->object_count + 1ull, sizeof(*m.lock_of));
	for (size_t i = 0; i < l->wait_count; i++)
		if (is_lock(l->waits[i].w.kind) && l->waits[i].object)
			add_wait(&m, &l->waits[i]);
	count_futile(&m);
	follow_locks(&m);
	ht_shares_sort(&m.wait_stacks);
	ht_shares_sort(&m.hold_stacks);
	ht_shares_sort(&m.wakers);
	for (size_t i = 0; i < u->count; i++) {
		u->items[i].wait_stack = ht_shares_most(&m.wait_stacks, (uint32_t)i, 0);
		u->items[i].hold_stack = ht_shares_most(&m.hold_stacks, (uint32_t)i, 0);
		u->items[i].holder = ht_shares_most(&m.wakers, (uint32_t)i, NOBODY);
	}
	order_locks(u);
	order_holds(u, ht_trace_thread_count(l->trace));
	ht_shares_release(&m.wait_stacks);
	ht_shares_release(&m.hold_stacks);
	ht_shares_release(&m.wakers);
	free(m.lock_of);
}

void ht_lock_use_release(struct ht_lock_use *u)
{
	free(u->items);
	free(u->holds);
	ht_shares_release(&u->waiters);
	ht_shares_release(&u->holders);
	*u = (struct ht_lock_use){0};
}
