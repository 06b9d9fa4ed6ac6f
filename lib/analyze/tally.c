/* tally: see tally.h. */
#include "tally.h"

#include <stdlib.h>

/* --- one tally ---------------------------------------------------------------------------- */

static inline void before_change(struct ht_tally *t, uint64_t epoch)
{
	if (t->epoch == epoch)
		return;
	t->c.peak_objects = t->now_objects;
	t->c.peak_bytes = t->now_bytes;
	t->epoch = epoch;
}

static inline void lower(struct ht_tally *t, uint64_t epoch, uint64_t size)
{
	before_change(t, epoch);
	t->now_objects--;
	t->now_bytes -= size;
}

static inline void raise(struct ht_tally *t, uint64_t epoch, uint64_t size, uint64_t ns)
{
	before_change(t, epoch);
	t->now_objects++;
	t->now_bytes += size;
	if (t->now_bytes > t->c.own_peak_bytes) {
		t->c.own_peak_bytes = t->now_bytes;
		t->c.own_peak_objects = t->now_objects;
		t->c.own_peak_time_ns = ns;
	}
}

static void tally_birth(struct ht_tally *t, uint64_t epoch, uint64_t size, uint64_t ns)
{
	raise(t, epoch, size, ns);
	t->c.allocs++;
	t->c.bytes += size;
}

static void tally_death(struct ht_tally *t, uint64_t epoch, uint64_t size, bool temporary)
{
	lower(t, epoch, size);
	t->c.frees++;
	t->c.freed_bytes += size;
	t->c.temporary += temporary;
	t->c.temporary_bytes += temporary ? size : 0;
}

static void tally_revive(struct ht_tally *t, uint64_t epoch, uint64_t size, bool temporary, uint64_t ns)
{
	raise(t, epoch, size, ns);
	t->c.frees--;
	t->c.freed_bytes -= size;
	t->c.temporary -= temporary;
	t->c.temporary_bytes -= temporary ? size : 0;
}

static void tally_left(struct ht_tally *t, uint64_t epoch, uint64_t size)
{
	lower(t, epoch, size);
	t->c.leaked_objects++;
	t->c.leaked_bytes += size;
}

/* --- sites -------------------------------------------------------------------------------- */

static uint32_t row_of(struct ht_sites *s, const struct ht_stacks *stacks, uint32_t node, enum ht_by by)
{
	uint32_t row = s->count;
	if (by != HT_BY_STACK)
		row = stacks->keys[ht_stacks_callsite_index(stacks, node)];
	if (row >= s->level_cap) {
		uint32_t old = s->level_cap;
		s->level_cap = row < 512 ? 1024 : row * 2;
		s->levels = ht_xrealloc(s->levels, s->level_cap, sizeof(*s->levels));
		for (uint32_t i = old; i < s->level_cap; i++)
			s->levels[i] = (struct ht_row_level){0};
	}
	if (row >= s->level_count)
		s->level_count = row + 1;
	return row;
}

static __attribute__((noinline)) struct ht_site *new_site_of(struct ht_tally_pass *p, uint32_t stack)
{
	struct ht_sites *s = p->sites;
	uint32_t node = p->stacks->canon[stack];
	if (s->of_node[node]) {
		s->of_node[stack] = s->of_node[node];
		return &s->items[s->of_node[node] - 1];
	}
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 256;
		s->items = ht_xrealloc(s->items, s->cap, sizeof(*s->items));
	}
	struct ht_site *site = &s->items[s->count];
	*site = (struct ht_site){
		.node = node,
		.row = row_of(s, p->stacks, node, p->a->options.by),
		.shown = ht_stacks_shown(p->stacks, node),
		.tally.epoch = p->epoch,
	};
	s->of_node[stack] = s->of_node[node] = ++s->count;
	return site;
}

static inline struct ht_site *site_of(struct ht_tally_pass *p, uint32_t stack)
{
	struct ht_sites *s = p->sites;
	stack = stack < p->stacks->node_count ? stack : 0;
	uint32_t known = s->of_node[stack];
	return __builtin_expect(known != 0, 1) ? &s->items[known - 1] : new_site_of(p, stack);
}

static bool size_wanted(const struct ht_tally_pass *p, uint64_t size)
{
	const struct ht_selection *sel = &p->a->options.selection;
	return size >= sel->min_size && size <= sel->max_size;
}

static void level_up(struct ht_tally_pass *p, const struct ht_site *site, uint64_t size, uint64_t ns)
{
	if (!site || !site->shown)
		return;
	struct ht_row_level *l = &p->sites->levels[site->row];
	l->now_objects++;
	l->now_bytes += size;
	if (l->now_bytes > l->peak_bytes) {
		l->peak_bytes = l->now_bytes;
		l->peak_objects = l->now_objects;
		l->peak_ns = ns;
	}
}

static void level_down(struct ht_tally_pass *p, const struct ht_site *site, uint64_t size)
{
	if (!site || !site->shown)
		return;
	struct ht_row_level *l = &p->sites->levels[site->row];
	l->now_objects--;
	l->now_bytes -= size;
}

/* --- the pass ----------------------------------------------------------------------------- */

/* The tallies that a block counts in, beside the total; site: NULL when there is none for it. Always inlined, so that
 * they stay in registers: as an array in memory they were a fifth of a report's time. */
struct members {
	struct ht_tally *image, *thread, *size;
	struct ht_site *site;
};

static inline __attribute__((always_inline)) struct members members_of(struct ht_tally_pass *p, const struct ht_block *b)
{
	return (struct members){
		.image = &p->images[b->image],
		.thread = &p->threads[b->thread],
		.size = &p->sizes[ht_size_class_of(b->size)],
		.site = p->sites && size_wanted(p, b->size) ? site_of(p, b->stack) : NULL,
	};
}

/* The first moment of a higher level: an equal one later is none. */
static void note_maximum(struct ht_tally_pass *p, uint64_t before)
{
	if (p->total.c.own_peak_bytes > before)
		p->epoch++;
}

static void on_birth(struct ht_tally_pass *p, const struct ht_step *s)
{
	const struct ht_block *b = s->block;
	struct members m = members_of(p, b);
	uint64_t before = p->total.c.own_peak_bytes;
	tally_birth(&p->total, p->epoch, b->size, s->event->time);
	tally_birth(m.image, p->epoch, b->size, s->event->time);
	tally_birth(m.thread, p->epoch, b->size, s->event->time);
	tally_birth(m.size, p->epoch, b->size, s->event->time);
	if (m.site)
		tally_birth(&m.site->tally, p->epoch, b->size, s->event->time);
	level_up(p, m.site, b->size, s->event->time);
	note_maximum(p, before);
	p->a->totals.stackless += !b->stack;
}

static bool is_temporary(const struct ht_tally_pass *p, const struct ht_step *s)
{
	return s->same_thread && !s->implied && s->between <= p->a->options.temporary;
}

/* Where a death was done: by +1, or -1 when it is taken back. */
static void count_freed_here(struct ht_tally_pass *p, const struct ht_event *e, const struct ht_step *s, uint64_t by)
{
	if (s->implied)
		return;
	p->images[s->image].c.freed_here += by;
	p->threads[e->thread].c.freed_here += by;
	p->total.c.freed_here += by;
	p->sizes[ht_size_class_of(s->block->size)].c.freed_here += by;
	if (!s->same_thread) {
		p->a->threads[e->thread].freed_foreign += by;
		p->a->totals.cross_thread_frees += by;
	}
	if (p->sites && e->stack && size_wanted(p, s->block->size))
		site_of(p, e->stack)->tally.c.freed_here += by;
}

static void on_death(struct ht_tally_pass *p, const struct ht_step *s)
{
	const struct ht_block *b = s->block;
	struct members m = members_of(p, b);
	bool temporary = is_temporary(p, s);
	tally_death(&p->total, p->epoch, b->size, temporary);
	tally_death(m.image, p->epoch, b->size, temporary);
	tally_death(m.thread, p->epoch, b->size, temporary);
	tally_death(m.size, p->epoch, b->size, temporary);
	if (m.site)
		tally_death(&m.site->tally, p->epoch, b->size, temporary);
	level_down(p, m.site, b->size);
	if (s->implied) {
		p->a->totals.implied_frees++;
		p->a->images[b->image].implied_frees++;
	}
	count_freed_here(p, s->event, s, 1);
}

static void on_revive(struct ht_tally_pass *p, const struct ht_step *s)
{
	const struct ht_block *b = s->block;
	struct members m = members_of(p, b);
	uint64_t before = p->total.c.own_peak_bytes;
	tally_revive(&p->total, p->epoch, b->size, is_temporary(p, s), s->event->time);
	tally_revive(m.image, p->epoch, b->size, is_temporary(p, s), s->event->time);
	tally_revive(m.thread, p->epoch, b->size, is_temporary(p, s), s->event->time);
	tally_revive(m.size, p->epoch, b->size, is_temporary(p, s), s->event->time);
	if (m.site)
		tally_revive(&m.site->tally, p->epoch, b->size, is_temporary(p, s), s->event->time);
	level_up(p, m.site, b->size, s->event->time);
	note_maximum(p, before);
	count_freed_here(p, s->death, s, (uint64_t)-1);
}

static void on_left(struct ht_tally_pass *p, const struct ht_block *b)
{
	struct members m = members_of(p, b);
	tally_left(&p->total, p->epoch, b->size);
	tally_left(m.image, p->epoch, b->size);
	tally_left(m.thread, p->epoch, b->size);
	tally_left(m.size, p->epoch, b->size);
	if (m.site)
		tally_left(&m.site->tally, p->epoch, b->size);
	level_down(p, m.site, b->size);
}

static void each_tally(struct ht_tally_pass *p, void (*visit)(struct ht_tally_pass *, struct ht_tally *))
{
	visit(p, &p->total);
	for (size_t i = 0; i < p->a->image_count; i++)
		visit(p, &p->images[i]);
	for (size_t i = 0; i < p->a->thread_count; i++)
		visit(p, &p->threads[i]);
	for (size_t i = 0; i < HT_SIZE_CLASSES; i++)
		visit(p, &p->sizes[i]);
	for (uint32_t i = 0; p->sites && i < p->sites->count; i++)
		visit(p, &p->sites->items[i].tally);
}

static void take_instant(struct ht_tally_pass *p, struct ht_tally *t)
{
	(void)p;
	t->c.live_objects = t->now_objects;
	t->c.live_bytes = t->now_bytes;
}

static void settle(struct ht_tally_pass *p, struct ht_tally *t)
{
	before_change(t, p->epoch);
	t->c.own_peak_known = true;
	if (p->a->options.selection.at == HT_AT_PEAK) {
		t->c.live_objects = t->c.peak_objects;
		t->c.live_bytes = t->c.peak_bytes;
	} else if (!p->instant_taken) {
		t->c.live_objects = t->c.leaked_objects;
		t->c.live_bytes = t->c.leaked_bytes;
	}
}

static void tally_step(void *state, const struct ht_step *s)
{
	struct ht_tally_pass *p = state;
	if (s->kind == HT_STEP_INSTANT) {
		p->instant_taken = true;
		each_tally(p, take_instant);
	}
	if (!s->block || !s->block->selected)
		return;
	switch (s->kind) {
	case HT_STEP_BIRTH:
		on_birth(p, s);
		break;
	case HT_STEP_DEATH:
		on_death(p, s);
		break;
	case HT_STEP_REVIVE:
		on_revive(p, s);
		break;
	case HT_STEP_LEFT:
		on_left(p, s->block);
		break;
	default:
		break;
	}
}

static void tally_end(void *state, uint64_t last_ns)
{
	(void)last_ns;
	each_tally(state, settle);
}

struct ht_pass ht_tally_pass(struct ht_tally_pass *p)
{
	return (struct ht_pass){.name = "tally", .state = p, .step = tally_step, .end = tally_end};
}

/* --- beginning and end -------------------------------------------------------------------- */

static void start(struct ht_tally_pass *p, struct ht_tally *t)
{
	t->epoch = p->epoch;
}

void ht_tally_init(struct ht_tally_pass *p, struct ht_analysis *a, struct ht_stacks *stacks)
{
	*p = (struct ht_tally_pass){.a = a, .stacks = stacks, .epoch = 1};
	p->images = ht_xcalloc(a->image_count, sizeof(*p->images));
	p->threads = ht_xcalloc(a->thread_count, sizeof(*p->threads));
	if (a->options.sites) {
		p->sites = ht_xcalloc(1, sizeof(*p->sites));
		p->sites->of_node = ht_xcalloc(stacks->node_count, sizeof(*p->sites->of_node));
	}
	each_tally(p, start);
}

void ht_tally_finish(struct ht_tally_pass *p)
{
	struct ht_analysis *a = p->a;
	a->totals.c = p->total.c;
	a->totals.has_peak = p->total.c.own_peak_bytes > 0;
	a->totals.peak_time_ns = p->total.c.own_peak_time_ns;
	for (size_t i = 0; i < a->image_count; i++)
		a->images[i].c = p->images[i].c;
	for (size_t i = 0; i < a->thread_count; i++)
		a->threads[i].c = p->threads[i].c;
	for (unsigned k = 0; k < HT_SIZE_CLASSES; k++) {
		const struct ht_counters *c = &p->sizes[k].c;
		a->sizes[k] = (struct ht_size_class){
			.min = k ? UINT64_C(1) << (k - 1) : 0,
			.max = k ? UINT64_MAX >> (64 - k) : 0,
			.allocs = c->allocs,
			.bytes = c->bytes,
			.live_objects = c->live_objects,
			.live_bytes = c->live_bytes,
			.peak_objects = c->peak_objects,
			.peak_bytes = c->peak_bytes,
			.temporary = c->temporary,
		};
	}
	a->sites = p->sites;
	free(p->images);
	free(p->threads);
}

void ht_sites_free(struct ht_sites *s)
{
	if (!s)
		return;
	free(s->of_node);
	free(s->items);
	free(s->levels);
	free(s);
}
