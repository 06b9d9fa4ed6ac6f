/*
 * trace_load: takes blocks into an open trace, in the order of the file. Dictionaries are decoded
 * here and kept; of events only the place is noted. Ids that a lost block may have defined become
 * empty entries, as many as the file could hold; references that lead nowhere become 0.
 */
#include "trace_dict.h"
#include "trace_reader.h"
#include "trace_totals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` records from id `first` on; < 0 when the ids cannot follow those before. */
static int place(struct ht_trace *t, void *items, size_t *cap, size_t *count, uint64_t first,
		 uint32_t more, size_t size)
{
	if (first < *count || first + more > UINT32_MAX)
		return HT_ERR_DAMAGED;
	uint64_t gap = first - *count;
	if (gap && (!t->dictionary_lost || gap > t->gaps_left))
		return HT_ERR_DAMAGED;
	t->gaps_left -= gap;
	ht_grow(items, cap, first + more, size);
	*count = first + more;
	return 0;
}

/* The value, or 0 and a note when it is none of `limit` ids. */
static uint32_t checked(uint32_t v, uint64_t limit, bool *bad)
{
	if (v < limit)
		return v;
	*bad = true;
	return 0;
}

static int load_strings(struct ht_trace *t, const struct ht_block_head *h, struct ht_columns *c)
{
	struct ht_cursor *lengths = &c->at[HT_COL_STRING_LENGTH],
			 *bytes = &c->at[HT_COL_STRING_BYTES];
	if (c->encoding[HT_COL_STRING_LENGTH] != HT_ENC_VARINT ||
	    c->encoding[HT_COL_STRING_BYTES] != HT_ENC_BYTES)
		return HT_ERR_VERSION;
	int err = place(t, &t->strings, &t->string_cap, &t->string_count, h->first_seq, h->count,
			sizeof(*t->strings));
	if (err)
		return err;
	for (uint32_t i = 0; i < h->count; i++) {
		uint64_t n = ht_cursor_varint(lengths);
		const uint8_t *at = n <= HT_STRING_MAX ? ht_cursor_bytes(bytes, n) : NULL;
		if (!at || lengths->bad)
			return HT_ERR_DAMAGED;
		t->strings[h->first_seq + i] = (struct ht_string_ref){t->string_bytes.len, n};
		ht_buf_append(&t->string_bytes, at, n);
		ht_buf_byte(&t->string_bytes, 0);
	}
	return ht_cursor_left(lengths) || ht_cursor_left(bytes) ? HT_ERR_DAMAGED : 0;
}

static int load_modules(struct ht_trace *t, const struct ht_block_head *h,
			const struct ht_module *m, bool *bad)
{
	int err = place(t, &t->modules, &t->module_cap, &t->module_count, h->first_seq, h->count,
			sizeof(*m));
	for (uint32_t i = 0; !err && i < h->count; i++) {
		struct ht_module *to = &t->modules[h->first_seq + i];
		*to = m[i];
		to->path = checked(to->path, t->string_count, bad);
		to->image = checked(to->image, t->image_count, bad);
		to->build_id_len = (uint8_t)checked(to->build_id_len, HT_BUILD_ID_MAX + 1, bad);
	}
	return err;
}

static int load_nodes(struct ht_trace *t, const struct ht_block_head *h,
		      const struct ht_stack_node *n, bool *bad)
{
	int err =
	    place(t, &t->nodes, &t->node_cap, &t->node_count, h->first_seq, h->count, sizeof(*n));
	for (uint32_t i = 0; !err && i < h->count; i++) {
		struct ht_stack_node *to = &t->nodes[h->first_seq + i];
		*to = n[i];
		to->parent = checked(to->parent, h->first_seq + i, bad);
		to->module = checked(to->module, t->module_count + 1, bad);
	}
	return err;
}

static int load_images(struct ht_trace *t, const struct ht_block_head *h,
		       const struct ht_image_record *r, bool *bad)
{
	for (uint32_t i = 0; i < h->count; i++) {
		uint32_t id = r[i].id;
		int err = id < t->image_count ? 0
					      : place(t, &t->images, &t->image_cap, &t->image_count,
						      id, 1, sizeof(*t->images));
		if (err)
			return err;
		struct ht_image *to = &t->images[id];
		*to = r[i].image;
		to->parent = checked(to->parent, (uint64_t)id + 1, bad);
		to->exe = checked(to->exe, t->string_count, bad);
		to->argv = checked(to->argv, t->string_count, bad);
		to->kind = (uint8_t)checked(to->kind, HT_IMAGE_ATTACHED + 1, bad);
		if (to->end_ns != UINT64_MAX && to->end_ns > t->duration)
			t->duration = to->end_ns;
	}
	return 0;
}

static int load_threads(struct ht_trace *t, const struct ht_block_head *h,
			const struct ht_thread_record *r, bool *bad)
{
	for (uint32_t i = 0; i < h->count; i++) {
		uint32_t id = r[i].id;
		int err = id < t->thread_count
			      ? 0
			      : place(t, &t->threads, &t->thread_cap, &t->thread_count, id, 1,
				      sizeof(*t->threads));
		if (err)
			return err;
		struct ht_thread_info *to = &t->threads[id];
		*to = r[i].thread;
		to->image = checked(to->image, t->image_count, bad);
		to->name = checked(to->name, t->string_count, bad);
		to->start_routine = checked(to->start_routine, t->node_count, bad);
	}
	return 0;
}

static void load_samples(struct ht_trace *t, const struct ht_block_head *h,
			 const struct ht_sample *s, bool *bad)
{
	ht_grow(&t->samples, &t->sample_cap, t->sample_count + h->count, sizeof(*s));
	for (uint32_t i = 0; i < h->count; i++) {
		struct ht_sample *to = &t->samples[t->sample_count++];
		*to = s[i];
		to->image = checked(to->image, t->image_count, bad);
		if (to->time > t->duration)
			t->duration = to->time;
	}
}

static int load_table(struct ht_trace *t, const struct ht_block_head *h, struct ht_columns *c,
		      bool *bad, struct ht_diag *d)
{
	static const struct ht_table *const tables[] = {
	    &ht_image_table, &ht_module_table, &ht_node_table, &ht_thread_table, &ht_sample_table};
	const struct ht_table *table = NULL;
	for (size_t i = 0; i < HT_ARRAY_SIZE(tables); i++)
		if (tables[i]->kind == h->kind)
			table = tables[i];
	void *records = ht_xcalloc(h->count, table->record_size);
	int err = ht_table_get(table, c, records, h->count, (uint32_t)h->first_seq, d);
	if (err) {
		free(records);
		return err;
	}
	switch (h->kind) {
	case HT_KIND_IMAGES:
		err = load_images(t, h, records, bad);
		break;
	case HT_KIND_MODULES:
		err = load_modules(t, h, records, bad);
		break;
	case HT_KIND_NODES:
		err = load_nodes(t, h, records, bad);
		break;
	case HT_KIND_THREADS:
		err = load_threads(t, h, records, bad);
		break;
	default:
		load_samples(t, h, records, bad);
		break;
	}
	free(records);
	return err;
}

static void load_totals(struct ht_trace *t, struct ht_columns *c)
{
	struct ht_cursor *keys = &c->at[HT_COL_FT_KEY], *values = &c->at[HT_COL_FT_VALUE];
	t->has_footer = true;
	memset(&t->totals, 0, sizeof(t->totals));
	t->exit_status = -1;
	while (ht_cursor_left(keys) && !keys->bad && !values->bad) {
		uint64_t key = ht_cursor_varint(keys), value = ht_cursor_varint(values);
		if (key == HT_TOTAL_EXIT_STATUS)
			t->exit_status = (int)((uint32_t)value - 1u);
		if (key == HT_TOTAL_DURATION && value > t->duration)
			t->duration = value;
		for (size_t i = 0; i < ht_total_key_count; i++)
			if (ht_total_keys[i].key == key)
				*(uint64_t *)((char *)&t->totals + ht_total_keys[i].offset) = value;
	}
}

/* A block that is kept: read, checked, decoded. */
static int load_kept(struct ht_trace *t, struct ht_loader *l, const struct ht_found *f, bool *bad,
		     struct ht_diag *d)
{
	const struct ht_block_head *h = &f->head;
	struct ht_columns c;
	if (h->raw_len > (uint64_t)h->packed_len * HT_KEPT_RATIO + HT_KEPT_SLACK)
		return ht_fail(d, HT_ERR_LIMIT,
			       "it is packed more tightly than a dictionary may be");
	if (h->kind != HT_KIND_FOOTER && (h->count > h->raw_len || h->count > HT_RECORDS_MAX))
		return ht_fail(d, HT_ERR_LIMIT, "it cannot hold %u entries", h->count);
	int err = ht_trace_read_block(t, f, &l->zstd, &l->packed, &l->raw, d);
	if (!err)
		err = ht_columns_parse(&c, l->raw.data, l->raw.len, d);
	if (err)
		return err;
	if (h->kind == HT_KIND_FOOTER) {
		load_totals(t, &c);
		return 0;
	}
	ht_fail(d, HT_ERR_DAMAGED, "its entries do not follow those before it");
	return h->kind == HT_KIND_STRINGS ? load_strings(t, h, &c) : load_table(t, h, &c, bad, d);
}

static struct ht_defined defined_now(const struct ht_trace *t)
{
	return (struct ht_defined){(uint32_t)t->string_count, (uint32_t)t->node_count, (uint32_t)t->thread_count};
}

static void load_events(struct ht_trace *t, const struct ht_found *f)
{
	const struct ht_block_head *h = &f->head;
	if (h->count > HT_EVENTS_MAX || h->births > h->count || h->last_ns < h->first_ns) {
		ht_trace_damage(t, f->offset, t->sequence, "its head contradicts itself");
		return;
	}
	ht_grow(&t->blocks, &t->block_cap, t->block_count + 1, sizeof(*t->blocks));
	ht_grow(&t->defined, &t->defined_cap, t->block_count + 1, sizeof(*t->defined));
	t->blocks[t->block_count] = (struct ht_block_info){.offset = f->offset,
							   .events = h->count,
							   .first_seq = h->first_seq,
							   .births = h->births,
							   .first_ns = h->first_ns,
							   .last_ns = h->last_ns,
							   .sequence = t->sequence};
	t->defined[t->block_count++] = defined_now(t);
	if (h->last_ns > t->duration)
		t->duration = h->last_ns;
}

static void load_times(struct ht_trace *t, const struct ht_found *f)
{
	const struct ht_block_head *h = &f->head;
	if (h->count > HT_RECORDS_MAX || h->last_ns < h->first_ns) {
		ht_trace_damage(t, f->offset, t->sequence, "its head contradicts itself");
		return;
	}
	ht_grow(&t->times, &t->time_cap, t->time_count + 1, sizeof(*t->times));
	t->times[t->time_count++] = (struct ht_found_times){.info = {.kind = h->kind,
								     .count = h->count,
								     .offset = f->offset,
								     .first_ns = h->first_ns,
								     .last_ns = h->last_ns,
								     .sequence = t->sequence},
							    .defined = defined_now(t)};
	if (h->last_ns > t->duration)
		t->duration = h->last_ns;
}

static void load_checkpoint(struct ht_trace *t, const struct ht_found *f)
{
	ht_grow(&t->checkpoints, &t->checkpoint_cap, t->checkpoint_count + 1, sizeof(*t->checkpoints));
	t->checkpoints[t->checkpoint_count++] = (struct ht_checkpoint){.found = *f, .block = t->block_count, .defined = defined_now(t)};
}

void ht_loader_release(struct ht_loader *l)
{
	ht_block_unpack_release(l->zstd);
	ht_buf_release(&l->packed);
	ht_buf_release(&l->raw);
}

void ht_trace_load(struct ht_trace *t, struct ht_loader *l, const struct ht_found *f)
{
	struct ht_diag d = {0};
	bool bad = false;
	switch (f->head.kind) {
	case HT_KIND_EVENTS:
		load_events(t, f);
		return;
	case HT_KIND_CHECKPOINT:
		load_checkpoint(t, f);
		return;
	case HT_KIND_SCHED:
	case HT_KIND_WAITS:
	case HT_KIND_STALLS:
		load_times(t, f);
		return;
	case HT_KIND_SYMBOLS:
		ht_grow(&t->symbols, &t->symbol_cap, t->symbol_count + 1, sizeof(*t->symbols));
		t->symbols[t->symbol_count++] = *f;
		return;
	case HT_KIND_STRINGS:
	case HT_KIND_IMAGES:
	case HT_KIND_MODULES:
	case HT_KIND_NODES:
	case HT_KIND_THREADS:
	case HT_KIND_SAMPLES:
	case HT_KIND_FOOTER:
		break;
	default:
		return; /* END, and kinds of later versions */
	}
	int err = load_kept(t, l, f, &bad, &d);
	if (!err && bad && !t->dictionary_lost)
		err = ht_fail(&d, HT_ERR_DAMAGED, "it refers to something that is not there");
	if (err) {
		ht_trace_damage(t, f->offset, t->sequence, d.text);
		t->dictionary_lost |= f->head.kind != HT_KIND_FOOTER;
	}
}

/* --- the index ------------------------------------------------------------------------------- */

static bool index_entry(struct ht_columns *c, struct ht_found *f, uint64_t *seq, uint64_t *ns)
{
	struct ht_block_head *h = &f->head;
	uint64_t length = ht_cursor_varint(&c->at[HT_COL_FT_LENGTH]);
	uint64_t count = ht_cursor_varint(&c->at[HT_COL_FT_COUNT]),
		 births = ht_cursor_varint(&c->at[HT_COL_FT_BIRTHS]);
	h->kind = ht_cursor_u8(&c->at[HT_COL_FT_KIND]);
	*seq += (uint64_t)ht_unzigzag(ht_cursor_varint(&c->at[HT_COL_FT_FIRST_SEQ]));
	*ns += (uint64_t)ht_unzigzag(ht_cursor_varint(&c->at[HT_COL_FT_FIRST_NS]));
	h->first_seq = *seq;
	h->first_ns = *ns;
	h->last_ns = *ns + ht_cursor_varint(&c->at[HT_COL_FT_SPAN_NS]);
	if (length < HT_BLOCK_HEAD || length - HT_BLOCK_HEAD > UINT32_MAX || count > UINT32_MAX ||
	    births > UINT32_MAX)
		return false;
	h->packed_len = (uint32_t)(length - HT_BLOCK_HEAD);
	h->count = (uint32_t)count;
	h->births = (uint32_t)births;
	return true;
}

int64_t ht_trace_load_index(const struct ht_trace *t, struct ht_loader *l, const struct ht_found *footer,
			    struct ht_found **list)
{
	struct ht_diag d;
	struct ht_columns c;
	uint64_t offset = t->header_len, seq = 0, ns = 0;
	uint32_t n = footer->head.count;
	if (n > HT_INDEX_MAX ||
	    footer->head.raw_len >
		(uint64_t)footer->head.packed_len * HT_KEPT_RATIO + HT_KEPT_SLACK ||
	    n > footer->head.raw_len ||
	    ht_trace_read_block(t, footer, &l->zstd, &l->packed, &l->raw, &d) ||
	    ht_columns_parse(&c, l->raw.data, l->raw.len, &d))
		return -1;
	struct ht_found *found = ht_xcalloc(n, sizeof(*found));
	bool good = true;
	for (uint32_t i = 0; i < n && good; i++) {
		good = index_entry(&c, &found[i], &seq, &ns);
		found[i].offset = offset;
		found[i].head.sequence = i;
		offset += HT_BLOCK_HEAD + found[i].head.packed_len;
	}
	for (unsigned i = HT_COL_FT_LENGTH; i <= HT_COL_FT_SPAN_NS; i++)
		good = good && !c.at[i].bad && !ht_cursor_left(&c.at[i]);
	if (!good || offset != footer->offset || footer->head.sequence != n) {
		free(found);
		return -1;
	}
	*list = found;
	return n;
}
