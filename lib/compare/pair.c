/*
 * pair: rows that are on one side only find their other half. In this order, each step among what the one before left:
 *
 *   renamed  a gone row and a new one with the same callers, like counts and like sizes
 *   took     a gone row whose allocations a row beside it, or one with its callers, has more now: inlined without a
 *            trace, tail-called, folded with an identical function
 *   split    a new row whose allocations a row beside it has fewer now
 *
 * A function in a file that is the same on both sides was neither renamed nor rebuilt: it ran less or more, and stays alone.
 * Beside: within four frames of each other in some stack. Scores are between 0 and 1; the best pairs are
 * taken first. Only the 400 heaviest of a side are paired with each other.
 */
#include "work.h"

#include <stdlib.h>
#include <string.h>

#define HEAVIEST 400u
#define NEAR 4u

enum { CALLER, CHAIN, NEIGHBOUR };

/* --- contexts ------------------------------------------------------------------------------ */

static int by_context(const void *a, const void *b)
{
	const struct context *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static uint64_t chain_hash(const uint32_t *frames, uint32_t depth)
{
	uint64_t h = 1;
	for (uint32_t i = 0; i < depth; i++)
		h = (h ^ (frames[i] + 1)) * 0x9e3779b97f4a7c15ull, h ^= h >> 31;
	return h;
}

static void collect_contexts(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	w->contexts = ht_xcalloc(w->stack_count * (2 + NEAR) + 1, sizeof(*w->contexts));
	for (uint32_t i = 0; i < w->stack_count; i++) {
		const struct whole_stack *s = &w->stacks[i];
		const uint32_t *f = w->pool + s->at;
		struct context x = {
			.group = s->group,
			.old_weight = side_mean(c, stack_value(w, i), HT_OLD, HT_CV_ALLOCS),
			.new_weight = side_mean(c, stack_value(w, i), HT_NEW, HT_CV_ALLOCS),
		};
		x.kind = CALLER;
		x.hash = s->depth > 1 ? f[1] + 1ull : 0;
		if (c->by == HT_COMPARE_FILE) /* files are known by what is in them */
			x.hash = s->depth ? ht_hash_text(HT_HASH_START, w->frames.items[f[0]].function) : 0;
		w->contexts[w->context_count++] = x;
		x.kind = CHAIN;
		if (c->by != HT_COMPARE_FILE)
			x.hash = s->depth > 1 ? chain_hash(f + 1, s->depth - 1) : 0;
		w->contexts[w->context_count++] = x;
		x.kind = NEIGHBOUR;
		for (uint32_t k = 1; k < s->depth && k <= NEAR; k++) {
			x.hash = f[k];
			w->contexts[w->context_count++] = x;
		}
	}
	qsort(w->contexts, w->context_count, sizeof(*w->contexts), by_context);
	size_t kept = 0;
	for (size_t i = 0; i < w->context_count; i++) {
		struct context *last = kept ? &w->contexts[kept - 1] : NULL;
		if (last && !by_context(last, &w->contexts[i])) {
			last->old_weight += w->contexts[i].old_weight;
			last->new_weight += w->contexts[i].new_weight;
		} else {
			w->contexts[kept++] = w->contexts[i];
		}
	}
	w->context_count = kept;
	for (size_t i = 0; i < kept; i++) {
		struct group *g = &w->groups[w->contexts[i].group];
		if (!g->context_count++)
			g->contexts = i;
	}
}

/* The share of contexts of a kind that a group has on side `sa` and another on side `sb`: the sum of the smaller shares. */
static double overlap(const struct ht_compare_work *w, const struct group *a, enum ht_side sa, const struct group *b,
		      enum ht_side sb, unsigned kind)
{
	const struct context *x = w->contexts + a->contexts, *xe = x + a->context_count;
	const struct context *y = w->contexts + b->contexts, *ye = y + b->context_count;
	double tx = 0, ty = 0, common = 0;
	for (const struct context *i = x; i < xe; i++)
		tx += i->kind == kind ? (sa ? i->new_weight : i->old_weight) : 0;
	for (const struct context *i = y; i < ye; i++)
		ty += i->kind == kind ? (sb ? i->new_weight : i->old_weight) : 0;
	if (tx <= 0 || ty <= 0)
		return 0;
	while (x < xe && y < ye) {
		if (x->kind != y->kind ? x->kind < y->kind : x->hash < y->hash) {
			x++;
		} else if (x->kind != y->kind || x->hash != y->hash) {
			y++;
		} else {
			if (x->kind == kind) {
				double px = (sa ? x->new_weight : x->old_weight) / tx;
				double py = (sb ? y->new_weight : y->old_weight) / ty;
				common += px < py ? px : py;
			}
			x++, y++;
		}
	}
	return common;
}

static const struct ht_compare_frame *callsite(const struct ht_compare_work *w, const struct group *g)
{
	const struct whole_stack *s = &w->stacks[g->stack];
	return s->depth ? &w->frames.items[w->pool[s->at]] : NULL;
}

/* Do stacks of one have the other's callsite near their own? */
static bool beside(const struct ht_compare_work *w, const struct group *a, const struct group *b)
{
	const struct whole_stack *sb = &w->stacks[b->stack];
	if (!sb->depth)
		return false;
	uint64_t wanted = w->pool[sb->at];
	for (size_t i = a->contexts; i < a->contexts + a->context_count; i++)
		if (w->contexts[i].kind == NEIGHBOUR && w->contexts[i].hash == wanted)
			return true;
	return false;
}

/* --- likeness ------------------------------------------------------------------------------ */

double likeness_of(double a, double b)
{
	double low = a < b ? a : b, high = a < b ? b : a;
	return high > 0 ? low / high : 1;
}

/* Dice's coefficient over pairs of letters. */
double name_likeness(const char *a, const char *b)
{
	if (!a || !b)
		return 0;
	size_t na = strlen(a), nb = strlen(b), common = 0;
	if (na < 2 || nb < 2 || na > 400 || nb > 400)
		return 0;
	bool used[400] = {false};
	for (size_t i = 0; i + 1 < na; i++)
		for (size_t k = 0; k + 1 < nb; k++)
			if (!used[k] && a[i] == b[k] && a[i + 1] == b[k + 1]) {
				used[k] = true;
				common++;
				break;
			}
	return 2.0 * (double)common / (double)(na - 1 + nb - 1);
}

static double mean_size(double bytes, double count)
{
	return count > 0 ? bytes / count : 0;
}

struct likeness {
	double caller, chain, count, size, name, score;
	bool near; /* one calls the other */
};

static struct likeness compare_rows(const struct ht_compare_work *w, const struct group *old, const struct group *new)
{
	const struct ht_compare_frame *a = callsite(w, old), *b = callsite(w, new);
	struct likeness l = {
		.count = likeness_of(old->old_weight, new->new_weight),
		.size = likeness_of(mean_size(old->old_bytes, old->old_weight), mean_size(new->new_bytes, new->new_weight)),
		.name = a && b ? name_likeness(a->function, b->function) : 0,
	};
	bool numbers = l.count > 0.5 && l.size > 0.7;
	if (!numbers && l.name <= 0.75)
		return l;
	l.caller = overlap(w, old, HT_OLD, new, HT_NEW, CALLER);
	l.chain = overlap(w, old, HT_OLD, new, HT_NEW, CHAIN);
	l.near = beside(w, old, new) || beside(w, new, old);
	l.score = (l.near ? 0.4 : 0.3 * l.caller + 0.2 * l.chain) + 0.2 * l.count + 0.15 * l.size + 0.15 * l.name;
	/* One agreement alone is chance: callers and numbers, or a like name and either. */
	bool context = l.caller > 0.5 || l.near;
	if (!(context && numbers) && !(l.name > 0.75 && (context || numbers)))
		l.score = 0;
	return l;
}

/* --- moving numbers ------------------------------------------------------------------------ */

/* All that `from` had on the old side is `to`'s now. */
static void hand_over(struct ht_compare *c, uint32_t from, uint32_t to)
{
	struct ht_compare_work *w = c->work;
	double *a = group_value(w, from), *b = group_value(w, to);
	for (size_t i = 0; i < (size_t)w->runs * HT_CV_COUNT; i++) {
		b[i] += a[i];
		a[i] = 0;
	}
	struct group *f = &w->groups[from], *t = &w->groups[to];
	t->old_weight += f->old_weight;
	t->old_bytes += f->old_bytes;
	f->old_weight = f->old_bytes = 0;
	f->merged_into = to + 1;
}

/* Of what `from` lost, as much goes to the old side of `to` as that has on the new side. */
static void share_out(struct ht_compare *c, uint32_t from, uint32_t to)
{
	struct ht_compare_work *w = c->work;
	double *a = group_value(w, from), *b = group_value(w, to);
	for (unsigned v = 0; v < HT_CV_COUNT; v++) {
		double had = side_mean(c, a, HT_OLD, v), lost = had - side_mean(c, a, HT_NEW, v);
		double wanted = side_mean(c, b, HT_NEW, v), moved = lost < wanted ? lost : wanted;
		if (moved <= 0)
			continue;
		for (unsigned run = 0; run < c->runs[HT_OLD]; run++) {
			double part = a[run * HT_CV_COUNT + v] * (moved / had);
			a[run * HT_CV_COUNT + v] -= part;
			b[run * HT_CV_COUNT + v] += part;
		}
	}
	w->groups[to].old_weight = side_mean(c, b, HT_OLD, HT_CV_ALLOCS);
	w->groups[from].old_weight = side_mean(c, a, HT_OLD, HT_CV_ALLOCS);
}

static void explain(struct group *g, char *why)
{
	if (!g->evidence) {
		g->evidence = why;
		return;
	}
	char *both = ht_xasprintf("%s; %s", g->evidence, why);
	free(g->evidence);
	free(why);
	g->evidence = both;
}

/* --- the steps ----------------------------------------------------------------------------- */

struct side_list {
	uint32_t *items;
	size_t count;
};

static const struct ht_compare_work *sorting; /* qsort has no context; one comparison is paired at a time */

static int by_weight(const void *a, const void *b)
{
	const struct group *x = &sorting->groups[*(const uint32_t *)a], *y = &sorting->groups[*(const uint32_t *)b];
	double wx = x->old_weight + x->new_weight, wy = y->old_weight + y->new_weight;
	if (wx != wy)
		return wx > wy ? -1 : 1;
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

/* By stack, any frame may be what has another name. */
static bool is_settled(const struct ht_compare *c, const struct group *g)
{
	const struct whole_stack *s = &c->work->stacks[g->stack];
	for (uint32_t i = 0; i < (c->by == HT_COMPARE_STACK ? s->depth : 1); i++)
		if (!c->work->settled[c->work->pool[s->at + i]])
			return false;
	return true;
}

/* Groups that are on one side only, heaviest first. */
static struct side_list only_on(const struct ht_compare *c, enum ht_side side)
{
	const struct ht_compare_work *w = c->work;
	struct side_list l = {ht_xcalloc(w->group_count + 1, sizeof(*l.items)), 0};
	for (uint32_t g = 0; g < w->group_count; g++) {
		const struct group *k = &w->groups[g];
		bool old = k->old_weight > 0, new = k->new_weight > 0;
		if (!k->merged_into && w->stacks[k->stack].depth && old != new && new == (side == HT_NEW) && !is_settled(c, k))
			l.items[l.count++] = g;
	}
	sorting = w;
	qsort(l.items, l.count, sizeof(*l.items), by_weight);
	if (l.count > HEAVIEST)
		l.count = HEAVIEST;
	return l;
}

struct candidate {
	uint32_t old, new;
	struct likeness l;
};

static int by_score(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	if (x->l.score != y->l.score)
		return x->l.score > y->l.score ? -1 : 1;
	if (x->old != y->old)
		return x->old < y->old ? -1 : 1;
	return x->new < y->new ? -1 : x->new > y->new;
}

static void pair_renamed(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	struct side_list gone = only_on(c, HT_OLD), new = only_on(c, HT_NEW);
	struct candidate *all = ht_xcalloc(gone.count * new.count + 1, sizeof(*all));
	size_t n = 0;
	for (size_t i = 0; i < gone.count; i++)
		for (size_t k = 0; k < new.count; k++) {
			struct likeness l = compare_rows(w, &w->groups[gone.items[i]], &w->groups[new.items[k]]);
			if (l.score > 0)
				all[n++] = (struct candidate){gone.items[i], new.items[k], l};
		}
	qsort(all, n, sizeof(*all), by_score);
	const char *what = c->by == HT_COMPARE_FILE ? "functions" : "callers";
	for (size_t i = 0; i < n; i++) {
		struct group *a = &w->groups[all[i].old], *b = &w->groups[all[i].new];
		if (a->merged_into || b->renamed_from)
			continue;
		const struct likeness *l = &all[i].l;
		char *context = l->near ? ht_xasprintf("one calls the other") : ht_xasprintf("%s agree to %.0f %%", what, 100 * l->caller);
		explain(b, ht_xasprintf("%s, counts to %.0f %%, sizes to %.0f %%, names to %.0f %%", context, 100 * l->count,
					100 * l->size, 100 * l->name));
		free(context);
		b->renamed_from = all[i].old + 1;
		hand_over(c, all[i].old, all[i].new);
	}
	free(all);
	free(gone.items);
	free(new.items);
}

/* How well the change of a row that is on both sides explains the one that is not; 0 = not. Its allocations and its bytes
 * must be in that change; and if only the callers are the same, they must be all of it. */
static double explains(const struct ht_compare_work *w, const struct group *one, enum ht_side side, const struct group *both)
{
	double lone = side == HT_OLD ? one->old_weight : one->new_weight;
	double lone_bytes = side == HT_OLD ? one->old_bytes : one->new_bytes;
	double sign = side == HT_OLD ? 1 : -1, change = sign * (both->new_weight - both->old_weight);
	double change_bytes = sign * (both->new_bytes - both->old_bytes);
	if (both->merged_into || both->old_weight <= 0 || both->new_weight <= 0 || change < 0.8 * lone ||
	    change_bytes < 0.8 * lone_bytes)
		return 0;
	bool near = beside(w, one, both) || beside(w, both, one);
	double callers = overlap(w, one, side, both, side == HT_OLD ? HT_NEW : HT_OLD, CALLER);
	if (!near && (callers < 0.5 || likeness_of(lone, change) < 0.8 || likeness_of(lone_bytes, change_bytes) < 0.8))
		return 0;
	return (near ? 1 : 0) + callers + likeness_of(lone, change);
}

static void pair_moved(struct ht_compare *c, enum ht_side side)
{
	struct ht_compare_work *w = c->work;
	struct side_list lone = only_on(c, side);
	for (size_t i = 0; i < lone.count; i++) {
		struct group *one = &w->groups[lone.items[i]];
		uint32_t best = UINT32_MAX;
		double score = 0;
		for (uint32_t g = 0; g < w->group_count; g++) {
			double s = g == lone.items[i] ? 0 : explains(w, one, side, &w->groups[g]);
			if (s > score) {
				score = s;
				best = g;
			}
		}
		if (best == UINT32_MAX)
			continue;
		struct group *other = &w->groups[best];
		char *name = group_text(c, side == HT_OLD ? one : other);
		bool near = beside(w, one, other) || beside(w, other, one);
		if (side == HT_OLD) {
			explain(other, ht_xasprintf("took over %.0f allocations of %s: %s", one->old_weight, name,
						    near ? "one calls the other" : "the callers are the same"));
			other->renamed_from = lone.items[i] + 1;
			hand_over(c, lone.items[i], best);
		} else {
			explain(one, ht_xasprintf("%s has %.0f allocations fewer: %s", name,
						  other->old_weight - other->new_weight,
						  near ? "one calls the other" : "the callers are the same"));
			one->renamed_from = best + 1;
			share_out(c, best, lone.items[i]);
		}
		free(name);
	}
	free(lone.items);
}

void pair_groups(struct ht_compare *c)
{
	collect_contexts(c);
	if (c->by == HT_COMPARE_MODULE)
		return; /* match_modules has paired them */
	pair_renamed(c);
	pair_moved(c, HT_OLD);
	pair_moved(c, HT_NEW);
}
