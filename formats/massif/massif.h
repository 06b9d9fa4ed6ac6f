/* massif: the text that valgrind's Massif writes, for ms_print and massif-visualizer. */
#ifndef HT_MASSIF_H
#define HT_MASSIF_H

#include "exporter.h"

extern const struct ht_exporter ht_exporter_massif;

#endif
