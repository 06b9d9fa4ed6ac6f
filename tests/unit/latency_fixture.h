/*
 * latency_fixture: traces of switches, waits and wakes made by hand, on top of analyze_fixture. Times are microseconds
 * here, so that a test reads like a drawing.
 */
#ifndef HT_LATENCY_FIXTURE_H
#define HT_LATENCY_FIXTURE_H

#include "analyze_fixture.h"
#include "latency.h"

#define US UINT64_C(1000)

/* With one image, number 0, of process 100. */
void latency_begin(struct fixture *f);
/* A thread that lives from begin to end. */
uint32_t latency_thread(struct fixture *f, uint32_t image, uint32_t tid, const char *name, uint64_t begin,
			uint64_t end);
void latency_in(struct fixture *f, uint32_t thread, uint64_t at);
void latency_blocked(struct fixture *f, uint32_t thread, uint64_t at);
void latency_preempted(struct fixture *f, uint32_t thread, uint64_t at);
void latency_wait(struct fixture *f, uint32_t thread, unsigned kind, unsigned call, uint64_t object, uint64_t begin,
		  uint64_t end);
/* A wait for a mutex, and an unlock. */
void latency_lock(struct fixture *f, uint32_t thread, uint64_t object, uint64_t begin, uint64_t end);
void latency_unlock(struct fixture *f, uint32_t thread, uint64_t object, uint64_t at);
/* With a deadline so long after its begin. */
void latency_timed_wait(struct fixture *f, uint32_t thread, unsigned kind, unsigned call, unsigned outcome,
			uint64_t object, uint64_t begin, uint64_t end, uint64_t deadline);
void latency_wake(struct fixture *f, uint32_t thread, unsigned kind, unsigned call, unsigned flags, uint64_t object,
		  uint64_t at);
void latency_stat(struct fixture *f, uint32_t thread, uint64_t at, uint64_t running, uint64_t runnable);
void latency_sliced_stat(struct fixture *f, uint32_t thread, uint64_t at, uint64_t running, uint64_t runnable,
			 uint64_t slices);

/* Reads everything; asserts success, and what is true of every model: spans adjoin, sums agree. */
struct ht_latency *latency_read(struct fixture *f);
struct ht_latency *latency_read_part(struct fixture *f, const struct ht_selection *s);
/* Releases both. */
void latency_end(struct fixture *f, struct ht_latency *l);
/* "run 10 mutex 20 ready 5 ...": a thread's spans, lengths in whole microseconds. */
const char *latency_spans(const struct ht_latency *l, uint32_t thread);
/* The thread that ended the thread's n-th wait, -1: not known. */
int latency_waker(const struct ht_latency *l, uint32_t thread, size_t n);

#endif
