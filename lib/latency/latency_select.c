/* latency_select: see latency_select.h. */
#include "latency_select.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- threads ------------------------------------------------------------------------------ */

static bool chosen(const struct ht_trace *t, const struct ht_thread_info *i, const struct ht_selection *s)
{
	const struct ht_image *image = ht_trace_image(t, i->image);
	if (s->process && (!image || image->pid != s->process))
		return false;
	if (!s->thread || !strcmp(ht_trace_string(t, i->name, NULL), s->thread))
		return true;
	char *end;
	errno = 0;
	unsigned long tid = strtoul(s->thread, &end, 10);
	return s->thread[0] >= '0' && s->thread[0] <= '9' && !*end && !errno && tid == i->tid;
}

/* When each thread was last seen by the kernel; 0: never. */
static uint64_t *last_seen(const struct ht_latency *l, const struct ht_schedstat *stats, size_t stat_count,
			   uint32_t threads)
{
	uint64_t *last = ht_xcalloc((size_t)threads + 1, sizeof(*last));
	for (size_t i = 0; i < l->switch_count; i++)
		if (l->switches[i].thread < threads)
			last[l->switches[i].thread] = l->switches[i].time_ns;
	/* A reading may be of a thread that is no more, and waits for its parent: it tells of others. */
	for (size_t i = 0; i < stat_count && !l->switch_count; i++)
		if (stats[i].thread < threads)
			last[stats[i].thread] = stats[i].time_ns;
	return last;
}

/*
 * A thread that nobody saw end, ends with its image; that with the trace. One that ends with its image, in a call or a
 * loop, has its last event as its end: the kernel knows better.
 */
static uint64_t end_of(const struct ht_latency *l, const struct ht_thread_info *i, uint64_t last)
{
	const struct ht_image *image = ht_trace_image(l->trace, i->image);
	const uint64_t at_most = image && image->end_ns != UINT64_MAX ? image->end_ns : ht_trace_duration_ns(l->trace);
	if (i->end_ns == UINT64_MAX)
		return at_most;
	last = last < at_most ? last : at_most;
	return last > i->end_ns ? last : i->end_ns;
}

void ht_latency_choose_threads(struct ht_latency *l, const struct ht_schedstat *stats, size_t stat_count,
			       const struct ht_latency_options *o)
{
	const struct ht_selection *s = &o->selection;
	uint32_t n = ht_trace_thread_count(l->trace);
	uint64_t duration = ht_trace_duration_ns(l->trace);
	l->from_ns = s->from_ns < duration ? s->from_ns : duration;
	l->to_ns = s->to_ns < duration ? s->to_ns : duration;
	l->threads = ht_xcalloc((size_t)n + 1, sizeof(*l->threads));
	uint64_t *last = last_seen(l, stats, stat_count, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct ht_thread_info *info = ht_trace_thread(l->trace, i);
		uint64_t end = end_of(l, info, last[i]);
		if (!chosen(l->trace, info, s) || info->start_ns > l->to_ns || end < l->from_ns || end < info->start_ns)
			continue;
		l->threads[l->thread_count++] =
		    (struct ht_latency_thread){.id = i, .start_ns = info->start_ns, .end_ns = end};
	}
	free(last);
}

const struct ht_latency_thread *ht_latency_thread(const struct ht_latency *l, uint32_t id)
{
	const size_t i = HT_LOWER_BOUND(l->threads, l->thread_count, id, id);
	return i < l->thread_count && l->threads[i].id == id ? &l->threads[i] : NULL;
}

/* --- records ------------------------------------------------------------------------------ */

static bool meets(const struct ht_latency *l, uint64_t begin, uint64_t end)
{
	return end >= l->from_ns && begin <= l->to_ns;
}

/* Spans refer to waits and stalls that meet them, so all that they refer to stay: moved[i] is where i went. */
static void keep_waits(struct ht_latency *l, struct ht_latency_thread *t, size_t *kept, uint32_t *moved)
{
	size_t first = *kept;
	for (size_t i = t->first_wait; i < t->first_wait + t->wait_count; i++) {
		if (!meets(l, l->waits[i].w.begin_ns, l->waits[i].w.end_ns))
			continue;
		moved[i] = (uint32_t)*kept + 1;
		l->waits[(*kept)++] = l->waits[i];
	}
	t->first_wait = first;
	t->wait_count = *kept - first;
}

static void keep_stalls(struct ht_latency *l, struct ht_latency_thread *t, size_t *kept, uint32_t *moved)
{
	size_t first = *kept;
	for (size_t i = t->first_stall; i < t->first_stall + t->stall_count; i++) {
		if (!meets(l, l->stalls[i].begin_ns, l->stalls[i].end_ns))
			continue;
		moved[i] = (uint32_t)*kept + 1;
		l->stalls[(*kept)++] = l->stalls[i];
	}
	t->first_stall = first;
	t->stall_count = *kept - first;
}

static void keep_faults(struct ht_latency *l, struct ht_latency_thread *t, size_t *kept)
{
	size_t first = *kept;
	for (size_t i = t->first_fault; i < t->first_fault + t->fault_count; i++)
		if (meets(l, l->faults[i].time_ns, l->faults[i].time_ns))
			l->faults[(*kept)++] = l->faults[i];
	t->first_fault = first;
	t->fault_count = *kept - first;
}

static void keep_switches(struct ht_latency *l)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->switch_count; i++)
		if (meets(l, l->switches[i].time_ns, l->switches[i].time_ns))
			l->switches[kept++] = l->switches[i];
	l->switch_count = kept;
}

void ht_latency_keep_chosen(struct ht_latency *l)
{
	uint32_t *waits = ht_xcalloc(l->wait_count + 1, sizeof(*waits)),
		 *stalls = ht_xcalloc(l->stall_count + 1, sizeof(*stalls));
	size_t wait_count = 0, stall_count = 0, fault_count = 0;
	for (size_t i = 0; i < l->thread_count; i++) {
		struct ht_latency_thread *t = &l->threads[i];
		keep_waits(l, t, &wait_count, waits);
		keep_stalls(l, t, &stall_count, stalls);
		keep_faults(l, t, &fault_count);
		for (size_t j = 0; j < t->span_count; j++) {
			struct ht_span *s = &t->spans[j];
			s->wait = s->wait ? waits[s->wait - 1] : 0;
			s->stall = s->stall ? stalls[s->stall - 1] : 0;
		}
	}
	l->wait_count = wait_count;
	l->stall_count = stall_count;
	l->fault_count = fault_count;
	keep_switches(l);
	free(waits);
	free(stalls);
}
