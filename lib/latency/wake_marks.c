/*
 * wake_marks: walks an object's begins, wakes and ends in time.
 *
 *   begin  the waiter joins the end of the queue of those without a mark
 *   wake   marks the head of that queue; ALL: everybody in it. With nobody in it, it is kept for one who says that it
 *          began just after
 *   end    its own mark is its wake; without one it takes the oldest of another's, who waits for a mark again; then a
 *          broadcast that it was there for, then the wake kept, then one that is stamped just after; else nobody's
 *
 * Whom a futex wakes is the one who sleeps longest, but who is awake anyhow may come first: hence the taking.
 */
#include "wake_marks.h"

#include <stdlib.h>

#include "latency_order.h"
#include "latency_wakers.h"

#define NOBODY UINT32_MAX
/* More threads than this do not wait for one thing; a forged trace may say so, and shall not cost the square of it. */
enum { FARTHEST = 1024 };

/* A waiter; all of them stand in order of begin. */
struct waiter {
	uint32_t next, previous; /* in whichever queue it is */
	uint32_t mark;		 /* wake + 1 */
	uint32_t broadcast;	 /* wake + 1: what took it out of the queue of those without a mark */
	bool queued;		 /* one of the two has it */
};

struct queue {
	uint32_t head, tail;
};

struct end {
	uint64_t time_ns;
	uint32_t waiter;
};

struct marks {
	struct ht_latency *l;
	const uint32_t *waits, *wakes;
	size_t wake_count, next_wake; /* that has not been looked at */
	struct waiter *waiters;
	struct queue unmarked; /* by begin */
	struct queue marked;   /* by mark */
	uint32_t kept;	       /* wake + 1 */
	uint32_t broadcast;    /* the last one; wake + 1 */
};

/* Behind `after`; NOBODY: at the head. */
static void insert(struct marks *m, struct queue *q, uint32_t i, uint32_t after)
{
	struct waiter *w = &m->waiters[i];
	w->previous = after;
	w->next = after == NOBODY ? q->head : m->waiters[after].next;
	if (w->next == NOBODY)
		q->tail = i;
	else
		m->waiters[w->next].previous = i;
	if (after == NOBODY)
		q->head = i;
	else
		m->waiters[after].next = i;
	w->queued = true;
}

static void take_out(struct marks *m, struct queue *q, uint32_t i)
{
	struct waiter *w = &m->waiters[i];
	if (w->previous == NOBODY)
		q->head = w->next;
	else
		m->waiters[w->previous].next = w->next;
	if (w->next == NOBODY)
		q->tail = w->previous;
	else
		m->waiters[w->next].previous = w->previous;
	w->queued = false;
}

static const struct ht_wait *wait_of(const struct marks *m, uint32_t i)
{
	return &m->l->waits[m->waits[i]].w;
}

/* Who gave up took nothing of what was sent. */
static bool gave_up(const struct ht_wait *w)
{
	return w->outcome == HT_OUTCOME_TIMEOUT || w->outcome == HT_OUTCOME_INTERRUPTED ||
	       w->outcome == HT_OUTCOME_FAILED;
}

/* The longest waiting one that this wake can be for. */
static uint32_t addressee(const struct marks *m, const struct ht_wake *wake)
{
	uint32_t i = m->unmarked.head;
	for (unsigned n = 0; i != NOBODY && n < FARTHEST; n++, i = m->waiters[i].next)
		if (wait_of(m, i)->thread != wake->thread && ht_wake_fits(wake, wait_of(m, i)))
			return i;
	return NOBODY;
}

static void on_broadcast(struct marks *m, uint32_t position)
{
	m->broadcast = position + 1;
	while (m->unmarked.head != NOBODY) {
		m->waiters[m->unmarked.head].broadcast = position + 1;
		take_out(m, &m->unmarked, m->unmarked.head);
	}
}

static void on_wake(struct marks *m, uint32_t position)
{
	const struct ht_wake *wake = &m->l->wakes[position];
	if (wake->flags & HT_WAITED_ALL) {
		on_broadcast(m, position);
		return;
	}
	uint32_t i = addressee(m, wake);
	if (i == NOBODY) {
		m->kept = position + 1;
		return;
	}
	take_out(m, &m->unmarked, i);
	m->waiters[i].mark = position + 1;
	insert(m, &m->marked, i, m->marked.tail);
}

/* Could this wake have ended that wait? */
static bool plausible(const struct marks *m, uint32_t mark, uint32_t i)
{
	const struct ht_wake *wake = &m->l->wakes[mark - 1];
	const struct ht_wait *w = wait_of(m, i);
	return wake->thread != w->thread && ht_wake_fits(wake, w) &&
	       wake->time_ns + HT_CLOCK_TOLERANCE_NS >= w->begin_ns;
}

/* It goes on waiting for a mark, in front of those who began later. */
static void back_to_queue(struct marks *m, uint32_t i)
{
	uint32_t after = m->unmarked.tail;
	for (unsigned n = 0; after != NOBODY && after > i && n < FARTHEST; n++)
		after = m->waiters[after].previous;
	insert(m, &m->unmarked, i, after);
}

/* The oldest mark of somebody else that could have been for this one. */
static uint32_t take_mark(struct marks *m, uint32_t i)
{
	uint32_t from = m->marked.head;
	for (unsigned n = 0; from != NOBODY && n < FARTHEST; n++, from = m->waiters[from].next) {
		struct waiter *w = &m->waiters[from];
		uint32_t mark = w->mark;
		if (!plausible(m, mark, i))
			continue;
		take_out(m, &m->marked, from);
		w->mark = 0;
		if (m->broadcast && plausible(m, m->broadcast, from))
			w->broadcast = m->broadcast;
		else
			back_to_queue(m, from);
		return mark;
	}
	return 0;
}

/* A pipe has as many ends as processes inherited it: the end of all comes with the last close. */
static uint32_t last_close(const struct marks *m, uint32_t mark, uint32_t i)
{
	const struct ht_wake *wakes = m->l->wakes;
	bool closed = mark && m->kept > mark && wakes[mark - 1].call == HT_CALL_CLOSE;
	return closed && wakes[m->kept - 1].call == HT_CALL_CLOSE && plausible(m, m->kept, i) ? m->kept : mark;
}

static uint32_t take_kept(struct marks *m, uint32_t i)
{
	uint32_t mark = m->kept;
	if (!mark || !plausible(m, mark, i))
		return 0;
	m->kept = 0;
	return mark;
}

/* Who posts just as a waiter comes sees that afterwards. */
static uint32_t take_late(struct marks *m, uint32_t i)
{
	if (m->next_wake == m->wake_count)
		return 0;
	uint32_t mark = m->wakes[m->next_wake] + 1;
	const struct ht_wake *wake = &m->l->wakes[mark - 1];
	if (wake->time_ns > wait_of(m, i)->end_ns + HT_CLOCK_TOLERANCE_NS || (wake->flags & HT_WAITED_ALL) ||
	    !plausible(m, mark, i))
		return 0;
	m->next_wake++;
	return mark;
}

static void on_end(struct marks *m, uint32_t i)
{
	struct waiter *w = &m->waiters[i];
	if (gave_up(wait_of(m, i)))
		return;
	if (w->queued)
		take_out(m, w->mark ? &m->marked : &m->unmarked, i);
	uint32_t wake = w->mark;
	if (!wake && !w->broadcast)
		wake = take_mark(m, i);
	if (!wake)
		wake = w->broadcast ? w->broadcast : take_kept(m, i);
	if (!wake)
		wake = take_late(m, i);
	wake = last_close(m, wake, i);
	m->l->waits[m->waits[i]].wake = wake;
}

static struct end *order_of_ends(const struct marks *m, size_t n)
{
	struct end *ends = ht_xmalloc((n + 1) * sizeof(*ends));
	for (size_t i = 0; i < n; i++)
		ends[i] = (struct end){wait_of(m, (uint32_t)i)->end_ns, (uint32_t)i};
	ht_order(ends, n, sizeof(*ends), offsetof(struct end, time_ns));
	return ends;
}

void ht_mark_wakes(struct ht_latency *l, const uint32_t *waits, size_t wait_count, const uint32_t *wakes,
		   size_t wake_count)
{
	struct marks m = {.l = l, .waits = waits, .wakes = wakes, .wake_count = wake_count,
			  .unmarked = {NOBODY, NOBODY}, .marked = {NOBODY, NOBODY}};
	m.waiters = ht_xcalloc(wait_count + 1, sizeof(*m.waiters));
	struct end *ends = order_of_ends(&m, wait_count);
	size_t b = 0;
	for (size_t e = 0; e < wait_count; e++) {
		for (;;) {
			uint64_t begin = b < wait_count ? wait_of(&m, (uint32_t)b)->begin_ns : UINT64_MAX;
			uint64_t wake = m.next_wake < wake_count ? l->wakes[wakes[m.next_wake]].time_ns : UINT64_MAX;
			if (b < wait_count && begin <= wake && begin <= ends[e].time_ns) {
				if (!gave_up(wait_of(&m, (uint32_t)b)))
					insert(&m, &m.unmarked, (uint32_t)b, m.unmarked.tail);
				b++;
			} else if (m.next_wake < wake_count && wake <= ends[e].time_ns) {
				on_wake(&m, wakes[m.next_wake++]);
			} else {
				break;
			}
		}
		on_end(&m, ends[e].waiter);
	}
	free(ends);
	free(m.waiters);
}
