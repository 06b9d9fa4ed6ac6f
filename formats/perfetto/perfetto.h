/* perfetto: a timeline as Perfetto's protobuf trace, for ui.perfetto.dev and trace_processor. */
#ifndef HT_PERFETTO_H
#define HT_PERFETTO_H

#include "exporter.h"

#define HT_PERFETTO_RESTART (2 << 20)

/* restart_bytes: after so many, a packet sequence begins anew: what it refers to is said again. */
int ht_perfetto_write(const struct ht_timeline *t, size_t restart_bytes, int fd, struct ht_diag *d);

extern const struct ht_exporter ht_perfetto_exporter;

#endif
