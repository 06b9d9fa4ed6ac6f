/* sym_unpack: zlib and zstd section contents, into a buffer whose size the section header promised. */
#include "sym_elf.h"

#include <limits.h>
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
