/* time_counts: how many waits, switches, stalls and faults the population has: of a whole trace as the footer says,
 * else counted. They count where they were over. */
#include "census.h"

static bool counts(const struct ht_analysis *a, uint64_t time, uint32_t thread)
{
	const struct ht_selection *s = &a->options.selection;
	return time >= s->from_ns && time <= s->to_ns && a->threads[thread].selected;
}

static void count_block(const struct ht_analysis *a, const struct ht_time_records *r, struct ht_event_counts *n)
{
	for (size_t i = 0; i < r->wait_count; i++) {
		uint64_t one = counts(a, r->waits[i].end_ns, r->waits[i].thread);
		*(r->waits[i].kind >= HT_WAIT_SLEEP ? &n->io : &n->sync) += one;
	}
	for (size_t i = 0; i < r->stall_count; i++)
		n->stall += counts(a, r->stalls[i].end_ns, r->stalls[i].thread);
	for (size_t i = 0; i < r->fault_count; i++)
		n->fault += counts(a, r->faults[i].time_ns, r->faults[i].thread);
	for (size_t i = 0; i < r->switch_count; i++)
		n->sched += counts(a, r->switches[i].time_ns, r->switches[i].thread);
}

void ht_count_times(struct ht_analysis *a)
{
	bool known;
	const struct ht_trace_totals *t = ht_trace_totals(a->trace, &known);
	const struct ht_selection *s = &a->options.selection;
	struct ht_event_counts *n = &a->totals.events;
	struct ht_time_records r = {0};
	if (known && !s->from_ns && s->to_ns == UINT64_MAX && !s->thread && !s->process) {
		n->sync = t->waits - t->io_waits;
		n->io = t->io_waits;
		n->sched = t->switches;
		n->stall = t->stalls;
		n->fault = t->faults;
		return;
	}
	for (size_t i = 0; i < ht_trace_time_block_count(a->trace); i++) {
		const struct ht_time_block *b = ht_trace_time_block(a->trace, i);
		if (b->last_ns < s->from_ns || b->first_ns > s->to_ns)
			continue;
		if (ht_trace_time_decode(a->trace, i, &r, NULL))
			a->totals.damaged_blocks++;
		else
			count_block(a, &r, n);
	}
	ht_time_records_release(&r);
}
