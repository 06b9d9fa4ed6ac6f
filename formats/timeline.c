/* timeline: see timeline.h. Here: the words that all renderings share. */
#include "timeline.h"

const char *const ht_timeline_category_names[HT_TIMELINE_CATEGORIES] = {
	[HT_TIMELINE_WAIT] = "wait",
	[HT_TIMELINE_REGION] = "region",
	[HT_TIMELINE_STALL] = "stall",
	[HT_TIMELINE_BURST] = "allocations",
};
