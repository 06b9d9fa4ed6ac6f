/*
 * collect_fixture: a collector without a target. The test claims slots and writes records as the hook does,
 * lets rounds run, closes the trace and looks at its events.
 */
#ifndef COLLECT_FIXTURE_H
#define COLLECT_FIXTURE_H

#include "collector.h"

struct fixture {
	struct ht_collector c;
	struct ht_collect_settings settings;
	struct ht_host *host;
	struct ht_guest *guest;
	char path[64];
	/* after fixture_close */
	struct ht_trace *trace;
	struct ht_event *events;
	size_t count;
};
struct producer {
	struct fixture *f;
	struct ht_slot *slot;
	uint8_t *base;
	uint64_t mask, start; /* start: position at which this ring began */
};

void fixture_open(struct fixture *f);
/* A segment for a process of this number, as after its hello. */
void fixture_image(struct fixture *f, pid_t pid);
/* Closes the trace, verifies it, reads its events. */
void fixture_close(struct fixture *f);
void fixture_free(struct fixture *f);

/* Claims a spare slot for a thread. */
struct producer producer_new(struct fixture *f, uint32_t pid, uint32_t tid);
void producer_put(struct producer *p, const uint64_t *words, size_t n);
/* Ticks that lie `at` units after the trace's start, in the past. */
uint64_t stamp(const struct fixture *f, unsigned at);
uint64_t word0(unsigned op, unsigned flags, unsigned frames, unsigned kept, unsigned small);
/* at 0: not stamped. */
void put_malloc(struct producer *p, unsigned at, uint64_t address, unsigned size);
void put_free(struct producer *p, unsigned at, uint64_t address);
/* The n-th event of this op, or NULL; births and deaths only count from the first event on. */
const struct ht_event *event_of(const struct fixture *f, unsigned op, size_t n);
size_t count_of(const struct fixture *f, unsigned op);
/* Position in the trace. */
size_t index_of(const struct fixture *f, const struct ht_event *e);

#endif
