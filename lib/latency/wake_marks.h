/* wake_marks: the waits of one object whose wakes are each for one waiter: conditions, semaphores, pipes, sockets. */
#ifndef HT_WAKE_MARKS_H
#define HT_WAKE_MARKS_H

#include "latency.h"

/* waits: positions in l->waits, by begin; wakes: positions in l->wakes, by time. Fills in wakes of waits. */
void ht_mark_wakes(struct ht_latency *l, const uint32_t *waits, size_t wait_count, const uint32_t *wakes,
		   size_t wake_count);

#endif
