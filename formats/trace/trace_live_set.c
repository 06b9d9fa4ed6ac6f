/*
 * trace_live_set: checkpoints as a reader gets them. Each one says what changed since the one before, so the set at
 * number c is made of 0 … c: births are added behind (their numbers ascend), deaths mark, and one pass at
 * the end takes the marked ones out.
 */
#include "trace_checkpoint.h"

#include <stdlib.h>
#include <string.h>

/* From block `from` on, by steps that double: deaths ascend, as the blocks do. *at: where to go on. */
static struct ht_live_block *find_from(const struct ht_live_set *s, uint64_t seq, size_t from, size_t *at)
{
	size_t lo = from, step = 1;
	while (lo + step <= s->count && s->blocks[lo + step - 1].seq < seq) {
		lo += step;
		step *= 2;
	}
	size_t hi = lo + step - 1 < s->count ? lo + step - 1 : s->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->blocks[mid].seq < seq)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return lo < s->count && s->blocks[lo].seq == seq && s->blocks[lo].op ? &s->blocks[lo] : NULL;
}

static struct ht_live_block *find(const struct ht_live_set *s, uint64_t seq)
{
	size_t at;
	return find_from(s, seq, 0, &at);
}

struct loading {
	const struct ht_trace *t;
	struct ht_columns c;
	struct ht_live_set *set;
	struct ht_defined defined;
	uint64_t unit, base, next_seq, previous[HT_COL_CP_COUNT];
	uint64_t address[HT_ADDRESS_SLOTS];
	bool bad;
};

static uint64_t take(struct loading *k, unsigned column)
{
	return ht_cursor_varint(&k->c.at[column]);
}

static uint64_t take_delta(struct loading *k, unsigned column)
{
	return k->previous[column] += (uint64_t)ht_unzigzag(take(k, column));
}

/* An id, or 0 where that is unknown because dictionaries were lost. */
static uint32_t take_id(struct loading *k, unsigned column, uint64_t limit)
{
	uint64_t id = take_delta(k, column);
	if (id < limit)
		return (uint32_t)id;
	k->bad |= !k->t->dictionary_lost;
	return 0;
}

static void take_blocks(struct loading *k, uint32_t count)
{
	struct ht_live_set *s = k->set;
	uint64_t next = k->base;
	ht_grow(&s->blocks, &s->cap, s->count + count, sizeof(*s->blocks));
	for (uint32_t i = 0; i < count && !k->bad; i++) {
		struct ht_live_block b = {.seq = next + take(k, HT_COL_CP_SEQ)};
		k->bad |= b.seq < next || b.seq >= k->next_seq;
		next = b.seq + 1;
		b.thread = take_id(k, HT_COL_CP_THREAD, k->defined.threads);
		b.op = ht_cursor_u8(&k->c.at[HT_COL_CP_OP]);
		k->bad |= !ht_op_is_birth(b.op);
		b.size = take(k, HT_COL_CP_SIZE);
		b.stack = take_id(k, HT_COL_CP_STACK, k->defined.nodes);
		b.time = take_delta(k, HT_COL_CP_TIME) * k->unit;
		b.order = (uint32_t)(take_delta(k, HT_COL_CP_ORDER) + b.seq);
		b.address = k->address[ht_address_slot(b.size, 0)] +=
		    (uint64_t)ht_unzigzag(take(k, HT_COL_CP_ADDRESS));
		s->blocks[s->count++] = b;
	}
}

/* Deaths, and the ends of images, of what the checkpoints before this one said. */
static void take_ends(struct loading *k)
{
	struct ht_live_set *s = k->set;
	struct ht_cursor *freed = &k->c.at[HT_COL_CP_FREED], *ended = &k->c.at[HT_COL_CP_ENDED];
	uint64_t next = 0;
	size_t at = 0;
	while (ht_cursor_left(freed) && !k->bad) {
		uint64_t seq = next + take(k, HT_COL_CP_FREED);
		struct ht_live_block *b = seq >= next && seq < k->base ? find_from(s, seq, at, &at) : NULL;
		k->bad |= seq < next || seq >= k->base;
		next = seq + 1;
		if (b)
			b->op = 0; /* else of an image that had ended */
	}
	while (ht_cursor_left(ended) && !k->bad) {
		uint32_t image = take_id(k, HT_COL_CP_ENDED, k->t->image_count);
		for (size_t i = 0; i < s->count; i++)
			if (k->t->threads[s->blocks[i].thread].image == image)
				s->blocks[i].op = 0;
	}
}

static void count_births(struct ht_live_set *s, uint32_t thread, uint64_t births)
{
	size_t i = s->thread_count;
	while (i && s->threads[i - 1].thread >= thread)
		i--;
	if (i == s->thread_count || s->threads[i].thread != thread) {
		ht_grow(&s->threads, &s->thread_cap, s->thread_count + 1, sizeof(*s->threads));
		memmove(s->threads + i + 1, s->threads + i, (s->thread_count - i) * sizeof(*s->threads));
		s->thread_count++;
	}
	s->threads[i] = (struct ht_thread_births){thread, births};
}

static void take_threads(struct loading *k)
{
	struct ht_live_set *s = k->set;
	while (ht_cursor_left(&k->c.at[HT_COL_CP_BIRTHS_THREAD]) && !k->bad) {
		uint32_t thread = take_id(k, HT_COL_CP_BIRTHS_THREAD, k->defined.threads);
		count_births(s, thread, take(k, HT_COL_CP_BIRTHS));
	}
	s->realloc_count = 0; /* each checkpoint says them anew */
	while (ht_cursor_left(&k->c.at[HT_COL_CP_REALLOC_THREAD]) && !k->bad) {
		struct ht_open_realloc r = {.thread = take_id(k, HT_COL_CP_REALLOC_THREAD, k->defined.threads)};
		uint64_t seq = take(k, HT_COL_CP_REALLOC_SEQ);
		r.known = seq != 0;
		r.block.seq = seq - 1;
		r.address = take(k, HT_COL_CP_REALLOC_ADDRESS);
		ht_grow(&s->reallocs, &s->realloc_cap, s->realloc_count + 1, sizeof(*s->reallocs));
		s->reallocs[s->realloc_count++] = r;
	}
}

static int read_it(struct loading *k, const struct ht_checkpoint *p, struct ht_diag *d)
{
	struct ht_live_set *s = k->set;
	const struct ht_block_head *h = &p->found.head;
	if (h->raw_len > (uint64_t)h->packed_len * HT_KEPT_RATIO + HT_KEPT_SLACK || h->count > h->raw_len)
		return ht_fail(d, HT_ERR_LIMIT, "it cannot hold %u entries", h->count);
	int err = ht_trace_read_block(k->t, &p->found, &s->zstd, &s->packed, &s->raw, d);
	return err ? err : ht_columns_parse(&k->c, s->raw.data, s->raw.len, d);
}

static int decode(struct loading *k, const struct ht_checkpoint *p, size_t number, struct ht_diag *d)
{
	for (unsigned i = 0; i < HT_COL_CP_COUNT; i++)
		if (k->c.present & 1u << i && k->c.encoding[i] != ht_checkpoint_encoding[i])
			return ht_fail(d, HT_ERR_VERSION, "a column has an encoding that this version does not know");
	k->unit = take(k, HT_COL_CP_PARAMS);
	uint64_t says = take(k, HT_COL_CP_PARAMS);
	k->base = take(k, HT_COL_CP_PARAMS);
	k->next_seq = p->found.head.first_seq;
	if (says != number || k->base != k->set->next_seq || k->next_seq < k->base)
		return ht_fail(d, HT_ERR_DAMAGED, "it does not follow the checkpoint before it");
	take_ends(k);
	take_blocks(k, p->found.head.count);
	take_threads(k);
	for (unsigned i = 0; i < HT_COL_CP_COUNT; i++)
		k->bad |= k->c.at[i].bad || (i != HT_COL_CP_PARAMS && ht_cursor_left(&k->c.at[i]));
	if (k->bad)
		return ht_fail(d, HT_ERR_DAMAGED, "its columns do not hold");
	k->set->next_seq = k->next_seq;
	return 0;
}

int ht_checkpoint_apply(const struct ht_trace *t, size_t c, struct ht_live_set *s, struct ht_diag *d)
{
	const struct ht_checkpoint *p = &t->checkpoints[c];
	struct loading *k = ht_xcalloc(1, sizeof(*k));
	struct ht_diag why = {0};
	k->t = t;
	k->set = s;
	k->defined = p->defined;
	int err = read_it(k, p, &why);
	if (!err)
		err = decode(k, p, c, &why);
	free(k);
	if (!err)
		return 0;
	return ht_fail(d, err, "%s: the checkpoint at byte %llu (block %u) cannot be used: %.300s", t->path,
		       (unsigned long long)p->found.offset, p->found.head.sequence, why.text);
}

void ht_checkpoint_settle(struct ht_live_set *s)
{
	size_t kept = 0, open = 0;
	for (size_t i = 0; i < s->realloc_count; i++) {
		struct ht_open_realloc r = s->reallocs[i];
		struct ht_live_block *b = r.known ? find(s, r.block.seq) : NULL;
		if (r.known && !b)
			continue; /* it ended with its image */
		if (b) {
			r.block = *b;
			r.address = b->address;
			b->op = 0;
		}
		s->reallocs[open++] = r;
	}
	s->realloc_count = open;
	for (size_t i = 0; i < s->count; i++)
		if (s->blocks[i].op)
			s->blocks[kept++] = s->blocks[i];
	s->count = kept;
}

int ht_trace_checkpoint_load(const struct ht_trace *t, size_t c, struct ht_live_set *out, struct ht_diag *d)
{
	out->count = out->realloc_count = out->thread_count = 0;
	out->next_seq = 0;
	if (c >= t->checkpoint_count)
		return ht_fail(d, HT_ERR_USAGE, "%s: there is no checkpoint %zu", t->path, c);
	int err = 0;
	for (size_t i = 0; i <= c && !err; i++)
		err = ht_checkpoint_apply(t, i, out, d);
	if (err)
		out->count = out->realloc_count = out->thread_count = 0;
	ht_checkpoint_settle(out);
	return err;
}

size_t ht_trace_checkpoint_count(const struct ht_trace *t)
{
	return t->checkpoint_count;
}

int64_t ht_trace_checkpoint_before(const struct ht_trace *t, size_t i)
{
	int64_t c = (int64_t)t->checkpoint_count - 1;
	while (c >= 0 && t->checkpoints[c].block > i)
		c--;
	return c;
}

size_t ht_trace_checkpoint_block(const struct ht_trace *t, size_t c)
{
	return c < t->checkpoint_count ? t->checkpoints[c].block : t->block_count;
}

void ht_live_set_release(struct ht_live_set *s)
{
	free(s->blocks);
	free(s->reallocs);
	free(s->threads);
	ht_buf_release(&s->raw);
	ht_buf_release(&s->packed);
	ht_block_unpack_release(s->zstd);
	*s = (struct ht_live_set){0};
}
