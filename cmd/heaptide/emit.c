/*
 * emit: see emit.h. JSON and CSV go out cell by cell; a text table is kept until its last row,
 * because only then its columns' widths are known (emit_table.c). How a value is written: emit_value.c.
 */
#include "emit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emit_table.h"
#include "text.h"
#include "utf8.h"

static struct ht_buf *buf(struct ht_emitter *e)
{
	return &e->out->buf;
}

/* --- JSON structure ----------------------------------------------------------------------- */

static void json_key(struct ht_emitter *e, const char *key)
{
	struct ht_buf *b = buf(e);
	if (!e->open[e->depth].first)
		ht_buf_byte(b, ',');
	e->open[e->depth].first = false;
	if (e->depth || key)
		ht_buf_printf(b, "\n%*s", 2 * (e->depth + 1), "");
	if (key) {
		ht_json_string(b, key);
		ht_buf_printf(b, ": ");
	}
}

static void json_open(struct ht_emitter *e, const char *key, char opening, char closing)
{
	if (e->format != HT_EMIT_JSON || e->depth + 1 >= (int)HT_ARRAY_SIZE(e->open))
		return;
	json_key(e, key);
	ht_buf_byte(buf(e), (uint8_t)opening);
	e->depth++;
	e->open[e->depth].closing = closing;
	e->open[e->depth].first = true;
}

void ht_emit_object(struct ht_emitter *e, const char *key)
{
	json_open(e, key, '{', '}');
}

void ht_emit_array(struct ht_emitter *e, const char *key)
{
	json_open(e, key, '[', ']');
}

void ht_emit_close(struct ht_emitter *e)
{
	if (e->format != HT_EMIT_JSON)
		return;
	if (!e->open[e->depth].first)
		ht_buf_printf(buf(e), "\n%*s", 2 * e->depth, "");
	ht_buf_byte(buf(e), (uint8_t)e->open[e->depth].closing);
	e->depth--;
}

void ht_emit_json(struct ht_emitter *e, const char *key, struct ht_value v)
{
	if (e->format != HT_EMIT_JSON || v.kind == HT_VALUE_OMIT)
		return;
	json_key(e, key);
	ht_value_json(buf(e), &v);
}

void ht_emit_begin(struct ht_emitter *e, enum ht_emit_format format, struct ht_output *out,
		   const char *schema)
{
	*e = (struct ht_emitter){.format = format, .out = out};
	if (format != HT_EMIT_JSON)
		return;
	ht_buf_byte(buf(e), '{');
	e->open[0].closing = '}';
	e->open[0].first = true;
	ht_emit_json(e, "schema", ht_string(schema));
}

void ht_emit_end(struct ht_emitter *e)
{
	ht_emit_newline(e);
	if (e->format == HT_EMIT_JSON)
		ht_buf_printf(buf(e), "\n}\n");
	free(e->cells);
	e->cells = NULL;
}

/* --- text structure ----------------------------------------------------------------------- */

void ht_emit_text(struct ht_emitter *e, const char *fmt, ...)
{
	if (e->format != HT_EMIT_TEXT)
		return;
	char *s;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	ht_buf_append(buf(e), s, (size_t)n);
	if (n)
		e->in_line = s[n - 1] != '\n';
	free(s);
}

void ht_emit_clean(struct ht_emitter *e, const char *before, const char *text, const char *after)
{
	struct ht_buf b = {0};
	ht_text_clean(&b, text);
	ht_emit_text(e, "%s%.*s%s", before, (int)b.len, b.data ? (char *)b.data : "", after);
	ht_buf_release(&b);
}

void ht_emit_newline(struct ht_emitter *e)
{
	if (e->format == HT_EMIT_TEXT && e->in_line)
		ht_buf_byte(buf(e), '\n');
	e->in_line = false;
}

void ht_emit_item(struct ht_emitter *e, const char *key, const char *label, struct ht_value v)
{
	ht_emit_json(e, key, v);
	if (e->format != HT_EMIT_TEXT || !label)
		return;
	ht_buf_printf(buf(e), "%s%s%s", e->in_line ? "   " : "", label, *label ? " " : "");
	ht_value_text(buf(e), &v);
	e->in_line = true;
}

/* --- tables ------------------------------------------------------------------------------- */

static bool column_shown(const struct ht_emitter *e, const struct ht_column *c)
{
	return !(c->flags & (e->format == HT_EMIT_TEXT ? HT_COLUMN_DATA_ONLY : HT_COLUMN_TEXT_ONLY)) &&
	       (e->estimates || !(c->flags & HT_COLUMN_ESTIMATE));
}

void ht_emit_table(struct ht_emitter *e, const char *key, const struct ht_column *columns)
{
	ht_emit_newline(e);
	e->columns = columns;
	for (e->column_count = 0; columns[e->column_count].key; e->column_count++)
		;
	e->column = 0;
	e->cell_count = 0;
	e->group[0] = '\0';
	ht_emit_array(e, key);
	if (e->format != HT_EMIT_CSV)
		return;
	if (e->any_table)
		ht_buf_byte(buf(e), '\n');
	e->any_table = true;
	bool first = true;
	for (size_t i = 0; i < e->column_count; i++) {
		if (!column_shown(e, &columns[i]))
			continue;
		ht_buf_printf(buf(e), "%s%s", first ? "" : ",", columns[i].key);
		first = false;
	}
	ht_buf_byte(buf(e), '\n');
}

/* Opens and closes the objects that a dotted key asks for; returns the key within the innermost. */
static const char *enter_group(struct ht_emitter *e, const char *key)
{
	const char *last = strrchr(key, '.');
	const size_t n = last ? (size_t)(last - key) : 0;
	size_t same = 0; /* of the open prefix, in whole names */
	for (size_t i = 0; i <= n && e->group[0]; i++) {
		bool open_ends = !e->group[i] || e->group[i] == '.', wanted_ends = i == n || key[i] == '.';
		if (i && open_ends && wanted_ends)
			same = i;
		if (!e->group[i] || i == n || e->group[i] != key[i])
			break;
	}
	for (const char *c = e->group + same; *c; c++)
		if (c == e->group || *c == '.')
			ht_emit_close(e);
	for (size_t from = same ? same + 1 : 0; from < n; from += strcspn(key + from, ".") + 1) {
		char name[sizeof(e->group)] = "";
		size_t length = strcspn(key + from, ".");
		memcpy(name, key + from, length < sizeof(name) ? length : sizeof(name) - 1);
		ht_emit_object(e, name);
	}
	memset(e->group, 0, sizeof(e->group));
	memcpy(e->group, key, n < sizeof(e->group) ? n : sizeof(e->group) - 1);
	return last ? last + 1 : key;
}

static void keep_cell(struct ht_emitter *e, const struct ht_value *v)
{
	struct ht_buf text = {0};
	ht_value_text(&text, v);
	ht_buf_byte(&text, '\0');
	if (e->cell_count == e->cell_cap) {
		e->cell_cap = e->cell_cap ? e->cell_cap * 2 : 64;
		e->cells = ht_xrealloc(e->cells, e->cell_cap, sizeof(*e->cells));
	}
	e->cells[e->cell_count++] = (char *)text.data;
}

void ht_emit_cell(struct ht_emitter *e, struct ht_value v)
{
	if (e->column >= e->column_count)
		return;
	const struct ht_column *c = &e->columns[e->column++];
	if (e->column == 1 && e->format == HT_EMIT_JSON)
		ht_emit_object(e, NULL);
	if (!column_shown(e, c))
		return;
	if (e->format == HT_EMIT_TEXT) {
		keep_cell(e, &v);
	} else if (e->format == HT_EMIT_JSON) {
		const char *key = enter_group(e, c->key);
		ht_emit_json(e, key, v);
	} else {
		bool first = true;
		for (const struct ht_column *p = e->columns; p < c && first; p++)
			first = !column_shown(e, p);
		if (!first)
			ht_buf_byte(buf(e), ',');
		ht_value_csv(buf(e), &v);
	}
}

void ht_emit_row(struct ht_emitter *e)
{
	while (e->column < e->column_count)
		ht_emit_cell(e, ht_omit());
	if (e->format == HT_EMIT_JSON) {
		enter_group(e, "");
		ht_emit_close(e);
	} else if (e->format == HT_EMIT_CSV) {
		ht_buf_byte(buf(e), '\n');
	}
	e->column = 0;
	if (e->format != HT_EMIT_TEXT)
		ht_output_flush_some(e->out);
}

void ht_emit_table_end(struct ht_emitter *e, uint64_t truncated)
{
	if (e->format == HT_EMIT_TEXT)
		ht_emit_table_text(e);
	for (size_t i = 0; i < e->cell_count; i++)
		free(e->cells[i]);
	e->cell_count = 0;
	ht_emit_close(e);
	if (truncated != UINT64_MAX)
		ht_emit_json(e, "truncated_rows", ht_count(truncated));
	e->in_line = false;
}
