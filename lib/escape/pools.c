/* pools: see pools.h. */
#include "pools.h"

#include <stdlib.h>
#include <string.h>

#include "birth_log.h"
#include "fates.h"

/* peaks[i]: the greatest height since the block at i was put there, as far as those above it that are gone tell. */
struct shelf {
	uint32_t row, thread; /* thread UINT32_MAX: shared by all */
	uint32_t *peaks, height, cap;
	uint64_t *needs;
	uint32_t need_cap;
	uint64_t requests;
};

struct pooled { /* a live block */
	uint32_t row;
};

/* What is to be done with a row's shared shelf. The trace's order is exact within a thread alone; across threads times
 * are nearer to what happened, so it waits until nothing earlier can come. */
struct shared_op {
	uint64_t ns, number; /* number: in the trace's order */
	uint32_t row;
	bool puts;
};
enum { WAITING = 1 << 15 };

struct ht_pools_pass {
	struct ht_analysis *a;
	struct ht_birth_log births;
	uint32_t *row_of; /* per canonical node: + 1 */
	struct shelf *shelves;
	uint32_t count, cap;
	struct ht_index index;
	struct ht_pool_row *rows;
	uint32_t row_count;
	struct shared_op *waiting;
	size_t waiting_count;
	uint64_t ops;
	struct ht_pooled_undo {
		bool present;
		uint64_t number;
		struct pooled was;
	} *undo; /* per thread */
};

static uint32_t row_of(struct ht_pools_pass *p, const struct ht_step *s)
{
	const struct ht_stacks *stacks = p->a->stacks;
	uint32_t node = stacks->canon[s->birth_stack < stacks->node_count ? s->birth_stack : 0];
	if (!s->selected || !s->wanted || s->op == HT_OP_REALLOC)
		return UINT32_MAX;
	if (!p->row_of[node]) {
		uint32_t row = ht_escape_row_of(p->a, node);
		p->row_of[node] = row + 1;
		if (row != UINT32_MAX)
			p->rows[row].node = node;
	}
	return p->row_of[node] - 1;
}

static struct shelf *shelf_of(struct ht_pools_pass *p, uint32_t row, uint32_t thread)
{
	uint32_t hash = ht_mix((uint64_t)row << 32 | thread), v;
	for (size_t i = ht_index_start(&p->index, hash); (v = ht_index_at(&p->index, &i, hash)) != HT_INDEX_NONE; i++)
		if (p->shelves[v].row == row && p->shelves[v].thread == thread)
			return &p->shelves[v];
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 256;
		p->shelves = ht_xrealloc(p->shelves, p->cap, sizeof(*p->shelves));
	}
	p->shelves[p->count] = (struct shelf){.row = row, .thread = thread};
	ht_index_insert(&p->index, hash, p->count);
	return &p->shelves[p->count++];
}

static void put(struct shelf *s)
{
	if (s->height == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->peaks = ht_xrealloc(s->peaks, s->cap, sizeof(*s->peaks));
	}
	s->height++;
	s->peaks[s->height - 1] = s->height;
}

static void take(struct shelf *s)
{
	s->requests++;
	if (!s->height)
		return;
	uint32_t i = --s->height, need = s->peaks[i] - i;
	if (i && s->peaks[i - 1] < s->peaks[i])
		s->peaks[i - 1] = s->peaks[i];
	if (need >= s->need_cap) {
		uint32_t cap = need * 2 < 16 ? 16 : need * 2;
		s->needs = ht_xrealloc(s->needs, cap, sizeof(*s->needs));
		memset(s->needs + s->need_cap, 0, (cap - s->need_cap) * sizeof(*s->needs));
		s->need_cap = cap;
	}
	s->needs[need]++;
}

static int by_time(const void *a, const void *b)
{
	const struct shared_op *x = a, *y = b;
	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static void do_shared(struct ht_pools_pass *p, size_t count)
{
	if (!p->waiting_count)
		return;
	qsort(p->waiting, p->waiting_count, sizeof(*p->waiting), by_time);
	for (size_t i = 0; i < count; i++) {
		struct shelf *s = shelf_of(p, p->waiting[i].row, UINT32_MAX);
		if (p->waiting[i].puts)
			put(s);
		else
			take(s);
	}
	p->waiting_count -= count;
	memmove(p->waiting, p->waiting + count, p->waiting_count * sizeof(*p->waiting));
}

static void shared(struct ht_pools_pass *p, const struct ht_step *s, uint32_t row, bool puts)
{
	if (p->waiting_count == WAITING)
		do_shared(p, WAITING / 2);
	p->waiting[p->waiting_count++] = (struct shared_op){s->time_ns, p->ops++, row, puts};
}

static void on_birth(struct ht_pools_pass *p, const struct ht_step *s)
{
	struct pooled *b = ht_birth_log_add(&p->births, s->owner);
	p->undo[s->thread].present = false;
	b->row = row_of(p, s);
	if (b->row == UINT32_MAX)
		return;
	struct ht_pool_row *row = &p->rows[b->row];
	row->allocs++;
	row->max_size = s->size > row->max_size ? s->size : row->max_size;
	shared(p, s, b->row, false);
	take(shelf_of(p, b->row, s->thread));
}

static void on_death(struct ht_pools_pass *p, const struct ht_step *s)
{
	uint64_t number = ht_birth_number(&p->births, s->owner, s->between);
	struct pooled was;
	if (!ht_birth_log_take(&p->births, s->owner, number, &was))
		return;
	bool by_realloc = s->op == HT_OP_REALLOC_FREE || s->op == HT_OP_REALLOC_FREE_UNKNOWN;
	p->undo[s->thread] = (struct ht_pooled_undo){by_realloc, number, was};
	if (was.row == UINT32_MAX || by_realloc || s->implied)
		return;
	shared(p, s, was.row, true);
	put(shelf_of(p, was.row, s->thread));
}

static void on_revive(struct ht_pools_pass *p, const struct ht_step *s)
{
	struct ht_pooled_undo *u = &p->undo[s->thread];
	struct pooled *b = u->present ? ht_birth_log_revive(&p->births, s->owner, u->number) : NULL;
	if (b)
		*b = u->was;
	u->present = false;
}

static void steps(void *state, const struct ht_step *steps, size_t count)
{
	struct ht_pools_pass *p = state;
	for (const struct ht_step *s = steps; s < steps + count; s++) {
		if (s->kind == HT_STEP_BIRTH)
			on_birth(p, s);
		else if (s->kind == HT_STEP_DEATH)
			on_death(p, s);
		else if (s->kind == HT_STEP_REVIVE && s->undone == HT_STEP_DEATH)
			on_revive(p, s);
	}
}

struct ht_pools_pass *ht_pools_new(struct ht_analysis *a)
{
	struct ht_pools_pass *p = ht_xcalloc(1, sizeof(*p));
	p->a = a;
	p->row_of = ht_xcalloc(a->stacks->node_count, sizeof(*p->row_of));
	p->undo = ht_xcalloc(a->thread_count, sizeof(*p->undo));
	p->waiting = ht_xcalloc(WAITING, sizeof(*p->waiting));
	p->row_count = a->stacks->key_count;
	p->rows = ht_xcalloc(p->row_count, sizeof(*p->rows));
	ht_birth_log_init(&p->births, (uint32_t)a->thread_count, sizeof(struct pooled));
	return p;
}

struct ht_pass ht_pools_pass(struct ht_pools_pass *p)
{
	return (struct ht_pass){.name = "pools", .state = p, .steps = steps};
}

/* --- results ------------------------------------------------------------------------------ */

static struct ht_pool smallest(const struct shelf *s)
{
	struct ht_pool pool = {.requests = s->requests};
	uint64_t most = 0;
	for (uint32_t k = 0; k < s->need_cap; k++)
		most += s->needs[k];
	pool.enough = most * 100 >= s->requests * 99;
	uint64_t wanted = (pool.enough ? s->requests : most) * 99;
	for (uint32_t k = 0; k < s->need_cap && (!pool.served || pool.served * 100 < wanted); k++) {
		pool.served += s->needs[k];
		pool.blocks = s->needs[k] ? k : pool.blocks;
	}
	return pool;
}

static void add_thread(struct ht_pool_row *row, const struct ht_pool *pool)
{
	row->threads += pool->requests > 0;
	row->each.requests += pool->requests;
	row->each.served += pool->served;
	row->each.blocks += pool->blocks;
	row->each_most = pool->blocks > row->each_most ? pool->blocks : row->each_most;
}

void ht_pools_finish(struct ht_pools_pass *p, struct ht_pools *out)
{
	do_shared(p, p->waiting_count);
	for (uint32_t i = 0; i < p->count; i++) {
		struct shelf *s = &p->shelves[i];
		struct ht_pool_row *row = &p->rows[s->row];
		struct ht_pool pool = smallest(s);
		if (s->thread != UINT32_MAX)
			add_thread(row, &pool);
		else
			row->shared = pool;
		if (pool.served)
			row->frame = ht_stacks_callsite(p->a->stacks, row->node);
		free(s->peaks);
		free(s->needs);
	}
	for (uint32_t i = 0; i < p->row_count; i++)
		p->rows[i].each.enough = p->rows[i].each.served * 100 >= p->rows[i].each.requests * 99;
	*out = (struct ht_pools){p->rows, p->row_count};
	ht_birth_log_release(&p->births);
	ht_index_release(&p->index);
	free(p->shelves);
	free(p->row_of);
	free(p->undo);
	free(p->waiting);
	free(p);
}

void ht_pools_release(struct ht_pools *out)
{
	free(out->rows);
}
