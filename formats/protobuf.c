/* protobuf: see protobuf.h. Wire types used: 0 varint, 1 fixed64, 2 length-delimited. */
#include "protobuf.h"

#include <string.h>

#define VARINT 0
#define FIXED64 1
#define DELIMITED 2

static void tag(struct ht_buf *b, unsigned field, unsigned type)
{
	ht_buf_varint(b, (uint64_t)field << 3 | type);
}

void ht_pb_uint(struct ht_buf *b, unsigned field, uint64_t v)
{
	if (v)
		ht_pb_always(b, field, v);
}

void ht_pb_always(struct ht_buf *b, unsigned field, uint64_t v)
{
	tag(b, field, VARINT);
	ht_buf_varint(b, v);
}

void ht_pb_int(struct ht_buf *b, unsigned field, int64_t v)
{
	ht_pb_uint(b, field, (uint64_t)v);
}

void ht_pb_bool(struct ht_buf *b, unsigned field, bool v)
{
	ht_pb_uint(b, field, v);
}

void ht_pb_bytes(struct ht_buf *b, unsigned field, const void *data, size_t n)
{
	tag(b, field, DELIMITED);
	ht_buf_varint(b, n);
	ht_buf_append(b, data, n);
}

void ht_pb_text(struct ht_buf *b, unsigned field, const char *s)
{
	ht_pb_bytes(b, field, s, strlen(s));
}

void ht_pb_fixed64(struct ht_buf *b, unsigned field, uint64_t v)
{
	tag(b, field, FIXED64);
	for (int i = 0; i < 64; i += 8)
		ht_buf_byte(b, (uint8_t)(v >> i));
}

void ht_pb_double(struct ht_buf *b, unsigned field, double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	ht_pb_fixed64(b, field, bits);
}

void ht_pb_packed(struct ht_buf *b, unsigned field, const uint64_t *v, size_t n)
{
	if (!n)
		return;
	size_t mark = ht_pb_begin(b, field);
	for (size_t i = 0; i < n; i++)
		ht_buf_varint(b, v[i]);
	ht_pb_end(b, mark);
}

size_t ht_pb_begin(struct ht_buf *b, unsigned field)
{
	tag(b, field, DELIMITED);
	return b->len;
}

/* The length is known only now: make room for it in front of the content. Messages are small. */
void ht_pb_end(struct ht_buf *b, size_t mark)
{
	uint8_t length[10];
	size_t n = 0, content = b->len - mark;
	for (size_t v = content; ; v >>= 7) {
		length[n++] = (uint8_t)(v >= 0x80 ? v | 0x80 : v);
		if (v < 0x80)
			break;
	}
	ht_buf_reserve(b, n);
	memmove(b->data + mark + n, b->data + mark, content);
	memcpy(b->data + mark, length, n);
	b->len += n;
}
