/*
 * lock_bytes: what holders of locks allocate while others wait. A pass over the events: each thread's births are walked
 * along with its holds, which are few and in order.
 *
 * Events are stamped in the trace's unit, a microsecond mostly, and waits in nanoseconds: so a hold is taken in that
 * unit, too, from the one in which it began up to the one in which it ended.
 */
#include <stdlib.h>

#include "lock_use.h"

/* Locks that one thread holds at once, as far as they were waited for. */
enum { DEEPEST = 32 };

struct thread {
	size_t next, end;	/* of its holds that have not begun */
	uint32_t open[DEEPEST]; /* positions of those that have */
	unsigned open_count;
};

struct bytes {
	struct ht_lock_use *u;
	uint64_t unit_ns;
	struct thread *threads;
	uint32_t thread_count;
};

static bool lasts(const struct bytes *b, const struct ht_hold *h, uint64_t ns)
{
	uint64_t end = h->end_ns / b->unit_ns, at = ns / b->unit_ns;
	return at < end || (at == end && h->begin_ns / b->unit_ns == end);
}

static void advance(const struct bytes *b, struct thread *t, uint64_t ns)
{
	const struct ht_hold *holds = b->u->holds;
	unsigned kept = 0;
	for (unsigned i = 0; i < t->open_count; i++)
		if (lasts(b, &holds[t->open[i]], ns))
			t->open[kept++] = t->open[i];
	t->open_count = kept;
	for (; t->next < t->end && holds[t->next].begin_ns / b->unit_ns <= ns / b->unit_ns; t->next++)
		if (lasts(b, &holds[t->next], ns) && t->open_count < DEEPEST)
			t->open[t->open_count++] = (uint32_t)t->next;
}

static void steps(void *state, const struct ht_step *step, size_t count)
{
	struct bytes *b = state;
	for (size_t i = 0; i < count; i++) {
		const struct ht_step *s = &step[i];
		if (s->kind != HT_STEP_BIRTH || !s->selected || !s->wanted || s->thread >= b->thread_count)
			continue;
		struct thread *t = &b->threads[s->thread];
		if (t->next == t->end && !t->open_count)
			continue;
		advance(b, t, s->time_ns);
		for (unsigned k = 0; k < t->open_count; k++) {
			struct ht_lock *lock = &b->u->items[b->u->holds[t->open[k]].lock];
			lock->allocs_held++;
			lock->bytes_allocated_held += s->size;
		}
	}
}

struct ht_pass ht_lock_bytes_pass(struct ht_lock_use *u, const struct ht_trace *t, void **state)
{
	struct bytes *b = ht_xcalloc(1, sizeof(*b));
	uint32_t unit = ht_trace_settings(t)->time_unit_ns;
	*b = (struct bytes){.u = u, .unit_ns = unit ? unit : 1, .thread_count = ht_trace_thread_count(t)};
	b->threads = ht_xcalloc(b->thread_count + 1ull, sizeof(*b->threads));
	for (size_t i = 0; i < u->hold_count; i++) {
		struct thread *of = &b->threads[u->holds[i].thread];
		of->next = of->end ? of->next : i;
		of->end = i + 1;
	}
	*state = b;
	return (struct ht_pass){.name = "locks", .state = b, .steps = steps};
}

void ht_lock_bytes_release(void *state)
{
	struct bytes *b = state;
	free(b->threads);
	free(b);
}
