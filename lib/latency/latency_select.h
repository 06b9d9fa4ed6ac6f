/* latency_select: which threads are in the model, and what of the records stays. */
#ifndef HT_LATENCY_SELECT_H
#define HT_LATENCY_SELECT_H

#include "latency.h"

/* Fills in from_ns, to_ns and the threads, with their whole lives; stats: by time. */
void ht_latency_choose_threads(struct ht_latency *l, const struct ht_schedstat *stats, size_t stat_count,
			       const struct ht_latency_options *o);
/* The threads have their spans: drops records of other threads and times, and corrects what refers to them. */
void ht_latency_keep_chosen(struct ht_latency *l);

#endif
