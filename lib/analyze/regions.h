/*
 * regions: which threads are inside the region, or work for a task, that the selection names; by what the
 * program said through heaptide.h. A region_end ends the innermost open region of its thread with its name, and those inside of it.
 */
#ifndef HT_REGIONS_H
#define HT_REGIONS_H

#include "analyze.h"

struct ht_regions;

/* NULL: the selection names neither. */
struct ht_regions *ht_regions_new(const struct ht_trace *t, const struct ht_selection *s);
void ht_regions_free(struct ht_regions *r);
/* One of ops REGION_BEGIN, REGION_END, TASK. counts: the event is of the population. */
void ht_regions_event(struct ht_regions *r, uint32_t thread, unsigned op, uint64_t extra, uint64_t extra2, uint64_t size,
		      bool counts);
/* Both, where both are named. */
bool ht_regions_inside(const struct ht_regions *r, uint32_t thread);
/* How many began: regions, or tasks where only a task is named. */
uint64_t ht_regions_instances(const struct ht_regions *r);

#endif
