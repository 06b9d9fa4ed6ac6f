/* sym_die: see sym_die.h. Units' headers are listed when a file is opened; units are opened as they are needed. */
#include "sym_die.h"

#include "sym_split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sym_debug_error(struct sym_debug *g, const char *text)
{
	if (!g->errors++)
		snprintf(g->first_error, sizeof(g->first_error), "%.*s", (int)sizeof(g->first_error) - 1, text);
}

/* --- units -------------------------------------------------------------------------------- */

/* Reads the header at offset; false when it makes no sense, and with it all that follows. */
static bool read_header(struct sym_debug *g, uint64_t offset, struct sym_unit *u)
{
	uint64_t length = 0, version = 0, type = DW_UT_compile, size = 0, at = offset + 4;
	*u = (struct sym_unit){ .in = g, .offset = offset, .offset_size = 4, .stmt_list = UINT64_MAX };
	bool ok = sym_span_number(g->info, offset, 4, &length);
	if (length == 0xffffffff) {
		u->offset_size = 8;
		ok = ok && sym_span_number(g->info, at, 8, &length);
		at += 8;
	}
	if (!ok || length > g->info.size - at)
		return false;
	u->end = at + length;
	ok = sym_span_number(g->info, at, 2, &version);
	at += 2;
	if (version >= 5) {
		ok = ok && sym_span_number(g->info, at++, 1, &type) && sym_span_number(g->info, at++, 1, &size);
		ok = ok && sym_span_number(g->info, at, u->offset_size, &u->abbrev_offset);
		at += u->offset_size;
	} else {
		ok = ok && sym_span_number(g->info, at, u->offset_size, &u->abbrev_offset);
		at += u->offset_size;
		ok = ok && sym_span_number(g->info, at++, 1, &size);
	}
	if (type == DW_UT_skeleton || type == DW_UT_split_compile) {
		ok = ok && sym_span_number(g->info, at, 8, &u->dwo_id);
		at += 8;
	} else if (type == DW_UT_type || type == DW_UT_split_type) {
		at += 8u + u->offset_size;
	}
	u->version = (uint8_t)version;
	u->type = (uint8_t)type;
	u->address_size = (uint8_t)size;
	u->die = at;
	u->broken = !ok || version < 2 || version > 5 || (size != 4 && size != 8) || at > u->end;
	return true;
}

static void list_units(struct sym_debug *g)
{
	for (uint64_t at = 0; at < g->info.size;) {
		struct sym_unit u;
		if (!read_header(g, at, &u)) {
			sym_debug_error(g, "a unit reaches beyond .debug_info");
			return;
		}
		if (u.broken)
			sym_debug_error(g, "a unit of unknown version or sizes");
		g->units = sym_grow(g->units, g->unit_count, &g->unit_cap, sizeof(u));
		g->units[g->unit_count++] = u;
		at = u.end;
	}
}

int sym_debug_open(struct sym_debug *g, struct sym_elf *e, bool split, struct ht_diag *d)
{
	static uint16_t files;
	static const char *const names[][2] = {
		{ ".debug_info", ".debug_info.dwo" },
		{ ".debug_abbrev", ".debug_abbrev.dwo" },
		{ ".debug_str", ".debug_str.dwo" },
		{ ".debug_str_offsets", ".debug_str_offsets.dwo" },
		{ ".debug_rnglists", ".debug_rnglists.dwo" },
		{ ".debug_line", NULL },
		{ ".debug_line_str", NULL },
		{ ".debug_ranges", NULL },
		{ ".debug_addr", NULL },
	};
	*g = (struct sym_debug){ .elf = e, .split = split, .number = files++ };
	if (!sym_elf_find(e, names[0][split]))
		return HT_ABSENT;
	if (e->big_endian)
		return ht_fail(d, HT_ERR_DAMAGED, "big-endian debug information is not read");
	struct sym_span *const spans[] = { &g->info, &g->abbrev,   &g->str,    &g->str_offsets, &g->rnglists,
					   &g->line, &g->line_str, &g->ranges, &g->addr };
	for (size_t i = 0; i < HT_ARRAY_SIZE(spans); i++) {
		struct sym_section *s = names[i][split] ? sym_elf_find(e, names[i][split]) : NULL;
		struct ht_diag why;
		int rc = s ? sym_elf_load(e, s, &why) : 0;
		/* What would make every unit unreadable is better said once and clearly. */
		if (rc && (i < 2 || rc == HT_ERR_LIMIT))
			return ht_fail(d, rc, "%s", why.text);
		if (rc)
			sym_debug_error(g, why.text);
		else if (s)
			*spans[i] = (struct sym_span){ s->data, s->size };
	}
	list_units(g);
	if (!g->unit_count)
		return ht_fail(d, HT_ERR_DAMAGED, "%s", g->first_error);
	return 0;
}

static struct sym_unit *find_unit(struct sym_debug *g, uint64_t offset)
{
	size_t lo = 0, hi = g->unit_count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (g->units[mid].offset <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	struct sym_unit *u = lo ? &g->units[lo - 1] : NULL;
	return u && offset < u->end ? u : NULL;
}

struct sym_unit *sym_unit_at(struct sym_debug *g, uint64_t offset)
{
	struct sym_unit *u = find_unit(g, offset);
	return u && sym_unit_open(u) ? u : NULL;
}

static uint64_t number_or(const struct sym_die *d, enum sym_slot s, uint64_t otherwise)
{
	uint64_t v;
	return sym_die_uint(d, s, &v) ? v : otherwise;
}

bool sym_unit_open(struct sym_unit *u)
{
	struct sym_die d;
	if (u->broken || u->opened)
		return !u->broken;
	u->opened = true;
	/* Where tables start that have a header of their own, unless the unit says otherwise. */
	unsigned word = u->offset_size;
	if (u->version >= 5) {
		u->str_offsets_base = word == 8 ? 16 : 8;
		u->addr_base = word == 8 ? 16 : 8;
		u->rnglists_base = word == 8 ? 20 : 12;
	}
	sym_parts_apply(u);
	if (!sym_die_at(u, u->die, &d)) {
		u->broken = true;
		return false;
	}
	if (!u->in->split) {
		u->str_offsets_base = number_or(&d, SYM_AT_STR_OFFSETS_BASE, u->str_offsets_base);
		u->addr_base = number_or(&d, SYM_AT_ADDR_BASE, u->addr_base);
		u->rnglists_base = number_or(&d, SYM_AT_RNGLISTS_BASE, u->rnglists_base);
		u->ranges_base = number_or(&d, SYM_AT_RANGES_BASE, 0);
	}
	u->stmt_list = number_or(&d, SYM_AT_STMT_LIST, UINT64_MAX);
	u->language = sym_die_u32(&d, SYM_AT_LANGUAGE);
	u->comp_dir = sym_die_string(u, &d, SYM_AT_COMP_DIR);
	u->dwo_name = sym_die_string(u, &d, SYM_AT_DWO_NAME);
	if (sym_die_has(&d, SYM_AT_DWO_ID))
		u->dwo_id = number_or(&d, SYM_AT_DWO_ID, 0);
	sym_die_address(u, &d, SYM_AT_LOW_PC, &u->low_pc);
	return true;
}

/* --- abbreviations ------------------------------------------------------------------------ */

struct sym_abbrevs *sym_unit_pin(struct sym_unit *u)
{
	struct sym_debug *g = u->in;
	struct sym_abbrevs_slot *oldest = NULL;
	unsigned sizes = u->address_size | (unsigned)u->offset_size << 8 | (u->version <= 2 ? 1u << 16 : 0);
	for (size_t i = 0; i < HT_ARRAY_SIZE(g->tables); i++) {
		struct sym_abbrevs_slot *s = &g->tables[i];
		if (s->table && s->table->offset == u->abbrev_offset && s->sizes == sizes) {
			s->used = ++g->clock;
			s->pins++;
			return s->table;
		}
		if (!s->pins && (!oldest || s->used < oldest->used))
			oldest = s;
	}
	struct sym_abbrevs *t =
		oldest ? sym_abbrevs_new(g->abbrev, u->abbrev_offset, u->address_size, u->offset_size, u->version) : NULL;
	if (!t) {
		sym_debug_error(g, "abbreviations that make no sense");
		return NULL;
	}
	if (oldest->table)
		sym_abbrevs_free(oldest->table);
	*oldest = (struct sym_abbrevs_slot){ t, ++g->clock, sizes, 1 };
	return t;
}

void sym_unit_unpin(struct sym_unit *u, const struct sym_abbrevs *t)
{
	for (size_t i = 0; i < HT_ARRAY_SIZE(u->in->tables); i++)
		if (u->in->tables[i].table == t)
			u->in->tables[i].pins--;
}

bool sym_die_at(struct sym_unit *u, uint64_t offset, struct sym_die *die)
{
	struct sym_abbrevs *t = sym_unit_pin(u);
	bool ok = t && sym_die_parse(u, t, offset, die) && die->tag;
	if (t)
		sym_unit_unpin(u, t);
	return ok;
}
