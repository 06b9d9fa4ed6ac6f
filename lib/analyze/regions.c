/* regions: see regions.h. Each thread keeps what is open on it, innermost last. */
#include "regions.h"

#include <stdlib.h>
#include <string.h>

#define DEEPEST 65536u /* further ones are not kept: their ends then end outer ones of the name */

struct open_list {
	uint64_t *items; /* regions: string ids; tasks: numbers */
	uint32_t count, cap, wanted; /* wanted: how many of them are what the selection names */
};

struct ht_regions {
	const struct ht_trace *trace;
	const char *region, *task;
	uint32_t threads;
	struct open_list *regions, *tasks; /* per thread */
	uint64_t *task_ids; /* of the named type, open addressing; 0 = empty */
	uint64_t task_mask, task_count;
	uint64_t instances;
};

struct ht_regions *ht_regions_new(const struct ht_trace *t, const struct ht_selection *s)
{
	if (!s->region && !s->task)
		return NULL;
	struct ht_regions *r = ht_xcalloc(1, sizeof(*r));
	r->trace = t;
	r->region = s->region;
	r->task = s->task;
	r->threads = ht_trace_thread_count(t);
	r->regions = ht_xcalloc(r->threads + 1ull, sizeof(*r->regions));
	r->tasks = ht_xcalloc(r->threads + 1ull, sizeof(*r->tasks));
	r->task_mask = 255;
	r->task_ids = ht_xcalloc(r->task_mask + 1, sizeof(*r->task_ids));
	return r;
}

void ht_regions_free(struct ht_regions *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; i < r->threads; i++) {
		free(r->regions[i].items);
		free(r->tasks[i].items);
	}
	free(r->regions);
	free(r->tasks);
	free(r->task_ids);
	free(r);
}

static bool is_called(const struct ht_regions *r, uint64_t string, const char *name)
{
	size_t n = 0;
	const char *s = name && string <= UINT32_MAX ? ht_trace_string(r->trace, (uint32_t)string, &n) : NULL;
	return s && strlen(name) == n && !memcmp(s, name, n);
}

/* --- tasks of the type --------------------------------------------------------------------- */

static uint64_t *task_place(const struct ht_regions *r, uint64_t task)
{
	uint64_t i = (task * 0x9e3779b97f4a7c15ull >> 20) & r->task_mask;
	while (r->task_ids[i] && r->task_ids[i] != task)
		i = (i + 1) & r->task_mask;
	return &r->task_ids[i];
}

static void add_task(struct ht_regions *r, uint64_t task)
{
	if (!task)
		return;
	if (2 * r->task_count > r->task_mask) {
		uint64_t *old = r->task_ids, n = r->task_mask + 1;
		r->task_mask = 2 * n - 1;
		r->task_ids = ht_xcalloc(r->task_mask + 1, sizeof(*r->task_ids));
		for (uint64_t i = 0; i < n; i++)
			if (old[i])
				*task_place(r, old[i]) = old[i];
		free(old);
	}
	uint64_t *place = task_place(r, task);
	r->task_count += !*place;
	*place = task;
}

static bool is_task(const struct ht_regions *r, uint64_t task)
{
	return task && *task_place(r, task) == task;
}

/* --- what is open -------------------------------------------------------------------------- */

static void push(struct open_list *l, uint64_t item, bool wanted)
{
	if (l->count == DEEPEST)
		return;
	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 8;
		l->items = ht_xrealloc(l->items, l->cap, sizeof(*l->items));
	}
	l->items[l->count++] = item;
	l->wanted += wanted;
}

/* Ends the innermost one that is `item`, and those inside of it; none: nothing. */
static void end(struct ht_regions *r, struct open_list *l, uint64_t item, bool task)
{
	uint32_t at = l->count;
	while (at && l->items[at - 1] != item)
		at--;
	if (!at)
		return;
	while (l->count >= at) {
		uint64_t x = l->items[--l->count];
		l->wanted -= task ? is_task(r, x) : is_called(r, x, r->region);
		if (!l->count)
			break;
	}
}

void ht_regions_event(struct ht_regions *r, uint32_t thread, unsigned op, uint64_t extra, uint64_t extra2, uint64_t size,
		      bool counts)
{
	if (thread >= r->threads)
		return;
	if (op == HT_OP_REGION_BEGIN) {
		bool wanted = is_called(r, extra, r->region);
		push(&r->regions[thread], extra, wanted);
		r->instances += wanted && counts;
	} else if (op == HT_OP_REGION_END) {
		end(r, &r->regions[thread], extra, false);
	} else if (size == HT_TASK_BEGIN && is_called(r, extra2, r->task)) {
		add_task(r, extra);
		r->instances += counts && !r->region;
	} else if (size == HT_TASK_ENTER) {
		push(&r->tasks[thread], extra, is_task(r, extra));
	} else if (size == HT_TASK_LEAVE) {
		end(r, &r->tasks[thread], extra, true);
	}
}

bool ht_regions_inside(const struct ht_regions *r, uint32_t thread)
{
	return thread < r->threads && (!r->region || r->regions[thread].wanted) && (!r->task || r->tasks[thread].wanted);
}

uint64_t ht_regions_instances(const struct ht_regions *r)
{
	return r ? r->instances : 0;
}
