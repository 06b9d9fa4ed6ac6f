/* speedscope: the file format of speedscope.app: every value type of the profile is a profile of its own. */
#ifndef HT_SPEEDSCOPE_H
#define HT_SPEEDSCOPE_H

#include "exporter.h"

extern const struct ht_exporter ht_exporter_speedscope;

#endif
