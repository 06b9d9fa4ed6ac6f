/*
 * timeline_build_who: the processes and threads of a timeline, and the time that it shows. A process is what a pid
 * was from its fork to its end: images that follow each other by exec are one, and so are their first threads.
 * Threads are cut to what is selected.
 */
#include <stdlib.h>
#include <string.h>

#include "timeline_build_work.h"

/* --- windows ------------------------------------------------------------------------------ */

/* The first window that ends after ns. */
static size_t window_at(const struct ht_timeline_work *w, uint64_t ns)
{
	size_t lo = 0, hi = w->windows.count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (w->windows.items[mid].to_ns <= ns)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* *at counts the windows looked at, + 1 from the first call on. An interval of length 0 has one part or none. */
bool ht_timeline_part(const struct ht_timeline_work *w, uint64_t begin, uint64_t end, size_t *at,
		      struct ht_timeline_window *part)
{
	if (!*at && begin == end) {
		*at = w->windows.count + 1;
		*part = (struct ht_timeline_window){begin, end};
		return ht_timeline_inside(w, begin);
	}
	if (!*at)
		*at = window_at(w, begin) + 1;
	if (*at > w->windows.count)
		return false;
	const struct ht_timeline_window *x = &w->windows.items[*at - 1];
	if (x->from_ns >= end)
		return false;
	part->from_ns = begin > x->from_ns ? begin : x->from_ns;
	part->to_ns = end < x->to_ns ? end : x->to_ns;
	++*at;
	return true;
}

/* Windows include their ends here: the last event of a trace is at its end. */
bool ht_timeline_inside(const struct ht_timeline_work *w, uint64_t ns)
{
	size_t i = window_at(w, ns ? ns - 1 : 0);
	return i < w->windows.count && w->windows.items[i].from_ns <= ns;
}

/* --- processes ---------------------------------------------------------------------------- */

static const char *command_of(struct ht_timeline_work *w, uint32_t argv)
{
	struct ht_buf line = {0};
	size_t n;
	const char *words = ht_trace_string(w->trace, argv, &n);
	ht_buf_append(&line, words, n);
	while (line.len && !line.data[line.len - 1])
		line.len--;
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] < ' ') /* between words, and in them */
			line.data[i] = ' ';
	ht_buf_byte(&line, '\0');
	const char *text = ht_timeline_text(w, (const char *)line.data);
	ht_buf_release(&line);
	return text;
}

/* The process that the image goes on with, + 1; 0: it begins one. */
static uint32_t continued(const struct ht_timeline_work *w, uint32_t image)
{
	const struct ht_image *m = ht_trace_image(w->trace, image);
	const struct ht_image *before = m->kind == HT_IMAGE_EXEC && m->parent && m->parent <= image
						? ht_trace_image(w->trace, m->parent - 1) : NULL;
	return before && before->pid == m->pid ? w->process_of[m->parent - 1] : 0;
}

static uint64_t end_of_image(const struct ht_timeline_work *w, uint32_t image)
{
	const struct ht_image *m = ht_trace_image(w->trace, image);
	return m && m->end_ns < w->to_ns ? m->end_ns : w->to_ns;
}

static void add_image(struct ht_timeline_work *w, uint32_t image)
{
	const struct ht_image *m = ht_trace_image(w->trace, image);
	const char *exe = ht_trace_string(w->trace, m->exe, NULL);
	uint32_t process = continued(w, image);
	if (!process) {
		*HT_TIMELINE_ADD(w->processes) = (struct ht_timeline_process){
			.pid = m->pid,
			.name = "process",
			.command = "",
			.start_ns = m->start_ns > w->from_ns ? m->start_ns : w->from_ns,
		};
		process = (uint32_t)w->processes.count;
	}
	struct ht_timeline_process *p = &w->processes.items[process - 1];
	w->process_of[image] = process;
	p->end_ns = end_of_image(w, image);
	if (p->end_ns < p->start_ns)
		p->end_ns = p->start_ns;
	if (*exe)
		p->name = ht_timeline_text(w, ht_base_name(exe));
	if (m->argv)
		p->command = command_of(w, m->argv);
}

/* --- threads ------------------------------------------------------------------------------ */

static const char *name_of(struct ht_timeline_work *w, const struct ht_thread_info *info)
{
	const char *name = ht_trace_string(w->trace, info->name, NULL);
	const struct ht_timeline_process *p = &w->processes.items[w->process_of[info->image] - 1];
	if (*name)
		return ht_timeline_text(w, name);
	if (info->tid == p->pid)
		return p->name;
	if (info->start_routine) {
		size_t count;
		const struct ht_frame *f = ht_stacks_frames(w->a->stacks, info->start_routine, &count);
		if (f[count - 1].function)
			return ht_timeline_text(w, f[count - 1].function);
	}
	return "thread";
}

/* The thread as which this one began, before an exec; 0: it is new. */
static uint32_t went_on(const struct ht_timeline_work *w, const struct ht_thread_info *info, size_t first_of_process)
{
	const struct ht_image *m = ht_trace_image(w->trace, info->image);
	if (m->kind != HT_IMAGE_EXEC || info->tid != m->pid)
		return 0;
	for (size_t i = first_of_process; i < w->threads.count; i++)
		if (w->threads.items[i].tid == info->tid)
			return (uint32_t)i + 1;
	return 0;
}

/* It has the name that it had last. */
static void go_on(struct ht_timeline_work *w, uint32_t thread, uint32_t id, uint64_t end)
{
	struct ht_timeline_thread *t = &w->threads.items[thread - 1];
	uint32_t last = w->ids[thread - 1];
	while (w->next_id[last])
		last = w->next_id[last] - 1;
	w->next_id[last] = id + 1;
	w->thread_of[id] = thread;
	t->end_ns = end > t->end_ns ? end : t->end_ns;
	t->name = name_of(w, ht_trace_thread(w->trace, id));
}

static void add_thread(struct ht_timeline_work *w, uint32_t id, size_t first_of_process)
{
	const struct ht_thread_info *info = ht_trace_thread(w->trace, id);
	const struct ht_latency_thread *timed = w->model ? ht_latency_thread(w->model, id) : NULL;
	uint64_t last = end_of_image(w, info->image), start = info->start_ns;
	uint64_t end = info->end_ns < last ? info->end_ns : last;
	if (timed) {
		start = timed->start_ns;
		end = timed->end_ns;
	}
	start = start > w->from_ns ? start : w->from_ns;
	end = end < w->to_ns ? end : w->to_ns;
	if (end < start || (end == start && w->to_ns > w->from_ns && info->end_ns <= w->from_ns))
		return;
	uint32_t before = went_on(w, info, first_of_process);
	if (before) {
		go_on(w, before, id, end);
		return;
	}
	w->ids[w->threads.count] = id;
	*HT_TIMELINE_ADD(w->threads) = (struct ht_timeline_thread){
		.process = w->process_of[info->image] - 1,
		.tid = info->tid ? info->tid : ht_trace_image(w->trace, info->image)->pid,
		.name = name_of(w, info),
		.start_ns = start,
		.end_ns = end,
	};
	w->thread_of[id] = (uint32_t)w->threads.count;
}

struct life {
	uint64_t start_ns;
	uint32_t tid, thread;
};

static int by_tid(const void *pa, const void *pb)
{
	const struct life *a = pa, *b = pb;
	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	return a->thread < b->thread ? -1 : 1;
}

/* A number belongs to one thread at a time: what was heard late of an end is cut off. */
static void part_lives(struct ht_timeline_work *w)
{
	struct life *lives = ht_xcalloc(w->threads.count, sizeof(*lives));
	for (uint32_t i = 0; i < w->threads.count; i++)
		lives[i] = (struct life){w->threads.items[i].start_ns, w->threads.items[i].tid, i};
	qsort(lives, w->threads.count, sizeof(*lives), by_tid);
	for (size_t i = 1; i < w->threads.count; i++) {
		struct ht_timeline_thread *before = &w->threads.items[lives[i - 1].thread];
		if (lives[i].tid == lives[i - 1].tid && before->end_ns > lives[i].start_ns)
			before->end_ns = lives[i].start_ns;
	}
	free(lives);
}

void ht_timeline_who(struct ht_timeline_work *w)
{
	const struct ht_analysis *a = w->a;
	bool *used = ht_xcalloc(a->image_count, sizeof(*used));
	w->process_of = ht_xcalloc(a->image_count, sizeof(*w->process_of));
	w->thread_of = ht_xcalloc(a->thread_count, sizeof(*w->thread_of));
	w->ids = ht_xcalloc(a->thread_count, sizeof(*w->ids));
	w->next_id = ht_xcalloc(a->thread_count, sizeof(*w->next_id));
	for (uint32_t i = 0; i < a->thread_count; i++)
		if (a->threads[i].selected)
			used[a->threads[i].image] = true;
	for (uint32_t i = 0; i < a->image_count; i++) {
		const struct ht_image *m = ht_trace_image(a->trace, i);
		if (used[i] && m->start_ns <= w->to_ns && m->end_ns >= w->from_ns)
			add_image(w, i);
	}
	/* by process, then as they began */
	for (uint32_t p = 1; p <= w->processes.count; p++) {
		size_t first = w->threads.count;
		for (uint32_t i = 0; i < a->thread_count; i++)
			if (a->threads[i].selected && w->process_of[a->threads[i].image] == p)
				add_thread(w, i, first);
	}
	part_lives(w);
	free(used);
}
