/*
 * fuzz_latency: where time went in hostile traces. The input is that of fuzz_trace_block, a block's payload behind good
 * dictionaries; whatever it says, threads' spans adjoin and add up, and what refers to something refers to something.
 */
#include "fuzz_trace_walk.h"

#include <stdlib.h>

#include "lock_use.h"
#include "stacks.h"
#include "wait_sites.h"
#include "wake_ups.h"

static void must(bool true_for_all)
{
	if (!true_for_all)
		abort();
}

static void check_thread(const struct ht_latency *l, const struct ht_latency_thread *t)
{
	uint64_t at = t->start_ns, blocked = 0;
	for (size_t i = 0; i < t->span_count; i++) {
		const struct ht_span *s = &t->spans[i];
		must(s->begin_ns == at && s->end_ns > at && s->state < HT_STATES && s->wait <= l->wait_count &&
		     s->stall <= l->stall_count);
		at = s->end_ns;
	}
	must(at == t->end_ns && t->start_ns >= l->from_ns && (t->end_ns <= l->to_ns || t->start_ns == t->end_ns));
	must(t->first_wait + t->wait_count <= l->wait_count && t->first_stall + t->stall_count <= l->stall_count);
	struct ht_breakdown b = {0};
	ht_breakdown_add(l, t, 0, UINT64_MAX, &b);
	for (unsigned k = 0; k < HT_WAIT_KINDS; k++)
		blocked += b.blocked_ns[k];
	must(b.total_ns == t->end_ns - t->start_ns);
	must(b.total_ns == b.running_ns + b.runnable_ns + blocked + b.allocator_ns + b.unknown_ns);
}

static void check_model(const struct ht_latency *l)
{
	for (size_t i = 0; i < l->thread_count; i++)
		check_thread(l, &l->threads[i]);
	for (size_t i = 0; i < l->wait_count; i++) {
		const struct ht_waited *w = &l->waits[i];
		must(w->wake <= l->wake_count && w->object <= l->object_count);
		must(!w->wake || l->wakes[w->wake - 1].thread != w->w.thread);
	}
}

static void check_rows(struct ht_trace *t, const struct ht_latency *l)
{
	struct ht_lock_use locks;
	struct ht_wake_up_rows ups;
	struct ht_wait_sites sites;
	struct ht_analysis *a;
	struct ht_analysis_options o;
	struct ht_diag d;
	void *state;
	ht_lock_use_make(&locks, l);
	struct ht_pass pass = ht_lock_bytes_pass(&locks, t, &state);
	(void)pass;
	ht_lock_bytes_release(state);
	ht_lock_use_release(&locks);
	ht_wake_ups_make(&ups, l);
	ht_wake_ups_release(&ups);
	ht_analysis_options_init(&o);
	o.jobs = 1;
	o.other_passes = ht_no_passes;
	must(ht_analyze(&a, t, &o, &d) == 0);
	ht_wait_sites_make(&sites, l, a->stacks, UINT32_MAX);
	for (size_t i = 0; i < sites.count; i++)
		must(sites.items[i].count && sites.items[i].frame && sites.items[i].wait.max <= sites.items[i].wait_ns);
	ht_wait_sites_release(&sites);
	ht_analysis_free(a);
}

static void read_part(struct ht_trace *t, uint64_t from, uint64_t to)
{
	const struct ht_latency_options o = {.selection = {.from_ns = from, .to_ns = to}, .jobs = 1};
	struct ht_latency *l;
	struct ht_diag d = {0};
	if (ht_latency_read(&l, t, &o, &d))
		return;
	check_model(l);
	check_rows(t, l);
	ht_latency_free(l);
}

void fuzz_trace_walk(const uint8_t *data, size_t size)
{
	struct ht_trace *t;
	struct ht_diag d = {0};
	if (fuzz_trace_open(&t, data, size, &d))
		return;
	read_part(t, 0, UINT64_MAX);
	read_part(t, 3000, 9000);
	ht_trace_close(t);
}
