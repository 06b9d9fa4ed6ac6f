/*
 * times: records of where time went. A wait, a wake or a stall is no event of the trace's order: it goes to the writer
 * as it comes, with its thread's id and the node of its stack. What the target wrote may be anything: numbers that
 * nobody knows become "none", times that cannot be are bounded.
 */
#include "collector.h"

/* The words of extra; see HT_REC_WAIT. */
static uint8_t call_of(uint64_t extra)
{
	return (uint8_t)extra < HT_CALL_COUNT ? (uint8_t)extra : HT_CALL_NONE;
}

static uint8_t kind_of(uint64_t extra)
{
	uint8_t kind = (uint8_t)(extra >> 8);
	return kind < HT_WAIT_KINDS ? kind : HT_WAIT_NONE;
}

static uint8_t outcome_of(uint64_t extra)
{
	uint8_t outcome = (uint8_t)(extra >> 16);
	return outcome < HT_OUTCOMES ? outcome : HT_OUTCOME_UNKNOWN;
}

static uint8_t flags_of(uint64_t extra)
{
	return (uint8_t)(extra >> 24) & (HT_WAITED_SHARED | HT_WAITED_ALL);
}

static int32_t fd_of(uint64_t extra)
{
	uint64_t plus_one = extra >> 32;
	return plus_one && plus_one <= INT32_MAX ? (int32_t)(plus_one - 1) : -1;
}

/* When what ended at end_ns began: so many ticks before the stamp. */
static uint64_t begin_of(const struct ht_collector *c, const struct ht_record *r, uint64_t end_ns)
{
	uint64_t begin = r->size < r->ticks ? ht_tickclock_past_ns(&c->clock, r->ticks - r->size) : 0;
	return begin < end_ns ? begin : end_ns;
}

static void tell_wait(struct ht_collector *c, const struct ht_lane *l, const struct ht_record *r, uint32_t node,
		      uint64_t now)
{
	ht_trace_writer_wait(c->writer, &(struct ht_wait){
					    .kind = kind_of(r->extra),
					    .call = call_of(r->extra),
					    .outcome = outcome_of(r->extra),
					    .flags = flags_of(r->extra),
					    .fd = fd_of(r->extra),
					    .thread = l->thread,
					    .stack = node,
					    .begin_ns = begin_of(c, r, now),
					    .end_ns = now,
					    .object = r->address,
					    .detail = r->extra2,
					});
}

static void tell_wake(struct ht_collector *c, const struct ht_lane *l, const struct ht_record *r, uint32_t node,
		      uint64_t now)
{
	ht_trace_writer_wake(c->writer, &(struct ht_wake){
					    .kind = kind_of(r->extra),
					    .call = call_of(r->extra),
					    .flags = flags_of(r->extra),
					    .thread = l->thread,
					    .stack = node,
					    .time_ns = now,
					    .object = r->address,
					});
}

static void tell_stall(struct ht_collector *c, const struct ht_lane *l, const struct ht_record *r, uint32_t node,
		       uint64_t now)
{
	uint8_t op = (uint8_t)r->extra;
	ht_trace_writer_stall(c->writer, &(struct ht_stall){
					     .op = op < HT_OP_COUNT ? op : HT_OP_NONE,
					     .bound = r->extra >> 8 & 1,
					     .thread = l->thread,
					     .stack = node,
					     .begin_ns = begin_of(c, r, now),
					     .end_ns = now,
					     .address = r->address,
					     .size = r->extra2,
					 });
}

void ht_times_tell(struct ht_collector *c, struct ht_lane *l, const struct ht_record *r, uint32_t node)
{
	uint64_t now = ht_event_time(c, l, r->ticks);
	l->last_ns = now;
	l->waited = true;
	/* what the thread's next event keeps of this stack, its previous event may not have had */
	l->after_aside |= (r->flags & (HT_REC_STACK | HT_REC_ABS | HT_REC_ASIDE)) == (HT_REC_STACK | HT_REC_ABS);
	if (r->op == HT_REC_WAIT)
		tell_wait(c, l, r, node, now);
	else if (r->op == HT_REC_WAKE)
		tell_wake(c, l, r, node, now);
	else
		tell_stall(c, l, r, node, now);
}
