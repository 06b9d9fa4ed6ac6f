/* pprof: profile.proto, gzipped, for `go tool pprof`, google/pprof and all that reads their files. */
#ifndef HT_PPROF_H
#define HT_PPROF_H

#include "exporter.h"

extern const struct ht_exporter ht_exporter_pprof;

#endif
