/* escape_names: how callsites are named and ordered in the views of escape. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "text.h"

static char *cleaned(struct ht_buf *b)
{
	ht_buf_byte(b, '\0');
	return (char *)b->data;
}

char *ht_escape_site(const struct ht_frame *f)
{
	struct ht_buf b = {0};
	if (f->file) {
		ht_text_clean(&b, ht_base_name(f->file));
		if (f->line)
			ht_buf_printf(&b, ":%u", f->line);
	} else {
		ht_text_clean(&b, f->module && *f->module ? ht_base_name(f->module) : "[unknown]");
		if (!f->function)
			ht_buf_printf(&b, "+0x%llx", (unsigned long long)f->address);
	}
	return cleaned(&b);
}

char *ht_escape_function(const struct ht_frame *f)
{
	struct ht_buf b = {0};
	if (f && f->function)
		ht_text_clean(&b, f->function);
	else if (f && f->module && *f->module)
		ht_buf_printf(&b, "+0x%llx", (unsigned long long)f->address);
	else
		ht_buf_printf(&b, "an unknown function");
	return cleaned(&b);
}

static const char *op_name(uint32_t ops)
{
	static const char *const names[] = {[HT_OP_MALLOC] = "malloc", [HT_OP_CALLOC] = "calloc",
					    [HT_OP_ALIGNED] = "aligned_alloc", [HT_OP_NEW] = "operator new",
					    [HT_OP_REALLOC] = "realloc"};
	for (unsigned op = HT_OP_MALLOC; op <= HT_OP_REALLOC; op++)
		if (ops == 1u << op)
			return names[op];
	return "malloc and others";
}

/* The frame that the callsite called, if it is one of the allocator's own; what templates look like tells nobody. */
char *ht_escape_call(const struct ht_escape *x, const struct ht_escape_row *row)
{
	const struct ht_frame *frames[64];
	size_t n = ht_stacks_expand(x->a->stacks, row->node, false, frames, HT_ARRAY_SIZE(frames));
	const struct ht_frame *callsite = ht_stacks_callsite(x->a->stacks, row->node), *called = NULL;
	for (size_t i = 0; i < n && i < HT_ARRAY_SIZE(frames) && frames[i] != callsite; i++)
		if (frames[i]->allocator)
			called = frames[i];
	struct ht_buf b = {0};
	if (called && called->function && !strchr(called->function, '<') && !strchr(called->function, ':'))
		ht_text_clean_n(&b, called->function, strcspn(called->function, "("));
	else
		ht_text_clean(&b, called ? "operator new" : op_name(row->ops));
	return cleaned(&b);
}

/* --- order -------------------------------------------------------------------------------- */

static const struct ht_escape_row *ordered; /* qsort has no context */

static int by_blocks(const void *a, const void *b)
{
	const struct ht_escape_row *x = &ordered[*(const uint32_t *)a], *y = &ordered[*(const uint32_t *)b];
	if (x->allocs != y->allocs)
		return x->allocs > y->allocs ? -1 : 1;
	return ht_frame_order(x->frame, y->frame);
}

uint32_t *ht_escape_order(const struct ht_escape *x, size_t *count)
{
	uint32_t *order = ht_xcalloc((size_t)x->fates->row_count + 1, sizeof(*order));
	*count = 0;
	for (uint32_t i = 0; i < x->fates->row_count; i++)
		if (x->fates->rows[i].allocs)
			order[(*count)++] = i;
	ordered = x->fates->rows;
	qsort(order, *count, sizeof(*order), by_blocks);
	return order;
}

/* --- sizes -------------------------------------------------------------------------------- */

static int by_row_and_size(const void *a, const void *b)
{
	const struct ht_size_count *x = a, *y = b;
	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return (x->size > y->size) - (x->size < y->size);
}

struct ht_escape_sizes *ht_escape_sizes(const struct ht_escape *x)
{
	const struct ht_fates *f = x->fates;
	struct ht_escape_sizes *out = ht_xcalloc(f->row_count, sizeof(*out));
	struct ht_size_count *sorted = ht_xcalloc((size_t)f->size_count + 1, sizeof(*sorted));
	if (f->size_count)
		memcpy(sorted, f->sizes, f->size_count * sizeof(*sorted));
	qsort(sorted, f->size_count, sizeof(*sorted), by_row_and_size);
	uint64_t seen = 0;
	for (uint32_t i = 0; i < f->size_count; i++) {
		const struct ht_size_count *c = &sorted[i];
		bool first = !i || sorted[i - 1].row != c->row;
		uint64_t half = (f->rows[c->row].allocs + 1) / 2;
		seen = first ? 0 : seen;
		if (first)
			out[c->row].min = c->size;
		if (seen < half && seen + c->allocs >= half)
			out[c->row].median = c->size;
		out[c->row].max = c->size;
		seen += c->allocs;
	}
	free(sorted);
	return out;
}

void ht_escape_name_cells(struct ht_emitter *e, const struct ht_frame *f)
{
	char *function = ht_escape_function(f), *site = ht_escape_site(f);
	ht_emit_cell(e, ht_string(function));
	ht_emit_cell(e, ht_string(site));
	ht_frame_cells(e, f);
	free(function);
	free(site);
}
