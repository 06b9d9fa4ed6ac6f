/*
 * site_groups: numbers callsites densely, in the order in which they are met, as the analysis groups them
 * (options.by): what has the same number is one row.
 */
#ifndef HT_SITE_GROUPS_H
#define HT_SITE_GROUPS_H

#include "stacks.h"

struct ht_site_groups {
	const struct ht_stacks *stacks;
	uint32_t *group_of; /* per key of a frame: group + 1 */
	uint32_t count;
};
void ht_site_groups_init(struct ht_site_groups *g, const struct ht_stacks *stacks);
void ht_site_groups_release(struct ht_site_groups *g);
/* The group of the stack's callsite; g->count as it was before the call if it is a new one. */
uint32_t ht_site_group(struct ht_site_groups *g, uint32_t node);
/* The group of one frame, of the first of the node's. */
uint32_t ht_site_group_of_frame(struct ht_site_groups *g, uint32_t node);

#endif
