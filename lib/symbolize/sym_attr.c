/* sym_attr: one DIE's bytes to attributes, and attributes to numbers, strings, references and addresses (see sym_die.h). */
#include "sym_die.h"

#include <string.h>

#define INDIRECTIONS_MAX 4

static inline uint64_t number(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;
	switch (n) {
	case 1:
		return *p;
	case 2:
		memcpy(&v, p, 2);
		return v;
	case 4:
		memcpy(&v, p, 4);
		return v;
	case 8:
		memcpy(&v, p, 8);
		return v;
	default:
		memcpy(&v, p, n);
		return v;
	}
}

/* Steps over n bytes and gives them as a number; nothing is read beyond the end. */
static inline uint64_t fixed(struct ht_cursor *c, unsigned n)
{
	if (ht_cursor_left(c) < n) {
		c->bad = true;
		return 0;
	}
	c->at += n;
	return number(c->at - n, n);
}

static void skip(struct ht_cursor *c, uint64_t n)
{
	if (ht_cursor_left(c) < n)
		c->bad = true;
	else
		c->at += n;
}

void sym_value_read(const struct sym_unit *u, struct ht_cursor *c, struct sym_value *v, int64_t constant)
{
	for (int i = 0; v->form == DW_FORM_indirect && i < INDIRECTIONS_MAX; i++) {
		uint64_t form = ht_cursor_varint(c);
		v->form = (uint16_t)(form < UINT16_MAX ? form : UINT16_MAX);
	}
	switch (v->form) {
	case DW_FORM_flag_present:
		v->v = 1;
		return;
	case DW_FORM_implicit_const:
		v->v = (uint64_t)constant;
		return;
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_flag:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		v->v = fixed(c, 1);
		return;
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		v->v = fixed(c, 2);
		return;
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		v->v = fixed(c, 3);
		return;
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_ref_sup4:
		v->v = fixed(c, 4);
		return;
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		v->v = fixed(c, 8);
		return;
	case DW_FORM_data16:
		skip(c, 16);
		return;
	case DW_FORM_addr:
		v->v = fixed(c, u->address_size);
		return;
	case DW_FORM_ref_addr:
		v->v = fixed(c, u->version <= 2 ? u->address_size : u->offset_size);
		return;
	case DW_FORM_sec_offset:
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		v->v = fixed(c, u->offset_size);
		return;
	case DW_FORM_udata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		v->v = ht_cursor_varint(c);
		return;
	case DW_FORM_sdata:
		v->v = (uint64_t)sym_sleb(c);
		return;
	case DW_FORM_string: {
		const uint8_t *end = memchr(c->at, 0, ht_cursor_left(c));
		v->v = (uint64_t)(uintptr_t)c->at;
		if (end)
			c->at = end + 1;
		else
			c->bad = true;
		return;
	}
	case DW_FORM_exprloc:
	case DW_FORM_block:
		skip(c, ht_cursor_varint(c));
		return;
	case DW_FORM_block1:
		skip(c, fixed(c, 1));
		return;
	case DW_FORM_block2:
		skip(c, fixed(c, 2));
		return;
	case DW_FORM_block4:
		skip(c, fixed(c, 4));
		return;
	default:
		c->bad = true;
	}
}

bool sym_die_parse(const struct sym_unit *u, const struct sym_abbrevs *t, uint64_t offset, struct sym_die *d)
{
	if (offset < u->die || offset >= u->end)
		return false;
	struct ht_cursor c = { u->in->info.data + offset, u->in->info.data + u->end, false };
	uint64_t code = ht_cursor_varint(&c);
	d->offset = offset;
	d->have = 0;
	d->tag = 0;
	d->children = false;
	d->after = c.at;
	if (!code)
		return !c.bad;
	const struct sym_abbrev *a = sym_abbrevs_find(t, code);
	if (!a) {
		sym_debug_error(u->in, "an entry of unknown abbreviation");
		return false;
	}
	d->tag = a->tag;
	d->children = a->children;
	const struct sym_op *op = t->ops + a->first, *end = op + a->count;
	for (; op < end; op++) {
		if (!op->form) {
			skip(&c, op->size);
			continue;
		}
		struct sym_value v = { op->form, 0 };
		sym_value_read(u, &c, &v, op->constant);
		if (op->slot != SYM_NO_SLOT && !c.bad) {
			d->at[op->slot] = v;
			d->have |= 1u << op->slot;
		}
	}
	d->after = c.at;
	if (c.bad)
		sym_debug_error(u->in, "an entry of unknown form, or cut short");
	return !c.bad;
}

/* --- values ------------------------------------------------------------------------------- */

bool sym_span_number(struct sym_span s, uint64_t offset, unsigned n, uint64_t *v)
{
	if (offset > s.size || s.size - offset < n)
		return false;
	*v = number(s.data + offset, n);
	return true;
}

const char *sym_span_string(struct sym_span s, uint64_t offset)
{
	if (offset >= s.size || !memchr(s.data + offset, 0, s.size - offset))
		return NULL;
	return (const char *)s.data + offset;
}

bool sym_die_uint(const struct sym_die *d, enum sym_slot s, uint64_t *value)
{
	if (!sym_die_has(d, s))
		return false;
	const struct sym_value *v = &d->at[s];
	switch (v->form) {
	case DW_FORM_sdata:
	case DW_FORM_implicit_const:
		if ((int64_t)v->v < 0)
			return false;
		break;
	case DW_FORM_data1:
	case DW_FORM_data2:
	case DW_FORM_data4:
	case DW_FORM_data8:
	case DW_FORM_udata:
	case DW_FORM_sec_offset:
	case DW_FORM_flag:
	case DW_FORM_flag_present:
		break;
	default:
		return false;
	}
	*value = v->v;
	return true;
}

uint32_t sym_die_u32(const struct sym_die *d, enum sym_slot s)
{
	uint64_t v;
	return sym_die_uint(d, s, &v) && v <= UINT32_MAX ? (uint32_t)v : 0;
}

static const char *indexed_string(const struct sym_unit *u, uint64_t index)
{
	uint64_t offset = 0;
	if (index > u->in->str_offsets.size / u->offset_size ||
	    !sym_span_number(u->in->str_offsets, u->str_offsets_base + index * u->offset_size, u->offset_size, &offset))
		return NULL;
	return sym_span_string(u->in->str, offset);
}

const char *sym_die_string(const struct sym_unit *u, const struct sym_die *d, enum sym_slot s)
{
	return sym_die_has(d, s) ? sym_value_string(u, &d->at[s]) : NULL;
}

const char *sym_value_string(const struct sym_unit *u, const struct sym_value *v)
{
	const char *text = NULL;
	switch (v->form) {
	case DW_FORM_string:
		text = (const char *)(uintptr_t)v->v;
		break;
	case DW_FORM_strp:
		text = sym_span_string(u->in->str, v->v);
		break;
	case DW_FORM_line_strp:
		text = sym_span_string(u->in->line_str, v->v);
		break;
	case DW_FORM_strp_sup:
	case DW_FORM_GNU_strp_alt:
		if (!u->in->alternate)
			return NULL;
		text = sym_span_string(u->in->alternate->str, v->v);
		break;
	case DW_FORM_strx:
	case DW_FORM_strx1:
	case DW_FORM_strx2:
	case DW_FORM_strx3:
	case DW_FORM_strx4:
	case DW_FORM_GNU_str_index:
		text = indexed_string(u, v->v);
		break;
	default:
		return NULL;
	}
	if (!text)
		sym_debug_error(u->in, "a string beyond the end of its section");
	return text && *text ? text : NULL;
}

struct sym_ref sym_die_ref(const struct sym_unit *u, const struct sym_die *d, enum sym_slot s)
{
	if (!sym_die_has(d, s))
		return (struct sym_ref){ NULL, 0 };
	const struct sym_value *v = &d->at[s];
	switch (v->form) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
		return (struct sym_ref){ v->v < u->end - u->offset ? u->in : NULL, u->offset + v->v };
	case DW_FORM_ref_addr:
		return (struct sym_ref){ u->in, v->v };
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_ref_sup4:
	case DW_FORM_ref_sup8:
		return (struct sym_ref){ u->in->alternate, v->v };
	default: /* a type signature leads to a type unit: no function is defined there */
		return (struct sym_ref){ NULL, 0 };
	}
}

bool sym_unit_indexed_address(const struct sym_unit *u, uint64_t index, uint64_t *address)
{
	/* A split unit's addresses stand in the program. */
	const struct sym_unit *at = u->skeleton ? u->skeleton : u;
	struct sym_span s = at->in->addr;
	return index <= s.size / u->address_size &&
	       sym_span_number(s, at->addr_base + index * u->address_size, u->address_size, address);
}

bool sym_die_address(const struct sym_unit *u, const struct sym_die *d, enum sym_slot s, uint64_t *address)
{
	if (!sym_die_has(d, s))
		return false;
	const struct sym_value *v = &d->at[s];
	switch (v->form) {
	case DW_FORM_addr:
		*address = v->v;
		return true;
	case DW_FORM_addrx:
	case DW_FORM_addrx1:
	case DW_FORM_addrx2:
	case DW_FORM_addrx3:
	case DW_FORM_addrx4:
	case DW_FORM_GNU_addr_index:
		return sym_unit_indexed_address(u, v->v, address);
	default:
		return false;
	}
}
