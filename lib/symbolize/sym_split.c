/* sym_split: see sym_split.h. The index is that of section 7.3.5 of the DWARF 5 standard, or GNU's version 2 of it. */
#include "sym_split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of the index that matter; in version 2 number 8 is something else. */
enum { COLUMN_INFO = 1, COLUMN_ABBREV = 3, COLUMN_STR_OFFSETS = 6, COLUMN_RNGLISTS = 8, COLUMNS = 9 };

struct part {
	uint64_t id, at[COLUMNS];
};
struct sym_parts {
	struct part *list; /* ascending by offset in .debug_info */
	size_t count;
	struct sym_map by_id; /* index + 1 */
};

static int by_info(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	return (x->at[COLUMN_INFO] > y->at[COLUMN_INFO]) - (x->at[COLUMN_INFO] < y->at[COLUMN_INFO]);
}

static uint64_t u32_at(struct sym_span s, uint64_t offset)
{
	uint64_t v = 0;
	(void)sym_span_number(s, offset, 4, &v);
	return v;
}

static struct sym_parts *read_index(struct sym_span s)
{
	uint64_t version = u32_at(s, 0) & 0xffff, columns = u32_at(s, 4), units = u32_at(s, 8), slots = u32_at(s, 12);
	if ((version != 2 && version != 5) || !units || columns > 64 || slots > s.size / 12 ||
	    16 + slots * 12 > s.size || units > (s.size - 16 - slots * 12) / 4 / (columns ? columns : 1))
		return NULL;
	struct sym_parts *p = ht_xcalloc(1, sizeof(*p));
	p->list = ht_xcalloc(slots, sizeof(*p->list));
	uint64_t rows = 16 + slots * 8, ids = rows + slots * 4, offsets = ids + columns * 4;
	for (uint64_t i = 0; i < slots; i++) {
		struct part one = { 0 };
		uint64_t row = u32_at(s, rows + 4 * i);
		if (!row || row > units)
			continue;
		(void)sym_span_number(s, 16 + 8 * i, 8, &one.id);
		for (uint64_t k = 0; k < columns; k++) {
			uint64_t column = u32_at(s, ids + 4 * k);
			if (column < COLUMNS && (version == 5 || column != COLUMN_RNGLISTS))
				one.at[column] = u32_at(s, offsets + 4 * ((row - 1) * columns + k));
		}
		p->list[p->count++] = one;
	}
	qsort(p->list, p->count, sizeof(*p->list), by_info);
	for (size_t i = 0; i < p->count; i++)
		sym_map_put(&p->by_id, p->list[i].id, (uint32_t)(i + 1));
	return p;
}

void sym_parts_apply(struct sym_unit *u)
{
	const struct sym_parts *p = u->in->parts;
	size_t lo = 0, hi = p ? p->count : 0;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (p->list[mid].at[COLUMN_INFO] < u->offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!p || lo == p->count || p->list[lo].at[COLUMN_INFO] != u->offset)
		return;
	u->abbrev_offset += p->list[lo].at[COLUMN_ABBREV];
	u->str_offsets_base += p->list[lo].at[COLUMN_STR_OFFSETS];
	u->rnglists_base += p->list[lo].at[COLUMN_RNGLISTS];
}

/* --- files -------------------------------------------------------------------------------- */

/* Opens the nth file that the parent finds; false when there is none, *g NULL when it is no such file. */
static bool open_nth(struct sym_split *s, enum sym_file which, unsigned nth, const char *name, struct sym_debug **g)
{
	*g = NULL;
	int fd = sym_out_ask_file(s->out, which, nth, name, NULL, 0, NULL);
	if (fd < 0)
		return false;
	struct sym_elf *e = ht_xcalloc(1, sizeof(*e));
	struct sym_debug *new = ht_xcalloc(1, sizeof(*new));
	if (!sym_elf_open(e, fd, NULL) && !sym_debug_open(new, e, true, NULL))
		*g = new;
	return true;
}

static struct sym_unit *unit_in_package(struct sym_debug *g, uint64_t id)
{
	uint32_t at = sym_map_get(&g->parts->by_id, id);
	return at ? sym_unit_at(g, g->parts->list[at - 1].at[COLUMN_INFO]) : NULL;
}

static void open_package(struct sym_split *s, uint64_t id)
{
	s->asked = true;
	for (unsigned nth = 0; open_nth(s, SYM_FILE_PACKAGE, nth, "", &s->package); nth++) {
		struct sym_debug *g = s->package;
		if (g)
			g->parts = read_index(sym_elf_span(g->elf, ".debug_cu_index", NULL));
		/* A package of another build has other ids. */
		if (g && g->parts && unit_in_package(g, id))
			return;
	}
	s->package = NULL;
}

/* The one unit of a loose file that has the id. */
static struct sym_unit *unit_in_file(struct sym_debug *g, uint64_t id)
{
	for (size_t i = 0; g && i < g->unit_count; i++) {
		struct sym_unit *u = &g->units[i];
		if (u->type != DW_UT_split_type && sym_unit_open(u) && u->dwo_id == id)
			return u;
	}
	return NULL;
}

static struct sym_unit *look_for(struct sym_split *s, const struct sym_unit *skeleton)
{
	struct sym_unit *u = NULL;
	if (!s->asked)
		open_package(s, skeleton->dwo_id);
	if (s->package)
		u = unit_in_package(s->package, skeleton->dwo_id);
	if (u || !skeleton->dwo_name)
		return u;
	const char *dir = skeleton->dwo_name[0] != '/' && skeleton->comp_dir ? skeleton->comp_dir : "";
	char *name = ht_xasprintf("%s%s%s", dir, *dir ? "/" : "", skeleton->dwo_name);
	struct sym_debug *g;
	for (unsigned nth = 0; !u && open_nth(s, SYM_FILE_LOOSE, nth, name, &g); nth++)
		u = unit_in_file(g, skeleton->dwo_id);
	free(name);
	return u;
}

struct sym_unit *sym_split_find(struct sym_split *s, struct sym_unit *skeleton)
{
	struct sym_unit *u = look_for(s, skeleton);
	if (u) {
		u->skeleton = skeleton;
		s->found++;
	} else if (!s->missing++) {
		snprintf(s->first_missing, sizeof(s->first_missing), "%s", skeleton->dwo_name ? skeleton->dwo_name : "?");
	}
	return u;
}
