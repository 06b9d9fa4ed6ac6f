/* wake_ups: see wake_ups.h. */
#include "wake_ups.h"

#include <stdlib.h>

struct lists {
	uint64_t *latencies, *preemptions;
	size_t latency_count, preemption_count;
};

static bool off(const struct ht_span *s)
{
	return s->state == HT_STATE_BLOCKED || s->state == HT_STATE_ALLOCATOR;
}

/* Its first span is what it waited for its first processor: its creator waked it, so to speak. */
static bool begins(const struct ht_latency *l, const struct ht_latency_thread *t)
{
	const struct ht_thread_info *info = ht_trace_thread(l->trace, t->id);
	return info && info->start_ns == t->start_ns;
}

/* From spans. A block is one span, and one that is RUNNABLE behind it if the thread was ready before it ran. */
static void add_spans(struct ht_wake_ups *w, const struct ht_latency *l, const struct ht_latency_thread *t,
		      struct lists *lists)
{
	for (size_t i = 0; i < t->span_count; i++) {
		const struct ht_span *s = &t->spans[i], *before = i ? s - 1 : NULL;
		uint64_t ns = s->end_ns - s->begin_ns;
		bool came_back = i + 1 < t->span_count;
		if (off(s)) {
			w->blocks++;
			if (came_back && s[1].state != HT_STATE_RUNNABLE) {
				w->wakeups++;
				lists->latencies[lists->latency_count++] = 0;
			}
		} else if (s->state == HT_STATE_RUNNABLE && (before ? off(before) : begins(l, t))) {
			w->wakeups += came_back;
			if (came_back)
				lists->latencies[lists->latency_count++] = ns;
		} else if (s->state == HT_STATE_RUNNABLE) {
			w->preemptions++;
			w->preempted_ns += ns;
			lists->preemptions[lists->preemption_count++] = ns;
		}
	}
}

/* Kinds that somebody ends. */
static bool has_waker(const struct ht_wait *w)
{
	return w->kind && w->kind != HT_WAIT_SLEEP && w->kind != HT_WAIT_DISK && w->outcome != HT_OUTCOME_TIMEOUT;
}

/* blocked: per wait of the thread; with switches, a call that took long need not have slept. */
static void find_blocked(const struct ht_latency_thread *t, bool *blocked)
{
	for (size_t i = 0; i < t->wait_count; i++)
		blocked[i] = !t->switched;
	for (size_t i = 0; i < t->span_count; i++)
		if (t->spans[i].state == HT_STATE_BLOCKED && t->spans[i].wait)
			blocked[t->spans[i].wait - 1 - t->first_wait] = true;
}

static void add_waits(struct ht_wake_up_rows *r, const struct ht_latency *l, uint32_t row, bool *blocked)
{
	const struct ht_latency_thread *t = &l->threads[row];
	find_blocked(t, blocked);
	for (size_t i = t->first_wait; i < t->first_wait + t->wait_count; i++) {
		const struct ht_waited *w = &l->waits[i];
		if (w->wake)
			ht_shares_add(&r->wakers, row, l->wakes[w->wake - 1].thread, 1, 0);
		else if (blocked[i - t->first_wait] && has_waker(&w->w))
			r->items[row].unknown_wakers++;
	}
}

static uint32_t position_of(const struct ht_wake_up_rows *r, uint32_t row, uint32_t waker)
{
	size_t n;
	const struct ht_share *s = ht_shares_of(&r->wakers, row, &n);
	for (size_t i = 0; i < n; i++)
		if (s[i].key == waker)
			return (uint32_t)(s + i - r->wakers.items);
	return UINT32_MAX;
}

static void add_stacks(struct ht_wake_up_rows *r, const struct ht_latency *l, uint32_t row)
{
	const struct ht_latency_thread *t = &l->threads[row];
	uint32_t waker = UINT32_MAX, position = UINT32_MAX;
	for (size_t i = t->first_wait; i < t->first_wait + t->wait_count; i++) {
		if (!l->waits[i].wake)
			continue;
		const struct ht_wake *w = &l->wakes[l->waits[i].wake - 1];
		if (w->thread != waker)
			position = position_of(r, row, waker = w->thread);
		ht_shares_add(&r->stacks, position, w->stack, 1, 0);
	}
}

void ht_wake_ups_make(struct ht_wake_up_rows *out, const struct ht_latency *l)
{
	struct lists lists = {0};
	size_t most = 0, waits = 0;
	for (size_t i = 0; i < l->thread_count; i++) {
		most = l->threads[i].span_count > most ? l->threads[i].span_count : most;
		waits = l->threads[i].wait_count > waits ? l->threads[i].wait_count : waits;
	}
	bool *blocked = ht_xmalloc(waits + 1);
	lists.latencies = ht_xmalloc((most + 1) * sizeof(uint64_t));
	lists.preemptions = ht_xmalloc((most + 1) * sizeof(uint64_t));
	*out = (struct ht_wake_up_rows){.items = ht_xcalloc(l->thread_count + 1, sizeof(*out->items))};
	for (size_t i = 0; i < l->thread_count; i++) {
		lists.latency_count = lists.preemption_count = 0;
		add_spans(&out->items[i], l, &l->threads[i], &lists);
		ht_quantiles_of(&out->items[i].latency, lists.latencies, lists.latency_count);
		ht_quantiles_of(&out->items[i].preemption, lists.preemptions, lists.preemption_count);
		add_waits(out, l, (uint32_t)i, blocked);
	}
	ht_shares_sort(&out->wakers);
	for (size_t i = 0; i < l->thread_count; i++)
		add_stacks(out, l, (uint32_t)i);
	ht_shares_sort(&out->stacks);
	free(blocked);
	free(lists.latencies);
	free(lists.preemptions);
}

void ht_wake_ups_release(struct ht_wake_up_rows *r)
{
	free(r->items);
	ht_shares_release(&r->wakers);
	ht_shares_release(&r->stacks);
}
