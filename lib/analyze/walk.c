/*
 * walk: reads the events once, in order, and resolves each against the live-block table into the
 * steps of pass.h.
 *
 * The rules, all from the trace's contract:
 *  - A death that names a sequence number ends that block. One that carries an address ends an
 *    unpaired block of the same image, or frees what a forked child inherited, or is foreign.
 *  - A realloc's death counts at once; REALLOC_UNDO brings the block back. In between the block is
 *    not live, which is one call's time.
 *  - An image's end takes its live blocks out of the table; they stay "not freed".
 *  - What a damaged file says about blocks that were never born is counted, and believed no further.
 */
#include <stdlib.h>
#include <string.h>

#include "pass.h"
#include "readahead.h"

/* The last REALLOC_FREE of a thread: what its birth half or its undo refers to. */
struct pending {
	bool present; /* can be undone */
	bool open;    /* no other birth or death of the thread since: a REALLOC is its other half */
	struct ht_step step;
	struct ht_event event;
	struct ht_block block;
};

struct thread_state {
	uint64_t births;
	struct pending pending;
};

struct fork_link {
	uint32_t parent, child;
	uint64_t number;
};

struct walk {
	const struct ht_trace *trace;
	const struct ht_analysis_options *options;
	const bool *thread_selected;
	const struct ht_pass *passes;
	size_t pass_count;
	struct ht_live_table live;
	struct thread_state **threads; /* made at a thread's first event */
	struct fork_link *forks;       /* by parent, number */
	size_t fork_count;
	bool *heritage_known; /* per image: what it inherited is exactly known */
	bool begun;	/* `from` is reached */
	bool instant_done;
	uint64_t last_ns;
};

static void emit(const struct walk *w, const struct ht_step *s)
{
	for (size_t i = 0; i < w->pass_count; i++)
		w->passes[i].step(w->passes[i].state, s);
}

static uint64_t births_between(const struct walk *w, const struct ht_block *b)
{
	const struct thread_state *owner = w->threads[b->thread];
	return owner ? (uint32_t)((uint32_t)owner->births - b->order) : 0;
}

/* --- forks -------------------------------------------------------------------------------- */

static int by_parent_and_number(const void *pa, const void *pb)
{
	const struct fork_link *a = pa, *b = pb;
	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a->child < b->child ? -1 : a->child > b->child;
}

static void collect_forks(struct walk *w)
{
	uint32_t n = ht_trace_image_count(w->trace);
	w->forks = ht_xcalloc(n, sizeof(*w->forks));
	for (uint32_t i = 0; i < n; i++) {
		const struct ht_image *m = ht_trace_image(w->trace, i);
		if (m->kind == HT_IMAGE_FORK && m->parent && m->parent - 1 < n && m->parent - 1 != i)
			w->forks[w->fork_count++] = (struct fork_link){m->parent - 1, i, m->fork_number};
	}
	qsort(w->forks, w->fork_count, sizeof(*w->forks), by_parent_and_number);
}

/* What an image holds by inheritance is known if its fork was read, and the same is true of its parent
 * where that is a forked one. Otherwise the parent's own births may stand behind the child's frees
 * in the file. Without addresses nothing inherited can be found at all. */
static bool is_known(const struct walk *w, uint32_t image)
{
	return ht_trace_image(w->trace, image)->kind != HT_IMAGE_FORK || w->heritage_known[image];
}

/* The children that refer to this fork get their inheritance; number 0 would name those whose fork
 * was not seen, and they get theirs at their own start. */
static void on_fork(struct walk *w, uint32_t image, uint64_t number)
{
	struct fork_link key = {.parent = image, .number = number};
	size_t lo = 0, hi = w->fork_count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (by_parent_and_number(&w->forks[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; number && lo < w->fork_count; lo++) {
		const struct fork_link *f = &w->forks[lo];
		if (f->parent != image || f->number != number)
			return;
		ht_live_inherit(&w->live, image, f->child);
		w->heritage_known[f->child] = is_known(w, image) && ht_trace_settings(w->trace)->addresses;
	}
}

static void on_image_start(struct walk *w, uint32_t image)
{
	const struct ht_image *m = ht_trace_image(w->trace, image);
	if (m->kind == HT_IMAGE_FORK && !m->fork_number && m->parent &&
	    m->parent - 1 < w->live.images && m->parent - 1 != image)
		ht_live_inherit(&w->live, m->parent - 1, image);
}

/* --- births and deaths -------------------------------------------------------------------- */

static void death(struct walk *w, struct ht_step *s, struct ht_block *b)
{
	s->kind = HT_STEP_DEATH;
	s->same_thread = s->event->thread == b->thread;
	s->between = births_between(w, b);
	s->block = b;
	emit(w, s);
}

static void on_birth(struct walk *w, const struct ht_event *e, struct ht_step *s)
{
	struct thread_state *t = w->threads[e->thread];
	struct ht_block *old = ht_live_find_address(&w->live, s->image, e->address);
	if (old && e->address) {
		struct ht_step implied = *s;
		implied.implied = true;
		death(w, &implied, old);
		ht_live_remove(&w->live, old);
	}
	t->births++;
	struct ht_block b = {
		.seq = e->seq,
		.address = e->address,
		.size = e->size,
		.birth_ns = e->time,
		.stack = e->stack,
		.thread = e->thread,
		.image = s->image,
		.order = (uint32_t)t->births,
		.op = e->op,
		.selected = s->actor_selected,
		.unpaired = e->unpaired,
	};
	s->kind = HT_STEP_BIRTH;
	s->realloc_pair = e->op == HT_OP_REALLOC && t->pending.open;
	s->pair_selected = s->realloc_pair && t->pending.step.actor_selected;
	t->pending.open = t->pending.present = false;
	s->block = ht_live_add(&w->live, &b);
	emit(w, s);
}

static void on_death(struct walk *w, const struct ht_event *e, struct ht_step *s)
{
	struct thread_state *t = w->threads[e->thread];
	struct ht_block *b = NULL;
	bool realloc_half = e->op == HT_OP_REALLOC_FREE || e->op == HT_OP_REALLOC_FREE_UNKNOWN;

	if (ht_op_is_death(e->op)) {
		s->implied = e->op == HT_OP_IMPLIED_FREE;
		b = ht_live_find(&w->live, e->seq);
		/* Across images only inheritance can explain it: the parent's block lives on. */
		s->kind = !b ? HT_STEP_UNMATCHED : b->image != s->image ? HT_STEP_INHERITED : HT_STEP_DEATH;
	} else {
		b = ht_live_find_address(&w->live, s->image, e->address);
		if (b)
			s->kind = HT_STEP_DEATH;
		else if (ht_live_drop_inherited(&w->live, s->image, e->address))
			s->kind = HT_STEP_INHERITED;
		else
			s->kind = HT_STEP_FOREIGN;
		s->undecided = s->kind == HT_STEP_FOREIGN && !is_known(w, s->image);
	}
	if (s->kind == HT_STEP_DEATH)
		death(w, s, b);
	else
		emit(w, s);
	if (realloc_half) {
		t->pending.present = t->pending.open = true;
		t->pending.step = *s;
		t->pending.event = *e;
		if (s->kind == HT_STEP_DEATH)
			t->pending.block = *b;
	} else if (!s->implied) {
		t->pending.open = false;
	}
	if (s->kind == HT_STEP_DEATH)
		ht_live_remove(&w->live, b);
}

static void on_undo(struct walk *w, const struct ht_event *e, struct ht_step *s)
{
	struct thread_state *t = w->threads[e->thread];
	struct pending *p = &t->pending;
	if (!p->present) {
		s->kind = HT_STEP_EVENT;
		emit(w, s);
		return;
	}
	s->kind = HT_STEP_REVIVE;
	s->undone = p->step.kind;
	s->undone_undecided = p->step.undecided;
	s->pair_selected = p->step.actor_selected;
	s->same_thread = p->step.same_thread;
	s->between = p->step.between;
	s->death = &p->event;
	if (s->undone == HT_STEP_DEATH)
		s->block = ht_live_add(&w->live, &p->block);
	else if (s->undone == HT_STEP_INHERITED && p->event.op == HT_OP_REALLOC_FREE_UNKNOWN)
		ht_live_restore_inherited(&w->live, s->image, p->event.address);
	p->present = p->open = false;
	emit(w, s);
}

static void leave(struct walk *w, struct ht_step *s, uint32_t image)
{
	struct ht_block *b;
	while ((b = ht_live_first(&w->live, image))) {
		s->kind = HT_STEP_LEFT;
		s->block = b;
		emit(w, s);
		ht_live_remove(&w->live, b);
	}
	ht_live_forget_inherited(&w->live, image);
}

static void on_image_end(struct walk *w, struct ht_step *s)
{
	struct ht_step end = *s;
	end.kind = HT_STEP_EVENT;
	emit(w, &end);
	s->image_ended = true;
	leave(w, s, s->image);
}

/* --- the walk ----------------------------------------------------------------------------- */

static void instant(struct walk *w)
{
	struct ht_step s = {.kind = HT_STEP_INSTANT};
	w->instant_done = true;
	emit(w, &s);
}

static void one_event(struct walk *w, const struct ht_event *e)
{
	struct ht_step s = {
		.kind = HT_STEP_EVENT,
		.image = ht_trace_thread(w->trace, e->thread)->image,
		.actor_selected = w->begun && w->thread_selected[e->thread],
		.event = e,
	};
	if (!w->threads[e->thread])
		w->threads[e->thread] = ht_xcalloc(1, sizeof(*w->threads[0]));
	if (ht_op_is_birth(e->op)) {
		on_birth(w, e, &s);
		return;
	}
	switch (e->op) {
	case HT_OP_FREE:
	case HT_OP_DELETE:
	case HT_OP_REALLOC_FREE:
	case HT_OP_IMPLIED_FREE:
	case HT_OP_FREE_UNKNOWN:
	case HT_OP_REALLOC_FREE_UNKNOWN:
		on_death(w, e, &s);
		return;
	case HT_OP_REALLOC_UNDO:
		on_undo(w, e, &s);
		return;
	case HT_OP_IMAGE_END:
		on_image_end(w, &s);
		return;
	case HT_OP_FORK:
		on_fork(w, s.image, e->extra);
		break;
	case HT_OP_IMAGE_START:
		on_image_start(w, s.image);
		break;
	default:
		break;
	}
	emit(w, &s);
}

/* Deaths find their blocks all over the live table: what the events ahead will want is on its way when they come. */
static inline void look_ahead(const struct walk *w, const struct ht_events *events, size_t i)
{
	enum { FAR = 24, NEAR = 12 };
	if (i + FAR >= events->count)
		return;
	const struct ht_event *e = &events->items[i + FAR];
	if (ht_op_is_birth(e->op) || ht_op_is_death(e->op))
		ht_live_prefetch(&w->live, e->seq);
	e = &events->items[i + NEAR];
	if (ht_op_is_death(e->op))
		ht_live_prefetch_block(&w->live, e->seq);
}

/* False: the selection ends in front of an event of this block. */
static bool one_block(struct walk *w, const struct ht_events *events)
{
	const struct ht_selection *sel = &w->options->selection;
	uint32_t threads = ht_trace_thread_count(w->trace);
	for (size_t i = 0; i < events->count; i++) {
		const struct ht_event *e = &events->items[i];
		look_ahead(w, events, i);
		if (e->time > sel->to_ns)
			return false;
		if (e->thread >= threads || ht_trace_thread(w->trace, e->thread)->image >= w->live.images)
			continue;
		w->begun |= e->time >= sel->from_ns;
		/* An image that ends at this very moment is still there. */
		if (sel->at == HT_AT_TIME && !w->instant_done &&
		    (e->time > sel->at_ns || (e->op == HT_OP_IMAGE_END && e->time == sel->at_ns)))
			instant(w);
		if (e->time > w->last_ns)
			w->last_ns = e->time;
		one_event(w, e);
	}
	return true;
}

static void read_blocks(struct walk *w, struct ht_walk_result *result)
{
	const struct ht_analysis_options *o = w->options;
	size_t count = ht_trace_block_count(w->trace), done = 0;
	struct ht_readahead *r = ht_readahead_new(w->trace, o->jobs);
	const struct ht_events *events;
	int code;
	while ((events = ht_readahead_next(r, &code))) {
		if (code < 0)
			result->damaged_blocks++;
		if (!one_block(w, events))
			break;
		if (o->progress)
			o->progress(o->progress_ctx, "events", ++done, count);
	}
	ht_readahead_free(r);
}

void ht_walk(struct ht_trace *t, const struct ht_analysis_options *o, const bool *thread_selected,
	     const struct ht_pass *passes, size_t pass_count, struct ht_walk_result *result)
{
	uint32_t threads = ht_trace_thread_count(t), images = ht_trace_image_count(t);
	struct walk w = {
		.trace = t,
		.options = o,
		.thread_selected = thread_selected,
		.passes = passes,
		.pass_count = pass_count,
		.threads = ht_xcalloc(threads, sizeof(*w.threads)),
	};
	*result = (struct ht_walk_result){0};
	w.heritage_known = ht_xcalloc(images, sizeof(*w.heritage_known));
	ht_live_init(&w.live, images);
	collect_forks(&w);
	read_blocks(&w, result);
	for (uint32_t i = 0; i < images; i++) {
		struct ht_step s = {.image = i};
		leave(&w, &s, i);
	}
	for (size_t i = 0; i < pass_count; i++)
		if (passes[i].end)
			passes[i].end(passes[i].state, w.last_ns);
	ht_live_release(&w.live);
	for (uint32_t i = 0; i < threads; i++)
		free(w.threads[i]);
	free(w.threads);
	free(w.forks);
	free(w.heritage_known);
}
