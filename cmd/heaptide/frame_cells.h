/* frame_cells: what JSON and CSV say of a callsite: function, file, line, module, inlined, address, unresolved. */
#ifndef HT_FRAME_CELLS_H
#define HT_FRAME_CELLS_H

#include "analyze.h"
#include "emit.h"

/* Columns, and the cells of one row in them; f NULL: nothing is known of it. */
#define HT_FRAME_COLUMNS                                                                                             \
	{.key = "function", .flags = HT_COLUMN_DATA_ONLY}, {.key = "file", .flags = HT_COLUMN_DATA_ONLY},            \
		{.key = "line", .flags = HT_COLUMN_DATA_ONLY}, {.key = "module", .flags = HT_COLUMN_DATA_ONLY},      \
		{.key = "inlined", .flags = HT_COLUMN_DATA_ONLY}, {.key = "address", .flags = HT_COLUMN_DATA_ONLY},  \
	{                                                                                                            \
		.key = "unresolved", .flags = HT_COLUMN_DATA_ONLY                                                    \
	}
void ht_frame_cells(struct ht_emitter *e, const struct ht_frame *f);

#endif
