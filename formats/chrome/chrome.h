/* chrome: a timeline as Chrome's trace event JSON, for chrome://tracing, speedscope and Perfetto. */
#ifndef HT_CHROME_H
#define HT_CHROME_H

#include "exporter.h"

#define HT_CHROME_EVENTS 1000000 /* its viewers take about a million */

/* What is beyond so many events is left out, from some instant on to the end. Then the file says so ("otherData"), and
 * the diagnostic does, though the result is 0. */
int ht_chrome_write(const struct ht_timeline *t, uint64_t most_events, int fd, struct ht_diag *d);

extern const struct ht_exporter ht_chrome_exporter;

#endif
