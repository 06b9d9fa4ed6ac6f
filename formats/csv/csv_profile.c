/*
 * csv_profile: see csv_profile.h. A line of keys, then a row per stack in order of allocated bytes; the
 * stack stands in one cell, outermost frame first, frames separated by semicolons.
 */
#include "csv_profile.h"

#include <inttypes.h>
#include <stdlib.h>

#include "profile_frames.h"
#include "sink.h"

/* Quoted where it must be. Spreadsheets take some first characters for a formula: these get an apostrophe. */
static void cell(struct ht_buf *b, const char *text)
{
	bool quote = strpbrk(text, ",\"\r\n") != NULL;
	if (quote)
		ht_buf_byte(b, '"');
	if (*text && strchr("=+-@\t\r", *text))
		ht_buf_byte(b, '\'');
	for (; *text; text++) {
		if (*text == '"')
			ht_buf_byte(b, '"');
		ht_buf_byte(b, (uint8_t)*text);
	}
	if (quote)
		ht_buf_byte(b, '"');
}

static char *frame_name(const struct ht_profile_walk *w)
{
	return w->line ? ht_xstrdup(w->profile->functions[w->line->function].name)
		       : ht_profile_address_name(w->profile, w->location);
}

static void stack_cell(struct ht_buf *b, const struct ht_profile *p, const struct ht_profile_sample *s)
{
	struct ht_profile_walk w = ht_profile_walk(p, s);
	struct ht_buf text = {0};
	char **names = NULL;
	size_t n = 0;
	while (ht_profile_next(&w)) {
		names = ht_xrealloc(names, n + 1, sizeof(*names));
		names[n++] = frame_name(&w);
	}
	while (n--) {
		ht_buf_printf(&text, "%s%s", names[n], n ? ";" : "");
		free(names[n]);
	}
	ht_buf_byte(&text, '\0');
	cell(b, (char *)text.data);
	ht_buf_release(&text);
	free(names);
}

static void write_row(struct ht_buf *b, const struct ht_profile *p, const struct ht_profile_sample *s)
{
	struct ht_profile_walk w = ht_profile_walk(p, s);
	char *name = ht_profile_next(&w) ? frame_name(&w) : ht_xstrdup("");
	const struct ht_profile_function *f = w.line ? &p->functions[w.line->function] : NULL;
	cell(b, name);
	ht_buf_byte(b, ',');
	cell(b, f ? f->file : "");
	ht_buf_byte(b, ',');
	if (f && w.line->line)
		ht_buf_printf(b, "%u", w.line->line);
	ht_buf_byte(b, ',');
	cell(b, w.location && w.location->mapping ? p->mappings[w.location->mapping - 1].file : "");
	for (size_t i = 0; i < p->type_count; i++)
		ht_buf_printf(b, ",%" PRId64, s->values[i]);
	ht_buf_byte(b, ',');
	stack_cell(b, p, s);
	ht_buf_byte(b, '\n');
	free(name);
}

static int by_space(const void *pa, const void *pb)
{
	const struct ht_profile_sample *a = *(const struct ht_profile_sample *const *)pa;
	const struct ht_profile_sample *b = *(const struct ht_profile_sample *const *)pb;
	int64_t va = a->values[HT_WHOLE_ALLOC_SPACE], vb = b->values[HT_WHOLE_ALLOC_SPACE];
	if (va != vb)
		return va < vb ? 1 : -1;
	return a < b ? -1 : a > b;
}

static int write_profile(const struct ht_profile *p, size_t value_index, int fd, struct ht_diag *d)
{
	struct ht_sink out = {.fd = fd};
	const struct ht_profile_sample **order = ht_xcalloc(p->sample_count, sizeof(*order));
	(void)value_index;
	ht_buf_printf(&out.text, "function,file,line,module");
	for (size_t i = 0; i < p->type_count; i++)
		ht_buf_printf(&out.text, ",%s", p->types[i].type);
	ht_buf_printf(&out.text, ",stack\n");
	for (size_t i = 0; i < p->sample_count; i++)
		order[i] = &p->samples[i];
	qsort(order, p->sample_count, sizeof(*order), by_space);
	for (size_t i = 0; i < p->sample_count; i++) {
		write_row(&out.text, p, order[i]);
		ht_sink_some(&out);
	}
	free(order);
	return ht_sink_end(&out, d);
}

const struct ht_exporter ht_exporter_csv = {
	.name = "csv",
	.extension = ".csv",
	.summary = "a row per stack, with every number",
	.whole = true,
	.write_profile = write_profile,
};
