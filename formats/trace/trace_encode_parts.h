/*
 * trace_encode_parts: what trace_encode.c (any event) and trace_encode_lives.c (plain births and deaths, many at a time)
 * share. Private to these two.
 */
#ifndef HT_TRACE_ENCODE_PARTS_H
#define HT_TRACE_ENCODE_PARTS_H

#include "trace_encode.h"

#define HT_FREED_FAR 4096 /* zigzagged: a death further than that from both of the last two begins something new */

/* The event that comes is of this thread, which is not that of the run. False: there is no such thread. */
bool ht_encoder_switch_thread(struct ht_encoder *c, uint32_t id, bool stamped, uint64_t time);
/* The half of a realloc may be taken back, until the thread's next one: till then its block counts as live. */
void ht_encoder_open_realloc(struct ht_encoder *c, struct ht_encoder_thread *t, bool known, uint64_t value, uint64_t size);

static inline uint64_t ht_stack_step(uint32_t stack, uint32_t *prev)
{
	uint64_t step = ht_zigzag((int64_t)stack - (int64_t)*prev);
	*prev = stack;
	return step;
}

static inline void ht_encoder_put_value(struct ht_encoder *c, unsigned column, uint64_t v)
{
	c->at[column] = ht_put_varint(c->at[column], v);
}

#endif
