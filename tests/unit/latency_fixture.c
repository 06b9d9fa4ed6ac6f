/* latency_fixture: see latency_fixture.h. */
#include "latency_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void latency_begin(struct fixture *f)
{
	fixture_begin(f);
	fixture_image(f, 100, 0, 0);
}

uint32_t latency_thread(struct fixture *f, uint32_t image, uint32_t tid, const char *name, uint64_t begin, uint64_t end)
{
	f->now = begin * US;
	uint32_t id = fixture_thread(f, image, tid, name);
	f->threads[id].end_ns = end * US;
	ht_trace_writer_thread_update(f->writer, id, &f->threads[id]);
	/* An event at its end: so long the trace lasts. */
	struct ht_event e = {.op = HT_OP_THREAD_EXIT, .thread = id, .time = end * US, .stamped = true};
	ht_trace_writer_event(f->writer, &e);
	return id;
}

static void put_switch(struct fixture *f, uint32_t thread, uint64_t at, unsigned how)
{
	const struct ht_switch s = {
	    .how = (uint8_t)how, .cpu = (uint16_t)(thread % 3), .thread = thread, .time_ns = at * US};
	ht_trace_writer_switch(f->writer, &s);
}
void latency_in(struct fixture *f, uint32_t thread, uint64_t at)
{
	put_switch(f, thread, at, HT_SWITCH_IN);
}
void latency_blocked(struct fixture *f, uint32_t thread, uint64_t at)
{
	put_switch(f, thread, at, HT_SWITCH_BLOCKED);
}
void latency_preempted(struct fixture *f, uint32_t thread, uint64_t at)
{
	put_switch(f, thread, at, HT_SWITCH_PREEMPTED);
}

static void put_wait(struct fixture *f, struct ht_wait w, uint64_t begin, uint64_t end)
{
	w.fd = -1;
	w.begin_ns = begin * US;
	w.end_ns = end * US;
	ht_trace_writer_wait(f->writer, &w);
}

void latency_wait(struct fixture *f, uint32_t thread, unsigned kind, unsigned call, uint64_t object, uint64_t begin,
		  uint64_t end)
{
	put_wait(f, (struct ht_wait){.kind = (uint8_t)kind, .call = (uint8_t)call, .thread = thread, .object = object},
		 begin, end);
}

void latency_timed_wait(struct fixture *f, uint32_t thread, unsigned kind, unsigned call, unsigned outcome,
			uint64_t object, uint64_t begin, uint64_t end, uint64_t deadline)
{
	put_wait(f,
		 (struct ht_wait){.kind = (uint8_t)kind,
				  .call = (uint8_t)call,
				  .outcome = (uint8_t)outcome,
				  .thread = thread,
				  .object = object,
				  .detail = deadline * US + 1},
		 begin, end);
}

void latency_wake(struct fixture *f, uint32_t thread, unsigned kind, unsigned call, unsigned flags, uint64_t object,
		  uint64_t at)
{
	const struct ht_wake w = {.kind = (uint8_t)kind,
				  .call = (uint8_t)call,
				  .flags = (uint8_t)flags,
				  .thread = thread,
				  .time_ns = at * US,
				  .object = object};
	ht_trace_writer_wake(f->writer, &w);
}

void latency_lock(struct fixture *f, uint32_t thread, uint64_t object, uint64_t begin, uint64_t end)
{
	latency_wait(f, thread, HT_WAIT_MUTEX, HT_CALL_MUTEX_LOCK, object, begin, end);
}
void latency_unlock(struct fixture *f, uint32_t thread, uint64_t object, uint64_t at)
{
	latency_wake(f, thread, HT_WAIT_MUTEX, HT_CALL_MUTEX_UNLOCK, 0, object, at);
}

void latency_stat(struct fixture *f, uint32_t thread, uint64_t at, uint64_t running, uint64_t runnable)
{
	latency_sliced_stat(f, thread, at, running, runnable, 1);
}
void latency_sliced_stat(struct fixture *f, uint32_t thread, uint64_t at, uint64_t running, uint64_t runnable,
			 uint64_t slices)
{
	const struct ht_schedstat s = {.thread = thread,
				       .time_ns = at * US,
				       .running_ns = running * US,
				       .runnable_ns = runnable * US,
				       .slices = slices};
	ht_trace_writer_schedstat(f->writer, &s);
}

/* --- reading ------------------------------------------------------------------------------ */

static uint64_t blocked_sum(const struct ht_breakdown *b)
{
	uint64_t sum = 0;
	for (unsigned k = 0; k < HT_WAIT_KINDS; k++)
		sum += b->blocked_ns[k];
	return sum;
}

static void check_thread(const struct ht_latency *l, const struct ht_latency_thread *t)
{
	uint64_t at = t->start_ns;
	for (size_t i = 0; i < t->span_count; i++) {
		assert_true(t->spans[i].begin_ns == at);
		assert_true(t->spans[i].end_ns > at);
		assert_true(t->spans[i].wait <= l->wait_count);
		at = t->spans[i].end_ns;
	}
	assert_true(at == t->end_ns);
	struct ht_breakdown b = {0}, halves = {0};
	ht_breakdown_add(l, t, t->start_ns, t->end_ns, &b);
	assert_true(b.total_ns == t->end_ns - t->start_ns);
	assert_true(b.total_ns == b.running_ns + b.runnable_ns + blocked_sum(&b) + b.allocator_ns + b.unknown_ns);
	uint64_t middle = t->start_ns + (t->end_ns - t->start_ns) / 3;
	ht_breakdown_add(l, t, t->start_ns, middle, &halves);
	ht_breakdown_add(l, t, middle, UINT64_MAX, &halves);
	assert_memory_equal(&b, &halves, sizeof(b));
}

struct ht_latency *latency_read_part(struct fixture *f, const struct ht_selection *s)
{
	struct ht_latency *l = NULL;
	struct ht_latency_options o = {.selection = *s};
	struct ht_diag d = {0};
	if (!f->trace)
		fixture_open(f);
	if (ht_latency_read(&l, f->trace, &o, &d) != 0)
		fail_msg("%s", d.text);
	for (size_t i = 0; i < l->thread_count; i++)
		check_thread(l, &l->threads[i]);
	return l;
}

struct ht_latency *latency_read(struct fixture *f)
{
	const struct ht_selection all = {.to_ns = UINT64_MAX};
	return latency_read_part(f, &all);
}

void latency_end(struct fixture *f, struct ht_latency *l)
{
	ht_latency_free(l);
	fixture_end(f);
}

const char *latency_spans(const struct ht_latency *l, uint32_t thread)
{
	static char text[1024];
	const struct ht_latency_thread *t = ht_latency_thread(l, thread);
	size_t n = 0;
	assert_non_null(t);
	text[0] = '\0';
	for (size_t i = 0; i < t->span_count; i++) {
		const struct ht_span *s = &t->spans[i];
		const char *name = s->state == HT_STATE_RUNNING	    ? "run"
				   : s->state == HT_STATE_RUNNABLE  ? "ready"
				   : s->state == HT_STATE_ALLOCATOR ? "allocator"
				   : s->state == HT_STATE_BLOCKED   ? ht_blocked_part_names[ht_blocked_part(s->kind)]
								    : "unknown";
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %llu", n ? " " : "", name,
				      (unsigned long long)((s->end_ns - s->begin_ns + 500) / 1000));
		assert_true(n < sizeof(text));
	}
	return text;
}

int latency_waker(const struct ht_latency *l, uint32_t thread, size_t n)
{
	const struct ht_latency_thread *t = ht_latency_thread(l, thread);
	assert_non_null(t);
	assert_true(n < t->wait_count);
	uint32_t wake = l->waits[t->first_wait + n].wake;
	assert_true(wake <= l->wake_count);
	return wake ? (int)l->wakes[wake - 1].thread : -1;
}
