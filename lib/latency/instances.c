/* instances: see instances.h. Each thread keeps what is open on it, innermost last, and how much it has allocated
 * so far. */
#include "instances.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hash_index.h"

#define DEEPEST 4096u /* further ones are not kept: their ends then end outer ones of the name */
#define NOBODY UINT32_MAX

/* What was allocated; in a sampled trace estimates, with their variances. */
struct amount {
	double allocs, bytes, allocs_variance, bytes_variance;
};

struct open_item {
	uint64_t what;	   /* region: string id; task: its number */
	uint32_t instance; /* NOBODY: not selected, or never begun */
	bool again;	   /* the thread works for the same task further out already */
	uint64_t begin_ns;
	struct amount before; /* of the thread when it was opened */
};

struct worker {
	struct open_item *items;
	uint32_t count, cap;
	struct amount sum; /* of the thread so far */
};

struct reader {
	struct ht_instances *out;
	const struct ht_trace *trace;
	const struct ht_instances_options *o;
	struct worker *workers; /* per thread */
	uint32_t threads;
	uint64_t open;	  /* items that are, of all threads */
	uint64_t working; /* of them, those of an instance */
	struct ht_index tasks;
	struct amount *sums; /* per instance */
	uint64_t sample_bytes;
};

static bool selected(const struct reader *r, uint32_t thread)
{
	return !r->o->threads || r->o->threads[thread];
}

static bool named(const struct reader *r, uint64_t string)
{
	size_t n = 0;
	if (!r->o->name)
		return true;
	const char *s = string <= UINT32_MAX ? ht_trace_string(r->trace, (uint32_t)string, &n) : NULL;
	return s && strlen(r->o->name) == n && !memcmp(s, r->o->name, n);
}

/* --- instances, pieces --------------------------------------------------------------------- */

static uint32_t begin_instance(struct reader *r, uint32_t thread, uint64_t name, uint64_t task, uint64_t time)
{
	struct ht_instances *out = r->out;
	if (time < r->o->from_ns || time > r->o->to_ns || !named(r, name) || out->count >= NOBODY)
		return NOBODY;
	if (out->count == out->cap) {
		out->cap = out->cap ? 2 * out->cap : 1024;
		out->items = ht_xrealloc(out->items, out->cap, sizeof(*out->items));
		r->sums = ht_xrealloc(r->sums, out->cap, sizeof(*r->sums));
	}
	out->items[out->count] = (struct ht_instance){
		.begin_ns = time,
		.end_ns = UINT64_MAX,
		.task = task,
		.name = (uint32_t)name,
		.thread = thread,
	};
	r->sums[out->count] = (struct amount){0, 0, 0, 0};
	return (uint32_t)out->count++;
}

static void add_piece(struct reader *r, const struct open_item *i, uint32_t thread, uint64_t end)
{
	struct ht_instances *out = r->out;
	const struct amount *now = &r->workers[thread].sum;
	struct amount *sum = &r->sums[i->instance];
	sum->allocs += now->allocs - i->before.allocs;
	sum->bytes += now->bytes - i->before.bytes;
	sum->allocs_variance += now->allocs_variance - i->before.allocs_variance;
	sum->bytes_variance += now->bytes_variance - i->before.bytes_variance;
	if (end <= i->begin_ns)
		return;
	if (out->piece_count == out->piece_cap) {
		out->piece_cap = out->piece_cap ? 2 * out->piece_cap : 1024;
		out->pieces = ht_xrealloc(out->pieces, out->piece_cap, sizeof(*out->pieces));
	}
	out->pieces[out->piece_count++] = (struct ht_piece){i->begin_ns, end, thread, i->instance};
}

/* --- what is open -------------------------------------------------------------------------- */

static void push(struct reader *r, uint32_t thread, uint64_t what, uint32_t instance, uint64_t time)
{
	struct worker *w = &r->workers[thread];
	if (w->count == DEEPEST)
		return;
	if (w->count == w->cap) {
		w->cap = w->cap ? 2 * w->cap : 8;
		w->items = ht_xrealloc(w->items, w->cap, sizeof(*w->items));
	}
	bool again = false;
	for (uint32_t i = 0; r->o->what == HT_INSTANCES_TASKS && i < w->count; i++)
		again |= w->items[i].what == what;
	w->items[w->count++] = (struct open_item){what, instance, again, time, w->sum};
	r->open++;
	r->working += instance != NOBODY;
}

static void pop(struct reader *r, uint32_t thread, uint64_t time, bool cut)
{
	struct worker *w = &r->workers[thread];
	const struct open_item *i = &w->items[--w->count];
	r->open--;
	if (i->instance == NOBODY)
		return;
	r->working--;
	if (!i->again)
		add_piece(r, i, thread, time);
	if (r->o->what == HT_INSTANCES_REGIONS) {
		r->out->items[i->instance].end_ns = time > i->begin_ns ? time : i->begin_ns;
		r->out->items[i->instance].cut = cut;
	}
}

/* Ends the innermost one that is `what`, and those inside of it; none: nothing. */
static void end(struct reader *r, uint32_t thread, uint64_t what, uint64_t time)
{
	struct worker *w = &r->workers[thread];
	uint32_t at = w->count;
	while (at && w->items[at - 1].what != what)
		at--;
	r->out->unmatched += !at;
	while (at && w->count >= at)
		pop(r, thread, time, false);
}

/* --- events -------------------------------------------------------------------------------- */

static uint32_t task_instance(const struct reader *r, uint64_t task)
{
	uint32_t hash = ht_mix(task), v;
	for (size_t i = ht_index_start(&r->tasks, hash); (v = ht_index_at(&r->tasks, &i, hash)) != HT_INDEX_NONE; i++)
		if (r->out->items[v].task == task)
			return v;
	return NOBODY;
}

static void task_step(struct reader *r, uint32_t thread, uint64_t task, uint64_t step, uint64_t type, uint64_t time)
{
	uint32_t i = task ? task_instance(r, task) : NOBODY;
	switch (step) {
	case HT_TASK_BEGIN:
		if (!task || i != NOBODY)
			return;
		i = begin_instance(r, thread, type, task, time);
		if (i != NOBODY)
			ht_index_insert(&r->tasks, ht_mix(task), i);
		break;
	case HT_TASK_END:
		if (i != NOBODY && r->out->items[i].end_ns == UINT64_MAX)
			r->out->items[i].end_ns = time > r->out->items[i].begin_ns ? time : r->out->items[i].begin_ns;
		r->out->unmatched += i == NOBODY;
		break;
	case HT_TASK_ENTER:
		push(r, thread, task, i, time);
		r->out->unmatched += i == NOBODY;
		break;
	case HT_TASK_LEAVE:
		end(r, thread, task, time);
		break;
	default:
		break;
	}
}

static void birth(struct reader *r, uint32_t thread, uint64_t size)
{
	struct amount *sum = &r->workers[thread].sum;
	const double s = (double)size;
	double p = 1;
	if (r->sample_bytes) {
		/* The block is there with probability p: it stands for 1/p blocks, s/p bytes. As in estimate.h. */
		p = -expm1(-(size ? s : 1) / (double)r->sample_bytes);
		sum->allocs_variance += (1 - p) / (p * p);
		sum->bytes_variance += (1 - p) / (p * p) * s * s;
	}
	sum->allocs += 1 / p;
	sum->bytes += s / p;
}

static void read_events(struct reader *r, const struct ht_event_arrays *e)
{
	const bool regions = r->o->what == HT_INSTANCES_REGIONS;
	size_t i = 0, x = 0;
	for (size_t k = 0; k < e->run_count; k++) {
		const uint32_t thread = e->runs[k].thread;
		for (uint32_t n = e->runs[k].count; n && i < e->count; n--, i++) {
			const unsigned op = e->op[i] & HT_EVENT_OP;
			if (e->time[i] > r->o->to_ns)
				continue; /* its thread's clock; others may be behind */
			if (ht_op_is_birth(op)) {
				birth(r, thread, e->size[i]);
				continue;
			}
			if (op < HT_OP_REGION_BEGIN || op > HT_OP_TASK)
				continue;
			while (x < e->extra_count && e->extras[x].event < i)
				x++;
			if (x == e->extra_count || e->extras[x].event != i)
				continue;
			const uint64_t time = e->time[i], what = e->extras[x].extra;
			if (op == HT_OP_TASK && !regions)
				task_step(r, thread, what, e->size[i], e->extras[x].extra2, time);
			else if (op == HT_OP_REGION_BEGIN && regions)
				push(r, thread, what,
				     selected(r, thread) ? begin_instance(r, thread, what, 0, time) : NOBODY, time);
			else if (op == HT_OP_REGION_END && regions)
				end(r, thread, what, time);
		}
	}
}

static void read_blocks(struct reader *r)
{
	const uint32_t opening = r->o->what == HT_INSTANCES_REGIONS ? 1u << HT_OP_REGION_BEGIN : 1u << HT_OP_TASK;
	const size_t count = ht_trace_block_count(r->trace);
	struct ht_event_arrays e = {0};
	struct ht_diag d;
	for (size_t i = ht_trace_block_at_time(r->trace, r->o->from_ns); i < count; i++) {
		uint32_t ops = opening;
		if (ht_trace_block(r->trace, i)->first_ns > r->o->to_ns)
			break;
		/* Where nothing is open, births do not matter. */
		if (!r->open && ht_trace_block_ops(r->trace, i, &e, &ops) < 0)
			ops = opening;
		if (r->o->progress)
			r->o->progress(r->o->progress_ctx, "regions", i, count);
		if (!(ops & opening) && !r->open)
			continue;
		if (ht_trace_block_arrays(r->trace, i, &e, &d) < 0)
			r->out->damaged_blocks++;
		else
			read_events(r, &e);
	}
	ht_event_arrays_release(&e);
}

/* --- ends ---------------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Where what is open on the thread, or in its image alone, ends at the latest. */
static uint64_t last_of(const struct reader *r, uint32_t thread, bool image_alone)
{
	const struct ht_thread_info *info = ht_trace_thread(r->trace, thread);
	const struct ht_image *image = info ? ht_trace_image(r->trace, info->image) : NULL;
	uint64_t last = least(r->o->to_ns, ht_trace_duration_ns(r->trace));
	if (image)
		last = least(last, image->end_ns);
	return info && !image_alone ? least(last, info->end_ns) : last;
}

static void close_all(struct reader *r)
{
	if (r->sample_bytes)
		r->out->variances = ht_xcalloc(r->out->count + 1, sizeof(*r->out->variances));
	for (uint32_t t = 0; t < r->threads; t++) {
		uint64_t last = last_of(r, t, false);
		while (r->workers[t].count) {
			uint64_t begin = r->workers[t].items[r->workers[t].count - 1].begin_ns;
			pop(r, t, last > begin ? last : begin, true);
		}
	}
	for (size_t i = 0; i < r->out->count; i++) {
		struct ht_instance *x = &r->out->items[i];
		if (x->end_ns == UINT64_MAX) {
			uint64_t last = last_of(r, x->thread, true);
			x->end_ns = last > x->begin_ns ? last : x->begin_ns;
			x->cut = true;
		}
		x->allocs = (uint64_t)nearbyint(r->sums[i].allocs);
		x->bytes = (uint64_t)nearbyint(r->sums[i].bytes);
		if (r->out->variances)
			r->out->variances[i] =
				(struct ht_instance_variance){r->sums[i].allocs_variance, r->sums[i].bytes_variance};
	}
}

static int by_instance_and_begin(const void *a, const void *b)
{
	const struct ht_piece *x = a, *y = b;
	if (x->instance != y->instance)
		return x->instance < y->instance ? -1 : 1;
	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	return (x->thread > y->thread) - (x->thread < y->thread);
}

/* Pieces lie within their task; times of two threads may differ by a little. */
static void settle_pieces(struct ht_instances *out)
{
	size_t kept = 0;
	for (size_t i = 0; i < out->piece_count; i++) {
		struct ht_piece p = out->pieces[i];
		const struct ht_instance *x = &out->items[p.instance];
		p.begin_ns = p.begin_ns > x->begin_ns ? p.begin_ns : x->begin_ns;
		p.end_ns = least(p.end_ns, x->end_ns);
		if (p.begin_ns < p.end_ns)
			out->pieces[kept++] = p;
	}
	out->piece_count = kept;
	if (kept)
		qsort(out->pieces, kept, sizeof(*out->pieces), by_instance_and_begin);
	for (size_t i = 0; i < kept; i++) {
		struct ht_instance *x = &out->items[out->pieces[i].instance];
		if (!x->piece_count++)
			x->first_piece = i;
	}
}

/* Tasks of selected threads: begun or worked for by one. Pieces move with their tasks. */
static void select_tasks(struct reader *r)
{
	struct ht_instances *out = r->out;
	size_t kept = 0;
	for (size_t i = 0; i < out->count; i++) {
		struct ht_instance x = out->items[i];
		bool wanted = selected(r, x.thread);
		for (size_t k = x.first_piece; k < x.first_piece + x.piece_count; k++)
			wanted |= selected(r, out->pieces[k].thread);
		if (!wanted)
			continue;
		for (size_t k = x.first_piece; k < x.first_piece + x.piece_count; k++)
			out->pieces[k].instance = (uint32_t)kept;
		if (out->variances)
			out->variances[kept] = out->variances[i];
		out->items[kept++] = x;
	}
	out->count = kept;
}

void ht_instances_read(struct ht_instances *out, const struct ht_trace *t, const struct ht_instances_options *o)
{
	struct reader r = {
		.out = out,
		.trace = t,
		.o = o,
		.threads = ht_trace_thread_count(t),
		.sample_bytes = ht_trace_settings(t)->sample_bytes,
	};
	*out = (struct ht_instances){0};
	r.workers = ht_xcalloc(r.threads + 1ull, sizeof(*r.workers));
	read_blocks(&r);
	close_all(&r);
	settle_pieces(out);
	if (o->what == HT_INSTANCES_TASKS && o->threads)
		select_tasks(&r);
	for (size_t i = 0; i < out->count; i++)
		out->cut += out->items[i].cut;
	for (uint32_t i = 0; i < r.threads; i++)
		free(r.workers[i].items);
	free(r.workers);
	free(r.sums);
	ht_index_release(&r.tasks);
}

void ht_instances_release(struct ht_instances *in)
{
	free(in->items);
	free(in->pieces);
	free(in->variances);
	*in = (struct ht_instances){0};
}

uint64_t ht_instance_worked_ns(const struct ht_instances *in, const struct ht_instance *i)
{
	uint64_t worked = 0, to = i->begin_ns;
	for (size_t k = i->first_piece; k < i->first_piece + i->piece_count; k++) {
		const struct ht_piece *p = &in->pieces[k];
		uint64_t from = p->begin_ns > to ? p->begin_ns : to;
		if (p->end_ns > from) {
			worked += p->end_ns - from;
			to = p->end_ns;
		}
	}
	return worked;
}
