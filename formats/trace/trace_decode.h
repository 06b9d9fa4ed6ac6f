/* trace_decode: the columns of a block of events into arrays; out->raw holds its payload. Private to this folder. */
#ifndef HT_TRACE_DECODE_H
#define HT_TRACE_DECODE_H

#include "trace_reader.h"

int ht_decode_events(const struct ht_trace *t, size_t i, struct ht_event_arrays *out, struct ht_diag *d);

#endif
