/*
 * fuzz_trace_walk: everything that a reader may ask of a trace, of bytes that may be anything. fuzz_trace_block hands its input to
 * whichever fuzz_trace_walk it is built with.
 */
#ifndef HT_FUZZ_TRACE_WALK_H
#define HT_FUZZ_TRACE_WALK_H

#include "trace.h"

/* A file in memory. */
int fuzz_trace_memory(void);
/* ht_trace_open_fd of one with these bytes. */
int fuzz_trace_open(struct ht_trace **t, const uint8_t *data, size_t size, struct ht_diag *d);
/* Aborts when a reader breaks a promise: a reference that leads nowhere, events out of bounds. */
void fuzz_trace_walk(const uint8_t *data, size_t size);

#endif
