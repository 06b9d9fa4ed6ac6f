/* image: see image.h. Only x86-64 is read: of other machines there is no code at hand. */
#include "image.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE (UINT64_C(1) << 32)
#define CHUNK ((size_t)64 << 10)

static bool read_chunk(const struct ht_image_code *m, size_t chunk)
{
	size_t offset = chunk * CHUNK, n = m->size - offset < CHUNK ? m->size - offset : CHUNK;
	m->is_read[chunk] = ht_pread_all(m->fd, m->data + offset, n, offset) == (int64_t)n ? 1 : 2;
	return m->is_read[chunk] == 1;
}

static const void *at(const struct ht_image_code *m, uint64_t offset, uint64_t n)
{
	if (offset > m->size || n > m->size - offset)
		return NULL;
	for (size_t c = offset / CHUNK; n && c <= (offset + n - 1) / CHUNK; c++)
		if (m->is_read[c] != 1 && (m->is_read[c] == 2 || !read_chunk(m, c)))
			return NULL;
	return m->data + offset;
}

static bool copy(const struct ht_image_code *m, uint64_t offset, void *to, size_t n)
{
	const void *from = at(m, offset, n);
	if (from)
		memcpy(to, from, n);
	return from != NULL;
}

const uint8_t *ht_image_bytes(const struct ht_image_code *m, uint64_t vaddr, uint64_t n)
{
	for (size_t i = 0; i < m->segment_count; i++) {
		const struct ht_segment *s = &m->segments[i];
		if (vaddr >= s->vaddr && vaddr - s->vaddr < s->size && n <= s->size - (vaddr - s->vaddr))
			return at(m, s->offset + (vaddr - s->vaddr), n);
	}
	return NULL;
}

static bool same_build_id(const struct ht_image_code *m, uint64_t offset, uint64_t size, const uint8_t *id, size_t n)
{
	uint64_t end = offset + size;
	while (offset + sizeof(Elf64_Nhdr) <= end) {
		Elf64_Nhdr note;
		if (!copy(m, offset, &note, sizeof(note)))
			return false;
		uint64_t name = offset + sizeof(note), desc = name + ((note.n_namesz + UINT64_C(3)) & ~UINT64_C(3));
		const char *text = at(m, name, 4);
		const uint8_t *bytes = at(m, desc, note.n_descsz);
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && text && !memcmp(text, "GNU", 4))
			return bytes && note.n_descsz == n && !memcmp(bytes, id, n);
		offset = desc + ((note.n_descsz + UINT64_C(3)) & ~UINT64_C(3));
	}
	return false;
}

static int open_file(struct ht_image_code *m, const char *path)
{
	struct stat st;
	m->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (m->fd < 0 || fstat(m->fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > MAX_FILE)
		return HT_ABSENT;
	void *space = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (space == MAP_FAILED)
		return HT_ABSENT;
	m->data = space;
	m->size = (size_t)st.st_size;
	m->is_read = ht_xcalloc(m->size / CHUNK + 1, 1);
	return 0;
}

static bool read_headers(struct ht_image_code *m, const uint8_t *id, size_t n)
{
	Elf64_Ehdr e;
	Elf64_Phdr p;
	bool same = !n;
	if (!copy(m, 0, &e, sizeof(e)) || memcmp(e.e_ident, ELFMAG, SELFMAG) || e.e_ident[EI_CLASS] != ELFCLASS64 ||
	    e.e_machine != EM_X86_64 || e.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	for (unsigned i = 0; i < e.e_phnum; i++) {
		if (!copy(m, e.e_phoff + i * sizeof(p), &p, sizeof(p)))
			return false;
		if (p.p_type == PT_LOAD && m->segment_count < HT_ARRAY_SIZE(m->segments))
			m->segments[m->segment_count++] =
				(struct ht_segment){p.p_vaddr, p.p_offset, p.p_filesz};
		else if (p.p_type == PT_GNU_EH_FRAME)
			m->eh_frame_hdr = p.p_vaddr;
		else if (p.p_type == PT_DYNAMIC)
			m->dynamic = p.p_vaddr, m->dynamic_size = p.p_filesz;
		else if (p.p_type == PT_NOTE)
			same |= same_build_id(m, p.p_offset, p.p_filesz, id, n);
	}
	return same && m->eh_frame_hdr;
}

void ht_image_close(struct ht_image_code *m)
{
	if (m->data)
		munmap(m->data, m->size);
	if (m->fd >= 0)
		close(m->fd);
	free(m->is_read);
	*m = (struct ht_image_code){.fd = -1};
}

/* --- extents: the unwind table ------------------------------------------------------------ */

static bool get_i32(const struct ht_image_code *m, uint64_t vaddr, int32_t *v)
{
	const uint8_t *p = ht_image_bytes(m, vaddr, sizeof(*v));
	if (p)
		memcpy(v, p, sizeof(*v));
	return p != NULL;
}

/* The search table of .eh_frame_hdr in its one common form: pairs of 32-bit distances from its own start, sorted. */
static uint64_t find_entry(const struct ht_image_code *m, uint64_t vaddr)
{
	const uint8_t *head = ht_image_bytes(m, m->eh_frame_hdr, 12);
	int32_t count, start, entry;
	if (!head || head[0] != 1 || head[2] != 0x03 || head[3] != 0x3b ||
	    !get_i32(m, m->eh_frame_hdr + 8, &count) || count <= 0)
		return 0;
	uint32_t lo = 0, hi = (uint32_t)count;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (!get_i32(m, m->eh_frame_hdr + 12 + UINT64_C(8) * mid, &start))
			return 0;
		if (m->eh_frame_hdr + (uint64_t)(int64_t)start <= vaddr)
			lo = mid;
		else
			hi = mid;
	}
	if (!get_i32(m, m->eh_frame_hdr + 12 + UINT64_C(8) * lo + 4, &entry))
		return 0;
	return m->eh_frame_hdr + (uint64_t)(int64_t)entry;
}

/* Pointers as 32-bit pc-relative is what all compilers write for x86-64 and aarch64; others are not read. */
static bool read_cie(const struct ht_image_code *m, uint64_t cie, bool *landing)
{
	const uint8_t *head = ht_image_bytes(m, cie, 64);
	bool relative = false;
	*landing = false;
	if (!head || (head[8] != 1 && head[8] != 3) || !memchr(head + 9, 0, 16))
		return false;
	const char *augmentation = (const char *)head + 9;
	struct ht_cursor c = {head + 9 + strlen(augmentation) + 1, head + 64, false};
	ht_cursor_varint(&c);
	ht_cursor_varint(&c);
	ht_cursor_varint(&c);
	if (*augmentation != 'z')
		return false;
	ht_cursor_varint(&c);
	for (const char *a = augmentation + 1; *a && !c.bad; a++) {
		if (*a == 'R') {
			relative = (ht_cursor_u8(&c) & 0x7f) == 0x1b;
		} else if (*a == 'P') {
			uint8_t encoding = ht_cursor_u8(&c) & 0x0f;
			ht_cursor_bytes(&c, encoding == 0x0b || encoding == 0x03 ? 4 : 8);
		} else if (*a == 'L') {
			*landing = ht_cursor_u8(&c) != 0xff;
		}
	}
	return relative && !c.bad;
}

bool ht_image_extent(const struct ht_image_code *m, uint64_t vaddr, struct ht_extent *e)
{
	uint64_t fde = find_entry(m, vaddr);
	int32_t length, back, start, range;
	bool landing;
	if (!fde || !get_i32(m, fde, &length) || !get_i32(m, fde + 4, &back) || !get_i32(m, fde + 8, &start) ||
	    !get_i32(m, fde + 12, &range) || !read_cie(m, fde + 4 - (uint64_t)(int64_t)back, &landing))
		return false;
	e->start = fde + 8 + (uint64_t)(int64_t)start;
	e->end = e->start + (uint32_t)range;
	e->landing = false;
	if (landing) {
		const uint8_t *size = ht_image_bytes(m, fde + 16, 5);
		int32_t table;
		e->landing = size && size[0] >= 4 && get_i32(m, fde + 17, &table) && table;
	}
	return vaddr >= e->start && vaddr < e->end;
}

/* --- imports ------------------------------------------------------------------------------ */

static uint64_t dynamic_entry(const struct ht_image_code *m, int64_t tag)
{
	for (uint64_t i = 0; i + sizeof(Elf64_Dyn) <= m->dynamic_size; i += sizeof(Elf64_Dyn)) {
		const uint8_t *p = ht_image_bytes(m, m->dynamic + i, sizeof(Elf64_Dyn));
		Elf64_Dyn d;
		if (!p)
			return 0;
		memcpy(&d, p, sizeof(d));
		if (d.d_tag == tag)
			return d.d_un.d_val;
	}
	return 0;
}

static const char *symbol_name(const struct ht_image_code *m, uint64_t index)
{
	const uint8_t *p = ht_image_bytes(m, m->symbols + index * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
	uint64_t size = m->strings_size;
	Elf64_Sym s;
	if (!p)
		return NULL;
	memcpy(&s, p, sizeof(s));
	const uint8_t *all = s.st_name < size ? ht_image_bytes(m, m->strings, size) : NULL;
	return all && memchr(all + s.st_name, 0, size - s.st_name) ? (const char *)all + s.st_name : NULL;
}

static void search(struct ht_image_code *m, uint64_t table, uint64_t size)
{
	static const char *const names[] = {"setjmp", "_setjmp", "__sigsetjmp", "sigsetjmp", "vfork", "getcontext"};
	for (uint64_t i = 0; table && i + sizeof(Elf64_Rela) <= size; i += sizeof(Elf64_Rela)) {
		const uint8_t *p = ht_image_bytes(m, table + i, sizeof(Elf64_Rela));
		Elf64_Rela r;
		if (!p)
			return;
		memcpy(&r, p, sizeof(r));
		if (ELF64_R_TYPE(r.r_info) != R_X86_64_JUMP_SLOT && ELF64_R_TYPE(r.r_info) != R_X86_64_GLOB_DAT)
			continue;
		const char *name = symbol_name(m, ELF64_R_SYM(r.r_info));
		for (size_t k = 0; name && k < HT_ARRAY_SIZE(names); k++)
			if (!strcmp(name, names[k]) && m->twice_count < HT_ARRAY_SIZE(m->twice))
				m->twice[m->twice_count++] = r.r_offset;
	}
}

static void find_twice(struct ht_image_code *m)
{
	m->symbols = dynamic_entry(m, DT_SYMTAB);
	m->strings = dynamic_entry(m, DT_STRTAB);
	m->strings_size = dynamic_entry(m, DT_STRSZ);
	search(m, dynamic_entry(m, DT_JMPREL), dynamic_entry(m, DT_PLTRELSZ));
	search(m, dynamic_entry(m, DT_RELA), dynamic_entry(m, DT_RELASZ));
}

int ht_image_open(struct ht_image_code *m, const char *path, const uint8_t *build_id, size_t build_id_length)
{
	*m = (struct ht_image_code){.fd = -1};
	if (open_file(m, path) || !read_headers(m, build_id, build_id_length)) {
		ht_image_close(m);
		return HT_ABSENT;
	}
	find_twice(m);
	return 0;
}
