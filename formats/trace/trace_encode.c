/* trace_encode: see trace_encode.h. */
#include "trace_encode_parts.h"

#include <stdlib.h>
#include <string.h>

struct local {
	uint64_t start;
	uint32_t id;
};

static void start_block(struct ht_encoder *c)
{
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++)
		c->at[i] = c->base[i];
	c->block++;
	c->run_thread = HT_NO_RUN;
	c->run_start = c->base[HT_COL_EV_OP];
	c->locals.len = 0;
	c->min = UINT64_MAX;
	c->max = 0;
	c->first_seq = c->next_seq;
	c->birth_stack = c->other_stack = 0;
	memset(c->address, 0, sizeof(c->address));
	/* glibc aligns to 16; an allocator that does not is seen in the block before. */
	c->address_shift = c->address_bits & 8 ? 3 : 4;
	c->address_bits = 0;
	c->room = 0;
}

void ht_encoder_init(struct ht_encoder *c, uint32_t time_unit_ns, bool addresses, uint64_t checkpoint_bytes, bool sized_ends)
{
	memset(c, 0, sizeof(*c));
	c->unit = time_unit_ns;
	c->unit_reciprocal =
	    c->unit == 1 ? UINT64_MAX : (uint64_t)(((unsigned __int128)1 << 64) / c->unit);
	c->addresses = addresses;
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++)
		c->base[i] = ht_xmalloc(HT_EVENT_COLUMN_BYTES);
	c->node_limit = 1;
	c->limit = HT_BLOCK_EVENTS;
	c->level.known = sized_ends;
	ht_survivors_init(&c->survivors, checkpoint_bytes);
	start_block(c);
}

void ht_encoder_release(struct ht_encoder *c)
{
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++)
		free(c->base[i]);
	free(c->threads);
	ht_buf_release(&c->locals);
	ht_buf_release(&c->ended);
	ht_buf_release(&c->image_ended);
	ht_survivors_release(&c->survivors);
}

void ht_encoder_threads(struct ht_encoder *c, uint32_t count)
{
	if (count > c->threads_cap) {
		size_t cap = c->threads_cap ? c->threads_cap * 2 : 64;
		while (cap < count)
			cap *= 2;
		c->threads = ht_xrealloc(c->threads, cap, sizeof(*c->threads));
		memset(c->threads + c->threads_cap, 0,
		       (cap - c->threads_cap) * sizeof(*c->threads));
		c->threads_cap = cap;
		if (c->run_thread != HT_NO_RUN)
			c->thread = &c->threads[c->run_thread]; /* it moved */
	}
	c->thread_count = count;
}

bool ht_encoder_make_room(struct ht_encoder *c)
{
	size_t room = c->limit - ht_encoder_events(c);
	size_t threads = c->locals.len / sizeof(struct local),
	       most = HT_EVENT_COLUMN_BYTES / HT_EVENT_WORST;
	if (most - threads < room)
		room = most - threads; /* each event might be a new thread's */
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++) {
		size_t used = (size_t)(c->at[i] - c->base[i]);
		/* a column's spare bytes: params and the last run are added at the end */
		size_t fits = used + 64 > HT_EVENT_COLUMN_BYTES
				  ? 0
				  : (HT_EVENT_COLUMN_BYTES - 64 - used) / HT_EVENT_WORST;
		if (fits < room)
			room = fits;
	}
	c->room = (uint32_t)room;
	return room != 0;
}

/* floor(t / unit) without a division: the product is at most one too small. */
static inline uint64_t to_units(const struct ht_encoder *c, uint64_t t)
{
	uint64_t q = (uint64_t)(((unsigned __int128)t * c->unit_reciprocal) >> 64);
	return t - q * c->unit >= c->unit ? q + 1 : q;
}

static void close_run(struct ht_encoder *c)
{
	uint64_t length = (uint64_t)(c->at[HT_COL_EV_OP] - c->run_start);
	if (!length)
		return;
	c->at[HT_COL_EV_RUN_THREAD] = ht_put_varint(c->at[HT_COL_EV_RUN_THREAD], c->thread->local);
	c->at[HT_COL_EV_RUN_LENGTH] = ht_put_varint(c->at[HT_COL_EV_RUN_LENGTH], length);
	c->run_start = c->at[HT_COL_EV_OP];
}

/* A thread's first event in this block: its place in the block's table, and its starting time. */
static void enter_thread(struct ht_encoder *c, struct ht_encoder_thread *t, uint32_t id, bool stamped, uint64_t time)
{
	t->block = c->block;
	t->local = (uint32_t)(c->locals.len / sizeof(struct local));
	t->freed[0] = t->freed[1] = c->first_seq;
	if (stamped || !t->timed)
		t->last = to_units(c, time);
	t->timed = true;
	struct local entry = {t->last, id};
	ht_buf_append(&c->locals, &entry, sizeof(entry));
	if (!t->local)
		c->stamp = t->last;
	if (t->last < c->min)
		c->min = t->last;
	if (t->last > c->max)
		c->max = t->last;
}

bool ht_encoder_switch_thread(struct ht_encoder *c, uint32_t id, bool stamped, uint64_t time)
{
	if (id >= c->thread_count) {
		c->bad_references++;
		return false;
	}
	if (c->run_thread != HT_NO_RUN)
		close_run(c);
	struct ht_encoder_thread *t = &c->threads[id];
	if (t->block != c->block)
		enter_thread(c, t, id, stamped, time);
	c->thread = t;
	c->run_thread = id;
	return true;
}

/* A death of a block that was never born here: what can be said without a number. */
static unsigned without_number(struct ht_encoder *c, unsigned op)
{
	c->bad_references++;
	c->level.known = false;
	return op == HT_OP_REALLOC_FREE ? HT_OP_REALLOC_FREE_UNKNOWN : HT_OP_FREE_UNKNOWN;
}

/* A step of 0, 1 or 2 is itself, what else there is stands in a column of its own; packed when the block ends. */
static inline void put_time(struct ht_encoder *c, struct ht_encoder_thread *t, uint64_t ns)
{
	uint64_t now = to_units(c, ns), step = now - c->stamp;
	*c->at[HT_COL_EV_TIME]++ = step < 3 ? (uint8_t)step : 3;
	if (__builtin_expect(step >= 3, 0))
		ht_encoder_put_value(c, HT_COL_EV_FAR_TIME, ht_zigzag((int64_t)step));
	c->stamp = t->last = now;
	if (now < c->min)
		c->min = now;
	if (now > c->max)
		c->max = now;
}

static inline void put_address(struct ht_encoder *c, uint64_t *slot, uint64_t address)
{
	uint64_t step = address - *slot;
	*slot = address;
	c->address_bits |= (uint8_t)address;
	if (__builtin_expect(!(step & ((1u << c->address_shift) - 1)), 1)) {
		ht_encoder_put_value(c, HT_COL_EV_BIRTH_ADDRESS, ht_zigzag((int64_t)step >> c->address_shift) + 1);
	} else {
		ht_encoder_put_value(c, HT_COL_EV_BIRTH_ADDRESS, 0);
		ht_encoder_put_value(c, HT_COL_EV_FAR_ADDRESS, ht_zigzag((int64_t)step));
	}
}

/*
 * Programs free in the order of birth or against it, and often go through two things in turn: a list that
 * is taken down, and what each step of that makes and drops again. So a death stands against the nearer of the
 * thread's last two, which then change places. (Against the last alone, sqlite took 0.32 bytes an event, now 0.06.)
 */
static inline void put_freed(struct ht_encoder *c, struct ht_encoder_thread *t, uint64_t seq)
{
	uint64_t last = ht_zigzag((int64_t)(seq - t->freed[0] - 1)), before = ht_zigzag((int64_t)(seq - t->freed[1] - 1));
	uint64_t turn = before < last;
	if (__builtin_expect(last > HT_FREED_FAR && before > HT_FREED_FAR, 0))
		turn = 1; /* a third thing: keep the one that is in use */
	ht_encoder_put_value(c, HT_COL_EV_FREED, (turn ? before : last) << 1 | turn);
	t->freed[1] = t->freed[!turn];
	t->freed[0] = seq;
}

/* --- how much is live ------------------------------------------------------------------------ */

static inline void level_up(struct ht_encoder *c, const struct ht_encoder_thread *t, uint64_t size)
{
	struct ht_encoder_level *l = &c->level;
	l->now += size;
	bool most = l->now > l->peak;
	l->peak = most ? l->now : l->peak;
	l->peak_time = most ? t->last : l->peak_time;
}

static void level_leave(struct ht_encoder *c, uint64_t size)
{
	c->level.now -= size;
	c->level.left += size;
}

/* --- what is live, for checkpoints ---------------------------------------------------------- */

static inline void note_birth(struct ht_encoder *c, struct ht_encoder_thread *t, const struct ht_event *e, uint32_t stack)
{
	uint32_t order = (uint32_t)t->births++;
	level_up(c, t, e->size);
	if (__builtin_expect(e->unpaired, 0))
		c->level.known = false; /* its end has no size */
	if (__builtin_expect(c->survivors.off, 0))
		return;
	struct ht_survivor *s = ht_survivors_birth(&c->survivors, e->seq);
	if (__builtin_expect(!s || e->unpaired, 0)) {
		ht_survivors_stop(&c->survivors);
		return;
	}
	s->address = e->address;
	s->size = e->size;
	s->time = t->last;
	s->stack = stack;
	s->thread = e->thread;
	s->order = order;
	s->op = e->op & HT_EVENT_OP;
}

void ht_encoder_open_realloc(struct ht_encoder *c, struct ht_encoder_thread *t, bool known, uint64_t value, uint64_t size)
{
	if (t->realloc_open && t->realloc_known && !c->survivors.off)
		ht_survivors_death(&c->survivors, t->realloc_value);
	t->realloc_open = true;
	t->realloc_known = known;
	t->realloc_value = value;
	t->realloc_size = size;
}

static void undo_realloc(struct ht_encoder *c, struct ht_encoder_thread *t)
{
	if (t->realloc_open && t->realloc_known) {
		level_up(c, t, t->realloc_size);
		c->level.revived++;
	}
	t->realloc_open = false;
}

static inline void note_death(struct ht_encoder *c, struct ht_encoder_thread *t, unsigned op, const struct ht_event *e)
{
	c->level.now -= e->size;
	if (__builtin_expect(op == HT_OP_REALLOC_FREE, 0))
		ht_encoder_open_realloc(c, t, true, e->seq, e->size);
	else if (__builtin_expect(!c->survivors.off, 1))
		ht_survivors_death(&c->survivors, e->seq);
}

static void end_image(struct ht_encoder *c, uint32_t image, uint64_t size)
{
	if (ht_encoder_image_ended(c, image))
		return;
	level_leave(c, size);
	while (c->image_ended.len <= image)
		ht_buf_byte(&c->image_ended, 0);
	c->image_ended.data[image] = 1;
	if (!c->survivors.off)
		ht_buf_append(&c->ended, &image, sizeof(image));
}

static __attribute__((noinline)) void note_other(struct ht_encoder *c, struct ht_encoder_thread *t, unsigned op,
						 const struct ht_event *e)
{
	if (op == HT_OP_REALLOC_FREE_UNKNOWN)
		ht_encoder_open_realloc(c, t, false, e->address, 0);
	else if (op == HT_OP_REALLOC_UNDO)
		undo_realloc(c, t);
	else if (op == HT_OP_IMAGE_END)
		end_image(c, t->image, e->size);
}

/* --- the columns that few events have ---------------------------------------------------------- */

static __attribute__((noinline)) void put_rare(struct ht_encoder *c, const struct ht_event *e, unsigned has)
{
	if (has & HT_OP_HAS_SIZE && !(has & HT_OP_HAS_BIRTH))
		ht_encoder_put_value(c, HT_COL_EV_OTHER_SIZE, e->size);
	if (has & HT_OP_HAS_ADDRESS)
		ht_encoder_put_value(c, HT_COL_EV_OTHER_ADDRESS, e->address);
	if (has & HT_OP_HAS_EXTRA)
		ht_encoder_put_value(c, HT_COL_EV_EXTRA, e->extra);
	if (has & HT_OP_HAS_EXTRA2)
		ht_encoder_put_value(c, HT_COL_EV_EXTRA2, e->extra2);
}

uint64_t ht_encoder_put(struct ht_encoder *c, struct ht_event *e)
{
	unsigned op = e->op & HT_EVENT_OP;
	if (__builtin_expect(e->thread != c->run_thread, 0) && !ht_encoder_switch_thread(c, e->thread, e->stamped, e->time))
		return e->seq;
	struct ht_encoder_thread *t = c->thread;
	unsigned has = ht_op_info[op].columns;
	if (__builtin_expect(has & HT_OP_HAS_FREED && e->seq >= c->next_seq, 0)) {
		op = without_number(c, op);
		has = ht_op_info[op].columns;
	}
	c->room--;
	*c->at[HT_COL_EV_OP]++ = (uint8_t)(op | (e->stamped ? HT_EVENT_STAMPED : 0) |
					   (e->new_machine ? HT_EVENT_NEW_MACHINE : 0) |
					   (e->unpaired ? HT_EVENT_UNPAIRED : 0));
	if (e->stamped)
		put_time(c, t, e->time);
	uint32_t stack = e->stack;
	if (__builtin_expect(stack >= c->node_limit, 0)) {
		c->bad_references += 1;
		stack = 0;
	}
	if (has & HT_OP_HAS_BIRTH) {
		e->seq = c->next_seq++;
		c->requested_bytes += e->size;
		ht_encoder_put_value(c, HT_COL_EV_SIZE, e->size);
		ht_encoder_put_value(c, HT_COL_EV_BIRTH_STACK, ht_stack_step(stack, &c->birth_stack));
		note_birth(c, t, e, stack);
		if (c->addresses)
			put_address(c, &c->address[ht_address_slot(e->size, t->local)], e->address);
		else if (e->unpaired)
			has |= HT_OP_HAS_ADDRESS;
	} else {
		ht_encoder_put_value(c, HT_COL_EV_OTHER_STACK, ht_stack_step(stack, &c->other_stack));
		if (__builtin_expect(has & HT_OP_HAS_FREED, 1)) {
			put_freed(c, t, e->seq);
			note_death(c, t, op, e);
		} else {
			note_other(c, t, op, e);
		}
	}
	if (__builtin_expect(has & (HT_OP_HAS_ADDRESS | HT_OP_HAS_EXTRA | HT_OP_HAS_EXTRA2) ||
				 (has & (HT_OP_HAS_SIZE | HT_OP_HAS_BIRTH)) == HT_OP_HAS_SIZE,
			     0))
		put_rare(c, e, has);
	return e->seq;
}

static void finish_threads(struct ht_encoder *c)
{
	const struct local *l = (const struct local *)c->locals.data;
	size_t n = c->locals.len / sizeof(*l);
	uint32_t prev = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t step = (int64_t)l[i].id - (int64_t)prev;
		c->at[HT_COL_EV_THREAD_ID] =
		    ht_put_varint(c->at[HT_COL_EV_THREAD_ID], ht_zigzag(step));
		c->at[HT_COL_EV_THREAD_START] =
		    ht_put_varint(c->at[HT_COL_EV_THREAD_START], l[i].start - c->min);
		prev = l[i].id;
	}
}

/* Four steps a byte, in place. */
static void pack_steps(struct ht_encoder *c)
{
	uint8_t *to = c->base[HT_COL_EV_TIME], *end = c->at[HT_COL_EV_TIME];
	memset(end, 0, 3);
	for (const uint8_t *p = to; p < end; p += 4)
		*to++ = (uint8_t)(p[0] | p[1] << 2 | p[2] << 4 | p[3] << 6);
	c->at[HT_COL_EV_TIME] = to;
}

static void count_ops(struct ht_encoder *c)
{
	for (const uint8_t *p = c->base[HT_COL_EV_OP]; p < c->at[HT_COL_EV_OP]; p++)
		c->ops[*p & HT_EVENT_OP]++;
}

void ht_encoder_finish_block(struct ht_encoder *c, struct ht_block_head *h, struct ht_buf *raw)
{
	close_run(c);
	finish_threads(c);
	pack_steps(c);
	c->at[HT_COL_EV_PARAMS] = ht_put_varint(c->at[HT_COL_EV_PARAMS], c->unit);
	c->at[HT_COL_EV_PARAMS] = ht_put_varint(c->at[HT_COL_EV_PARAMS], c->addresses);
	struct ht_column_out columns[HT_COL_EV_COUNT];
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++)
		columns[i] = (struct ht_column_out){(uint8_t)i, ht_event_encoding[i], c->base[i],
						    (size_t)(c->at[i] - c->base[i])};
	if (c->address_shift == 3)
		columns[HT_COL_EV_BIRTH_ADDRESS].encoding = HT_ENC_ADDRESS8;
	ht_columns_build(raw, columns, HT_COL_EV_COUNT);
	*h = (struct ht_block_head){
	    .kind = HT_KIND_EVENTS,
	    .first_seq = c->first_seq,
	    .first_ns = c->min * c->unit,
	    .last_ns = c->max * c->unit,
	    .count = (uint32_t)ht_encoder_events(c),
	    .births = (uint32_t)(c->next_seq - c->first_seq),
	};
	count_ops(c);
	start_block(c);
}
