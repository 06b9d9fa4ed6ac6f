/*
 * emit_table: column widths are those of the widest cell, within the column's own bound; the
 * flexible column takes what is left of HT_TABLE_WIDTH. Two spaces stand between columns.
 */
#include "emit_table.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum { MAX_COLUMNS = 32, GAP = 2, NARROWEST_FLEX = 12 };

struct layout {
	const struct ht_column *columns[MAX_COLUMNS]; /* those that text shows */
	size_t widths[MAX_COLUMNS];
	size_t count;
};

static size_t max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

static void measure(struct layout *l, const struct ht_emitter *e)
{
	for (size_t i = 0; i < e->column_count && l->count < MAX_COLUMNS; i++)
		if (!(e->columns[i].flags & HT_COLUMN_DATA_ONLY) &&
		    (e->estimates || !(e->columns[i].flags & HT_COLUMN_ESTIMATE)))
			l->columns[l->count++] = &e->columns[i];
	size_t flex = l->count, total = 0;
	for (size_t c = 0; c < l->count; c++) {
		const struct ht_column *col = l->columns[c];
		size_t w = ht_text_width(col->heading);
		for (size_t i = c; i < e->cell_count; i += l->count)
			w = max_size(w, ht_text_width(e->cells[i]));
		if (col->widest && w > col->widest)
			w = col->widest;
		w = max_size(w, col->narrowest);
		l->widths[c] = w;
		if (col->flags & HT_COLUMN_FLEX)
			flex = c;
		else
			total += w;
		total += c ? GAP : 0;
	}
	if (flex < l->count)
		l->widths[flex] = total + NARROWEST_FLEX < HT_TABLE_WIDTH ? HT_TABLE_WIDTH - total
									  : NARROWEST_FLEX;
}

static void put_cell(struct ht_buf *out, const struct layout *l, size_t c, const char *text,
		     size_t *pad)
{
	bool left = l->columns[c]->flags & HT_COLUMN_LEFT;
	char *fit = ht_text_fit(text, l->widths[c], l->columns[c]->flags & HT_COLUMN_KEEP_END);
	size_t w = ht_text_width(fit);
	size_t space = l->widths[c] > w ? l->widths[c] - w : 0;
	if (!left)
		*pad += space;
	if (*fit) {
		ht_buf_printf(out, "%*s%s", (int)*pad, "", fit);
		*pad = 0;
	} else {
		*pad += w;
	}
	if (left)
		*pad += space;
	free(fit);
}

static void put_line(struct ht_buf *out, const struct layout *l, char *const *cells)
{
	size_t pad = 0; /* spaces owed: none at the end of a line */
	for (size_t c = 0; c < l->count; c++) {
		pad += c ? GAP : 0;
		put_cell(out, l, c, cells ? cells[c] : l->columns[c]->heading, &pad);
	}
	ht_buf_byte(out, '\n');
}

void ht_emit_table_text(struct ht_emitter *e)
{
	struct layout l = {.count = 0};
	struct ht_buf *out = &e->out->buf;
	measure(&l, e);
	bool headings = false;
	for (size_t c = 0; c < l.count; c++)
		headings |= l.columns[c]->heading[0] != '\0';
	if (headings) {
		bool colour = !e->out->path;
		ht_buf_printf(out, "%s", colour ? ht_text_bold() : "");
		put_line(out, &l, NULL);
		ht_buf_printf(out, "%s", colour ? ht_text_plain() : "");
	}
	for (size_t i = 0; i + l.count <= e->cell_count && l.count; i += l.count) {
		put_line(out, &l, e->cells + i);
		ht_output_flush_some(e->out);
	}
}
