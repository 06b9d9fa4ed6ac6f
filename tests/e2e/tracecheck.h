/*
 * tracecheck: judges a trace event by event, for the end-to-end tests. It replays what happened per
 * address, on its own account: it takes nothing from the trace's totals.
 */
#ifndef TRACECHECK_H
#define TRACECHECK_H

#include "trace.h"

/* What the replay knows of each birth, by sequence number. */
struct block {
	uint64_t address, size;
	uint32_t thread;
	bool live, tracked;
};

struct blocks {
	struct block *items;
	uint64_t count, cap;
};

typedef void event_function(void *ctx, const struct ht_trace *t, const struct ht_event *e);

/* Opens the trace, or says why not and exits with 1; a damaged or truncated trace is judged as far
 * as it goes. */
struct ht_trace *open_trace(const char *path);
/* All events in the trace's order. */
void for_each_event(const struct ht_trace *t, event_function *f, void *ctx);
/* The entry of a birth (created) or of a death (NULL when no birth has that number). */
struct block *born(struct blocks *b, const struct ht_event *e);
struct block *block_of(struct blocks *b, uint64_t seq);

/* Prints a difference; only the first ones are shown, all are counted. */
extern uint64_t differences;
void differs(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The commands: 0, or 1 when the trace is not as it should be. */
int check_ledger(const struct ht_trace *t, const char *ledger_path, bool killed);
int check_order(const struct ht_trace *t);
int count_size(const struct ht_trace *t, uint64_t size);

#endif
