/* sym_abbrev: see sym_abbrev.h. The format is that of section 7.5.3 of the DWARF 5 standard. */
#include "sym_abbrev.h"

#include "sym_map.h"

#include <dwarf.h>
#include <stdlib.h>

#ifndef DW_AT_GNU_dwo_name
#define DW_AT_GNU_dwo_name 0x2130
#endif

static uint8_t slot_of(uint64_t at)
{
	switch (at) {
	case DW_AT_sibling:
		return SYM_AT_SIBLING;
	case DW_AT_name:
		return SYM_AT_NAME;
	case DW_AT_linkage_name:
	case DW_AT_MIPS_linkage_name:
		return SYM_AT_LINKAGE_NAME;
	case DW_AT_low_pc:
		return SYM_AT_LOW_PC;
	case DW_AT_high_pc:
		return SYM_AT_HIGH_PC;
	case DW_AT_ranges:
		return SYM_AT_RANGES;
	case DW_AT_abstract_origin:
		return SYM_AT_ORIGIN;
	case DW_AT_specification:
		return SYM_AT_SPECIFICATION;
	case DW_AT_call_file:
		return SYM_AT_CALL_FILE;
	case DW_AT_call_line:
		return SYM_AT_CALL_LINE;
	case DW_AT_decl_line:
		return SYM_AT_DECL_LINE;
	case DW_AT_comp_dir:
		return SYM_AT_COMP_DIR;
	case DW_AT_stmt_list:
		return SYM_AT_STMT_LIST;
	case DW_AT_language:
		return SYM_AT_LANGUAGE;
	case DW_AT_dwo_name:
	case DW_AT_GNU_dwo_name:
		return SYM_AT_DWO_NAME;
	case DW_AT_GNU_dwo_id:
		return SYM_AT_DWO_ID;
	case DW_AT_addr_base:
	case DW_AT_GNU_addr_base:
		return SYM_AT_ADDR_BASE;
	case DW_AT_str_offsets_base:
		return SYM_AT_STR_OFFSETS_BASE;
	case DW_AT_rnglists_base:
		return SYM_AT_RNGLISTS_BASE;
	case DW_AT_GNU_ranges_base:
		return SYM_AT_RANGES_BASE;
	default:
		return SYM_NO_SLOT;
	}
}

/* The size of a form in bytes, or -1 when only the DIE tells. */
static int size_of(uint64_t form, unsigned address, unsigned offset, unsigned version)
{
	switch (form) {
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const:
		return 0;
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_flag:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return 1;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return 2;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return 3;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_ref_sup4:
		return 4;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return 8;
	case DW_FORM_data16:
		return 16;
	case DW_FORM_addr:
		return (int)address;
	case DW_FORM_ref_addr:
		return (int)(version <= 2 ? address : offset);
	case DW_FORM_sec_offset:
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return (int)offset;
	default:
		return -1;
	}
}

static void add_op(struct sym_abbrevs *t, struct sym_abbrev *a, struct sym_op op)
{
	struct sym_op *last = a->count ? &t->ops[t->op_count - 1] : NULL;
	/* Skips that follow each other become one. */
	if (!op.form && last && !last->form && last->size + op.size <= UINT16_MAX) {
		last->size = (uint16_t)(last->size + op.size);
		return;
	}
	t->ops = sym_grow(t->ops, t->op_count, &t->op_cap, sizeof(*t->ops));
	t->ops[t->op_count++] = op;
	a->count++;
}

static int by_code(const void *a, const void *b)
{
	const struct sym_abbrev *x = a, *y = b;
	return (x->code > y->code) - (x->code < y->code);
}

struct sym_abbrevs *sym_abbrevs_new(struct sym_span section, uint64_t offset, unsigned address_size, unsigned offset_size,
				    unsigned version)
{
	if (offset >= section.size)
		return NULL;
	struct ht_cursor c = { section.data + offset, section.data + section.size, false };
	struct sym_abbrevs *t = ht_xcalloc(1, sizeof(*t));
	t->offset = offset;
	t->dense = true;
	for (;;) {
		struct sym_abbrev a = { .code = ht_cursor_varint(&c), .first = (uint32_t)t->op_count };
		if (!a.code || c.bad)
			break;
		a.tag = (uint16_t)ht_cursor_varint(&c);
		a.children = ht_cursor_u8(&c);
		for (;;) {
			uint64_t at = ht_cursor_varint(&c), form = ht_cursor_varint(&c);
			if (c.bad || (!at && !form))
				break;
			struct sym_op op = { .slot = slot_of(at), .form = (uint16_t)(form && form < UINT16_MAX ? form : UINT16_MAX) };
			if (form == DW_FORM_implicit_const)
				op.constant = sym_sleb(&c);
			int size = size_of(form, address_size, offset_size, version);
			if (op.slot == SYM_NO_SLOT && size >= 0) {
				op.form = 0;
				op.size = (uint16_t)size;
			}
			add_op(t, &a, op);
		}
		t->list = sym_grow(t->list, t->count, &t->cap, sizeof(*t->list));
		t->list[t->count++] = a;
		t->dense &= a.code == t->count;
	}
	if (c.bad) {
		sym_abbrevs_free(t);
		return NULL;
	}
	if (!t->dense)
		qsort(t->list, t->count, sizeof(*t->list), by_code);
	return t;
}

void sym_abbrevs_free(struct sym_abbrevs *t)
{
	free(t->list);
	free(t->ops);
	free(t);
}

const struct sym_abbrev *sym_abbrevs_find(const struct sym_abbrevs *t, uint64_t code)
{
	if (t->dense)
		return code && code <= t->count ? &t->list[code - 1] : NULL;
	size_t lo = 0, hi = t->count;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (t->list[mid].code < code)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->count && t->list[lo].code == code ? &t->list[lo] : NULL;
}
