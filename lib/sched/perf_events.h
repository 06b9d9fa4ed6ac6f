/*
 * perf_events: context switches, beginnings and ends of threads, page faults of processes, as the kernel tells
 * them to anybody about processes of his own (perf_event_open(2), at kernel.perf_event_paranoid 2 or less).
 *
 * Each processor has a buffer, and for each process that is followed one event, which its threads and children
 * inherit. The buffer is held by an event of the caller's own that never fires, so that it stays when a process that
 * is followed ends. Faults have buffers of their own: a storm of them shall not cost a switch.
 *
 * Each thread of the target carries one event per processor: beyond HT_PERF_CPUS_MAX starting a thread becomes too
 * dear, and ht_perf_new refuses.
 */
#ifndef HT_PERF_EVENTS_H
#define HT_PERF_EVENTS_H

#include <sys/types.h>

#include "perf_records.h"

#define HT_PERF_CPUS_MAX 16u

struct ht_perf;
struct ht_perf_wishes {
	bool switches, faults;
	unsigned cpus_max;
};
/* NULL: refused, and why, in a few words. Without faults where only these are refused: see ht_perf_has_faults. */
struct ht_perf *ht_perf_new(const struct ht_perf_wishes *wishes, char why[80]);
void ht_perf_free(struct ht_perf *p);
bool ht_perf_has_faults(const struct ht_perf *p);
/* From now on what the process, its threads and its children do is told. 0, or the errno of the refusal: then nothing
 * of it is. It should have one thread only: those that it has already are not followed. */
int ht_perf_follow(struct ht_perf *p, pid_t pid);

/* Such an errno in a few words. */
const char *ht_perf_reason(int e);

/* Descriptors that poll readable when a buffer is a quarter full. */
unsigned ht_perf_buffers(const struct ht_perf *p);
int ht_perf_descriptor(const struct ht_perf *p, unsigned buffer);
/* Has the kernel written anything that was not looked at? */
bool ht_perf_pending(const struct ht_perf *p);
/* Looks at all buffers; then the records that are stamped before `before`, in the order of their times. False: no
 * more. */
void ht_perf_look(struct ht_perf *p);
bool ht_perf_next(struct ht_perf *p, uint64_t before, struct ht_perf_record *r);
/* Gives back what was read. */
void ht_perf_done(struct ht_perf *p);
/* Records that the kernel had no room for, in all: those that it told of by HT_PERF_LOST, too. 0: it does not say
 * (before 6.0). */
uint64_t ht_perf_lost(const struct ht_perf *p);

/* Would ht_perf_new and ht_perf_follow succeed for this user? False, and why, in a few words. */
bool ht_perf_allowed(char why[80]);

#endif
