/*
 * perfetto_tasks: tasks are slices on tracks of their own under the process, named as they are; their pieces are
 * slices on a track "tasks" under each thread that worked for them. Slices of one track must nest, and tasks overlap
 * as they like: each set of things is dealt out to lanes, tracks of one name that Perfetto shows as one.
 * correlation_id gives all slices of a task one colour; arrows lead from the task to its first piece and on from piece
 * to piece.
 */
#include <stdlib.h>

#include "perfetto_out.h"

#define NO_PIECE SIZE_MAX

struct item {
	uint64_t begin_ns, end_ns;
	size_t task, piece; /* NO_PIECE: the task itself */
	uint32_t owner;	    /* process of tasks, thread of pieces */
};
struct open {
	uint64_t end_ns;
	size_t lane;
};
struct lanes {
	struct ht_pf *o;
	uint64_t parent;
	const char *name;
	struct open *open; /* a heap: the one that ends first is [0] */
	size_t open_count, open_cap;
	size_t *idle;	   /* lanes, the last one to fall idle last */
	uint64_t *tracks;  /* by lane */
	size_t idle_count, lane_count, lane_cap;
};

/* --- which lane ----------------------------------------------------------------------------- */

static bool sooner(const struct open *a, const struct open *b)
{
	return a->end_ns != b->end_ns ? a->end_ns < b->end_ns : a->lane < b->lane;
}

static void push(struct lanes *l, struct open x)
{
	if (l->open_count == l->open_cap) {
		l->open_cap = l->open_cap ? l->open_cap * 2 : 16;
		l->open = ht_xrealloc(l->open, l->open_cap, sizeof(*l->open));
	}
	size_t i = l->open_count++;
	for (; i && sooner(&x, &l->open[(i - 1) / 2]); i = (i - 1) / 2)
		l->open[i] = l->open[(i - 1) / 2];
	l->open[i] = x;
}

static struct open pop(struct lanes *l)
{
	struct open first = l->open[0], last = l->open[--l->open_count];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < l->open_count; i = child) {
		if (child + 1 < l->open_count && sooner(&l->open[child + 1], &l->open[child]))
			child++;
		if (!sooner(&l->open[child], &last))
			break;
		l->open[i] = l->open[child];
	}
	l->open[i] = last;
	return first;
}

static void write_lane(struct lanes *l, uint64_t track, uint64_t ns)
{
	struct ht_buf *b = ht_pf_packet(l->o, ns);
	size_t mark = ht_pb_begin(b, PACKET_TRACK_DESCRIPTOR);
	ht_pb_uint(b, DESCRIPTOR_UUID, track);
	ht_pb_text(b, DESCRIPTOR_NAME, l->name);
	ht_pb_uint(b, DESCRIPTOR_PARENT, l->parent);
	ht_pb_end(b, mark);
	ht_pf_send(l->o);
}

static size_t take_lane(struct lanes *l, uint64_t ns)
{
	if (l->idle_count)
		return l->idle[--l->idle_count];
	if (l->lane_count == l->lane_cap) {
		l->lane_cap = l->lane_cap ? l->lane_cap * 2 : 16;
		l->idle = ht_xrealloc(l->idle, l->lane_cap, sizeof(*l->idle));
		l->tracks = ht_xrealloc(l->tracks, l->lane_cap, sizeof(*l->tracks));
	}
	uint64_t track = ++l->o->last_track;
	if (!l->lane_count)
		ht_pf_sequence(l->o, track, ns);
	write_lane(l, track, ns);
	l->tracks[l->lane_count] = track;
	return l->lane_count++;
}

/* --- arrows --------------------------------------------------------------------------------- */

/* No arrow leads to an earlier instant, so none begins in front of its task. */
static uint64_t piece_begin(const struct ht_timeline_task *x, size_t piece)
{
	return x->pieces[piece].begin_ns > x->begin_ns ? x->pieces[piece].begin_ns : x->begin_ns;
}

/* Arrows to all pieces that begin together at `first`: from the last of those that begin before them, or from the
 * task. */
static void write_flows(struct ht_pf *o, size_t task, size_t first)
{
	const struct ht_timeline_task *x = &o->t->tasks[task];
	for (size_t i = first; i < x->piece_count && piece_begin(x, i) == piece_begin(x, first); i++)
		ht_pb_fixed64(&o->packet, EVENT_FLOW, ht_pf_piece_flow(o, task, i));
}

static bool last_of_its_run(const struct ht_timeline_task *x, size_t piece)
{
	return piece + 1 == x->piece_count || piece_begin(x, piece + 1) > piece_begin(x, piece);
}

/* --- slices --------------------------------------------------------------------------------- */

static size_t open_event(struct lanes *l, enum pf_event_type type, size_t lane, uint64_t ns)
{
	struct ht_buf *b = ht_pf_packet(l->o, ns);
	size_t mark = ht_pb_begin(b, PACKET_TRACK_EVENT);
	ht_pb_uint(b, EVENT_TYPE, type);
	if (lane)
		ht_pb_uint(b, EVENT_TRACK_UUID, l->tracks[lane]); /* lane 0 is the sequence's own */
	return mark;
}

static void write_begin(struct lanes *l, const struct item *it)
{
	struct ht_pf *o = l->o;
	const struct ht_timeline_task *x = &o->t->tasks[it->task];
	struct ht_buf *b = &o->packet;
	size_t lane = take_lane(l, it->begin_ns), mark = open_event(l, TYPE_BEGIN, lane, it->begin_ns);
	ht_pb_uint(b, EVENT_NAME_IID, ht_pf_name(o, INTERN_EVENT_NAME, x->name));
	ht_pb_uint(b, EVENT_CATEGORY_IID, ht_pf_name(o, INTERN_CATEGORY, "task"));
	ht_pb_uint(b, EVENT_CORRELATION, x->id);
	ht_pf_annotate(o, "task", x->id);
	if (it->piece == NO_PIECE) {
		ht_pf_annotate_text(o, "begun by", o->t->threads[x->thread].name);
		if (!x->ended)
			ht_pf_annotate_text(o, "outcome", "not ended");
		write_flows(o, it->task, 0);
	} else {
		ht_pb_fixed64(b, EVENT_FLOW_END, ht_pf_piece_flow(o, it->task, it->piece));
		if (last_of_its_run(x, it->piece))
			write_flows(o, it->task, it->piece + 1);
	}
	ht_pb_end(b, mark);
	ht_pf_send(o);
	push(l, (struct open){it->end_ns > it->begin_ns ? it->end_ns : it->begin_ns, lane});
}

static void write_ends(struct lanes *l, uint64_t ns)
{
	while (l->open_count && l->open[0].end_ns <= ns) {
		struct open x = pop(l);
		ht_pb_end(&l->o->packet, open_event(l, TYPE_END, x.lane, x.end_ns));
		ht_pf_send(l->o);
		l->idle[l->idle_count++] = x.lane;
	}
}

/* items in order of their begins. */
static void write_lanes(struct ht_pf *o, const struct item *items, size_t count, uint64_t parent, const char *name)
{
	struct lanes l = {.o = o, .parent = parent, .name = name};
	for (size_t i = 0; i < count; i++) {
		write_ends(&l, items[i].begin_ns);
		write_begin(&l, &items[i]);
	}
	write_ends(&l, UINT64_MAX);
	free(l.open);
	free(l.idle);
	free(l.tracks);
}

/* --- all of them ---------------------------------------------------------------------------- */

static int by_owner(const void *a, const void *b, void *timeline)
{
	const struct ht_timeline *t = timeline;
	const struct item *x = a, *y = b;
	if (x->owner != y->owner)
		return x->owner < y->owner ? -1 : 1;
	int order = x->piece == NO_PIECE ? strcmp(t->tasks[x->task].name, t->tasks[y->task].name) : 0;
	if (order)
		return order;
	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	if (x->task != y->task)
		return x->task < y->task ? -1 : 1;
	return (x->piece > y->piece) - (x->piece < y->piece);
}

static bool together(const struct ht_timeline *t, const struct item *x, const struct item *y)
{
	return x->owner == y->owner &&
	       (x->piece != NO_PIECE || !strcmp(t->tasks[x->task].name, t->tasks[y->task].name));
}

static void write_groups(struct ht_pf *o, struct item *items, size_t count)
{
	qsort_r(items, count, sizeof(*items), by_owner, (void *)o->t);
	for (size_t from = 0, to; from < count; from = to) {
		const struct item *x = &items[from];
		for (to = from + 1; to < count && together(o->t, x, &items[to]);)
			to++;
		if (x->piece == NO_PIECE)
			write_lanes(o, x, to - from, ht_pf_process_track(x->owner), o->t->tasks[x->task].name);
		else
			write_lanes(o, x, to - from, ht_pf_thread_track(o, x->owner), "tasks");
	}
}

/* Tasks before pieces, and pieces by thread: an arrow's beginning is told before its end where both are at one
 * instant. */
void ht_pf_write_tasks(struct ht_pf *o)
{
	const struct ht_timeline *t = o->t;
	size_t pieces = o->task_flows[t->task_count], n = 0;
	struct item *items = ht_xcalloc((t->task_count > pieces ? t->task_count : pieces) + 1, sizeof(*items));
	for (size_t i = 0; i < t->task_count; i++) {
		const struct ht_timeline_task *x = &t->tasks[i];
		items[i] = (struct item){x->begin_ns, x->end_ns, i, NO_PIECE, x->process};
	}
	write_groups(o, items, t->task_count);
	for (size_t i = 0; i < t->task_count; i++) {
		const struct ht_timeline_task *x = &t->tasks[i];
		for (size_t p = 0; p < x->piece_count; p++)
			items[n++] = (struct item){piece_begin(x, p), x->pieces[p].end_ns, i, p, x->pieces[p].thread};
	}
	write_groups(o, items, n);
	free(items);
}
