/* sym_elf: see sym_elf.h. */
#include "sym_elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKED_SLACK  (UINT64_C(64) << 20)
#define PACKED_RATIO  64
#define SECTION_LIMIT (UINT64_C(4) << 30)

/* From the newer elf.h: Debian 12's libelf does not name it. */
#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

static uint64_t take(const uint8_t *p, size_t n, bool big_endian)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * (big_endian ? n - 1 - i : i);
	return v;
}

static void skip_header(struct sym_section *s, size_t n)
{
	s->offset += n;
	s->stored -= n;
}

/* The compression header of the gABI: type, (reserved,) size, alignment. */
static void peek_compressed(const struct sym_elf *e, struct sym_section *s)
{
	uint8_t h[24];
	size_t n = e->is64 ? 24 : 12;
	s->packing = SYM_PACKING_UNKNOWN;
	if (s->stored < n)
		return;
	memcpy(h, e->image + s->offset, n);
	uint64_t type = take(h, 4, e->big_endian);
	s->size = e->is64 ? take(h + 8, 8, e->big_endian) : take(h + 4, 4, e->big_endian);
	if (type == ELFCOMPRESS_ZLIB)
		s->packing = SYM_ZLIB;
	else if (type == ELFCOMPRESS_ZSTD)
		s->packing = SYM_ZSTD;
	skip_header(s, n);
}

/* GNU's form before that: ".zdebug_x" holds "ZLIB", the size in 8 bytes big endian, the stream. */
static void peek_zdebug(const struct sym_elf *e, struct sym_section *s)
{
	uint8_t h[12];
	if (s->stored < 12 || memcmp(e->image + s->offset, "ZLIB", 4) != 0)
		return;
	memcpy(h, e->image + s->offset, 12);
	char *name = ht_xasprintf(".%s", s->name + 2);
	s->name = name; /* lives as long as the child */
	s->size = take(h + 4, 8, true);
	s->packing = SYM_ZLIB;
	skip_header(s, 12);
}

static void describe(struct sym_elf *e, struct sym_section *s, Elf_Scn *scn, size_t names)
{
	GElf_Shdr h;
	s->name = "";
	s->scn = scn;
	if (!gelf_getshdr(scn, &h))
		return;
	const char *name = elf_strptr(e->elf, names, h.sh_name);
	if (name)
		s->name = name;
	s->address = h.sh_addr;
	s->offset = h.sh_offset;
	s->type = h.sh_type;
	s->flags = h.sh_flags;
	s->link = h.sh_link;
	s->info = h.sh_info;
	s->entry_size = h.sh_entsize;
	s->size = s->stored = h.sh_size;
	if ((h.sh_flags & (SHF_ALLOC | SHF_EXECINSTR)) == (SHF_ALLOC | SHF_EXECINSTR) && h.sh_addr < e->text_low)
		e->text_low = h.sh_addr;
	if (h.sh_type == SHT_NOBITS || h.sh_type == SHT_NULL)
		s->stored = 0;
	else if (h.sh_offset > e->file_size || h.sh_size > e->file_size - h.sh_offset)
		s->packing = SYM_PACKING_UNKNOWN;
	else if (h.sh_flags & SHF_COMPRESSED)
		peek_compressed(e, s);
	else if (!strncmp(s->name, ".zdebug_", 8))
		peek_zdebug(e, s);
}

/* Looks for the GNU build-id among the notes of one chunk; true when found. */
static bool build_id_in(struct sym_elf *e, Elf_Data *data)
{
	GElf_Nhdr note;
	size_t name, desc, at = 0;
	if (!data || !data->d_buf)
		return false;
	while ((at = gelf_getnote(data, at, &note, &name, &desc)) > 0) {
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
		    memcmp((char *)data->d_buf + name, "GNU", 4) != 0)
			continue;
		if (!note.n_descsz || note.n_descsz > sizeof(e->build_id))
			continue;
		memcpy(e->build_id, (char *)data->d_buf + desc, note.n_descsz);
		e->build_id_len = note.n_descsz;
		return true;
	}
	return false;
}

static void find_build_id(struct sym_elf *e)
{
	size_t n = 0;
	for (size_t i = 0; i < e->section_count; i++)
		if (e->sections[i].type == SHT_NOTE && build_id_in(e, elf_getdata(e->sections[i].scn, NULL)))
			return;
	/* No section headers (sstrip): the program headers say the same. */
	if (elf_getphdrnum(e->elf, &n))
		return;
	for (size_t i = 0; i < n && i < 4096; i++) {
		GElf_Phdr p;
		if (gelf_getphdr(e->elf, (int)i, &p) && p.p_type == PT_NOTE && p.p_offset < e->file_size &&
		    p.p_filesz <= e->file_size - p.p_offset &&
		    build_id_in(e, elf_getdata_rawchunk(e->elf, (int64_t)p.p_offset, p.p_filesz, ELF_T_NHDR)))
			return;
	}
}

static int read_headers(struct sym_elf *e, struct ht_diag *d)
{
	GElf_Ehdr h;
	size_t count = 0, names = 0;
	if (elf_kind(e->elf) != ELF_K_ELF || !gelf_getehdr(e->elf, &h))
		return ht_fail(d, HT_ERR_DAMAGED, "not an ELF file");
	e->type = h.e_type;
	e->is64 = gelf_getclass(e->elf) == ELFCLASS64;
	e->big_endian = h.e_ident[EI_DATA] == ELFDATA2MSB;
	e->machine = h.e_machine;
	if (elf_getshdrnum(e->elf, &count) || elf_getshdrstrndx(e->elf, &names))
		return ht_fail(d, HT_ERR_DAMAGED, "section headers: %s", elf_errmsg(-1));
	/* They usually stand at the end: a file cut short has lost them, which libelf reports as none. */
	if (h.e_shoff && (h.e_shoff >= e->file_size || !count || count > (e->file_size - h.e_shoff) / sizeof(Elf32_Shdr)))
		return ht_fail(d, HT_ERR_DAMAGED, "the section headers lie beyond the end of the file");
	if (count > e->file_size / sizeof(Elf32_Shdr) || count > UINT16_MAX)
		return ht_fail(d, HT_ERR_DAMAGED, "%zu section headers in a file of %llu bytes", count,
			       (unsigned long long)e->file_size);
	e->sections = ht_xcalloc(count ? count : 1, sizeof(*e->sections));
	e->section_count = count;
	e->text_low = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		Elf_Scn *scn = elf_getscn(e->elf, i);
		if (!scn)
			return ht_fail(d, HT_ERR_DAMAGED, "section header %zu: %s", i, elf_errmsg(-1));
		describe(e, &e->sections[i], scn, names);
	}
	if (e->text_low == UINT64_MAX)
		e->text_low = 0;
	find_build_id(e);
	return 0;
}

int sym_elf_open_image(struct sym_elf *e, const uint8_t *image, uint64_t size, struct ht_diag *d)
{
	*e = (struct sym_elf){ .image = image, .file_size = size };
	elf_version(EV_CURRENT);
	e->elf = elf_memory((char *)(uintptr_t)image, size);
	if (!e->elf)
		return ht_fail(d, HT_ERR_DAMAGED, "not an ELF file: %s", elf_errmsg(-1));
	int rc = read_headers(e, d);
	if (rc) {
		elf_end(e->elf);
		free(e->sections);
	}
	return rc;
}

int sym_elf_open(struct sym_elf *e, int fd, struct ht_diag *d)
{
	struct stat st;
	*e = (struct sym_elf){ 0 };
	bool ok = fstat(fd, &st) == 0 && st.st_size > 0;
	void *image = ok ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	int why = errno;
	close(fd);
	if (ok && image == MAP_FAILED && why == ENOMEM)
		return ht_fail(d, HT_ERR_LIMIT, "%lld bytes are more than can be mapped", (long long)st.st_size);
	if (image == MAP_FAILED)
		return ht_fail(d, HT_ERR_DAMAGED, ok ? "cannot be read" : "an empty file");
	int rc = sym_elf_open_image(e, image, (uint64_t)st.st_size, d);
	if (rc)
		munmap(image, (size_t)st.st_size);
	return rc;
}

struct sym_section *sym_elf_find(struct sym_elf *e, const char *name)
{
	for (size_t i = 0; i < e->section_count; i++) {
		struct sym_section *s = &e->sections[i];
		if (s->type != SHT_NOBITS && s->size && !strcmp(s->name, name))
			return s;
	}
	return NULL;
}

int sym_elf_load(struct sym_elf *e, struct sym_section *s, struct ht_diag *d)
{
	if (s->data)
		return 0;
	if (s->packing == SYM_PACKING_UNKNOWN)
		return ht_fail(d, HT_ERR_DAMAGED, "%s: beyond the end of the file, or packed in an unknown way", s->name);
	if (s->packing == SYM_PLAIN) {
		s->data = e->image + s->offset;
		return 0;
	}
	if (s->size > SECTION_LIMIT || s->size > PACKED_SLACK + PACKED_RATIO * s->stored)
		return ht_fail(d, HT_ERR_LIMIT, "%s: %llu bytes unpacked from %llu", s->name,
			       (unsigned long long)s->size, (unsigned long long)s->stored);
	uint8_t *out = ht_xmalloc(s->size + 1);
	int rc = sym_unpack(s->packing, e->image + s->offset, s->stored, out, s->size);
	if (rc) {
		free(out);
		return ht_fail(d, rc, "%s: does not unpack to its %llu bytes", s->name, (unsigned long long)s->size);
	}
	s->data = out;
	return 0;
}

struct sym_span sym_elf_span(struct sym_elf *e, const char *name, struct ht_diag *d)
{
	struct sym_section *s = sym_elf_find(e, name);
	if (!s || sym_elf_load(e, s, d))
		return (struct sym_span){ 0 };
	return (struct sym_span){ s->data, s->size };
}
