/* timeline_shape: what formats/timeline.h says of every timeline, looked at. */
#ifndef HT_TIMELINE_SHAPE_H
#define HT_TIMELINE_SHAPE_H

#include "timeline.h"

/* NULL, or the first thing that does not hold. */
const char *timeline_shape_wrong(const struct ht_timeline *t);

#endif
