/*
 * timeline_build_bursts: a thread's allocations as bursts: births of one thread that follow each other closely are
 * one. So that their number stays bounded whatever the trace, bursts are brought together when there are too many:
 * the gap that parts them doubles.
 *
 * Which stack asked for most bytes is found with a few candidates: one that is not among them takes the least one's
 * place, and what that had (Metwally, Agrawal and El Abbadi, 2005). A stack of more than a quarter of a burst's bytes
 * is never missed.
 */
#include <stdlib.h>

#include "estimate.h"
#include "timeline_build_work.h"

#define FIRST_GAP_NS 2000
/* From here on bursts are brought together across the ends of regions, too. */
#define GAP_ACROSS_REGIONS_NS 1000000

enum { CANDIDATES = 4 };

struct open_burst {
	struct ht_timeline_burst b;
	struct candidate {
		uint64_t bytes;
		uint32_t stack;
	} top[CANDIDATES];
	bool open;
};
struct thread_bursts {
	struct open_burst now;
	struct ht_timeline_burst *items;
	size_t count, cap;
};
struct ht_timeline_bursts {
	const struct ht_analysis *a;
	struct thread_bursts *threads; /* of the trace */
	size_t thread_count, total;
	uint64_t gap_ns;
	uint64_t *reported; /* where the gap goes at the end */
};

void ht_timeline_bursts_begin(struct ht_timeline_work *w)
{
	struct ht_timeline_bursts *b = w->bursts = ht_xcalloc(1, sizeof(*b));
	b->a = w->a;
	b->thread_count = w->a->thread_count;
	b->threads = ht_xcalloc(b->thread_count, sizeof(*b->threads));
	b->gap_ns = FIRST_GAP_NS;
	b->reported = &w->made.burst_gap_ns;
}

/* --- fewer -------------------------------------------------------------------------------- */

static void unite(struct ht_timeline_burst *a, const struct ht_timeline_burst *b)
{
	a->end_ns = b->end_ns > a->end_ns ? b->end_ns : a->end_ns;
	a->objects += b->objects;
	a->bytes += b->bytes;
	a->parted = b->parted;
	if (a->top_stack == b->top_stack) {
		a->top_bytes += b->top_bytes;
	} else if (b->top_bytes > a->top_bytes) {
		a->top_bytes = b->top_bytes;
		a->top_stack = b->top_stack;
	}
}

static void thin_out(struct ht_timeline_bursts *b)
{
	while (b->total > HT_TIMELINE_BURSTS / 2 && b->gap_ns < UINT64_MAX / 2) {
		b->gap_ns *= 2;
		b->total = 0;
		for (size_t t = 0; t < b->thread_count; t++) {
			struct thread_bursts *x = &b->threads[t];
			size_t kept = 0;
			for (size_t i = 0; i < x->count; i++) {
				struct ht_timeline_burst *last = kept ? &x->items[kept - 1] : NULL;
				if (last && x->items[i].begin_ns < last->end_ns + b->gap_ns &&
				    (!last->parted || b->gap_ns >= GAP_ACROSS_REGIONS_NS))
					unite(last, &x->items[i]);
				else
					x->items[kept++] = x->items[i];
			}
			x->count = kept;
			b->total += kept;
		}
	}
}

/* --- the pass ----------------------------------------------------------------------------- */

static void close_burst(struct ht_timeline_bursts *b, struct thread_bursts *t, bool parted)
{
	if (!t->now.open) {
		if (parted && t->count)
			t->items[t->count - 1].parted = true;
		return;
	}
	t->now.open = false;
	t->now.b.parted = parted;
	t->now.b.top_bytes = 0;
	for (unsigned i = 0; i < CANDIDATES; i++) {
		if (t->now.top[i].bytes <= t->now.b.top_bytes && t->now.b.top_stack)
			continue;
		t->now.b.top_bytes = t->now.top[i].bytes;
		t->now.b.top_stack = t->now.top[i].stack;
	}
	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->items = ht_xrealloc(t->items, t->cap, sizeof(*t->items));
	}
	t->items[t->count++] = t->now.b;
	if (++b->total > HT_TIMELINE_BURSTS)
		thin_out(b);
}

static void count_stack(struct open_burst *o, uint32_t stack, uint64_t bytes)
{
	unsigned least = 0;
	for (unsigned i = 0; i < CANDIDATES; i++) {
		if (o->top[i].stack == stack) {
			o->top[i].bytes += bytes;
			return;
		}
		if (o->top[i].bytes < o->top[least].bytes)
			least = i;
	}
	o->top[least].stack = stack;
	o->top[least].bytes += bytes;
}

static void on_birth(struct ht_timeline_bursts *b, struct thread_bursts *t, const struct ht_step *s)
{
	const struct ht_amount n = ht_amount_of(b->a, s->size);
	struct open_burst *o = &t->now;
	if (o->open && s->time_ns >= o->b.end_ns + b->gap_ns)
		close_burst(b, t, false);
	if (!o->open) {
		*o = (struct open_burst){.open = true, .b = {.begin_ns = s->time_ns, .end_ns = s->time_ns}};
		/* times of a thread go on */
		if (t->count && o->b.begin_ns < t->items[t->count - 1].end_ns)
			o->b.begin_ns = o->b.end_ns = t->items[t->count - 1].end_ns;
	}
	if (s->time_ns > o->b.end_ns)
		o->b.end_ns = s->time_ns;
	o->b.objects += n.objects;
	o->b.bytes += n.bytes;
	const struct ht_stacks *stacks = b->a->stacks;
	count_stack(o, s->birth_stack < stacks->node_count ? stacks->canon[s->birth_stack] : 0, n.bytes);
}

static void steps(void *state, const struct ht_step *all, size_t count)
{
	struct ht_timeline_bursts *b = state;
	for (size_t i = 0; i < count; i++) {
		const struct ht_step *s = &all[i];
		if (s->kind == HT_STEP_BIRTH && s->selected)
			on_birth(b, &b->threads[s->thread], s);
		else if (s->kind == HT_STEP_EVENT && (s->op == HT_OP_REGION_BEGIN || s->op == HT_OP_REGION_END))
			close_burst(b, &b->threads[s->thread], true);
	}
}

static void end(void *state, uint64_t last_ns)
{
	struct ht_timeline_bursts *b = state;
	(void)last_ns;
	for (size_t i = 0; i < b->thread_count; i++)
		close_burst(b, &b->threads[i], false);
	*b->reported = b->gap_ns;
}

struct ht_pass ht_timeline_bursts_pass(struct ht_timeline_work *w)
{
	return (struct ht_pass){.name = "bursts", .state = w->bursts, .steps = steps, .end = end};
}

const struct ht_timeline_burst *ht_timeline_bursts_of(const struct ht_timeline_work *w, uint32_t thread, size_t *count)
{
	*count = w->bursts->threads[thread].count;
	return w->bursts->threads[thread].items;
}

void ht_timeline_bursts_free(struct ht_timeline_bursts *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->thread_count; i++)
		free(b->threads[i].items);
	free(b->threads);
	free(b);
}
