/*
 * perfetto_sched: what processors did, as ftrace would have told it: switches, who woke whom, what a thread blocked
 * on. From this Perfetto makes its rows of processors, of thread states, and its critical paths.
 *
 * One pass over switches and arrows in order of time. Each processor collects a bundle: switches in the compact form
 * (arrays of deltas, 9 bytes a switch), the rest as events beside them. A processor's first switch is a full event,
 * since a compact one says who comes and leaves it to the one before it to say who leaves.
 *
 * A waking (perfetto_wakes.c) is told behind its wakee's switch-out and while its waker runs, or not at all.
 */
#include "perfetto_sched.h"

#include <stdlib.h>

enum { BUNDLE_EVENTS = 4096, PRIORITY = 120, COMM_BYTES = 15 };

static const char *comm(const struct ht_pf_sched *s, uint32_t thread)
{
	return thread ? s->o->t->threads[thread - 1].name : "swapper";
}
static uint32_t tid(const struct ht_pf_sched *s, uint32_t thread)
{
	return thread ? s->o->t->threads[thread - 1].tid : 0;
}

void ht_pf_comm(struct ht_buf *b, unsigned field, const char *name)
{
	size_t n = strnlen(name, COMM_BYTES + 1);
	for (n = n > COMM_BYTES ? COMM_BYTES : n; n && ((unsigned char)name[n] & 0xc0) == 0x80;)
		n--;
	ht_pb_bytes(b, field, name, n);
}

/* --- bundles -------------------------------------------------------------------------------- */

static void append(struct ht_pf *o, unsigned field, struct ht_buf *b)
{
	ht_pb_bytes(&o->packet, field, b->data, b->len);
	b->len = 0;
}

static void send_bundle(struct ht_pf_sched *s, uint16_t number)
{
	struct ht_pf_cpu *c = &s->cpus[number];
	struct ht_pf *o = s->o;
	if (!c->count)
		return;
	struct ht_buf *b = ht_pf_packet_plain(o, false, 0);
	size_t mark = ht_pb_begin(b, PACKET_FTRACE_EVENTS);
	ht_pb_always(b, BUNDLE_CPU, number);
	ht_buf_append(b, c->events.data, c->events.len);
	c->events.len = 0;
	if (c->times.len) {
		size_t inner = ht_pb_begin(b, BUNDLE_COMPACT);
		append(o, COMPACT_TIME, &c->times);
		append(o, COMPACT_PREV_STATE, &c->states);
		append(o, COMPACT_NEXT_PID, &c->pids);
		append(o, COMPACT_NEXT_PRIO, &c->priorities);
		for (size_t i = 0; i < c->name_count; i++)
			ht_pf_comm(b, COMPACT_NAME, comm(s, c->names[i]));
		append(o, COMPACT_NEXT_NAME, &c->name_indices);
		ht_pb_end(b, inner);
	}
	ht_pb_end(b, mark);
	c->count = c->name_count = 0;
	c->now_ns = 0;
	ht_pf_send(o);
}

static void send_all(struct ht_pf_sched *s)
{
	for (size_t i = 0; i < s->cpu_count; i++)
		send_bundle(s, (uint16_t)i);
}

static void count_event(struct ht_pf_sched *s, uint16_t cpu)
{
	if (++s->cpus[cpu].count >= BUNDLE_EVENTS)
		send_bundle(s, cpu);
	/* Bundles that wait may hold interned numbers. */
	if (ht_pf_is_long(s->o)) {
		send_all(s);
		ht_pf_restart(s->o);
	}
}

struct ht_buf *ht_pf_ftrace(struct ht_pf_sched *s, uint16_t cpu, uint64_t ns, uint32_t current, struct ht_pf_marks *m)
{
	struct ht_buf *b = &s->cpus[cpu].events;
	m->outer = ht_pb_begin(b, BUNDLE_EVENT);
	ht_pb_always(b, FTRACE_TIME, ht_pf_boot(s->o, ns));
	ht_pb_always(b, FTRACE_PID, current);
	return b;
}

void ht_pf_ftrace_end(struct ht_pf_sched *s, uint16_t cpu, const struct ht_pf_marks *m)
{
	struct ht_buf *b = &s->cpus[cpu].events;
	ht_pb_end(b, m->inner);
	ht_pb_end(b, m->outer);
	count_event(s, cpu);
}

/* --- switches ------------------------------------------------------------------------------- */

static void full_switch(struct ht_pf_sched *s, uint16_t cpu, uint64_t ns, uint32_t next)
{
	struct ht_pf_marks m;
	struct ht_buf *b = ht_pf_ftrace(s, cpu, ns, 0, &m);
	m.inner = ht_pb_begin(b, FTRACE_SWITCH);
	ht_pb_text(b, SWITCH_PREV_NAME, "swapper");
	ht_pb_always(b, SWITCH_PREV_PID, 0);
	ht_pb_always(b, SWITCH_PREV_PRIO, PRIORITY);
	ht_pb_always(b, SWITCH_PREV_STATE, STATE_R);
	ht_pf_comm(b, SWITCH_NEXT_NAME, comm(s, next));
	ht_pb_always(b, SWITCH_NEXT_PID, tid(s, next));
	ht_pb_always(b, SWITCH_NEXT_PRIO, PRIORITY);
	ht_pf_ftrace_end(s, cpu, &m);
}

static void compact_switch(struct ht_pf_sched *s, uint16_t cpu, uint64_t ns, uint64_t state, uint32_t next)
{
	struct ht_pf_cpu *c = &s->cpus[cpu];
	size_t name = 0;
	while (name < c->name_count && c->names[name] != next)
		name++;
	if (name == HT_PF_BUNDLE_NAMES) {
		send_bundle(s, cpu);
		name = 0;
	}
	if (name == c->name_count)
		c->names[c->name_count++] = next;
	uint64_t now = ht_pf_boot(s->o, ns);
	c->switched_ns = ns;
	c->current = next;
	ht_buf_varint(&c->times, now - c->now_ns);
	c->now_ns = now;
	ht_buf_varint(&c->states, state);
	ht_buf_varint(&c->pids, tid(s, next));
	ht_buf_varint(&c->priorities, PRIORITY);
	ht_buf_varint(&c->name_indices, name);
	count_event(s, cpu);
}

/* The span that thread is in just behind ns. NULL: none is known. */
static const struct ht_timeline_span *span_at(struct ht_pf_sched *s, uint32_t thread, uint64_t ns)
{
	const struct ht_timeline *t = s->o->t;
	size_t *at = &s->threads[thread].span;
	while (*at < t->span_count && t->spans[*at].thread == thread && t->spans[*at].end_ns <= ns)
		++*at;
	return *at < t->span_count && t->spans[*at].thread == thread ? &t->spans[*at] : NULL;
}

static uint64_t state_of(struct ht_pf_sched *s, const struct ht_timeline_switch *x, const struct ht_timeline_span *span)
{
	const struct ht_timeline *t = s->o->t;
	if (!x->prev)
		return STATE_R;
	if (s->threads[x->prev - 1].last_ns == x->time_ns && t->threads[x->prev - 1].end_ns < t->to_ns)
		return STATE_X;
	if (x->preempted)
		return STATE_PREEMPTED;
	return span && span->state == HT_TIMELINE_IO ? STATE_D : STATE_S;
}

/* The one string that a state's details show: what it waited for. A nanosecond behind the switch, so not for those who are awake
 * again by then. */
static void blocked_reason(struct ht_pf_sched *s, const struct ht_timeline_switch *x,
			   const struct ht_timeline_span *span)
{
	struct ht_pf_marks m;
	bool io = span->state == HT_TIMELINE_IO, allocator = span->state == HT_TIMELINE_ALLOCATOR;
	if ((!*span->what && !io && !allocator) || span->end_ns <= x->time_ns + 1)
		return;
	const char *what = *span->what ? span->what : io ? "disk" : "allocator";
	uint64_t symbol = ht_pf_name(s->o, INTERN_KERNEL_SYMBOL, what);
	struct ht_buf *b = ht_pf_ftrace(s, x->cpu, x->time_ns + 1, tid(s, x->next), &m);
	m.inner = ht_pb_begin(b, FTRACE_BLOCKED_REASON);
	ht_pb_always(b, REASON_PID, tid(s, x->prev));
	ht_pb_always(b, REASON_CALLER, symbol);
	ht_pb_always(b, REASON_IO, io);
	ht_pf_ftrace_end(s, x->cpu, &m);
}

/* Who ran on the processor when its first switch came, ran since its span began. */
static void first_switch(struct ht_pf_sched *s, const struct ht_timeline_switch *x)
{
	if (!x->prev) {
		full_switch(s, x->cpu, x->time_ns, x->next);
		return;
	}
	full_switch(s, x->cpu, s->threads[x->prev - 1].since_ns, x->prev);
}

/* A program that became another without a switch: what leaves now is another thread of the same number. The old one
 * ended there. */
static void exec_switch(struct ht_pf_sched *s, const struct ht_timeline_switch *x)
{
	const struct ht_pf_cpu *c = &s->cpus[x->cpu];
	uint64_t ns = s->threads[x->prev - 1].since_ns;
	if (c->current != x->prev && tid(s, c->current) == tid(s, x->prev) && ns > c->switched_ns && ns < x->time_ns)
		compact_switch(s, x->cpu, ns, STATE_X, x->prev);
}

static void write_switch(struct ht_pf_sched *s, const struct ht_timeline_switch *x)
{
	struct ht_pf_cpu *c = &s->cpus[x->cpu];
	const struct ht_timeline_span *span = x->prev ? span_at(s, x->prev - 1, x->time_ns) : NULL;
	uint64_t state = state_of(s, x, span);
	if (x->prev == x->next)
		return;
	if (!c->begun)
		first_switch(s, x);
	else if (x->prev)
		exec_switch(s, x);
	if (c->begun || x->prev)
		compact_switch(s, x->cpu, x->time_ns, state, x->next);
	c->begun = true;
	if (span && (state == STATE_S || state == STATE_D))
		blocked_reason(s, x, span);
	if (x->prev) {
		struct ht_pf_runner *p = &s->threads[x->prev - 1];
		p->since_ns = x->time_ns;
		p->cpu = HT_PF_OFF;
		p->blocked = state == STATE_S || state == STATE_D;
		p->woken = false;
	}
	if (x->next) {
		struct ht_pf_runner *n = &s->threads[x->next - 1];
		n->since_ns = x->time_ns;
		n->cpu = x->cpu;
		n->blocked = n->woken = false;
	}
}

/* --- the pass ------------------------------------------------------------------------------- */

/* Of a thread that leaves in its first switch: since when it ran, as far as its spans say; before it left, in any
 * case. */
static uint64_t running_since(struct ht_pf_sched *s, const struct ht_timeline_switch *x)
{
	uint64_t before = x->time_ns ? x->time_ns - 1 : 0, start = s->o->t->threads[x->prev - 1].start_ns;
	const struct ht_timeline_span *span = span_at(s, x->prev - 1, before);
	if (span && span->state == HT_TIMELINE_RUNNING)
		start = span->begin_ns;
	return start < before ? start : before;
}

/* Who runs at the beginning: the threads whose first switch is a departure. When each is first and last heard of. */
static void look_ahead(struct ht_pf_sched *s)
{
	const struct ht_timeline *t = s->o->t;
	for (size_t i = 0; i < t->thread_count; i++)
		s->threads[i] = (struct ht_pf_runner){.first_ns = UINT64_MAX, .last_ns = UINT64_MAX, .cpu = HT_PF_OFF};
	for (size_t i = t->span_count; i-- > 0;)
		s->threads[t->spans[i].thread].span = i;
	for (size_t i = 0; i < t->switch_count; i++) {
		const struct ht_timeline_switch *x = &t->switches[i];
		if (x->cpu >= HT_PF_CPUS)
			continue;
		if (x->cpu >= s->cpu_count)
			s->cpu_count = (size_t)x->cpu + 1;
		if (x->prev) {
			struct ht_pf_runner *r = &s->threads[x->prev - 1];
			if (r->first_ns == UINT64_MAX) {
				r->first_ns = r->since_ns = running_since(s, x);
				r->cpu = x->cpu;
			}
			r->last_ns = r->heard_ns = x->time_ns;
		}
		if (x->next) {
			struct ht_pf_runner *r = &s->threads[x->next - 1];
			if (r->first_ns == UINT64_MAX)
				r->first_ns = x->time_ns;
			r->last_ns = UINT64_MAX;
			r->heard_ns = x->time_ns;
		}
	}
}

void ht_pf_write_sched(struct ht_pf *o)
{
	const struct ht_timeline *t = o->t;
	struct ht_pf_sched s = {.o = o, .cpu_count = 1};
	s.threads = ht_xcalloc(t->thread_count + 1, sizeof(*s.threads));
	look_ahead(&s);
	s.cpus = ht_xcalloc(s.cpu_count, sizeof(*s.cpus));
	ht_pf_sequence(o, 0, t->from_ns);
	ht_pf_write_births(&s);
	size_t arrow = 0;
	while (s.next < t->switch_count) {
		const struct ht_timeline_switch *x = &t->switches[s.next];
		for (; arrow < t->arrow_count && t->arrows[arrow].from_ns < x->time_ns; arrow++)
			ht_pf_offer_wake(&s, arrow);
		s.next++;
		if (x->cpu >= HT_PF_CPUS) {
			o->far_switches++;
			continue;
		}
		write_switch(&s, x);
		ht_pf_retry_wakes(&s, x->time_ns);
	}
	for (; arrow < t->arrow_count; arrow++)
		ht_pf_offer_wake(&s, arrow);
	send_all(&s);
	for (size_t i = 0; i < s.cpu_count; i++) {
		struct ht_buf *b[] = {&s.cpus[i].times, &s.cpus[i].states, &s.cpus[i].pids,
			&s.cpus[i].priorities, &s.cpus[i].name_indices, &s.cpus[i].events};
		for (size_t k = 0; k < HT_ARRAY_SIZE(b); k++)
			ht_buf_release(b[k]);
	}
	free(s.cpus);
	free(s.threads);
}
