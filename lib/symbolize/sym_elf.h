/*
 * sym_elf: an ELF file as the reader's child sees it: mapped, its sections unpacked on demand, its build-id.
 * A file that shrinks meanwhile ends the child with SIGBUS, which the parent knows how to read.
 *
 * Packed sections (SHF_COMPRESSED with zlib or zstd, and the older .zdebug_ form) are listed
 * with their unpacked size and, for .zdebug_, under the ordinary name. An unpacked size beyond
 * 64 MiB + 64 times the packed one is refused before anything is unpacked.
 */
#ifndef HT_SYM_ELF_H
#define HT_SYM_ELF_H

#include "base.h"

#include <gelf.h>
#include <libelf.h>

enum sym_packing { SYM_PLAIN, SYM_ZLIB, SYM_ZSTD, SYM_PACKING_UNKNOWN };

struct sym_section {
	const char *name;
	Elf_Scn *scn;
	uint64_t address, size; /* size: unpacked */
	uint64_t offset, stored; /* in the file: of the bytes to unpack or to take as they are */
	uint64_t entry_size;
	uint32_t type, link, info;
	uint64_t flags;
	enum sym_packing packing;
	const uint8_t *data; /* NULL until sym_elf_load */
};

/* Bytes of a section, or none. */
struct sym_span {
	const uint8_t *data;
	uint64_t size;
};

struct sym_elf {
	const uint8_t *image; /* the whole file; lives as long as the child */
	uint64_t file_size;
	Elf *elf;
	bool big_endian, is64;
	uint16_t type, machine; /* ET_, EM_ */
	struct sym_section *sections; /* index = section index of the file */
	size_t section_count;
	uint8_t build_id[64];
	size_t build_id_len;
	uint64_t text_low; /* lowest address of an executable section: what lies below is no code */
};

/* Maps the file and closes fd. HT_ERR_DAMAGED with text in d when it is no ELF file one can use. */
int sym_elf_open(struct sym_elf *e, int fd, struct ht_diag *d);
/* The same of a file in memory, which stays the caller's and must stay. */
int sym_elf_open_image(struct sym_elf *e, const uint8_t *image, uint64_t size, struct ht_diag *d);
/* The first section of that name with contents in the file, or NULL. */
struct sym_section *sym_elf_find(struct sym_elf *e, const char *name);
/* Fills s->data (size bytes); HT_ERR_DAMAGED, HT_ERR_LIMIT or 0. */
int sym_elf_load(struct sym_elf *e, struct sym_section *s, struct ht_diag *d);
/* The section's bytes; none when it is not there or does not load. */
struct sym_span sym_elf_span(struct sym_elf *e, const char *name, struct ht_diag *d);

/* sym_unpack.c: unpacks n bytes into exactly size bytes of out; 0 or HT_ERR_DAMAGED. */
int sym_unpack(enum sym_packing packing, const uint8_t *packed, size_t n, uint8_t *out, size_t size);
/* An .xz file of n bytes: *out (to be freed) and its size; HT_ERR_DAMAGED, or HT_ERR_LIMIT beyond max bytes. */
int sym_unpack_xz(const uint8_t *packed, size_t n, uint64_t max, uint8_t **out, size_t *size);

#endif
