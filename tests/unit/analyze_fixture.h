/*
 * analyze_fixture: traces made by hand for the tests of lib/analyze. A fixture writes events with the
 * trace's own writer into an anonymous file and opens the result with its own reader, so what the
 * tests count is what a recorder could have written.
 */
#ifndef HT_ANALYZE_FIXTURE_H
#define HT_ANALYZE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyze.h"

struct fixture {
	int fd;
	struct ht_trace_writer *writer;
	struct ht_trace *trace;
	uint64_t now;	   /* time of the next event; grows by 1000 ns an event */
	uint64_t address;  /* of the next block */
	struct ht_image images[16];
	struct ht_thread_info threads[64];
	uint32_t thread_count;
	uint64_t lost[HT_LOST_COUNT]; /* as the footer will say */
};

void fixture_begin(struct fixture *f);
/* Finishes the file and opens it. */
struct ht_trace *fixture_open(struct fixture *f);
void fixture_end(struct fixture *f);

uint32_t fixture_string(struct fixture *f, const char *s);
/* A forked image (fork_number != 0) or a first one, with its start event's thread left to the caller. */
uint32_t fixture_image(struct fixture *f, uint32_t pid, uint32_t parent_plus_1, uint64_t fork_number);
uint32_t fixture_thread(struct fixture *f, uint32_t image, uint32_t tid, const char *name);
uint32_t fixture_module(struct fixture *f, const char *path, const char *build_id);
/* A frame under parent (0 = outermost) in module id + 1. */
uint32_t fixture_node(struct fixture *f, uint32_t parent, uint32_t module, uint64_t address);

/* Events; births return their sequence number. */
uint64_t fixture_birth(struct fixture *f, uint32_t thread, uint32_t stack, uint64_t size);
uint64_t fixture_birth_at(struct fixture *f, uint32_t thread, uint32_t stack, uint64_t size, uint64_t address,
			  bool unpaired);
void fixture_death(struct fixture *f, uint32_t thread, uint32_t stack, uint64_t seq);
/* Any op: v is seq, address, size or extra as the op has it. */
uint64_t fixture_event(struct fixture *f, unsigned op, uint32_t thread, uint32_t stack, uint64_t v);
void fixture_image_end(struct fixture *f, uint32_t image, uint32_t thread);
/* Ends the block of events here, so that the next one starts another. */
void fixture_cut(struct fixture *f);

/* Analyzes with the given options, asserting success. */
struct ht_analysis *fixture_analyze(struct fixture *f, const struct ht_analysis_options *o);
/* The stacks alone, for what reads the events by itself. */
struct ht_analysis *fixture_stacks(struct fixture *f);

#endif
