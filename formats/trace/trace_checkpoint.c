/*
 * trace_checkpoint: see trace_checkpoint.h. This half writes: what the survivors hold (trace_survivors.h) as columns,
 * and what is known of threads and images.
 */
#include "trace_checkpoint.h"

#include <stdlib.h>
#include <string.h>

/* What a block and a death take, packed, as programs go; a checkpoint may cost 1/32 of the events it follows. */
#define BLOCK_BYTES 4 /* seen: 2.8 */
#define OTHER_BYTES 2
#define SHARE 32

bool ht_checkpoint_pays(const struct ht_encoder *c, uint64_t bytes)
{
	const struct ht_survivors *s = &c->survivors;
	uint64_t births = s->live + (c->next_seq - s->window_first);
	uint64_t cost = births * BLOCK_BYTES + (s->death_count + c->thread_count) * OTHER_BYTES + 512;
	return cost <= bytes / SHARE;
}

/* By their 11-bit digits, from the lowest: deaths come in any order, and sorted ones take a byte each. */
static void sort_numbers(uint64_t *numbers, size_t n, uint64_t most)
{
	enum { DIGIT = 11, BUCKETS = 1 << DIGIT };
	uint64_t *from = numbers, *spare = ht_xrealloc(NULL, n, sizeof(*spare)), *to = spare;
	for (unsigned shift = 0; shift < 64 && most >> shift; shift += DIGIT) {
		size_t start[BUCKETS + 1] = {0};
		for (size_t i = 0; i < n; i++)
			start[(from[i] >> shift) % BUCKETS + 1]++;
		for (size_t i = 0; i < BUCKETS; i++)
			start[i + 1] += start[i];
		for (size_t i = 0; i < n; i++)
			to[start[(from[i] >> shift) % BUCKETS]++] = from[i];
		uint64_t *other = from;
		from = to;
		to = other;
	}
	if (from != numbers)
		memcpy(numbers, from, n * sizeof(*numbers));
	free(spare);
}

struct columns {
	struct ht_buf at[HT_COL_CP_COUNT];
	uint64_t previous[HT_COL_CP_COUNT];
};

static void put_delta(struct columns *k, unsigned column, uint64_t v)
{
	ht_buf_varint(&k->at[column], ht_zigzag((int64_t)(v - k->previous[column])));
	k->previous[column] = v;
}

static void put_block(struct columns *k, const struct ht_survivor *b, uint64_t seq, uint64_t address[HT_ADDRESS_SLOTS])
{
	uint64_t *slot = &address[ht_address_slot(b->size, 0)];
	ht_buf_varint(&k->at[HT_COL_CP_SEQ], seq - k->previous[HT_COL_CP_SEQ]);
	k->previous[HT_COL_CP_SEQ] = seq + 1;
	put_delta(k, HT_COL_CP_THREAD, b->thread);
	ht_buf_byte(&k->at[HT_COL_CP_OP], b->op);
	ht_buf_varint(&k->at[HT_COL_CP_SIZE], b->size);
	put_delta(k, HT_COL_CP_STACK, b->stack);
	put_delta(k, HT_COL_CP_TIME, b->time);
	put_delta(k, HT_COL_CP_ORDER, (uint32_t)(b->order - seq));
	ht_buf_varint(&k->at[HT_COL_CP_ADDRESS], ht_zigzag((int64_t)(b->address - *slot)));
	*slot = b->address;
}

static uint32_t put_blocks(const struct ht_encoder *c, struct columns *k)
{
	const struct ht_survivors *s = &c->survivors;
	uint64_t *address = ht_xcalloc(HT_ADDRESS_SLOTS, sizeof(*address)), live[HT_WINDOW / 64];
	struct ht_survivor *blocks = ht_xmalloc(HT_WINDOW * sizeof(*blocks));
	uint32_t count = 0;
	k->previous[HT_COL_CP_SEQ] = s->base;
	for (size_t w = 0; w < s->windows; w++) {
		if (!ht_survivors_unpack(s, w, blocks, live))
			continue;
		for (unsigned i = 0; i < HT_WINDOW; i++) {
			if (!(live[i / 64] >> i % 64 & 1) || ht_encoder_image_ended(c, c->threads[blocks[i].thread].image))
				continue;
			put_block(k, &blocks[i], s->base + w * HT_WINDOW + i, address);
			count++;
		}
	}
	free(blocks);
	free(address);
	return count;
}

static void put_threads(struct ht_encoder *c, struct columns *k)
{
	for (uint32_t i = 0; i < c->thread_count; i++) {
		struct ht_encoder_thread *t = &c->threads[i];
		if (t->births != t->births_told) {
			put_delta(k, HT_COL_CP_BIRTHS_THREAD, i);
			ht_buf_varint(&k->at[HT_COL_CP_BIRTHS], t->births);
			t->births_told = t->births;
		}
		if (t->realloc_open && !ht_encoder_image_ended(c, t->image)) {
			put_delta(k, HT_COL_CP_REALLOC_THREAD, i);
			ht_buf_varint(&k->at[HT_COL_CP_REALLOC_SEQ], t->realloc_known ? t->realloc_value + 1 : 0);
			ht_buf_varint(&k->at[HT_COL_CP_REALLOC_ADDRESS], t->realloc_known ? 0 : t->realloc_value);
		}
	}
}

static void put_deaths(const struct ht_encoder *c, struct columns *k)
{
	const struct ht_survivors *s = &c->survivors;
	uint64_t next = 0;
	sort_numbers(s->deaths, s->death_count, s->base);
	for (size_t i = 0; i < s->death_count; i++) {
		if (i && s->deaths[i] < next)
			continue; /* twice: the caller's affair */
		ht_buf_varint(&k->at[HT_COL_CP_FREED], s->deaths[i] - next);
		next = s->deaths[i] + 1;
	}
}

void ht_checkpoint_build(struct ht_encoder *c, uint32_t number, struct ht_block_head *h, struct ht_buf *raw)
{
	struct columns k = {0};
	struct ht_survivors *s = &c->survivors;
	struct ht_column_out out[HT_COL_CP_COUNT];
	if (c->next_seq != s->window_first)
		ht_survivors_move_window(s, c->next_seq);
	*h = (struct ht_block_head){.kind = HT_KIND_CHECKPOINT, .first_seq = c->next_seq};
	if (s->off) /* this was one too many */
		return;
	ht_buf_varint(&k.at[HT_COL_CP_PARAMS], c->unit);
	ht_buf_varint(&k.at[HT_COL_CP_PARAMS], number);
	ht_buf_varint(&k.at[HT_COL_CP_PARAMS], s->base);
	h->count = put_blocks(c, &k);
	put_deaths(c, &k);
	put_threads(c, &k);
	const uint32_t *ended = (const uint32_t *)c->ended.data;
	for (size_t i = 0; i < c->ended.len / sizeof(*ended); i++)
		put_delta(&k, HT_COL_CP_ENDED, ended[i]);
	for (unsigned i = 0; i < HT_COL_CP_COUNT; i++)
		out[i] = (struct ht_column_out){(uint8_t)i, ht_checkpoint_encoding[i], k.at[i].data, k.at[i].len};
	ht_columns_build(raw, out, HT_COL_CP_COUNT);
	for (unsigned i = 0; i < HT_COL_CP_COUNT; i++)
		ht_buf_release(&k.at[i]);
	c->ended.len = 0;
	ht_survivors_restart(s, c->next_seq);
}
