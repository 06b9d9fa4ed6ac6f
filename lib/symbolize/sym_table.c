/* sym_table: see sym_table.h. */
#include "sym_table.h"

#include "sym_map.h"

#include <stdlib.h>
#include <string.h>

/* How far back a covering symbol is looked for: aliases and nested labels, not whole tables. */
#define LOOK_BACK 64

static size_t clone_word(const char *s)
{
	static const char *const words[] = { "isra", "part", "constprop", "cold", "lto_priv", "llvm", "localalias", "clone" };
	for (size_t i = 0; i < HT_ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);
		if (!strncmp(s, words[i], n) && (s[n] == '.' || s[n] == '\0' || s[n] == '@'))
			return n;
	}
	return 0;
}

size_t sym_base_length(const char *name)
{
	size_t at = strcspn(name, "@");
	if (!strcmp(name + at, "@plt"))
		return at + 4;
	for (const char *dot = memchr(name, '.', at); dot; dot = memchr(dot + 1, '.', at - (size_t)(dot + 1 - name)))
		if (dot > name && clone_word(dot + 1))
			return (size_t)(dot - name);
	return at;
}

static uint32_t rank_of(const GElf_Sym *s, const char *name)
{
	uint32_t rank = 0;
	if (!s->st_size)
		rank += 4096;
	if (GELF_ST_TYPE(s->st_info) == STT_NOTYPE)
		rank += 2048;
	if (GELF_ST_BIND(s->st_info) == STB_WEAK)
		rank += 16;
	else if (GELF_ST_BIND(s->st_info) == STB_LOCAL)
		rank += 32;
	for (size_t i = 0; name[i] == '_' && i < 8; i++)
		rank++;
	return rank;
}

static bool is_function(const struct sym_elf *e, const GElf_Sym *s)
{
	unsigned type = GELF_ST_TYPE(s->st_info);
	if (s->st_shndx == SHN_UNDEF || s->st_shndx >= e->section_count || !s->st_value)
		return false;
	if (type == STT_FUNC || type == STT_GNU_IFUNC)
		return true;
	return type == STT_NOTYPE && (e->sections[s->st_shndx].flags & SHF_EXECINSTR);
}

static void add(struct sym_table *t, struct sym_function f)
{
	t->functions = sym_grow(t->functions, t->count, &t->cap, sizeof(f));
	t->functions[t->count++] = f;
}

size_t sym_table_add(struct sym_table *t, struct sym_elf *e, const char *name)
{
	struct sym_section *s = sym_elf_find(e, name);
	if (!s || (s->type != SHT_SYMTAB && s->type != SHT_DYNSYM))
		return 0;
	Elf_Data *data = elf_getdata(s->scn, NULL);
	if (!data || !data->d_buf)
		return 0;
	size_t before = t->count;
	size_t n = data->d_size / gelf_fsize(e->elf, ELF_T_SYM, 1, EV_CURRENT);
	for (size_t i = 1; i < n && i < INT32_MAX; i++) {
		GElf_Sym sym;
		if (!gelf_getsym(data, (int)i, &sym) || !is_function(e, &sym))
			continue;
		const char *text = elf_strptr(e->elf, s->link, sym.st_name);
		if (!text || !*text || *text == '$' || !strncmp(text, ".L", 2))
			continue;
		const struct sym_section *in = &e->sections[sym.st_shndx];
		add(t, (struct sym_function){ sym.st_value, sym.st_size, in->address + in->size, text,
					      rank_of(&sym, text) });
	}
	return t->count - before;
}

/* The name that the relocation of a slot of the global offset table binds. */
static const char *slot_name(struct sym_elf *e, const struct sym_map *slots, Elf_Data *names, size_t strings, uint64_t slot)
{
	GElf_Sym sym;
	uint32_t index = sym_map_get(slots, slot);
	if (!index || !gelf_getsym(names, (int)index, &sym))
		return NULL;
	return elf_strptr(e->elf, strings, sym.st_name);
}

static void collect_slots(struct sym_elf *e, const char *section, struct sym_map *slots)
{
	struct sym_section *s = sym_elf_find(e, section);
	Elf_Data *data = s && s->type == SHT_RELA ? elf_getdata(s->scn, NULL) : NULL;
	if (!data || !data->d_buf)
		return;
	size_t n = data->d_size / gelf_fsize(e->elf, ELF_T_RELA, 1, EV_CURRENT);
	for (size_t i = 0; i < n && i < INT32_MAX; i++) {
		GElf_Rela r;
		if (gelf_getrela(data, (int)i, &r) && GELF_R_SYM(r.r_info) && GELF_R_SYM(r.r_info) < INT32_MAX)
			sym_map_put(slots, r.r_offset, (uint32_t)GELF_R_SYM(r.r_info));
	}
}

/* Every stub jumps through its slot by "jmp *disp32(%rip)" (ff 25), whichever linker laid it out. */
static void add_stubs(struct sym_table *t, struct sym_elf *e, const char *section, const struct sym_map *slots,
		      Elf_Data *names, size_t strings)
{
	struct sym_section *s = sym_elf_find(e, section);
	size_t step = !strcmp(section, ".plt.got") && s && s->entry_size == 8 ? 8 : 16;
	if (!s || sym_elf_load(e, s, NULL))
		return;
	for (size_t at = 0; at + step <= s->size; at += step) {
		for (size_t i = 0; i + 6 <= step; i++) {
			const uint8_t *p = s->data + at + i;
			if (p[0] != 0xff || p[1] != 0x25)
				continue;
			int32_t disp;
			memcpy(&disp, p + 2, sizeof(disp));
			const char *name = slot_name(e, slots, names, strings,
						     s->address + at + i + 6 + (uint64_t)(int64_t)disp);
			if (name && *name)
				add(t, (struct sym_function){ s->address + at, step, s->address + s->size,
							      ht_xasprintf("%s@plt", name), 0 });
			break;
		}
	}
}

void sym_table_add_plt(struct sym_table *t, struct sym_elf *e)
{
	static const char *const sections[] = { ".plt", ".plt.sec", ".plt.got" };
	struct sym_section *dynsym = sym_elf_find(e, ".dynsym");
	Elf_Data *names = dynsym ? elf_getdata(dynsym->scn, NULL) : NULL;
	if (!names || e->machine != EM_X86_64)
		return;
	struct sym_map slots = { 0 };
	collect_slots(e, ".rela.plt", &slots);
	collect_slots(e, ".rela.dyn", &slots);
	for (size_t i = 0; i < HT_ARRAY_SIZE(sections); i++)
		add_stubs(t, e, sections[i], &slots, names, dynsym->link);
	sym_map_release(&slots);
}

static int by_address(const void *a, const void *b)
{
	const struct sym_function *x = a, *y = b;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	/* The preferred alias stands last, where the search arrives first. */
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return strcmp(y->name, x->name);
}

void sym_table_sort(struct sym_table *t)
{
	if (t->count)
		qsort(t->functions, t->count, sizeof(*t->functions), by_address);
}

static bool same_base(const char *symbol, const char *name)
{
	if (!name)
		return false;
	size_t n = sym_base_length(symbol);
	return !strncmp(symbol, name, n) && !name[n];
}

/* "malloc" is the public alias of "__libc_malloc": the name that programs call it by. */
static bool is_public_alias(const struct sym_function *f, const char *reserved)
{
	size_t n = sym_base_length(f->name), all = strlen(reserved);
	return f->name[0] != '_' && all > n && reserved[all - n - 1] == '_' && !strncmp(reserved + all - n, f->name, n);
}

static const struct sym_function *public_alias(const struct sym_table *t, const struct sym_function *f)
{
	size_t n = sym_base_length(f->name);
	if (n < 3 || f->name[0] != '_' || f->name[1] != '_')
		return f;
	const struct sym_function *first = f, *last = f, *end = t->functions + t->count;
	char *name = ht_xasprintf("%.*s", (int)n, f->name);
	while (first > t->functions && first[-1].address == f->address && f - first < LOOK_BACK)
		first--;
	while (last + 1 < end && last[1].address == f->address && last - f < LOOK_BACK)
		last++;
	for (; last >= first; last--)
		if (is_public_alias(last, name)) {
			f = last;
			break;
		}
	free(name);
	return f;
}

static bool covers(const struct sym_function *f, uint64_t address, uint64_t nearest)
{
	return f->size ? address - f->address < f->size : f->address == nearest && address < f->end;
}

const struct sym_function *sym_table_find(const struct sym_table *t, uint64_t address, const char *linkage,
					  const char *bare)
{
	const struct sym_function *best = NULL;
	size_t lo = 0, hi = t->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (t->functions[mid].address <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	uint64_t nearest = lo ? t->functions[lo - 1].address : 0;
	for (size_t i = lo; i > 0 && lo - i < LOOK_BACK; i--) {
		const struct sym_function *f = &t->functions[i - 1];
		if (best && f->address != best->address && best->size)
			break;
		if (!covers(f, address, nearest))
			continue;
		if (same_base(f->name, linkage) || same_base(f->name, bare))
			return public_alias(t, f);
		/* A label without size inside a sized function does not hide the function. */
		if (!best || (best->size == 0 && f->size))
			best = f;
	}
	return best;
}
