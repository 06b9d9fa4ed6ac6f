/*
 * trace_events: a block of events from the file into the caller's arrays, or structs. Damage that is
 * first met here, possibly by several threads at once, is worded by the first of them.
 */
#include "trace_decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The head as it stands in the file must be the one that was announced. */
static int read_events(const struct ht_trace *t, const struct ht_block_info *b, struct ht_event_arrays *out,
		       struct ht_diag *d)
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

static void note_late(const struct ht_trace *t, uint64_t offset, uint32_t block, const char *why)
{
	struct ht_trace *shared = (struct ht_trace *)t;
	if (__atomic_exchange_n(&shared->late_claim, 1, __ATOMIC_RELAXED))
		return;
	snprintf(shared->late_text, sizeof(shared->late_text), "%s: damaged at byte %llu (block %u): %.300s", t->path,
		 (unsigned long long)offset, block, why);
	/* pairs with the acquire in ht_trace_verdict and ht_trace_verdict_text */
	__atomic_store_n(&shared->late, 1, __ATOMIC_RELEASE);
}

int ht_trace_late_damage(const struct ht_trace *t, uint64_t offset, uint32_t block, int err, struct ht_diag *d)
{
	char why[sizeof(d->text)];
	memcpy(why, d->text, sizeof(why));
	note_late(t, offset, block, why);
	return ht_fail(d, err == HT_ERR_TRUNCATED ? HT_ERR_DAMAGED : err, "%s: damaged at byte %llu (block %u): %.300s",
		       t->path, (unsigned long long)offset, block, why);
}

int ht_trace_block_arrays(const struct ht_trace *t, size_t i, struct ht_event_arrays *out, struct ht_diag *d)
{
	struct ht_diag own;
	out->count = out->run_count = out->extra_count = 0;
	if (!d)
		d = &own;
	if (i >= t->block_count)
		return ht_fail(d, HT_ERR_USAGE, "%s: there is no block %zu of events", t->path, i);
	const struct ht_block_info *b = &t->blocks[i];
	int err = read_events(t, b, out, d);
	if (!err)
		err = ht_decode_events(t, i, out, d);
	if (!err) {
		out->count = b->events;
		return 0;
	}
	out->run_count = out->extra_count = 0;
	return ht_trace_late_damage(t, b->offset, b->sequence, err, d);
}

int ht_trace_block_ops(const struct ht_trace *t, size_t i, struct ht_event_arrays *scratch, uint32_t *ops)
{
	struct ht_columns c;
	struct ht_diag d;
	*ops = 0;
	if (i >= t->block_count)
		return HT_ERR_USAGE;
	int err = read_events(t, &t->blocks[i], scratch, &d);
	if (!err)
		err = ht_columns_parse(&c, scratch->raw.data, scratch->raw.len, &d);
	if (err)
		return err;
	for (const uint8_t *op = c.at[HT_COL_EV_OP].at; op < c.at[HT_COL_EV_OP].end; op++)
		*ops |= UINT32_C(1) << (*op & HT_EVENT_OP);
	return 0;
}

void ht_event_arrays_release(struct ht_event_arrays *a)
{
	free(a->op);
	free(a->stack);
	free(a->time);
	free(a->seq);
	free(a->size);
	free(a->address);
	free(a->runs);
	free(a->extras);
	ht_buf_release(&a->raw);
	ht_buf_release(&a->packed);
	ht_buf_release(&a->state);
	ht_block_unpack_release(a->zstd);
	*a = (struct ht_event_arrays){0};
}

/* --- as structs ------------------------------------------------------------------------------- */

static void fill_run(struct ht_event *e, const struct ht_event_arrays *a, size_t i, const struct ht_event_run *r)
{
	for (size_t end = i + r->count; i < end; i++) {
		unsigned byte = a->op[i];
		e[i] = (struct ht_event){
		    .op = byte & HT_EVENT_OP,
		    .stamped = byte & HT_EVENT_STAMPED,
		    .new_machine = byte & HT_EVENT_NEW_MACHINE,
		    .unpaired = byte & HT_EVENT_UNPAIRED,
		    .thread = r->thread,
		    .stack = a->stack[i],
		    .time = a->time[i],
		    .seq = a->seq[i],
		    .address = a->address[i],
		    .size = a->size[i],
		};
	}
}

int ht_trace_block_decode(const struct ht_trace *t, size_t i, struct ht_events *out, struct ht_diag *d)
{
	struct ht_event_arrays *a = &out->arrays;
	out->count = 0;
	int err = ht_trace_block_arrays(t, i, a, d);
	if (err)
		return err;
	if (out->cap < a->count) {
		free(out->items);
		out->items = ht_xrealloc(NULL, a->count, sizeof(*out->items));
		out->cap = a->count;
	}
	size_t at = 0;
	for (size_t r = 0; r < a->run_count; at += a->runs[r++].count)
		fill_run(out->items, a, at, &a->runs[r]);
	for (size_t x = 0; x < a->extra_count; x++) {
		out->items[a->extras[x].event].extra = a->extras[x].extra;
		out->items[a->extras[x].event].extra2 = a->extras[x].extra2;
	}
	out->count = a->count;
	return 0;
}

void ht_events_release(struct ht_events *e)
{
	free(e->items);
	ht_event_arrays_release(&e->arrays);
	*e = (struct ht_events){0};
}
