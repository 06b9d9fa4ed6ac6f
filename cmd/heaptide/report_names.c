/* report_names: how the rows of sites are named, for people and as data. See report.h. */
#include <stdlib.h>

#include "report.h"
#include "text.h"

enum { CHAIN = 3, MAX_STACK = 512 };

char *ht_report_row_name(const struct ht_report *r, const struct ht_row *row)
{
	if (r->by == HT_BY_LINE || r->by == HT_BY_STACK ||
	    (r->by == HT_BY_FUNCTION && row->function))
		return ht_report_chain(r->a, row->node, r->by == HT_BY_FUNCTION ? 1 : CHAIN);
	if (r->by == HT_BY_FUNCTION)
		return ht_report_frame_name(row->frame);
	const char *name = r->by == HT_BY_FILE ? row->file : row->module;
	struct ht_buf b = {0};
	ht_text_clean(&b, name && *name		? name
			  : r->by == HT_BY_FILE ? "(file unknown)"
						: "(no file)");
	ht_buf_byte(&b, '\0');
	return (char *)b.data;
}

char *ht_report_row_site(const struct ht_report *r, const struct ht_row *row)
{
	if (r->by == HT_BY_FILE || r->by == HT_BY_MODULE)
		return ht_xstrdup("");
	const struct ht_frame *f = row->frame;
	return ht_report_site(row->file ? row->file : f->file, row->line, f->module);
}

static void stack_cell(const struct ht_report *r, const struct ht_row *row)
{
	static const struct ht_frame *frames[MAX_STACK];
	static struct ht_emit_frame shown[MAX_STACK];
	static char ids[MAX_STACK][2 * HT_BUILD_ID_MAX + 1];
	if (r->e->format == HT_EMIT_TEXT) {
		ht_emit_cell(r->e, ht_omit());
		return;
	}
	size_t n = ht_stacks_expand(r->a->stacks, row->node, true, frames, MAX_STACK);
	if (n > MAX_STACK)
		n = MAX_STACK;
	for (size_t i = 0; i < n; i++)
		shown[i] = ht_report_emit_frame(r->a, frames[i], ids[i]);
	ht_emit_cell(r->e, ht_frames(shown, n));
}

void ht_report_name_cells(const struct ht_report *r, const struct ht_row *row)
{
	struct ht_emitter *e = r->e;
	bool grouped = r->by == HT_BY_FILE || r->by == HT_BY_MODULE;
	bool unresolved = !row->function && !grouped;
	char id[2 * HT_BUILD_ID_MAX + 1];
	ht_emit_cell(e, ht_string(row->function));
	ht_emit_cell(e, ht_string(row->file));
	ht_emit_cell(e, row->line ? ht_number(row->line) : ht_null());
	ht_emit_cell(e, ht_string(row->module && *row->module ? row->module : NULL));
	ht_emit_cell(e, ht_bool(row->inlined));
	const char *build_id =
	    unresolved ? ht_build_id_text(r->a->trace, row->frame->module_id, id) : "";
	ht_emit_cell(e, unresolved ? ht_string(*build_id ? build_id : NULL) : ht_omit());
	ht_emit_cell(e, unresolved ? ht_hex(row->frame->address) : ht_omit());
	ht_emit_cell(e, unresolved ? ht_string(row->frame->reason) : ht_omit());
	stack_cell(r, row);
	ht_emit_cell(e, ht_count(row->stacks));
}
