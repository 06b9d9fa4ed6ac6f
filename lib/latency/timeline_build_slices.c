/*
 * timeline_build_slices: waits, regions, stalls and bursts of allocations as slices that nest, and arrows from wakes
 * to the ends of waits. Times of one thread's slices are rounded differently, so slices may cross. Where that explains
 * it, the rounded time gives way; where not, the one that begins later ends where the outer one ends. A burst, whose
 * end says little, ends where a slice begins that goes on behind it.
 */
#include <stdlib.h>
#include <string.h>

#include "estimate.h"
#include "stall_causes.h"
#include "timeline_build_work.h"

struct raw {
	struct ht_timeline_slice s;
	uint32_t wait; /* of the model, + 1: an arrow may lead to its end */
};
struct raws {
	HT_TIMELINE_LIST(struct raw) list;
};

static uint64_t within(const struct ht_timeline_thread *t, uint64_t ns)
{
	return ns < t->start_ns ? t->start_ns : ns > t->end_ns ? t->end_ns : ns;
}

/* Its parts within the windows; what lies outside of its thread's life, as clocks can have it, is put at its rim. An arrow
 * leads to the part that ends where the whole ends. */
static void add(struct ht_timeline_work *w, struct raws *r, const struct ht_timeline_slice *s, uint32_t wait)
{
	const struct ht_timeline_thread *t = &w->threads.items[s->thread];
	uint64_t begin = within(t, s->begin_ns), end = within(t, s->end_ns);
	struct ht_timeline_window part;
	if (s->end_ns < w->from_ns || s->begin_ns > w->to_ns)
		return;
	for (size_t at = 0; ht_timeline_part(w, begin, end, &at, &part);) {
		struct raw *x = HT_TIMELINE_ADD(r->list);
		x->s = *s;
		x->s.begin_ns = part.from_ns;
		x->s.end_ns = part.to_ns;
		x->wait = part.to_ns == s->end_ns ? wait : 0;
	}
}

/* --- what there is ------------------------------------------------------------------------ */

static const char *outcome_of(const struct ht_wait *x)
{
	return x->outcome != HT_OUTCOME_OK && x->outcome < HT_OUTCOMES ? ht_outcome_names[x->outcome] : "";
}

/* Does detail say how many bytes were moved? */
static bool moves_data(const struct ht_wait *x)
{
	bool data = x->kind == HT_WAIT_NET || x->kind == HT_WAIT_PIPE || x->kind == HT_WAIT_DISK ||
		    x->kind == HT_WAIT_OTHER;
	return x->fd >= 0 && data && x->call != HT_CALL_ACCEPT && x->call != HT_CALL_CONNECT;
}

static void add_waits(struct ht_timeline_work *w, struct raws *r, uint32_t thread,
		      const struct ht_latency_thread *timed)
{
	for (size_t i = timed->first_wait; i < timed->first_wait + timed->wait_count; i++) {
		const struct ht_waited *x = &w->model->waits[i];
		const struct ht_timeline_slice s = {
			.thread = thread,
			.category = HT_TIMELINE_WAIT,
			.begin_ns = x->w.begin_ns,
			.end_ns = x->w.end_ns,
			.name = ht_timeline_textf(w, "wait %s", ht_timeline_wait_text(w, &x->w)),
			.stack = ht_timeline_stack(w, x->w.stack),
			.bytes = moves_data(&x->w) ? x->w.detail : 0,
			.outcome = outcome_of(&x->w),
		};
		add(w, r, &s, x->wake ? (uint32_t)i + 1 : 0);
	}
}

/* What most of a stall was. */
static const char *cause_of(const struct ht_timeline_work *w, const struct ht_stall *x)
{
	struct ht_stall_parts parts;
	unsigned most = HT_STALL_UNKNOWN;
	ht_stall_parts(w->model, x, &parts);
	for (unsigned i = 0; i < HT_STALL_CAUSES; i++)
		if (parts.cause_ns[i] > parts.cause_ns[most])
			most = i;
	return ht_stall_cause_names[most];
}

static void add_stalls(struct ht_timeline_work *w, struct raws *r, uint32_t thread,
		       const struct ht_latency_thread *timed)
{
	for (size_t i = timed->first_stall; i < timed->first_stall + timed->stall_count; i++) {
		const struct ht_stall *x = &w->model->stalls[i];
		const struct ht_timeline_slice s = {
			.thread = thread,
			.category = HT_TIMELINE_STALL,
			.begin_ns = x->begin_ns,
			.end_ns = x->end_ns,
			.name = x->op < HT_OP_COUNT && *ht_op_info[x->op].name ? ht_op_info[x->op].name : "allocator",
			.stack = ht_timeline_stack(w, x->stack),
			.objects = ht_op_is_birth(x->op) && x->address,
			.bytes = x->size,
			.outcome = cause_of(w, x),
		};
		add(w, r, &s, 0);
	}
}

static void add_bursts(struct ht_timeline_work *w, struct raws *r, uint32_t thread, uint32_t id)
{
	size_t count;
	const struct ht_timeline_burst *all = ht_timeline_bursts_of(w, id, &count);
	for (size_t i = 0; i < count; i++) {
		struct ht_timeline_slice s = {
			.thread = thread,
			.category = HT_TIMELINE_BURST,
			.begin_ns = all[i].begin_ns,
			.end_ns = all[i].end_ns,
			.name = "allocations",
			.stack = ht_timeline_stack(w, all[i].top_stack),
			.objects = all[i].objects,
			.bytes = all[i].bytes,
			.outcome = "",
		};
		ht_amount_whole(w->a, &s.objects);
		ht_amount_whole(w->a, &s.bytes);
		add(w, r, &s, 0);
	}
}

static void add_regions(struct ht_timeline_work *w, struct raws *r)
{
	const struct ht_analysis_options *o = &w->a->options;
	bool *threads = ht_xcalloc(w->a->thread_count, sizeof(*threads));
	for (size_t i = 0; i < w->a->thread_count; i++)
		threads[i] = w->thread_of[i];
	const struct ht_instances_options io = {
		.what = HT_INSTANCES_REGIONS,
		.threads = threads,
		.from_ns = ht_timeline_look_back(w),
		.to_ns = w->to_ns,
		.progress = o->progress,
		.progress_ctx = o->progress_ctx,
	};
	struct ht_instances all;
	ht_instances_read(&all, w->trace, &io);
	for (size_t i = 0; i < all.count; i++) {
		const struct ht_instance *x = &all.items[i];
		const char *name = ht_timeline_text(w, ht_trace_string(w->trace, x->name, NULL));
		const struct ht_timeline_slice s = {
			.thread = w->thread_of[x->thread] - 1,
			.category = HT_TIMELINE_REGION,
			.begin_ns = x->begin_ns,
			.end_ns = x->end_ns,
			.name = *name ? name : "region",
			.objects = x->allocs,
			.bytes = x->bytes,
			.outcome = "",
		};
		if (w->thread_of[x->thread])
			add(w, r, &s, 0);
	}
	ht_instances_release(&all);
	free(threads);
}

/* --- nesting ------------------------------------------------------------------------------ */

static int outer_first(const void *pa, const void *pb)
{
	static const uint8_t rank[HT_TIMELINE_CATEGORIES] = {
		[HT_TIMELINE_REGION] = 0, [HT_TIMELINE_WAIT] = 1, [HT_TIMELINE_STALL] = 2, [HT_TIMELINE_BURST] = 3};
	const struct raw *a = pa, *b = pb;
	if (a->s.thread != b->s.thread)
		return a->s.thread < b->s.thread ? -1 : 1;
	if (a->s.begin_ns != b->s.begin_ns)
		return a->s.begin_ns < b->s.begin_ns ? -1 : 1;
	if (a->s.end_ns != b->s.end_ns)
		return a->s.end_ns > b->s.end_ns ? -1 : 1;
	if (a->s.category != b->s.category)
		return rank[a->s.category] < rank[b->s.category] ? -1 : 1;
	return strcmp(a->s.name, b->s.name);
}

struct open_slices {
	HT_TIMELINE_LIST(struct raw *) list;
	uint64_t unit_ns; /* what times of events are rounded down to; those of waits and stalls are not */
};

static bool is_rounded(const struct ht_timeline_slice *s)
{
	return s->category == HT_TIMELINE_REGION || s->category == HT_TIMELINE_BURST;
}

/* s begins inside of the innermost open slice and ends behind it. True: that one is to be closed. */
static bool uncross(struct ht_timeline_work *w, const struct open_slices *o, struct ht_timeline_slice *s)
{
	struct ht_timeline_slice *outer = &o->list.items[o->list.count - 1]->s;
	if (outer->category == HT_TIMELINE_BURST) {
		outer->end_ns = s->begin_ns;
		return true;
	}
	if (is_rounded(s) && outer->end_ns - s->begin_ns < o->unit_ns) {
		s->begin_ns = outer->end_ns; /* it began then, or later */
		return true;
	}
	if (is_rounded(outer) && !is_rounded(s) && s->end_ns - outer->end_ns < o->unit_ns) {
		for (size_t i = o->list.count; i-- && o->list.items[i]->s.end_ns < s->end_ns;)
			o->list.items[i]->s.end_ns = s->end_ns; /* they ended then, or later */
		return false;
	}
	w->made.cut_slices += s->category != HT_TIMELINE_BURST;
	s->end_ns = outer->end_ns;
	return false;
}

/* One thread's, sorted. What ends at the begin of the next is beside it. */
static void nest(struct ht_timeline_work *w, struct raw *items, size_t count)
{
	struct open_slices open = {.unit_ns = ht_trace_settings(w->trace)->time_unit_ns};
	uint64_t floor = 0; /* begins do not go back */
	for (size_t i = 0; i < count; i++) {
		struct ht_timeline_slice *s = &items[i].s;
		if (s->begin_ns < floor)
			s->begin_ns = floor;
		if (s->end_ns < s->begin_ns)
			s->end_ns = s->begin_ns;
		while (open.list.count) {
			const struct ht_timeline_slice *outer = &open.list.items[open.list.count - 1]->s;
			bool moments = outer->begin_ns == s->end_ns; /* both, at one time: one in the other */
			bool over = outer->end_ns <= s->begin_ns && !moments;
			if (!over && s->end_ns > outer->end_ns)
				over = uncross(w, &open, s);
			if (!over)
				break;
			open.list.count--;
		}
		floor = s->begin_ns;
		*HT_TIMELINE_ADD(open.list) = &items[i];
	}
	free(open.list.items);
}

/* --- arrows ------------------------------------------------------------------------------- */

static const char *wake_name(const struct ht_wake *x)
{
	switch (x->call) {
	case HT_CALL_MUTEX_UNLOCK:
	case HT_CALL_RWLOCK_UNLOCK:
	case HT_CALL_SPIN_UNLOCK:
		return "unlock";
	case HT_CALL_COND_SIGNAL:
		return "signal";
	case HT_CALL_COND_BROADCAST:
		return "broadcast";
	case HT_CALL_SEM_POST:
		return "post";
	case HT_CALL_BARRIER_WAIT:
		return "barrier";
	case HT_CALL_EXIT:
		return "exit";
	case HT_CALL_CLOSE:
		return "close";
	case HT_CALL_ONCE:
		return "once";
	default:
		return x->kind == HT_WAIT_JOIN ? "exit" : "write";
	}
}

static void add_arrow(struct ht_timeline_work *w, const struct raw *r)
{
	const struct ht_waited *x = &w->model->waits[r->wait - 1];
	const struct ht_wake *wake = x->wake <= w->model->wake_count ? &w->model->wakes[x->wake - 1] : NULL;
	uint32_t from = wake && wake->thread < w->a->thread_count ? w->thread_of[wake->thread] : 0;
	if (!from || from == r->s.thread + 1)
		return;
	const struct ht_timeline_thread *t = &w->threads.items[from - 1];
	bool there = wake->time_ns >= t->start_ns && wake->time_ns <= t->end_ns && ht_timeline_inside(w, wake->time_ns);
	if (wake->time_ns > r->s.end_ns || r->s.end_ns != x->w.end_ns) {
		w->made.lost_arrows++;
		return;
	}
	if (there)
		*HT_TIMELINE_ADD(w->arrows) = (struct ht_timeline_arrow){
			.from_ns = wake->time_ns,
			.to_ns = r->s.end_ns,
			.from = from - 1,
			.to = r->s.thread,
			.name = wake_name(wake),
			.stack = ht_timeline_stack(w, wake->stack),
		};
}

static int by_time(const void *pa, const void *pb)
{
	const struct ht_timeline_arrow *a = pa, *b = pb;
	if (a->from_ns != b->from_ns)
		return a->from_ns < b->from_ns ? -1 : 1;
	if (a->to_ns != b->to_ns)
		return a->to_ns < b->to_ns ? -1 : 1;
	return a->to < b->to ? -1 : a->to > b->to;
}

/* --- all of them -------------------------------------------------------------------------- */

void ht_timeline_slices(struct ht_timeline_work *w)
{
	struct raws r = {0};
	for (uint32_t i = 0; i < w->threads.count; i++) {
		for (uint32_t id = w->ids[i] + 1; id; id = w->next_id[id - 1]) {
			const struct ht_latency_thread *timed = w->model ? ht_latency_thread(w->model, id - 1) : NULL;
			if (timed) {
				add_waits(w, &r, i, timed);
				add_stalls(w, &r, i, timed);
			}
			add_bursts(w, &r, i, id - 1);
		}
	}
	add_regions(w, &r);
	if (r.list.count)
		qsort(r.list.items, r.list.count, sizeof(*r.list.items), outer_first);
	for (size_t i = 0, n; i < r.list.count; i += n) {
		for (n = 1; i + n < r.list.count && r.list.items[i + n].s.thread == r.list.items[i].s.thread;)
			n++;
		nest(w, &r.list.items[i], n);
	}
	for (size_t i = 0; i < r.list.count; i++) {
		*HT_TIMELINE_ADD(w->slices) = r.list.items[i].s;
		if (r.list.items[i].wait)
			add_arrow(w, &r.list.items[i]);
	}
	free(r.list.items);
	if (w->arrows.count)
		qsort(w->arrows.items, w->arrows.count, sizeof(*w->arrows.items), by_time);
}
