/* profile_values: which numbers of a stack a kind of profile carries. Private to lib/analyze. */
#ifndef HT_PROFILE_VALUES_H
#define HT_PROFILE_VALUES_H

#include "tally.h"

struct ht_profile_kind_info {
	const struct ht_profile_type *types;
	size_t count, main; /* main: the default type */
};
const struct ht_profile_kind_info *ht_profile_kind_info(enum ht_profile_kind kind);
/* Fills in v[HT_WHOLE_COUNT]; false when the stack has nothing of this kind. */
bool ht_profile_values(const struct ht_analysis *a, enum ht_profile_kind kind, uint32_t node, const struct ht_counters *c,
		       int64_t *v);
/* The curve of live bytes with the peak among it, and the number of points; heap. */
struct ht_profile_point *ht_profile_curve(const struct ht_analysis *a, size_t *count, size_t *peak);

#endif
