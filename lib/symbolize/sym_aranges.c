/*
 * sym_aranges: .debug_aranges by libdwarf, over the sections that are mapped already. A hint: what libdwarf cannot
 * read, and what the table does not mention, is found from the units themselves.
 */
#include "sym_unit.h"

#include <libdwarf.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = { "", ".debug_aranges", ".debug_info", ".debug_abbrev" };

struct object {
	Dwarf_Obj_Access_Interface access;
	struct sym_elf *elf;
	struct sym_span spans[HT_ARRAY_SIZE(names)];
};

static int section_info(void *obj, Dwarf_Half index, Dwarf_Obj_Access_Section *out, int *error)
{
	struct object *o = obj;
	(void)error;
	if (index >= HT_ARRAY_SIZE(names))
		return DW_DLV_NO_ENTRY;
	memset(out, 0, sizeof(*out));
	out->name = names[index];
	out->type = SHT_PROGBITS;
	out->size = o->spans[index].size;
	return DW_DLV_OK;
}

static Dwarf_Endianness byte_order(void *obj)
{
	(void)obj;
	return DW_OBJECT_LSB;
}

static Dwarf_Small length_size(void *obj)
{
	(void)obj;
	return 4;
}

static Dwarf_Small pointer_size(void *obj)
{
	return ((struct object *)obj)->elf->is64 ? 8 : 4;
}

static Dwarf_Unsigned section_count(void *obj)
{
	(void)obj;
	return HT_ARRAY_SIZE(names);
}

static int load_section(void *obj, Dwarf_Half index, Dwarf_Small **data, int *error)
{
	struct object *o = obj;
	(void)error;
	if (index >= HT_ARRAY_SIZE(names) || !o->spans[index].size)
		return DW_DLV_NO_ENTRY;
	*data = (Dwarf_Small *)(uintptr_t)o->spans[index].data;
	return DW_DLV_OK;
}

static const Dwarf_Obj_Access_Methods methods = {
	.get_section_info = section_info,
	.get_byte_order = byte_order,
	.get_length_size = length_size,
	.get_pointer_size = pointer_size,
	.get_section_count = section_count,
	.load_section = load_section,
};

/* Entries come unit by unit. */
static struct sym_unit *unit_at(struct sym_debug *g, struct sym_unit *last, uint64_t offset)
{
	if (last && last->offset == offset)
		return last;
	size_t lo = 0, hi = g->unit_count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (g->units[mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < g->unit_count && g->units[lo].offset == offset ? &g->units[lo] : NULL;
}

void sym_aranges_read(struct sym_debug *g, void (*found)(void *ctx, struct sym_unit *u, uint64_t lo, uint64_t hi), void *ctx)
{
	struct object o = { .access = { &o, &methods }, .elf = g->elf };
	Dwarf_Debug dbg = NULL;
	Dwarf_Error err = NULL;
	Dwarf_Arange *list = NULL;
	Dwarf_Signed n = 0;
	struct sym_unit *u = NULL;
	o.spans[1] = sym_elf_span(g->elf, names[1], NULL);
	o.spans[2] = g->info;
	o.spans[3] = g->abbrev;
	if (!o.spans[1].size)
		return;
	/* libdwarf's list of everything it ever gave out costs time and memory; the process ends soon. */
	dwarf_set_de_alloc_flag(0);
	if (dwarf_object_init_b(&o.access, NULL, NULL, DW_GROUPNUMBER_ANY, &dbg, &err) != DW_DLV_OK)
		return;
	if (dwarf_get_aranges(dbg, &list, &n, &err) == DW_DLV_OK)
		for (Dwarf_Signed i = 0; i < n; i++) {
			Dwarf_Addr start = 0;
			Dwarf_Unsigned length = 0;
			Dwarf_Off header = 0, die = 0;
			if (dwarf_get_arange_info(list[i], &start, &length, &die, &err) == DW_DLV_OK &&
			    dwarf_get_arange_cu_header_offset(list[i], &header, &err) == DW_DLV_OK &&
			    (u = unit_at(g, u, header)) && length <= UINT64_MAX - start)
				found(ctx, u, start, start + length);
			dwarf_dealloc(dbg, list[i], DW_DLA_ARANGE);
		}
	dwarf_object_finish(dbg, &err);
}
