/*
 * trace_times: the writer's side of where time went. Records wait as they came until a block of their kind is full, or
 * the writer is flushed; then they are ordered by thread and time, and become columns. See trace_times.h.
 */
#include "trace_times.h"

#include <stdlib.h>
#include <string.h>

#include "trace_writer.h"

#define BLOCK_RECORDS (32u << 10) /* of both series together: bigger blocks were no smaller by the record */
#define RECORD_WORST 96		  /* bytes that one may add to its block, with its place and its thread */
_Static_assert(BLOCK_RECORDS *RECORD_WORST + 4096 <= HT_RAW_MAX, "a block's columns fit its bound");

/* Nanoseconds: who woke whom shows in the order of times that are less than a microsecond apart. Eight threads at
 * sixteen locks, four pipes, a condition: 4.5 bytes a wait, 1.5 a wake, 2.5 a switch; in units of 100 ns it would
 * be 2.7, 0.7, 1.6. */
static const uint32_t units[] = {1, 1, 1};

/* --- the order of a block --------------------------------------------------------------------- */

static uint32_t thread_of(const struct ht_series *s, const uint8_t *record)
{
	uint32_t v;
	memcpy(&v, record + s->thread_at, sizeof(v));
	return v;
}

static uint64_t time_of(const struct ht_series *s, const uint8_t *record)
{
	uint64_t v;
	memcpy(&v, record + s->time_at, sizeof(v));
	return v;
}

struct sorting {
	const struct ht_series *s;
	const uint8_t *records;
};

static int by_time(const void *a, const void *b, void *ctx)
{
	const struct sorting *k = ctx;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	uint64_t ti = time_of(k->s, k->records + (size_t)i * k->s->size),
		 tj = time_of(k->s, k->records + (size_t)j * k->s->size);
	return ti != tj ? (ti < tj ? -1 : 1) : (i > j) - (i < j);
}

static int by_number(const void *a, const void *b)
{
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	return (i > j) - (i < j);
}

/* They mostly come in order. */
static void sort_group(const struct sorting *k, uint32_t *order, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (by_time(&order[i - 1], &order[i], (void *)k) > 0) {
			qsort_r(order, n, sizeof(*order), by_time, (void *)k);
			return;
		}
}

/* x->order: the records' indices by thread, then time; x->threads: the threads, ascending; x->thread_slots: where each
 * one's group ends. */
static void order_series(struct ht_times *x, unsigned series)
{
	struct sorting k = {&ht_series[series], x->pending[series].data};
	size_t n = x->pending[series].len / k.s->size;
	uint32_t *slots = x->thread_slots, at = 0;
	x->threads.len = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t thread = thread_of(k.s, k.records + i * k.s->size);
		if (!slots[thread]++)
			ht_buf_append(&x->threads, &thread, sizeof(thread));
	}
	const uint32_t *threads = (const uint32_t *)x->threads.data;
	size_t count = x->threads.len / sizeof(*threads);
	if (count)
		qsort(x->threads.data, count, sizeof(*threads), by_number);
	for (size_t i = 0; i < count; i++) {
		uint32_t own = slots[threads[i]];
		slots[threads[i]] = at;
		at += own;
	}
	x->order.len = 0;
	ht_buf_reserve(&x->order, n * sizeof(uint32_t));
	uint32_t *order = (uint32_t *)x->order.data;
	for (size_t i = 0; i < n; i++)
		order[slots[thread_of(k.s, k.records + i * k.s->size)]++] = (uint32_t)i;
	for (size_t i = 0, from = 0; i < count; from = slots[threads[i++]])
		sort_group(&k, order + from, slots[threads[i]] - from);
}

/* --- columns ----------------------------------------------------------------------------------- */

static void put_value(struct ht_times *x, unsigned column, uint64_t v)
{
	ht_buf_varint(&x->column[column], v);
}

static void put_delta(struct ht_times *x, unsigned column, uint64_t v)
{
	put_value(x, column, ht_zigzag((int64_t)(v - x->previous[column])));
	x->previous[column] = v;
}

/* 0: the next place that was not named yet; else its number + 1. */
static void put_place(struct ht_times *x, unsigned column, const struct ht_place *p)
{
	const struct ht_place *places = (const struct ht_place *)x->places.data;
	size_t n = x->places.len / sizeof(*p), slot = ht_trace_hash(p, sizeof(*p)) & x->place_mask;
	while (x->place_slots[slot] && memcmp(&places[x->place_slots[slot] - 1], p, sizeof(*p)))
		slot = (slot + 1) & x->place_mask;
	put_value(x, column, x->place_slots[slot]);
	if (!x->place_slots[slot]) {
		x->place_slots[slot] = (uint32_t)n + 1;
		ht_buf_append(&x->places, p, sizeof(*p));
	}
}

/* The time of a thread's last end, in units, goes on to the next. */
static void put_span(struct ht_times *x, unsigned gap, uint64_t begin_ns, uint64_t end_ns, uint64_t *clock)
{
	uint64_t begin = begin_ns / x->unit, end = end_ns / x->unit;
	put_value(x, gap, ht_zigzag((int64_t)(begin - *clock)));
	put_value(x, gap + 1, end - begin);
	*clock = end;
}

static void put_step(struct ht_times *x, unsigned column, uint64_t ns, uint64_t *clock)
{
	uint64_t now = ns / x->unit;
	put_value(x, column, now - *clock);
	*clock = now;
}

static void put_wait(struct ht_times *x, const void *record, uint64_t *clock, unsigned *state)
{
	const struct ht_wait *r = record;
	struct ht_place p = {.object = r->object,
			     .stack = r->stack,
			     .fd = (uint32_t)r->fd + 1u,
			     .kind = r->kind,
			     .call = r->call,
			     .outcome = r->outcome,
			     .flags = r->flags};
	(void)state;
	put_span(x, HT_COL_WAIT_GAP, r->begin_ns, r->end_ns, clock);
	put_place(x, HT_COL_WAIT_PLACE, &p);
	put_value(x, HT_COL_WAIT_DETAIL, r->detail);
}

static void put_wake(struct ht_times *x, const void *record, uint64_t *clock, unsigned *state)
{
	const struct ht_wake *r = record;
	struct ht_place p = {
	    .object = r->object, .stack = r->stack, .kind = r->kind, .call = r->call, .flags = r->flags};
	(void)state;
	put_step(x, HT_COL_WAKE_STEP, r->time_ns, clock);
	put_place(x, HT_COL_WAKE_PLACE, &p);
}

static void put_stall(struct ht_times *x, const void *record, uint64_t *clock, unsigned *state)
{
	const struct ht_stall *r = record;
	struct ht_place p = {.stack = r->stack,
			     .kind = (uint8_t)((r->op & HT_STALL_OP) | (r->bound ? HT_STALL_BOUND : 0))};
	(void)state;
	put_span(x, HT_COL_STALL_GAP, r->begin_ns, r->end_ns, clock);
	put_place(x, HT_COL_STALL_PLACE, &p);
	put_delta(x, HT_COL_STALL_ADDRESS, r->address);
	put_value(x, HT_COL_STALL_SIZE, r->size);
}

static void put_fault(struct ht_times *x, const void *record, uint64_t *clock, unsigned *state)
{
	const struct ht_fault *r = record;
	struct ht_place p = {.stack = r->stack};
	(void)state;
	put_step(x, HT_COL_FAULT_STEP, r->time_ns, clock);
	put_place(x, HT_COL_FAULT_PLACE, &p);
	put_delta(x, HT_COL_FAULT_ADDRESS, r->address);
}

/* In follows out and out in, mostly: so it is told how this one differs from what was to be expected, and by how much
 * from the thread's last processor. */
static void put_switch(struct ht_times *x, const void *record, uint64_t *clock, unsigned *state)
{
	const struct ht_switch *r = record;
	unsigned expected = *state % 3 == HT_SWITCH_IN ? HT_SWITCH_BLOCKED : HT_SWITCH_IN;
	int64_t step = (int64_t)r->cpu - (int64_t)(*state / 3);
	put_step(x, HT_COL_SWITCH_STEP, r->time_ns, clock);
	put_value(x, HT_COL_SWITCH_WHAT, 3 * ht_zigzag(step) + (r->how + 3 - expected) % 3);
	*state = 3u * r->cpu + r->how;
}

static void put_schedstat(struct ht_times *x, const void *record, uint64_t *clock, unsigned *state)
{
	const struct ht_schedstat *r = record;
	(void)state;
	put_step(x, HT_COL_STAT_STEP, r->time_ns, clock);
	put_delta(x, HT_COL_STAT_RUNNING, r->running_ns);
	put_delta(x, HT_COL_STAT_RUNNABLE, r->runnable_ns);
	put_delta(x, HT_COL_STAT_SLICES, r->slices);
}

static void (*const put_record[HT_SERIES_COUNT])(struct ht_times *, const void *, uint64_t *, unsigned *) = {
    [HT_SERIES_SWITCHES] = put_switch, [HT_SERIES_SCHEDSTATS] = put_schedstat, [HT_SERIES_WAITS] = put_wait,
    [HT_SERIES_WAKES] = put_wake,      [HT_SERIES_STALLS] = put_stall,	       [HT_SERIES_FAULTS] = put_fault,
};

static void put_series(struct ht_times *x, unsigned series)
{
	const struct ht_series *s = &ht_series[series];
	order_series(x, series);
	const uint32_t *order = (const uint32_t *)x->order.data, *threads = (const uint32_t *)x->threads.data;
	size_t at = 0;
	for (size_t i = 0; i < x->threads.len / sizeof(*threads); i++) {
		uint64_t clock = x->first;
		unsigned state = HT_SWITCH_BLOCKED;
		size_t end = x->thread_slots[threads[i]];
		x->thread_slots[threads[i]] = 0;
		put_delta(x, s->thread_column, threads[i]);
		put_value(x, s->thread_column + 1u, end - at);
		for (; at < end; at++)
			put_record[series](x, x->pending[series].data + (size_t)order[at] * s->size, &clock, &state);
	}
}

static void put_places(struct ht_times *x, unsigned kind)
{
	const struct ht_place *p = (const struct ht_place *)x->places.data;
	for (size_t n = x->places.len / sizeof(*p); n--; p++) {
		if (kind == HT_KIND_STALLS) {
			ht_buf_byte(&x->column[HT_COL_STALL_PLACE_OP], p->kind);
			put_delta(x, HT_COL_STALL_PLACE_STACK, p->stack);
			continue;
		}
		ht_buf_byte(&x->column[HT_COL_PLACE_KIND], p->kind);
		ht_buf_byte(&x->column[HT_COL_PLACE_CALL], p->call);
		ht_buf_byte(&x->column[HT_COL_PLACE_OUTCOME], p->outcome);
		ht_buf_byte(&x->column[HT_COL_PLACE_FLAGS], p->flags);
		put_value(x, HT_COL_PLACE_FD, p->fd);
		put_delta(x, HT_COL_PLACE_STACK, p->stack);
		put_delta(x, HT_COL_PLACE_OBJECT, p->object);
	}
}

/* --- blocks ------------------------------------------------------------------------------------ */

static size_t pending_of(const struct ht_times *x, unsigned series)
{
	return x->pending[series].len / ht_series[series].size;
}

static void start_block(struct ht_times *x, size_t records, uint32_t threads)
{
	for (unsigned i = 0; i < HT_COLUMNS_MAX; i++) {
		x->column[i].len = 0;
		x->previous[i] = 0;
	}
	x->places.len = 0;
	size_t slots = 64;
	while (slots < 2 * records)
		slots *= 2;
	if (slots - 1 > x->place_mask) {
		free(x->place_slots);
		x->place_slots = ht_xmalloc(slots * sizeof(*x->place_slots));
	}
	x->place_mask = slots - 1;
	memset(x->place_slots, 0, slots * sizeof(*x->place_slots));
	if (threads > x->thread_cap) {
		free(x->thread_slots);
		x->thread_cap = 2 * (size_t)threads;
		x->thread_slots = ht_xcalloc(x->thread_cap, sizeof(*x->thread_slots));
	}
}

static void find_range(const struct ht_times *x, unsigned series, uint64_t *first, uint64_t *last)
{
	const struct ht_series *s = &ht_series[series];
	for (size_t i = 0; i < x->pending[series].len; i += s->size) {
		uint64_t time = time_of(s, x->pending[series].data + i);
		*first = time < *first ? time : *first;
		*last = time > *last ? time : *last;
	}
}

static void put_block(struct ht_trace_writer *w, unsigned kind)
{
	struct ht_times *x = &w->times;
	struct ht_column_out columns[HT_COLUMNS_MAX];
	const uint8_t *encodings;
	unsigned one = ht_times_first(kind), two = one + 1, n = ht_times_columns(kind, &encodings);
	size_t records = pending_of(x, one) + pending_of(x, two);
	uint64_t first = UINT64_MAX, last = 0, before = w->bytes;
	if (!records)
		return;
	ht_writer_dictionaries(w);
	start_block(x, records, w->thread_count);
	find_range(x, one, &first, &last);
	find_range(x, two, &first, &last);
	x->unit = units[kind - HT_KIND_SCHED];
	x->first = first / x->unit;
	put_value(x, HT_COL_TIME_PARAMS, x->unit);
	put_value(x, HT_COL_TIME_PARAMS, pending_of(x, one));
	put_series(x, one);
	put_series(x, two);
	put_places(x, kind);
	for (unsigned i = 0; i < n; i++)
		columns[i] = (struct ht_column_out){(uint8_t)i, encodings[i], x->column[i].data, x->column[i].len};
	ht_columns_build(&w->raw, columns, n);
	struct ht_block_head h = {.kind = (uint8_t)kind,
				  .first_ns = x->first * x->unit,
				  .last_ns = last / x->unit * x->unit,
				  .count = (uint32_t)records};
	ht_writer_block(w, &h);
	w->bytes_then += w->bytes - before; /* checkpoints are weighed against events alone */
	x->pending[one].len = x->pending[two].len = 0;
}

void ht_times_flush(struct ht_trace_writer *w)
{
	for (unsigned kind = HT_KIND_SCHED; kind <= HT_KIND_STALLS; kind++)
		put_block(w, kind);
}

/* --- the calls ---------------------------------------------------------------------------------- */

/* stack: in the record; NULL: it has none. */
static bool add(struct ht_trace_writer *w, unsigned series, void *record, uint32_t *stack)
{
	struct ht_times *x = &w->times;
	const struct ht_series *s = &ht_series[series];
	unsigned one = ht_times_first(s->kind);
	if (thread_of(s, record) >= w->thread_count) {
		w->events.bad_references++;
		return false;
	}
	if (stack && *stack >= w->events.node_limit) {
		w->events.bad_references++;
		*stack = 0;
	}
	/* small on a disk that is nearly full */
	size_t limit = w->events.limit < BLOCK_RECORDS ? w->events.limit : BLOCK_RECORDS;
	if (pending_of(x, one) + pending_of(x, one + 1) >= limit)
		put_block(w, s->kind);
	ht_buf_append(&x->pending[series], record, s->size);
	x->count[series]++;
	return true;
}

void ht_trace_writer_wait(struct ht_trace_writer *w, const struct ht_wait *x)
{
	struct ht_wait r = *x;
	r.begin_ns = r.begin_ns < r.end_ns ? r.begin_ns : r.end_ns;
	r.fd = r.fd < 0 ? -1 : r.fd;
	if (add(w, HT_SERIES_WAITS, &r, &r.stack))
		w->times.io_waits += r.kind >= HT_WAIT_SLEEP;
}

void ht_trace_writer_wake(struct ht_trace_writer *w, const struct ht_wake *x)
{
	struct ht_wake r = *x;
	add(w, HT_SERIES_WAKES, &r, &r.stack);
}

void ht_trace_writer_stall(struct ht_trace_writer *w, const struct ht_stall *x)
{
	struct ht_stall r = *x;
	r.begin_ns = r.begin_ns < r.end_ns ? r.begin_ns : r.end_ns;
	add(w, HT_SERIES_STALLS, &r, &r.stack);
}

void ht_trace_writer_fault(struct ht_trace_writer *w, const struct ht_fault *x)
{
	struct ht_fault r = *x;
	add(w, HT_SERIES_FAULTS, &r, &r.stack);
}

void ht_trace_writer_switch(struct ht_trace_writer *w, const struct ht_switch *x)
{
	struct ht_switch r = *x;
	add(w, HT_SERIES_SWITCHES, &r, NULL);
}

void ht_trace_writer_schedstat(struct ht_trace_writer *w, const struct ht_schedstat *x)
{
	struct ht_schedstat r = *x;
	add(w, HT_SERIES_SCHEDSTATS, &r, NULL);
}

void ht_times_totals(const struct ht_times *x, struct ht_trace_totals *t)
{
	t->waits = x->count[HT_SERIES_WAITS];
	t->wakes = x->count[HT_SERIES_WAKES];
	t->stalls = x->count[HT_SERIES_STALLS];
	t->faults = x->count[HT_SERIES_FAULTS];
	t->switches = x->count[HT_SERIES_SWITCHES];
	t->io_waits = x->io_waits;
}

void ht_times_release(struct ht_times *x)
{
	struct ht_buf *const bufs[] = {&x->places, &x->order, &x->threads};
	for (unsigned i = 0; i < HT_SERIES_COUNT; i++)
		ht_buf_release(&x->pending[i]);
	for (unsigned i = 0; i < HT_COLUMNS_MAX; i++)
		ht_buf_release(&x->column[i]);
	for (size_t i = 0; i < HT_ARRAY_SIZE(bufs); i++)
		ht_buf_release(bufs[i]);
	free(x->place_slots);
	free(x->thread_slots);
}
