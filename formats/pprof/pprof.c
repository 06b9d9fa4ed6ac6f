/*
 * pprof: a profile as profile.proto. Messages go out one by one through gzip, so memory is that of
 * the string table; it comes last, as strings are numbered while the rest is written.
 *
 * Field numbers are those of google/pprof's proto/profile.proto. Ids are index + 1, since 0 means
 * "none" there.
 */
#include "pprof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "protobuf.h"

enum profile_field {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_DROP_FRAMES = 7,
	PROFILE_KEEP_FRAMES = 8,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};

/* Strings by content, numbered as they come; 0 is "" and marks an empty slot. */
struct strings {
	const char **items; /* [0] is "" */
	size_t count, cap;
	uint32_t *slots;
	size_t mask;
};

struct output {
	int fd;
	z_stream z;
	int error; /* errno of the first failure */
	struct ht_buf message;
	struct strings strings;
};

/* --- strings ------------------------------------------------------------------------------ */

static uint64_t hash_text(const char *s)
{
	uint64_t h = ht_hash_text(HT_HASH_START, s);
	return h ^ h >> 32;
}

static size_t slot_for(const struct strings *t, const char *s)
{
	size_t i = hash_text(s) & t->mask;
	while (t->slots[i] && strcmp(t->items[t->slots[i]], s))
		i = (i + 1) & t->mask;
	return i;
}

static void grow_slots(struct strings *t)
{
	size_t slots = t->slots ? (t->mask + 1) * 2 : 1024;
	free(t->slots);
	t->slots = ht_xcalloc(slots, sizeof(*t->slots));
	t->mask = slots - 1;
	for (size_t i = 1; i < t->count; i++)
		t->slots[slot_for(t, t->items[i])] = (uint32_t)i;
}

static uint64_t string_id(struct strings *t, const char *s)
{
	if (!s || !*s)
		return 0;
	if (t->count * 2 >= t->mask)
		grow_slots(t);
	size_t slot = slot_for(t, s);
	if (t->slots[slot])
		return t->slots[slot];
	if (t->count == t->cap) {
		t->cap = t->cap * 2;
		t->items = ht_xrealloc(t->items, t->cap, sizeof(*t->items));
	}
	t->items[t->count] = s;
	t->slots[slot] = (uint32_t)t->count;
	return t->count++;
}

static void init_strings(struct strings *t)
{
	t->cap = 256;
	t->items = ht_xcalloc(t->cap, sizeof(*t->items));
	t->items[0] = "";
	t->count = 1;
	grow_slots(t);
}

/* --- gzip --------------------------------------------------------------------------------- */

/* Compresses what the message buffer holds and writes what comes out. */
static void deliver(struct output *o, int flush)
{
	uint8_t out[32768];
	int code = Z_OK;
	o->z.next_in = o->message.data;
	o->z.avail_in = (uInt)o->message.len;
	do {
		o->z.next_out = out;
		o->z.avail_out = sizeof(out);
		code = deflate(&o->z, flush);
		size_t n = sizeof(out) - o->z.avail_out;
		if (!o->error && n && ht_write_all(o->fd, out, n) < 0)
			o->error = errno;
	} while (!o->error && (o->z.avail_in || o->z.avail_out == 0 || (flush == Z_FINISH && code == Z_OK)));
	o->message.len = 0;
}

static void deliver_if_large(struct output *o)
{
	if (o->message.len >= 65536)
		deliver(o, Z_NO_FLUSH);
}

/* --- the messages ------------------------------------------------------------------------- */

static void write_type(struct output *o, unsigned field, const struct ht_profile_type *t)
{
	struct ht_buf *b = &o->message;
	size_t mark = ht_pb_begin(b, field);
	ht_pb_uint(b, 1, string_id(&o->strings, t->type));
	ht_pb_uint(b, 2, string_id(&o->strings, t->unit));
	ht_pb_end(b, mark);
}

static void write_label(struct output *o, const struct ht_profile_label *l)
{
	struct ht_buf *b = &o->message;
	size_t mark = ht_pb_begin(b, 3);
	ht_pb_uint(b, 1, string_id(&o->strings, l->key));
	if (l->str) {
		ht_pb_uint(b, 2, string_id(&o->strings, l->str));
	} else {
		ht_pb_int(b, 3, l->num);
		ht_pb_uint(b, 4, string_id(&o->strings, l->unit));
	}
	ht_pb_end(b, mark);
}

static void write_sample(struct output *o, const struct ht_profile *p, const struct ht_profile_sample *s)
{
	struct ht_buf *b = &o->message;
	bool any = false;
	for (size_t i = 0; i < p->type_count; i++)
		any |= s->values[i] != 0;
	if (!any)
		return; /* would vanish on the first merge */
	size_t mark = ht_pb_begin(b, PROFILE_SAMPLE), inner;
	if (s->location_count) {
		inner = ht_pb_begin(b, 1);
		for (size_t i = 0; i < s->location_count; i++)
			ht_buf_varint(b, (uint64_t)s->locations[i] + 1);
		ht_pb_end(b, inner);
	}
	inner = ht_pb_begin(b, 2);
	for (size_t i = 0; i < p->type_count; i++)
		ht_buf_varint(b, (uint64_t)s->values[i]);
	ht_pb_end(b, inner);
	for (size_t i = 0; i < s->label_count; i++)
		write_label(o, &s->labels[i]);
	ht_pb_end(b, mark);
}

static void write_mapping(struct output *o, uint64_t id, const struct ht_profile_mapping *m)
{
	struct ht_buf *b = &o->message;
	size_t mark = ht_pb_begin(b, PROFILE_MAPPING);
	ht_pb_uint(b, 1, id);
	ht_pb_uint(b, 2, m->start);
	ht_pb_uint(b, 3, m->limit);
	ht_pb_uint(b, 4, m->offset);
	ht_pb_uint(b, 5, string_id(&o->strings, m->file));
	ht_pb_uint(b, 6, string_id(&o->strings, m->build_id));
	ht_pb_bool(b, 7, m->has_functions);
	ht_pb_bool(b, 8, m->has_files);
	ht_pb_bool(b, 9, m->has_lines);
	ht_pb_bool(b, 10, m->has_inlines);
	ht_pb_end(b, mark);
}

static void write_location(struct output *o, uint64_t id, const struct ht_profile_location *l)
{
	struct ht_buf *b = &o->message;
	size_t mark = ht_pb_begin(b, PROFILE_LOCATION);
	ht_pb_uint(b, 1, id);
	ht_pb_uint(b, 2, l->mapping);
	ht_pb_uint(b, 3, l->address);
	for (size_t i = 0; i < l->line_count; i++) {
		size_t line = ht_pb_begin(b, 4);
		ht_pb_uint(b, 1, (uint64_t)l->lines[i].function + 1);
		ht_pb_uint(b, 2, l->lines[i].line);
		ht_pb_end(b, line);
	}
	ht_pb_end(b, mark);
}

static void write_function(struct output *o, uint64_t id, const struct ht_profile_function *f)
{
	struct ht_buf *b = &o->message;
	size_t mark = ht_pb_begin(b, PROFILE_FUNCTION);
	ht_pb_uint(b, 1, id);
	ht_pb_uint(b, 2, string_id(&o->strings, f->name));
	ht_pb_uint(b, 3, string_id(&o->strings, f->system_name));
	ht_pb_uint(b, 4, string_id(&o->strings, f->file));
	ht_pb_uint(b, 5, f->start_line);
	ht_pb_end(b, mark);
}

static void write_head(struct output *o, const struct ht_profile *p)
{
	struct ht_buf *b = &o->message;
	uint64_t *comments = ht_xcalloc(p->comment_count, sizeof(*comments));
	for (size_t i = 0; i < p->type_count; i++)
		write_type(o, PROFILE_SAMPLE_TYPE, &p->types[i]);
	ht_pb_uint(b, PROFILE_DROP_FRAMES, string_id(&o->strings, p->drop_frames));
	ht_pb_uint(b, PROFILE_KEEP_FRAMES, string_id(&o->strings, p->keep_frames));
	ht_pb_int(b, PROFILE_TIME_NANOS, p->time_ns);
	ht_pb_int(b, PROFILE_DURATION_NANOS, p->duration_ns);
	write_type(o, PROFILE_PERIOD_TYPE, &p->period_type);
	ht_pb_int(b, PROFILE_PERIOD, p->period);
	for (size_t i = 0; i < p->comment_count; i++)
		comments[i] = string_id(&o->strings, p->comments[i]);
	ht_pb_packed(b, PROFILE_COMMENT, comments, p->comment_count);
	ht_pb_uint(b, PROFILE_DEFAULT_SAMPLE_TYPE, string_id(&o->strings, p->default_type));
	free(comments);
}

static void write_everything(struct output *o, const struct ht_profile *p)
{
	write_head(o, p);
	for (size_t i = 0; i < p->mapping_count; i++, deliver_if_large(o))
		write_mapping(o, i + 1, &p->mappings[i]);
	for (size_t i = 0; i < p->sample_count; i++, deliver_if_large(o))
		write_sample(o, p, &p->samples[i]);
	for (size_t i = 0; i < p->location_count; i++, deliver_if_large(o))
		write_location(o, i + 1, &p->locations[i]);
	for (size_t i = 0; i < p->function_count; i++, deliver_if_large(o))
		write_function(o, i + 1, &p->functions[i]);
	for (size_t i = 0; i < o->strings.count; i++, deliver_if_large(o))
		ht_pb_bytes(&o->message, PROFILE_STRING_TABLE, o->strings.items[i], strlen(o->strings.items[i]));
	deliver(o, Z_FINISH);
}

/* All value types go in; value_index has chosen default_type already. */
static int write_profile(const struct ht_profile *p, size_t value_index, int fd, struct ht_diag *d)
{
	struct output o = {.fd = fd};
	(void)value_index;
	/* 16: with gzip's header, which gets no time and no name: equal profiles make equal files. */
	if (deflateInit2(&o.z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return ht_fail(d, HT_ERR_MEMORY, "gzip: out of memory");
	init_strings(&o.strings);
	write_everything(&o, p);
	deflateEnd(&o.z);
	ht_buf_release(&o.message);
	free(o.strings.items);
	free(o.strings.slots);
	if (o.error)
		return ht_fail(d, HT_ERR_SYSTEM, "cannot be written: %s", strerror(o.error));
	return 0;
}

const struct ht_exporter ht_exporter_pprof = {
	.name = "pprof",
	.extension = ".pb.gz",
	.summary = "profile.proto, for go tool pprof and pprof",
	.binary = true,
	.write_profile = write_profile,
};
