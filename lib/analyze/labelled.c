/* labelled: see labelled.h. The peak is kept as in tally.h: by epochs. */
#include "labelled.h"

#include "estimate.h"

#include <stdlib.h>
#include <string.h>

#include "tally.h"

/* --- groups of threads -------------------------------------------------------------------- */

static char *process_label(const struct ht_trace *t, uint32_t image)
{
	const struct ht_image *i = ht_trace_image(t, image);
	return ht_xasprintf("%s %u", i ? ht_base_name(ht_trace_string(t, i->exe, NULL)) : "", i ? i->pid : 0);
}

static char *thread_label(const struct ht_trace *t, const struct ht_thread_info *i)
{
	const char *name = ht_trace_string(t, i->name, NULL);
	return *name ? ht_xstrdup(name) : ht_xasprintf("%u", i->tid);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static uint32_t hash_text(const char *s)
{
	uint32_t h = 2166136261u;
	for (; s && *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

/* Threads of one name are one group, as the workers of a pool are. */
static void group_threads(struct ht_labelled *l)
{
	const struct ht_trace *t = l->a->trace;
	const unsigned labels = l->a->options.labels;
	struct ht_index index = {0};
	l->group_of = ht_xcalloc(l->a->thread_count, sizeof(*l->group_of));
	l->groups = ht_xcalloc(l->a->thread_count, sizeof(*l->groups));
	for (uint32_t i = 0; i < l->a->thread_count; i++) {
		const struct ht_thread_info *info = ht_trace_thread(t, i);
		struct ht_label_group g = {
			.thread = labels & HT_LABEL_THREAD ? thread_label(t, info) : NULL,
			.process = labels & HT_LABEL_PROCESS ? process_label(t, info->image) : NULL,
		};
		uint32_t hash = ht_mix((uint64_t)hash_text(g.thread) << 32 | hash_text(g.process)), v;
		for (size_t k = ht_index_start(&index, hash); (v = ht_index_at(&index, &k, hash)) != HT_INDEX_NONE; k++)
			if (same_text(l->groups[v].thread, g.thread) && same_text(l->groups[v].process, g.process))
				break;
		if (v == HT_INDEX_NONE) {
			v = l->group_count++;
			l->groups[v] = g;
			ht_index_insert(&index, hash, v);
		} else {
			free(g.thread);
			free(g.process);
		}
		l->group_of[i] = v;
	}
	ht_index_release(&index);
}

/* --- entries ------------------------------------------------------------------------------ */

static bool wanted(struct ht_labelled *l, const struct ht_step *b, uint32_t node)
{
	if (!b->wanted)
		return false;
	if (!l->shown[node])
		l->shown[node] = ht_stacks_shown(l->a->stacks, node) ? 2 : 1;
	return l->shown[node] == 2;
}

/* NULL: the filters leave the block out. */
static struct ht_labelled_entry *entry_of(struct ht_labelled *l, const struct ht_step *b)
{
	const struct ht_stacks *s = l->a->stacks;
	uint32_t node = s->canon[b->birth_stack < s->node_count ? b->birth_stack : 0];
	uint32_t class = l->a->options.labels & HT_LABEL_SIZE ? ht_size_class_of(b->size) : 0, v;
	uint32_t group = l->group_of[b->owner];
	if (!wanted(l, b, node))
		return NULL;
	uint32_t hash = ht_mix(((uint64_t)node << 32 | group) * 65 + class);
	for (size_t i = ht_index_start(&l->index, hash); (v = ht_index_at(&l->index, &i, hash)) != HT_INDEX_NONE; i++)
		if (l->items[v].node == node && l->items[v].group == group && l->items[v].size_class == class)
			return &l->items[v];
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 256;
		l->items = ht_xrealloc(l->items, l->cap, sizeof(*l->items));
	}
	ht_index_insert(&l->index, hash, l->count);
	l->items[l->count] = (struct ht_labelled_entry){
		.node = node, .group = group, .size_class = class, .epoch = l->epoch};
	return &l->items[l->count++];
}

static void settle_peak(const struct ht_labelled *l, struct ht_labelled_entry *e)
{
	if (e->epoch == l->epoch)
		return;
	e->c.peak_objects = e->now_objects;
	e->c.peak_bytes = e->now_bytes;
	e->epoch = l->epoch;
}

/* by: +1 or -1 block. A new maximum of everything begins an epoch; an equal one is none. */
static void change(struct ht_labelled *l, struct ht_labelled_entry *e, struct ht_amount n, uint64_t by)
{
	if (e) {
		settle_peak(l, e);
		e->now_objects += by * n.objects;
		e->now_bytes += by * n.bytes;
	}
	l->now_bytes += by * n.bytes;
	if (l->now_bytes > l->peak_bytes) {
		l->peak_bytes = l->now_bytes;
		l->epoch++;
	}
}

static void count_death(const struct ht_labelled *l, struct ht_labelled_entry *e, const struct ht_step *s,
			struct ht_amount n, uint64_t by)
{
	bool temporary = s->same_thread && !s->implied && s->between <= l->a->options.temporary;
	e->c.frees += by * n.objects;
	e->c.freed_bytes += by * n.bytes;
	e->c.temporary += temporary ? by * n.objects : 0;
	e->c.temporary_bytes += temporary ? by * n.bytes : 0;
}

static void take_instant(struct ht_labelled *l)
{
	l->instant_taken = true;
	for (uint32_t i = 0; i < l->count; i++) {
		l->items[i].c.live_objects = l->items[i].now_objects;
		l->items[i].c.live_bytes = l->items[i].now_bytes;
	}
}

static void one_step(struct ht_labelled *l, const struct ht_step *s)
{
	if (s->kind == HT_STEP_INSTANT)
		take_instant(l);
	if (!s->selected)
		return;
	struct ht_labelled_entry *e = entry_of(l, s);
	const struct ht_amount n = ht_amount_of(l->a, s->size);
	change(l, e, n, s->kind == HT_STEP_BIRTH || s->kind == HT_STEP_REVIVE ? 1 : (uint64_t)-1);
	if (!e)
		return;
	switch (s->kind) {
	case HT_STEP_BIRTH:
		e->c.allocs += n.objects;
		e->c.bytes += n.bytes;
		break;
	case HT_STEP_DEATH:
		count_death(l, e, s, n, 1);
		break;
	case HT_STEP_REVIVE:
		count_death(l, e, s, n, (uint64_t)-1);
		break;
	case HT_STEP_LEFT:
		e->c.leaked_objects += n.objects;
		e->c.leaked_bytes += n.bytes;
		break;
	default:
		break;
	}
}

static void steps(void *state, const struct ht_step *steps, size_t count)
{
	for (const struct ht_step *s = steps; s < steps + count; s++)
		one_step(state, s);
}

static void end(void *state, uint64_t last_ns)
{
	struct ht_labelled *l = state;
	bool at_peak = l->a->options.selection.at == HT_AT_PEAK;
	(void)last_ns;
	for (uint32_t i = 0; i < l->count; i++) {
		struct ht_counters *c = &l->items[i].c;
		settle_peak(l, &l->items[i]);
		if (at_peak || !l->instant_taken) {
			c->live_objects = at_peak ? c->peak_objects : c->leaked_objects;
			c->live_bytes = at_peak ? c->peak_bytes : c->leaked_bytes;
		}
		uint64_t *sums[] = {&c->allocs,	     &c->bytes,	       &c->frees,	   &c->freed_bytes,
				    &c->live_objects, &c->live_bytes,   &c->peak_objects,   &c->peak_bytes,
				    &c->leaked_objects, &c->leaked_bytes, &c->temporary, &c->temporary_bytes};
		for (size_t k = 0; k < HT_ARRAY_SIZE(sums); k++)
			ht_amount_whole(l->a, sums[k]);
	}
}

/* --- the whole ---------------------------------------------------------------------------- */

struct ht_labelled *ht_labelled_new(struct ht_analysis *a)
{
	struct ht_labelled *l = ht_xcalloc(1, sizeof(*l));
	l->a = a;
	l->epoch = 1;
	l->shown = ht_xcalloc(a->stacks->node_count, sizeof(*l->shown));
	group_threads(l);
	return l;
}

struct ht_pass ht_labelled_pass(struct ht_labelled *l)
{
	return (struct ht_pass){.name = "labelled", .state = l, .steps = steps, .end = end};
}

void ht_labelled_free(struct ht_labelled *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < l->group_count; i++) {
		free(l->groups[i].thread);
		free(l->groups[i].process);
	}
	ht_index_release(&l->index);
	free(l->groups);
	free(l->group_of);
	free(l->items);
	free(l->shown);
	free(l);
}

size_t ht_labelled_labels(const struct ht_labelled *l, const struct ht_labelled_entry *e, struct ht_profile_label *out)
{
	const struct ht_label_group *g = &l->groups[e->group];
	size_t n = 0;
	if (g->thread)
		out[n++] = (struct ht_profile_label){.key = "thread", .str = g->thread};
	if (g->process)
		out[n++] = (struct ht_profile_label){.key = "process", .str = g->process};
	/* As Go has it: the size of a block, here the mean of its class, exact where all are equal. */
	if (l->a->options.labels & HT_LABEL_SIZE)
		out[n++] = (struct ht_profile_label){
			.key = "bytes",
			.num = e->c.allocs ? (int64_t)(e->c.bytes / e->c.allocs) : 0,
			.unit = "bytes",
		};
	return n;
}
