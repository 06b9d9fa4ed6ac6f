/* emit_table: lays out the rows that the emitter kept as an aligned text table. */
#ifndef HT_EMIT_TABLE_H
#define HT_EMIT_TABLE_H

#include "emit.h"

enum { HT_TABLE_WIDTH = 100 };

void ht_emit_table_text(struct ht_emitter *e);

#endif
