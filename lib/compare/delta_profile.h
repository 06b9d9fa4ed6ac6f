/* delta_profile: the differences of a comparison as a profile, for exporters: values are new minus old, and signed. */
#ifndef HT_DELTA_PROFILE_H
#define HT_DELTA_PROFILE_H

#include "compare.h"

/* Of a comparison by stack. Value types alloc_objects, alloc_space, peak_objects, peak_space, leaked_objects, leaked_space,
 * temporary_objects; there are no addresses, which mean nothing between two builds. Lives as long as the comparison. */
const struct ht_profile *ht_delta_profile(const struct ht_compare *c);
void ht_delta_profile_free(const struct ht_profile *p);

#endif
