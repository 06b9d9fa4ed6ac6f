/*
 * escape_list: the source of chosen functions, with the verdict of each line that allocates below it, as a compiler puts its
 * remarks.
 */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "source_text.h"
#include "text.h"

enum { AROUND = 3 };

/* Rows of the chosen functions, by function, file and line. */
static const struct ht_escape_row *ordered; /* qsort has no context */

static int by_line(const void *a, const void *b)
{
	return ht_frame_order(ordered[*(const uint32_t *)a].frame, ordered[*(const uint32_t *)b].frame);
}

static uint32_t *choose(const struct ht_escape *x, const regex_t *re, size_t *count)
{
	size_t all, n = 0;
	uint32_t *order = ht_escape_order(x, &all);
	for (size_t i = 0; i < all; i++) {
		const char *name = x->fates->rows[order[i]].frame->function;
		if (name && !regexec(re, name, 0, NULL, 0))
			order[n++] = order[i];
	}
	ordered = x->fates->rows;
	qsort(order, n, sizeof(*order), by_line);
	*count = n;
	return order;
}

static bool same_function(const struct ht_frame *a, const struct ht_frame *b)
{
	return !ht_text_order(a->function, b->function) && !ht_text_order(a->file, b->file);
}

static void show_line(const struct ht_escape *x, const struct ht_source_file *source, uint32_t number)
{
	struct ht_buf b = {0};
	const char *text = ht_source_line(source, number);
	if (!text)
		return;
	for (; *text; text++)
		if (*text == '\t')
			ht_buf_append(&b, "    ", 4);
		else
			ht_text_clean_n(&b, text, 1 + strcspn(text + 1, "\t")), text += strcspn(text + 1, "\t");
	ht_emit_text(x->e, "%6u  %.*s\n", number, (int)b.len, (char *)b.data);
	ht_buf_release(&b);
}

static void show_function(const struct ht_escape *x, const uint32_t *rows, size_t count, struct ht_sources *sources)
{
	const struct ht_frame *f = x->fates->rows[rows[0]].frame;
	const struct ht_source_file *source = f->file ? ht_source_file(sources, f->file) : NULL;
	char *name = ht_escape_function(f);
	struct ht_buf file = {0};
	ht_text_clean(&file, f->file ? f->file : f->module);
	ht_emit_text(x->e, "%s%s   %.*s%s\n", ht_text_bold(), name, (int)file.len, (char *)file.data, ht_text_plain());
	uint32_t next = 1;
	for (size_t i = 0; i < count; i++) {
		uint32_t line = x->fates->rows[rows[i]].frame->line;
		uint32_t from = line > AROUND ? line - AROUND : 1;
		if (i && from > next)
			ht_emit_text(x->e, "     …\n");
		for (uint32_t n = from > next ? from : next; source && line && n <= line; n++)
			show_line(x, source, n);
		next = line >= next ? line + 1 : next;
		char *said = ht_escape_said(x, rows[i]);
		ht_emit_text(x->e, "      ↳ %s\n", said);
		free(said);
	}
	for (uint32_t n = next; source && next > 1 && n < next + AROUND; n++)
		show_line(x, source, n);
	ht_emit_text(x->e, "\n");
	ht_buf_release(&file);
	free(name);
}

static void show_text(const struct ht_escape *x, const uint32_t *rows, size_t count)
{
	struct ht_sources sources = {
	    .root = x->a->options.symbolize.source_root,
	    .recorded_utc_ns = ht_trace_settings(x->a->trace)->start_utc_ns,
	    .stacks = x->a->stacks,
	};
	for (size_t i = 0, n; i < count; i += n) {
		for (n = 1; i + n < count && same_function(x->fates->rows[rows[i]].frame, x->fates->rows[rows[i + n]].frame); n++)
			;
		show_function(x, rows + i, n, &sources);
	}
	if (!count)
		ht_emit_text(x->e, "no function of that name allocates\n");
	ht_sources_say(x->e, &sources);
	ht_sources_release(&sources);
}

int ht_escape_list(struct ht_escape *x, struct ht_diag *d)
{
	regex_t re;
	size_t count;
	int code = regcomp(&re, x->list, REG_EXTENDED | REG_NOSUB);
	if (code) {
		char why[128];
		regerror(code, &re, why, sizeof(why));
		return ht_fail(d, HT_ERR_USAGE, "--list '%s': %s", x->list, why);
	}
	uint32_t *rows = choose(x, &re, &count);
	if (x->e->format == HT_EMIT_TEXT)
		show_text(x, rows, count);
	else
		ht_escape_data(x, rows, count, count);
	free(rows);
	regfree(&re);
	return 0;
}
