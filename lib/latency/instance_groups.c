/* instance_groups: see instance_groups.h. The culprits of a difference stand in instance_culprit.c. */
#include "instance_groups.h"

#include <stdlib.h>
#include <string.h>

#include "hash_index.h"
#include "instance_culprit.h"

const char *ht_time_part_name(unsigned part)
{
	static const char *const names[HT_PART_BLOCKED] = {"running", "runnable", "allocator", "unknown", "waiting"};
	if (part < HT_PART_BLOCKED)
		return names[part];
	return part < HT_TIME_PARTS ? ht_blocked_part_names[part - HT_PART_BLOCKED] : "";
}

/* --- parts --------------------------------------------------------------------------------- */

static void add_piece(const struct ht_latency *l, const struct ht_piece *p, struct ht_time_parts *out)
{
	const struct ht_latency_thread *t = l ? ht_latency_thread(l, p->thread) : NULL;
	const uint64_t length = p->end_ns - p->begin_ns;
	struct ht_breakdown b = {0};
	if (t)
		ht_breakdown_add(l, t, p->begin_ns, p->end_ns, &b);
	out->ns[HT_PART_RUNNING] += b.running_ns;
	out->ns[HT_PART_RUNNABLE] += b.runnable_ns;
	out->ns[HT_PART_ALLOCATOR] += b.allocator_ns;
	/* Where the model has nothing of a thread (not selected), nothing is known. */
	out->ns[HT_PART_UNKNOWN] += b.unknown_ns + (length > b.total_ns ? length - b.total_ns : 0);
	for (unsigned k = 0; k < HT_WAIT_KINDS; k++)
		out->ns[HT_PART_BLOCKED + ht_blocked_part(k)] += b.blocked_ns[k];
	out->voluntary += b.voluntary;
	out->involuntary += b.involuntary;
}

void ht_instance_parts(const struct ht_instances *in, const struct ht_instance *i, const struct ht_latency *l,
		       struct ht_time_parts *p)
{
	for (size_t k = i->first_piece; k < i->first_piece + i->piece_count; k++)
		add_piece(l, &in->pieces[k], p);
	if (i->task)
		p->ns[HT_PART_WAITING] += i->end_ns - i->begin_ns - ht_instance_worked_ns(in, i);
}

static void add_parts(struct ht_time_parts *sum, const struct ht_time_parts *p)
{
	for (unsigned k = 0; k < HT_TIME_PARTS; k++)
		sum->ns[k] += p->ns[k];
	sum->voluntary += p->voluntary;
	sum->involuntary += p->involuntary;
}

/* --- slow against usual -------------------------------------------------------------------- */

struct side {
	struct ht_time_parts parts;
	double ns, allocs, bytes;
	size_t count;
};

static void add_to_side(struct side *s, const struct ht_instance *i, const struct ht_time_parts *p)
{
	add_parts(&s->parts, p);
	s->ns += (double)(i->end_ns - i->begin_ns);
	s->allocs += (double)i->allocs;
	s->bytes += (double)i->bytes;
	s->count++;
}

static int by_growth(const void *a, const void *b)
{
	const struct ht_difference *x = a, *y = b;
	double dx = x->slow_ns - x->usual_ns, dy = y->slow_ns - y->usual_ns;
	if (dx != dy)
		return dx > dy ? -1 : 1;
	return (x->part > y->part) - (x->part < y->part);
}

static void compare_sides(struct ht_instance_group *g, const struct side *slow, const struct side *usual,
			  const struct ht_instances *in, const struct ht_latency *l)
{
	const double n = (double)slow->count, m = (double)usual->count;
	g->compared = true;
	g->slow = slow->count;
	g->usual = usual->count;
	g->slow_ns = slow->ns / n;
	g->usual_ns = usual->ns / m;
	g->slow_allocs = slow->allocs / n;
	g->usual_allocs = usual->allocs / m;
	g->slow_bytes = slow->bytes / n;
	g->usual_bytes = usual->bytes / m;
	g->differences = ht_xcalloc(HT_TIME_PARTS, sizeof(*g->differences));
	for (unsigned k = 0; k < HT_TIME_PARTS; k++) {
		struct ht_difference *d = &g->differences[g->difference_count];
		*d = (struct ht_difference){
			.part = k,
			.slow_ns = (double)slow->parts.ns[k] / n,
			.usual_ns = (double)usual->parts.ns[k] / m,
		};
		g->difference_count += d->slow_ns > d->usual_ns;
	}
	qsort(g->differences, g->difference_count, sizeof(*g->differences), by_growth);
	for (size_t i = 0; l && i < g->difference_count; i++)
		if (g->differences[i].part >= HT_PART_BLOCKED)
			ht_instance_culprit(l, in, g->members, g->slow, g->differences[i].part - HT_PART_BLOCKED,
					    &g->differences[i].culprit);
}

/* --- groups -------------------------------------------------------------------------------- */

struct ranked {
	uint64_t ns;
	uint32_t instance, name; /* name: dense, of equal texts */
};

static int by_name_and_length(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->name != y->name)
		return x->name < y->name ? -1 : 1;
	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return (x->instance > y->instance) - (x->instance < y->instance);
}

static void fill_group(struct ht_instance_group *g, const struct ranked *ranked, size_t n, const struct ht_trace *t,
		       const struct ht_instances *in, const struct ht_latency *l)
{
	struct side slow = {.count = 0}, usual = {.count = 0};
	const size_t slow_end = (n + 9) / 10, usual_from = n / 4, usual_end = n - n / 4;
	g->name = ht_trace_string(t, in->items[ranked->instance].name, NULL);
	g->count = n;
	g->members = ht_xmalloc(n * sizeof(*g->members));
	g->durations = ht_xmalloc(n * sizeof(*g->durations));
	for (size_t k = 0; k < n; k++) {
		const struct ht_instance *i = &in->items[ranked[k].instance];
		struct ht_time_parts parts = {.voluntary = 0};
		ht_instance_parts(in, i, l, &parts);
		add_parts(&g->parts, &parts);
		g->members[k] = ranked[k].instance;
		g->durations[k] = ranked[k].ns;
		g->cut += i->cut;
		g->allocs += i->allocs;
		g->bytes += i->bytes;
		if (in->variances) {
			g->variance.allocs += in->variances[ranked[k].instance].allocs;
			g->variance.bytes += in->variances[ranked[k].instance].bytes;
		}
		if (n >= 4 && k < slow_end)
			add_to_side(&slow, i, &parts);
		if (n >= 4 && k >= usual_from && k < usual_end)
			add_to_side(&usual, i, &parts);
	}
	ht_quantiles_of(&g->duration, g->durations, n);
	if (n >= 4)
		compare_sides(g, &slow, &usual, in, l);
}

static int by_time(const void *a, const void *b)
{
	const struct ht_instance_group *x = a, *y = b;
	if (x->duration.sum != y->duration.sum)
		return x->duration.sum > y->duration.sum ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Ids of strings may differ where the texts are equal: a number per text. */
static uint32_t *number_names(const struct ht_trace *t, const struct ht_instances *in, size_t *names)
{
	struct ht_index index = {0};
	uint32_t *number = ht_xmalloc(in->count * sizeof(*number) + 1), *first = NULL;
	size_t cap = 0;
	*names = 0;
	for (size_t i = 0; i < in->count; i++) {
		const char *s = ht_trace_string(t, in->items[i].name, NULL);
		uint32_t hash = ht_mix(ht_hash_text(HT_HASH_START, s)), v;
		for (size_t k = ht_index_start(&index, hash); (v = ht_index_at(&index, &k, hash)) != HT_INDEX_NONE; k++)
			if (!strcmp(ht_trace_string(t, in->items[first[v]].name, NULL), s))
				break;
		if (v == HT_INDEX_NONE) {
			if (*names == cap) {
				cap = cap ? 2 * cap : 64;
				first = ht_xrealloc(first, cap, sizeof(*first));
			}
			v = (uint32_t)(*names)++;
			first[v] = (uint32_t)i;
			ht_index_insert(&index, hash, v);
		}
		number[i] = v;
	}
	free(first);
	ht_index_release(&index);
	return number;
}

void ht_instance_groups_make(struct ht_instance_groups *g, const struct ht_trace *t, const struct ht_instances *in,
			     const struct ht_latency *l)
{
	size_t names;
	uint32_t *number = number_names(t, in, &names);
	struct ranked *ranked = ht_xmalloc(in->count * sizeof(*ranked) + 1);
	for (size_t i = 0; i < in->count; i++)
		ranked[i] = (struct ranked){in->items[i].end_ns - in->items[i].begin_ns, (uint32_t)i, number[i]};
	free(number);
	if (in->count)
		qsort(ranked, in->count, sizeof(*ranked), by_name_and_length);
	*g = (struct ht_instance_groups){.items = ht_xcalloc(names + 1, sizeof(*g->items))};
	for (size_t i = 0, end; i < in->count; i = end) {
		for (end = i; end < in->count && ranked[end].name == ranked[i].name; end++)
			;
		fill_group(&g->items[g->count++], &ranked[i], end - i, t, in, l);
	}
	free(ranked);
	qsort(g->items, g->count, sizeof(*g->items), by_time);
}

void ht_instance_groups_release(struct ht_instance_groups *g)
{
	for (size_t i = 0; i < g->count; i++) {
		free(g->items[i].members);
		free(g->items[i].durations);
		free(g->items[i].differences);
	}
	free(g->items);
	*g = (struct ht_instance_groups){0};
}
