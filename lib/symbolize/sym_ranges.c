/* sym_ranges: the code ranges of one DIE: low and high pc, DWARF 4 range lists, DWARF 5 range lists. */
#include "sym_die.h"

struct sink {
	void (*each)(void *ctx, uint64_t lo, uint64_t hi);
	void *ctx;
	uint64_t text_low; /* functions that the linker dropped keep ranges near 0 */
};

static void give(const struct sink *s, uint64_t lo, uint64_t hi)
{
	if (lo < hi && lo >= s->text_low)
		s->each(s->ctx, lo, hi);
}

static void old_list(struct sym_debug *g, Dwarf_Die die, Dwarf_Attribute a, uint64_t base, const struct sink *s)
{
	Dwarf_Off offset = 0, real = 0;
	Dwarf_Ranges *list = NULL;
	Dwarf_Signed n = 0;
	Dwarf_Unsigned bytes;
	Dwarf_Error err = NULL;
	if (!sym_debug_ok(g, dwarf_global_formref(a, &offset, &err), &err))
		return;
	if (!sym_debug_ok(g, dwarf_get_ranges_b(g->dbg, offset, die, &real, &list, &n, &bytes, &err), &err))
		return;
	for (Dwarf_Signed i = 0; i < n && list[i].dwr_type != DW_RANGES_END; i++) {
		if (list[i].dwr_type == DW_RANGES_ADDRESS_SELECTION)
			base = list[i].dwr_addr2;
		else
			give(s, base + list[i].dwr_addr1, base + list[i].dwr_addr2);
	}
	dwarf_ranges_dealloc(g->dbg, list, n);
}

static void new_list(struct sym_debug *g, Dwarf_Attribute a, Dwarf_Half form, const struct sink *s)
{
	Dwarf_Unsigned where = 0, n = 0, offset = 0;
	Dwarf_Rnglists_Head head = NULL;
	Dwarf_Error err = NULL;
	int rc = form == DW_FORM_rnglistx ? dwarf_formudata(a, &where, &err) : dwarf_global_formref(a, &where, &err);
	if (!sym_debug_ok(g, rc, &err))
		return;
	if (!sym_debug_ok(g, dwarf_rnglists_get_rle_head(a, form, where, &head, &n, &offset, &err), &err))
		return;
	for (Dwarf_Unsigned i = 0; i < n; i++) {
		unsigned length, code = 0;
		Dwarf_Unsigned raw1, raw2, lo = 0, hi = 0;
		Dwarf_Bool no_address = 0;
		int got = dwarf_get_rnglists_entry_fields_a(head, i, &length, &code, &raw1, &raw2, &no_address, &lo, &hi,
							    &err);
		if (!sym_debug_ok(g, got, &err) || code == DW_RLE_end_of_list)
			break;
		if (code != DW_RLE_base_address && code != DW_RLE_base_addressx && !no_address)
			give(s, lo, hi);
	}
	dwarf_dealloc_rnglists_head(head);
}

static bool low_high(struct sym_debug *g, Dwarf_Die die, const struct sink *s)
{
	Dwarf_Addr lo = 0, hi = 0;
	Dwarf_Half form = 0;
	enum Dwarf_Form_Class class = DW_FORM_CLASS_UNKNOWN;
	Dwarf_Error err = NULL;
	if (!sym_debug_ok(g, dwarf_lowpc(die, &lo, &err), &err))
		return false;
	if (!sym_debug_ok(g, dwarf_highpc_b(die, &hi, &form, &class, &err), &err))
		return false;
	give(s, lo, class == DW_FORM_CLASS_CONSTANT ? lo + hi : hi);
	return true;
}

void sym_die_ranges(struct sym_debug *g, Dwarf_Die die, uint64_t base, void (*each)(void *ctx, uint64_t lo, uint64_t hi),
		    void *ctx)
{
	struct sink s = { each, ctx, g->elf->text_low };
	Dwarf_Attribute a;
	Dwarf_Half form = 0, version = 0, offset_size = 0;
	Dwarf_Error err = NULL;
	if (low_high(g, die, &s))
		return;
	if (!sym_debug_ok(g, dwarf_attr(die, DW_AT_ranges, &a, &err), &err))
		return;
	if (sym_debug_ok(g, dwarf_whatform(a, &form, &err), &err)) {
		(void)dwarf_get_version_of_die(die, &version, &offset_size);
		if (version >= 5)
			new_list(g, a, form, &s);
		else
			old_list(g, die, a, base, &s);
	}
	dwarf_dealloc_attribute(a);
}
