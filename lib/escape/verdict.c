/* verdict: see verdict.h. Here: from the fates of a callsite to its verdict. */
#include "verdict.h"

#include <stdlib.h>

#include "judge.h"

/* From this share on a verdict stands for the whole callsite. */
#define WHOLE 0.9

const char *const ht_verdict_names[HT_VERDICTS] = {
	[HT_STAYS] = "stays",
	[HT_REUSED] = "reused",
	[HT_TO_CALLER] = "escapes-to-caller",
	[HT_UPWARD] = "escapes-upward",
	[HT_TO_THREAD] = "escapes-thread",
	[HT_KEPT] = "kept",
	[HT_UNKNOWN] = "unknown",
	[HT_MIXED] = "mixed",
};

struct item {
	const struct ht_fate *fate;
	struct ht_judged j;
};

/* --- the signs of a birth's stack --------------------------------------------------------- */

struct signs {
	bool nothing_left; /* no block of it surely left, and none is kept */
	bool last_stayed;  /* the youngest block was freed where it may have stayed, other than round a loop */
};

static struct signs read_signs(const struct ht_birth_site *site, const struct item *items, size_t count)
{
	struct signs s = {.nothing_left = true, .last_stayed = true};
	for (size_t i = 0; i < count; i++) {
		bool last = items[i].fate->blocks && items[i].fate->last_birth_ns >= site->last_birth_ns;
		if (!items[i].fate->blocks)
			continue;
		if (items[i].j.what == HT_JUDGED)
			s.nothing_left = false;
		if (last && items[i].j.what != HT_MAY_STAY)
			s.last_stayed = false;
	}
	return s;
}

static void decide(struct item *it, const struct ht_birth_site *site, const struct signs *s)
{
	struct ht_judged *j = &it->j;
	if (j->what == HT_JUDGED)
		return;
	bool clean = site->separated && s->nothing_left;
	unsigned signs = j->signs | (clean ? HT_SIGN_NOTHING_LEFT : 0) | (s->last_stayed ? HT_SIGN_LAST : 0);
	bool stays;
	if (j->what == HT_MAY_STAY_LOOP)
		stays = s->nothing_left && s->last_stayed;
	else if (j->code_asked && !j->again_possible)
		stays = true;
	else
		stays = (clean && s->last_stayed) || (j->signs & HT_SIGN_ONE_CALL);
	if (stays)
		j->v = (struct ht_verdict_of){.kind = HT_STAYS, .signs = signs, .frames_up = 0, .by = j->v.by};
	else if (j->what != HT_MAY_STAY_LOOP)
		j->v = (struct ht_verdict_of){.kind = HT_UNKNOWN, .why = HT_UNKNOWN_SIGNS, .frames_up = -1};
}

/* --- rows --------------------------------------------------------------------------------- */

struct gathering {
	struct item *items;
	size_t count, cap;
};

static void add_site(struct gathering *g, const struct ht_fates *f, const struct ht_birth_site *site, struct ht_desk *desk)
{
	size_t first = g->count;
	for (uint32_t i = site->first_fate; i; i = f->items[i - 1].next) {
		if (g->count == g->cap) {
			g->cap = g->cap ? g->cap * 2 : 64;
			g->items = ht_xrealloc(g->items, g->cap, sizeof(*g->items));
		}
		const struct ht_fate *fate = &f->items[i - 1];
		g->items[g->count++] = (struct item){fate, ht_judge(desk, fate)};
	}
	struct signs s = read_signs(site, g->items + first, g->count - first);
	for (size_t i = first; i < g->count; i++)
		decide(&g->items[i], site, &s);
}

static bool same_details(const struct ht_verdict_of *a, const struct ht_verdict_of *b)
{
	return a->kind == b->kind && a->frames_up == b->frames_up && a->starter == b->starter &&
	       (a->by == b->by || (a->by && b->by && !ht_text_order(a->by->function, b->by->function))) &&
	       (a->scope == b->scope || (a->scope && b->scope && !ht_text_order(a->scope->function, b->scope->function)));
}

/* The details that most blocks of this kind share; they are few, mostly one. */
static void choose_details(struct ht_row_verdict *r, const struct gathering *g, enum ht_verdict_kind kind)
{
	enum { CONSIDERED = 64 };
	struct {
		const struct ht_verdict_of *v;
		uint64_t blocks;
	} seen[CONSIDERED];
	size_t n = 0;
	bool certain = true;
	unsigned signs = ~0u;
	for (size_t i = 0; i < g->count; i++) {
		const struct ht_verdict_of *v = &g->items[i].j.v;
		size_t k = 0;
		if (v->kind != kind || !g->items[i].fate->blocks)
			continue;
		certain &= v->certain;
		signs &= v->signs;
		while (k < n && !same_details(seen[k].v, v))
			k++;
		if (k == n && n == CONSIDERED)
			continue;
		if (k == n) {
			seen[n].v = v;
			seen[n++].blocks = 0;
		}
		seen[k].blocks += g->items[i].fate->blocks;
	}
	size_t best = 0;
	if (!n)
		return;
	for (size_t k = 1; k < n; k++)
		if (seen[k].blocks > seen[best].blocks)
			best = k;
	r->main = *seen[best].v;
	r->main.certain = certain;
	r->main.signs = signs;
	r->others = n > 1;
	r->details_blocks = seen[best].blocks;
}

static void conclude(struct ht_row_verdict *r, const struct gathering *g)
{
	uint64_t all = 0;
	enum ht_verdict_kind best = HT_UNKNOWN;
	for (size_t i = 0; i < g->count; i++) {
		r->blocks[g->items[i].j.v.kind] += g->items[i].fate->blocks;
		all += g->items[i].fate->blocks;
	}
	for (unsigned k = 0; k < HT_MIXED; k++)
		if (r->blocks[k] > r->blocks[best])
			best = (enum ht_verdict_kind)k;
	if (!all)
		return;
	r->share = (double)r->blocks[best] / (double)all;
	/* The last of a row of blocks that are reused is still held. */
	bool but_one = best == HT_REUSED && all - r->blocks[best] == 1;
	choose_details(r, g, best);
	if (r->share < WHOLE && !but_one) {
		r->main = (struct ht_verdict_of){.kind = HT_MIXED, .frames_up = -1};
		r->others = true;
	}
}

static const struct ht_escape_row *weighed; /* qsort has no context */

static int by_weight(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	if (weighed[x].allocs != weighed[y].allocs)
		return weighed[x].allocs > weighed[y].allocs ? -1 : 1;
	return (x > y) - (x < y);
}

/* So that the code that is read is that of the callsites that matter. */
static uint32_t *heaviest_first(const struct ht_fates *f)
{
	uint32_t *order = ht_xcalloc((size_t)f->row_count + 1, sizeof(*order));
	for (uint32_t i = 0; i < f->row_count; i++)
		order[i] = i;
	weighed = f->rows;
	qsort(order, f->row_count, sizeof(*order), by_weight);
	return order;
}

void ht_verdicts_reach(struct ht_verdicts *v, const struct ht_fates *f, struct ht_code *code)
{
	struct gathering g = {0};
	uint32_t *next = ht_xcalloc((size_t)f->site_count + 1, sizeof(*next));
	uint32_t *first = ht_xcalloc(f->row_count, sizeof(*first));
	*v = (struct ht_verdicts){.rows = ht_xcalloc(f->row_count, sizeof(*v->rows))};
	for (uint32_t i = f->site_count; i-- > 0;) {
		if (f->sites[i].row == UINT32_MAX)
			continue;
		next[i] = first[f->sites[i].row];
		first[f->sites[i].row] = i + 1;
	}
	uint32_t *order = heaviest_first(f);
	struct ht_desk *desk = ht_desk_new(f, code);
	for (uint32_t k = 0; k < f->row_count; k++) {
		uint32_t row = order[k];
		g.count = 0;
		for (uint32_t i = first[row]; i; i = next[i - 1])
			add_site(&g, f, &f->sites[i - 1], desk);
		if (!g.count)
			continue;
		conclude(&v->rows[row], &g);
		for (unsigned kind = 0; kind < HT_VERDICTS; kind++) {
			v->blocks[kind] += v->rows[row].blocks[kind];
			v->all += v->rows[row].blocks[kind];
		}
	}
	v->known = v->all - v->blocks[HT_UNKNOWN];
	ht_desk_free(desk);
	free(g.items);
	free(order);
	free(next);
	free(first);
}

void ht_verdicts_release(struct ht_verdicts *v)
{
	free(v->rows);
}
