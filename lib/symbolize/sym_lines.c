/* sym_lines: see sym_lines.h. */
#include "sym_lines.h"

#include "sym_map.h"
#include "sym_rows.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NUMBERS_MAX 65536

void sym_lines_open(struct sym_lines *l, struct sym_debug *g, Dwarf_Die unit, const char *comp_dir, struct sym_out *out)
{
	Dwarf_Unsigned version = 0;
	Dwarf_Small tables = 0;
	Dwarf_Error err = NULL;
	*l = (struct sym_lines){ .in = g, .out = out, .comp_dir = comp_dir };
	if (!sym_debug_ok(g, dwarf_srclines_b(unit, &version, &tables, &l->context, &err), &err)) {
		l->context = NULL;
		return;
	}
	l->version = version;
}

void sym_lines_close(struct sym_lines *l)
{
	if (l->context)
		dwarf_srclines_dealloc_b(l->context);
	free(l->ids);
	*l = (struct sym_lines){ 0 };
}

/* Directory 0 is the compilation directory: said by the unit up to DWARF 4, listed since DWARF 5. */
static const char *directory(struct sym_lines *l, uint64_t number)
{
	const char *name = NULL;
	Dwarf_Error err = NULL;
	if ((number == 0 && l->version < 5) || number > INT32_MAX)
		return NULL;
	int rc = dwarf_srclines_include_dir_data(l->context, (Dwarf_Signed)number, &name, &err);
	return sym_debug_ok(l->in, rc, &err) ? name : NULL;
}

/* Joins path parts, dropping "/./" and doubled slashes; ".." stays, since links may stand before it. */
static void append_part(struct ht_buf *b, const char *part)
{
	if (b->len && b->data[b->len - 1] != '/')
		ht_buf_byte(b, '/');
	for (size_t i = 0; part[i];) {
		bool at_start = !b->len || b->data[b->len - 1] == '/';
		if (at_start && b->len && part[i] == '/')
			i++;
		else if (at_start && part[i] == '.' && part[i + 1] == '/')
			i += 2;
		else
			ht_buf_byte(b, (uint8_t)part[i++]);
	}
}

static uint32_t make_path(struct sym_lines *l, const char *name, uint64_t dir_number)
{
	struct ht_buf b = { 0 };
	if (name[0] != '/') {
		const char *dir = directory(l, dir_number);
		if ((!dir || dir[0] != '/') && l->comp_dir)
			append_part(&b, l->comp_dir);
		if (dir && dir[0])
			append_part(&b, dir);
	}
	append_part(&b, name);
	ht_buf_byte(&b, 0);
	uint32_t id = sym_out_string(l->out, (const char *)b.data);
	ht_buf_release(&b);
	return id;
}

static uint32_t look_up(struct sym_lines *l, uint64_t number)
{
	const char *name = NULL;
	Dwarf_Unsigned dir = 0, mtime, length;
	Dwarf_Form_Data16 *md5 = NULL;
	Dwarf_Error err = NULL;
	int rc = dwarf_srclines_files_data_b(l->context, (Dwarf_Signed)number, &name, &dir, &mtime, &length, &md5, &err);
	if (!sym_debug_ok(l->in, rc, &err) || !name || !*name || !strncmp(name, "<DW_FORM", 8))
		return 0;
	return make_path(l, name, dir);
}

uint32_t sym_lines_file(struct sym_lines *l, uint64_t number)
{
	if (!l->context || number >= FILE_NUMBERS_MAX || (number == 0 && l->version < 5))
		return 0;
	if (number >= l->id_count) {
		uint64_t n = (number + 1) * 2;
		l->ids = ht_xrealloc(l->ids, n, sizeof(*l->ids));
		memset(l->ids + l->id_count, 0xff, (n - l->id_count) * sizeof(*l->ids));
		l->id_count = n;
	}
	if (l->ids[number] == UINT32_MAX)
		l->ids[number] = look_up(l, number);
	return l->ids[number];
}

/* The table's bytes: DW_AT_stmt_list says where in .debug_line they start. */
static bool start_rows(struct sym_lines *l, Dwarf_Die unit, struct sym_rows *rows)
{
	struct sym_section *s = sym_elf_find(l->in->elf, ".debug_line");
	Dwarf_Attribute a;
	Dwarf_Off offset = 0;
	Dwarf_Error err = NULL;
	if (!s || sym_elf_load(l->in->elf, s, NULL) ||
	    !sym_debug_ok(l->in, dwarf_attr(unit, DW_AT_stmt_list, &a, &err), &err))
		return false;
	bool ok = sym_debug_ok(l->in, dwarf_global_formref(a, &offset, &err), &err);
	dwarf_dealloc_attribute(a);
	return ok && sym_rows_start(rows, s->data, s->size, offset, l->in->elf->big_endian);
}

void sym_lines_walk(struct sym_lines *l, Dwarf_Die unit, const uint64_t *addresses, size_t count,
		    void (*found)(void *ctx, size_t index, uint64_t file, uint64_t line), void *ctx)
{
	struct sym_rows rows;
	struct sym_row last = { .end = true }, row;
	bool dropped = false; /* a sequence of code that the linker left out, "at" a low address */
	size_t next = 0;      /* the first address not below `last` */
	if (!start_rows(l, unit, &rows))
		return;
	for (; sym_rows_next(&rows, &row); last = row) {
		if (last.end)
			dropped = row.address < l->in->elf->text_low;
		if (last.end || row.address < last.address)
			next = sym_first_not_below(addresses, count, row.address);
		else if (!dropped)
			for (; next < count && addresses[next] < row.address; next++)
				found(ctx, next, last.file, last.line);
	}
}
