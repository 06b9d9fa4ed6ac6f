/* trace_encode: see trace_encode.h. */
#include "trace_encode.h"

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

void ht_encoder_init(struct ht_encoder *c, uint32_t time_unit_ns, bool addresses)
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
	start_block(c);
}

void ht_encoder_release(struct ht_encoder *c)
{
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++)
		free(c->base[i]);
	free(c->threads);
	ht_buf_release(&c->locals);
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
static void enter_thread(struct ht_encoder *c, struct ht_encoder_thread *t, uint32_t id,
			 const struct ht_event *e)
{
	t->block = c->block;
	t->local = (uint32_t)(c->locals.len / sizeof(struct local));
	t->freed = c->first_seq;
	if (e->stamped || !t->timed)
		t->last = to_units(c, e->time);
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

static __attribute__((noinline)) bool switch_thread(struct ht_encoder *c, const struct ht_event *e)
{
	uint32_t id = e->thread;
	if (id >= c->thread_count) {
		c->bad_references++;
		return false;
	}
	if (c->run_thread != HT_NO_RUN)
		close_run(c);
	struct ht_encoder_thread *t = &c->threads[id];
	if (t->block != c->block)
		enter_thread(c, t, id, e);
	c->thread = t;
	c->run_thread = id;
	return true;
}

/* A death of a block that was never born here: what can be said without a number. */
static unsigned without_number(struct ht_encoder *c, unsigned op)
{
	c->bad_references++;
	return op == HT_OP_REALLOC_FREE ? HT_OP_REALLOC_FREE_UNKNOWN : HT_OP_FREE_UNKNOWN;
}

static inline uint64_t stack_step(uint32_t stack, uint32_t *prev)
{
	uint64_t step = ht_zigzag((int64_t)stack - (int64_t)*prev);
	*prev = stack;
	return step;
}

uint64_t ht_encoder_put(struct ht_encoder *c, struct ht_event *e)
{
	unsigned op = e->op & HT_OP_MASK;
	if (__builtin_expect(e->thread != c->run_thread, 0) && !switch_thread(c, e))
		return e->seq;
	struct ht_encoder_thread *t = c->thread;
	unsigned has = ht_op_info[op].columns;
	if (__builtin_expect(has & HT_OP_HAS_FREED && e->seq >= c->next_seq, 0)) {
		op = without_number(c, op);
		has = ht_op_info[op].columns;
	}
	c->room--;
	*c->at[HT_COL_EV_OP]++ = (uint8_t)(op | (e->stamped ? HT_OP_STAMPED : 0) |
					   (e->new_machine ? HT_OP_NEW_MACHINE : 0) |
					   (e->unpaired ? HT_OP_UNPAIRED : 0));
	if (e->stamped) {
		uint64_t now = to_units(c, e->time);
		c->at[HT_COL_EV_TIME] =
		    ht_put_varint(c->at[HT_COL_EV_TIME], ht_zigzag((int64_t)(now - c->stamp)));
		c->stamp = t->last = now;
		if (now < c->min)
			c->min = now;
		if (now > c->max)
			c->max = now;
	}
	uint32_t stack = e->stack;
	if (__builtin_expect(stack >= c->node_limit, 0)) {
		c->bad_references += 1;
		stack = 0;
	}
	if (has & HT_OP_HAS_SIZE)
		c->at[HT_COL_EV_SIZE] = ht_put_varint(c->at[HT_COL_EV_SIZE], e->size);
	if (has & HT_OP_HAS_BIRTH) {
		e->seq = c->next_seq++;
		c->requested_bytes += e->size;
		c->at[HT_COL_EV_BIRTH_STACK] =
		    ht_put_varint(c->at[HT_COL_EV_BIRTH_STACK], stack_step(stack, &c->birth_stack));
		if (c->addresses) {
			uint64_t *last = &c->address[ht_address_slot(e->size, t->local)];
			c->at[HT_COL_EV_BIRTH_ADDRESS] = ht_put_address(
			    c->at[HT_COL_EV_BIRTH_ADDRESS], e->address - *last, c->address_shift);
			*last = e->address;
			c->address_bits |= (uint8_t)e->address;
		} else if (e->unpaired) {
			has |= HT_OP_HAS_ADDRESS;
		}
	} else {
		c->at[HT_COL_EV_OTHER_STACK] =
		    ht_put_varint(c->at[HT_COL_EV_OTHER_STACK], stack_step(stack, &c->other_stack));
		if (has & HT_OP_HAS_FREED) {
			c->at[HT_COL_EV_FREED] = ht_put_varint(
			    c->at[HT_COL_EV_FREED], ht_zigzag((int64_t)(e->seq - t->freed - 1)));
			t->freed = e->seq;
		}
	}
	if (__builtin_expect(has & (HT_OP_HAS_ADDRESS | HT_OP_HAS_EXTRA | HT_OP_HAS_EXTRA2), 0)) {
		if (has & HT_OP_HAS_ADDRESS)
			c->at[HT_COL_EV_OTHER_ADDRESS] =
			    ht_put_varint(c->at[HT_COL_EV_OTHER_ADDRESS], e->address);
		if (has & HT_OP_HAS_EXTRA)
			c->at[HT_COL_EV_EXTRA] = ht_put_varint(c->at[HT_COL_EV_EXTRA], e->extra);
		if (has & HT_OP_HAS_EXTRA2)
			c->at[HT_COL_EV_EXTRA2] = ht_put_varint(c->at[HT_COL_EV_EXTRA2], e->extra2);
	}
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

static void count_ops(struct ht_encoder *c)
{
	for (const uint8_t *p = c->base[HT_COL_EV_OP]; p < c->at[HT_COL_EV_OP]; p++)
		c->ops[*p & HT_OP_MASK]++;
}

void ht_encoder_finish_block(struct ht_encoder *c, struct ht_block_head *h, struct ht_buf *raw)
{
	static const uint8_t encodings[HT_COL_EV_COUNT] = {
	    [HT_COL_EV_PARAMS] = HT_ENC_VARINT,	       [HT_COL_EV_THREAD_ID] = HT_ENC_DELTA,
	    [HT_COL_EV_THREAD_START] = HT_ENC_VARINT,  [HT_COL_EV_RUN_THREAD] = HT_ENC_VARINT,
	    [HT_COL_EV_RUN_LENGTH] = HT_ENC_VARINT,    [HT_COL_EV_OP] = HT_ENC_BYTES,
	    [HT_COL_EV_TIME] = HT_ENC_ZIGZAG,	       [HT_COL_EV_BIRTH_STACK] = HT_ENC_DELTA,
	    [HT_COL_EV_OTHER_STACK] = HT_ENC_DELTA,    [HT_COL_EV_SIZE] = HT_ENC_VARINT,
	    [HT_COL_EV_FREED] = HT_ENC_ZIGZAG,	       [HT_COL_EV_BIRTH_ADDRESS] = HT_ENC_ADDRESS8,
	    [HT_COL_EV_OTHER_ADDRESS] = HT_ENC_VARINT, [HT_COL_EV_EXTRA] = HT_ENC_VARINT,
	    [HT_COL_EV_EXTRA2] = HT_ENC_VARINT,
	};
	close_run(c);
	finish_threads(c);
	c->at[HT_COL_EV_PARAMS] = ht_put_varint(c->at[HT_COL_EV_PARAMS], c->unit);
	c->at[HT_COL_EV_PARAMS] = ht_put_varint(c->at[HT_COL_EV_PARAMS], c->addresses);
	struct ht_column_out columns[HT_COL_EV_COUNT];
	for (unsigned i = 0; i < HT_COL_EV_COUNT; i++)
		columns[i] = (struct ht_column_out){(uint8_t)i, encodings[i], c->base[i],
						    (size_t)(c->at[i] - c->base[i])};
	if (c->address_shift == 4)
		columns[HT_COL_EV_BIRTH_ADDRESS].encoding = HT_ENC_ADDRESS16;
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
