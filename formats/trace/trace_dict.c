/* trace_dict: see trace_dict.h. */
#include "trace_dict.h"

#include <string.h>

#define AT(type, member) sizeof(((struct type *)0)->member), 0, offsetof(struct type, member)
#define AT_PLUS1(type, member) sizeof(((struct type *)0)->member), 1, offsetof(struct type, member)
#define TABLE(name, kind, type, fields)                                                                \
	const struct ht_table name = {kind, HT_ARRAY_SIZE(fields), sizeof(struct type), fields}

static const struct ht_field image_fields[] = {
	{0, HT_ENC_DELTA, AT(ht_image_record, id)},
	{1, HT_ENC_VARINT, AT(ht_image_record, image.pid)},
	{2, HT_ENC_VARINT, AT(ht_image_record, image.parent)},
	{3, HT_ENC_BYTES, AT(ht_image_record, image.kind)},
	{4, HT_ENC_VARINT, AT(ht_image_record, image.fork_number)},
	{5, HT_ENC_VARINT, AT(ht_image_record, image.exe)},
	{6, HT_ENC_VARINT, AT(ht_image_record, image.argv)},
	{7, HT_ENC_VARINT, AT(ht_image_record, image.start_ns)},
	{8, HT_ENC_VARINT, AT_PLUS1(ht_image_record, image.end_ns)},
	{9, HT_ENC_VARINT, AT_PLUS1(ht_image_record, image.wait_status)},
};
TABLE(ht_image_table, HT_KIND_IMAGES, ht_image_record, image_fields);

static const struct ht_field module_fields[] = {
	{0, HT_ENC_VARINT, AT(ht_module, path)},
	{1, HT_ENC_BYTES, AT(ht_module, build_id_len)},
	{2, HT_ENC_BYTES, AT(ht_module, build_id)},
	{3, HT_ENC_VARINT, AT(ht_module, size)},
	{4, HT_ENC_VARINT, AT(ht_module, bias)},
	{5, HT_ENC_VARINT, AT(ht_module, image)},
	{6, HT_ENC_VARINT, AT(ht_module, text_vaddr)},
	{7, HT_ENC_VARINT, AT(ht_module, text_size)},
	{8, HT_ENC_VARINT, AT(ht_module, text_offset)},
};
TABLE(ht_module_table, HT_KIND_MODULES, ht_module, module_fields);

static const struct ht_field node_fields[] = {
	{0, HT_ENC_BACK, AT(ht_stack_node, parent)},
	{1, HT_ENC_VARINT, AT(ht_stack_node, module)},
	{2, HT_ENC_DELTA, AT(ht_stack_node, address)},
	{3, HT_ENC_VARINT, AT(ht_stack_node, cfa_delta)},
	{4, HT_ENC_BYTES, AT(ht_stack_node, flags)},
	{5, HT_ENC_BYTES, AT(ht_stack_node, end)},
};
TABLE(ht_node_table, HT_KIND_NODES, ht_stack_node, node_fields);

static const struct ht_field thread_fields[] = {
	{0, HT_ENC_DELTA, AT(ht_thread_record, id)},
	{1, HT_ENC_VARINT, AT(ht_thread_record, thread.image)},
	{2, HT_ENC_DELTA, AT(ht_thread_record, thread.tid)},
	{3, HT_ENC_DELTA, AT(ht_thread_record, thread.serial)},
	{4, HT_ENC_DELTA, AT(ht_thread_record, thread.start_ns)},
	{5, HT_ENC_DELTA, AT_PLUS1(ht_thread_record, thread.end_ns)},
	{6, HT_ENC_VARINT, AT(ht_thread_record, thread.name)},
	{7, HT_ENC_VARINT, AT(ht_thread_record, thread.start_routine)},
};
TABLE(ht_thread_table, HT_KIND_THREADS, ht_thread_record, thread_fields);

static const struct ht_field sample_fields[] = {
	{0, HT_ENC_DELTA, AT(ht_sample, time)},
	{1, HT_ENC_VARINT, AT(ht_sample, image)},
	{2, HT_ENC_DELTA, AT(ht_sample, rss_bytes)},
	{3, HT_ENC_VARINT, AT(ht_sample, threads)},
};
TABLE(ht_sample_table, HT_KIND_SAMPLES, ht_sample, sample_fields);

/* --- writing ------------------------------------------------------------------------------ */

static uint64_t load(const struct ht_field *f, const uint8_t *record)
{
	uint32_t v32;
	uint64_t v64;
	if (f->width == 1)
		return record[f->offset];
	if (f->width == 4) {
		memcpy(&v32, record + f->offset, 4);
		return (uint32_t)(v32 + f->plus);
	}
	memcpy(&v64, record + f->offset, 8);
	return v64 + f->plus;
}

void ht_table_put(struct ht_table_out *o, const void *record, uint32_t id)
{
	const struct ht_table *t = o->table;
	for (unsigned i = 0; i < t->field_count; i++) {
		const struct ht_field *f = &t->fields[i];
		struct ht_buf *b = &o->column[i];
		size_t before = b->len;
		if (f->encoding == HT_ENC_BYTES) {
			ht_buf_append(b, (const uint8_t *)record + f->offset, f->width);
			o->bytes += b->len - before;
			continue;
		}
		uint64_t v = load(f, record);
		if (f->encoding == HT_ENC_DELTA) {
			ht_buf_varint(b, ht_zigzag((int64_t)(v - o->prev[i])));
			o->prev[i] = v;
		} else if (f->encoding == HT_ENC_BACK) {
			ht_buf_varint(b, v ? id - v : 0);
		} else {
			ht_buf_varint(b, v);
		}
		o->bytes += b->len - before;
	}
	o->count++;
}

void ht_table_build(const struct ht_table_out *o, struct ht_buf *raw)
{
	struct ht_column_out columns[HT_FIELDS_MAX];
	for (unsigned i = 0; i < o->table->field_count; i++)
		columns[i] = (struct ht_column_out){o->table->fields[i].column, o->table->fields[i].encoding,
						    o->column[i].data, o->column[i].len};
	ht_columns_build(raw, columns, o->table->field_count);
}

void ht_table_clear(struct ht_table_out *o)
{
	for (unsigned i = 0; i < HT_FIELDS_MAX; i++) {
		o->column[i].len = 0;
		o->prev[i] = 0;
	}
	o->count = 0;
	o->bytes = 0;
}

void ht_table_release(struct ht_table_out *o)
{
	for (unsigned i = 0; i < HT_FIELDS_MAX; i++)
		ht_buf_release(&o->column[i]);
}

/* --- reading ------------------------------------------------------------------------------ */

static bool store(const struct ht_field *f, uint8_t *record, uint64_t v)
{
	if (f->width == 8) {
		v -= f->plus;
		memcpy(record + f->offset, &v, 8);
		return true;
	}
	if (v > UINT32_MAX)
		return false;
	uint32_t v32 = (uint32_t)v - f->plus;
	memcpy(record + f->offset, &v32, 4);
	return true;
}

/* One column of all records; false when it cannot be right. */
static bool get_column(const struct ht_field *f, unsigned encoding, struct ht_cursor *c, uint8_t *records,
		       size_t size, uint32_t count, uint64_t id)
{
	uint64_t prev = 0;
	for (uint32_t i = 0; i < count; i++, records += size, id++) {
		if (encoding == HT_ENC_BYTES) {
			const uint8_t *bytes = ht_cursor_bytes(c, f->width);
			if (!bytes)
				return false;
			memcpy(records + f->offset, bytes, f->width);
			continue;
		}
		uint64_t v = ht_cursor_varint(c);
		if (encoding == HT_ENC_DELTA)
			prev = v = prev + (uint64_t)ht_unzigzag(v);
		else if (encoding == HT_ENC_BACK && v > id)
			return false;
		else if (encoding == HT_ENC_BACK && v)
			v = id - v;
		if (c->bad || !store(f, records, v))
			return false;
	}
	return !ht_cursor_left(c);
}

/* Which encodings this version can read where it expects f. */
static bool encoding_fits(const struct ht_field *f, unsigned encoding)
{
	if (f->encoding == HT_ENC_BYTES)
		return encoding == HT_ENC_BYTES;
	return encoding == HT_ENC_VARINT || encoding == HT_ENC_DELTA || encoding == HT_ENC_BACK;
}

int ht_table_get(const struct ht_table *t, struct ht_columns *c, void *records, uint32_t count,
		 uint32_t first_id, struct ht_diag *d)
{
	for (unsigned i = 0; i < t->field_count; i++) {
		const struct ht_field *f = &t->fields[i];
		if (!(c->present & 1u << f->column))
			continue;
		unsigned encoding = c->encoding[f->column];
		if (!encoding_fits(f, encoding))
			return ht_fail(d, HT_ERR_VERSION, "column %u has an encoding (%u) that this version does not know",
				       f->column, encoding);
		if (!get_column(f, encoding, &c->at[f->column], records, t->record_size, count, first_id))
			return ht_fail(d, HT_ERR_DAMAGED, "column %u does not hold %u values", f->column, count);
	}
	return 0;
}
