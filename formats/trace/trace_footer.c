/* trace_footer: see trace_footer.h. */
#include "trace_footer.h"

void ht_footer_add(struct ht_footer *x, const struct ht_block_head *h)
{
	if (++x->blocks > HT_INDEX_MAX)
		return;
	ht_buf_varint(&x->column[HT_COL_FT_LENGTH], (uint64_t)h->packed_len + HT_BLOCK_HEAD);
	ht_buf_byte(&x->column[HT_COL_FT_KIND], h->kind);
	ht_buf_varint(&x->column[HT_COL_FT_COUNT], h->count);
	ht_buf_varint(&x->column[HT_COL_FT_BIRTHS], h->births);
	ht_buf_varint(&x->column[HT_COL_FT_FIRST_SEQ], ht_zigzag((int64_t)(h->first_seq - x->prev_seq)));
	ht_buf_varint(&x->column[HT_COL_FT_FIRST_NS], ht_zigzag((int64_t)(h->first_ns - x->prev_ns)));
	ht_buf_varint(&x->column[HT_COL_FT_SPAN_NS], h->last_ns - h->first_ns);
	x->prev_seq = h->first_seq;
	x->prev_ns = h->first_ns;
}

void ht_footer_total(struct ht_footer *x, uint64_t key, uint64_t value)
{
	if (!value)
		return;
	ht_buf_varint(&x->column[HT_COL_FT_KEY], key);
	ht_buf_varint(&x->column[HT_COL_FT_VALUE], value);
}

uint32_t ht_footer_build(struct ht_footer *x, struct ht_buf *raw)
{
	static const uint8_t encodings[] = {HT_ENC_VARINT, HT_ENC_BYTES,  HT_ENC_VARINT, HT_ENC_VARINT, HT_ENC_DELTA,
					    HT_ENC_DELTA,  HT_ENC_VARINT, HT_ENC_VARINT, HT_ENC_VARINT};
	struct ht_column_out columns[HT_ARRAY_SIZE(encodings)];
	if (x->blocks > HT_INDEX_MAX) /* too long for an index: readers scan */
		for (unsigned i = 0; i < HT_COL_FT_KEY; i++)
			x->column[i].len = 0;
	for (unsigned i = 0; i < HT_ARRAY_SIZE(encodings); i++)
		columns[i] = (struct ht_column_out){(uint8_t)i, encodings[i], x->column[i].data, x->column[i].len};
	ht_columns_build(raw, columns, HT_ARRAY_SIZE(encodings));
	return x->blocks > HT_INDEX_MAX ? 0 : x->blocks;
}

void ht_footer_release(struct ht_footer *x)
{
	for (size_t i = 0; i < HT_ARRAY_SIZE(x->column); i++)
		ht_buf_release(&x->column[i]);
}
