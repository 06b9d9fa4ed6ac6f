/* fuzz_trace_walk: everything that a reader may ask of a trace, of bytes that may be anything. */
#ifndef HT_FUZZ_TRACE_WALK_H
#define HT_FUZZ_TRACE_WALK_H

#include "trace.h"

/* A file in memory. */
int fuzz_trace_memory(void);
/* Aborts when the reader breaks a promise: a reference that leads nowhere, events out of bounds. */
void fuzz_trace_walk(const uint8_t *data, size_t size);

#endif
