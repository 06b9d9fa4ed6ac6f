/* sym_rows: see sym_rows.h. Opcodes are named as in section 6.2.5 of the DWARF 5 standard. */
#include "sym_rows.h"

#include "sym_map.h"

#include <dwarf.h>
#include <string.h>

static const struct sym_row first_row = { .file = 1, .line = 1 };

static uint64_t fixed(struct sym_rows *r, size_t n)
{
	const uint8_t *p = ht_cursor_bytes(&r->c, n);
	uint64_t v = 0;
	for (size_t i = 0; p && i < n; i++)
		v |= (uint64_t)p[i] << 8 * (r->big_endian ? n - 1 - i : i);
	return v;
}

/* Narrows the cursor to the next n bytes. */
static bool narrow(struct ht_cursor *c, uint64_t n)
{
	if (c->bad || n > ht_cursor_left(c))
		return false;
	c->end = c->at + n;
	return true;
}

bool sym_rows_start(struct sym_rows *r, const uint8_t *section, size_t size, uint64_t offset, bool big_endian)
{
	*r = (struct sym_rows){ .big_endian = big_endian, .now = first_row };
	if (offset >= size)
		return false;
	r->c = (struct ht_cursor){ section + offset, section + size, false };
	size_t word = 4;
	uint64_t length = fixed(r, 4);
	if (length == 0xffffffff) {
		word = 8;
		length = fixed(r, 8);
	}
	if (!narrow(&r->c, length))
		return false;
	uint64_t version = fixed(r, 2);
	if (version < 2 || version > 5)
		return false;
	if (version >= 5)
		fixed(r, 2); /* sizes of an address and of a segment selector */
	uint64_t header = fixed(r, word);
	struct ht_cursor program = r->c;
	if (program.bad || header > ht_cursor_left(&program))
		return false;
	program.at += header;
	r->min_length = ht_cursor_u8(&r->c);
	if (version >= 4)
		ht_cursor_u8(&r->c); /* operations per instruction: more than one on VLIW machines alone */
	ht_cursor_u8(&r->c);	     /* default_is_stmt */
	r->line_base = (int8_t)ht_cursor_u8(&r->c);
	r->line_range = ht_cursor_u8(&r->c);
	r->opcode_base = ht_cursor_u8(&r->c);
	for (unsigned i = 1; i < r->opcode_base; i++)
		r->lengths[i] = ht_cursor_u8(&r->c);
	bool ok = !r->c.bad && r->line_range && r->opcode_base && r->c.at <= program.at;
	r->version = (uint8_t)version;
	r->offset_size = (uint8_t)word;
	r->tables = (struct ht_cursor){ r->c.at, program.at, false };
	r->c = program;
	return ok;
}

static void advance(struct sym_rows *r, uint64_t operations)
{
	r->now.address += operations * r->min_length;
}

/* True when it made a row, which then ends a sequence. */
static bool extended(struct sym_rows *r)
{
	struct ht_cursor rest = r->c;
	uint64_t n = ht_cursor_varint(&rest);
	if (!narrow(&rest, n) || !n) {
		r->c.bad = true;
		return false;
	}
	struct ht_cursor after = { rest.end, r->c.end, false };
	bool end = false;
	r->c = rest;
	switch (ht_cursor_u8(&r->c)) {
	case DW_LNE_end_sequence:
		end = true;
		break;
	case DW_LNE_set_address:
		if (n <= 9)
			r->now.address = fixed(r, n - 1);
		break;
	default: /* define_file of DWARF 2 to 4, discriminators, extensions: nothing we show */
		break;
	}
	r->c = after;
	return end;
}

/* True when it made a row. */
static bool standard(struct sym_rows *r, uint8_t opcode)
{
	switch (opcode) {
	case DW_LNS_copy:
		return true;
	case DW_LNS_advance_pc:
		advance(r, ht_cursor_varint(&r->c));
		return false;
	case DW_LNS_advance_line:
		r->now.line += (uint64_t)sym_sleb(&r->c);
		return false;
	case DW_LNS_set_file:
		r->now.file = ht_cursor_varint(&r->c);
		return false;
	case DW_LNS_const_add_pc:
		advance(r, (255u - r->opcode_base) / r->line_range);
		return false;
	case DW_LNS_fixed_advance_pc:
		r->now.address += fixed(r, 2);
		return false;
	default:
		for (unsigned i = 0; i < r->lengths[opcode]; i++)
			ht_cursor_varint(&r->c);
		return false;
	}
}

bool sym_rows_next(struct sym_rows *r, struct sym_row *row)
{
	while (!r->c.bad && ht_cursor_left(&r->c)) {
		uint8_t opcode = ht_cursor_u8(&r->c);
		bool made;
		if (opcode >= r->opcode_base) {
			unsigned special = opcode - r->opcode_base;
			advance(r, special / r->line_range);
			r->now.line += (uint64_t)(int64_t)(r->line_base + (int)(special % r->line_range));
			made = true;
		} else if (opcode == 0) {
			made = extended(r);
			r->now.end = made;
		} else {
			made = standard(r, opcode);
		}
		if (!made || r->c.bad)
			continue;
		*row = r->now;
		if (row->end)
			r->now = first_row;
		return true;
	}
	return false;
}
