/* estimate: see estimate.h. */
#include "estimate.h"

#include <math.h>
#include <stdlib.h>

/* Blocks and bytes, and the variances of both. */
struct sum {
	double objects, bytes, objects_var, bytes_var;
};

struct set {
	struct sum born, freed, freed_here, left, now, instant, peak, own_peak;
	uint64_t epoch, own_peak_ns; /* as in tally.h */
};

struct ht_estimate {
	struct ht_analysis *a;
	struct set total, *images, *threads, sizes[HT_SIZE_CLASSES];
	double cross_thread, *freed_foreign; /* blocks; the latter per thread */
	struct set **nodes; /* per canonical node; NULL: nothing of it yet */
	struct set **rows;  /* per key of a callsite's frame: own peaks alone; not by stack */
	uint64_t epoch;
	bool instant_taken;
};

/* --- spreads ------------------------------------------------------------------------------ */

struct ht_spread_pool {
	struct ht_spread_pool *next;
	struct ht_spread items[64];
	size_t used;
};

struct ht_spread *ht_spread_new(struct ht_spread_pool **pool)
{
	if (!*pool || (*pool)->used == HT_ARRAY_SIZE((*pool)->items)) {
		struct ht_spread_pool *p = ht_xcalloc(1, sizeof(*p));
		p->next = *pool;
		*pool = p;
	}
	struct ht_spread *s = &(*pool)->items[(*pool)->used++];
	s->pool = pool;
	return s;
}

void ht_spreads_free(struct ht_spread_pool *p)
{
	while (p) {
		struct ht_spread_pool *next = p->next;
		free(p);
		p = next;
	}
}

/* --- sums --------------------------------------------------------------------------------- */

static struct sum of_block(const struct ht_analysis *a, uint64_t size)
{
	double rate = (double)a->sample_bytes, s = (double)size;
	double p = -expm1(-(size ? s : 1) / rate), v = (1 - p) / (p * p);
	return (struct sum){1 / p, s / p, v, v * s * s};
}

static uint64_t whole(double v)
{
	return v <= 0 ? 0 : v >= 9e18 ? (uint64_t)9e18 : (uint64_t)(v + 0.5);
}

static void add(struct sum *to, const struct sum *b, double by)
{
	to->objects += by * b->objects;
	to->bytes += by * b->bytes;
	to->objects_var += by * b->objects_var;
	to->bytes_var += by * b->bytes_var;
}

/* Levels go down again: what rounding leaves below nothing is nothing. */
static void change_now(struct ht_estimate *e, struct set *t, const struct sum *b, double by)
{
	if (t->epoch != e->epoch) {
		t->peak = t->now;
		t->epoch = e->epoch;
	}
	add(&t->now, b, by);
}

static bool raise_now(struct ht_estimate *e, struct set *t, const struct sum *b, uint64_t ns)
{
	change_now(e, t, b, 1);
	/* A level that only differs by what doubles cannot hold is no higher one. */
	if (t->now.bytes <= t->own_peak.bytes * (1 + 1e-12))
		return false;
	t->own_peak = t->now;
	t->own_peak_ns = ns;
	return true;
}

/* --- the pass ----------------------------------------------------------------------------- */

static struct set *made(struct set **place, uint64_t epoch)
{
	if (!*place) {
		*place = ht_xcalloc(1, sizeof(**place));
		(*place)->epoch = epoch;
	}
	return *place;
}

/* The set of a stack, NULL: sites are not asked for, or the filters leave the step's block out. */
static struct set *site_of(struct ht_estimate *e, uint32_t stack, const struct ht_step *step)
{
	const struct ht_stacks *s = e->a->stacks;
	if (!e->nodes || !step->wanted)
		return NULL;
	return made(&e->nodes[s->canon[stack < s->node_count ? stack : 0]], e->epoch);
}

static struct set *row_of(struct ht_estimate *e, uint32_t stack)
{
	const struct ht_stacks *s = e->a->stacks;
	uint32_t node = s->canon[stack < s->node_count ? stack : 0];
	if (!e->rows || !ht_stacks_shown(s, node))
		return NULL;
	return made(&e->rows[s->keys[ht_stacks_callsite_index(s, node)]], e->epoch);
}

static void each_of(struct ht_estimate *e, const struct ht_step *s, struct set *out[6])
{
	struct set *site = site_of(e, s->birth_stack, s);
	out[0] = &e->images[s->image];
	out[1] = &e->threads[s->owner];
	out[2] = &e->sizes[ht_size_class_of(s->size)];
	out[3] = site;
	out[4] = site ? row_of(e, s->birth_stack) : NULL;
	out[5] = &e->total; /* last: its new maximum is the others' next epoch */
}

static void freed_here(struct ht_estimate *e, const struct ht_step *s, const struct sum *b, double by)
{
	struct set *site = s->stack ? site_of(e, s->stack, s) : NULL;
	if (s->implied)
		return;
	if (!s->same_thread) {
		e->cross_thread += by * b->objects;
		e->freed_foreign[s->thread] += by * b->objects;
	}
	add(&e->total.freed_here, b, by);
	add(&e->images[s->image].freed_here, b, by);
	add(&e->threads[s->thread].freed_here, b, by);
	if (site)
		add(&site->freed_here, b, by);
}

static void one_step(struct ht_estimate *e, const struct ht_step *s)
{
	struct sum b = of_block(e->a, s->size);
	struct set *sets[6];
	bool higher = false;
	each_of(e, s, sets);
	for (size_t i = 0; i < HT_ARRAY_SIZE(sets); i++) {
		struct set *t = sets[i];
		if (!t)
			continue;
		if (s->kind == HT_STEP_BIRTH || s->kind == HT_STEP_REVIVE)
			higher = raise_now(e, t, &b, s->time_ns);
		else
			change_now(e, t, &b, -1);
		if (s->kind == HT_STEP_BIRTH)
			add(&t->born, &b, 1);
		else if (s->kind == HT_STEP_LEFT)
			add(&t->left, &b, 1);
		else
			add(&t->freed, &b, s->kind == HT_STEP_DEATH ? 1 : -1);
	}
	e->epoch += higher; /* the total's answer, which came last */
	if (s->kind == HT_STEP_DEATH || s->kind == HT_STEP_REVIVE)
		freed_here(e, s, &b, s->kind == HT_STEP_DEATH ? 1 : -1);
	e->a->samples += s->kind == HT_STEP_BIRTH;
}

static void each_set(struct ht_estimate *e, void (*visit)(struct ht_estimate *, struct set *))
{
	visit(e, &e->total);
	for (size_t i = 0; i < e->a->image_count; i++)
		visit(e, &e->images[i]);
	for (size_t i = 0; i < e->a->thread_count; i++)
		visit(e, &e->threads[i]);
	for (size_t i = 0; i < HT_SIZE_CLASSES; i++)
		visit(e, &e->sizes[i]);
	for (uint32_t i = 0; e->nodes && i < e->a->stacks->node_count; i++)
		if (e->nodes[i])
			visit(e, e->nodes[i]);
}

static void take_instant(struct ht_estimate *e, struct set *t)
{
	(void)e;
	t->instant = t->now;
}

static void settle(struct ht_estimate *e, struct set *t)
{
	const struct sum nothing = {0, 0, 0, 0};
	change_now(e, t, &nothing, 0);
	if (e->a->options.selection.at == HT_AT_PEAK)
		t->instant = t->peak;
	else if (!e->instant_taken)
		t->instant = t->left;
}

static void steps(void *state, const struct ht_step *steps, size_t count)
{
	struct ht_estimate *e = state;
	for (const struct ht_step *s = steps; s < steps + count; s++) {
		if (s->selected)
			one_step(e, s);
		else if (s->kind == HT_STEP_INSTANT) {
			e->instant_taken = true;
			each_set(e, take_instant);
		}
	}
}

struct ht_pass ht_estimate_pass(struct ht_estimate *e)
{
	return (struct ht_pass){.name = "estimate", .state = e, .steps = steps};
}

struct ht_estimate *ht_estimate_new(struct ht_analysis *a)
{
	struct ht_estimate *e;
	a->sample_bytes = ht_trace_settings(a->trace)->sample_bytes;
	if (!a->sample_bytes)
		return NULL;
	e = ht_xcalloc(1, sizeof(*e));
	e->a = a;
	e->images = ht_xcalloc(a->image_count, sizeof(*e->images));
	e->threads = ht_xcalloc(a->thread_count, sizeof(*e->threads));
	e->freed_foreign = ht_xcalloc(a->thread_count, sizeof(*e->freed_foreign));
	if (a->options.sites)
		e->nodes = ht_xcalloc(a->stacks->node_count, sizeof(*e->nodes));
	if (a->options.sites && a->options.by != HT_BY_STACK)
		e->rows = ht_xcalloc(a->stacks->key_count, sizeof(*e->rows));
	return e;
}

struct ht_amount ht_amount_estimated(const struct ht_analysis *a, uint64_t size)
{
	struct sum b = of_block(a, size);
	return (struct ht_amount){whole(b.objects * HT_AMOUNT_ONE), whole(b.bytes * HT_AMOUNT_ONE)};
}

/* --- results ------------------------------------------------------------------------------ */

static void hand_over(struct ht_estimate *e, const struct set *t, struct ht_counters *c)
{
	struct ht_spread *s = ht_spread_new(&e->a->spreads);
	*c = (struct ht_counters){
		.allocs = whole(t->born.objects),
		.bytes = whole(t->born.bytes),
		.frees = whole(t->freed.objects),
		.freed_bytes = whole(t->freed.bytes),
		.freed_here = whole(t->freed_here.objects),
		.live_objects = whole(t->instant.objects),
		.live_bytes = whole(t->instant.bytes),
		.peak_objects = whole(t->peak.objects),
		.peak_bytes = whole(t->peak.bytes),
		.own_peak_known = true,
		.own_peak_bytes = whole(t->own_peak.bytes),
		.own_peak_objects = whole(t->own_peak.objects),
		.own_peak_time_ns = t->own_peak_ns,
		.leaked_objects = whole(t->left.objects),
		.leaked_bytes = whole(t->left.bytes),
		.spread = s,
	};
	const double variances[HT_SPREAD_COUNT] = {
		[HT_SPREAD_ALLOCS] = t->born.objects_var,
		[HT_SPREAD_BYTES] = t->born.bytes_var,
		[HT_SPREAD_FREES] = t->freed.objects_var,
		[HT_SPREAD_FREED_HERE] = t->freed_here.objects_var,
		[HT_SPREAD_LIVE_OBJECTS] = t->instant.objects_var,
		[HT_SPREAD_LIVE_BYTES] = t->instant.bytes_var,
		[HT_SPREAD_PEAK_OBJECTS] = t->peak.objects_var,
		[HT_SPREAD_PEAK_BYTES] = t->peak.bytes_var,
		[HT_SPREAD_LEAKED_OBJECTS] = t->left.objects_var,
		[HT_SPREAD_LEAKED_BYTES] = t->left.bytes_var,
		[HT_SPREAD_OWN_PEAK_BYTES] = t->own_peak.bytes_var,
	};
	for (size_t i = 0; i < HT_SPREAD_COUNT; i++)
		s->variance[i] = variances[i] > 0 ? variances[i] : 0;
}

static void hand_over_sites(struct ht_estimate *e)
{
	struct ht_sites *sites = e->a->sites;
	for (uint32_t i = 0; sites && i < sites->count; i++) {
		const struct set *t = e->nodes[sites->items[i].node];
		bool known = sites->items[i].c.own_peak_known;
		if (!t)
			continue;
		hand_over(e, t, &sites->items[i].c);
		sites->items[i].c.own_peak_known = known;
	}
	if (sites)
		sites->level_variances = ht_xcalloc(sites->level_count, sizeof(*sites->level_variances));
	for (uint32_t i = 0; sites && i < sites->level_count; i++) {
		const struct set *t = e->rows ? e->rows[i] : i < sites->count ? e->nodes[sites->items[i].node] : NULL;
		if (!t)
			continue;
		sites->levels[i].peak_bytes = whole(t->own_peak.bytes);
		sites->levels[i].peak_objects = whole(t->own_peak.objects);
		sites->levels[i].peak_ns = t->own_peak_ns;
		sites->level_variances[i] = t->own_peak.bytes_var > 0 ? t->own_peak.bytes_var : 0;
	}
}

static void hand_over_sizes(struct ht_estimate *e)
{
	for (size_t i = 0; i < HT_SIZE_CLASSES; i++) {
		struct ht_counters c;
		hand_over(e, &e->sizes[i], &c);
		ht_size_class_set(&e->a->sizes[i], (unsigned)i, &c);
	}
}

static void release(struct ht_estimate *e)
{
	for (uint32_t i = 0; e->nodes && i < e->a->stacks->node_count; i++)
		free(e->nodes[i]);
	for (uint32_t i = 0; e->rows && i < e->a->stacks->key_count; i++)
		free(e->rows[i]);
	free(e->nodes);
	free(e->rows);
	free(e->images);
	free(e->threads);
	free(e->freed_foreign);
	free(e);
}

void ht_estimate_finish(struct ht_estimate *e)
{
	struct ht_analysis *a = e->a;
	each_set(e, settle);
	hand_over(e, &e->total, &a->totals.c);
	a->totals.has_peak = e->total.own_peak.bytes > 0;
	a->totals.peak_time_ns = e->total.own_peak_ns;
	for (size_t i = 0; i < a->image_count; i++)
		hand_over(e, &e->images[i], &a->images[i].c);
	for (size_t i = 0; i < a->thread_count; i++) {
		hand_over(e, &e->threads[i], &a->threads[i].c);
		a->threads[i].freed_foreign = whole(e->freed_foreign[i]);
	}
	a->totals.cross_thread_frees = whole(e->cross_thread);
	hand_over_sizes(e);
	hand_over_sites(e);
	release(e);
}
