/* instance_culprit: which lock, or which place in the code, the waits of some instances were for. */
#ifndef HT_INSTANCE_CULPRIT_H
#define HT_INSTANCE_CULPRIT_H

#include "instance_groups.h"

/* Of the waits of blocked part `part` in the first `count` of members, those of the object (of sync objects) or stack
 * (of all else) that took longest together. kind NONE: there are none. */
void ht_instance_culprit(const struct ht_latency *l, const struct ht_instances *in, const uint32_t *members,
			 size_t count, unsigned part, struct ht_culprit *out);

#endif
