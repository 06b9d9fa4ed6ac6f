/* fates: see fates.h. */
#include "fates.h"

#include <stdlib.h>

struct ht_undo {
	bool present;
	uint32_t fate;
	uint64_t number;
	struct ht_birth birth;
};

const uint64_t ht_generations_ns[HT_GENERATIONS] = {1000000, 1000000000, UINT64_C(60000000000)};

/* --- spreads ------------------------------------------------------------------------------ */

static unsigned class_of(uint64_t v)
{
	if (v < 4)
		return (unsigned)v;
	unsigned octave = 63u - (unsigned)__builtin_clzll(v);
	return 4 + (octave - 2) * 4 + (unsigned)(v >> (octave - 2) & 3);
}

uint64_t ht_loghist_bound(unsigned k)
{
	if (k < 4)
		return k;
	unsigned octave = 2 + (k - 4) / 4;
	return octave > 63 ? UINT64_MAX : (UINT64_C(4) + (k - 4) % 4) << (octave - 2);
}

void ht_loghist_add(struct ht_loghist *s, uint64_t value, uint64_t by)
{
	s->count += by;
	s->classes[class_of(value)] += by;
	if (value > s->max)
		s->max = value;
}

uint64_t ht_loghist_percentile(const struct ht_loghist *s, double share)
{
	uint64_t seen = 0;
	double wanted = share * (double)s->count;
	for (unsigned k = 0; k < HT_LOGHIST_CLASSES; k++) {
		seen += s->classes[k];
		if (!s->classes[k] || (double)seen < wanted)
			continue;
		uint64_t end = ht_loghist_bound(k + 1) - 1;
		return end < s->max ? end : s->max;
	}
	return s->max;
}

/* --- sites -------------------------------------------------------------------------------- */

uint32_t ht_escape_row_of(const struct ht_analysis *a, uint32_t node)
{
	if (!ht_stacks_shown(a->stacks, node))
		return UINT32_MAX;
	return a->stacks->keys[ht_stacks_callsite_index(a->stacks, node)];
}

/* Frames of the stack from the callsite's outward. */
static uint32_t callsite_depth(const struct ht_fates *f, uint32_t node)
{
	const struct ht_stacks *s = f->stacks;
	uint32_t callsite = ht_stacks_callsite_index(s, node), n = node;
	for (uint32_t left = HT_STACK_MAX_NODES; n && left; left--) {
		const struct ht_location *l = &s->locations[s->location[n]];
		if (callsite >= l->first && callsite < l->first + l->count)
			return f->shapes.of[n].depth;
		n = f->shapes.of[n].parent;
	}
	return f->shapes.of[node].depth;
}

/* Its number + 1. */
static __attribute__((noinline)) uint32_t new_site(struct ht_fates *f, uint32_t node)
{
	if (f->site_of[node])
		return f->site_of[node];
	if (f->site_count == f->site_cap) {
		f->site_cap = f->site_cap ? f->site_cap * 2 : 256;
		f->sites = ht_xrealloc(f->sites, f->site_cap, sizeof(*f->sites));
	}
	f->sites[f->site_count] = (struct ht_birth_site){
		.node = node,
		.row = ht_escape_row_of(f->a, node),
		.last_thread = UINT32_MAX,
		.last_fate = UINT32_MAX,
		.last_size = UINT32_MAX,
		.callsite_depth = callsite_depth(f, node),
	};
	return f->site_of[node] = ++f->site_count;
}

/* Of the block that the step is about; NULL: it is not asked for. */
static struct ht_birth_site *site_of(struct ht_fates *f, const struct ht_step *s)
{
	uint32_t stack = s->birth_stack;
	if (!s->selected || !s->wanted)
		return NULL;
	stack = stack < f->stacks->node_count ? stack : 0;
	uint32_t known = f->site_of[stack];
	if (__builtin_expect(!known, 0))
		known = f->site_of[stack] = new_site(f, f->stacks->canon[stack]);
	struct ht_birth_site *site = &f->sites[known - 1];
	return site->row == UINT32_MAX ? NULL : site;
}

static void count_size(struct ht_fates *f, struct ht_birth_site *site, uint64_t size)
{
	uint32_t row = site->row, last = site->last_size;
	if (last < f->size_count && f->sizes[last].row == row && f->sizes[last].size == size) {
		f->sizes[last].allocs++;
		return;
	}
	uint32_t hash = ht_mix(size * 0x9e3779b1 + row), v;
	for (size_t i = ht_index_start(&f->by_size, hash); (v = ht_index_at(&f->by_size, &i, hash)) != HT_INDEX_NONE; i++)
		if (f->sizes[v].row == row && f->sizes[v].size == size) {
			f->sizes[v].allocs++;
			site->last_size = v;
			return;
		}
	if (f->size_count == f->size_cap) {
		f->size_cap = f->size_cap ? f->size_cap * 2 : 256;
		f->sizes = ht_xrealloc(f->sizes, f->size_cap, sizeof(*f->sizes));
	}
	f->sizes[f->size_count] = (struct ht_size_count){row, size, 1};
	site->last_size = f->size_count;
	ht_index_insert(&f->by_size, hash, f->size_count++);
}

/* --- fates -------------------------------------------------------------------------------- */

static bool same_fate(const struct ht_fate *a, const struct ht_fate *b)
{
	return a->birth == b->birth && a->death == b->death && a->starter == b->starter && a->alive == b->alive &&
	       a->kind == b->kind && a->again == b->again;
}

static uint32_t fate_of(struct ht_fates *f, const struct ht_fate *want)
{
	uint32_t hash = ht_mix(((uint64_t)want->birth << 32 | want->death) + want->starter * UINT64_C(0x9e3779b97f4a7c15) +
			       want->alive * UINT64_C(0xd6e8feb86659fd93) + want->kind * 2 + want->again), v;
	for (size_t i = ht_index_start(&f->index, hash); (v = ht_index_at(&f->index, &i, hash)) != HT_INDEX_NONE; i++) {
		if (same_fate(&f->items[v], want))
			return v;
	}
	if (f->count == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 1024;
		f->items = ht_xrealloc(f->items, f->cap, sizeof(*f->items));
	}
	f->items[f->count] = *want;
	ht_index_insert(&f->index, hash, f->count);
	return f->count++;
}

/* Mostly that of the site's block before. */
static uint32_t add_fate(struct ht_fates *f, struct ht_birth_site *site, const struct ht_step *s, const struct ht_fate *want)
{
	uint32_t v = site->last_fate;
	if (v >= f->count || !same_fate(&f->items[v], want))
		v = site->last_fate = fate_of(f, want);
	struct ht_fate *fate = &f->items[v];
	fate->blocks++;
	fate->bytes += s->size;
	if (s->birth_ns > fate->last_birth_ns)
		fate->last_birth_ns = s->birth_ns;
	return v;
}

static void set_freed(const struct ht_fates *f, const struct ht_step *s, const struct ht_birth_site *site,
		      const struct ht_birth *born, struct ht_fate *fate)
{
	uint32_t depth = f->shapes.of[s->birth_stack < f->stacks->node_count ? s->birth_stack : 0].depth;
	if (!s->stack) {
		fate->kind = HT_FATE_NO_STACK;
		return;
	}
	int alive = -1;
	if (born && born->machine < HT_MACHINES) {
		const struct ht_moment moment = {born->event, born->machine};
		alive = ht_activity_alive(&f->threads[s->owner], &moment, depth);
	}
	fate->kind = alive < 0 ? HT_FATE_ASTRAY : HT_FATE_FREED;
	fate->alive = alive < 0 ? 0 : (uint16_t)alive;
	fate->again = alive >= 0 && site->last_thread == s->owner && site->turn != born->turn;
}

static void on_birth(struct ht_fates *f, const struct ht_step *s)
{
	struct ht_birth *born = ht_birth_log_add(&f->births, s->owner);
	const struct ht_moment now = ht_activity_now(&f->threads[s->owner]);
	born->event = now.event;
	born->machine = now.machine < HT_MACHINES ? now.machine : HT_MACHINES;
	struct ht_birth_site *site = site_of(f, s);
	if (!site)
		return;
	struct ht_escape_row *row = &f->rows[site->row];
	if (site->last_thread == s->owner && site->callsite_depth) {
		int alive = ht_activity_alive(&f->threads[s->owner], &site->last, site->callsite_depth);
		site->separated += alive >= 0 && (uint32_t)alive < site->callsite_depth;
	}
	site->last = now;
	site->last_thread = s->owner;
	born->turn = ++site->turn;
	site->allocs++;
	site->bytes += s->size;
	if (s->birth_ns > site->last_birth_ns)
		site->last_birth_ns = s->birth_ns;
	row->allocs++;
	row->bytes += s->size;
	row->ops |= 1u << s->op;
	row->node = site->node;
	count_size(f, site, s->size);
}

static void note_age(struct ht_escape_row *row, uint64_t ns, uint64_t by)
{
	for (unsigned i = 0; i < HT_GENERATIONS; i++)
		row->survived[i] += ns >= ht_generations_ns[i] ? by : 0;
}

static void note_lifetime(struct ht_fates *f, const struct ht_birth_site *site, const struct ht_step *s, uint64_t by)
{
	struct ht_escape_row *row = &f->rows[site->row];
	if (!row->lived) {
		row->lived = ht_xcalloc(1, sizeof(*row->lived));
		row->between = f->ages ? ht_xcalloc(1, sizeof(*row->between)) : NULL;
	}
	ht_loghist_add(row->lived, s->lived_ns, by);
	if (!f->ages)
		return;
	note_age(row, s->lived_ns, by);
	ht_loghist_add(row->between, s->between, by);
}

static void on_death(struct ht_fates *f, const struct ht_step *s)
{
	uint64_t number = ht_birth_number(&f->births, s->owner, s->between);
	struct ht_birth birth = {0};
	const struct ht_birth *born = ht_birth_log_take(&f->births, s->owner, number, &birth) ? &birth : NULL;
	struct ht_birth_site *site = site_of(f, s);
	uint32_t fate = UINT32_MAX;
	if (site) {
		struct ht_fate want = {.birth = site->node};
		if (s->implied) {
			want.kind = HT_FATE_UNSEEN;
		} else if (!s->same_thread) {
			const struct ht_thread_info *t = ht_trace_thread(f->a->trace, s->thread);
			want.kind = HT_FATE_THREAD;
			want.starter = t ? t->start_routine : 0;
		} else {
			set_freed(f, s, site, born, &want);
		}
		if (!s->implied)
			want.death = f->stacks->canon[s->stack < f->stacks->node_count ? s->stack : 0];
		fate = add_fate(f, site, s, &want);
		if (!s->implied)
			note_lifetime(f, site, s, 1);
	}
	if (s->op == HT_OP_REALLOC_FREE || s->op == HT_OP_REALLOC_FREE_UNKNOWN)
		f->undo[s->thread] = (struct ht_undo){born != NULL, fate, number, birth};
}

static void on_revive(struct ht_fates *f, const struct ht_step *s)
{
	struct ht_undo *u = &f->undo[s->thread];
	if (!u->present)
		return;
	u->present = false;
	struct ht_birth *born = ht_birth_log_revive(&f->births, s->owner, u->number);
	if (born)
		*born = u->birth;
	if (u->fate == UINT32_MAX)
		return;
	struct ht_birth_site *site = site_of(f, s);
	f->items[u->fate].blocks--;
	f->items[u->fate].bytes -= s->size;
	if (site)
		note_lifetime(f, site, s, (uint64_t)-1);
}

static void on_left(struct ht_fates *f, const struct ht_step *s)
{
	struct ht_birth_site *site = site_of(f, s);
	if (!site)
		return;
	const struct ht_fate want = {.birth = site->node, .kind = HT_FATE_KEPT};
	add_fate(f, site, s, &want);
	f->rows[site->row].kept++;
	uint64_t until_ns = s->op ? s->time_ns : f->last_ns;
	note_age(&f->rows[site->row], until_ns > s->birth_ns ? until_ns - s->birth_ns : 0, 1);
}

/* Deaths find their births all over the log. */
static inline void look_ahead(const struct ht_fates *f, const struct ht_step *s)
{
	if (s->kind == HT_STEP_DEATH)
		ht_birth_log_prefetch(&f->births, s->owner, ht_birth_number(&f->births, s->owner, s->between));
}

static void steps(void *state, const struct ht_step *steps, size_t count)
{
	enum { AHEAD = 12 };
	struct ht_fates *f = state;
	for (const struct ht_step *s = steps; s < steps + count; s++) {
		if ((size_t)(steps + count - s) > AHEAD)
			look_ahead(f, s + AHEAD);
		if (s->kind == HT_STEP_LEFT) {
			on_left(f, s);
			continue;
		}
		if (s->kind == HT_STEP_INSTANT)
			continue;
		if (s->kind == HT_STEP_REVIVE) {
			if (s->undone == HT_STEP_DEATH)
				on_revive(f, s);
			continue;
		}
		f->gaps |= s->op == HT_OP_PAUSE && s->kind == HT_STEP_EVENT;
		if (s->time_ns > f->last_ns)
			f->last_ns = s->time_ns;
		if (!s->implied)
			ht_activity_event(&f->threads[s->thread], &f->shapes, s->stack, s->new_machine);
		if (s->kind == HT_STEP_BIRTH)
			on_birth(f, s);
		else if (s->kind == HT_STEP_DEATH)
			on_death(f, s);
	}
}

/* --- beginning and end -------------------------------------------------------------------- */

static void end(void *state, uint64_t last_ns)
{
	struct ht_fates *f = state;
	(void)last_ns;
	for (uint32_t i = 0; i < f->count; i++) {
		struct ht_birth_site *site = &f->sites[f->site_of[f->items[i].birth] - 1];
		f->items[i].next = site->first_fate;
		site->first_fate = i + 1;
	}
	for (uint32_t i = 0; i < f->site_count; i++) {
		const struct ht_birth_site *site = &f->sites[i];
		if (site->row != UINT32_MAX)
			f->rows[site->row].frame = ht_stacks_callsite(f->stacks, site->node);
	}
}

static bool has_gaps(const struct ht_trace *t)
{
	bool footer;
	const struct ht_trace_totals *totals = ht_trace_totals(t, &footer);
	bool gaps = !footer || ht_trace_settings(t)->sample_bytes;
	for (unsigned i = 0; footer && i < HT_LOST_COUNT; i++)
		gaps |= totals->lost[i] > 0;
	return gaps;
}

struct ht_fates *ht_fates_new(struct ht_analysis *a, bool ages)
{
	struct ht_fates *f = ht_xcalloc(1, sizeof(*f));
	f->a = a;
	f->stacks = a->stacks;
	f->gaps = has_gaps(a->trace);
	f->ages = ages;
	ht_shapes_init(&f->shapes, a->stacks);
	f->threads = ht_xcalloc(a->thread_count, sizeof(*f->threads));
	f->undo = ht_xcalloc(a->thread_count, sizeof(*f->undo));
	f->site_of = ht_xcalloc(a->stacks->node_count, sizeof(*f->site_of));
	f->row_count = a->stacks->key_count;
	f->rows = ht_xcalloc(f->row_count, sizeof(*f->rows));
	ht_birth_log_init(&f->births, (uint32_t)a->thread_count, sizeof(struct ht_birth));
	return f;
}

struct ht_pass ht_fates_pass(struct ht_fates *f)
{
	return (struct ht_pass){.name = "fates", .state = f, .steps = steps, .end = end};
}

void ht_fates_free(struct ht_fates *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->a->thread_count; i++)
		ht_activity_release(&f->threads[i]);
	for (uint32_t i = 0; i < f->row_count; i++) {
		free(f->rows[i].lived);
		free(f->rows[i].between);
	}
	ht_birth_log_release(&f->births);
	ht_shapes_release(&f->shapes);
	ht_index_release(&f->index);
	ht_index_release(&f->by_size);
	free(f->threads);
	free(f->undo);
	free(f->site_of);
	free(f->sites);
	free(f->items);
	free(f->rows);
	free(f->sizes);
	free(f);
}
