/*
 * trace_times_read: the reader's side of where time went: a block of switches, waits or stalls from the file into
 * arrays that are ordered by time. Thread-safe on one trace: all scratch is the caller's. What comes out is checked:
 * threads and stacks exist, times lie in the block's range, nothing ends before it begins, every number that names
 * something names something.
 */
#include "trace_times.h"

#include <stdlib.h>
#include <string.h>

#include "trace_reader.h"

struct decoder {
	const struct ht_trace *t;
	struct ht_columns c;
	unsigned columns;
	uint64_t unit, first, last; /* of the block's times, in units */
	struct ht_defined defined;
	bool clamp; /* dictionaries were lost: ids without an entry become 0 */
	bool bad;
	struct ht_place *places;
	size_t place_count, places_named;
	uint64_t previous[HT_COLUMNS_MAX]; /* values of DELTA columns */
	/* the group that is read */
	uint32_t thread;
	uint64_t clock;
	uint32_t state;
};

static uint64_t value(struct decoder *k, unsigned column)
{
	return ht_cursor_varint(&k->c.at[column]);
}

static uint64_t delta(struct decoder *k, unsigned column)
{
	return k->previous[column] += (uint64_t)ht_unzigzag(value(k, column));
}

/* The id, if it has an entry. */
static uint32_t checked(struct decoder *k, uint64_t id, uint32_t limit)
{
	if (id < limit)
		return (uint32_t)id;
	k->bad |= !k->clamp;
	return 0;
}

static uint32_t stack(struct decoder *k, unsigned column)
{
	uint32_t id = checked(k, delta(k, column), k->defined.nodes);
	return k->clamp && id && !ht_node_known(k->t, id) ? 0 : id;
}

/* --- what each record says --------------------------------------------------------------------- */

static const struct ht_place *place(struct decoder *k, unsigned column)
{
	static const struct ht_place none;
	uint64_t u = value(k, column), i = u ? u - 1 : k->places_named++;
	if (i < k->place_count)
		return &k->places[i];
	k->bad = true;
	return &none;
}

/* The clock goes on to `now`. */
static uint64_t at_time(struct decoder *k, uint64_t now)
{
	k->bad |= now < k->clock || now > k->last;
	k->clock = now;
	return now * k->unit;
}

static uint64_t step(struct decoder *k, unsigned column)
{
	return at_time(k, k->clock + value(k, column));
}

/* The end; *begin_ns: what it says. */
static uint64_t span(struct decoder *k, unsigned gap, uint64_t *begin_ns)
{
	uint64_t begin = k->clock + (uint64_t)ht_unzigzag(value(k, gap)), end = begin + value(k, gap + 1);
	k->bad |= end < begin;
	*begin_ns = begin * k->unit;
	return at_time(k, end);
}

static void get_switch(struct decoder *k, void *record)
{
	struct ht_switch *r = record;
	r->thread = k->thread;
	r->time_ns = step(k, HT_COL_SWITCH_STEP);
	uint64_t what = value(k, HT_COL_SWITCH_WHAT);
	uint64_t cpu = k->state / 3 + (uint64_t)ht_unzigzag(what / 3);
	unsigned expected = k->state % 3 == HT_SWITCH_IN ? HT_SWITCH_BLOCKED : HT_SWITCH_IN;
	k->bad |= cpu > UINT16_MAX;
	r->how = (uint8_t)((expected + what % 3) % 3);
	r->cpu = (uint16_t)cpu;
	k->state = 3u * r->cpu + r->how;
}

static void get_schedstat(struct decoder *k, void *record)
{
	struct ht_schedstat *r = record;
	r->thread = k->thread;
	r->time_ns = step(k, HT_COL_STAT_STEP);
	r->running_ns = delta(k, HT_COL_STAT_RUNNING);
	r->runnable_ns = delta(k, HT_COL_STAT_RUNNABLE);
	r->slices = delta(k, HT_COL_STAT_SLICES);
}

static void get_wait(struct decoder *k, void *record)
{
	struct ht_wait *r = record;
	r->thread = k->thread;
	r->end_ns = span(k, HT_COL_WAIT_GAP, &r->begin_ns);
	const struct ht_place *p = place(k, HT_COL_WAIT_PLACE);
	r->kind = p->kind;
	r->call = p->call;
	r->outcome = p->outcome;
	r->flags = p->flags;
	r->fd = (int32_t)(p->fd - 1u);
	r->stack = p->stack;
	r->object = p->object;
	r->detail = value(k, HT_COL_WAIT_DETAIL);
}

static void get_wake(struct decoder *k, void *record)
{
	struct ht_wake *r = record;
	r->thread = k->thread;
	r->time_ns = step(k, HT_COL_WAKE_STEP);
	const struct ht_place *p = place(k, HT_COL_WAKE_PLACE);
	r->kind = p->kind;
	r->call = p->call;
	r->flags = p->flags;
	r->stack = p->stack;
	r->object = p->object;
}

static void get_stall(struct decoder *k, void *record)
{
	struct ht_stall *r = record;
	r->thread = k->thread;
	r->end_ns = span(k, HT_COL_STALL_GAP, &r->begin_ns);
	const struct ht_place *p = place(k, HT_COL_STALL_PLACE);
	r->op = p->kind & HT_STALL_OP;
	r->bound = p->kind & HT_STALL_BOUND;
	r->stack = p->stack;
	r->address = delta(k, HT_COL_STALL_ADDRESS);
	r->size = value(k, HT_COL_STALL_SIZE);
}

static void get_fault(struct decoder *k, void *record)
{
	struct ht_fault *r = record;
	r->thread = k->thread;
	r->time_ns = step(k, HT_COL_FAULT_STEP);
	r->stack = place(k, HT_COL_FAULT_PLACE)->stack;
	r->address = delta(k, HT_COL_FAULT_ADDRESS);
}

static void (*const get_record[HT_SERIES_COUNT])(struct decoder *, void *) = {
    [HT_SERIES_SWITCHES] = get_switch, [HT_SERIES_SCHEDSTATS] = get_schedstat, [HT_SERIES_WAITS] = get_wait,
    [HT_SERIES_WAKES] = get_wake,      [HT_SERIES_STALLS] = get_stall,	       [HT_SERIES_FAULTS] = get_fault,
};

/* --- the block ---------------------------------------------------------------------------------- */

static int read_params(struct decoder *k, const struct ht_time_block *b, uint64_t *first_series, struct ht_diag *d)
{
	const uint8_t *encodings;
	k->columns = ht_times_columns(b->kind, &encodings);
	for (unsigned i = 0; i < k->columns; i++)
		if (k->c.present & 1u << i && k->c.encoding[i] != encodings[i])
			return ht_fail(d, HT_ERR_VERSION, "a column has an encoding that this version does not know");
	k->unit = value(k, HT_COL_TIME_PARAMS);
	*first_series = value(k, HT_COL_TIME_PARAMS);
	if (!k->unit || b->first_ns % k->unit || b->last_ns % k->unit)
		return ht_fail(d, HT_ERR_DAMAGED, "its time unit does not hold");
	if (*first_series > b->count)
		return ht_fail(d, HT_ERR_DAMAGED, "it has fewer records than it says");
	k->first = b->first_ns / k->unit;
	k->last = b->last_ns / k->unit;
	return 0;
}

/* What a later version may know and we do not is unknown to us. */
static uint8_t within(uint8_t v, unsigned limit, uint8_t otherwise)
{
	return v < limit ? v : otherwise;
}

static void read_places(struct decoder *k, unsigned kind, struct ht_buf *memory)
{
	bool stalls = kind == HT_KIND_STALLS;
	size_t n =
	    kind == HT_KIND_SCHED ? 0 : ht_cursor_left(&k->c.at[stalls ? HT_COL_STALL_PLACE_OP : HT_COL_PLACE_KIND]);
	memory->len = 0;
	ht_buf_reserve(memory, (n + 1) * sizeof(struct ht_place));
	k->places = (struct ht_place *)memory->data;
	k->place_count = n;
	for (size_t i = 0; i < n; i++) {
		struct ht_place *p = &k->places[i];
		*p = (struct ht_place){.stack = stack(k, stalls ? HT_COL_STALL_PLACE_STACK : HT_COL_PLACE_STACK)};
		if (stalls) {
			p->kind = ht_cursor_u8(&k->c.at[HT_COL_STALL_PLACE_OP]);
			continue;
		}
		p->kind = within(ht_cursor_u8(&k->c.at[HT_COL_PLACE_KIND]), HT_WAIT_KINDS, HT_WAIT_NONE);
		p->call = within(ht_cursor_u8(&k->c.at[HT_COL_PLACE_CALL]), HT_CALL_COUNT, HT_CALL_NONE);
		p->outcome = within(ht_cursor_u8(&k->c.at[HT_COL_PLACE_OUTCOME]), HT_OUTCOMES, HT_OUTCOME_UNKNOWN);
		p->flags = ht_cursor_u8(&k->c.at[HT_COL_PLACE_FLAGS]);
		uint64_t fd = value(k, HT_COL_PLACE_FD);
		k->bad |= fd > (uint64_t)INT32_MAX + 1;
		p->fd = (uint32_t)fd;
		p->object = delta(k, HT_COL_PLACE_OBJECT);
	}
}

/* n records. ends: where each thread's group ends, as indices. */
static int read_series(struct decoder *k, unsigned series, uint8_t *records, size_t n, struct ht_buf *ends,
		       struct ht_diag *d)
{
	const struct ht_series *s = &ht_series[series];
	unsigned thread = s->thread_column, count = thread + 1u;
	size_t at = 0;
	while (at < n) {
		uint64_t id = delta(k, thread), own = value(k, count);
		if (k->c.at[thread].bad || k->c.at[count].bad || !own || own > n - at)
			return ht_fail(d, HT_ERR_DAMAGED, "its threads do not hold");
		k->thread = checked(k, id, k->defined.threads);
		k->clock = k->first;
		k->state = HT_SWITCH_BLOCKED;
		for (size_t end = at + own; at < end; at++)
			get_record[series](k, records + at * s->size);
		ht_buf_append(ends, &at, sizeof(at));
	}
	return 0;
}

static int check_rest(const struct decoder *k, struct ht_diag *d)
{
	for (unsigned i = 0; i < k->columns; i++)
		if (k->c.at[i].bad || ht_cursor_left(&k->c.at[i]))
			return ht_fail(d, HT_ERR_DAMAGED, "column %u does not hold its values", i);
	if (k->bad)
		return ht_fail(d, HT_ERR_DAMAGED, "one of its records refers to something that is not there");
	return 0;
}

/* --- one order out of the threads' -------------------------------------------------------------- */

static uint64_t time_of(const struct ht_series *s, const uint8_t *record)
{
	uint64_t v;
	memcpy(&v, record + s->time_at, sizeof(v));
	return v;
}

/* [a, m) and [m, e) of `from` into `to`; of equal times the first one's first. */
static void merge_two(const struct ht_series *s, const uint8_t *from, uint8_t *to, size_t a, size_t m, size_t e)
{
	size_t b = m;
	for (size_t i = a; i < e; i++) {
		bool left = a < m && (b == e || time_of(s, from + a * s->size) <= time_of(s, from + b * s->size));
		memcpy(to + i * s->size, from + (left ? a++ : b++) * s->size, s->size);
	}
}

/* Neighbours in pairs, until all are one. */
static void merge_groups(const struct ht_series *s, uint8_t *records, struct ht_buf *ends, struct ht_buf *scratch)
{
	size_t *end = (size_t *)ends->data, n = ends->len / sizeof(*end);
	if (n < 2)
		return;
	size_t bytes = end[n - 1] * s->size;
	scratch->len = 0;
	ht_buf_reserve(scratch, bytes);
	uint8_t *from = records, *to = scratch->data;
	while (n > 1) {
		size_t start = 0, groups = 0;
		for (size_t i = 0; i < n; i += 2) {
			size_t last = i + 1 < n ? end[i + 1] : end[i];
			merge_two(s, from, to, start, end[i], last);
			start = end[groups++] = last;
		}
		n = groups;
		uint8_t *swap = from;
		from = to;
		to = swap;
	}
	if (from != records)
		memcpy(records, from, bytes);
}

/* --- the calls ---------------------------------------------------------------------------------- */

/* Room for n records of a series; their number is set later, when all is well. */
static uint8_t *make_room(struct ht_time_records *out, unsigned series, size_t n, size_t **count)
{
	struct {
		void *items;
		size_t *cap, *count;
	} all[HT_SERIES_COUNT] = {
	    [HT_SERIES_SWITCHES] = {&out->switches, &out->switch_cap, &out->switch_count},
	    [HT_SERIES_SCHEDSTATS] = {&out->schedstats, &out->schedstat_cap, &out->schedstat_count},
	    [HT_SERIES_WAITS] = {&out->waits, &out->wait_cap, &out->wait_count},
	    [HT_SERIES_WAKES] = {&out->wakes, &out->wake_cap, &out->wake_count},
	    [HT_SERIES_STALLS] = {&out->stalls, &out->stall_cap, &out->stall_count},
	    [HT_SERIES_FAULTS] = {&out->faults, &out->fault_cap, &out->fault_count},
	};
	ht_grow(all[series].items, all[series].cap, n, ht_series[series].size);
	*count = all[series].count;
	return *(uint8_t **)all[series].items;
}

static int decode(const struct ht_trace *t, size_t i, struct ht_time_records *out, struct ht_diag *d)
{
	const struct ht_time_block *b = &t->times[i].info;
	struct decoder k = {.t = t, .clamp = t->dictionary_lost, .defined = t->times[i].defined};
	struct ht_buf ends[2] = {{0}};
	unsigned one = ht_times_first(b->kind);
	uint64_t first_series = 0;
	int err = ht_columns_parse(&k.c, out->raw.data, out->raw.len, d);
	if (!err)
		err = read_params(&k, b, &first_series, d);
	if (err)
		return err;
	read_places(&k, b->kind, &out->packed); /* what was packed is not needed any more */
	size_t counts[2] = {first_series, b->count - first_series}, *told[2];
	uint8_t *records[2];
	for (unsigned s = 0; s < 2; s++) {
		records[s] = make_room(out, one + s, counts[s], &told[s]);
		if (!err)
			err = read_series(&k, one + s, records[s], counts[s], &ends[s], d);
	}
	if (!err)
		err = check_rest(&k, d);
	for (unsigned s = 0; s < 2; s++) {
		if (!err) {
			merge_groups(&ht_series[one + s], records[s], &ends[s], &out->raw);
			*told[s] = counts[s];
		}
		ht_buf_release(&ends[s]);
	}
	return err;
}

/* The head as it stands in the file must be the one that was announced. */
static int read_block(const struct ht_trace *t, const struct ht_time_block *b, struct ht_time_records *out,
		      struct ht_diag *d)
{
	uint8_t bytes[HT_BLOCK_HEAD];
	struct ht_found f = {.offset = b->offset};
	const struct ht_block_head *h = &f.head;
	if (ht_pread_all(t->fd, bytes, HT_BLOCK_HEAD, b->offset) != HT_BLOCK_HEAD || !ht_block_head_get(&f.head, bytes))
		return ht_fail(d, HT_ERR_DAMAGED, "its head does not hold");
	if (h->kind != b->kind || h->sequence != b->sequence || h->count != b->count || h->first_ns != b->first_ns ||
	    h->last_ns != b->last_ns)
		return ht_fail(d, HT_ERR_DAMAGED, "the footer's index tells something else of it");
	if (h->count > h->raw_len)
		return ht_fail(d, HT_ERR_LIMIT, "it has fewer bytes than records");
	return ht_trace_read_block(t, &f, &out->zstd, &out->packed, &out->raw, d);
}

size_t ht_trace_time_block_count(const struct ht_trace *t)
{
	return t->time_count;
}

const struct ht_time_block *ht_trace_time_block(const struct ht_trace *t, size_t i)
{
	return i < t->time_count ? &t->times[i].info : NULL;
}

int ht_trace_time_decode(const struct ht_trace *t, size_t i, struct ht_time_records *out, struct ht_diag *d)
{
	struct ht_diag own;
	out->wait_count = out->wake_count = out->stall_count = out->fault_count = out->switch_count =
	    out->schedstat_count = 0;
	if (!d)
		d = &own;
	if (i >= t->time_count)
		return ht_fail(d, HT_ERR_USAGE, "%s: there is no block %zu of waits, stalls or switches", t->path, i);
	const struct ht_time_block *b = &t->times[i].info;
	int err = read_block(t, b, out, d);
	if (!err)
		err = decode(t, i, out, d);
	return err ? ht_trace_late_damage(t, b->offset, b->sequence, err, d) : 0;
}

void ht_time_records_release(struct ht_time_records *r)
{
	void *const items[] = {r->waits, r->wakes, r->stalls, r->faults, r->switches, r->schedstats};
	for (size_t i = 0; i < HT_ARRAY_SIZE(items); i++)
		free(items[i]);
	ht_buf_release(&r->raw);
	ht_buf_release(&r->packed);
	ht_block_unpack_release(r->zstd);
	*r = (struct ht_time_records){0};
}
