/*
 * trace_decode: the events of one block. Thread-safe on one trace: all scratch is the caller's.
 * What comes out is checked: every id exists, every time lies in the block's range, every death
 * names a birth before it.
 */
#include "trace_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct local_thread {
	uint64_t time; /* units since the block's first */
	uint64_t freed;
	uint32_t id, local;
};

struct decoder {
	struct ht_columns c;
	struct local_thread *threads;
	size_t thread_count;
	uint64_t unit, first_unit, span; /* times are first_unit + 0 .. span */
	uint64_t stamp;			 /* of the previous stamped event, since first_unit */
	uint64_t seq;
	bool addresses;
	unsigned address_shift;
	bool clamp; /* dictionaries were lost: ids without an entry become 0 */
	struct ht_defined defined;
	uint64_t birth_stack, other_stack; /* previous in their columns */
	uint64_t address[HT_ADDRESS_SLOTS];
};

static bool all_encodings_known(const struct ht_columns *c)
{
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++) {
		unsigned e = c->encoding[i];
		if (!(c->present & 1u << i))
			continue;
		bool known = e == HT_ENC_VARINT;
		if (i == HT_COL_EV_OP)
			known = e == HT_ENC_BYTES;
		if (i == HT_COL_EV_TIME || i == HT_COL_EV_FREED)
			known = e == HT_ENC_ZIGZAG;
		if (i == HT_COL_EV_THREAD_ID || i == HT_COL_EV_BIRTH_STACK ||
		    i == HT_COL_EV_OTHER_STACK)
			known = e == HT_ENC_DELTA;
		if (i == HT_COL_EV_BIRTH_ADDRESS)
			known = e == HT_ENC_ADDRESS8 || e == HT_ENC_ADDRESS16;
		if (!known)
			return false;
	}
	return true;
}

static int start(struct decoder *k, const struct ht_block_info *b, struct ht_buf *state,
		 struct ht_diag *d)
{
	struct ht_cursor *params = &k->c.at[HT_COL_EV_PARAMS];
	struct ht_cursor *ids = &k->c.at[HT_COL_EV_THREAD_ID],
			 *starts = &k->c.at[HT_COL_EV_THREAD_START];
	if (!all_encodings_known(&k->c))
		return ht_fail(d, HT_ERR_VERSION,
			       "a column has an encoding that this version does not know");
	k->unit = ht_cursor_varint(params);
	k->addresses = ht_cursor_varint(params) & 1;
	k->address_shift = k->c.encoding[HT_COL_EV_BIRTH_ADDRESS] == HT_ENC_ADDRESS16 ? 4 : 3;
	if (!k->unit)
		return ht_fail(d, HT_ERR_DAMAGED, "its time unit is 0");
	k->first_unit = b->first_ns / k->unit;
	k->span = b->last_ns / k->unit - k->first_unit;
	k->seq = b->first_seq;
	k->stamp = 0;
	k->thread_count = 0;
	state->len = 0;
	uint64_t id = 0;
	while (ht_cursor_left(ids)) {
		id += (uint64_t)ht_unzigzag(ht_cursor_varint(ids));
		struct local_thread t = {ht_cursor_varint(starts), b->first_seq, (uint32_t)id,
					 (uint32_t)k->thread_count};
		if (ids->bad || starts->bad || t.time > k->span)
			return ht_fail(d, HT_ERR_DAMAGED, "its thread table does not hold");
		if (id >= (k->clamp ? UINT32_MAX : k->defined.threads))
			return ht_fail(d, HT_ERR_DAMAGED, "it names a thread that does not exist");
		if (id >= k->defined.threads)
			t.id = 0;
		ht_buf_append(state, &t, sizeof(t));
		k->thread_count++;
	}
	if (ht_cursor_left(starts) || params->bad)
		return ht_fail(d, HT_ERR_DAMAGED, "its thread table does not hold");
	k->threads = (struct local_thread *)state->data;
	k->stamp = k->thread_count ? k->threads[0].time : 0;
	return 0;
}

/* The rarer columns, and what they refer to. */
static __attribute__((noinline)) bool rare_columns(struct decoder *k, struct ht_event *e,
						   unsigned has)
{
	if (has & HT_OP_HAS_ADDRESS)
		e->address = ht_cursor_varint(&k->c.at[HT_COL_EV_OTHER_ADDRESS]);
	if (has & HT_OP_HAS_EXTRA)
		e->extra = ht_cursor_varint(&k->c.at[HT_COL_EV_EXTRA]);
	if (has & HT_OP_HAS_EXTRA2)
		e->extra2 = ht_cursor_varint(&k->c.at[HT_COL_EV_EXTRA2]);
	uint64_t limit = UINT64_MAX;
	if (e->op == HT_OP_MARK)
		limit = k->defined.strings;
	if (e->op == HT_OP_THREAD_START)
		limit = (uint64_t)k->defined.threads + 1;
	if (e->extra < limit || limit == UINT64_MAX)
		return true;
	e->extra = 0;
	return k->clamp;
}

/* One run: events of one thread. What is read past a column's end is 0 and marks its cursor. */
static bool decode_run(struct decoder *k, struct local_thread *t, struct ht_event *e, size_t n)
{
	struct ht_cursor op_at = k->c.at[HT_COL_EV_OP], time_at = k->c.at[HT_COL_EV_TIME];
	struct ht_cursor size_at = k->c.at[HT_COL_EV_SIZE], freed_at = k->c.at[HT_COL_EV_FREED];
	struct ht_cursor birth_stack_at = k->c.at[HT_COL_EV_BIRTH_STACK];
	struct ht_cursor other_stack_at = k->c.at[HT_COL_EV_OTHER_STACK];
	struct ht_cursor address_at = k->c.at[HT_COL_EV_BIRTH_ADDRESS];
	uint64_t now = (k->first_unit + t->time) * k->unit;
	bool good = true;
	for (struct ht_event *end = e + n; e < end; e++) {
		unsigned byte = ht_cursor_u8(&op_at), op = byte & HT_OP_MASK,
			 has = ht_op_info[op].columns;
		uint64_t stack;
		*e = (struct ht_event){.op = (uint8_t)op,
				       .stamped = byte & HT_OP_STAMPED,
				       .new_machine = byte & HT_OP_NEW_MACHINE,
				       .unpaired = byte & HT_OP_UNPAIRED,
				       .thread = t->id};
		if (byte & HT_OP_STAMPED) {
			k->stamp += (uint64_t)ht_unzigzag(ht_cursor_varint(&time_at));
			good &= k->stamp <= k->span;
			t->time = k->stamp;
			now = (k->first_unit + k->stamp) * k->unit;
		}
		e->time = now;
		if (has & HT_OP_HAS_SIZE)
			e->size = ht_cursor_varint(&size_at);
		if (has & HT_OP_HAS_BIRTH) {
			e->seq = k->seq++;
			stack = k->birth_stack +=
			    (uint64_t)ht_unzigzag(ht_cursor_varint(&birth_stack_at));
			if (k->addresses)
				e->address = k->address[ht_address_slot(e->size, t->local)] +=
				    ht_get_address(&address_at, k->address_shift);
			else if (e->unpaired)
				has |= HT_OP_HAS_ADDRESS;
		} else {
			stack = k->other_stack +=
			    (uint64_t)ht_unzigzag(ht_cursor_varint(&other_stack_at));
			if (has & HT_OP_HAS_FREED) {
				e->seq = t->freed + 1 +
					 (uint64_t)ht_unzigzag(ht_cursor_varint(&freed_at));
				t->freed = e->seq;
				good &= e->seq < k->seq;
			}
		}
		if (__builtin_expect(stack >= k->defined.nodes, 0)) {
			stack = 0;
			good &= k->clamp;
		}
		e->stack = (uint32_t)stack;
		if (__builtin_expect(has & (HT_OP_HAS_ADDRESS | HT_OP_HAS_EXTRA | HT_OP_HAS_EXTRA2),
				     0))
			good &= rare_columns(k, e, has);
	}
	k->c.at[HT_COL_EV_OP] = op_at;
	k->c.at[HT_COL_EV_TIME] = time_at;
	k->c.at[HT_COL_EV_SIZE] = size_at;
	k->c.at[HT_COL_EV_FREED] = freed_at;
	k->c.at[HT_COL_EV_BIRTH_STACK] = birth_stack_at;
	k->c.at[HT_COL_EV_OTHER_STACK] = other_stack_at;
	k->c.at[HT_COL_EV_BIRTH_ADDRESS] = address_at;
	return good;
}

static int decode_events(struct decoder *k, const struct ht_block_info *b, struct ht_event *items,
			 struct ht_diag *d)
{
	struct ht_cursor *threads = &k->c.at[HT_COL_EV_RUN_THREAD],
			 *lengths = &k->c.at[HT_COL_EV_RUN_LENGTH];
	size_t done = 0;
	bool good = true;
	while (done < b->events && good) {
		uint64_t thread = ht_cursor_varint(threads), length = ht_cursor_varint(lengths);
		if (threads->bad || lengths->bad || thread >= k->thread_count || !length ||
		    length > b->events - done)
			return ht_fail(d, HT_ERR_DAMAGED, "its thread runs do not hold");
		good = decode_run(k, &k->threads[thread], items + done, length);
		done += length;
	}
	if (!good)
		return ht_fail(d, HT_ERR_DAMAGED,
			       "an event before number %zu refers to something that is not there",
			       done);
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++)
		if (i != HT_COL_EV_PARAMS && (k->c.at[i].bad || ht_cursor_left(&k->c.at[i])))
			return ht_fail(d, HT_ERR_DAMAGED,
				       "column %u does not hold the values of %llu events", i,
				       (unsigned long long)b->events);
	if (k->seq - b->first_seq != b->births)
		return ht_fail(d, HT_ERR_DAMAGED, "it holds %llu births, not %llu",
			       (unsigned long long)(k->seq - b->first_seq),
			       (unsigned long long)b->births);
	return 0;
}

/* The head as it stands in the file must be the one that was announced. */
static int read_events(const struct ht_trace *t, const struct ht_block_info *b,
		       struct ht_events *out, struct ht_diag *d)
{
	uint8_t bytes[HT_BLOCK_HEAD];
	struct ht_found f = {.offset = b->offset};
	const struct ht_block_head *h = &f.head;
	if (ht_pread_all(t->fd, bytes, HT_BLOCK_HEAD, b->offset) != HT_BLOCK_HEAD ||
	    !ht_block_head_get(&f.head, bytes))
		return ht_fail(d, HT_ERR_DAMAGED, "its head does not hold");
	if (h->kind != HT_KIND_EVENTS || h->sequence != b->sequence || h->count != b->events ||
	    h->births != b->births || h->first_seq != b->first_seq || h->first_ns != b->first_ns ||
	    h->last_ns != b->last_ns)
		return ht_fail(d, HT_ERR_DAMAGED, "the footer's index tells something else of it");
	if (h->count > h->raw_len)
		return ht_fail(d, HT_ERR_LIMIT, "it has fewer bytes than events");
	return ht_trace_read_block(t, &f, &out->zstd, &out->packed, &out->raw, d);
}

/* Damage met while decoding, possibly by several threads: the first one words it. */
static void late_damage(const struct ht_trace *t, const struct ht_block_info *b, const char *why)
{
	struct ht_trace *shared = (struct ht_trace *)t;
	if (__atomic_exchange_n(&shared->late_claim, 1, __ATOMIC_RELAXED))
		return;
	snprintf(shared->late_text, sizeof(shared->late_text),
		 "%s: damaged at byte %llu (block %u): %s", t->path, (unsigned long long)b->offset,
		 b->sequence, why);
	/* pairs with the acquire in ht_trace_verdict and ht_trace_verdict_text */
	__atomic_store_n(&shared->late, 1, __ATOMIC_RELEASE);
}

int ht_trace_block_decode(const struct ht_trace *t, size_t i, struct ht_events *out,
			  struct ht_diag *d)
{
	struct ht_diag own;
	out->count = 0;
	if (!d)
		d = &own;
	if (i >= t->block_count)
		return ht_fail(d, HT_ERR_USAGE, "%s: there is no block %zu of events", t->path, i);
	const struct ht_block_info *b = &t->blocks[i];
	struct decoder k = {.clamp = t->dictionary_lost, .defined = t->defined[i]};
	int err = read_events(t, b, out, d);
	if (!err)
		err = ht_columns_parse(&k.c, out->raw.data, out->raw.len, d);
	/* the op column alone says how many events there can be */
	if (!err && ht_cursor_left(&k.c.at[HT_COL_EV_OP]) != b->events)
		err = ht_fail(d, HT_ERR_DAMAGED, "it holds %zu events, not %llu",
			      ht_cursor_left(&k.c.at[HT_COL_EV_OP]), (unsigned long long)b->events);
	if (!err)
		err = start(&k, b, &out->state, d);
	if (!err) {
		if (out->cap < b->events) {
			free(out->items);
			out->items = ht_xrealloc(NULL, b->events, sizeof(*out->items));
			out->cap = b->events;
		}
		err = decode_events(&k, b, out->items, d);
	}
	if (!err) {
		out->count = b->events;
		return 0;
	}
	char why[sizeof(d->text)];
	memcpy(why, d->text, sizeof(why));
	late_damage(t, b, why);
	return ht_fail(d, err == HT_ERR_TRUNCATED ? HT_ERR_DAMAGED : err,
		       "%s: damaged at byte %llu (block %u): %.300s", t->path,
		       (unsigned long long)b->offset, b->sequence, why);
}

void ht_events_release(struct ht_events *e)
{
	free(e->items);
	ht_buf_release(&e->raw);
	ht_buf_release(&e->packed);
	ht_buf_release(&e->state);
	ht_block_unpack_release(e->zstd);
	*e = (struct ht_events){0};
}
