/* dhat: the JSON that valgrind's DHAT writes, for dh_view.html. */
#ifndef HT_DHAT_H
#define HT_DHAT_H

#include "exporter.h"

extern const struct ht_exporter ht_exporter_dhat;

#endif
