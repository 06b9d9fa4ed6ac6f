/* timeline_shape: see timeline_shape.h. */
#include "timeline_shape.h"

#include <stdlib.h>
#include <string.h>

#define WANT(x)                        \
	do {                           \
		if (!(x))              \
			return #x;     \
	} while (0)

static const char *threads(const struct ht_timeline *t)
{
	WANT(t->from_ns <= t->to_ns);
	for (size_t i = 0; i < t->thread_count; i++) {
		const struct ht_timeline_thread *x = &t->threads[i];
		WANT(x->tid != 0 && x->process < t->process_count && x->creator <= t->thread_count);
		WANT(x->start_ns <= x->end_ns && x->start_ns >= t->from_ns && x->end_ns <= t->to_ns);
	}
	for (size_t i = 0; i < t->process_count; i++)
		WANT(t->processes[i].start_ns <= t->processes[i].end_ns);
	return NULL;
}

static const char *spans(const struct ht_timeline *t)
{
	for (size_t i = 0; i < t->span_count; i++) {
		const struct ht_timeline_span *s = &t->spans[i];
		WANT(s->thread < t->thread_count && s->state < HT_TIMELINE_STATES && s->what);
		const struct ht_timeline_thread *x = &t->threads[s->thread];
		bool first = !i || s[-1].thread != s->thread, last = i + 1 == t->span_count || s[1].thread != s->thread;
		WANT(s->begin_ns < s->end_ns);
		WANT(first || s[-1].end_ns == s->begin_ns);
		WANT(!first || s->begin_ns == x->start_ns);
		WANT(!last || s->end_ns == x->end_ns);
		WANT(i == 0 || s[-1].thread <= s->thread);
		WANT(s->cpu == UINT16_MAX || s->state == HT_TIMELINE_RUNNING);
	}
	return NULL;
}

static const char *switches(const struct ht_timeline *t)
{
	static uint32_t now[UINT16_MAX + 1];
	memset(now, 0, sizeof(now));
	for (size_t i = 0; i < t->switch_count; i++) {
		const struct ht_timeline_switch *s = &t->switches[i];
		WANT(s->prev <= t->thread_count && s->next <= t->thread_count);
		WANT(!i || s[-1].time_ns <= s->time_ns);
		WANT(s->prev == now[s->cpu] && s->prev != s->next);
		now[s->cpu] = s->next;
	}
	return NULL;
}

/* Sorted by thread and begin, outer ones first; open: the ends of those around. */
static const char *slices(const struct ht_timeline *t, uint64_t *open)
{
	size_t depth = 0;
	for (size_t i = 0; i < t->slice_count; i++) {
		const struct ht_timeline_slice *s = &t->slices[i];
		bool same = i && s[-1].thread == s->thread;
		WANT(s->thread < t->thread_count && s->category < HT_TIMELINE_CATEGORIES && s->stack <= t->stack_count);
		WANT(s->begin_ns <= s->end_ns && *s->name && s->outcome);
		WANT(!i || s[-1].thread <= s->thread);
		WANT(!same || s[-1].begin_ns <= s->begin_ns);
		depth = same ? depth : 0;
		while (depth && open[depth - 1] <= s->begin_ns && open[depth - 1] < s->end_ns)
			depth--;
		WANT(!depth || s->end_ns <= open[depth - 1]);
		open[depth++] = s->end_ns;
	}
	return NULL;
}

static const char *arrows(const struct ht_timeline *t)
{
	for (size_t i = 0; i < t->arrow_count; i++) {
		const struct ht_timeline_arrow *a = &t->arrows[i];
		bool found = false;
		WANT(a->from < t->thread_count && a->to < t->thread_count && a->from != a->to);
		WANT(a->from_ns <= a->to_ns && a->stack <= t->stack_count && (!i || a[-1].from_ns <= a->from_ns));
		for (size_t k = 0; k < t->slice_count && !found; k++) {
			const struct ht_timeline_slice *s = &t->slices[k];
			found = s->thread == a->to && s->end_ns == a->to_ns && s->category == HT_TIMELINE_WAIT;
		}
		WANT(found);
	}
	return NULL;
}

static const char *others(const struct ht_timeline *t)
{
	for (size_t i = 0; i < t->task_count; i++) {
		const struct ht_timeline_task *x = &t->tasks[i];
		WANT(x->id && *x->name && x->thread < t->thread_count && x->process < t->process_count);
		WANT(x->begin_ns <= x->end_ns);
		for (size_t k = 0; k < x->piece_count; k++)
			WANT(x->pieces[k].thread < t->thread_count && x->pieces[k].begin_ns <= x->pieces[k].end_ns);
	}
	for (size_t i = 0; i < t->instant_count; i++)
		WANT(t->instants[i].thread < t->thread_count && t->instants[i].stack <= t->stack_count);
	for (size_t i = 0; i < t->counter_count; i++) {
		const struct ht_timeline_counter *c = &t->counters[i];
		WANT(c->process < t->process_count && c->point_count);
		for (size_t k = 0; k < c->point_count; k++)
			WANT(c->points[k].bytes >= 0 && (!k || c->points[k - 1].time_ns < c->points[k].time_ns));
	}
	for (size_t i = 0; i < t->stack_count; i++)
		for (size_t k = 0; k < t->stacks[i].depth; k++)
			WANT(t->stacks[i].frames[k] < t->frame_count);
	for (size_t i = 0; i < t->heap_count; i++)
		WANT(t->heaps[i].process < t->process_count &&
		     t->heaps[i].bytes_value < t->heaps[i].profile->type_count);
	return NULL;
}

const char *timeline_shape_wrong(const struct ht_timeline *t)
{
	uint64_t *open = calloc(t->slice_count + 1, sizeof(*open));
	const char *wrong = threads(t);
	wrong = wrong ? wrong : spans(t);
	wrong = wrong ? wrong : switches(t);
	wrong = wrong ? wrong : slices(t, open);
	wrong = wrong ? wrong : arrows(t);
	wrong = wrong ? wrong : others(t);
	free(open);
	return wrong;
}
