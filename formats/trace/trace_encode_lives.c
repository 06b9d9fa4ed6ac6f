/*
 * trace_encode_lives: plain births and deaths into columns, many at a time. They make the same bytes as ht_encoder_put.
 *
 * The whole state is in locals: what is stored into columns, being bytes, might alias anything else, and every field would be
 * loaded again after each byte. So an event takes 75 instructions, against 170 there.
 */
#include "trace_encode_parts.h"

/* What of a thread changes with its events. */
struct turn {
	struct ht_encoder_thread *thread;
	uint64_t last, freed0, freed1, order;
	uint32_t local;
};

static inline struct turn begin_turn(struct ht_encoder_thread *t)
{
	return (struct turn){t, t->last, t->freed[0], t->freed[1], t->births, t->local};
}

static inline void end_turn(const struct turn *t)
{
	t->thread->last = t->last;
	t->thread->freed[0] = t->freed0;
	t->thread->freed[1] = t->freed1;
	t->thread->births = t->order;
}

void ht_encoder_put_lives(struct ht_encoder *c, const struct ht_birth_death *e, size_t n)
{
	if (!n || (e->thread != c->run_thread && !ht_encoder_switch_thread(c, e->thread, e->bits & HT_EVENT_STAMPED, e->time)))
		return;
	struct turn t = begin_turn(c->thread);
	struct ht_encoder_level level = c->level;
	uint8_t *op = c->at[HT_COL_EV_OP], *steps = c->at[HT_COL_EV_TIME], *sizes = c->at[HT_COL_EV_SIZE],
		*births = c->at[HT_COL_EV_BIRTH_STACK], *deaths = c->at[HT_COL_EV_OTHER_STACK], *freed = c->at[HT_COL_EV_FREED],
		*addresses = c->at[HT_COL_EV_BIRTH_ADDRESS];
	const uint64_t unit = c->unit, reciprocal = c->unit_reciprocal, aligned = (1u << c->address_shift) - 1;
	const uint32_t node_limit = c->node_limit;
	const bool keep_address = c->addresses;
	const unsigned shift = c->address_shift;
	uint64_t stamp = c->stamp, min = c->min, max = c->max, seq = c->next_seq, requested = c->requested_bytes;
	uint32_t birth_stack = c->birth_stack, other_stack = c->other_stack, thread = e->thread;
	uint8_t address_bits = c->address_bits;
	for (const struct ht_birth_death *end = e + n; e < end; e++) {
		unsigned bits = e->bits;
		uint32_t stack = e->stack;
		if (e->thread != thread) {
			end_turn(&t);
			c->at[HT_COL_EV_OP] = op;
			c->stamp = stamp;
			c->min = min;
			c->max = max;
			thread = e->thread;
			if (!ht_encoder_switch_thread(c, thread, bits & HT_EVENT_STAMPED, e->time)) {
				c->bad_references += (uint64_t)(end - e) - 1;
				break;
			}
			stamp = c->stamp;
			min = c->min;
			max = c->max;
			t = begin_turn(c->thread);
		}
		*op++ = (uint8_t)bits;
		if (__builtin_expect(stack >= node_limit, 0)) {
			c->bad_references++;
			stack = 0;
		}
		if (bits & HT_EVENT_STAMPED) {
			uint64_t now = (uint64_t)(((unsigned __int128)e->time * reciprocal) >> 64);
			now += e->time - now * unit >= unit;
			uint64_t step = now - stamp;
			*steps++ = step < 3 ? (uint8_t)step : 3;
			if (__builtin_expect(step >= 3, 0))
				ht_encoder_put_value(c, HT_COL_EV_FAR_TIME, ht_zigzag((int64_t)step));
			stamp = t.last = now;
			min = now < min ? now : min;
			max = now > max ? now : max;
		}
		if (ht_op_is_birth(bits & HT_EVENT_OP)) {
			uint64_t size = e->size;
			requested += size;
			sizes = ht_put_varint(sizes, size);
			if (__builtin_expect((bits & HT_EVENT_OP) == HT_OP_NEW, 0))
				ht_encoder_put_value(c, HT_COL_EV_EXTRA, 0); /* no alignment */
			births = ht_put_varint(births, ht_stack_step(stack, &birth_stack));
			level.now += size;
			bool most = level.now > level.peak;
			level.peak = most ? level.now : level.peak;
			level.peak_time = most ? t.last : level.peak_time;
			struct ht_survivor *s = c->survivors.off ? NULL : ht_survivors_birth(&c->survivors, seq);
			if (__builtin_expect(s != NULL, 1))
				*s = (struct ht_survivor){e->address, size, t.last, stack, thread, (uint32_t)t.order,
							  bits & HT_EVENT_OP};
			t.order++;
			seq++;
			if (keep_address) {
				uint64_t *slot = &c->address[ht_address_slot(size, t.local)], step = e->address - *slot;
				*slot = e->address;
				address_bits |= (uint8_t)e->address;
				bool far = step & aligned;
				addresses = ht_put_varint(addresses, far ? 0 : ht_zigzag((int64_t)step >> shift) + 1);
				if (__builtin_expect(far, 0))
					ht_encoder_put_value(c, HT_COL_EV_FAR_ADDRESS, ht_zigzag((int64_t)step));
			}
		} else {
			deaths = ht_put_varint(deaths, ht_stack_step(stack, &other_stack));
			uint64_t near = ht_zigzag((int64_t)(e->seq - t.freed0 - 1)), before = ht_zigzag((int64_t)(e->seq - t.freed1 - 1));
			uint64_t turn = (before < near) | ((near > HT_FREED_FAR) & (before > HT_FREED_FAR)); /* no branches: it is anyone's guess */
			freed = ht_put_varint(freed, (turn ? before : near) << 1 | turn);
			t.freed1 = turn ? t.freed0 : t.freed1;
			t.freed0 = e->seq;
			level.now -= e->size;
			if (__builtin_expect((bits & HT_EVENT_OP) == HT_OP_REALLOC_FREE, 0))
				ht_encoder_open_realloc(c, t.thread, true, e->seq, e->size);
			else if (__builtin_expect(!c->survivors.off, 1))
				ht_survivors_death(&c->survivors, e->seq);
		}
	}
	end_turn(&t);
	c->room -= (uint32_t)n;
	c->level = level;
	c->at[HT_COL_EV_OP] = op;
	c->at[HT_COL_EV_TIME] = steps;
	c->at[HT_COL_EV_SIZE] = sizes;
	c->at[HT_COL_EV_BIRTH_STACK] = births;
	c->at[HT_COL_EV_OTHER_STACK] = deaths;
	c->at[HT_COL_EV_FREED] = freed;
	c->at[HT_COL_EV_BIRTH_ADDRESS] = addresses;
	c->stamp = stamp;
	c->min = min;
	c->max = max;
	c->next_seq = seq;
	c->requested_bytes = requested;
	c->birth_stack = birth_stack;
	c->other_stack = other_stack;
	c->address_bits = address_bits;
}
