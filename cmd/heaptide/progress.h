/*
 * progress: what a long read is doing, on stderr, on one line that disappears again. Only on a
 * terminal, and only after a second.
 */
#ifndef HT_PROGRESS_H
#define HT_PROGRESS_H

#include <stdint.h>

/* Fits the progress callbacks of lib/analyze; ctx is not used. */
void ht_progress(void *ctx, const char *phase, uint64_t done, uint64_t total);
/* Removes the line. */
void ht_progress_end(void);

#endif
