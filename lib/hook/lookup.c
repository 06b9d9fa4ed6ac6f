/*
 * lookup: what dlsym would answer, from the modules' own tables. dlsym itself may allocate, lives in libdl
 * before glibc 2.34, and has a newer version name after it: any of the three would hurt a program that
 * merely preloads us. Search order is the loader's: that of dl_iterate_phdr in the first namespace.
 */
#include "hook.h"

#include <link.h>

struct search {
	const char *name;
	bool after_us;	/* RTLD_NEXT: only what comes behind this object */
	bool passed_us;
	bool old;	/* a hidden version of the name, not the one that programs are linked with today */
	uint32_t hash;
	void *found;
};

struct tables {
	const ElfW(Sym) *symbols;
	const char *strings;
	const uint32_t *gnu_hash, *sysv_hash;
	const uint16_t *versions;
};

static bool read_tables(const struct dl_phdr_info *info, const ElfW(Phdr) *dynamic, struct tables *t)
{
	*t = (struct tables){0};
	for (const ElfW(Dyn) *d = (const ElfW(Dyn) *)(info->dlpi_addr + dynamic->p_vaddr); d->d_tag != DT_NULL; d++) {
		/* glibc relocates these in place, except in the vdso */
		uintptr_t at = d->d_un.d_ptr < info->dlpi_addr ? info->dlpi_addr + d->d_un.d_ptr : d->d_un.d_ptr;
		if (d->d_tag == DT_SYMTAB)
			t->symbols = (const void *)at;
		else if (d->d_tag == DT_STRTAB)
			t->strings = (const void *)at;
		else if (d->d_tag == DT_GNU_HASH)
			t->gnu_hash = (const void *)at;
		else if (d->d_tag == DT_HASH)
			t->sysv_hash = (const void *)at;
		else if (d->d_tag == DT_VERSYM)
			t->versions = (const void *)at;
	}
	return t->symbols && t->strings && (t->gnu_hash || t->sysv_hash);
}

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static bool matches(const struct tables *t, uint32_t i, const char *name, bool old)
{
	const ElfW(Sym) *s = &t->symbols[i];
	unsigned type = ELF64_ST_TYPE(s->st_info), bind = ELF64_ST_BIND(s->st_info);
	return s->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_OBJECT) &&
	       (bind == STB_GLOBAL || bind == STB_WEAK || bind == STB_GNU_UNIQUE) &&
	       old == (t->versions && t->versions[i] & 0x8000) && /* hidden: an old version of the name */
	       equal(t->strings + s->st_name, name);
}

static const ElfW(Sym) *look_up(const struct tables *t, const char *name, uint32_t hash, bool old)
{
	if (t->gnu_hash) {
		const uint32_t *h = t->gnu_hash;
		uint32_t buckets = h[0], first = h[1], bloom = h[2];
		const uint32_t *bucket = h + 4 + bloom * (sizeof(ElfW(Addr)) / 4), *chain = bucket + buckets;
		uint32_t i = buckets ? bucket[hash % buckets] : 0;
		if (i < first)
			return NULL;
		for (;; i++) {
			uint32_t c = chain[i - first];
			if ((c | 1) == (hash | 1) && matches(t, i, name, old))
				return &t->symbols[i];
			if (c & 1)
				return NULL;
		}
	}
	for (uint32_t i = 1; i < t->sysv_hash[1]; i++) /* old style: a handful of modules, once */
		if (matches(t, i, name, old))
			return &t->symbols[i];
	return NULL;
}

struct search_all {
	const struct ht_name *names;
	size_t count;
	char *base;
	uint8_t *found; /* of each name, the number of the module that has it */
	uint8_t number;
	bool passed_us;
};

/* Is this module to be searched, when only those behind us are? The executable comes first in the list, and is not
 * behind a preloaded object. */
static bool is_behind_us(const struct dl_phdr_info *info, bool *passed_us)
{
	uintptr_t me = (uintptr_t)is_behind_us;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t low = info->dlpi_addr + p->p_vaddr;
		if (p->p_type == PT_LOAD && me >= low && me < low + p->p_memsz) {
			*passed_us = true;
			return false;
		}
	}
	return *passed_us;
}

static bool tables_of(const struct dl_phdr_info *info, struct tables *t)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			return read_tables(info, &info->dlpi_phdr[i], t);
	return false;
}

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 5381;
	for (; *name; name++)
		hash = hash * 33 + (uint8_t)*name;
	return hash;
}

static int visit(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct search *s = ctx;
	struct tables t;
	(void)size;
	if ((s->after_us && !is_behind_us(info, &s->passed_us)) || !tables_of(info, &t))
		return 0;
	const ElfW(Sym) *sym = look_up(&t, s->name, s->hash, s->old);
	if (!sym)
		return 0;
	s->found = (void *)(info->dlpi_addr + sym->st_value);
	return 1;
}

static int visit_all(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct search_all *s = ctx;
	struct tables t;
	(void)size;
	if (!is_behind_us(info, &s->passed_us) || !tables_of(info, &t))
		return 0;
	if (s->number < UINT8_MAX)
		s->number++;
	for (size_t i = 0; i < s->count; i++) {
		const ElfW(Sym) *sym = s->found[i] ? NULL : look_up(&t, s->names[i].name, hash_of(s->names[i].name), false);
		if (sym) {
			*(void **)(s->base + s->names[i].place) = (void *)(info->dlpi_addr + sym->st_value);
			s->found[i] = s->number;
		}
	}
	return 0;
}

static void *search(struct search s)
{
	s.hash = hash_of(s.name);
	dl_iterate_phdr(visit, &s);
	return s.found;
}

/* One walk for all: a walk for each took 50 us of every program's start. */
HT_COLD void ht_symbols_behind(const struct ht_name *names, size_t count, void *base, uint8_t *found)
{
	struct search_all s = {.names = names, .count = count, .base = base, .found = found};
	dl_iterate_phdr(visit_all, &s);
}

HT_COLD void *ht_symbol(const char *name, bool after_us)
{
	return search((struct search){.name = name, .after_us = after_us});
}

HT_COLD void *ht_symbol_old(const char *name)
{
	return search((struct search){.name = name, .after_us = true, .old = true});
}
