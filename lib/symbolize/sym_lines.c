/* sym_lines: see sym_lines.h. Both forms of the header's tables: up to DWARF 4, and DWARF 5 with formats of its own. */
#include "sym_lines.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NUMBERS_MAX (1u << 20)
#define FORMATS_MAX	 16

static void add_dir(struct sym_lines *l, const char *name)
{
	l->dirs = sym_grow(l->dirs, l->dir_count, &l->dir_cap, sizeof(*l->dirs));
	l->dirs[l->dir_count++] = name;
}

static void add_file(struct sym_lines *l, const char *name, uint64_t dir)
{
	l->files = sym_grow(l->files, l->file_count, &l->file_cap, sizeof(*l->files));
	l->files[l->file_count++] = (struct sym_line_file){ name, dir, SYM_LINES_UNKNOWN };
}

/* Steps over a string; "" at the end of the table. */
static const char *text_at(struct ht_cursor *c)
{
	const uint8_t *end = ht_cursor_left(c) ? memchr(c->at, 0, ht_cursor_left(c)) : NULL;
	const char *text = (const char *)c->at;
	if (!end) {
		c->bad = true;
		return "";
	}
	c->at = end + 1;
	return text;
}

/* Directory 0 is the compilation directory, file 0 nothing. */
static void read_old_tables(struct sym_lines *l, struct ht_cursor *c)
{
	const char *name;
	add_dir(l, NULL);
	while (*(name = text_at(c)))
		add_dir(l, name);
	add_file(l, NULL, 0);
	while (!c->bad && *(name = text_at(c)) && l->file_count < FILE_NUMBERS_MAX) {
		uint64_t dir = ht_cursor_varint(c);
		ht_cursor_varint(c); /* time */
		ht_cursor_varint(c); /* size */
		add_file(l, name, dir);
	}
}

/* One table of DWARF 5: what its entries consist of, how many there are, the entries. */
static void read_new_table(struct sym_lines *l, const struct sym_unit *u, struct ht_cursor *c, bool is_files)
{
	uint64_t kind[FORMATS_MAX], form[FORMATS_MAX];
	unsigned formats = ht_cursor_u8(c);
	for (unsigned i = 0; i < formats; i++) {
		kind[i % FORMATS_MAX] = ht_cursor_varint(c);
		form[i % FORMATS_MAX] = ht_cursor_varint(c);
	}
	uint64_t count = ht_cursor_varint(c);
	if (formats > FORMATS_MAX || !formats || count > ht_cursor_left(c)) {
		c->bad |= count != 0;
		return;
	}
	for (uint64_t i = 0; i < count && !c->bad && i < FILE_NUMBERS_MAX; i++) {
		const char *name = NULL;
		uint64_t dir = 0;
		for (unsigned k = 0; k < formats && !c->bad; k++) {
			struct sym_value v = { (uint16_t)(form[k] < UINT16_MAX ? form[k] : UINT16_MAX), 0 };
			sym_value_read(u, c, &v, 0);
			if (c->bad)
				break;
			if (kind[k] == DW_LNCT_path)
				name = sym_value_string(u, &v);
			else if (kind[k] == DW_LNCT_directory_index)
				dir = v.v;
		}
		if (is_files)
			add_file(l, name, dir);
		else
			add_dir(l, name);
	}
}

void sym_lines_open(struct sym_lines *l, struct sym_unit *unit, struct sym_out *out)
{
	*l = (struct sym_lines){ .unit = unit, .out = out };
	struct sym_span s = unit->in->line;
	l->usable = unit->stmt_list < s.size && sym_rows_start(&l->rows, s.data, s.size, unit->stmt_list, false);
	if (!l->usable)
		return;
	struct ht_cursor c = l->rows.tables;
	if (l->rows.version < 5) {
		read_old_tables(l, &c);
	} else {
		/* The table's own size of offsets counts, not the unit's. */
		struct sym_unit sizes = *unit;
		sizes.offset_size = l->rows.offset_size;
		read_new_table(l, &sizes, &c, false);
		read_new_table(l, &sizes, &c, true);
	}
	if (c.bad)
		sym_debug_error(unit->in, "a table of files that makes no sense");
}

void sym_lines_close(struct sym_lines *l)
{
	free(l->dirs);
	free(l->files);
	*l = (struct sym_lines){ 0 };
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

static uint32_t make_path(struct sym_lines *l, const char *name, uint64_t number)
{
	struct ht_buf b = { 0 };
	if (name[0] != '/') {
		const char *dir = number < l->dir_count ? l->dirs[number] : NULL;
		if ((!dir || dir[0] != '/') && l->unit->comp_dir)
			append_part(&b, l->unit->comp_dir);
		if (dir && dir[0])
			append_part(&b, dir);
	}
	append_part(&b, name);
	ht_buf_byte(&b, 0);
	uint32_t id = sym_out_string(l->out, (const char *)b.data);
	ht_buf_release(&b);
	return id;
}

uint32_t sym_lines_file(struct sym_lines *l, uint64_t number)
{
	if (number >= l->file_count || !l->files[number].name)
		return 0;
	struct sym_line_file *f = &l->files[number];
	if (f->id == SYM_LINES_UNKNOWN)
		f->id = make_path(l, f->name, f->dir);
	return f->id;
}

void sym_lines_walk(const struct sym_lines *l, const uint64_t *addresses, size_t count,
		    void (*found)(void *ctx, size_t index, uint64_t file, uint64_t line), void *ctx)
{
	struct sym_rows rows = l->rows;
	struct sym_row last = { .end = true }, row;
	uint64_t text_low = l->unit->in->elf->text_low;
	bool dropped = false; /* a sequence of code that the linker left out, "at" a low address */
	size_t next = 0;      /* the first address not below `last` */
	if (!l->usable)
		return;
	for (; sym_rows_next(&rows, &row); last = row) {
		if (last.end)
			dropped = row.address < text_low;
		if (last.end || row.address < last.address)
			next = sym_first_not_below(addresses, count, row.address);
		else if (!dropped)
			for (; next < count && addresses[next] < row.address; next++)
				found(ctx, next, last.file, last.line);
	}
}
