/* dump_tables: the trace's dictionaries as text, an entry a line, before the events. */
#ifndef HT_DUMP_TABLES_H
#define HT_DUMP_TABLES_H

#include "trace.h"

void ht_dump_tables(struct ht_buf *out, const struct ht_trace *t);

#endif
