/* instance_culprit: see instance_culprit.h. Overlaps of waits with pieces are collected, then sorted by what they
 * were for. */
#include "instance_culprit.h"

#include <stdlib.h>

#define OBJECT (UINT64_C(1) << 32)

struct overlap {
	uint64_t what, ns; /* what: OBJECT and its number, or stack */
	uint32_t wait, by_stack, by; /* by: thread + 1 that ended it, 0: not known */
	uint8_t kind;
};

struct overlaps {
	struct overlap *items;
	size_t count, cap;
};

static bool has_object(unsigned kind)
{
	return kind >= HT_WAIT_MUTEX && kind <= HT_WAIT_ONCE;
}

/* The index of the first wait of t that ends behind `from`; t->first_wait + t->wait_count: none. */
static size_t first_wait_after(const struct ht_latency *l, const struct ht_latency_thread *t, uint64_t from)
{
	size_t low = t->first_wait, end = t->first_wait + t->wait_count, high = end;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (l->waits[middle].w.begin_ns < from)
			low = middle + 1;
		else
			high = middle;
	}
	/* Those that began before may reach in; the waits of a thread hardly ever nest. */
	while (low > t->first_wait && l->waits[low - 1].w.end_ns > from)
		low--;
	return low;
}

static void add(struct overlaps *o, const struct ht_latency *l, size_t wait, uint64_t ns)
{
	const struct ht_waited *w = &l->waits[wait];
	if (o->count == o->cap) {
		o->cap = o->cap ? 2 * o->cap : 64;
		o->items = ht_xrealloc(o->items, o->cap, sizeof(*o->items));
	}
	const struct ht_wake *wake = w->wake ? &l->wakes[w->wake - 1] : NULL;
	o->items[o->count++] = (struct overlap){
		.what = has_object(w->w.kind) && w->object ? OBJECT | w->object : w->w.stack,
		.ns = ns,
		.wait = (uint32_t)wait,
		.by = wake ? wake->thread + 1 : 0,
		.by_stack = wake ? wake->stack : 0,
		.kind = w->w.kind,
	};
}

static void collect(struct overlaps *o, const struct ht_latency *l, const struct ht_piece *p, unsigned part)
{
	const struct ht_latency_thread *t = ht_latency_thread(l, p->thread);
	if (!t)
		return;
	for (size_t i = first_wait_after(l, t, p->begin_ns); i < t->first_wait + t->wait_count; i++) {
		const struct ht_wait *w = &l->waits[i].w;
		if (w->begin_ns >= p->end_ns)
			break;
		uint64_t from = w->begin_ns > p->begin_ns ? w->begin_ns : p->begin_ns;
		uint64_t to = w->end_ns < p->end_ns ? w->end_ns : p->end_ns;
		if (ht_blocked_part(w->kind) == part && w->kind != HT_WAIT_SPIN && to > from)
			add(o, l, i, to - from);
	}
}

static int by_what(const void *a, const void *b)
{
	const struct overlap *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->what != y->what)
		return x->what < y->what ? -1 : 1;
	return (x->wait > y->wait) - (x->wait < y->wait);
}

static int by_ender(const void *a, const void *b)
{
	const struct overlap *x = a, *y = b;
	if (x->by != y->by)
		return x->by < y->by ? -1 : 1;
	return (x->by_stack > y->by_stack) - (x->by_stack < y->by_stack);
}

/* Who ended most of the time of o[0 .. n), all of one thing. */
static void find_ender(struct overlap *o, size_t n, struct ht_culprit *out)
{
	uint64_t most = 0;
	qsort(o, n, sizeof(*o), by_ender);
	for (size_t i = 0, end; i < n; i = end) {
		uint64_t ns = 0;
		for (end = i; end < n && !by_ender(&o[end], &o[i]); end++)
			ns += o[end].ns;
		if (ns <= most)
			continue;
		most = ns;
		out->ended_by_known = o[i].by != 0;
		out->ended_by = o[i].by ? o[i].by - 1 : 0;
		out->ended_stack = o[i].by_stack;
	}
}

void ht_instance_culprit(const struct ht_latency *l, const struct ht_instances *in, const uint32_t *members,
			 size_t count, unsigned part, struct ht_culprit *out)
{
	struct overlaps o = {0};
	size_t best = 0, best_count = 0;
	uint64_t most = 0;
	*out = (struct ht_culprit){.kind = HT_WAIT_NONE};
	for (size_t m = 0; m < count; m++) {
		const struct ht_instance *i = &in->items[members[m]];
		for (size_t k = i->first_piece; k < i->first_piece + i->piece_count; k++)
			collect(&o, l, &in->pieces[k], part);
	}
	if (o.count)
		qsort(o.items, o.count, sizeof(*o.items), by_what);
	for (size_t i = 0, end; i < o.count; i = end) {
		uint64_t ns = 0;
		for (end = i; end < o.count && o.items[end].kind == o.items[i].kind && o.items[end].what == o.items[i].what; end++)
			ns += o.items[end].ns;
		if (ns > most) {
			most = ns;
			best = i;
			best_count = end - i;
		}
	}
	if (most) {
		struct overlap *longest = &o.items[best];
		for (size_t i = best; i < best + best_count; i++)
			if (o.items[i].ns > longest->ns)
				longest = &o.items[i];
		out->kind = longest->kind;
		out->object = has_object(longest->kind) ? l->waits[longest->wait].w.object : 0;
		out->stack = l->waits[longest->wait].w.stack;
		out->waits = best_count;
		out->wait_ns = most;
		find_ender(&o.items[best], best_count, out);
	}
	free(o.items);
}
