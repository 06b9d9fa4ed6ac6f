/*
 * timeline_random: a small machine. Threads run on processors, block, are woken by one that runs, and run again; what
 * they did is written down as a timeline, which is right by construction. Slices: a wait for each block, and in what
 * was run before it a region around a burst of allocations.
 */
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "timeline_fixture.h"

enum { NAMES = 41, FRAMES = 200, STACKS = 500, DEPTH = 12 };

struct machine {
	struct ht_timeline *t;
	uint64_t seed, now;
	bool tight; /* switches and wakes follow each other within nanoseconds; no slices then */
	uint32_t *running; /* by processor: thread + 1 */
	struct worker {
		uint64_t ran_from, off_from, region_from;
		uint16_t cpu;
		uint8_t state;	  /* of its present span */
		uint32_t waker;	  /* arrow + 1 that woke it */
		const char *lock;
	} *workers;
	struct ht_timeline_switch *switches;
	struct ht_timeline_arrow *arrows;
	struct parts {
		struct ht_timeline_slice *slices;
		struct ht_timeline_span *spans;
		size_t slice_count, span_count, slice_cap, span_cap;
	} *of;
	char (*names)[32];
};

static uint64_t dice(struct machine *m, uint64_t below)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return m->seed % below;
}

static void add_span(struct machine *m, uint32_t thread, uint8_t state, uint16_t cpu, uint64_t from, uint64_t to,
		     const char *what)
{
	struct parts *p = &m->of[thread];
	if (p->span_count == p->span_cap) {
		p->span_cap = p->span_cap * 2 + 16;
		p->spans = ht_xrealloc(p->spans, p->span_cap, sizeof(*p->spans));
	}
	if (to > from)
		p->spans[p->span_count++] = (struct ht_timeline_span){thread, state, cpu, from, to, what};
}

static void add_slice(struct machine *m, uint32_t thread, struct ht_timeline_slice s)
{
	struct parts *p = &m->of[thread];
	if (p->slice_count == p->slice_cap) {
		p->slice_cap = p->slice_cap * 2 + 16;
		p->slices = ht_xrealloc(p->slices, p->slice_cap, sizeof(*p->slices));
	}
	p->slices[p->slice_count++] = s;
}

static void leave(struct machine *m, uint32_t thread, bool preempted)
{
	struct worker *w = &m->workers[thread];
	add_span(m, thread, HT_TIMELINE_RUNNING, w->cpu, w->ran_from, m->now, "");
	w->off_from = m->now;
	w->state = preempted ? HT_TIMELINE_PREEMPTED : HT_TIMELINE_BLOCKED;
	w->lock = m->names[dice(m, NAMES)];
	w->waker = 0;
}

/* The wait that is over; and what is done next: 300 ns at least go by before the next switch. */
static void add_slices(struct machine *m, uint32_t thread, uint64_t end)
{
	const struct worker *w = &m->workers[thread];
	uint32_t waited = (uint32_t)dice(m, STACKS) + 1, allocated = (uint32_t)dice(m, STACKS) + 1;
	const char *region = m->names[dice(m, NAMES)];
	const struct ht_timeline_slice slices[] = {
		{thread, HT_TIMELINE_WAIT, w->off_from - 100, end, w->lock, waited, 0, 0, ""},
		{thread, HT_TIMELINE_REGION, end + 10, end + 90, region, 0, 0, 0, ""},
		{thread, HT_TIMELINE_BURST, end + 20, end + 70, "allocations", allocated, 1 + dice(m, 20),
		 64 + dice(m, 5000), ""},
	};
	for (size_t i = 0; i < HT_ARRAY_SIZE(slices); i++)
		add_slice(m, thread, slices[i]);
}

static void come(struct machine *m, uint32_t thread, uint16_t cpu)
{
	struct worker *w = &m->workers[thread];
	uint64_t woken = w->off_from;
	if (w->state == HT_TIMELINE_BLOCKED) {
		struct ht_timeline_arrow *a = &m->arrows[w->waker - 1];
		woken = a->from_ns > w->off_from ? a->from_ns : w->off_from;
		a->to_ns = m->now + (m->tight ? dice(m, 3) : 200);
		add_span(m, thread, HT_TIMELINE_BLOCKED, UINT16_MAX, w->off_from, woken, w->lock);
		if (!m->tight)
			add_slices(m, thread, a->to_ns);
	}
	uint8_t before = w->state == HT_TIMELINE_BLOCKED ? HT_TIMELINE_RUNNABLE : HT_TIMELINE_PREEMPTED;
	add_span(m, thread, before, UINT16_MAX, woken, m->now, "");
	w->state = HT_TIMELINE_RUNNING;
	w->ran_from = m->now;
	w->cpu = cpu;
}

/* Somebody who is ready: preempted, or woken before now. 0: nobody. */
static uint32_t ready(struct machine *m)
{
	size_t n = m->t->thread_count, start = dice(m, n);
	for (size_t k = 0; k < n; k++) {
		struct worker *w = &m->workers[(start + k) % n];
		if (w->state == HT_TIMELINE_PREEMPTED || (w->state == HT_TIMELINE_BLOCKED && w->waker &&
							   m->arrows[w->waker - 1].from_ns + (m->tight ? 0 : 50) < m->now))
			return (uint32_t)((start + k) % n) + 1;
	}
	return 0;
}

static void wake_somebody(struct machine *m, uint32_t waker)
{
	size_t n = m->t->thread_count, start = dice(m, n);
	for (size_t k = 0; k < n; k++) {
		uint32_t i = (uint32_t)((start + k) % n);
		struct worker *w = &m->workers[i];
		if (w->state != HT_TIMELINE_BLOCKED || w->waker)
			continue;
		uint32_t stack = (uint32_t)dice(m, STACKS) + 1;
		m->arrows[m->t->arrow_count] = (struct ht_timeline_arrow){m->now, 0, waker, i, "unlock", stack};
		w->waker = (uint32_t)++m->t->arrow_count;
		return;
	}
}

static void step(struct machine *m, size_t cpus)
{
	uint16_t cpu = (uint16_t)dice(m, cpus);
	uint32_t old = m->running[cpu], next;
	m->now += m->tight ? 1 + dice(m, 4) : 600 + dice(m, 20000);
	if (old && dice(m, 2)) {
		wake_somebody(m, old - 1);
		m->now += m->tight ? dice(m, 2) : 100;
	}
	next = ready(m);
	if (old == 0 && next == 0) /* it idles on */
		return;
	/* Somebody must be there to wake the others. */
	size_t at_work = 0;
	for (size_t i = 0; i < cpus; i++)
		at_work += m->running[i] != 0;
	bool preempted = old && (dice(m, 4) == 0 || (at_work == 1 && !next));
	m->switches[m->t->switch_count++] = (struct ht_timeline_switch){m->now, cpu, old, next, preempted};
	if (old)
		leave(m, old - 1, preempted);
	if (next)
		come(m, next - 1, cpu);
	m->running[cpu] = next;
}

static void finish(struct machine *m)
{
	struct ht_timeline *t = m->t;
	struct ht_timeline_slice *slices;
	struct ht_timeline_span *spans;
	t->to_ns = m->now + 10000;
	for (uint32_t i = 0; i < t->thread_count; i++) {
		struct worker *w = &m->workers[i];
		add_span(m, i, w->state, w->state == HT_TIMELINE_RUNNING ? w->cpu : UINT16_MAX,
			 w->state == HT_TIMELINE_RUNNING ? w->ran_from : w->off_from, t->to_ns, "");
		t->slice_count += m->of[i].slice_count;
		t->span_count += m->of[i].span_count;
	}
	/* Who was woken and did not run again has a wait without an end. */
	for (size_t i = 0; i < t->arrow_count; i++)
		if (!m->arrows[i].to_ns)
			m->arrows[i].to_ns = t->to_ns;
	t->slices = slices = ht_xcalloc(t->slice_count + 1, sizeof(*slices));
	t->spans = spans = ht_xcalloc(t->span_count + 1, sizeof(*spans));
	for (uint32_t i = 0; i < t->thread_count; i++) {
		memcpy(slices, m->of[i].slices, m->of[i].slice_count * sizeof(*slices));
		memcpy(spans, m->of[i].spans, m->of[i].span_count * sizeof(*spans));
		slices += m->of[i].slice_count;
		spans += m->of[i].span_count;
		free(m->of[i].slices);
		free(m->of[i].spans);
	}
	free(m->of);
	free(m->workers);
	free(m->running);
}

static void make_stacks(struct machine *m)
{
	struct ht_timeline_frame *frames = ht_xcalloc(FRAMES, sizeof(*frames));
	struct ht_timeline_stack *stacks = ht_xcalloc(STACKS, sizeof(*stacks));
	for (uint32_t i = 0; i < FRAMES; i++)
		frames[i] = (struct ht_timeline_frame){m->names[NAMES + i], "/src/some/file.c", i, "/bin/app"};
	for (size_t i = 0; i < STACKS; i++) {
		uint32_t *stack = ht_xcalloc(DEPTH, sizeof(*stack));
		for (size_t k = 0; k < DEPTH; k++)
			stack[k] = (uint32_t)dice(m, FRAMES);
		stacks[i] = (struct ht_timeline_stack){stack, DEPTH};
	}
	m->t->frames = frames;
	m->t->stacks = stacks;
	m->t->frame_count = FRAMES;
	m->t->stack_count = STACKS;
}

static void make_counter(struct machine *m, size_t steps)
{
	struct ht_timeline_counter *c = ht_xcalloc(1, sizeof(*c));
	struct ht_profile_point *points = ht_xcalloc(steps, sizeof(*points));
	for (size_t i = 0; i < steps; i++)
		points[i] = (struct ht_profile_point){(int64_t)(m->t->to_ns * i / steps), (int64_t)dice(m, 1 << 24)};
	*c = (struct ht_timeline_counter){0, "live bytes", HT_TIMELINE_BYTES, points, steps};
	m->t->counters = c;
	m->t->counter_count = 1;
}

struct ht_timeline *ht_fixture_random(unsigned seed, unsigned threads, unsigned cpus, size_t steps)
{
	struct machine m = {.seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1, .now = 1000, .tight = seed >= 100};
	struct ht_timeline_process *p = ht_xcalloc(1, sizeof(*p));
	struct ht_timeline_thread *x = ht_xcalloc(threads, sizeof(*x));
	static const char workers[10][9] = {"worker-0", "worker-1", "worker-2", "worker-3", "worker-4",
		"worker-5", "worker-6", "worker-7", "worker-8", "worker-9"};
	m.t = ht_xcalloc(1, sizeof(*m.t));
	m.names = ht_xcalloc(NAMES + FRAMES, sizeof(*m.names));
	for (size_t i = 0; i < NAMES + FRAMES; i++) {
		memcpy(m.names[i], "wait mutex 0x5500", 18);
		m.names[i][15] = (char)('a' + i / 26);
		m.names[i][16] = (char)('a' + i % 26);
	}
	m.running = ht_xcalloc(cpus, sizeof(*m.running));
	m.workers = ht_xcalloc(threads, sizeof(*m.workers));
	m.of = ht_xcalloc(threads, sizeof(*m.of));
	m.t->switches = m.switches = ht_xcalloc(steps + 1, sizeof(*m.switches));
	m.t->arrows = m.arrows = ht_xcalloc(steps + 1, sizeof(*m.arrows));
	m.t->thread_count = threads;
	for (uint32_t i = 0; i < threads; i++) {
		x[i] = (struct ht_timeline_thread){0, 4000 + i, workers[i % 10], 0, 0, 0};
		m.workers[i] = (struct worker){.cpu = UINT16_MAX, .state = HT_TIMELINE_PREEMPTED};
		if (i < cpus) {
			m.running[i] = i + 1;
			m.workers[i] = (struct worker){.cpu = (uint16_t)i, .state = HT_TIMELINE_RUNNING};
		}
	}
	for (size_t i = 0; i < steps; i++)
		step(&m, cpus);
	finish(&m);
	make_stacks(&m);
	make_counter(&m, steps);
	*p = (struct ht_timeline_process){4000, "app", "app", 0, m.t->to_ns};
	for (uint32_t i = 0; i < threads; i++)
		x[i].end_ns = m.t->to_ns;
	m.t->processes = p;
	m.t->process_count = 1;
	m.t->threads = x;
	m.t->command = m.t->hostname = "app";
	m.t->source = (const char *)m.names; /* owns them */
	m.t->clock_utc_ns = UINT64_C(1700000000000000000);
	m.t->clock_monotonic_ns = UINT64_C(50000000000);
	m.t->clock_boottime_ns = UINT64_C(60000000000);
	return m.t;
}

void ht_fixture_free(struct ht_timeline *t)
{
	for (size_t i = 0; i < t->stack_count; i++)
		free((void *)t->stacks[i].frames);
	free((void *)t->counters[0].points);
	const void *parts[] = {t->stacks, t->frames, t->counters, t->processes, t->threads, t->spans, t->switches,
		t->slices, t->arrows, t->source, t};
	for (size_t i = 0; i < HT_ARRAY_SIZE(parts); i++)
		free((void *)parts[i]);
}
