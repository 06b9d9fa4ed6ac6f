/*
 * trace_times_check: what decoding a block about time leaves to be checked, for trace_verify: its range of times, and
 * what the totals say. That a thread's switches alternate is no rule: the kernel drops some when its buffer is full,
 * and two processors' clocks may differ by more than a thread takes to move.
 */
#include "trace_times.h"

#include <inttypes.h>

struct range {
	uint64_t first, last;
};

static void note(struct range *r, uint64_t time)
{
	r->first = time < r->first ? time : r->first;
	r->last = time > r->last ? time : r->last;
}

static struct range range_of(const struct ht_time_records *r)
{
	struct range range = {UINT64_MAX, 0};
	for (size_t i = 0; i < r->wait_count; i++)
		note(&range, r->waits[i].end_ns);
	for (size_t i = 0; i < r->wake_count; i++)
		note(&range, r->wakes[i].time_ns);
	for (size_t i = 0; i < r->stall_count; i++)
		note(&range, r->stalls[i].end_ns);
	for (size_t i = 0; i < r->fault_count; i++)
		note(&range, r->faults[i].time_ns);
	for (size_t i = 0; i < r->switch_count; i++)
		note(&range, r->switches[i].time_ns);
	for (size_t i = 0; i < r->schedstat_count; i++)
		note(&range, r->schedstats[i].time_ns);
	return range;
}

int ht_times_check(const struct ht_trace *t, size_t i, struct ht_time_records *r, struct ht_trace_totals *sums,
		   struct ht_diag *d)
{
	const struct ht_time_block *b = ht_trace_time_block(t, i);
	int err = ht_trace_time_decode(t, i, r, d);
	if (err)
		return err;
	sums->waits += r->wait_count;
	sums->wakes += r->wake_count;
	sums->stalls += r->stall_count;
	sums->faults += r->fault_count;
	sums->switches += r->switch_count;
	for (size_t k = 0; k < r->wait_count; k++)
		sums->io_waits += r->waits[k].kind >= HT_WAIT_SLEEP;
	struct range range = range_of(r);
	if (!b->count || (range.first == b->first_ns && range.last == b->last_ns))
		return 0;
	ht_fail(d, HT_ERR_DAMAGED, "block %u: its times are %" PRIu64 " to %" PRIu64 " ns, not %" PRIu64 " to %" PRIu64,
		b->sequence, range.first, range.last, b->first_ns, b->last_ns);
	return 1;
}
