/*
 * trace_decode: the events of one block, as arrays. Thread-safe on one trace: all scratch is the caller's.
 * What comes out is checked: every id exists, every time lies in the block's range, every death
 * names a birth before it.
 *
 * Column by column, not event by event: which event is a birth and which is none is found once and without a
 * branch (`lists`), and every column is then decoded in a loop that does one thing. A column's values are
 * counted before (a value ends in a byte below 128), so that these loops need not look for its end.
 */
#include "trace_decode.h"
#include "trace_values.h"

#include <stdlib.h>
#include <string.h>

struct local_thread {
	uint64_t time; /* of its last stamp; units since the block's first */
	uint64_t freed[2];
	uint32_t id, local;
};

struct decoder {
	const struct ht_trace *t;
	struct ht_columns c;
	struct ht_event_arrays *out;
	struct local_thread *threads;
	size_t thread_count, count;
	uint64_t unit, first_unit, span; /* times are first_unit + 0 .. span */
	uint64_t stamp, stamped;	 /* of the previous stamped event, since first_unit; how many there were */
	uint64_t first_seq, births;
	bool addresses;
	unsigned address_shift;
	bool clamp; /* dictionaries were lost: ids without an entry become 0 */
	bool bad;   /* a value of more than 64 bits, or one that leads nowhere */
	struct ht_defined defined;
	uint64_t birth_stack, other_stack; /* previous in their columns */
	uint64_t address[HT_ADDRESS_SLOTS];
	/* indices of events: births, the others, those with rare columns */
	uint32_t *birth, *other, *rare;
	size_t birth_count, other_count, rare_count, stamped_count, death_count, birth_at, other_at;
	uint8_t class[256]; /* of an op byte: enum class */
};
enum class { CLASS_BIRTH = 1, CLASS_RARE = 2, CLASS_STAMPED = 4, CLASS_DEATH = 8 };

/* --- before the events ------------------------------------------------------------------------ */

/* Does the column hold so many values, and nothing else? */
static bool holds(const struct decoder *k, unsigned column, size_t n)
{
	const struct ht_cursor *c = &k->c.at[column];
	return ht_values_in(c) == n && (c->at == c->end || c->end[-1] < 128);
}

static int wrong_count(unsigned column, size_t events, struct ht_diag *d)
{
	return ht_fail(d, HT_ERR_DAMAGED, "column %u does not hold the values of %zu events", column, events);
}

static bool all_encodings_known(const struct ht_columns *c)
{
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++) {
		unsigned e = c->encoding[i], wanted = ht_event_encoding[i];
		bool known = e == wanted || (wanted == HT_ENC_ADDRESS16 && e == HT_ENC_ADDRESS8);
		if (c->present & 1u << i && !known)
			return false;
	}
	return true;
}

static int read_params(struct decoder *k, const struct ht_block_info *b, struct ht_diag *d)
{
	struct ht_cursor *params = &k->c.at[HT_COL_EV_PARAMS];
	if (!all_encodings_known(&k->c))
		return ht_fail(d, HT_ERR_VERSION, "a column has an encoding that this version does not know");
	k->unit = ht_cursor_varint(params);
	k->addresses = ht_cursor_varint(params) & 1;
	k->address_shift = k->c.encoding[HT_COL_EV_BIRTH_ADDRESS] == HT_ENC_ADDRESS8 ? 3 : 4;
	if (!k->unit || params->bad)
		return ht_fail(d, HT_ERR_DAMAGED, "its time unit is 0");
	k->first_unit = b->first_ns / k->unit;
	k->span = b->last_ns / k->unit - k->first_unit;
	k->first_seq = b->first_seq;
	return 0;
}

static int read_threads(struct decoder *k, struct ht_diag *d)
{
	struct ht_cursor *ids = &k->c.at[HT_COL_EV_THREAD_ID], *starts = &k->c.at[HT_COL_EV_THREAD_START];
	struct ht_buf *state = &k->out->state;
	uint64_t id = 0;
	while (ht_cursor_left(ids)) {
		id += (uint64_t)ht_unzigzag(ht_cursor_varint(ids));
		struct local_thread t = {.time = ht_cursor_varint(starts),
					 .freed = {k->first_seq, k->first_seq},
					 .id = (uint32_t)id,
					 .local = (uint32_t)k->thread_count};
		if (ids->bad || starts->bad || t.time > k->span)
			return ht_fail(d, HT_ERR_DAMAGED, "its thread table does not hold");
		if (id >= (k->clamp ? UINT32_MAX : k->defined.threads))
			return ht_fail(d, HT_ERR_DAMAGED, "it names a thread that does not exist");
		if (id >= k->defined.threads)
			t.id = 0;
		ht_buf_append(state, &t, sizeof(t));
		k->thread_count++;
	}
	if (ht_cursor_left(starts))
		return ht_fail(d, HT_ERR_DAMAGED, "its thread table does not hold");
	k->stamp = k->thread_count ? ((struct local_thread *)state->data)->time : 0;
	return 0;
}

static unsigned class_of(const struct decoder *k, unsigned byte)
{
	unsigned has = ht_op_info[byte & HT_EVENT_OP].columns;
	bool birth = has & HT_OP_HAS_BIRTH;
	unsigned rare = has & (HT_OP_HAS_ADDRESS | HT_OP_HAS_EXTRA | HT_OP_HAS_EXTRA2);
	rare |= birth ? !k->addresses && byte & HT_EVENT_UNPAIRED : has & HT_OP_HAS_SIZE;
	return (birth ? CLASS_BIRTH : 0) | (rare ? CLASS_RARE : 0) |
	       (byte & HT_EVENT_STAMPED ? CLASS_STAMPED : 0) | (has & HT_OP_HAS_FREED ? CLASS_DEATH : 0);
}

static void make_lists(struct decoder *k)
{
	struct ht_buf *state = &k->out->state;
	size_t threads = state->len, n = k->count;
	ht_buf_reserve(state, 3 * (n + 1) * sizeof(uint32_t));
	k->threads = (struct local_thread *)state->data;
	k->birth = (uint32_t *)(state->data + threads); /* threads are a multiple of 8 bytes */
	k->other = k->birth + n + 1;
	k->rare = k->other + n + 1;
	for (unsigned i = 0; i < 256; i++)
		k->class[i] = (uint8_t)class_of(k, i);
	const uint8_t *op = k->out->op;
	size_t births = 0, others = 0, rare = 0, stamped = 0, deaths = 0;
	for (size_t i = 0; i < n; i++) {
		unsigned class = k->class[op[i]];
		/* those that it is not are overwritten by the next */
		k->birth[births] = k->other[others] = k->rare[rare] = (uint32_t)i;
		births += class & CLASS_BIRTH;
		others += !(class & CLASS_BIRTH);
		rare += (class & CLASS_RARE) / CLASS_RARE;
		stamped += (class & CLASS_STAMPED) / CLASS_STAMPED;
		deaths += class / CLASS_DEATH;
	}
	k->stamped_count = stamped;
	k->death_count = deaths;
	k->birth_count = births;
	k->other_count = others;
	k->rare_count = rare;
}

/* Counts the values of all columns that are then read without looking for their ends. */
static int check_columns(struct decoder *k, struct ht_diag *d)
{
	const struct ht_cursor *steps = &k->c.at[HT_COL_EV_TIME];
	size_t bytes = ht_cursor_left(steps), used = k->stamped_count % 4 * 2;
	if (bytes != (k->stamped_count + 3) / 4 || (used && steps->end[-1] >> used))
		return wrong_count(HT_COL_EV_TIME, k->count, d);
	const struct {
		unsigned column;
		size_t values;
	} wanted[] = {
		{HT_COL_EV_FAR_TIME, ht_threes_in(steps->at, bytes)},
		{HT_COL_EV_BIRTH_STACK, k->birth_count},
		{HT_COL_EV_OTHER_STACK, k->other_count},
		{HT_COL_EV_SIZE, k->birth_count},
		{HT_COL_EV_FREED, k->death_count},
		{HT_COL_EV_BIRTH_ADDRESS, k->addresses ? k->birth_count : 0},
	};
	for (size_t i = 0; i < HT_ARRAY_SIZE(wanted); i++)
		if (!holds(k, wanted[i].column, wanted[i].values))
			return wrong_count(wanted[i].column, k->count, d);
	return 0;
}

/* --- the events ------------------------------------------------------------------------------- */

static void decode_times(struct decoder *k, struct local_thread *t, size_t i, size_t end)
{
	const uint8_t *op = k->out->op, *steps = k->c.at[HT_COL_EV_TIME].at;
	const uint8_t **far = &k->c.at[HT_COL_EV_FAR_TIME].at;
	uint64_t now = t->time, stamp = k->stamp, n = k->stamped, most = 0;
	uint64_t *time = k->out->time;
	for (; i < end; i++) {
		bool stamped = op[i] & HT_EVENT_STAMPED;
		if (stamped) {
			uint64_t step = steps[n / 4] >> n % 4 * 2 & 3;
			if (__builtin_expect(step == 3, 0))
				step = (uint64_t)ht_unzigzag(ht_value(far, &k->bad));
			stamp += step;
			now = stamp;
			most = now > most ? now : most;
			n++;
		}
		time[i] = (k->first_unit + now) * k->unit;
	}
	k->bad |= most > k->span;
	k->stamp = stamp;
	k->stamped = n;
	t->time = now;
}

static uint64_t far_address(struct decoder *k)
{
	struct ht_cursor *far = &k->c.at[HT_COL_EV_FAR_ADDRESS];
	uint64_t step = (uint64_t)ht_unzigzag(ht_cursor_varint(far));
	k->bad |= far->bad;
	return step;
}

static void decode_births(struct decoder *k, struct local_thread *t, size_t end)
{
	struct ht_event_arrays *out = k->out;
	const uint8_t *stacks = k->c.at[HT_COL_EV_BIRTH_STACK].at, *sizes = k->c.at[HT_COL_EV_SIZE].at;
	const uint8_t *addresses = k->c.at[HT_COL_EV_BIRTH_ADDRESS].at;
	uint64_t stack = k->birth_stack, limit = k->defined.nodes;
	size_t b = k->birth_at;
	bool bad = false, over = false;
	for (; b < k->birth_count && k->birth[b] < end; b++) {
		size_t i = k->birth[b];
		uint64_t size = ht_value(&sizes, &bad), address = 0;
		stack += (uint64_t)ht_unzigzag(ht_value(&stacks, &bad));
		over |= stack >= limit;
		if (k->addresses) {
			uint64_t *slot = &k->address[ht_address_slot(size, t->local)];
			uint64_t step = ht_value(&addresses, &bad);
			if (__builtin_expect(step != 0, 1))
				step = (uint64_t)ht_unzigzag(step - 1) << k->address_shift;
			else
				step = far_address(k);
			address = *slot += step;
		}
		out->stack[i] = stack < limit ? (uint32_t)stack : 0;
		out->size[i] = size;
		out->address[i] = address;
		out->seq[i] = k->first_seq + b;
	}
	k->c.at[HT_COL_EV_BIRTH_STACK].at = stacks;
	k->c.at[HT_COL_EV_SIZE].at = sizes;
	k->c.at[HT_COL_EV_BIRTH_ADDRESS].at = addresses;
	k->birth_stack = stack;
	k->bad |= bad || (over && !k->clamp);
	k->birth_at = b;
}

static void decode_others(struct decoder *k, struct local_thread *t, size_t end)
{
	struct ht_event_arrays *out = k->out;
	const uint8_t *stacks = k->c.at[HT_COL_EV_OTHER_STACK].at, *freed = k->c.at[HT_COL_EV_FREED].at;
	uint64_t stack = k->other_stack, limit = k->defined.nodes;
	uint64_t last = t->freed[0], before = t->freed[1];
	size_t o = k->other_at;
	bool bad = false, over = false;
	for (; o < k->other_count && k->other[o] < end; o++) {
		size_t i = k->other[o];
		uint64_t seq = 0;
		stack += (uint64_t)ht_unzigzag(ht_value(&stacks, &bad));
		over |= stack >= limit;
		if (__builtin_expect(k->class[out->op[i]] & CLASS_DEATH, 1)) {
			uint64_t u = ht_value(&freed, &bad), from = u & 1 ? before : last;
			seq = from + 1 + (uint64_t)ht_unzigzag(u >> 1);
			bad |= seq >= k->first_seq + (i - o);
			before = u & 1 ? last : before;
			last = seq;
		}
		out->stack[i] = stack < limit ? (uint32_t)stack : 0;
		out->seq[i] = seq;
		out->size[i] = out->address[i] = 0;
	}
	k->c.at[HT_COL_EV_OTHER_STACK].at = stacks;
	k->c.at[HT_COL_EV_FREED].at = freed;
	k->other_stack = stack;
	t->freed[0] = last;
	t->freed[1] = before;
	k->bad |= bad || (over && !k->clamp);
	k->other_at = o;
}

/* The columns that few events have, in the order of the events. */
static void decode_rare(struct decoder *k)
{
	struct ht_event_arrays *out = k->out;
	size_t extras = 0;
	out->extra_count = 0;
	for (size_t r = 0; r < k->rare_count; r++) {
		size_t i = k->rare[r];
		unsigned byte = out->op[i], op = byte & HT_EVENT_OP, has = ht_op_info[op].columns;
		bool birth = has & HT_OP_HAS_BIRTH;
		struct ht_event_extra x = {.event = (uint32_t)i};
		if (!birth && has & HT_OP_HAS_SIZE)
			out->size[i] = ht_cursor_varint(&k->c.at[HT_COL_EV_OTHER_SIZE]);
		if (has & HT_OP_HAS_ADDRESS || (birth && !k->addresses && byte & HT_EVENT_UNPAIRED))
			out->address[i] = ht_cursor_varint(&k->c.at[HT_COL_EV_OTHER_ADDRESS]);
		if (!(has & (HT_OP_HAS_EXTRA | HT_OP_HAS_EXTRA2)))
			continue;
		if (has & HT_OP_HAS_EXTRA)
			x.extra = ht_cursor_varint(&k->c.at[HT_COL_EV_EXTRA]);
		if (has & HT_OP_HAS_EXTRA2)
			x.extra2 = ht_cursor_varint(&k->c.at[HT_COL_EV_EXTRA2]);
		if ((has & HT_OP_EXTRA_STRING && x.extra >= k->defined.strings) ||
		    (op == HT_OP_THREAD_START && x.extra > k->defined.threads)) {
			x.extra = 0;
			k->bad |= !k->clamp;
		}
		if (has & HT_OP_EXTRA2_STRING && x.extra2 >= k->defined.strings) {
			x.extra2 = 0;
			k->bad |= !k->clamp;
		}
		ht_grow(&out->extras, &out->extra_cap, extras + 1, sizeof(*out->extras));
		out->extras[extras++] = x;
	}
	out->extra_count = extras;
}

static int decode_runs(struct decoder *k, struct ht_diag *d)
{
	struct ht_event_arrays *out = k->out;
	struct ht_cursor *threads = &k->c.at[HT_COL_EV_RUN_THREAD], *lengths = &k->c.at[HT_COL_EV_RUN_LENGTH];
	size_t done = 0;
	out->run_count = 0;
	while (done < k->count) {
		uint64_t thread = ht_cursor_varint(threads), length = ht_cursor_varint(lengths);
		if (threads->bad || lengths->bad || thread >= k->thread_count || !length || length > k->count - done)
			return ht_fail(d, HT_ERR_DAMAGED, "its thread runs do not hold");
		struct local_thread *t = &k->threads[thread];
		if (out->run_count == out->run_cap)
			ht_grow(&out->runs, &out->run_cap, out->run_count + 1, sizeof(*out->runs));
		out->runs[out->run_count++] = (struct ht_event_run){t->id, (uint32_t)length};
		decode_times(k, t, done, done + length);
		decode_births(k, t, done + length);
		decode_others(k, t, done + length);
		done += length;
	}
	decode_rare(k);
	return 0;
}

/* Stacks whose nodes were lost are no stacks. */
static void forget_lost(const struct ht_trace *t, struct ht_event_arrays *out, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (out->stack[i] && !ht_node_known(t, out->stack[i]))
			out->stack[i] = 0;
}

static int check_rest(const struct decoder *k, const struct ht_block_info *b, struct ht_diag *d)
{
	if (k->bad)
		return ht_fail(d, HT_ERR_DAMAGED, "one of its events refers to something that is not there");
	for (unsigned i = HT_COL_EV_RUN_THREAD; i < HT_COL_EV_COUNT; i++)
		if (i != HT_COL_EV_OP && i != HT_COL_EV_TIME && (k->c.at[i].bad || ht_cursor_left(&k->c.at[i])))
			return wrong_count(i, k->count, d);
	if (k->birth_count != b->births)
		return ht_fail(d, HT_ERR_DAMAGED, "it holds %zu births, not %llu", k->birth_count,
			       (unsigned long long)b->births);
	return 0;
}

static void make_room(struct ht_event_arrays *a, size_t n)
{
	if (a->cap >= n)
		return;
	free(a->op);
	free(a->stack);
	free(a->time);
	free(a->seq);
	free(a->size);
	free(a->address);
	a->op = ht_xmalloc(n);
	a->stack = ht_xrealloc(NULL, n, sizeof(*a->stack));
	a->time = ht_xrealloc(NULL, n, sizeof(*a->time));
	a->seq = ht_xrealloc(NULL, n, sizeof(*a->seq));
	a->size = ht_xrealloc(NULL, n, sizeof(*a->size));
	a->address = ht_xrealloc(NULL, n, sizeof(*a->address));
	a->cap = n;
}

int ht_decode_events(const struct ht_trace *t, size_t i, struct ht_event_arrays *out, struct ht_diag *d)
{
	const struct ht_block_info *b = &t->blocks[i];
	struct decoder k = {.t = t, .out = out, .count = b->events, .clamp = t->dictionary_lost, .defined = t->defined[i]};
	int err = ht_columns_parse(&k.c, out->raw.data, out->raw.len, d);
	if (err)
		return err;
	/* the op column alone says how many events there can be */
	const struct ht_cursor *ops = &k.c.at[HT_COL_EV_OP];
	if (ht_cursor_left(ops) != b->events)
		return ht_fail(d, HT_ERR_DAMAGED, "it holds %zu events, not %llu", ht_cursor_left(ops),
			       (unsigned long long)b->events);
	out->state.len = 0;
	err = read_params(&k, b, d);
	if (!err)
		err = read_threads(&k, d);
	if (err)
		return err;
	make_room(out, k.count);
	if (k.count)
		memcpy(out->op, ops->at, k.count);
	make_lists(&k);
	err = check_columns(&k, d);
	if (!err)
		err = decode_runs(&k, d);
	if (!err && k.clamp)
		forget_lost(t, out, k.count);
	return err ? err : check_rest(&k, b, d);
}
