/* timeline_walk: see timeline_walk.h. Groups are made by counting; the walk takes the earliest of five heads. */
#include "timeline_walk.h"

#include <stdlib.h>

typedef uint32_t thread_of(const struct ht_timeline *t, size_t item);

static uint32_t slice_thread(const struct ht_timeline *t, size_t item)
{
	return t->slices[item].thread;
}
static uint32_t instant_thread(const struct ht_timeline *t, size_t item)
{
	return t->instants[item].thread;
}
static uint32_t departure_thread(const struct ht_timeline *t, size_t item)
{
	return t->arrows[item].from;
}
static uint32_t arrival_thread(const struct ht_timeline *t, size_t item)
{
	return t->arrows[item].to;
}

static struct ht_timeline_group group(const struct ht_timeline *t, size_t count, thread_of *of, bool items)
{
	struct ht_timeline_group g = {.first = ht_xcalloc(t->thread_count + 2, sizeof(*g.first))};
	for (size_t i = 0; i < count; i++)
		g.first[of(t, i) + 1]++;
	for (size_t i = 0; i < t->thread_count; i++)
		g.first[i + 1] += g.first[i];
	if (!items)
		return g;
	size_t *next = ht_xcalloc(t->thread_count + 1, sizeof(*next));
	for (size_t i = 0; i < t->thread_count; i++)
		next[i] = g.first[i];
	g.items = ht_xcalloc(count + 1, sizeof(*g.items));
	for (size_t i = 0; i < count; i++)
		g.items[next[of(t, i)]++] = (uint32_t)i;
	free(next);
	return g;
}

static int by_arrival(const void *a, const void *b, void *timeline)
{
	const struct ht_timeline *t = timeline;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	uint64_t x_ns = ht_timeline_arrival(&t->arrows[x]), y_ns = ht_timeline_arrival(&t->arrows[y]);
	if (x_ns != y_ns)
		return x_ns < y_ns ? -1 : 1;
	return (x > y) - (x < y);
}

void ht_timeline_order_init(struct ht_timeline_order *o, const struct ht_timeline *t)
{
	*o = (struct ht_timeline_order){
		.timeline = t,
		.slices = group(t, t->slice_count, slice_thread, false),
		.instants = group(t, t->instant_count, instant_thread, true),
		.departures = group(t, t->arrow_count, departure_thread, true),
		.arrivals = group(t, t->arrow_count, arrival_thread, true),
	};
	/* Arrows are in order of their departures. */
	for (size_t i = 0; i < t->thread_count; i++)
		qsort_r(o->arrivals.items + o->arrivals.first[i], o->arrivals.first[i + 1] - o->arrivals.first[i],
			sizeof(uint32_t), by_arrival, (void *)t);
}

void ht_timeline_order_release(struct ht_timeline_order *o)
{
	free(o->slices.first);
	struct ht_timeline_group *g[] = {&o->instants, &o->departures, &o->arrivals};
	for (size_t i = 0; i < HT_ARRAY_SIZE(g); i++) {
		free(g[i]->first);
		free(g[i]->items);
	}
}

void ht_timeline_walk_init(struct ht_timeline_walk *w, const struct ht_timeline_order *o, uint32_t thread)
{
	const struct ht_timeline_group *g[] = {
		[HT_TIMELINE_ARRIVE] = &o->arrivals,
		[HT_TIMELINE_DEPART] = &o->departures,
		[HT_TIMELINE_MESSAGE] = &o->instants,
		[HT_TIMELINE_BEGIN] = &o->slices,
	};
	*w = (struct ht_timeline_walk){.order = o};
	for (size_t i = HT_TIMELINE_ARRIVE; i <= HT_TIMELINE_BEGIN; i++) {
		w->at[i] = g[i]->first[thread];
		w->end[i] = g[i]->first[thread + 1];
	}
}

static uint32_t item_at(const struct ht_timeline_walk *w, unsigned kind)
{
	const struct ht_timeline_order *o = w->order;
	switch (kind) {
	case HT_TIMELINE_END:
		return w->open[w->at[HT_TIMELINE_END] - 1];
	case HT_TIMELINE_ARRIVE:
		return o->arrivals.items[w->at[kind]];
	case HT_TIMELINE_DEPART:
		return o->departures.items[w->at[kind]];
	case HT_TIMELINE_MESSAGE:
		return o->instants.items[w->at[kind]];
	default:
		return (uint32_t)w->at[kind];
	}
}

static uint64_t time_at(const struct ht_timeline_walk *w, unsigned kind)
{
	const struct ht_timeline *t = w->order->timeline;
	if (kind == HT_TIMELINE_END)
		return w->at[kind] ? w->open_end[w->at[kind] - 1] : UINT64_MAX;
	if (w->at[kind] == w->end[kind])
		return UINT64_MAX;
	uint32_t item = item_at(w, kind);
	uint64_t ns = kind == HT_TIMELINE_ARRIVE    ? ht_timeline_arrival(&t->arrows[item])
		      : kind == HT_TIMELINE_DEPART  ? t->arrows[item].from_ns
		      : kind == HT_TIMELINE_MESSAGE ? t->instants[item].time_ns
						    : t->slices[item].begin_ns;
	return ns > w->now_ns ? ns : w->now_ns;
}

static unsigned earliest(const struct ht_timeline_walk *w, uint64_t *ns)
{
	unsigned kind = HT_TIMELINE_END;
	*ns = UINT64_MAX;
	for (unsigned i = 0; i <= HT_TIMELINE_BEGIN; i++) {
		uint64_t at = time_at(w, i);
		if (at < *ns) {
			*ns = at;
			kind = i;
		}
	}
	return kind;
}

uint64_t ht_timeline_peek(const struct ht_timeline_walk *w)
{
	uint64_t ns;
	earliest(w, &ns);
	return ns;
}

static uint64_t push(struct ht_timeline_walk *w, uint32_t slice, uint64_t begin_ns)
{
	size_t n = w->at[HT_TIMELINE_END];
	uint64_t end_ns = w->order->timeline->slices[slice].end_ns;
	if (n && end_ns > w->open_end[n - 1])
		end_ns = w->open_end[n - 1];
	if (end_ns < begin_ns)
		end_ns = begin_ns;
	if (n == w->open_cap) {
		w->open_cap = w->open_cap ? w->open_cap * 2 : 16;
		w->open = ht_xrealloc(w->open, w->open_cap, sizeof(*w->open));
		w->open_end = ht_xrealloc(w->open_end, w->open_cap, sizeof(*w->open_end));
	}
	w->open[n] = slice;
	w->open_end[n] = end_ns;
	w->at[HT_TIMELINE_END]++;
	return end_ns;
}

bool ht_timeline_next(struct ht_timeline_walk *w, struct ht_timeline_step *s)
{
	uint64_t ns;
	unsigned kind = earliest(w, &ns);
	if (ns == UINT64_MAX)
		return false;
	*s = (struct ht_timeline_step){.kind = (uint8_t)kind, .item = item_at(w, kind), .time_ns = ns};
	w->now_ns = ns;
	if (kind == HT_TIMELINE_END) {
		w->at[kind]--;
	} else {
		w->at[kind]++;
		if (kind == HT_TIMELINE_BEGIN)
			s->end_ns = push(w, s->item, ns);
	}
	return true;
}

void ht_timeline_walk_release(struct ht_timeline_walk *w)
{
	free(w->open);
	free(w->open_end);
}
