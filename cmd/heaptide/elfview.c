/*
 * elfview: see elfview.h. Reads through one function that refuses what lies outside the file; big
 * tables (symbols, strings) are read in pieces or up to a bound, never whole by a count from the
 * file.
 */
#include "elfview.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MAX_HEADERS = 4096,	 /* program or section headers looked at */
	MAX_SYMBOLS = 4000000,	 /* of one table */
	MAX_STRINGS = 256 << 20, /* bytes of one string table */
	SYMBOLS_AT_ONCE = 4096,
};

struct file {
	int fd;
	uint64_t size;
};

static bool read_at(const struct file *f, void *out, size_t n, uint64_t off)
{
	return off <= f->size && n <= f->size - off &&
	       ht_pread_all(f->fd, out, n, off) == (int64_t)n;
}

/* A part of the file as a heap copy with a NUL behind it, or NULL. */
static char *read_part(const struct file *f, uint64_t off, uint64_t n)
{
	if (off > f->size || n > f->size - off || n > MAX_STRINGS)
		return NULL;
	char *p = ht_xmalloc((size_t)n + 1);
	if (!read_at(f, p, (size_t)n, off)) {
		free(p);
		return NULL;
	}
	p[n] = '\0';
	return p;
}

/* --- program headers ---------------------------------------------------------------------- */

struct segments {
	Elf64_Phdr *items;
	size_t count;
};

static bool to_offset(const struct segments *s, uint64_t vaddr, uint64_t *off)
{
	for (size_t i = 0; i < s->count; i++) {
		const Elf64_Phdr *p = &s->items[i];
		if (p->p_type == PT_LOAD && vaddr >= p->p_vaddr &&
		    vaddr - p->p_vaddr < p->p_filesz) {
			*off = p->p_offset + (vaddr - p->p_vaddr);
			return true;
		}
	}
	return false;
}

static void read_interpreter(struct ht_elf_view *v, const struct file *f, const Elf64_Phdr *p)
{
	size_t n =
	    p->p_filesz < sizeof(v->interpreter) ? (size_t)p->p_filesz : sizeof(v->interpreter) - 1;
	if (!read_at(f, v->interpreter, n, p->p_offset))
		n = 0;
	v->interpreter[n] = '\0';
}

static void read_note(struct ht_elf_view *v, const struct file *f, const Elf64_Phdr *p)
{
	uint64_t at = p->p_offset, end;
	if (__builtin_add_overflow(p->p_offset, p->p_filesz, &end))
		return;
	Elf64_Nhdr n;
	while (at < end && read_at(f, &n, sizeof(n), at)) {
		uint64_t name = at + sizeof(n);
		uint64_t desc = name + (((uint64_t)n.n_namesz + 3) & ~3ull);
		uint8_t id[32];
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && n.n_descsz <= sizeof(id) &&
		    read_at(f, id, n.n_descsz, desc)) {
			for (size_t i = 0; i < n.n_descsz; i++)
				sprintf(v->build_id + 2 * i, "%02x", id[i]);
			return;
		}
		at = desc + (((uint64_t)n.n_descsz + 3) & ~3ull);
	}
}

static void read_dynamic(struct ht_elf_view *v, const struct file *f, const struct segments *s,
			 const Elf64_Phdr *p)
{
	uint64_t names = 0, names_size = 0, off;
	uint64_t needed[HT_ELF_NEEDED_MAX], rpath = UINT64_MAX;
	size_t count = 0;
	bool runpath = false;
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= p->p_filesz; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn d;
		if (at > (1u << 20) || !read_at(f, &d, sizeof(d), p->p_offset + at) ||
		    d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_NEEDED && count < HT_ELF_NEEDED_MAX)
			needed[count++] = d.d_un.d_val;
		else if (d.d_tag == DT_RUNPATH || (d.d_tag == DT_RPATH && !runpath)) {
			runpath |= d.d_tag == DT_RUNPATH;
			rpath = d.d_un.d_val;
		} else if (d.d_tag == DT_STRTAB)
			names = d.d_un.d_ptr;
		else if (d.d_tag == DT_STRSZ)
			names_size = d.d_un.d_val;
	}
	v->has_dynamic = true;
	char *text = to_offset(s, names, &off) ? read_part(f, off, names_size) : NULL;
	for (size_t i = 0; text && i < count; i++)
		if (needed[i] < names_size)
			snprintf(v->needed[v->needed_count++], sizeof(v->needed[0]), "%s",
				 text + needed[i]);
	if (text && rpath < names_size && strlen(text + rpath) < sizeof(v->rpath))
		strcpy(v->rpath, text + rpath);
	free(text);
}

static void read_segments(struct ht_elf_view *v, const struct file *f, const Elf64_Ehdr *h)
{
	struct segments s = {.count = h->e_phnum};
	if (h->e_phentsize != sizeof(Elf64_Phdr) || s.count > MAX_HEADERS || !s.count)
		return;
	s.items = ht_xcalloc(s.count, sizeof(*s.items));
	if (read_at(f, s.items, s.count * sizeof(*s.items), h->e_phoff)) {
		v->readable = true;
		for (size_t i = 0; i < s.count; i++) {
			const Elf64_Phdr *p = &s.items[i];
			if (p->p_type == PT_INTERP)
				read_interpreter(v, f, p);
			else if (p->p_type == PT_NOTE && !v->build_id[0])
				read_note(v, f, p);
			else if (p->p_type == PT_DYNAMIC && !v->has_dynamic)
				read_dynamic(v, f, &s, p);
		}
	}
	free(s.items);
}

/* --- sections: symbols and debug information --------------------------------------------- */

static void note_symbol(struct ht_elf_view *v, const char *name, bool exported)
{
	if (!strcmp(name, "malloc")) {
		v->defines_malloc = true;
		v->exports_malloc |= exported;
	} else if (!strcmp(name, "__asan_init")) {
		v->defines_asan = true;
	} else if (!strcmp(name, "__tsan_init")) {
		v->defines_tsan = true;
	} else if (!strcmp(name, "__msan_init")) {
		v->defines_msan = true;
	}
}

/* What the object offers the loader, or wants of it. */
static void note_new(struct ht_elf_view *v, const Elf64_Sym *s, const char *name)
{
	if (strcmp(name, "_Znwm") && strcmp(name, "_Znam"))
		return;
	if (s->st_shndx == SHN_UNDEF)
		v->imports_new = true;
	else if (ELF64_ST_TYPE(s->st_info) == STT_FUNC)
		v->exports_new = true;
}

static void read_symbols(struct ht_elf_view *v, const struct file *f, const Elf64_Shdr *table,
			 const Elf64_Shdr *strings, bool exported)
{
	uint64_t count = table->sh_size / sizeof(Elf64_Sym);
	char *text =
	    count <= MAX_SYMBOLS ? read_part(f, strings->sh_offset, strings->sh_size) : NULL;
	if (!text)
		return;
	Elf64_Sym *batch = ht_xcalloc(SYMBOLS_AT_ONCE, sizeof(*batch));
	for (uint64_t i = 0; i < count; i += SYMBOLS_AT_ONCE) {
		size_t n = count - i < SYMBOLS_AT_ONCE ? (size_t)(count - i) : SYMBOLS_AT_ONCE;
		if (!read_at(f, batch, n * sizeof(*batch), table->sh_offset + i * sizeof(*batch)))
			break;
		for (size_t k = 0; k < n; k++) {
			const Elf64_Sym *s = &batch[k];
			if (s->st_name >= strings->sh_size || ELF64_ST_TYPE(s->st_info) == STT_FILE)
				continue;
			if (s->st_shndx != SHN_UNDEF)
				note_symbol(v, text + s->st_name, exported);
			if (exported)
				note_new(v, s, text + s->st_name);
		}
	}
	free(batch);
	free(text);
}

static void note_section(struct ht_elf_view *v, const struct file *f, const Elf64_Shdr *all,
			 size_t count, size_t i, const char *name)
{
	const Elf64_Shdr *s = &all[i];
	if (s->sh_type == SHT_NOBITS)
		return;
	if (!strcmp(name, ".debug_info") || !strcmp(name, ".zdebug_info"))
		v->has_debug_info = true;
	else if (!strcmp(name, ".gnu_debuglink"))
		v->has_debug_link = true;
	if ((s->sh_type == SHT_SYMTAB || s->sh_type == SHT_DYNSYM) && s->sh_link < count) {
		v->has_symtab |= s->sh_type == SHT_SYMTAB;
		read_symbols(v, f, s, &all[s->sh_link], s->sh_type == SHT_DYNSYM);
	}
}

static void read_sections(struct ht_elf_view *v, const struct file *f, const Elf64_Ehdr *h)
{
	size_t count = h->e_shnum;
	if (h->e_shentsize != sizeof(Elf64_Shdr) || !count || count > MAX_HEADERS ||
	    h->e_shstrndx >= count)
		return;
	Elf64_Shdr *all = ht_xcalloc(count, sizeof(*all));
	char *names = NULL;
	uint64_t size = 0;
	if (read_at(f, all, count * sizeof(*all), h->e_shoff)) {
		size = all[h->e_shstrndx].sh_size;
		names = read_part(f, all[h->e_shstrndx].sh_offset, size);
	}
	for (size_t i = 0; names && i < count; i++)
		if (all[i].sh_name < size)
			note_section(v, f, all, count, i, names + all[i].sh_name);
	free(names);
	free(all);
}

int ht_elf_view_read(struct ht_elf_view *v, const char *path, struct ht_diag *d)
{
	*v = (struct ht_elf_view){0};
	struct file f = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
	struct stat st;
	if (f.fd < 0 || fstat(f.fd, &st)) {
		int e = errno;
		if (f.fd >= 0)
			close(f.fd);
		return ht_fail(d, HT_ERR_SYSTEM, "%s: cannot be read: %s", path, strerror(e));
	}
	f.size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	Elf64_Ehdr h;
	uint8_t ident[20]; /* e_ident, e_type, e_machine: at the same place in both classes */
	if (read_at(&f, ident, sizeof(ident), 0) && !memcmp(ident, ELFMAG, SELFMAG)) {
		v->is_elf = true;
		v->is_64 = ident[EI_CLASS] == ELFCLASS64;
		v->little = ident[EI_DATA] == ELFDATA2LSB;
		unsigned lo = v->little ? 0 : 1;
		v->type = (uint16_t)(ident[16 + lo] | ident[17 - lo] << 8);
		v->machine = (uint16_t)(ident[18 + lo] | ident[19 - lo] << 8);
		if (v->is_64 && v->little && read_at(&f, &h, sizeof(h), 0)) {
			read_segments(v, &f, &h);
			read_sections(v, &f, &h);
		}
	}
	close(f.fd);
	return 0;
}

const char *ht_elf_machine_name(uint16_t machine)
{
	static char other[24];
	switch (machine) {
	case EM_X86_64:
		return "x86-64";
	case EM_386:
		return "i386";
	case EM_AARCH64:
		return "aarch64";
	case EM_ARM:
		return "arm";
	case EM_RISCV:
		return "riscv";
	case EM_PPC64:
		return "ppc64";
	case EM_S390:
		return "s390";
	}
	snprintf(other, sizeof(other), "machine %u", machine);
	return other;
}

uint16_t ht_elf_native_machine(void)
{
#if defined(__x86_64__)
	return EM_X86_64;
#elif defined(__aarch64__)
	return EM_AARCH64;
#else
	return EM_NONE;
#endif
}
