/*
 * walk_range: where a walk begins and ends. Of blocks born before the population no pass wants to know more than that a
 * death ended one, and a death that names a birth says so by itself. So nothing in front is read, unless deaths name
 * addresses: then the walk needs the blocks that were still live, which a checkpoint of the trace tells. From there on
 * everything is decoded, so that no number differs from that of a walk over the whole trace.
 */
#include <stdlib.h>

#include "walk.h"

/* A child's first event, at which its image begins, may be told some time after the fork. */
#define FORK_LATE_NS UINT64_C(1000000000)

/* The last checkpoint from which a walk can begin that wants the events from block `first` on; -1: none. One behind
 * the fork of an image that lives on does not tell what that image inherited. */
static int64_t choose_checkpoint(const struct ht_trace *t, size_t first)
{
	int64_t c = ht_trace_checkpoint_before(t, first);
	for (uint32_t i = 0; c >= 0 && i < ht_trace_image_count(t); i++) {
		const struct ht_image *m = ht_trace_image(t, i);
		const struct ht_block_info *b = ht_trace_block(t, ht_trace_checkpoint_block(t, (size_t)c));
		uint64_t forked = m->start_ns > FORK_LATE_NS ? m->start_ns - FORK_LATE_NS : 0;
		if (m->kind != HT_IMAGE_FORK || !b || forked > b->last_ns || m->end_ns < b->first_ns)
			continue;
		int64_t before = ht_trace_checkpoint_before(t, ht_trace_block_at_time(t, forked));
		c = before < c ? before : c - 1;
		i = UINT32_MAX; /* others may live there: from the first image again */
	}
	return c;
}

/* Blocks by ascending number, those of a page together. */
static void take_blocks(struct ht_walk *w, const struct ht_live_set *set)
{
	const struct ht_live_block *b = set->blocks, *end = b + set->count;
	while (b < end) {
		uint64_t page = b->seq >> HT_LIVE_PAGE_BITS;
		size_t n = 1;
		while (b + n < end && b[n].seq >> HT_LIVE_PAGE_BITS == page)
			n++;
		ht_live_load(&w->live, b, n);
		b += n;
	}
}

/* What a REALLOC_UNDO may take back. It stands before the population, so that no count depends on it. */
static void take_realloc(struct ht_walk *w, const struct ht_open_realloc *r)
{
	const struct ht_live_block *b = &r->block;
	struct ht_pending *p = ht_xcalloc(1, sizeof(*p));
	*p = (struct ht_pending){
		.present = true,
		.op = r->known ? HT_OP_REALLOC_FREE : HT_OP_REALLOC_FREE_UNKNOWN,
		.step = {.kind = HT_STEP_FOREIGN, .image = w->image_of[r->thread], .thread = r->thread},
		.seq = b->seq,
		.address = r->known ? b->address : r->address,
	};
	if (r->known) {
		p->step.kind = HT_STEP_DEATH;
		p->step.owner = b->thread;
		p->step.birth_stack = b->stack;
		p->step.size = b->size;
		p->step.birth_ns = b->time;
		p->block = ht_live_block_of(b);
	}
	free(w->threads[r->thread].pending);
	w->threads[r->thread].pending = p;
}

static bool load_checkpoint(struct ht_walk *w, size_t c)
{
	struct ht_live_set set = {0};
	bool good = ht_trace_checkpoint_load(w->trace, c, &set, NULL) >= 0;
	uint32_t threads = ht_trace_thread_count(w->trace);
	for (size_t i = 0; good && i < set.count; i++)
		good = set.blocks[i].thread < threads && w->image_of[set.blocks[i].thread] != HT_NO_IMAGE;
	if (good) {
		take_blocks(w, &set);
		for (size_t i = 0; i < set.thread_count; i++)
			if (set.threads[i].thread < threads)
				w->threads[set.threads[i].thread].births = (uint32_t)set.threads[i].births;
		for (size_t i = 0; i < set.realloc_count; i++)
			if (set.reallocs[i].thread < threads)
				take_realloc(w, &set.reallocs[i]);
	}
	ht_live_set_release(&set);
	return good;
}

/* Do the walk's events, from block `first` on, tell all by themselves? Found in less time than reading the blocks
 * from `otherwise` on would take; else not at all. */
static bool stands_alone(const struct ht_walk *w, size_t first, size_t otherwise)
{
	const uint32_t dependent = UINT32_C(1) << HT_OP_FREE_UNKNOWN | UINT32_C(1) << HT_OP_REALLOC_FREE_UNKNOWN;
	struct ht_event_arrays scratch = {0};
	/* other passes may look at blocks that are not selected */
	bool alone = !w->regions && !w->options->other_passes && first < w->end && w->end - first <= first - otherwise;
	for (size_t i = first; alone && i < w->end; i++) {
		uint32_t ops;
		alone = ht_trace_block_ops(w->trace, i, &scratch, &ops) == 0 && !(ops & dependent);
	}
	ht_event_arrays_release(&scratch);
	return alone;
}

void ht_walk_choose_range(struct ht_walk *w)
{
	const struct ht_trace *t = w->trace;
	const struct ht_selection *sel = &w->options->selection;
	size_t first = ht_trace_block_at_time(t, sel->from_ns);
	w->begun = sel->from_ns == 0;
	w->end = ht_trace_block_count(t);
	/* In damage, what stands before the window may matter in ways that no checkpoint knows of. */
	if (ht_trace_verdict(t) == HT_VERDICT_DAMAGED)
		return;
	if (sel->to_ns != UINT64_MAX && ht_trace_block_at_time(t, sel->to_ns + 1) < w->end)
		w->end = ht_trace_block_at_time(t, sel->to_ns + 1) + 1;
	/* No checkpoint tells what is open in heaptide.h's sense. */
	int64_t c = w->regions ? -1 : choose_checkpoint(t, first);
	if (stands_alone(w, first, c < 0 ? 0 : ht_trace_checkpoint_block(t, (size_t)c))) {
		w->first = first;
		w->unread = ht_trace_block(t, first)->first_seq;
	} else if (c >= 0 && load_checkpoint(w, (size_t)c))
		w->first = ht_trace_checkpoint_block(t, (size_t)c);
}
