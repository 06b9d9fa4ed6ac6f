/*
 * event: one record becomes one event of the trace. First everything that the record refers to is
 * looked up, and if something is missing that another lane may hold, nothing has happened yet and the
 * record is told again later; then it is told for good.
 */
#include <stdlib.h>
#include <string.h>

#include "collector.h"

#define FORKS_KEPT 4096u

/* What telling has found out so far. */
struct telling {
	struct ht_collector *c;
	struct ht_lane *l;
	const struct ht_record *r;
	enum ht_want want;
	uint64_t wanted;
	uint32_t node; /* leaf of its stack */
	bool lost;     /* it meant nothing without one that was dropped: counted as lost, too */
};

static bool apply_stack(struct telling *t)
{
	size_t at = (size_t)(t->r - t->l->queue);
	if (at < t->l->stacked)
		t->node = t->l->leaf[at];
	else
		t->want = ht_stack_apply(t->c, t->l, t->r, &t->node, &t->wanted);
	return !t->want;
}

/* Field by field: built elsewhere and copied, it costs as much again (a stalled store forward, 5 ns). */
HT_INLINE void fill_event(struct telling *t, struct ht_event *e, unsigned op)
{
	const struct ht_record *r = t->r;
	struct ht_lane *l = t->l;
	e->op = (uint8_t)op;
	e->stamped = (r->flags & HT_REC_STAMP) != 0 || l->waited;
	l->waited = false;
	e->new_machine = false;
	e->unpaired = false;
	e->thread = l->thread;
	e->stack = 0;
	e->time = ht_event_time(t->c, l, r->ticks);
	e->seq = 0;
	e->address = r->address;
	e->size = r->size;
	e->extra = r->extra;
	e->extra2 = r->extra2;
	if (r->flags & HT_REC_STACK) {
		e->stack = t->node == HT_NODE_REFUSED ? 0 : t->node;
		e->new_machine = l->after_aside || (r->flags & (HT_REC_ABS | HT_REC_ASIDE));
		l->after_aside = (r->flags & HT_REC_ASIDE) != 0;
	}
}

static uint64_t write_event(struct telling *t, struct ht_event *e)
{
	t->l->last_ns = e->time;
	t->c->totals->events++;
	return ht_trace_writer_event(t->c->writer, e);
}

/* --- births and deaths -------------------------------------------------------------------- */

static HT_COLD void implied_free(struct telling *t, struct ht_pair *old)
{
	struct ht_event e = {
		.op = HT_OP_IMPLIED_FREE,
		.thread = t->l->thread,
		.time = ht_event_time(t->c, t->l, t->r->ticks),
		.seq = ht_pair_seq(old),
		.size = ht_pair_size(&t->l->image->pairs, old),
	};
	write_event(t, &e);
	t->c->totals->implied_frees++;
	t->c->totals->deaths++;
	ht_pairs_remove(&t->l->image->pairs, old);
}

/* Where the block of this birth belongs, or the one that is live there; NULL: it will be unpaired. */
HT_INLINE struct ht_pair *birth_place(struct telling *t)
{
	struct ht_pairs *pairs = &t->l->image->pairs;
	uint64_t address = t->r->address;
	if (HT_LIKELY(ht_pairs_room(pairs, address, t->c->totals->births)))
		return ht_pairs_seek(pairs, address);
	return ht_pairs_find(pairs, address);
}

HT_INLINE void be_born(struct telling *t, struct ht_pair *place)
{
	struct ht_pairs *pairs = &t->l->image->pairs;
	struct ht_event e;
	fill_event(t, &e, t->r->op);
	if (HT_UNLIKELY(place && place->lo)) {
		implied_free(t, place);
		place = birth_place(t);
	}
	e.unpaired = !place;
	uint64_t seq = write_event(t, &e);
	if (HT_LIKELY(!e.unpaired))
		ht_pairs_put(pairs, place, e.address, seq, e.time, e.size);
	t->l->undo.any = t->l->undo.known = false;
	t->c->totals->births++;
	t->c->totals->requested_bytes += e.size;
}

static HT_COLD void die_unknown(struct telling *t)
{
	bool half = t->r->op == HT_REC_REALLOC_FREE;
	struct ht_event e;
	fill_event(t, &e, half ? HT_OP_REALLOC_FREE_UNKNOWN : HT_OP_FREE_UNKNOWN);
	if (half)
		t->l->undo = (typeof(t->l->undo)){.any = true};
	t->c->totals->unknown_frees++;
	write_event(t, &e);
}

/* pair: its block, or NULL. */
HT_INLINE void die(struct telling *t, struct ht_pair *pair)
{
	struct ht_pairs *pairs = &t->l->image->pairs;
	struct ht_event e;
	if (HT_UNLIKELY(!pair)) {
		die_unknown(t);
		return;
	}
	fill_event(t, &e, t->r->op);
	e.seq = ht_pair_seq(pair);
	e.size = ht_pair_size(pairs, pair);
	uint64_t birth = ht_pair_birth(pairs, pair);
	if (HT_UNLIKELY(birth > e.time)) { /* born on another thread after our last stamp */
		e.time = birth;
		e.stamped = true;
	}
	if (t->r->op == HT_REC_REALLOC_FREE)
		t->l->undo = (typeof(t->l->undo)){e.address, e.seq, e.size, birth ? birth : pairs->epoch_ns, true, true};
	ht_pairs_remove(pairs, pair);
	t->c->totals->deaths++;
	write_event(t, &e);
}

static bool tell_birth(struct telling *t)
{
	struct ht_guest *image = t->l->image;
	uint64_t address = t->r->address;
	struct ht_pair *place = birth_place(t);
	if (place && place->lo && !t->l->resolved && !ht_drain_alone(t->c, t->l, false)) {
		t->want = HT_WANT_DEATH;
		t->wanted = address;
		return false;
	}
	if (t->r->flags & HT_REC_STACK && !apply_stack(t))
		return false;
	be_born(t, place);
	if (t->c->waiting_count)
		ht_drain_told(t->c, image, HT_WANT_BIRTH, address);
	return true;
}

static bool tell_death(struct telling *t)
{
	struct ht_guest *image = t->l->image;
	uint64_t address = t->r->address;
	struct ht_pair *pair = ht_pairs_find(&image->pairs, address);
	bool early = !pair || (t->c->waiting_count && ht_wait_for_older(t->c, t->l, t->r));
	if (early && !t->l->resolved && !ht_drain_alone(t->c, t->l, false)) {
		t->want = HT_WANT_BIRTH;
		t->wanted = address;
		return false;
	}
	if (t->r->flags & HT_REC_STACK && !apply_stack(t))
		return false;
	die(t, pair);
	if (t->c->waiting_count)
		ht_drain_told(t->c, image, HT_WANT_DEATH, address);
	return true;
}

static bool tell_undo(struct telling *t)
{
	struct ht_lane *l = t->l;
	if (t->r->flags & HT_REC_STACK && !apply_stack(t))
		return false;
	struct ht_pair *there = l->undo.known ? ht_pairs_find(&l->image->pairs, l->undo.address) : NULL;
	if (!l->undo.any || there) { /* the half that it undoes was dropped, or the next one's other half */
		l->undo = (typeof(l->undo)){0};
		t->c->totals->lost[HT_LOST_RING_FULL]++;
		t->lost = true;
		return true;
	}
	struct ht_event e;
	fill_event(t, &e, HT_OP_REALLOC_UNDO);
	write_event(t, &e);
	t->c->totals->undone_reallocs++;
	if (l->undo.known &&
	    ht_pairs_room(&l->image->pairs, l->undo.address, l->undo.seq)) {
		ht_pairs_add(&l->image->pairs, l->undo.address, l->undo.seq, l->undo.birth, l->undo.size);
		if (t->c->waiting_count)
			ht_drain_told(t->c, l->image, HT_WANT_BIRTH, l->undo.address);
	}
	l->undo = (typeof(l->undo)){0};
	return true;
}

/* --- the others --------------------------------------------------------------------------- */

static void note_fork(struct telling *t, struct ht_event *e)
{
	struct ht_host *h = t->l->host;
	uint64_t number = ++t->c->next_fork;
	if (h->fork_count == FORKS_KEPT) { /* children that exec'd without an event never ask */
		memmove(h->forks, h->forks + FORKS_KEPT / 2, FORKS_KEPT / 2 * sizeof(*h->forks));
		h->fork_count = FORKS_KEPT / 2;
	}
	if (h->fork_count == h->fork_cap) {
		h->fork_cap = h->fork_cap ? 2 * h->fork_cap : 16;
		h->forks = ht_xrealloc(h->forks, h->fork_cap, sizeof(*h->forks));
	}
	h->forks[h->fork_count++] = (struct ht_fork_note){t->r->extra, number, t->l->image};
	e->extra = number;
}

static uint64_t thread_of_serial(const struct ht_collector *c, uint64_t serial)
{
	for (size_t i = 0; i < c->lane_count; i++)
		if (c->lanes[i]->serial == serial && c->lanes[i]->image)
			return c->lanes[i]->thread + 1ull;
	return 0;
}

/* Events that touch no block. */
static bool tell_other(struct telling *t)
{
	struct ht_collector *c = t->c;
	struct ht_lane *l = t->l;
	if (t->r->flags & HT_REC_STACK && !apply_stack(t))
		return false;
	struct ht_event e;
	fill_event(t, &e, t->r->op);
	switch (t->r->op) {
	case HT_REC_FAILED:
		c->totals->failed_calls++;
		break;
	case HT_REC_FORK:
		note_fork(t, &e);
		break;
	case HT_REC_THREAD_START:
		l->start_pc = t->r->address;
		e.extra = thread_of_serial(c, t->r->extra);
		break;
	case HT_REC_THREAD_EXIT:
		l->end_ns = e.time;
		ht_switches_exiting(c, l);
		c->exiting += !l->exiting;
		l->exiting = true;
		break;
	default:
		if (ht_op_info[e.op].columns & HT_OP_EXTRA_STRING)
			e.extra = ht_labels_find(&c->labels, e.extra);
		if (ht_op_info[e.op].columns & HT_OP_EXTRA2_STRING)
			e.extra2 = ht_labels_find(&c->labels, e.extra2);
		break;
	}
	write_event(t, &e);
	if (t->r->op == HT_REC_FORK && c->waiting_count)
		ht_drain_told(c, l->host, HT_WANT_FORK, t->r->extra);
	return true;
}

/* Where time went: no event, but with a stack like one. */
static bool tell_time(struct telling *t)
{
	if (t->r->flags & HT_REC_STACK && !apply_stack(t))
		return false;
	ht_times_tell(t->c, t->l, t->r, t->node == HT_NODE_REFUSED ? 0 : t->node);
	return true;
}

static void tell_module(struct telling *t)
{
	struct ht_collector *c = t->c;
	struct ht_guest *image = t->l->image;
	uint64_t words[HT_RECORD_MAX / 8];
	struct ht_ring_module m;
	size_t bytes = 8u * t->r->count;
	for (unsigned i = 0; i < t->r->count && i < HT_RECORD_MAX / 8; i++)
		words[i] = HT_LOAD_RELAXED(&t->r->words[i]);
	if (bytes < sizeof(m))
		return;
	memcpy(&m, words, sizeof(m));
	if (m.path_len > bytes - sizeof(m) || m.end <= m.start)
		return;
	struct ht_module k = {
		.build_id_len = m.build_id_len <= HT_BUILD_ID_MAX ? (uint8_t)m.build_id_len : 0,
		.size = m.end - m.bias,
		.bias = m.bias,
		.image = image->id,
		.text_vaddr = m.text_vaddr,
		.text_size = m.text_size,
		.text_offset = m.text_offset,
	};
	memcpy(k.build_id, m.build_id, k.build_id_len);
	k.path = m.path_len ? ht_intern_string(&c->intern, (const char *)words + sizeof(m), m.path_len)
			    : image->strings.exe;
	uint32_t id = ht_intern_module(&c->intern, &k);
	if (id == UINT32_MAX)
		return;
	ht_space_add(image->space, &(struct ht_mapping){m.generation, m.start, m.end, m.bias, id});
	if (c->waiting_count)
		ht_drain_told(c, t->l->host, HT_WANT_MODULE, 0);
}

/* A string of heaptide.h, under the hash by which this image's events will name it. */
static void tell_string(struct telling *t)
{
	uint64_t words[HT_RECORD_MAX / 8];
	if (t->r->count < 2 || t->r->count > HT_ARRAY_SIZE(words))
		return;
	for (unsigned i = 0; i < t->r->count; i++)
		words[i] = HT_LOAD_RELAXED(&t->r->words[i]);
	if (words[1] > 8u * (t->r->count - 2u))
		return;
	ht_labels_add(&t->c->labels, words[0], ht_intern_string(&t->c->intern, (const char *)(words + 2), words[1]));
}

static void tell_name(struct telling *t)
{
	uint64_t words[2] = {HT_LOAD_RELAXED(&t->r->words[0]), HT_LOAD_RELAXED(&t->r->words[1])};
	const char *name = (const char *)words;
	t->l->name = ht_intern_string(&t->c->intern, name, strnlen(name, sizeof(words)));
}

/* --- whose lane it is --------------------------------------------------------------------- */

static bool wait_for_lane(struct telling *t, uint64_t what)
{
	t->want = HT_WANT_LANE;
	t->wanted = what;
	return false;
}

/* A slot for a thread's signal handlers: same image, same thread. */
static bool join_thread(struct telling *t)
{
	struct ht_lane *l = t->l;
	for (size_t i = 0; i < t->c->lane_count; i++) {
		const struct ht_lane *m = t->c->lanes[i];
		if (m->serial != l->handler_of || !m->image)
			continue;
		l->image = m->image;
		l->thread = m->thread;
		l->image->lanes++;
		l->view = ht_guest_view(t->c, l->image, l->generation);
		return true;
	}
	if (!l->resolved)
		return wait_for_lane(t, l->handler_of);
	l->handler_of = 0; /* its thread's lane was lost: a thread of its own then */
	return true;
}

/* The lane's first record: which image? False: wait for the fork that made it. */
static bool find_image(struct telling *t)
{
	struct ht_lane *l = t->l;
	const struct ht_fork_note *fork = NULL;
	if (l->handler_of && (!join_thread(t) || l->image))
		return l->image != NULL;
	if (l->forked && l->fork_token) {
		fork = ht_child_fork(l->host, l->fork_token);
		if (!fork && !ht_child_quiet(t->c, l->host, l->fork_token) && !l->resolved && !ht_drain_alone(t->c, l, true)) {
			t->want = HT_WANT_FORK;
			t->wanted = l->fork_token;
			return false;
		}
	}
	l->image = ht_guest_of_lane(t->c, l, fork);
	if (!l->image) /* a thread of a child whose first lane still waits */
		return wait_for_lane(t, l->pid);
	ht_guest_lane_starts(t->c, l, t->r->ticks);
	if (t->c->waiting_count) {
		ht_drain_told(t->c, l->host, HT_WANT_LANE, l->pid);
		ht_drain_told(t->c, l->host, HT_WANT_LANE, l->serial);
	}
	return true;
}

enum ht_want ht_event_tell(struct ht_collector *c, struct ht_lane *l, const struct ht_record *r, uint64_t *wanted)
{
	struct telling t = {.c = c, .l = l, .r = r};
	if (c->batch.count)
		ht_plain_flush(c);
	bool told = l->image || find_image(&t);
	if (told) {
		switch (r->op) {
		case HT_REC_MALLOC:
		case HT_REC_CALLOC:
		case HT_REC_ALIGNED:
		case HT_REC_NEW:
		case HT_REC_REALLOC:
			told = tell_birth(&t);
			break;
		case HT_REC_FREE:
		case HT_REC_DELETE:
		case HT_REC_REALLOC_FREE:
			told = tell_death(&t);
			break;
		case HT_REC_REALLOC_UNDO:
			told = tell_undo(&t);
			break;
		case HT_REC_GENERATION:
			l->generation = r->address;
			l->view = ht_guest_view(c, l->image, l->generation);
			break;
		case HT_REC_MODULE:
			tell_module(&t);
			break;
		case HT_REC_NAME:
			tell_name(&t);
			break;
		case HT_REC_STRING:
			tell_string(&t);
			break;
		case HT_REC_WAIT:
		case HT_REC_WAKE:
		case HT_REC_STALL:
			told = tell_time(&t);
			break;
		case HT_REC_FORKED:
			ht_child_forked(c, l->host, r->extra, r->extra2);
			break;
		default:
			told = tell_other(&t);
		}
	}
	if (told && ht_record_counts(r->op)) {
		l->recorded++;
		c->totals->recorded += !t.lost;
	}
	*wanted = t.wanted;
	return t.want;
}
