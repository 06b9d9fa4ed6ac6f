/*
 * image: the executable code of an ELF file: bytes by link-time address, the extents of functions as its unwind table
 * has them, and which of its calls may return twice. The file is hostile input: every offset and
 * count is checked against its size.
 */
#ifndef HT_IMAGE_CODE_H
#define HT_IMAGE_CODE_H

#include "base.h"

struct ht_extent {
	uint64_t start, end;
	bool landing; /* has a table of landing pads */
};

struct ht_image_code {
	int fd;
	uint8_t *data;	   /* as large as the file; what was not read yet is not there */
	uint8_t *is_read;  /* per chunk */
	size_t size;
	struct ht_segment {
		uint64_t vaddr, offset, size;
	} segments[16];
	size_t segment_count;
	uint64_t eh_frame_hdr;
	uint64_t dynamic, dynamic_size, symbols, strings, strings_size;
	uint64_t twice[8]; /* where addresses of setjmp and kin stand in its offset table */
	size_t twice_count;
};

/* 0; HT_ABSENT: no such file, another build-id, another machine's, or nothing usable. */
int ht_image_open(struct ht_image_code *m, const char *path, const uint8_t *build_id, size_t build_id_length);
void ht_image_close(struct ht_image_code *m);
/* n bytes at the address, or NULL. */
const uint8_t *ht_image_bytes(const struct ht_image_code *m, uint64_t vaddr, uint64_t n);
/* The extent that holds the address. */
bool ht_image_extent(const struct ht_image_code *m, uint64_t vaddr, struct ht_extent *e);
#endif
