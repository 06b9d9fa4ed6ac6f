/* stall_causes: see stall_causes.h. */
#include "stall_causes.h"

#include <stdlib.h>

#include "site_groups.h"

const char *const ht_stall_cause_names[HT_STALL_CAUSES] = {
	[HT_STALL_LOCK] = "lock",	[HT_STALL_FAULT] = "fault",	[HT_STALL_PREEMPTED] = "preempted",
	[HT_STALL_SYSCALL] = "syscall", [HT_STALL_UNKNOWN] = "unknown",
};

/* --- one stall ----------------------------------------------------------------------------- */

/* Where a bound can have begun: behind the last wait of its thread. */
static uint64_t earliest_begin(const struct ht_latency_thread *t, const struct ht_stall *s)
{
	uint64_t begin = s->begin_ns;
	const struct ht_span *p = t->spans + ht_latency_span_at(t, begin), *end = t->spans + t->span_count;
	for (; p < end && p->begin_ns < s->end_ns; p++)
		if (p->wait && p->end_ns > begin)
			begin = p->end_ns < s->end_ns ? p->end_ns : s->end_ns;
	return begin;
}

/* How much of [from, to) lies behind faults of the thread that came in it. */
static uint64_t fault_time(const struct ht_latency *l, const struct ht_latency_thread *t, uint64_t from, uint64_t to,
			   uint64_t *faults)
{
	size_t end = t->first_fault + t->fault_count;
	uint64_t sum = 0;
	for (size_t i = ht_latency_fault_at(l, t, from); i < end && l->faults[i].time_ns < to; i++) {
		uint64_t next = i + 1 < end && l->faults[i + 1].time_ns < to ? l->faults[i + 1].time_ns : to;
		uint64_t ns = next - l->faults[i].time_ns;
		sum += ns < HT_FAULT_AT_MOST ? ns : HT_FAULT_AT_MOST;
		++*faults;
	}
	return sum;
}

static bool own_mapping(const struct ht_stall *s)
{
	bool death = ht_op_is_death(s->op) || s->op == HT_OP_FREE_UNKNOWN || s->op == HT_OP_REALLOC_FREE_UNKNOWN;
	return s->address % 4096 == 16 && (s->size >= HT_MAPPED_SIZE || (death && !s->size));
}

void ht_stall_parts(const struct ht_latency *l, const struct ht_stall *s, struct ht_stall_parts *out)
{
	const struct ht_latency_thread *t = ht_latency_thread(l, s->thread);
	uint64_t begin = s->begin_ns, known = 0, on_processor = 0;
	*out = (struct ht_stall_parts){.ns = s->end_ns - begin};
	if (!t) {
		out->cause_ns[HT_STALL_UNKNOWN] = out->ns;
		return;
	}
	if (s->bound)
		begin = earliest_begin(t, s);
	out->ns = s->end_ns - begin;
	out->explained = begin > s->begin_ns && out->ns < HT_BOUND_LEAST;
	const struct ht_span *p = t->spans + ht_latency_span_at(t, begin), *end = t->spans + t->span_count;
	for (; p < end && p->begin_ns < s->end_ns; p++) {
		uint64_t from = p->begin_ns > begin ? p->begin_ns : begin;
		uint64_t to = p->end_ns < s->end_ns ? p->end_ns : s->end_ns;
		if (p->state == HT_STATE_RUNNABLE)
			out->cause_ns[HT_STALL_PREEMPTED] += to - from;
		else if (t->switched && (p->state == HT_STATE_ALLOCATOR || p->state == HT_STATE_BLOCKED))
			out->cause_ns[HT_STALL_LOCK] += to - from;
		else if (p->state == HT_STATE_RUNNING && !s->bound) {
			uint64_t ns = fault_time(l, t, from, to, &out->faults);
			out->cause_ns[HT_STALL_FAULT] += ns;
			on_processor += to - from - ns;
		}
	}
	if (own_mapping(s))
		out->cause_ns[HT_STALL_SYSCALL] = on_processor;
	for (unsigned k = 0; k < HT_STALL_UNKNOWN; k++)
		known += out->cause_ns[k];
	out->cause_ns[HT_STALL_UNKNOWN] = out->ns - known;
}

/* --- rows ---------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const struct ht_stall_row *x = a, *y = b;
	if (x->stall_ns != y->stall_ns)
		return x->stall_ns > y->stall_ns ? -1 : 1;
	return ht_frame_order(x->frame, y->frame);
}

static void add(struct ht_stall_rows *r, struct ht_stall_row *row, const struct ht_stall *s,
		const struct ht_stall_parts *p)
{
	row->count++;
	row->bounds += s->bound;
	row->stall_ns += p->ns;
	row->faults += p->faults;
	row->ops |= s->op < 32 ? UINT32_C(1) << s->op : 0;
	if (p->ns >= row->max_ns) {
		row->max_ns = p->ns;
		row->node = s->stack;
	}
	r->stalls++;
	r->bounds += s->bound;
	r->stall_ns += p->ns;
	for (unsigned k = 0; k < HT_STALL_CAUSES; k++) {
		row->cause_ns[k] += p->cause_ns[k];
		r->cause_ns[k] += p->cause_ns[k];
	}
}

void ht_stall_rows_make(struct ht_stall_rows *r, const struct ht_latency *l, const struct ht_stacks *stacks)
{
	struct ht_site_groups sites;
	size_t cap = 0;
	*r = (struct ht_stall_rows){0};
	ht_site_groups_init(&sites, stacks);
	for (size_t i = 0; i < l->stall_count; i++) {
		const struct ht_stall *s = &l->stalls[i];
		struct ht_stall_parts parts;
		if (!ht_stacks_shown(stacks, s->stack)) {
			r->hidden++;
			continue;
		}
		ht_stall_parts(l, s, &parts);
		if (parts.explained) {
			r->explained++;
			continue;
		}
		uint32_t group = ht_site_group(&sites, s->stack);
		if (group == r->count) {
			if (r->count == cap) {
				cap = cap ? 2 * cap : 64;
				r->items = ht_xrealloc(r->items, cap, sizeof(*r->items));
			}
			r->items[r->count++] = (struct ht_stall_row){.frame = ht_stacks_callsite(stacks, s->stack)};
		}
		add(r, &r->items[group], s, &parts);
	}
	ht_site_groups_release(&sites);
	if (r->count)
		qsort(r->items, r->count, sizeof(*r->items), by_time);
}

void ht_stall_rows_release(struct ht_stall_rows *r)
{
	free(r->items);
	*r = (struct ht_stall_rows){0};
}
