/*
 * sym_unpack: zlib and zstd section contents, into a buffer whose size the section header promised, and the
 * small ELF file that .gnu_debugdata holds as .xz, whose size only unpacking tells.
 */
#include "sym_elf.h"

#include <limits.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

static unsigned clip(size_t n)
{
	return n > UINT_MAX ? UINT_MAX : (unsigned)n;
}

static int unpack_zlib(const uint8_t *packed, size_t n, uint8_t *out, size_t size)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)packed };
	if (inflateInit(&z) != Z_OK)
		return HT_ERR_MEMORY;
	size_t in_left = n, out_left = size;
	int rc = Z_OK;
	z.next_out = out;
	/* zlib counts in 32 bits, sections do not. */
	while (rc == Z_OK && (in_left || z.avail_in) && (out_left || z.avail_out)) {
		if (!z.avail_in) {
			z.avail_in = clip(in_left);
			in_left -= z.avail_in;
		}
		if (!z.avail_out) {
			z.avail_out = clip(out_left);
			out_left -= z.avail_out;
		}
		rc = inflate(&z, Z_NO_FLUSH);
	}
	bool filled = !out_left && !z.avail_out;
	inflateEnd(&z);
	return filled && (rc == Z_STREAM_END || rc == Z_OK) ? 0 : HT_ERR_DAMAGED;
}

int sym_unpack(enum sym_packing packing, const uint8_t *packed, size_t n, uint8_t *out, size_t size)
{
	if (packing == SYM_ZLIB)
		return unpack_zlib(packed, n, out, size);
	if (packing == SYM_ZSTD)
		return ZSTD_decompress(out, size, packed, n) == size ? 0 : HT_ERR_DAMAGED;
	return HT_ERR_DAMAGED;
}

int sym_unpack_xz(const uint8_t *packed, size_t n, uint64_t max, uint8_t **out, size_t *size)
{
	lzma_stream z = LZMA_STREAM_INIT;
	struct ht_buf b = { 0 };
	if (lzma_stream_decoder(&z, max, 0) != LZMA_OK)
		return HT_ERR_MEMORY;
	z.next_in = packed;
	z.avail_in = n;
	lzma_ret rc = LZMA_OK;
	while (rc == LZMA_OK && b.len < max) {
		ht_buf_reserve(&b, b.len ? b.len : 1 << 16);
		z.next_out = b.data + b.len;
		z.avail_out = b.cap - b.len;
		rc = lzma_code(&z, LZMA_FINISH);
		b.len = b.cap - z.avail_out;
	}
	lzma_end(&z);
	if (rc != LZMA_STREAM_END) {
		ht_buf_release(&b);
		return rc == LZMA_OK || rc == LZMA_MEMLIMIT_ERROR ? HT_ERR_LIMIT : HT_ERR_DAMAGED;
	}
	*out = b.data;
	*size = b.len;
	return 0;
}
