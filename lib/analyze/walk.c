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

#include "walk.h"

static inline bool is_new_machine(const struct ht_walk_event *n)
{
	return n->events->op[n->i] & HT_EVENT_NEW_MACHINE;
}

/* A step of this event that is about no block. */
static inline struct ht_step *event_step(struct ht_walk *w, const struct ht_walk_event *n, unsigned kind)
{
	struct ht_step *s = ht_batch_step(w->batch);
	*s = (struct ht_step){
		.kind = (uint8_t)kind,
		.op = n->op,
		.actor_selected = n->actor_selected,
		.new_machine = is_new_machine(n),
		.image = n->t->image,
		.thread = n->thread,
		.stack = n->events->stack[n->i],
		.time_ns = n->events->time[n->i],
	};
	return s;
}

/* --- births and deaths -------------------------------------------------------------------- */

/* The death of a live block by this event; op NONE: by a birth at its address. */
static inline struct ht_step *death(struct ht_walk *w, const struct ht_walk_event *n, struct ht_live_ref r, unsigned op)
{
	const struct ht_block *b = r.block;
	uint64_t ns = n->events->time[n->i];
	struct ht_step *s = ht_batch_step(w->batch);
	*s = (struct ht_step){
		.kind = HT_STEP_DEATH,
		.op = (uint8_t)op,
		.selected = b->selected,
		.wanted = b->wanted,
		.actor_selected = n->actor_selected,
		.implied = op == HT_OP_IMPLIED_FREE || op == HT_OP_NONE,
		.same_thread = n->thread == b->thread,
		.new_machine = is_new_machine(n),
		.image = n->t->image,
		.thread = n->thread,
		.stack = n->events->stack[n->i],
		.owner = b->thread,
		.birth_stack = b->stack,
		.between = w->threads[b->thread].births - b->order,
		.size = b->size,
		.time_ns = ns,
		.birth_ns = b->birth_ns,
		/* Clocks of two threads may differ by the trace's 1 ms. */
		.lived_ns = ns > b->birth_ns ? ns - b->birth_ns : 0,
	};
	return s;
}

/* Blocks that the collector could not pair die unseen when their address is born again; and so does one whose
 * number is given again, which only damage can bring about. */
static __attribute__((noinline)) void end_unseen(struct ht_walk *w, const struct ht_walk_event *n)
{
	uint64_t seq;
	struct ht_live_ref r = ht_live_find_address(&w->live, n->t->image, n->events->address[n->i], &seq);
	if (r.block) {
		death(w, n, r, HT_OP_NONE);
		ht_live_remove(&w->live, r);
	}
	r = ht_live_find(&w->live, n->events->seq[n->i]);
	if (r.block) {
		death(w, n, r, HT_OP_NONE);
		ht_live_remove(&w->live, r);
	}
}

/* Do the filters by size, region and task let this birth through? */
static inline bool is_wanted(const struct ht_walk *w, const struct ht_walk_event *n)
{
	const struct ht_selection *sel = &w->options->selection;
	uint64_t size = n->events->size[n->i];
	return size >= sel->min_size && size <= sel->max_size &&
	       __builtin_expect(!w->regions || ht_regions_inside(w->regions, n->thread), 1);
}

static inline void on_birth(struct ht_walk *w, const struct ht_walk_event *n)
{
	const struct ht_event_arrays *e = n->events;
	uint64_t seq = e->seq[n->i];
	struct ht_live_ref r = ht_live_place(&w->live, seq);
	if (__builtin_expect(w->live.by_address.count || r.block->live, 0)) {
		end_unseen(w, n);
		r = ht_live_place(&w->live, seq);
	}
	struct ht_walk_thread *t = n->t;
	const bool wanted = is_wanted(w, n);
	t->births++;
	*r.block = (struct ht_block){
		.size = e->size[n->i],
		.birth_ns = e->time[n->i],
		.stack = e->stack[n->i],
		.thread = n->thread,
		.order = t->births,
		.selected = n->actor_selected,
		.unpaired = e->op[n->i] & HT_EVENT_UNPAIRED,
		.wanted = wanted,
	};
	ht_live_add(&w->live, r, seq, e->address[n->i]);
	struct ht_step *s = ht_batch_step(w->batch);
	*s = (struct ht_step){
		.kind = HT_STEP_BIRTH,
		.op = n->op,
		.selected = n->actor_selected,
		.wanted = wanted,
		.actor_selected = n->actor_selected,
		.new_machine = is_new_machine(n),
		.image = t->image,
		.thread = n->thread,
		.stack = e->stack[n->i],
		.owner = n->thread,
		.birth_stack = e->stack[n->i],
		.size = e->size[n->i],
		.time_ns = e->time[n->i],
		.birth_ns = e->time[n->i],
	};
	struct ht_pending *p = t->pending;
	if (p && p->open) {
		s->realloc_pair = p->paired = n->op == HT_OP_REALLOC;
		s->pair_selected = p->paired && p->step.actor_selected;
		p->open = false;
	}
}

static __attribute__((noinline)) void remember(const struct ht_walk_event *n, const struct ht_step *s,
					       const struct ht_block *b, uint64_t seq, uint64_t address)
{
	if (!n->t->pending)
		n->t->pending = ht_xcalloc(1, sizeof(*n->t->pending));
	*n->t->pending = (struct ht_pending){
		.present = true,
		.open = true,
		.op = n->op,
		.step = *s,
		.seq = seq,
		.address = address,
	};
	if (b)
		n->t->pending->block = *b;
}

static inline void close_pending(const struct ht_walk_event *n)
{
	if (n->t->pending)
		n->t->pending->open = false;
}

static inline void on_death(struct ht_walk *w, const struct ht_walk_event *n)
{
	uint64_t seq = n->events->seq[n->i];
	struct ht_live_ref r = ht_live_find(&w->live, seq);
	struct ht_step *s;
	/* Across images only inheritance can explain it: the parent's block lives on. */
	bool dies = r.block && w->image_of[r.block->thread] == n->t->image;
	if (__builtin_expect(dies, 1))
		s = death(w, n, r, n->op);
	else
		s = event_step(w, n, r.block ? HT_STEP_INHERITED : seq < w->unread ? HT_STEP_DEATH : HT_STEP_UNMATCHED);
	if (n->op == HT_OP_REALLOC_FREE)
		remember(n, s, dies ? r.block : NULL, seq, dies ? ht_live_address(r) : 0);
	else if (n->op != HT_OP_IMPLIED_FREE)
		close_pending(n);
	if (__builtin_expect(dies, 1))
		ht_live_remove(&w->live, r);
}

static __attribute__((noinline)) void on_unknown_death(struct ht_walk *w, const struct ht_walk_event *n)
{
	uint64_t address = n->events->address[n->i], seq = 0;
	struct ht_live_ref r = ht_live_find_address(&w->live, n->t->image, address, &seq);
	struct ht_step *s;
	if (r.block) {
		s = death(w, n, r, n->op);
	} else if (ht_live_drop_inherited(&w->live, n->t->image, address)) {
		s = event_step(w, n, HT_STEP_INHERITED);
	} else {
		s = event_step(w, n, HT_STEP_FOREIGN);
		s->undecided = !ht_walk_heritage_known(w, n->t->image);
	}
	if (n->op == HT_OP_REALLOC_FREE_UNKNOWN)
		remember(n, s, r.block, seq, address);
	else
		close_pending(n);
	if (r.block)
		ht_live_remove(&w->live, r);
}

static void on_undo(struct ht_walk *w, const struct ht_walk_event *n)
{
	struct ht_pending *p = n->t->pending;
	if (!p || !p->present) {
		event_step(w, n, HT_STEP_EVENT);
		return;
	}
	struct ht_step *s = ht_batch_step(w->batch);
	*s = p->step;
	s->kind = HT_STEP_REVIVE;
	s->op = HT_OP_REALLOC_UNDO;
	s->undone = p->step.kind;
	s->actor_selected = n->actor_selected;
	s->pair_selected = p->step.actor_selected;
	s->realloc_pair = p->paired;
	s->time_ns = n->events->time[n->i];
	if (s->undone == HT_STEP_DEATH && p->seq >= w->unread)
		ht_live_restore(&w->live, p->seq, p->address, &p->block);
	else if (s->undone == HT_STEP_INHERITED && p->op == HT_OP_REALLOC_FREE_UNKNOWN)
		ht_live_inherit_one(&w->live, n->t->image, p->address);
	p->present = p->open = false;
}

struct leaving {
	struct ht_walk *walk;
	uint32_t image;
	bool ended;
	uint64_t ns;
};

static bool leave_block(void *ctx, const struct ht_block *b, uint64_t address)
{
	const struct leaving *l = ctx;
	struct ht_step *s = ht_batch_step(l->walk->batch);
	(void)address;
	*s = (struct ht_step){
		.kind = HT_STEP_LEFT,
		.op = l->ended ? HT_OP_IMAGE_END : HT_OP_NONE,
		.selected = b->selected,
		.wanted = b->wanted,
		.image = l->image,
		.owner = b->thread,
		.birth_stack = b->stack,
		.size = b->size,
		.time_ns = l->ns,
		.birth_ns = b->birth_ns,
		.lived_ns = l->ns > b->birth_ns ? l->ns - b->birth_ns : 0,
	};
	return true;
}

static void leave(struct ht_walk *w, uint32_t image, bool ended, uint64_t ns)
{
	struct leaving l = {w, image, ended, ns};
	ht_live_each(&w->live, image, leave_block, &l);
	ht_live_forget(&w->live, image);
}

/* --- the walk ----------------------------------------------------------------------------- */

static void instant(struct ht_walk *w)
{
	w->instant_done = true;
	*ht_batch_step(w->batch) = (struct ht_step){.kind = HT_STEP_INSTANT};
}

/* What a rare event carries beside the columns that all have. */
static struct ht_event_extra extra_of(const struct ht_walk_event *n)
{
	const struct ht_event_extra *x = n->events->extras;
	size_t lo = 0, hi = n->events->extra_count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (x[mid].event < n->i)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n->events->extra_count && x[lo].event == n->i ? x[lo] : (struct ht_event_extra){0};
}

static __attribute__((noinline)) void rare_event(struct ht_walk *w, const struct ht_walk_event *n)
{
	switch (n->op) {
	case HT_OP_FREE_UNKNOWN:
	case HT_OP_REALLOC_FREE_UNKNOWN:
		on_unknown_death(w, n);
		return;
	case HT_OP_REALLOC_UNDO:
		on_undo(w, n);
		return;
	case HT_OP_FORK:
		ht_walk_fork(w, n->t->image, extra_of(n).extra);
		break;
	case HT_OP_IMAGE_START:
		ht_walk_image_start(w, n->t->image);
		break;
	case HT_OP_REGION_BEGIN:
	case HT_OP_REGION_END:
	case HT_OP_TASK:
		if (w->regions) {
			struct ht_event_extra x = extra_of(n);
			ht_regions_event(w->regions, n->thread, n->op, x.extra, x.extra2, n->events->size[n->i], n->actor_selected);
		}
		break;
	default:
		break;
	}
	event_step(w, n, HT_STEP_EVENT);
	if (n->op == HT_OP_IMAGE_END)
		leave(w, n->t->image, true, n->events->time[n->i]);
}

/* In front of an event of a block in which the selection begins or ends, or its instant lies. False: it ends here. */
static bool bounds(struct ht_walk *w, uint64_t ns, unsigned op)
{
	const struct ht_selection *sel = &w->options->selection;
	if (ns > sel->to_ns)
		return false;
	w->begun |= ns >= sel->from_ns;
	/* An image that ends at this very moment is still there. */
	if (sel->at == HT_AT_TIME && !w->instant_done &&
	    (ns > sel->at_ns || (op == HT_OP_IMAGE_END && ns == sel->at_ns)))
		instant(w);
	if (ns > w->last_ns)
		w->last_ns = ns;
	return true;
}

/* Must each event of the block be held against the selection? */
static bool has_bounds(const struct ht_walk *w, const struct ht_block_info *b)
{
	const struct ht_selection *sel = &w->options->selection;
	return (!w->begun && b->last_ns >= sel->from_ns) || b->last_ns > sel->to_ns ||
	       (sel->at == HT_AT_TIME && !w->instant_done && b->last_ns >= sel->at_ns);
}

/* Deaths find their blocks all over the live table: what events ahead will want is on its way when they come. */
static inline void look_ahead(const struct ht_walk *w, const struct ht_event_arrays *e, size_t i)
{
	enum { AHEAD = 16 };
	if (i + AHEAD < e->count && ht_op_is_death(e->op[i + AHEAD] & HT_EVENT_OP))
		ht_live_prefetch(&w->live, e->seq[i + AHEAD]);
}

/* The events of the current run, as many as the batch has room for. False: the selection ends in front of one. */
static bool resolve_run(struct ht_walk *w)
{
	struct ht_walk_event n = w->at;
	bool goes_on = true;
	n.t = &w->threads[n.thread];
	if (n.t->image == HT_NO_IMAGE)
		n.i = w->run_end;
	for (; n.i < w->run_end && w->batch->count < HT_BATCH; n.i++) {
		n.op = n.events->op[n.i] & HT_EVENT_OP;
		if (__builtin_expect(w->bounded, 0) && !bounds(w, n.events->time[n.i], n.op)) {
			goes_on = false;
			break;
		}
		size_t steps = w->batch->count;
		n.actor_selected = w->begun && n.t->selected;
		look_ahead(w, n.events, n.i);
		if (ht_op_is_birth(n.op))
			on_birth(w, &n);
		else if (ht_op_is_death(n.op))
			on_death(w, &n);
		else
			rare_event(w, &n);
		if (__builtin_expect(!w->begun, 0))
			w->batch->count = steps; /* nobody of the population is in them */
	}
	w->at = n;
	return goes_on;
}

/* What is left when the selection ends. */
static enum ht_resolved finish(struct ht_walk *w)
{
	for (uint32_t i = 0; i < w->live.image_count; i++)
		leave(w, i, false, 0);
	return HT_RESOLVED_STOP;
}

static void enter_block(struct ht_walk *w, size_t block, const struct ht_event_arrays *events, int code)
{
	w->at = (struct ht_walk_event){.events = events};
	w->run = w->run_end = 0;
	w->bounded = has_bounds(w, ht_trace_block(w->trace, block));
	w->damaged_blocks += code < 0;
}

static void leave_block_of_events(struct ht_walk *w, size_t block)
{
	const struct ht_analysis_options *o = w->options;
	const struct ht_block_info *info = ht_trace_block(w->trace, block);
	if (!w->bounded && w->at.events->count && info->last_ns > w->last_ns)
		w->last_ns = info->last_ns;
	w->at.events = NULL;
	if (o->progress)
		o->progress(o->progress_ctx, "events", block + 1 - w->first, w->end - w->first);
}

static enum ht_resolved resolve(void *ctx, size_t block, const struct ht_event_arrays *events, int code,
				struct ht_batch *batch)
{
	struct ht_walk *w = ctx;
	w->batch = batch;
	if (!events)
		return finish(w);
	if (!w->at.events)
		enter_block(w, block, events, code);
	while (batch->count < HT_BATCH) {
		if (w->at.i == w->run_end) {
			if (w->run == events->run_count) {
				leave_block_of_events(w, block);
				return HT_RESOLVED_NEXT;
			}
			w->at.thread = events->runs[w->run].thread;
			w->run_end += events->runs[w->run++].count;
		}
		if (!resolve_run(w))
			return finish(w);
	}
	return HT_RESOLVED_FULL;
}

static void set_up(struct ht_walk *w, const bool *thread_selected)
{
	uint32_t threads = ht_trace_thread_count(w->trace), images = ht_trace_image_count(w->trace);
	w->threads = ht_xcalloc(threads, sizeof(*w->threads));
	w->image_of = ht_xcalloc(threads, sizeof(*w->image_of));
	w->heritage_known = ht_xcalloc(images, sizeof(*w->heritage_known));
	for (uint32_t i = 0; i < threads; i++) {
		uint32_t image = ht_trace_thread(w->trace, i)->image;
		w->threads[i].image = w->image_of[i] = image < images ? image : HT_NO_IMAGE;
		w->threads[i].selected = thread_selected[i];
	}
	ht_walk_collect_forks(w);
	bool inherits = false;
	for (uint32_t i = 0; i < images; i++)
		inherits |= ht_trace_image(w->trace, i)->kind == HT_IMAGE_FORK;
	ht_live_init(&w->live, images, w->image_of, inherits && ht_trace_settings(w->trace)->addresses);
}

static void tear_down(struct ht_walk *w)
{
	for (uint32_t i = 0; i < ht_trace_thread_count(w->trace); i++)
		free(w->threads[i].pending);
	ht_live_release(&w->live);
	free(w->threads);
	free(w->image_of);
	free(w->forks);
	free(w->heritage_known);
	ht_regions_free(w->regions);
	free(w);
}

void ht_walk(struct ht_trace *t, const struct ht_analysis_options *o, const bool *thread_selected,
	     const struct ht_pass *passes, size_t pass_count, struct ht_walk_result *result)
{
	struct ht_walk *w = ht_xcalloc(1, sizeof(*w));
	w->trace = t;
	w->options = o;
	set_up(w, thread_selected);
	w->regions = ht_regions_new(t, &o->selection);
	ht_walk_choose_range(w);
	const struct ht_crew_job job = {
		.trace = t,
		.first = w->first,
		.end = w->end,
		.threads = o->jobs,
		.resolve = resolve,
		.ctx = w,
		.passes = passes,
		.pass_count = pass_count,
	};
	ht_crew_run(&job);
	*result = (struct ht_walk_result){.damaged_blocks = w->damaged_blocks,
					  .region_instances = ht_regions_instances(w->regions)};
	for (size_t i = 0; i < pass_count; i++)
		if (passes[i].end)
			passes[i].end(passes[i].state, w->last_ns);
	tear_down(w);
}
