/* frame_cells: see frame_cells.h. */
#include "frame_cells.h"

void ht_frame_cells(struct ht_emitter *e, const struct ht_frame *f)
{
	ht_emit_cell(e, ht_string(f ? f->function : NULL));
	ht_emit_cell(e, ht_string(f ? f->file : NULL));
	ht_emit_cell(e, f && f->line ? ht_number(f->line) : ht_null());
	ht_emit_cell(e, ht_string(f && f->module && *f->module ? f->module : NULL));
	ht_emit_cell(e, f ? ht_bool(f->inlined) : ht_null());
	ht_emit_cell(e, !f || f->function ? ht_omit() : ht_hex(f->address));
	ht_emit_cell(e, !f || f->function ? ht_omit() : ht_string(f->reason));
}
