/*
 * symbolize_trace: resolves what a closed trace mentions and adds the result to its end. Used by
 * the command symbolize, and by record --symbolize when the recording is over.
 */
#ifndef HT_SYMBOLIZE_TRACE_H
#define HT_SYMBOLIZE_TRACE_H

#include "stored_symbols.h"

/* The symbols' options are the shared ones. out is to be released also when this fails: 0, or an
 * ht_error with the trace as it was. */
int ht_symbolize_trace(const char *path, bool with_sources, struct ht_stored_result *out,
		       struct ht_diag *d);

#endif
