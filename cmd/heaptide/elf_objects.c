/* elf_objects: see elf_objects.h. Every offset is checked against the file's size; tables are bounded and read in
 * pieces. */
#include "elf_objects.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SECTIONS = 4096, MAX_SYMBOLS = 4000000, MAX_NAME = 256, AT_ONCE = 4096 };

struct file {
	int fd;
	uint64_t size;
};

static bool read_at(const struct file *f, void *out, size_t n, uint64_t off)
{
	return off <= f->size && n <= f->size - off && ht_pread_all(f->fd, out, n, off) == (int64_t)n;
}

static char *read_name(const struct file *f, const Elf64_Shdr *strings, uint32_t at)
{
	char text[MAX_NAME + 1];
	if (at >= strings->sh_size || strings->sh_offset > f->size)
		return NULL;
	uint64_t left = strings->sh_size - at;
	size_t n = left < MAX_NAME ? (size_t)left : MAX_NAME;
	if (n > f->size - strings->sh_offset || !read_at(f, text, n, strings->sh_offset + at))
		return NULL;
	text[n] = '\0';
	return *text ? ht_xstrdup(text) : NULL;
}

struct best {
	uint64_t size, start;
	uint32_t name;
	size_t strings; /* section; 0: none yet */
};

static void take_symbol(const Elf64_Sym *s, size_t strings, const struct ht_elf_object *objects, struct best *best,
			size_t count)
{
	unsigned type = ELF64_ST_TYPE(s->st_info);
	if ((type != STT_OBJECT && type != STT_COMMON) || s->st_shndx == SHN_UNDEF)
		return;
	for (size_t i = 0; i < count; i++) {
		if (objects[i].address < s->st_value || objects[i].address - s->st_value >= s->st_size)
			continue;
		if (!best[i].strings || s->st_size < best[i].size)
			best[i] = (struct best){s->st_size, s->st_value, s->st_name, strings};
	}
}

static void read_table(const struct file *f, const Elf64_Shdr *table, const struct ht_elf_object *objects,
		       struct best *best, size_t count)
{
	uint64_t symbols = table->sh_size / sizeof(Elf64_Sym);
	Elf64_Sym *batch = ht_xcalloc(AT_ONCE, sizeof(*batch));
	for (uint64_t i = 0; i < symbols && symbols <= MAX_SYMBOLS; i += AT_ONCE) {
		size_t n = symbols - i < AT_ONCE ? (size_t)(symbols - i) : AT_ONCE;
		if (table->sh_offset > f->size ||
		    !read_at(f, batch, n * sizeof(*batch), table->sh_offset + i * sizeof(*batch)))
			break;
		for (size_t k = 0; k < n; k++)
			take_symbol(&batch[k], table->sh_link, objects, best, count);
	}
	free(batch);
}

static void read_tables(const struct file *f, const Elf64_Ehdr *h, struct ht_elf_object *objects, size_t count)
{
	size_t n = h->e_shnum;
	if (h->e_shentsize != sizeof(Elf64_Shdr) || !n || n > MAX_SECTIONS)
		return;
	Elf64_Shdr *all = ht_xcalloc(n, sizeof(*all));
	struct best *best = ht_xcalloc(count, sizeof(*best));
	if (read_at(f, all, n * sizeof(*all), h->e_shoff)) {
		for (size_t i = 0; i < n; i++)
			if ((all[i].sh_type == SHT_SYMTAB || all[i].sh_type == SHT_DYNSYM) && all[i].sh_link &&
			    all[i].sh_link < n)
				read_table(f, &all[i], objects, best, count);
		for (size_t i = 0; i < count; i++) {
			objects[i].start = best[i].start;
			objects[i].name = best[i].strings ? read_name(f, &all[best[i].strings], best[i].name) : NULL;
		}
	}
	free(best);
	free(all);
}

void ht_elf_objects_find(const char *path, struct ht_elf_object *objects, size_t count)
{
	struct file f = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
	struct stat st;
	Elf64_Ehdr h;
	if (f.fd < 0)
		return;
	if (count && fstat(f.fd, &st) == 0 && S_ISREG(st.st_mode)) {
		f.size = (uint64_t)st.st_size;
		if (read_at(&f, &h, sizeof(h), 0) && !memcmp(h.e_ident, ELFMAG, SELFMAG) &&
		    h.e_ident[EI_CLASS] == ELFCLASS64 && h.e_ident[EI_DATA] == ELFDATA2LSB)
			read_tables(&f, &h, objects, count);
	}
	close(f.fd);
}
