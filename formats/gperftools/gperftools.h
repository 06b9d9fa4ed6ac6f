/* gperftools: the text heap profile of gperftools, with its symbols, for google-pprof and jeprof. */
#ifndef HT_GPERFTOOLS_H
#define HT_GPERFTOOLS_H

#include "exporter.h"

extern const struct ht_exporter ht_exporter_gperftools;

#endif
