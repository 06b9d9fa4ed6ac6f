/* growth: see growth.h. */
#include "growth.h"

#include <stdlib.h>

#include "birth_log.h"
#include "fates.h"

struct grown { /* a live block */
	uint32_t row;
	uint32_t steps;
	uint64_t size, before; /* before: size of the one it grew from */
};

struct grower { /* a thread */
	struct grown from;  /* what its open realloc ends */
	uint64_t number;    /* of that block */
	bool open, undoable;
	bool fresh;	    /* its last event about a block was the birth of `last` */
	uint64_t last, last_size;
	uint32_t last_row, last_stack;
};

/* A table of counts by row and two sizes. */
struct tallies {
	struct tally_item {
		uint32_t row;
		uint64_t a, b, count;
	} *items;
	uint32_t count, cap;
	struct ht_index index;
};

struct ht_growth_pass {
	struct ht_analysis *a;
	struct ht_birth_log births;
	struct grower *threads;
	uint32_t *row_of; /* per canonical node: + 1 */
	struct tallies steps; /* a: size before, b: after */
	struct tallies ends;  /* a: size before the last step (0: none), b: final size */
	struct ht_growth_row *rows;
	uint32_t row_count;
};

static void tally(struct tallies *t, uint32_t row, uint64_t a, uint64_t b, uint64_t by)
{
	uint32_t hash = ht_mix((a * UINT64_C(0x9e3779b97f4a7c15) + b) * 31 + row), v;
	for (size_t i = ht_index_start(&t->index, hash); (v = ht_index_at(&t->index, &i, hash)) != HT_INDEX_NONE; i++)
		if (t->items[v].row == row && t->items[v].a == a && t->items[v].b == b) {
			t->items[v].count += by;
			return;
		}
	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 256;
		t->items = ht_xrealloc(t->items, t->cap, sizeof(*t->items));
	}
	t->items[t->count] = (struct tally_item){row, a, b, by};
	ht_index_insert(&t->index, hash, t->count++);
}

static void release_tallies(struct tallies *t)
{
	free(t->items);
	ht_index_release(&t->index);
}

static uint32_t row_of(struct ht_growth_pass *g, const struct ht_step *s)
{
	const struct ht_stacks *stacks = g->a->stacks;
	uint32_t node = stacks->canon[s->birth_stack < stacks->node_count ? s->birth_stack : 0];
	if (!s->selected || !s->wanted)
		return UINT32_MAX;
	if (!g->row_of[node]) {
		uint32_t row = ht_escape_row_of(g->a, node);
		g->row_of[node] = row + 1;
		if (row != UINT32_MAX)
			g->rows[row].node = node;
	}
	return g->row_of[node] - 1;
}

/* --- events ------------------------------------------------------------------------------- */

static void grow(struct ht_growth_pass *g, struct grown *to, const struct grown *from)
{
	to->steps = from->steps + 1;
	to->before = from->size;
	tally(&g->steps, to->row, from->size, to->size, 1);
}

/* The object ends with this block. */
static void end_chain(struct ht_growth_pass *g, const struct grown *b, uint64_t by)
{
	if (b->row != UINT32_MAX)
		tally(&g->ends, b->row, b->steps ? b->before : 0, b->size, by);
}

static void on_birth(struct ht_growth_pass *g, const struct ht_step *s)
{
	struct grower *t = &g->threads[s->owner];
	struct grown *b = ht_birth_log_add(&g->births, s->owner);
	*b = (struct grown){.row = row_of(g, s), .size = s->size};
	if (s->realloc_pair && t->open && b->row != UINT32_MAX) {
		if (s->size > t->from.size) {
			grow(g, b, &t->from);
		} else {
			b->steps = t->from.steps;
			b->before = t->from.before;
		}
	} else if (t->open) {
		end_chain(g, &t->from, 1);
	}
	t->open = t->undoable = false;
	t->fresh = !s->realloc_pair;
	t->last = g->births.threads[s->owner].births - 1;
	t->last_size = s->size;
	t->last_row = b->row;
	t->last_stack = s->stack;
}

static bool same_function(const struct ht_frame *a, const struct ht_frame *b)
{
	return a->function && b->function && a->module_id == b->module_id && !strcmp(a->function, b->function);
}

static bool by_hand(const struct ht_growth_pass *g, const struct ht_step *s, const struct grower *t, const struct grown *old)
{
	if (!t->fresh || !s->same_thread || t->last_row == UINT32_MAX || t->last_size <= old->size)
		return false;
	return t->last_row == old->row || (s->stack && same_function(ht_stacks_callsite(g->a->stacks, s->stack),
								     ht_stacks_callsite(g->a->stacks, t->last_stack)));
}

static void on_death(struct ht_growth_pass *g, const struct ht_step *s)
{
	uint64_t number = ht_birth_number(&g->births, s->owner, s->between);
	struct grower *t = &g->threads[s->thread];
	struct grown was;
	bool known = ht_birth_log_take(&g->births, s->owner, number, &was);
	if (t->open)
		end_chain(g, &t->from, 1);
	t->open = t->undoable = false;
	if (!known)
		return;
	if (s->op == HT_OP_REALLOC_FREE || s->op == HT_OP_REALLOC_FREE_UNKNOWN) {
		t->from = was;
		t->number = number;
		t->open = t->undoable = true;
	} else if (by_hand(g, s, t, &was)) {
		struct grown *now = ht_birth_log_find(&g->births, s->owner, t->last);
		if (now && number != t->last)
			grow(g, now, &was);
	} else {
		end_chain(g, &was, 1);
	}
	t->fresh = false;
}

static void on_revive(struct ht_growth_pass *g, const struct ht_step *s)
{
	struct grower *t = &g->threads[s->thread];
	if (!t->undoable)
		return;
	struct grown *b = ht_birth_log_revive(&g->births, s->owner, t->number);
	if (b)
		*b = t->from;
	t->open = t->undoable = false;
}

static void steps(void *state, const struct ht_step *steps, size_t count)
{
	struct ht_growth_pass *g = state;
	for (const struct ht_step *s = steps; s < steps + count; s++) {
		if (s->kind == HT_STEP_BIRTH)
			on_birth(g, s);
		else if (s->kind == HT_STEP_DEATH && !s->implied)
			on_death(g, s);
		else if (s->kind == HT_STEP_REVIVE && s->undone == HT_STEP_DEATH)
			on_revive(g, s);
	}
}

struct ht_growth_pass *ht_growth_new(struct ht_analysis *a)
{
	struct ht_growth_pass *g = ht_xcalloc(1, sizeof(*g));
	g->a = a;
	g->threads = ht_xcalloc(a->thread_count, sizeof(*g->threads));
	g->row_of = ht_xcalloc(a->stacks->node_count, sizeof(*g->row_of));
	g->row_count = a->stacks->key_count;
	g->rows = ht_xcalloc(g->row_count, sizeof(*g->rows));
	ht_birth_log_init(&g->births, (uint32_t)a->thread_count, sizeof(struct grown));
	return g;
}

struct ht_pass ht_growth_pass(struct ht_growth_pass *g)
{
	return (struct ht_pass){.name = "growth", .state = g, .steps = steps};
}

/* --- results ------------------------------------------------------------------------------ */

static void end_live_block(void *ctx, void *entry)
{
	end_chain(ctx, entry, 1);
}

static int by_row_and_final(const void *a, const void *b)
{
	const struct tally_item *x = a, *y = b;
	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return (x->b > y->b) - (x->b < y->b);
}

/* Of the ends of one row, sorted by final size. */
static void percentiles(struct ht_growth_row *r, const struct tally_item *items, uint32_t n)
{
	uint64_t all = 0, seen = 0;
	for (uint32_t i = 0; i < n; i++)
		all += items[i].count;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t next = seen + items[i].count;
		if (seen * 2 < all && next * 2 >= all)
			r->final_p50 = items[i].b;
		if (seen * 10 < all * 9 && next * 10 >= all * 9)
			r->final_p90 = items[i].b;
		r->final_max = items[i].b;
		seen = next;
	}
}

/* Beginning with the p90, an object that stays below it is never copied; a larger one goes through the steps from there
 * on, and at least one. */
static void savings(struct ht_growth_row *r, const struct tally_item *ends, uint32_t n)
{
	uint64_t crossing = 0;
	for (uint32_t i = 0; i < n; i++) {
		r->chains += ends[i].a ? ends[i].count : 0;
		r->never_grew += ends[i].a ? 0 : ends[i].count;
		if (ends[i].a && ends[i].a < r->final_p90 && ends[i].b > r->final_p90)
			crossing += ends[i].count;
	}
	r->saved_copies -= crossing < r->saved_copies ? crossing : r->saved_copies;
	uint64_t still = crossing * r->final_p90;
	r->saved_bytes -= still < r->saved_bytes ? still : r->saved_bytes;
}

void ht_growth_finish(struct ht_growth_pass *g, struct ht_growth *out)
{
	ht_birth_log_each(&g->births, end_live_block, g);
	if (g->ends.count)
		qsort(g->ends.items, g->ends.count, sizeof(*g->ends.items), by_row_and_final);
	for (uint32_t i = 0, n; i < g->ends.count; i += n) {
		for (n = 1; i + n < g->ends.count && g->ends.items[i + n].row == g->ends.items[i].row; n++)
			;
		percentiles(&g->rows[g->ends.items[i].row], &g->ends.items[i], n);
	}
	for (uint32_t i = 0; i < g->steps.count; i++) {
		const struct tally_item *s = &g->steps.items[i];
		struct ht_growth_row *r = &g->rows[s->row];
		r->frame = ht_stacks_callsite(g->a->stacks, r->node);
		r->copies += s->count;
		r->bytes_copied += s->count * s->a;
		if (s->a < r->final_p90) {
			r->saved_copies += s->count;
			r->saved_bytes += s->count * s->a;
		}
	}
	for (uint32_t i = 0, n; i < g->ends.count; i += n) {
		for (n = 1; i + n < g->ends.count && g->ends.items[i + n].row == g->ends.items[i].row; n++)
			;
		savings(&g->rows[g->ends.items[i].row], &g->ends.items[i], n);
	}
	*out = (struct ht_growth){g->rows, g->row_count};
	release_tallies(&g->steps);
	release_tallies(&g->ends);
	ht_birth_log_release(&g->births);
	free(g->threads);
	free(g->row_of);
	free(g);
}

void ht_growth_release(struct ht_growth *out)
{
	free(out->rows);
}
