/*
 * trace_dict: the dictionaries' records as columns, both ways, out of one table per kind. A field
 * says which column it is, how it is written and where it lies in the struct; the two loops in
 * trace_dict.c are the whole codec. Private to this folder.
 */
#ifndef HT_TRACE_DICT_H
#define HT_TRACE_DICT_H

#include "trace.h"
#include "trace_layout.h"

struct ht_field {
	uint8_t column, encoding;
	uint8_t width; /* bytes in the struct: 1, 4, 8; ENC_BYTES: any */
	uint8_t plus;  /* added before writing, so that UINT64_MAX and -1 ("unknown") become 0 */
	uint16_t offset;
};
struct ht_table {
	uint8_t kind, field_count;
	uint16_t record_size;
	const struct ht_field *fields;
};

/* Records that carry their id, as a later one overrides. */
struct ht_image_record {
	uint32_t id;
	struct ht_image image;
};
struct ht_thread_record {
	uint32_t id;
	struct ht_thread_info thread;
};

extern const struct ht_table ht_image_table, ht_module_table, ht_node_table, ht_thread_table, ht_sample_table;

#define HT_FIELDS_MAX 16
/* Records waiting to be written. */
struct ht_table_out {
	const struct ht_table *table;
	struct ht_buf column[HT_FIELDS_MAX];
	uint64_t prev[HT_FIELDS_MAX];
	uint32_t count;
	size_t bytes; /* of all columns */
};
/* id: the record's own, for HT_ENC_BACK. */
void ht_table_put(struct ht_table_out *o, const void *record, uint32_t id);
void ht_table_build(const struct ht_table_out *o, struct ht_buf *raw);
void ht_table_clear(struct ht_table_out *o);
void ht_table_release(struct ht_table_out *o);

/* Decodes count records into zeroed memory of count * record_size bytes. */
int ht_table_get(const struct ht_table *t, struct ht_columns *c, void *records, uint32_t count,
		 uint32_t first_id, struct ht_diag *d);

#endif
