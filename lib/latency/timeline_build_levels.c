/*
 * timeline_build_levels: counters. A curve keeps, for each interval in which its value changed, the highest value
 * with its moment and the last one. Intervals begin with 20 us and double when there are too many, so a curve has a
 * bounded number of points, and its peak is among them with its exact time and value.
 *
 * Of blocks born before the selection the walk tells when it meets their end, or at its own end. So levels are
 * counted from 0 on, and what was there at the beginning is added when all is known.
 */
#include <stdlib.h>

#include "estimate.h"
#include "timeline_build_work.h"

#define FIRST_WIDTH_NS 20000
#define NEAREST_NS 10000 /* points of a counter are at least so far apart */
#define RATE_BINS 1000
#define NARROWEST_BIN_NS 100000

struct interval {
	uint64_t number; /* of the interval, counted from the selection's begin */
	uint64_t most_ns, last_ns;
	int64_t most, last;
};
struct curve {
	HT_TIMELINE_LIST(struct interval) intervals;
	uint64_t from_ns, width_ns, until_ns; /* until: where the current interval ends */
	int64_t now;
	size_t bound;
};
struct process_levels {
	struct curve bytes, objects;
	int64_t base_bytes, base_objects; /* at the selection's begin */
	uint64_t *births;		  /* per bin */
	bool any;
};
struct ht_timeline_levels {
	const struct ht_timeline_work *w;
	struct process_levels *processes;
	size_t process_count, bins, bound;
	uint64_t from_ns, bin_ns, now_ns;
};

/* --- curves ------------------------------------------------------------------------------- */

static void curve_init(struct curve *c, uint64_t from_ns, size_t bound)
{
	*c = (struct curve){.from_ns = from_ns, .width_ns = FIRST_WIDTH_NS, .bound = bound};
}

static void halve(struct curve *c)
{
	size_t kept = 0;
	c->width_ns *= 2;
	for (size_t i = 0; i < c->intervals.count; i++) {
		struct interval x = c->intervals.items[i];
		x.number /= 2;
		struct interval *last = kept ? &c->intervals.items[kept - 1] : NULL;
		if (!last || last->number != x.number) {
			c->intervals.items[kept++] = x;
			continue;
		}
		if (x.most > last->most) {
			last->most = x.most;
			last->most_ns = x.most_ns;
		}
		last->last = x.last;
		last->last_ns = x.last_ns;
	}
	c->intervals.count = kept;
}

static __attribute__((noinline)) void open_interval(struct curve *c, uint64_t ns)
{
	while (c->intervals.count >= c->bound)
		halve(c);
	uint64_t number = (ns - c->from_ns) / c->width_ns;
	c->until_ns = c->from_ns + (number + 1) * c->width_ns;
	if (!c->intervals.count || c->intervals.items[c->intervals.count - 1].number != number)
		*HT_TIMELINE_ADD(c->intervals) = (struct interval){number, ns, ns, c->now, c->now};
}

/* Times must not go back. */
static inline void curve_add(struct curve *c, uint64_t ns, int64_t by)
{
	c->now += by;
	if (__builtin_expect(ns >= c->until_ns, 0))
		open_interval(c, ns);
	struct interval *x = &c->intervals.items[c->intervals.count - 1];
	x->last = c->now;
	x->last_ns = ns;
	if (c->now > x->most) {
		x->most = c->now;
		x->most_ns = ns;
	}
}

static bool differs(int64_t a, int64_t b)
{
	int64_t d = a > b ? a - b : b - a, size = llabs(b);
	return d * 100 >= size && d;
}

struct points {
	HT_TIMELINE_LIST(struct ht_profile_point) list;
	const struct ht_timeline_work *w;
	int64_t base, unit; /* unit: of an estimate's amounts; 1 */
};

static void add_point(struct points *p, uint64_t ns, int64_t value, bool keep)
{
	value = (value + p->base + p->unit / 2) / p->unit;
	value = value > 0 ? value : 0;
	struct ht_profile_point *last = p->list.count ? &p->list.items[p->list.count - 1] : NULL;
	if (last && ns < (uint64_t)last->time_ns + NEAREST_NS)
		ns = (uint64_t)last->time_ns + NEAREST_NS;
	if (ns > p->w->to_ns) { /* no room is left: the level at the end goes before, but for the peak */
		if (last && keep && value > last->bytes)
			last->bytes = value;
		return;
	}
	if (last && !differs(value, last->bytes) && !keep)
		return;
	if (!ht_timeline_inside(p->w, ns))
		return;
	*HT_TIMELINE_ADD(p->list) = (struct ht_profile_point){(int64_t)ns, value};
}

/* The curve as points from the beginning on; it is empty afterwards. The first maximum is always among them. */
static struct points curve_points(const struct ht_timeline_work *w, struct curve *c, int64_t base, int64_t unit)
{
	struct points p = {.w = w, .base = base, .unit = unit};
	size_t peak = 0;
	for (size_t i = 1; i < c->intervals.count; i++)
		if (c->intervals.items[i].most > c->intervals.items[peak].most)
			peak = i;
	if (!c->intervals.count || c->intervals.items[0].most_ns > c->from_ns)
		add_point(&p, c->from_ns, 0, true);
	for (size_t i = 0; i < c->intervals.count; i++) {
		const struct interval *x = &c->intervals.items[i];
		add_point(&p, x->most_ns, x->most, i == peak);
		if (x->last_ns > x->most_ns)
			add_point(&p, x->last_ns, x->last, i + 1 == c->intervals.count);
	}
	free(c->intervals.items);
	*c = (struct curve){0};
	return p;
}

static void add_counter(struct ht_timeline_work *w, uint32_t process, const char *name, unsigned unit,
			const struct points *p)
{
	if (!p->list.count) {
		free(p->list.items);
		return;
	}
	*HT_TIMELINE_ADD(w->counters) = (struct ht_timeline_counter){
		.process = process,
		.name = name,
		.unit = (uint8_t)unit,
		.points = p->list.items,
		.point_count = p->list.count,
	};
}

/* --- the pass ----------------------------------------------------------------------------- */

void ht_timeline_levels_begin(struct ht_timeline_work *w)
{
	struct ht_timeline_levels *l = w->levels = ht_xcalloc(1, sizeof(*l));
	uint64_t span = w->to_ns - w->from_ns;
	l->w = w;
	l->from_ns = l->now_ns = w->from_ns;
	l->bin_ns = span / RATE_BINS > NARROWEST_BIN_NS ? span / RATE_BINS : NARROWEST_BIN_NS;
	l->bins = (size_t)(span / l->bin_ns) + 1;
	l->process_count = w->processes.count;
	l->processes = ht_xcalloc(l->process_count, sizeof(*l->processes));
	l->bound = l->process_count > 32 ? 32 * HT_TIMELINE_POINTS / l->process_count : HT_TIMELINE_POINTS;
	l->bound = l->bound / 2 > 32 ? l->bound / 2 : 32; /* two points an interval */
	for (size_t i = 0; i < l->process_count; i++) {
		curve_init(&l->processes[i].bytes, w->from_ns, l->bound);
		curve_init(&l->processes[i].objects, w->from_ns, l->bound);
	}
}

static struct process_levels *levels_of(const struct ht_timeline_levels *l, const struct ht_step *s)
{
	const struct ht_thread_totals *t = &l->w->a->threads[s->owner];
	uint32_t process = t->selected && t->image < l->w->a->image_count ? l->w->process_of[t->image] : 0;
	return process ? &l->processes[process - 1] : NULL;
}

/* by: 1 or -1 of the level. before: the block was there when the selection began. */
static void change(struct ht_timeline_levels *l, struct process_levels *p, const struct ht_step *s, int by, bool before)
{
	const struct ht_amount n = ht_amount_of(l->w->a, s->size);
	int64_t bytes = by * (int64_t)n.bytes, objects = by * (int64_t)n.objects;
	if (s->time_ns > l->now_ns)
		l->now_ns = s->time_ns;
	p->any = true;
	if (before) {
		p->base_bytes -= bytes;
		p->base_objects -= objects;
	}
	if (s->kind == HT_STEP_LEFT && !s->op) /* the end of the selection is no event */
		return;
	curve_add(&p->bytes, l->now_ns, bytes);
	curve_add(&p->objects, l->now_ns, objects);
}

static size_t bin_of(const struct ht_timeline_levels *l, uint64_t ns)
{
	size_t bin = ns > l->from_ns ? (size_t)((ns - l->from_ns) / l->bin_ns) : 0;
	return bin < l->bins ? bin : l->bins - 1;
}

static void count_birth(struct ht_timeline_levels *l, struct process_levels *p, const struct ht_step *s)
{
	if (!p->births)
		p->births = ht_xcalloc(l->bins, sizeof(*p->births));
	p->births[bin_of(l, s->time_ns)] += ht_amount_of(l->w->a, s->size).objects;
}

static void steps(void *state, const struct ht_step *all, size_t count)
{
	struct ht_timeline_levels *l = state;
	for (size_t i = 0; i < count; i++) {
		const struct ht_step *s = &all[i];
		bool ends = s->kind == HT_STEP_DEATH || s->kind == HT_STEP_LEFT;
		bool revives = s->kind == HT_STEP_REVIVE && s->undone == HT_STEP_DEATH;
		if (s->kind != HT_STEP_BIRTH && !ends && !revives)
			continue;
		struct process_levels *p = levels_of(l, s);
		if (!p)
			continue;
		change(l, p, s, ends ? -1 : 1, !s->selected);
		if (s->kind == HT_STEP_BIRTH)
			count_birth(l, p, s);
	}
}

struct ht_pass ht_timeline_levels_pass(struct ht_timeline_work *w)
{
	return (struct ht_pass){.name = "levels", .state = w->levels, .steps = steps};
}

void ht_timeline_levels_free(struct ht_timeline_levels *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->process_count; i++) {
		free(l->processes[i].bytes.intervals.items);
		free(l->processes[i].objects.intervals.items);
		free(l->processes[i].births);
	}
	free(l->processes);
	free(l);
}

/* --- other counters ----------------------------------------------------------------------- */

/* What is counted in the bins, a second. NULL: there is none. */
static void rate(struct ht_timeline_work *w, uint32_t process, const char *name, const uint64_t *bins, int64_t unit)
{
	const struct ht_timeline_levels *l = w->levels;
	struct points points = {.w = w, .unit = unit};
	for (size_t i = 0; bins && i < l->bins; i++) {
		uint64_t begin = l->from_ns + i * l->bin_ns, end = begin + l->bin_ns;
		end = end < w->to_ns ? end : w->to_ns;
		if (end > begin)
			add_point(&points, begin, (int64_t)((double)bins[i] * 1e9 / (double)(end - begin)), false);
	}
	if (points.list.count)
		add_point(&points, w->to_ns, 0, true);
	add_counter(w, process, name, HT_TIMELINE_PER_SECOND, &points);
}

static void faults(struct ht_timeline_work *w, uint32_t process)
{
	const struct ht_timeline_levels *l = w->levels;
	uint64_t *bins = ht_xcalloc(l->bins, sizeof(*bins));
	bool any = false;
	for (size_t i = 0; i < w->model->fault_count; i++) {
		const struct ht_fault *f = &w->model->faults[i];
		uint32_t thread = f->thread < w->a->thread_count ? w->thread_of[f->thread] : 0;
		if (!thread || w->threads.items[thread - 1].process != process || !ht_timeline_inside(w, f->time_ns))
			continue;
		bins[bin_of(l, f->time_ns)]++;
		any = true;
	}
	if (any)
		rate(w, process, "page faults", bins, 1);
	free(bins);
}

static void rss(struct ht_timeline_work *w, uint32_t process)
{
	struct points points = {.w = w, .unit = 1};
	const struct ht_sample *before = NULL;
	for (size_t i = 0; i < ht_trace_sample_count(w->trace); i++) {
		const struct ht_sample *s = &ht_trace_samples(w->trace)[i];
		if (s->image >= w->a->image_count || w->process_of[s->image] != process + 1)
			continue;
		if (s->time <= w->from_ns) {
			before = s;
			continue;
		}
		if (before)
			add_point(&points, w->from_ns, (int64_t)before->rss_bytes, true);
		before = NULL;
		if (s->time <= w->to_ns)
			add_point(&points, s->time, (int64_t)s->rss_bytes, true);
	}
	if (before)
		add_point(&points, w->from_ns, (int64_t)before->rss_bytes, true);
	add_counter(w, process, "RSS", HT_TIMELINE_BYTES, &points);
}

struct change_of {
	uint64_t ns;
	int64_t by;
};

static int by_time(const void *pa, const void *pb)
{
	const struct change_of *a = pa, *b = pb;
	if (a->ns != b->ns)
		return a->ns < b->ns ? -1 : 1;
	return (a->by > b->by) - (a->by < b->by);
}

/* Threads stand by process, and spans by thread: where those of a process begin. */
static size_t first_thread(const struct ht_timeline_work *w, uint32_t process)
{
	return HT_LOWER_BOUND(w->threads.items, w->threads.count, process, process);
}

static size_t first_span(const struct ht_timeline_work *w, size_t thread)
{
	return HT_LOWER_BOUND(w->spans.items, w->spans.count, thread, thread);
}

/* How many threads of a process were there, or, with runnable, waited for a processor. */
static void threads(struct ht_timeline_work *w, uint32_t process, bool runnable)
{
	HT_TIMELINE_LIST(struct change_of) all = {0};
	struct curve c;
	const size_t first = first_thread(w, process), end = first_thread(w, process + 1);
	for (size_t i = first; !runnable && i < end; i++) {
		const struct ht_timeline_thread *t = &w->threads.items[i];
		*HT_TIMELINE_ADD(all) = (struct change_of){t->start_ns, 1};
		if (t->end_ns < w->to_ns)
			*HT_TIMELINE_ADD(all) = (struct change_of){t->end_ns, -1};
	}
	for (size_t i = first_span(w, first); runnable && i < w->spans.count && w->spans.items[i].thread < end; i++) {
		const struct ht_timeline_span *s = &w->spans.items[i];
		if (s->state != HT_TIMELINE_RUNNABLE && s->state != HT_TIMELINE_PREEMPTED)
			continue;
		*HT_TIMELINE_ADD(all) = (struct change_of){s->begin_ns, 1};
		*HT_TIMELINE_ADD(all) = (struct change_of){s->end_ns, -1};
	}
	if (all.count)
		qsort(all.items, all.count, sizeof(*all.items), by_time);
	curve_init(&c, w->from_ns, w->levels->bound);
	for (size_t i = 0; i < all.count; i++)
		curve_add(&c, all.items[i].ns, all.items[i].by);
	struct points points = curve_points(w, &c, 0, 1);
	add_counter(w, process, runnable ? "runnable threads" : "threads", HT_TIMELINE_COUNT, &points);
	free(all.items);
}

void ht_timeline_counters(struct ht_timeline_work *w)
{
	struct ht_timeline_levels *l = w->levels;
	const int64_t unit = w->a->sample_bytes ? HT_AMOUNT_ONE : 1;
	for (uint32_t i = 0; i < l->process_count; i++) {
		struct process_levels *p = &l->processes[i];
		if (p->any) {
			struct points bytes = curve_points(w, &p->bytes, p->base_bytes, unit);
			struct points objects = curve_points(w, &p->objects, p->base_objects, unit);
			add_counter(w, i, "live bytes", HT_TIMELINE_BYTES, &bytes);
			add_counter(w, i, "live objects", HT_TIMELINE_COUNT, &objects);
		}
		rss(w, i);
		threads(w, i, false);
		if (w->switches.count)
			threads(w, i, true);
		rate(w, i, "allocations", p->births, unit);
		if (w->model && w->model->fault_count)
			faults(w, i);
	}
}
