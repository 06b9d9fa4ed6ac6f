/* code_maps: see code_maps.h. */
#include "code_maps.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MS 1000000ull
#define WAIT_FIRST (100 * MS)
#define WAIT_MOST (10000 * MS)
#define RANGES_MAX 4096u
#define HEADERS_MAX 64u
#define NOTES_MAX 4096u
#define PAGE 4096ull

struct range {
	uint64_t start, end, offset, inode;
	char *path; /* NULL: it was looked at, for better or worse */
};
struct ht_code_maps {
	struct range *ranges;
	size_t count, cap;
	uint64_t next_look, wait;
};

/* --- the file ----------------------------------------------------------------------------- */

static void take_build_id(int fd, const Elf64_Phdr *p, struct ht_module *m)
{
	uint8_t notes[NOTES_MAX];
	int64_t n = ht_pread_all(fd, notes, p->p_filesz < sizeof(notes) ? (size_t)p->p_filesz : sizeof(notes), p->p_offset);
	struct ht_cursor c = {.at = notes, .end = notes + (n > 0 ? n : 0)};
	while (!m->build_id_len && ht_cursor_left(&c) >= sizeof(Elf64_Nhdr)) {
		uint32_t name = ht_cursor_u32(&c), desc = ht_cursor_u32(&c), type = ht_cursor_u32(&c);
		if (name > NOTES_MAX || desc > NOTES_MAX)
			return;
		const uint8_t *id = ht_cursor_bytes(&c, ((size_t)name + 3) & ~(size_t)3);
		id = ht_cursor_bytes(&c, ((size_t)desc + 3) & ~(size_t)3);
		if (!id)
			return;
		if (type == NT_GNU_BUILD_ID && name == 4 && desc <= HT_BUILD_ID_MAX) {
			m->build_id_len = (uint8_t)desc;
			memcpy(m->build_id, id, desc);
		}
	}
}

bool ht_code_describe(int fd, uint64_t start, uint64_t offset, struct ht_module *m, uint64_t *low)
{
	Elf64_Ehdr e;
	Elf64_Phdr h[HEADERS_MAX];
	uint64_t high = 0;
	bool found = false;
	if (ht_pread_all(fd, &e, sizeof(e), 0) != (int64_t)sizeof(e) || memcmp(e.e_ident, ELFMAG, SELFMAG) ||
	    e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_phentsize != sizeof(Elf64_Phdr) || e.e_phnum > HEADERS_MAX)
		return false;
	if (ht_pread_all(fd, h, e.e_phnum * sizeof(h[0]), e.e_phoff) != (int64_t)(e.e_phnum * sizeof(h[0])))
		return false;
	*low = UINT64_MAX;
	for (unsigned i = 0; i < e.e_phnum; i++) {
		const Elf64_Phdr *p = &h[i];
		if (p->p_type == PT_NOTE)
			take_build_id(fd, p, m);
		if (p->p_type != PT_LOAD || p->p_memsz > UINT64_MAX / 2 || p->p_vaddr > UINT64_MAX / 2)
			continue;
		*low = (p->p_vaddr & ~(PAGE - 1)) < *low ? p->p_vaddr & ~(PAGE - 1) : *low;
		high = p->p_vaddr + p->p_memsz > high ? p->p_vaddr + p->p_memsz : high;
		if (!(p->p_flags & PF_X) || offset + PAGE <= p->p_offset || offset >= p->p_offset + p->p_filesz || found)
			continue;
		found = true;
		m->bias = start - offset + p->p_offset - p->p_vaddr;
		m->text_vaddr = p->p_vaddr;
		m->text_size = p->p_memsz;
		m->text_offset = p->p_offset;
	}
	m->size = (high + PAGE - 1) & ~(PAGE - 1);
	return found;
}

static int open_if(const char *path, uint64_t inode)
{
	struct stat s;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && !fstat(fd, &s) && S_ISREG(s.st_mode) && s.st_ino == inode)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The file that is mapped, as its process sees it; as we do when that is gone. */
static int open_mapped(pid_t pid, const struct range *r)
{
	char *path = ht_xasprintf("/proc/%d/root%s", (int)pid, r->path);
	int fd = open_if(path, r->inode);
	free(path);
	return fd >= 0 ? fd : open_if(r->path, r->inode);
}

/* The same file under whatever name the hook has told. */
static uint32_t known_module(const struct ht_interner *in, const struct ht_module *m)
{
	for (uint32_t i = 0; m->build_id_len && i < in->module_count; i++)
		if (in->modules[i].build_id_len == m->build_id_len && !memcmp(in->modules[i].build_id, m->build_id, m->build_id_len))
			return i;
	return UINT32_MAX;
}

static bool describe(struct ht_collector *c, struct ht_guest *i, struct range *r)
{
	struct ht_module m = {.image = i->id};
	uint64_t low;
	int fd = open_mapped(i->pid, r);
	bool good = fd >= 0 && ht_code_describe(fd, r->start, r->offset, &m, &low);
	if (fd >= 0)
		close(fd);
	if (good) {
		uint32_t id = known_module(&c->intern, &m);
		m.path = ht_intern_string(&c->intern, r->path, strlen(r->path));
		if (id == UINT32_MAX)
			id = ht_intern_module(&c->intern, &m);
		good = id != UINT32_MAX;
		if (good)
			ht_space_add(i->space, &(struct ht_mapping){HT_GENERATION_MAPS, m.bias + low, m.bias + m.size, m.bias, id});
	}
	free(r->path);
	r->path = NULL;
	return good;
}

/* --- the maps ----------------------------------------------------------------------------- */

static void forget(struct ht_code_maps *m)
{
	for (size_t k = 0; k < m->count; k++)
		free(m->ranges[k].path);
	m->count = 0;
}

static void take_line(struct ht_code_maps *m, char *line)
{
	unsigned long long start, end, offset, inode;
	char access[5];
	int at = 0;
	int n = sscanf(line, "%llx-%llx %4s %llx %*s %llu %n", &start, &end, access, &offset, &inode, &at);
	if (n < 5 || access[2] != 'x' || !at || line[at] != '/')
		return;
	line[strcspn(line, "\n")] = '\0';
	if (m->count == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 32;
		m->ranges = ht_xrealloc(m->ranges, m->cap, sizeof(*m->ranges));
	}
	m->ranges[m->count++] = (struct range){start, end, offset, inode, ht_xstrdup(line + at)};
}

static void look(struct ht_code_maps *m, pid_t pid)
{
	char path[64], *line = NULL;
	size_t cap = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *f = fopen(path, "re");
	if (!f)
		return;
	forget(m);
	while (m->count < RANGES_MAX && getline(&line, &cap, f) > 0)
		take_line(m, line);
	free(line);
	fclose(f);
}

static struct range *range_of(const struct ht_code_maps *m, uint64_t ip)
{
	for (size_t k = 0; k < m->count; k++)
		if (ip >= m->ranges[k].start && ip < m->ranges[k].end)
			return &m->ranges[k];
	return NULL;
}

void ht_code_maps_look(struct ht_collector *c, struct ht_guest *i)
{
	if (!i->maps) {
		i->maps = ht_xcalloc(1, sizeof(*i->maps));
		i->maps->wait = WAIT_FIRST;
	}
	look(i->maps, i->pid);
	i->maps->next_look = ht_collector_ns(c) + i->maps->wait;
}

void ht_code_maps_note(struct ht_collector *c, struct ht_guest *i, uint64_t ip)
{
	if (!i->pid || (i->maps && (range_of(i->maps, ip) || ht_collector_ns(c) < i->maps->next_look)))
		return;
	ht_code_maps_look(c, i);
	if (!range_of(i->maps, ip) && i->maps->wait < WAIT_MOST)
		i->maps->wait *= 2;
}

bool ht_code_maps_describe(struct ht_collector *c, struct ht_guest *i, uint64_t ip)
{
	if (!i->registered || !i->space)
		return false;
	struct range *r = i->maps ? range_of(i->maps, ip) : NULL;
	if (!r && i->kind == HT_IMAGE_FORK && i->parent) /* the child's space goes on where its parent's ends */
		return ht_code_maps_describe(c, i->parent, ip);
	return r && r->path && describe(c, i, r);
}

void ht_code_maps_free(struct ht_code_maps *m)
{
	if (!m)
		return;
	forget(m);
	free(m->ranges);
	free(m);
}
