/*
 * perfetto_wakes: who woke whom. An arrow's stamp is user space's: the waker takes it before its call, and the wakee
 * may still be on its way to sleep then. Perfetto believes a waking only when the wakee has left its processor and the
 * waker is on one; else it is a spurious one without a waker. So an arrow waits until both hold, and is given up when
 * its wait is over.
 *
 *	waker   ──running───x───────────────────      x: the stamp
 *	wakee   ──running──────┐ off ┌──running       w: told here, behind the switch and its reason
 *	                        w
 */
#include "perfetto_sched.h"

/* Does x, a switch at or before ns that is still to come, end what the waking needs? */
static bool too_late(const struct ht_pf_sched *s, const struct ht_timeline_arrow *a, uint64_t ns)
{
	const struct ht_timeline *t = s->o->t;
	for (size_t i = s->next; i < t->switch_count && t->switches[i].time_ns <= ns; i++)
		if (t->switches[i].next == a->to + 1 || t->switches[i].prev == a->from + 1)
			return true;
	return false;
}

static bool told(struct ht_pf_sched *s, const struct ht_timeline_arrow *a, uint64_t ns)
{
	struct ht_pf_runner *wakee = &s->threads[a->to];
	const struct ht_pf_runner *waker = &s->threads[a->from];
	struct ht_pf_marks m;
	if (!wakee->blocked || wakee->woken || waker->cpu == HT_PF_OFF)
		return false;
	if (ns < wakee->since_ns + 2)
		ns = wakee->since_ns + 2;
	if (ns < waker->since_ns)
		ns = waker->since_ns;
	if (too_late(s, a, ns))
		return false;
	struct ht_buf *b = ht_pf_ftrace(s, waker->cpu, ns, s->o->t->threads[a->from].tid, &m);
	m.inner = ht_pb_begin(b, FTRACE_WAKING);
	/* Its name the switches say: it would double the event. */
	ht_pb_always(b, WAKING_PID, s->o->t->threads[a->to].tid);
	ht_pf_ftrace_end(s, waker->cpu, &m);
	wakee->woken = true;
	return true;
}

void ht_pf_offer_wake(struct ht_pf_sched *s, size_t arrow)
{
	const struct ht_timeline_arrow *a = &s->o->t->arrows[arrow];
	if (a->from == a->to || told(s, a, a->from_ns))
		return;
	/* Many that wait at once are wakes of threads that did not sleep: the oldest is the least likely. */
	if (s->pending_count == HT_PF_PENDING)
		memmove(s->pending, s->pending + 1, --s->pending_count * sizeof(*s->pending));
	s->pending[s->pending_count++] = arrow;
}

void ht_pf_retry_wakes(struct ht_pf_sched *s, uint64_t now_ns)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->pending_count; i++) {
		const struct ht_timeline_arrow *a = &s->o->t->arrows[s->pending[i]];
		if (ht_timeline_arrival(a) > now_ns && !told(s, a, now_ns))
			s->pending[kept++] = s->pending[i];
	}
	s->pending_count = kept;
}
