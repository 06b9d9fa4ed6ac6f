/*
 * perfetto_out: see perfetto_out.h. A packet's content and what it introduces are two buffers, joined when it is sent:
 * only then is known whether it introduces anything. Files larger than memory pass through the sink.
 */
#include "perfetto_out.h"

#include <stdlib.h>

void ht_pf_init(struct ht_pf *o, const struct ht_timeline *t, const struct ht_timeline_order *order,
		size_t restart_bytes, int fd)
{
	*o = (struct ht_pf){
		.t = t,
		.order = order,
		.out = {.fd = fd},
		.frames = ht_xcalloc(t->frame_count + 1, sizeof(*o->frames)),
		.stacks = ht_xcalloc(t->stack_count + 1, sizeof(*o->stacks)),
		.last_track = t->process_count + t->thread_count + t->counter_count,
		.limit = restart_bytes,
		.boot_ns = t->clock_boottime_ns ? t->clock_boottime_ns : t->clock_monotonic_ns,
		.task_flows = ht_xcalloc(t->task_count + 1, sizeof(*o->task_flows)),
	};
	for (size_t i = 0; i < t->task_count; i++)
		o->task_flows[i + 1] = o->task_flows[i] + t->tasks[i].piece_count;
	o->names.mask = 1023;
	o->names.slots = ht_xcalloc(o->names.mask + 1, sizeof(*o->names.slots));
}

int ht_pf_end(struct ht_pf *o, struct ht_diag *d)
{
	ht_buf_release(&o->packet);
	ht_buf_release(&o->interned);
	ht_buf_release(&o->names.texts);
	free(o->names.items);
	free(o->names.slots);
	free(o->frames);
	free(o->stacks);
	free(o->task_flows);
	return ht_sink_end(&o->out, d);
}

/* --- packets -------------------------------------------------------------------------------- */

static void deliver(struct ht_pf *o, unsigned flags)
{
	struct ht_buf *b = &o->packet, *out = &o->out.text;
	if (o->interned.len)
		ht_pb_bytes(b, PACKET_INTERNED_DATA, o->interned.data, o->interned.len);
	ht_pb_always(b, PACKET_SEQUENCE_ID, o->sequence);
	ht_pb_uint(b, PACKET_SEQUENCE_FLAGS, flags);
	ht_pb_bytes(out, TRACE_PACKET, b->data, b->len);
	o->since_start += b->len + 4;
	b->len = 0;
	o->interned.len = 0;
	ht_sink_some(&o->out);
}

static void clock_entry(struct ht_buf *b, unsigned id, uint64_t ns, bool incremental)
{
	size_t mark = ht_pb_begin(b, SNAPSHOT_CLOCK);
	ht_pb_uint(b, CLOCK_ID, id);
	ht_pb_always(b, CLOCK_TIMESTAMP, ns);
	ht_pb_bool(b, CLOCK_INCREMENTAL, incremental);
	ht_pb_end(b, mark);
}

/* The first packet of a sequence, or of a sequence that begins anew: nothing that was said before is known. */
void ht_pf_restart(struct ht_pf *o)
{
	struct ht_buf *b = &o->packet;
	struct ht_pf_names *n = &o->names;
	n->count = n->texts.len = 0;
	memset(n->slots, 0, (n->mask + 1) * sizeof(*n->slots));
	memset(n->last, 0, sizeof(n->last));
	o->round++;
	if (o->default_track) {
		size_t mark = ht_pb_begin(b, PACKET_CLOCK_SNAPSHOT);
		clock_entry(b, SEQUENCE_CLOCK, ht_pf_boot(o, o->now_ns), true);
		clock_entry(b, BOOTTIME, ht_pf_boot(o, o->now_ns), false);
		ht_pb_end(b, mark);
		mark = ht_pb_begin(b, PACKET_DEFAULTS);
		ht_pb_uint(b, DEFAULTS_CLOCK, SEQUENCE_CLOCK);
		size_t inner = ht_pb_begin(b, DEFAULTS_TRACK_EVENT);
		ht_pb_uint(b, DEFAULTS_TRACK_UUID, o->default_track);
		ht_pb_end(b, inner);
		ht_pb_end(b, mark);
	} else if (o->sequence == 1) {
		/* The file's first packet. The clocks keep their distances: what is suspended is not told. */
		const struct ht_timeline *t = o->t;
		size_t mark = ht_pb_begin(b, PACKET_CLOCK_SNAPSHOT);
		clock_entry(b, REALTIME, t->clock_utc_ns + o->now_ns, false);
		clock_entry(b, MONOTONIC, t->clock_monotonic_ns + o->now_ns, false);
		clock_entry(b, MONOTONIC_COARSE, t->clock_monotonic_ns + o->now_ns, false);
		clock_entry(b, BOOTTIME, ht_pf_boot(o, o->now_ns), false);
		ht_pb_uint(b, SNAPSHOT_PRIMARY, BOOTTIME);
		ht_pb_end(b, mark);
	}
	deliver(o, FLAG_STATE_CLEARED);
	o->since_start = 0;
}

void ht_pf_sequence(struct ht_pf *o, uint64_t track, uint64_t ns)
{
	o->sequence = ++o->last_sequence;
	o->default_track = track;
	o->now_ns = ns;
	ht_pf_restart(o);
}

struct ht_buf *ht_pf_packet(struct ht_pf *o, uint64_t ns)
{
	if (ht_pf_is_long(o))
		ht_pf_restart(o);
	uint64_t delta = ns > o->now_ns ? ns - o->now_ns : 0;
	ht_pb_always(&o->packet, PACKET_TIMESTAMP, delta);
	o->now_ns += delta;
	return &o->packet;
}

struct ht_buf *ht_pf_packet_plain(struct ht_pf *o, bool absolute, uint64_t ns)
{
	if (absolute)
		ht_pb_always(&o->packet, PACKET_TIMESTAMP, ht_pf_boot(o, ns));
	return &o->packet;
}

void ht_pf_send(struct ht_pf *o)
{
	deliver(o, FLAG_NEEDS_STATE);
}

/* --- interning ------------------------------------------------------------------------------ */

static uint32_t *slot_of(struct ht_pf_names *n, uint64_t hash, uint32_t kind, const char *s)
{
	size_t i = (hash ^ hash >> 32) & n->mask;
	for (; n->slots[i]; i = (i + 1) & n->mask) {
		const struct ht_pf_name *x = &n->items[n->slots[i] - 1];
		if (x->hash == hash && x->kind == kind && s && !strcmp((const char *)n->texts.data + x->text, s))
			break;
	}
	return &n->slots[i];
}

static void grow(struct ht_pf_names *n)
{
	n->mask = n->mask * 2 + 1;
	free(n->slots);
	n->slots = ht_xcalloc(n->mask + 1, sizeof(*n->slots));
	for (size_t i = 0; i < n->count; i++)
		*slot_of(n, n->items[i].hash, n->items[i].kind, NULL) = (uint32_t)i + 1;
}

uint64_t ht_pf_name(struct ht_pf *o, enum pf_interned kind, const char *s)
{
	struct ht_pf_names *n = &o->names;
	uint64_t hash = ht_hash_text(HT_HASH_START + kind, s);
	uint32_t *slot = slot_of(n, hash, kind, s);
	if (*slot)
		return n->items[*slot - 1].iid;
	if (n->count == n->cap) {
		n->cap = n->cap ? n->cap * 2 : 256;
		n->items = ht_xrealloc(n->items, n->cap, sizeof(*n->items));
	}
	uint32_t iid = ++n->last[kind];
	n->items[n->count] = (struct ht_pf_name){hash, n->texts.len, kind, iid};
	ht_buf_append(&n->texts, s, strlen(s) + 1);
	*slot = (uint32_t)++n->count;
	if (n->count * 2 > n->mask)
		grow(n);
	size_t mark = ht_pb_begin(&o->interned, kind);
	ht_pb_uint(&o->interned, ENTRY_IID, iid);
	ht_pb_text(&o->interned, ENTRY_TEXT, s);
	ht_pb_end(&o->interned, mark);
	return iid;
}

static uint64_t frame(struct ht_pf *o, uint32_t number)
{
	const struct ht_timeline_frame *f = &o->t->frames[number];
	struct ht_pf_known *k = &o->frames[number];
	struct ht_buf *b = &o->interned;
	if (k->round == o->round)
		return k->iid;
	char *unnamed = *f->function ? NULL : ht_xasprintf("[%s]", *f->module ? ht_base_name(f->module) : "unknown");
	uint64_t function = ht_pf_name(o, INTERN_FUNCTION, unnamed ? unnamed : f->function);
	uint64_t source = *f->file ? ht_pf_name(o, INTERN_SOURCE_PATH, f->file) : 0;
	free(unnamed);
	*k = (struct ht_pf_known){o->round, ++o->names.last[INTERN_FRAME]};
	size_t mark = ht_pb_begin(b, INTERN_FRAME);
	ht_pb_uint(b, ENTRY_IID, k->iid);
	ht_pb_uint(b, FRAME_FUNCTION, function);
	ht_pb_uint(b, FRAME_SOURCE, source);
	ht_pb_uint(b, FRAME_LINE, f->line);
	ht_pb_end(b, mark);
	return k->iid;
}

uint64_t ht_pf_stack(struct ht_pf *o, uint32_t number)
{
	if (!number)
		return 0;
	const struct ht_timeline_stack *s = &o->t->stacks[number - 1];
	struct ht_pf_known *k = &o->stacks[number - 1];
	struct ht_buf *b = &o->interned;
	if (k->round == o->round)
		return k->iid;
	/* Frames stand before the stack that names them, and outermost first in it. */
	for (size_t i = s->depth; i-- > 0;)
		frame(o, s->frames[i]);
	*k = (struct ht_pf_known){o->round, ++o->names.last[INTERN_CALLSTACK]};
	size_t mark = ht_pb_begin(b, INTERN_CALLSTACK);
	ht_pb_uint(b, ENTRY_IID, k->iid);
	for (size_t i = s->depth; i-- > 0;)
		ht_pb_uint(b, CALLSTACK_FRAME, frame(o, s->frames[i]));
	ht_pb_end(b, mark);
	return k->iid;
}

/* --- annotations ---------------------------------------------------------------------------- */

void ht_pf_annotate(struct ht_pf *o, const char *name, uint64_t value)
{
	uint64_t iid = ht_pf_name(o, INTERN_ANNOTATION_NAME, name);
	size_t mark = ht_pb_begin(&o->packet, EVENT_ANNOTATION);
	ht_pb_uint(&o->packet, ANNOTATION_NAME_IID, iid);
	ht_pb_always(&o->packet, ANNOTATION_UINT, value);
	ht_pb_end(&o->packet, mark);
}

void ht_pf_annotate_text(struct ht_pf *o, const char *name, const char *value)
{
	uint64_t iid = ht_pf_name(o, INTERN_ANNOTATION_NAME, name), text = ht_pf_name(o, INTERN_STRING, value);
	size_t mark = ht_pb_begin(&o->packet, EVENT_ANNOTATION);
	ht_pb_uint(&o->packet, ANNOTATION_NAME_IID, iid);
	ht_pb_uint(&o->packet, ANNOTATION_STRING_IID, text);
	ht_pb_end(&o->packet, mark);
}
