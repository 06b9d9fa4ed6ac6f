/* csv_profile: one row per stack, with every number that it has. */
#ifndef HT_CSV_PROFILE_H
#define HT_CSV_PROFILE_H

#include "exporter.h"

extern const struct ht_exporter ht_exporter_csv;

#endif
