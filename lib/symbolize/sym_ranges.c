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

static const struct sym_unit *in_program(const struct sym_unit *u)
{
	return u->skeleton ? u->skeleton : u;
}

static void old_list(const struct sym_unit *u, uint64_t offset, const struct sink *s)
{
	const struct sym_unit *home = in_program(u);
	uint64_t base = home->low_pc, lo, hi, none = u->address_size == 8 ? UINT64_MAX : UINT32_MAX;
	/* Lists of split units are counted from where the skeleton says. */
	if (u->skeleton)
		offset += home->ranges_base;
	for (;; offset += 2u * u->address_size) {
		if (!sym_span_number(home->in->ranges, offset, u->address_size, &lo) ||
		    !sym_span_number(home->in->ranges, offset + u->address_size, u->address_size, &hi)) {
			sym_debug_error(u->in, "a range list without end");
			return;
		}
		if (!lo && !hi)
			return;
		if (lo == none)
			base = hi;
		else
			give(s, base + lo, base + hi);
	}
}

static uint64_t address_at(const struct sym_unit *u, struct ht_cursor *c)
{
	const uint8_t *p = ht_cursor_bytes(c, u->address_size);
	uint64_t v = 0;
	if (p)
		(void)sym_span_number((struct sym_span){ p, u->address_size }, 0, u->address_size, &v);
	return v;
}

static uint64_t indexed(const struct sym_unit *u, struct ht_cursor *c)
{
	uint64_t v = 0;
	if (!sym_unit_indexed_address(u, ht_cursor_varint(c), &v))
		c->bad = true;
	return v;
}

/* One entry; false at the end of the list. */
static bool new_entry(const struct sym_unit *u, struct ht_cursor *c, uint64_t *base, const struct sink *s)
{
	uint64_t lo = 0, hi = 0;
	switch (ht_cursor_u8(c)) {
	case DW_RLE_base_addressx:
		*base = indexed(u, c);
		return !c->bad;
	case DW_RLE_base_address:
		*base = address_at(u, c);
		return !c->bad;
	case DW_RLE_startx_endx:
		lo = indexed(u, c);
		hi = indexed(u, c);
		break;
	case DW_RLE_startx_length:
		lo = indexed(u, c);
		hi = lo + ht_cursor_varint(c);
		break;
	case DW_RLE_offset_pair:
		lo = *base + ht_cursor_varint(c);
		hi = *base + ht_cursor_varint(c);
		break;
	case DW_RLE_start_end:
		lo = address_at(u, c);
		hi = address_at(u, c);
		break;
	case DW_RLE_start_length:
		lo = address_at(u, c);
		hi = lo + ht_cursor_varint(c);
		break;
	case DW_RLE_end_of_list:
		return false;
	default:
		c->bad = true;
	}
	if (!c->bad)
		give(s, lo, hi);
	return !c->bad;
}

static void new_list(const struct sym_unit *u, const struct sym_value *v, const struct sink *s)
{
	struct sym_span lists = u->in->rnglists;
	uint64_t offset = v->v, base = in_program(u)->low_pc;
	if (v->form == DW_FORM_rnglistx) {
		if (v->v > lists.size / u->offset_size ||
		    !sym_span_number(lists, u->rnglists_base + v->v * u->offset_size, u->offset_size, &offset))
			offset = lists.size;
		else
			offset += u->rnglists_base;
	}
	struct ht_cursor c = { lists.data, lists.data + lists.size, offset >= lists.size };
	if (!c.bad)
		c.at += offset;
	while (!c.bad && new_entry(u, &c, &base, s))
		;
	if (c.bad)
		sym_debug_error(u->in, "a range list that makes no sense");
}

void sym_die_ranges(const struct sym_unit *u, const struct sym_die *d,
		    void (*each)(void *ctx, uint64_t lo, uint64_t hi), void *ctx)
{
	struct sink s = { each, ctx, in_program(u)->in->elf->text_low };
	uint64_t lo, hi;
	if (sym_die_has(d, SYM_AT_HIGH_PC) && sym_die_address(u, d, SYM_AT_LOW_PC, &lo)) {
		if (sym_die_address(u, d, SYM_AT_HIGH_PC, &hi))
			give(&s, lo, hi);
		else if (sym_die_uint(d, SYM_AT_HIGH_PC, &hi))
			give(&s, lo, lo + hi);
		return;
	}
	if (!sym_die_has(d, SYM_AT_RANGES))
		return;
	const struct sym_value *v = &d->at[SYM_AT_RANGES];
	if (u->version >= 5)
		new_list(u, v, &s);
	else
		old_list(u, v->v, &s);
}
