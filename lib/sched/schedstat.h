/*
 * schedstat: what the kernel says a thread has run and has waited for a processor, from /proc. It is exact as of the
 * last time that the thread left its processor; of a running one it may lag by a timer tick.
 */
#ifndef HT_SCHEDSTAT_H
#define HT_SCHEDSTAT_H

#include <sys/types.h>

#include "base.h"

struct ht_schedstat_words {
	uint64_t running_ns, runnable_ns, slices;
};
/* Of a process that ended: as long as nobody has waited for it. False: it is gone, or the kernel keeps none. */
bool ht_schedstat_read(pid_t pid, pid_t tid, struct ht_schedstat_words *s);

/* The threads of a process, until visit answers false. False: there is no such process. */
bool ht_schedstat_threads(pid_t pid, bool (*visit)(void *ctx, pid_t tid), void *ctx);

#endif
