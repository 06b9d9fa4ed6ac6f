/*
 * perfetto_threads: a packet sequence per thread: slices, where arrows leave and arrive, messages. With the sequence's
 * own clock and track an event of a name that is known takes 15 bytes.
 *
 * Arrows join instants, never the waits themselves: Perfetto draws a flow from the slice that began earlier, and a
 * wait began before the unlock that ended it.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "perfetto_out.h"

/* The name comes first: what it needs is interned before the event is opened. */
static size_t begin_event(struct ht_pf *o, enum pf_event_type type, uint64_t ns)
{
	struct ht_buf *b = ht_pf_packet(o, ns);
	size_t mark = ht_pb_begin(b, PACKET_TRACK_EVENT);
	ht_pb_uint(b, EVENT_TYPE, type);
	return mark;
}

static void end_event(struct ht_pf *o, size_t mark)
{
	ht_pb_end(&o->packet, mark);
	ht_pf_send(o);
}

static void write_begin(struct ht_pf *o, const struct ht_timeline_slice *s, uint64_t ns)
{
	struct ht_buf *b = &o->packet;
	size_t mark = begin_event(o, TYPE_BEGIN, ns);
	ht_pb_uint(b, EVENT_NAME_IID, ht_pf_name(o, INTERN_EVENT_NAME, s->name));
	/* Regions are what programs have most of: no category means region, and saves two bytes. */
	if (s->category != HT_TIMELINE_REGION)
		ht_pb_uint(b, EVENT_CATEGORY_IID,
			   ht_pf_name(o, INTERN_CATEGORY, ht_timeline_category_names[s->category]));
	if (s->objects)
		ht_pf_annotate(o, "objects", s->objects);
	if (s->bytes)
		ht_pf_annotate(o, "bytes", s->bytes);
	if (*s->outcome)
		ht_pf_annotate_text(o, s->category == HT_TIMELINE_STALL ? "cause" : "outcome", s->outcome);
	ht_pb_uint(b, EVENT_STACK_IID, ht_pf_stack(o, s->stack));
	/* What a selected area adds up to a flame graph. */
	if (s->stack && s->category == HT_TIMELINE_BURST)
		ht_pb_double(b, EVENT_STACK_WEIGHT, (double)s->bytes);
	end_event(o, mark);
}

static void write_end(struct ht_pf *o, uint64_t ns)
{
	end_event(o, begin_event(o, TYPE_END, ns));
}

static void write_arrow(struct ht_pf *o, const struct ht_timeline_step *step)
{
	const struct ht_timeline_arrow *a = &o->t->arrows[step->item];
	bool leaves = step->kind == HT_TIMELINE_DEPART;
	const struct ht_timeline_thread *other = &o->t->threads[leaves ? a->to : a->from];
	size_t mark = begin_event(o, TYPE_INSTANT, step->time_ns);
	char *name = leaves ? ht_xasprintf("%s \342\206\222 %s (%" PRIu32 ")", a->name, other->name, other->tid)
			    : ht_xasprintf("woken by %s (%" PRIu32 "): %s", other->name, other->tid, a->name);
	ht_pb_uint(&o->packet, EVENT_NAME_IID, ht_pf_name(o, INTERN_EVENT_NAME, name));
	free(name);
	if (leaves)
		ht_pb_uint(&o->packet, EVENT_STACK_IID, ht_pf_stack(o, a->stack));
	ht_pb_fixed64(&o->packet, leaves ? EVENT_FLOW : EVENT_FLOW_END, ht_pf_arrow_flow(step->item));
	end_event(o, mark);
}

/* Messages are written as they are: no two need be the same. */
static void write_message(struct ht_pf *o, const struct ht_timeline_instant *x, uint64_t ns)
{
	size_t mark = begin_event(o, TYPE_INSTANT, ns);
	ht_pb_text(&o->packet, EVENT_NAME, x->message);
	ht_pb_uint(&o->packet, EVENT_CATEGORY_IID, ht_pf_name(o, INTERN_CATEGORY, x->category));
	ht_pb_uint(&o->packet, EVENT_STACK_IID, ht_pf_stack(o, x->stack));
	end_event(o, mark);
}

void ht_pf_write_threads(struct ht_pf *o)
{
	for (uint32_t i = 0; i < o->t->thread_count; i++) {
		struct ht_timeline_walk w;
		struct ht_timeline_step s;
		ht_timeline_walk_init(&w, o->order, i);
		if (ht_timeline_peek(&w) != UINT64_MAX)
			ht_pf_sequence(o, ht_pf_thread_track(o, i), ht_timeline_peek(&w));
		while (ht_timeline_next(&w, &s)) {
			if (s.kind == HT_TIMELINE_BEGIN)
				write_begin(o, &o->t->slices[s.item], s.time_ns);
			else if (s.kind == HT_TIMELINE_END)
				write_end(o, s.time_ns);
			else if (s.kind == HT_TIMELINE_MESSAGE)
				write_message(o, &o->t->instants[s.item], s.time_ns);
			else
				write_arrow(o, &s);
		}
		ht_timeline_walk_release(&w);
	}
}
