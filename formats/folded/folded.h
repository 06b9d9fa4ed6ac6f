/* folded: one line per stack, "root;...;leaf value", for flame graph scripts and speedscope. */
#ifndef HT_FOLDED_H
#define HT_FOLDED_H

#include "exporter.h"

extern const struct ht_exporter ht_exporter_folded;

#endif
