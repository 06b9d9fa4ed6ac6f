/*
 * perfetto_births: threads begin and end. A tid may be that of an earlier thread, and a pid that of an earlier
 * program: what a number means changes with its task_newtask, and ends with its sched_process_exit. Both stand on
 * processor 0, as nobody has said on which one they happened.
 *
 *	last sign of the old one │ exit ... newtask │ first sign of the new one
 */
#include <stdlib.h>

#include "perfetto_sched.h"

enum { CLONE_THREAD_FLAG = 0x10000, PRIORITY = 120 };

/* A thread from its first to its last sign, whether switch or stamp. */
struct life {
	uint64_t begin_ns, end_ns;
	uint32_t thread, tid;
};

static int by_tid(const void *a, const void *b)
{
	const struct life *x = a, *y = b;
	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	return (x->thread > y->thread) - (x->thread < y->thread);
}

static struct life life_of(const struct ht_pf_sched *s, uint32_t thread)
{
	const struct ht_timeline_thread *x = &s->o->t->threads[thread];
	const struct ht_pf_runner *r = &s->threads[thread];
	struct life l = {x->start_ns, x->end_ns, thread, x->tid};
	if (r->first_ns < l.begin_ns)
		l.begin_ns = r->first_ns;
	if (r->last_ns != UINT64_MAX && r->last_ns > l.end_ns)
		l.end_ns = r->last_ns;
	return l;
}

static bool is_first(const struct ht_timeline *t, const struct life *l)
{
	return l->tid == t->processes[t->threads[l->thread].process].pid;
}

/* A program became another: a process's first thread, and again the first thread of the same process. */
static bool became(const struct ht_timeline *t, const struct life *a, const struct life *b)
{
	return is_first(t, a) && t->threads[a->thread].process == t->threads[b->thread].process;
}

/* Who had the tid before: NULL: nobody. */
static void write_birth(struct ht_pf_sched *s, const struct life *l, const struct life *before)
{
	const struct ht_timeline *t = s->o->t;
	const struct ht_timeline_thread *x = &t->threads[l->thread];
	const struct ht_timeline_thread *creator = x->creator ? &t->threads[x->creator - 1] : NULL;
	uint32_t pid = t->processes[x->process].pid, source = pid;
	bool first = is_first(t, l), forked = first;
	struct ht_pf_marks m;
	if (before && became(t, before, l)) {
		/* Its thread begins again, by itself. */
		source = x->tid;
		forked = false;
	} else if (creator && (first || creator->process == x->process)) {
		source = creator->tid;
	} else if (first && before) {
		source = 0;
	} else if (first) {
		return; /* a program without a parent: its descriptor says it all */
	}
	struct ht_buf *b = ht_pf_ftrace(s, 0, l->begin_ns - 1, source, &m);
	m.inner = ht_pb_begin(b, FTRACE_NEWTASK);
	ht_pb_always(b, NEWTASK_PID, x->tid);
	ht_pf_comm(b, NEWTASK_NAME, x->name);
	ht_pb_always(b, NEWTASK_FLAGS, forked ? 0 : CLONE_THREAD_FLAG);
	ht_pf_ftrace_end(s, 0, &m);
}

static void write_death(struct ht_pf_sched *s, const struct life *l, uint64_t ns)
{
	const struct ht_timeline_thread *x = &s->o->t->threads[l->thread];
	struct ht_pf_marks m;
	struct ht_buf *b = ht_pf_ftrace(s, 0, ns, x->tid, &m);
	m.inner = ht_pb_begin(b, FTRACE_EXIT);
	ht_pf_comm(b, EXIT_NAME, x->name);
	ht_pb_always(b, EXIT_PID, x->tid);
	ht_pb_always(b, EXIT_TGID, s->o->t->processes[x->process].pid);
	ht_pb_always(b, EXIT_PRIO, PRIORITY);
	ht_pf_ftrace_end(s, 0, &m);
}

void ht_pf_write_births(struct ht_pf_sched *s)
{
	const struct ht_timeline *t = s->o->t;
	struct life *lives = ht_xcalloc(t->thread_count + 1, sizeof(*lives));
	for (uint32_t i = 0; i < t->thread_count; i++)
		lives[i] = life_of(s, i);
	qsort(lives, t->thread_count, sizeof(*lives), by_tid);
	for (size_t i = 0; i < t->thread_count; i++) {
		struct life *l = &lives[i];
		const struct life *before = i && l[-1].tid == l->tid ? l - 1 : NULL;
		const struct life *next = i + 1 < t->thread_count && l[1].tid == l->tid ? l + 1 : NULL;
		const struct ht_timeline_process *p = &t->processes[t->threads[l->thread].process];
		bool goes_on = next && became(t, l, next);
		/* With its first thread the process begins and ends, for Perfetto. */
		if (is_first(t, l) && p->start_ns < l->begin_ns && !(before && became(t, before, l)))
			l->begin_ns = p->start_ns;
		if (is_first(t, l) && p->end_ns > l->end_ns && !goes_on)
			l->end_ns = p->end_ns;
		/* Perfetto takes a new task to be ready to run until a switch says more: without switches none is told,
		 * unless a number would mean two threads. */
		if ((t->switch_count || (before && became(t, before, l))) && l->begin_ns > t->from_ns)
			write_birth(s, l, before);
		uint64_t heard_ns = s->threads[l->thread].heard_ns, ns = l->end_ns + 1; /* behind its last switch */
		if (next && ns + 2 > next->begin_ns)
			ns = next->begin_ns < 2 ? 0 : next->begin_ns - 2;
		if (l->end_ns < t->to_ns && ns > (heard_ns ? heard_ns : l->begin_ns) && !goes_on)
			write_death(s, l, ns);
	}
	free(lives);
}
