/*
 * facts: what info and report both say of a trace: whether it is complete, how the target ended,
 * what was run, and the totals. One place, so that the same number has the same key everywhere.
 */
#ifndef HT_FACTS_H
#define HT_FACTS_H

#include "analyze.h"
#include "emit.h"

/* Verdict ok, nothing lost, not shadowed, all images ended, none that could not attach, no hook that gave up. */
bool ht_fact_complete(const struct ht_trace *t);
/* Why a hook turned itself off, NULL = none did. */
const char *ht_fact_off(const struct ht_trace *t);
/* Sum over the reasons; *known false without a footer. */
uint64_t ht_fact_lost(const struct ht_trace *t, bool *known);
/* Events in the blocks that can be read. */
uint64_t ht_fact_events(const struct ht_trace *t);
uint64_t ht_fact_times(const struct ht_trace *t); /* waits, wakes, stalls, faults, switches, schedstats in it */
const char *ht_fact_verdict(const struct ht_trace *t); /* "ok", "truncated", "damaged" */
/* The value of NAME=VALUE among the trace's flags, as a heap string, or NULL. */
char *ht_fact_flag(const struct ht_trace *t, const char *name);
/* The next word of NUL-separated words, given how far the last one went; false at the end. */
struct ht_words {
	const char *at, *end;
};
struct ht_words ht_fact_words(const struct ht_trace *t); /* the command line of the first image */
bool ht_words_next(struct ht_words *w, const char **word);
/* The command line, words with spaces quoted, clean; heap. */
char *ht_fact_command(const struct ht_trace *t);

/* The last line of a screen: what to run next on the trace. */
void ht_say_next(struct ht_emitter *e, const char *command, const char *path);

/* {code}, {signal} or null, from a wait status (-1: unknown). */
void ht_emit_exit_status(struct ht_emitter *e, const char *key, int wait_status);
/* How a person says it: "exit status 0", "killed by signal 9 (Killed)", "still running"; by value.
 */
struct ht_phrase {
	char s[80];
};
struct ht_phrase ht_phrase_exit(int wait_status);

/* Which share of the allocations is in the trace, as a line of text; nothing when all are. */
void ht_say_sampled(struct ht_emitter *e, const struct ht_analysis *a);
/* What totals that are estimates may be off by, into the object that is open; JSON alone. */
void ht_emit_errors(struct ht_emitter *e, const struct ht_counters *c);
/* " ±1.2 %" behind a number that is an estimate; text alone. */
void ht_say_spread(struct ht_emitter *e, const struct ht_counters *c, enum ht_spread_of of, uint64_t value);
/* These classes of events by name, as an array; known false, where a trace does not say what was asked for: null. JSON
 * alone. */
void ht_emit_classes(struct ht_emitter *e, const char *key, bool known, uint32_t classes);
/* "not_recorded": those of the classes that the trace was not asked for. JSON alone. */
void ht_emit_unrecorded(struct ht_emitter *e, const struct ht_trace *t, uint32_t classes);
/* Text: "allocations were not recorded (record with --events=+alloc)", where the trace was not asked for some of the
 * classes. Is that so? */
bool ht_say_unrecorded(struct ht_emitter *e, const struct ht_trace *t, uint32_t classes);
/* The totals' keys, into the object that is open; JSON alone. */
void ht_emit_totals(struct ht_emitter *e, const struct ht_analysis *a);
/* Text: one line that starts with the label, of frees that ended no block of their image or that nobody saw. Nothing
 * when there is none. */
void ht_emit_strange_frees(struct ht_emitter *e, const struct ht_totals *n, const char *label);
/* Text: "complete: 10,814,002 events, 0 lost" or "incomplete: ..." with every reason. */
void ht_emit_completeness(struct ht_emitter *e, const struct ht_analysis *a);

#endif
