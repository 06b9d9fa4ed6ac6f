/*
 * perfetto_out: packets, sequences and what is interned in them; the other files here say what is in a packet.
 *
 *	ht_pf_sequence(o, uuid, ns)	a new sequence: its clock counts from packet to packet, its events are uuid's
 *	b = ht_pf_packet(o, ns)		a packet of it at that time; fields go to b
 *	iid = ht_pf_name(o, kind, s)	for use in this packet: what is new travels in the same one
 *	ht_pf_send(o)
 *
 * A sequence begins anew every few MiB (its interned names and clock, too), so that what a cut file holds can be read,
 * and so that memory does not grow with the file. That happens in ht_pf_packet alone: iids are good until the next
 * one.
 */
#ifndef HT_PERFETTO_OUT_H
#define HT_PERFETTO_OUT_H

#include "perfetto_fields.h"
#include "protobuf.h"
#include "sink.h"
#include "timeline_walk.h"

/* Strings by kind and content, each with a number of its own per kind. */
struct ht_pf_name {
	uint64_t hash;
	size_t text; /* in texts */
	uint32_t kind, iid;
};
struct ht_pf_names {
	struct ht_pf_name *items;
	uint32_t *slots; /* index + 1 */
	size_t count, cap, mask;
	struct ht_buf texts;
	uint32_t last[INTERN_STRING + 1]; /* iid by kind */
};
/* Frames and stacks are numbered in the timeline already: known when round is this one's. */
struct ht_pf_known {
	uint32_t round, iid;
};

struct ht_pf {
	const struct ht_timeline *t;
	const struct ht_timeline_order *order;
	struct ht_sink out;
	struct ht_buf packet, interned;
	struct ht_pf_names names;
	struct ht_pf_known *frames, *stacks;
	uint32_t round;		/* of interning; a sequence that begins anew begins another */
	uint32_t sequence, last_sequence;
	uint64_t default_track, last_track;
	uint64_t now_ns;	/* of the sequence */
	uint64_t boot_ns;	/* the timeline's 0 on CLOCK_BOOTTIME; where that is not known, on CLOCK_MONOTONIC */
	size_t since_start;	/* bytes */
	size_t limit;		/* of bytes, then a sequence begins anew */
	uint64_t far_switches;	/* left out: of processors that Perfetto does not take */
	uint64_t *task_flows;	/* before each task's first piece: how many pieces tasks before it have */
};

void ht_pf_init(struct ht_pf *o, const struct ht_timeline *t, const struct ht_timeline_order *order,
		size_t restart_bytes, int fd);
int ht_pf_end(struct ht_pf *o, struct ht_diag *d);

/* The machine's clock, which all absolute times are of. */
static inline uint64_t ht_pf_boot(const struct ht_pf *o, uint64_t ns)
{
	return o->boot_ns + ns;
}

/* track 0: its packets have no clock of their own (descriptors, bundles, profiles). */
void ht_pf_sequence(struct ht_pf *o, uint64_t track, uint64_t ns);
struct ht_buf *ht_pf_packet(struct ht_pf *o, uint64_t ns);
struct ht_buf *ht_pf_packet_plain(struct ht_pf *o, bool absolute, uint64_t ns); /* absolute: stamped with ns */
void ht_pf_send(struct ht_pf *o);
/* For sequences of plain packets: would one begin anew now? Begin anew. */
static inline bool ht_pf_is_long(const struct ht_pf *o)
{
	return o->since_start >= o->limit;
}
void ht_pf_restart(struct ht_pf *o);

/* Of names, whatever the kind; never 0. */
uint64_t ht_pf_name(struct ht_pf *o, enum pf_interned kind, const char *s);
/* Of the timeline's stack number - 1; 0: no stack. */
uint64_t ht_pf_stack(struct ht_pf *o, uint32_t number);

/* Tracks: processes have 1 .., threads those behind them, then counters; lanes come as they are needed. */
static inline uint64_t ht_pf_process_track(uint32_t process)
{
	return (uint64_t)process + 1;
}
static inline uint64_t ht_pf_thread_track(const struct ht_pf *o, uint32_t thread)
{
	return o->t->process_count + thread + 1;
}
static inline uint64_t ht_pf_counter_track(const struct ht_pf *o, size_t counter)
{
	return o->t->process_count + o->t->thread_count + counter + 1;
}

/* Flows: a number of its own for each arrow, and for each piece of a task the one that leads to it. */
static inline uint64_t ht_pf_arrow_flow(size_t arrow)
{
	return (uint64_t)arrow + 1;
}
static inline uint64_t ht_pf_piece_flow(const struct ht_pf *o, size_t task, size_t piece)
{
	return o->t->arrow_count + o->task_flows[task] + piece + 1;
}

/* An annotation of the event that is being written. */
void ht_pf_annotate(struct ht_pf *o, const char *name, uint64_t value);
void ht_pf_annotate_text(struct ht_pf *o, const char *name, const char *value);

/* The parts of the file, behind its head, each in sequences of its own. */
void ht_pf_write_tasks(struct ht_pf *o);    /* before threads: arrows begin here */
void ht_pf_write_threads(struct ht_pf *o);
void ht_pf_write_sched(struct ht_pf *o);
void ht_pf_write_heaps(struct ht_pf *o);

#endif
