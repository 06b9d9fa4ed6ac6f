/*
 * perfetto_heap: the blocks that were live at a process's peak, as a heap profile: Perfetto shows a flame graph at
 * that instant. A profile's packets count from 0, all but the last say that more comes; what they refer to is looked
 * up at the last one, so nothing begins anew in between. Its time is CLOCK_MONOTONIC_COARSE's, which the file's first
 * snapshot has.
 *
 * Frames of a location: one per line, all at its address. Numbers of mappings and stacks are those of the profile + 1.
 */
#include <stdio.h>
#include <stdlib.h>

#include "perfetto_out.h"
#include "profile_frames.h"

enum { PACKET_BYTES = 32768 };

struct heap {
	struct ht_pf *o;
	const struct ht_timeline_heap *x;
	const struct ht_profile *p;
	uint32_t *frames;	   /* of a location: its first frame; 0: none told */
	uint32_t frame_count;
	uint64_t *stack;	   /* leaf first */
	size_t stack_cap;
	struct ht_buf samples, scratch;
	uint64_t index;
};

static void send_interned(struct heap *h, size_t least)
{
	if (h->o->interned.len < least)
		return;
	ht_pf_packet_plain(h->o, true, h->x->time_ns);
	ht_pf_send(h->o);
}

static uint64_t build_id(struct heap *h, const char *hex)
{
	struct ht_buf *b = &h->o->interned;
	uint64_t iid = ++h->o->names.last[INTERN_BUILD_ID];
	h->scratch.len = 0;
	for (unsigned v; hex[0] && hex[1] && sscanf(hex, "%2x", &v) == 1; hex += 2)
		ht_buf_byte(&h->scratch, (uint8_t)v);
	size_t mark = ht_pb_begin(b, INTERN_BUILD_ID);
	ht_pb_uint(b, ENTRY_IID, iid);
	ht_pb_bytes(b, ENTRY_TEXT, h->scratch.data, h->scratch.len);
	ht_pb_end(b, mark);
	return iid;
}

static void write_mappings(struct heap *h)
{
	struct ht_buf *b = &h->o->interned;
	for (size_t i = 0; i < h->p->mapping_count; i++) {
		const struct ht_profile_mapping *m = &h->p->mappings[i];
		uint64_t id = *m->build_id ? build_id(h, m->build_id) : 0;
		/* Perfetto puts a slash in front of every part of a path. */
		uint64_t path = ht_pf_name(h->o, INTERN_MAPPING_PATH, m->file + (*m->file == '/'));
		size_t mark = ht_pb_begin(b, INTERN_MAPPING);
		ht_pb_uint(b, ENTRY_IID, i + 1);
		ht_pb_uint(b, MAPPING_BUILD_ID, id);
		ht_pb_always(b, MAPPING_START, m->start);
		ht_pb_always(b, MAPPING_END, m->limit);
		ht_pb_uint(b, MAPPING_PATH, path);
		ht_pb_always(b, MAPPING_OFFSET, m->offset);
		ht_pb_end(b, mark);
		send_interned(h, PACKET_BYTES);
	}
}

static void write_frame(struct heap *h, const struct ht_profile_location *l, const struct ht_profile_line *line)
{
	const struct ht_profile_function *f = line ? &h->p->functions[line->function] : NULL;
	struct ht_buf *b = &h->o->interned;
	char *unnamed = f ? NULL : ht_profile_address_name(h->p, l);
	uint64_t function = ht_pf_name(h->o, INTERN_FUNCTION, f ? f->name : unnamed);
	uint64_t source = f && *f->file ? ht_pf_name(h->o, INTERN_SOURCE_PATH, f->file) : 0;
	free(unnamed);
	size_t mark = ht_pb_begin(b, INTERN_FRAME);
	ht_pb_uint(b, ENTRY_IID, ++h->frame_count);
	ht_pb_uint(b, FRAME_FUNCTION, function);
	if (l->mapping) {
		ht_pb_uint(b, FRAME_MAPPING, l->mapping);
		ht_pb_always(b, FRAME_REL_PC, l->address);
	}
	ht_pb_uint(b, FRAME_SOURCE, source);
	ht_pb_uint(b, FRAME_LINE, line ? line->line : 0);
	ht_pb_end(b, mark);
}

static uint64_t frame(struct heap *h, const struct ht_profile_walk *w)
{
	const struct ht_profile_location *l = w->location;
	if (!h->frames[w->number]) {
		h->frames[w->number] = h->frame_count + 1;
		for (size_t i = 0; i < l->line_count; i++)
			write_frame(h, l, &l->lines[i]);
		if (!l->line_count)
			write_frame(h, l, NULL);
		send_interned(h, PACKET_BYTES);
	}
	return h->frames[w->number] + (w->line ? (uint64_t)(w->line - l->lines) : 0);
}

static void write_stack(struct heap *h, size_t sample)
{
	struct ht_profile_walk w = ht_profile_walk(h->p, &h->p->samples[sample]);
	struct ht_buf *b = &h->o->interned;
	size_t n = 0;
	while (ht_profile_next(&w)) {
		if (n == h->stack_cap) {
			h->stack_cap = h->stack_cap ? h->stack_cap * 2 : 64;
			h->stack = ht_xrealloc(h->stack, h->stack_cap, sizeof(*h->stack));
		}
		h->stack[n++] = frame(h, &w);
	}
	size_t mark = ht_pb_begin(b, INTERN_CALLSTACK);
	ht_pb_uint(b, ENTRY_IID, sample + 1);
	while (n)
		ht_pb_uint(b, CALLSTACK_FRAME, h->stack[--n]);
	ht_pb_end(b, mark);
	send_interned(h, PACKET_BYTES);
}

static void send_profile(struct heap *h, bool more)
{
	struct ht_buf *b = ht_pf_packet_plain(h->o, true, h->x->time_ns);
	size_t mark = ht_pb_begin(b, PACKET_PROFILE), dump = ht_pb_begin(b, PROFILE_DUMP);
	ht_pb_uint(b, DUMP_PID, h->o->t->processes[h->x->process].pid);
	ht_buf_append(b, h->samples.data, h->samples.len);
	ht_pb_always(b, DUMP_TIMESTAMP, h->o->t->clock_monotonic_ns + h->x->time_ns);
	ht_pb_text(b, DUMP_HEAP_NAME, "malloc");
	ht_pb_uint(b, DUMP_INTERVAL, 1);
	ht_pb_end(b, dump);
	ht_pb_bool(b, PROFILE_CONTINUED, more);
	ht_pb_always(b, PROFILE_INDEX, h->index++);
	ht_pb_end(b, mark);
	h->samples.len = 0;
	ht_pf_send(h->o);
}

static void write_sample(struct heap *h, size_t sample)
{
	const int64_t *values = h->p->samples[sample].values;
	int64_t objects = values[h->x->objects_value], bytes = values[h->x->bytes_value];
	if (objects <= 0 && bytes <= 0)
		return;
	write_stack(h, sample);
	struct ht_buf *b = &h->samples;
	if (b->len >= PACKET_BYTES)
		send_profile(h, true);
	size_t mark = ht_pb_begin(b, DUMP_SAMPLE);
	ht_pb_uint(b, SAMPLE_CALLSTACK, sample + 1);
	ht_pb_always(b, SAMPLE_ALLOCATED, (uint64_t)bytes);
	ht_pb_always(b, SAMPLE_ALLOC_COUNT, (uint64_t)objects);
	ht_pb_end(b, mark);
}

void ht_pf_write_heaps(struct ht_pf *o)
{
	for (size_t i = 0; i < o->t->heap_count; i++) {
		struct heap h = {.o = o, .x = &o->t->heaps[i], .p = o->t->heaps[i].profile};
		h.frames = ht_xcalloc(h.p->location_count + 1, sizeof(*h.frames));
		ht_pf_sequence(o, 0, h.x->time_ns);
		write_mappings(&h);
		for (size_t k = 0; k < h.p->sample_count; k++)
			write_sample(&h, k);
		send_interned(&h, 1);
		send_profile(&h, false);
		free(h.frames);
		free(h.stack);
		ht_buf_release(&h.samples);
		ht_buf_release(&h.scratch);
	}
}
