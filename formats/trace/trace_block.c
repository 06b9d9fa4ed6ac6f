/*
 * trace_block: one block, from columns to bytes and back. The only file that knows zstd and the
 * checksum. Everything that comes in is hostile: lengths are checked against the head, the head
 * against its own checksum, and nothing is allocated beyond HT_RAW_MAX.
 */
#include "trace_layout.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#define LEVEL 1

uint64_t ht_trace_hash(const void *data, size_t n)
{
	return XXH64(data, n, 0);
}

static uint8_t *put32(uint8_t *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		*at++ = (uint8_t)(v >> 8 * i);
	return at;
}

static uint8_t *put64(uint8_t *at, uint64_t v)
{
	return put32(put32(at, (uint32_t)v), (uint32_t)(v >> 32));
}

void ht_block_head_put(uint8_t out[HT_BLOCK_HEAD], const struct ht_block_head *h)
{
	uint8_t *at = out;
	memcpy(at, HT_BLOCK_MAGIC, 4);
	at[4] = h->kind;
	at[5] = h->flags;
	at[6] = at[7] = 0;
	at = put64(at + 8, h->first_seq);
	at = put64(at, h->first_ns);
	at = put64(at, h->last_ns);
	at = put64(at, h->payload_hash);
	at = put32(at, h->sequence);
	at = put32(at, h->packed_len);
	at = put32(at, h->raw_len);
	at = put32(at, h->count);
	at = put32(at, h->births);
	put32(at, (uint32_t)ht_trace_hash(out, HT_BLOCK_HEAD - 4));
}

bool ht_block_head_get(struct ht_block_head *h, const uint8_t in[HT_BLOCK_HEAD])
{
	if (memcmp(in, HT_BLOCK_MAGIC, 4))
		return false;
	struct ht_cursor c = {in + 4, in + HT_BLOCK_HEAD, false};
	h->kind = ht_cursor_u8(&c);
	h->flags = ht_cursor_u8(&c);
	ht_cursor_bytes(&c, 2);
	h->first_seq = ht_cursor_u64(&c);
	h->first_ns = ht_cursor_u64(&c);
	h->last_ns = ht_cursor_u64(&c);
	h->payload_hash = ht_cursor_u64(&c);
	h->sequence = ht_cursor_u32(&c);
	h->packed_len = ht_cursor_u32(&c);
	h->raw_len = ht_cursor_u32(&c);
	h->count = ht_cursor_u32(&c);
	h->births = ht_cursor_u32(&c);
	return ht_cursor_u32(&c) == (uint32_t)ht_trace_hash(in, HT_BLOCK_HEAD - 4);
}

/* --- writing ------------------------------------------------------------------------------ */

struct ht_block_packer {
	ZSTD_CCtx *zstd;
};

struct ht_block_packer *ht_block_packer_new(void)
{
	struct ht_block_packer *p = ht_xcalloc(1, sizeof(*p));
	p->zstd = ZSTD_createCCtx();
	if (p->zstd) {
		ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_contentSizeFlag, 1);
		ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 0);
	}
	return p;
}

void ht_block_packer_free(struct ht_block_packer *p)
{
	if (p)
		ZSTD_freeCCtx(p->zstd);
	free(p);
}

/* The compressed length, or 0 when the bytes are better kept as they are. */
static size_t compress(struct ht_block_packer *p, const uint8_t *raw, size_t n, bool kept,
		       struct ht_buf *out)
{
	if (!p->zstd || n < 32)
		return 0;
	size_t bound = ZSTD_compressBound(n);
	ht_buf_reserve(out, bound);
	size_t got = ZSTD_compress2(p->zstd, out->data + out->len, bound, raw, n);
	if (ZSTD_isError(got) || got >= n)
		return 0;
	if (kept && n > got * HT_KEPT_RATIO + HT_KEPT_SLACK)
		return 0;
	return got;
}

void ht_block_pack(struct ht_block_packer *p, struct ht_block_head *h, const uint8_t *raw, size_t n,
		   bool kept, struct ht_buf *out)
{
	size_t head = out->len;
	ht_buf_reserve(out, HT_BLOCK_HEAD);
	out->len += HT_BLOCK_HEAD;
	size_t got = compress(p, raw, n, kept, out);
	h->flags = got ? HT_BLOCK_ZSTD : 0;
	if (got)
		out->len += got;
	else
		ht_buf_append(out, raw, n);
	h->raw_len = (uint32_t)n;
	h->packed_len = (uint32_t)(out->len - head - HT_BLOCK_HEAD);
	h->payload_hash = ht_trace_hash(out->data + head + HT_BLOCK_HEAD, h->packed_len);
	ht_block_head_put(out->data + head, h);
}

void ht_columns_build(struct ht_buf *raw, const struct ht_column_out *c, size_t n)
{
	raw->len = 0;
	unsigned used = 0;
	for (size_t i = 0; i < n; i++)
		used += c[i].len != 0;
	ht_buf_varint(raw, used);
	for (size_t i = 0; i < n; i++) {
		if (!c[i].len)
			continue;
		ht_buf_varint(raw, c[i].id);
		ht_buf_varint(raw, c[i].encoding);
		ht_buf_varint(raw, c[i].len);
	}
	for (size_t i = 0; i < n; i++)
		ht_buf_append(raw, c[i].data, c[i].len);
}

/* --- reading ------------------------------------------------------------------------------ */

static int decompress(void **zstd, const struct ht_block_head *h, const uint8_t *packed,
		      struct ht_buf *raw, struct ht_diag *d)
{
	if (ZSTD_getFrameContentSize(packed, h->packed_len) != h->raw_len ||
	    ZSTD_findFrameCompressedSize(packed, h->packed_len) != h->packed_len)
		return ht_fail(d, HT_ERR_DAMAGED,
			       "its zstd frame has another length than its head says");
	if (!*zstd) {
		*zstd = ZSTD_createDCtx();
		if (!*zstd)
			return ht_fail(d, HT_ERR_MEMORY, "no memory for zstd");
		ZSTD_DCtx_setParameter(*zstd, ZSTD_d_windowLogMax, HT_WINDOW_LOG_MAX);
	}
	size_t got = ZSTD_decompressDCtx(*zstd, raw->data, h->raw_len, packed, h->packed_len);
	if (ZSTD_isError(got))
		return ht_fail(d, HT_ERR_DAMAGED, "zstd: %s", ZSTD_getErrorName(got));
	if (got != h->raw_len)
		return ht_fail(d, HT_ERR_DAMAGED, "it decompresses to %zu bytes instead of %u", got,
			       h->raw_len);
	return 0;
}

int ht_block_unpack(void **zstd, const struct ht_block_head *h, const uint8_t *packed,
		    struct ht_buf *raw, struct ht_diag *d)
{
	raw->len = 0;
	if (ht_trace_hash(packed, h->packed_len) != h->payload_hash)
		return ht_fail(d, HT_ERR_DAMAGED, "its checksum does not match");
	if (h->flags & ~HT_BLOCK_ZSTD)
		return ht_fail(d, HT_ERR_VERSION,
			       "it is packed in a way that this version does not know");
	if (h->raw_len > HT_RAW_MAX || h->packed_len > h->raw_len)
		return ht_fail(d, HT_ERR_LIMIT, "%u bytes are more than a block may hold",
			       h->raw_len);
	ht_buf_reserve(raw, h->raw_len + 1u);
	if (h->flags & HT_BLOCK_ZSTD) {
		int err = decompress(zstd, h, packed, raw, d);
		if (err)
			return err;
	} else {
		if (h->packed_len != h->raw_len)
			return ht_fail(d, HT_ERR_DAMAGED, "its two lengths differ");
		memcpy(raw->data, packed, h->raw_len);
	}
	raw->len = h->raw_len;
	return 0;
}

void ht_block_unpack_release(void *zstd)
{
	ZSTD_freeDCtx(zstd);
}

int ht_columns_parse(struct ht_columns *c, const uint8_t *raw, size_t n, struct ht_diag *d)
{
	struct ht_cursor list = {raw, raw + n, false}, data;
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < HT_COLUMNS_MAX; i++)
		c->at[i] = (struct ht_cursor){raw, raw, false};
	uint64_t count = ht_cursor_varint(&list);
	if (count > 256)
		return ht_fail(d, HT_ERR_LIMIT, "%llu columns are more than 256",
			       (unsigned long long)count);
	data = list;
	for (uint64_t i = 0; i < count * 3; i++)
		ht_cursor_varint(&data);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t id = ht_cursor_varint(&list), encoding = ht_cursor_varint(&list);
		uint64_t len = ht_cursor_varint(&list);
		if (list.bad || data.bad || len > ht_cursor_left(&data))
			return ht_fail(d, HT_ERR_DAMAGED,
				       "column %u runs past the end of its block", (unsigned)i);
		const uint8_t *at = ht_cursor_bytes(&data, len);
		if (id >= HT_COLUMNS_MAX)
			continue;
		if (c->present & 1u << id)
			return ht_fail(d, HT_ERR_DAMAGED, "column %u stands there twice",
				       (unsigned)id);
		c->present |= 1u << id;
		c->encoding[id] = encoding > 255 ? 255 : (uint8_t)encoding;
		c->at[id] = (struct ht_cursor){at, at + len, false};
	}
	if (list.bad || data.bad || ht_cursor_left(&data))
		return ht_fail(d, HT_ERR_DAMAGED, "%zu bytes follow its last column",
			       ht_cursor_left(&data));
	return 0;
}
