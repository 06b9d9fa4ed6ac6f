/*
 * record_summary: what record says when it is done: the summary on stderr, the status file, and
 * the exit status.
 */
#ifndef HT_RECORD_SUMMARY_H
#define HT_RECORD_SUMMARY_H

#include "record_run.h"

/* Nothing lost, everything ended, the file finished. */
bool ht_record_complete(const struct ht_recording *r);
/* What went wrong with the recording, as messages; silent when nothing did. */
void ht_record_complaints(const struct ht_recording *r);
void ht_record_summary(const struct ht_recording *r);
int ht_record_status_file(const char *path, const struct ht_recording *r, struct ht_diag *d);

#endif
