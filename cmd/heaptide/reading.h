/*
 * reading: what every command that reads a trace does first and last: open it, turn the shared
 * options into a selection, say what is wrong with the file, and choose the exit status.
 */
#ifndef HT_READING_H
#define HT_READING_H

#include "analyze.h"
#include "options.h"

/* What a command does that shows one analysis of one trace: opens it, analyzes it as `o` and the
 * shared options say, lets `show` render, and returns the exit status. */
typedef int ht_reading_show(struct ht_analysis *a, const char *path, struct ht_diag *d);
int ht_reading_run(const char *path, struct ht_analysis_options *o, ht_reading_show *show);
/* The same for one whose numbers come of passes of its own, over callsites by line: ctx goes to `passes`. */
int ht_reading_run_passes(const char *path, size_t (*passes)(void *ctx, struct ht_analysis *a, struct ht_pass *passes),
			  void *ctx, ht_reading_show *show);

/* Its steps, for commands that do something else in between. Opens; on failure prints the message and returns the exit status, else 0. */
int ht_reading_open(struct ht_trace **t, const char *path);
/* After the reading, for damage shows late: says on stderr what is wrong with a trace that is not
 * whole, and returns 0 or 4. */
int ht_reading_status(const struct ht_trace *t);
/* The shared options as the analysis wants them. HT_ERR_USAGE when times make no span. */
int ht_reading_options(const struct ht_trace *t, struct ht_analysis_options *o, struct ht_diag *d);
/* The part of it that is about symbols. */
void ht_reading_symbols(struct ht_analysis_options *o);
/* ht_reading_options is done: reads the events. Prints the message and returns an exit status, or
 * 0. */
int ht_reading_analyze(struct ht_analysis **a, struct ht_trace *t, struct ht_analysis_options *o);
/* Does the thread match --thread and its image --process? For commands that walk events themselves.
 */
bool ht_reading_thread_selected(const struct ht_trace *t, const struct ht_selection *s,
				uint32_t thread);

#endif
