/*
 * timeline_build_tasks: tasks of heaptide.h, and what time of the trace is shown: all that is selected, or that of
 * the tasks which the options name. What began before the selection is known when it began not long before: a part of
 * the trace as long as the selection, and no less than LOOK_BACK_NS, is read for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timeline_build_work.h"

#define LOOK_BACK_NS UINT64_C(1000000000)

uint64_t ht_timeline_look_back(const struct ht_timeline_work *w)
{
	uint64_t span = w->to_ns - w->from_ns, back = span > LOOK_BACK_NS ? span : LOOK_BACK_NS;
	return w->from_ns > back ? w->from_ns - back : 0;
}

/* --- windows ------------------------------------------------------------------------------ */

static bool chosen(const struct ht_trace *t, const struct ht_selection *s, uint32_t thread)
{
	const struct ht_thread_info *info = ht_trace_thread(t, thread);
	const struct ht_image *image = ht_trace_image(t, info->image);
	char tid[16];
	if (s->process && (!image || image->pid != s->process))
		return false;
	snprintf(tid, sizeof(tid), "%u", info->tid);
	return !s->thread || !strcmp(s->thread, tid) || !strcmp(s->thread, ht_trace_string(t, info->name, NULL));
}

/* Is it of the type, or has it the number? */
static bool is_named(const struct ht_timeline_work *w, const struct ht_instance *x, const char *task)
{
	char *end;
	errno = 0;
	unsigned long long number = strtoull(task, &end, 10);
	if (task[0] >= '0' && task[0] <= '9' && !*end && !errno && number == x->task)
		return true;
	return !strcmp(ht_trace_string(w->trace, x->name, NULL), task);
}

static int by_begin(const void *pa, const void *pb)
{
	const struct ht_timeline_window *a = pa, *b = pb;
	return a->from_ns < b->from_ns ? -1 : a->from_ns > b->from_ns;
}

/* Those that meet become one. */
static void unite(struct ht_timeline_work *w)
{
	size_t kept = 0;
	qsort(w->windows.items, w->windows.count, sizeof(*w->windows.items), by_begin);
	for (size_t i = 0; i < w->windows.count; i++) {
		struct ht_timeline_window x = w->windows.items[i], *last = kept ? &w->windows.items[kept - 1] : NULL;
		if (!last || x.from_ns > last->to_ns)
			w->windows.items[kept++] = x;
		else if (x.to_ns > last->to_ns)
			last->to_ns = x.to_ns;
	}
	w->windows.count = kept;
}

static void read_tasks(struct ht_timeline_work *w, const struct ht_timeline_options *o)
{
	const struct ht_selection *s = &o->analysis.selection;
	uint32_t count = ht_trace_thread_count(w->trace);
	bool *threads = ht_xcalloc(count, sizeof(*threads));
	for (uint32_t i = 0; i < count; i++)
		threads[i] = chosen(w->trace, s, i);
	const struct ht_instances_options io = {
		.what = HT_INSTANCES_TASKS,
		.threads = s->thread || s->process ? threads : NULL,
		.from_ns = ht_timeline_look_back(w),
		.to_ns = w->to_ns,
		.progress = o->analysis.progress,
		.progress_ctx = o->analysis.progress_ctx,
	};
	ht_instances_read(&w->tasks_read, w->trace, &io);
	free(threads);
}

int ht_timeline_windows(struct ht_timeline_work *w, const struct ht_timeline_options *o)
{
	read_tasks(w, o);
	if (!o->task) {
		*HT_TIMELINE_ADD(w->windows) = (struct ht_timeline_window){w->from_ns, w->to_ns};
		return 0;
	}
	for (size_t i = 0; i < w->tasks_read.count; i++) {
		const struct ht_instance *x = &w->tasks_read.items[i];
		uint64_t from = x->begin_ns > w->from_ns ? x->begin_ns : w->from_ns;
		uint64_t to = x->end_ns < w->to_ns ? x->end_ns : w->to_ns;
		if (from <= to && is_named(w, x, o->task))
			*HT_TIMELINE_ADD(w->windows) = (struct ht_timeline_window){from, to > from ? to : from + 1};
	}
	if (!w->windows.count)
		return HT_ABSENT;
	unite(w);
	w->from_ns = w->windows.items[0].from_ns;
	w->to_ns = w->windows.items[w->windows.count - 1].to_ns;
	return 0;
}

/* --- tasks -------------------------------------------------------------------------------- */

static const struct ht_timeline_piece *pieces_of(struct ht_timeline_work *w, const struct ht_instance *x, size_t *count)
{
	HT_TIMELINE_LIST(struct ht_timeline_piece) list = {0};
	for (size_t i = x->first_piece; i < x->first_piece + x->piece_count; i++) {
		const struct ht_piece *p = &w->tasks_read.pieces[i];
		struct ht_timeline_window part;
		for (size_t at = 0; w->thread_of[p->thread] && ht_timeline_part(w, p->begin_ns, p->end_ns, &at, &part);)
			*HT_TIMELINE_ADD(list) =
				(struct ht_timeline_piece){w->thread_of[p->thread] - 1, part.from_ns, part.to_ns};
	}
	*count = list.count;
	return list.items;
}

static void add_task(struct ht_timeline_work *w, const struct ht_instance *x)
{
	size_t count;
	const char *name = ht_timeline_text(w, ht_trace_string(w->trace, x->name, NULL));
	const struct ht_timeline_piece *pieces = pieces_of(w, x, &count);
	uint32_t thread = w->thread_of[x->thread] ? w->thread_of[x->thread] : count ? pieces[0].thread + 1 : 0;
	if (!thread) {
		free((void *)(uintptr_t)pieces);
		return;
	}
	*HT_TIMELINE_ADD(w->tasks) = (struct ht_timeline_task){
		.id = x->task,
		.name = *name ? name : "task",
		.process = w->threads.items[thread - 1].process,
		.thread = thread - 1,
		.begin_ns = x->begin_ns > w->from_ns ? x->begin_ns : w->from_ns,
		.end_ns = x->end_ns < w->to_ns ? x->end_ns : w->to_ns,
		.ended = !x->cut && x->end_ns <= w->to_ns,
		.pieces = pieces,
		.piece_count = count,
	};
}

static int by_time(const void *pa, const void *pb)
{
	const struct ht_timeline_task *a = pa, *b = pb;
	if (a->begin_ns != b->begin_ns)
		return a->begin_ns < b->begin_ns ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

void ht_timeline_tasks(struct ht_timeline_work *w)
{
	struct ht_timeline_window part;
	for (size_t i = 0; i < w->tasks_read.count; i++) {
		const struct ht_instance *x = &w->tasks_read.items[i];
		size_t at = 0;
		if (x->task && ht_timeline_part(w, x->begin_ns, x->end_ns, &at, &part))
			add_task(w, x);
	}
	if (w->tasks.count)
		qsort(w->tasks.items, w->tasks.count, sizeof(*w->tasks.items), by_time);
}
