/* tally: see tally.h. Here: the pass. */
#include "tally.h"

#include <stdlib.h>

/* --- sets --------------------------------------------------------------------------------- */

static uint64_t live_objects(const struct ht_sets *s, uint32_t i)
{
	return s->flows[i].allocs - s->flows[i].frees - s->rests[i].left_objects;
}

static uint64_t live_bytes(const struct ht_sets *s, uint32_t i)
{
	return s->flows[i].bytes - s->flows[i].freed_bytes - s->rests[i].left_bytes;
}

static __attribute__((noinline)) void keep_peak(struct ht_sets *s, uint32_t i, uint32_t epoch)
{
	s->rests[i].peak_objects = live_objects(s, i);
	s->rests[i].peak_bytes = live_bytes(s, i);
	s->flows[i].epoch = epoch;
}

/* The flow of a set that is about to change. */
static inline struct ht_flow *change(struct ht_sets *s, uint32_t i, uint32_t epoch)
{
	if (s->flows[i].epoch != epoch)
		keep_peak(s, i, epoch);
	return &s->flows[i];
}

static inline void flow_birth(struct ht_flow *f, uint64_t size)
{
	f->allocs++;
	f->bytes += size;
}

/* by: 1, or -1 when a death is taken back. temporary: 1 or 0. */
static inline void flow_death(struct ht_flow *f, uint64_t size, uint64_t temporary, uint64_t by)
{
	f->frees += by;
	f->freed_bytes += size * by;
	f->temporary += temporary * by;
	f->temporary_bytes += temporary * size * by;
}

static void grow_sets(struct ht_sets *s, uint32_t count)
{
	if (count > s->cap) {
		uint32_t cap = s->cap ? s->cap * 2 : 256;
		struct ht_flow *flows;
		cap = cap < count ? count : cap;
		flows = aligned_alloc(64, (size_t)cap * sizeof(*flows));
		if (!flows)
			flows = ht_xmalloc(SIZE_MAX); /* says so, and ends */
		if (s->count)
			memcpy(flows, s->flows, s->count * sizeof(*flows));
		free(s->flows);
		s->flows = flows;
		s->rests = ht_xrealloc(s->rests, cap, sizeof(*s->rests));
		s->cap = cap;
	}
	for (; s->count < count; s->count++) {
		s->flows[s->count] = (struct ht_flow){0};
		s->rests[s->count] = (struct ht_rest){0};
	}
}

static void free_sets(struct ht_sets *s)
{
	free(s->flows);
	free(s->rests);
}

/* --- levels ------------------------------------------------------------------------------- */

/* True at a new maximum: the first moment of a higher level, an equal one later is none. */
static inline bool level_up(struct ht_level *l, uint64_t size, uint64_t ns)
{
	l->now_objects++;
	l->now_bytes += size;
	if (l->now_bytes <= l->peak_bytes)
		return false;
	l->peak_bytes = l->now_bytes;
	l->peak_objects = l->now_objects;
	l->peak_ns = ns;
	return true;
}

static inline void level_down(struct ht_level *l, uint64_t size)
{
	l->now_objects--;
	l->now_bytes -= size;
}

/* --- sites -------------------------------------------------------------------------------- */

#define NO_SITE UINT32_MAX

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
			s->levels[i] = (struct ht_level){0};
	}
	if (row >= s->level_count)
		s->level_count = row + 1;
	return row;
}

static __attribute__((noinline)) uint32_t new_site_of(struct ht_tally_pass *p, uint32_t stack)
{
	struct ht_sites *s = p->sites;
	uint32_t node = p->stacks->canon[stack], site = s->count;
	if (s->of_node[node]) {
		s->of_node[stack] = s->of_node[node];
		return s->of_node[node] - 1;
	}
	if (site == p->node_cap) {
		p->node_cap = p->node_cap ? p->node_cap * 2 : 256;
		p->nodes = ht_xrealloc(p->nodes, p->node_cap, sizeof(*p->nodes));
		if (p->a->options.lifetimes)
			p->of_each_site = ht_xrealloc(p->of_each_site, p->node_cap, sizeof(*p->of_each_site));
	}
	if (p->of_each_site)
		p->of_each_site[site] = (struct ht_level){0};
	p->nodes[site] = node;
	grow_sets(&p->of_site, site + 1);
	uint32_t row = row_of(s, p->stacks, node, p->a->options.by);
	p->of_site.flows[site].row = ht_stacks_shown(p->stacks, node) ? row : HT_NO_ROW;
	p->of_site.flows[site].epoch = p->epoch;
	s->of_node[stack] = s->of_node[node] = ++s->count;
	return site;
}

/* NO_SITE: there is none, or the filters leave the step's block out. */
static inline uint32_t site_of(struct ht_tally_pass *p, uint32_t stack, const struct ht_step *s)
{
	if (!p->sites || !s->wanted)
		return NO_SITE;
	stack = stack < p->stacks->node_count ? stack : 0;
	uint32_t known = p->sites->of_node[stack];
	return __builtin_expect(known != 0, 1) ? known - 1 : new_site_of(p, stack);
}

/* --- the pass ----------------------------------------------------------------------------- */

/* A block begins to be live, for the first time or again. */
static inline void raise_levels(struct ht_tally_pass *p, const struct ht_step *s, uint32_t site)
{
	uint32_t row = site == NO_SITE ? HT_NO_ROW : p->of_site.flows[site].row;
	if (row != HT_NO_ROW)
		level_up(&p->sites->levels[row], s->size, s->time_ns);
	if (site != NO_SITE && p->of_each_site)
		level_up(&p->of_each_site[site], s->size, s->time_ns);
	level_up(&p->threads[s->owner], s->size, s->time_ns);
	level_up(&p->images[s->image], s->size, s->time_ns);
	p->epoch += level_up(&p->total, s->size, s->time_ns);
}

static inline void lower_levels(struct ht_tally_pass *p, const struct ht_step *s, uint32_t site)
{
	uint32_t row = site == NO_SITE ? HT_NO_ROW : p->of_site.flows[site].row;
	if (row != HT_NO_ROW)
		level_down(&p->sites->levels[row], s->size);
	if (site != NO_SITE && p->of_each_site)
		level_down(&p->of_each_site[site], s->size);
	level_down(&p->threads[s->owner], s->size);
	level_down(&p->images[s->image], s->size);
	level_down(&p->total, s->size);
}

static inline void on_birth(struct ht_tally_pass *p, const struct ht_step *s)
{
	uint32_t epoch = p->epoch, site = site_of(p, s->birth_stack, s);
	if (site != NO_SITE)
		flow_birth(change(&p->of_site, site, epoch), s->size);
	flow_birth(change(&p->of_thread, s->owner, epoch), s->size);
	flow_birth(change(&p->of_size, ht_size_class_of(s->size), epoch), s->size);
	raise_levels(p, s, site);
	p->a->totals.stackless += !s->birth_stack;
}

static inline uint64_t is_temporary(const struct ht_tally_pass *p, const struct ht_step *s)
{
	return s->same_thread && !s->implied && s->between <= p->a->options.temporary;
}

/* Where a death was done: by +1, or -1 when it is taken back. */
static inline void count_freed_here(struct ht_tally_pass *p, const struct ht_step *s, uint64_t by)
{
	if (s->implied) {
		p->a->totals.implied_frees += by;
		p->a->images[s->image].implied_frees += by;
		return;
	}
	p->of_thread.flows[s->thread].freed_here += by;
	if (!s->same_thread) {
		p->a->threads[s->thread].freed_foreign += by;
		p->a->totals.cross_thread_frees += by;
	}
	uint32_t site = s->stack ? site_of(p, s->stack, s) : NO_SITE;
	if (site != NO_SITE)
		p->of_site.flows[site].freed_here += by;
}

/* by as above. The site comes back. */
static inline uint32_t count_death(struct ht_tally_pass *p, const struct ht_step *s, uint64_t by)
{
	uint32_t epoch = p->epoch, site = site_of(p, s->birth_stack, s);
	uint64_t temporary = is_temporary(p, s);
	if (site != NO_SITE)
		flow_death(change(&p->of_site, site, epoch), s->size, temporary, by);
	flow_death(change(&p->of_thread, s->owner, epoch), s->size, temporary, by);
	flow_death(change(&p->of_size, ht_size_class_of(s->size), epoch), s->size, temporary, by);
	count_freed_here(p, s, by);
	return site;
}

static void set_left(struct ht_sets *s, uint32_t i, uint32_t epoch, uint64_t size)
{
	change(s, i, epoch);
	s->rests[i].left_objects++;
	s->rests[i].left_bytes += size;
}

static void on_left(struct ht_tally_pass *p, const struct ht_step *s)
{
	uint32_t site = site_of(p, s->birth_stack, s);
	if (site != NO_SITE)
		set_left(&p->of_site, site, p->epoch, s->size);
	set_left(&p->of_thread, s->owner, p->epoch, s->size);
	set_left(&p->of_size, ht_size_class_of(s->size), p->epoch, s->size);
	lower_levels(p, s, site);
}

static void take_instant(struct ht_tally_pass *p)
{
	struct ht_sets *all[] = {&p->of_site, &p->of_thread, &p->of_size};
	p->instant_taken = true;
	for (size_t k = 0; k < HT_ARRAY_SIZE(all); k++)
		for (uint32_t i = 0; i < all[k]->count; i++) {
			all[k]->rests[i].live_objects = live_objects(all[k], i);
			all[k]->rests[i].live_bytes = live_bytes(all[k], i);
		}
}

static void tally_steps(void *state, const struct ht_step *steps, size_t count)
{
	struct ht_tally_pass *p = state;
	for (const struct ht_step *s = steps; s < steps + count; s++) {
		if (__builtin_expect(!s->selected, 0)) {
			if (s->kind == HT_STEP_INSTANT)
				take_instant(p);
			continue;
		}
		if (s->kind == HT_STEP_BIRTH)
			on_birth(p, s);
		else if (s->kind == HT_STEP_DEATH)
			lower_levels(p, s, count_death(p, s, 1));
		else if (s->kind == HT_STEP_REVIVE)
			raise_levels(p, s, count_death(p, s, (uint64_t)-1));
		else if (s->kind == HT_STEP_LEFT)
			on_left(p, s);
	}
}

struct ht_pass ht_tally_pass(struct ht_tally_pass *p)
{
	return (struct ht_pass){.name = "tally", .state = p, .steps = tally_steps};
}

/* --- beginning and end -------------------------------------------------------------------- */

void ht_tally_init(struct ht_tally_pass *p, struct ht_analysis *a, struct ht_stacks *stacks)
{
	*p = (struct ht_tally_pass){.a = a, .stacks = stacks};
	p->images = ht_xcalloc(a->image_count, sizeof(*p->images));
	p->threads = ht_xcalloc(a->thread_count, sizeof(*p->threads));
	grow_sets(&p->of_thread, (uint32_t)a->thread_count);
	grow_sets(&p->of_size, HT_SIZE_CLASSES);
	if (a->options.sites) {
		p->sites = ht_xcalloc(1, sizeof(*p->sites));
		p->sites->of_node = ht_xcalloc(stacks->node_count, sizeof(*p->sites->of_node));
	}
}

/* The counters of a set, at the end of the walk. */
static void settle(struct ht_tally_pass *p, struct ht_sets *s, uint32_t i, struct ht_counters *c)
{
	const struct ht_flow *f = change(s, i, p->epoch);
	const struct ht_rest *r = &s->rests[i];
	*c = (struct ht_counters){
		.allocs = f->allocs,
		.bytes = f->bytes,
		.frees = f->frees,
		.freed_bytes = f->freed_bytes,
		.freed_here = f->freed_here,
		.live_objects = r->live_objects,
		.live_bytes = r->live_bytes,
		.peak_objects = r->peak_objects,
		.peak_bytes = r->peak_bytes,
		.leaked_objects = r->left_objects,
		.leaked_bytes = r->left_bytes,
		.temporary = f->temporary,
		.temporary_bytes = f->temporary_bytes,
	};
	if (p->a->options.selection.at == HT_AT_PEAK) {
		c->live_objects = c->peak_objects;
		c->live_bytes = c->peak_bytes;
	} else if (!p->instant_taken) {
		c->live_objects = c->leaked_objects;
		c->live_bytes = c->leaked_bytes;
	}
}

static void set_own_peak(struct ht_counters *c, const struct ht_level *l)
{
	c->own_peak_known = true;
	c->own_peak_bytes = l->peak_bytes;
	c->own_peak_objects = l->peak_objects;
	c->own_peak_time_ns = l->peak_ns;
}

/* Threads, and with them images and the whole. */
static void finish_threads(struct ht_tally_pass *p)
{
	struct ht_analysis *a = p->a;
	for (uint32_t i = 0; i < a->thread_count; i++) {
		struct ht_counters *c = &a->threads[i].c;
		settle(p, &p->of_thread, i, c);
		ht_counters_add(&a->totals.c, c);
		if (a->threads[i].image < a->image_count)
			ht_counters_add(&a->images[a->threads[i].image].c, c);
		set_own_peak(c, &p->threads[i]);
	}
	for (size_t i = 0; i < a->image_count; i++)
		set_own_peak(&a->images[i].c, &p->images[i]);
	set_own_peak(&a->totals.c, &p->total);
	a->totals.has_peak = p->total.peak_bytes > 0;
	a->totals.peak_time_ns = p->total.peak_ns;
}

static void finish_sizes(struct ht_tally_pass *p)
{
	for (unsigned k = 0; k < HT_SIZE_CLASSES; k++) {
		struct ht_counters c;
		settle(p, &p->of_size, k, &c);
		ht_size_class_set(&p->a->sizes[k], k, &c);
	}
}

static void finish_sites(struct ht_tally_pass *p)
{
	struct ht_sites *s = p->sites;
	if (!s)
		return;
	s->items = ht_xcalloc(s->count, sizeof(*s->items));
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t row = p->of_site.flows[i].row;
		s->items[i].node = p->nodes[i];
		s->items[i].row = row;
		s->items[i].shown = row != HT_NO_ROW;
		settle(p, &p->of_site, i, &s->items[i].c);
		if (p->of_each_site)
			set_own_peak(&s->items[i].c, &p->of_each_site[i]);
		else if (p->a->options.by == HT_BY_STACK && row != HT_NO_ROW)
			set_own_peak(&s->items[i].c, &s->levels[row]);
	}
	p->a->sites = s;
}

void ht_tally_finish(struct ht_tally_pass *p)
{
	finish_threads(p);
	finish_sizes(p);
	finish_sites(p);
	free_sets(&p->of_site);
	free_sets(&p->of_thread);
	free_sets(&p->of_size);
	free(p->of_each_site);
	free(p->nodes);
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
	free(s->level_variances);
	free(s->totals);
	free(s);
}
