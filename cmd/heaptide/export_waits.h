/* export_waits: the profiles of `heaptide export` that are of waiting, not of the heap; and why one is empty, of either. */
#ifndef HT_EXPORT_WAITS_H
#define HT_EXPORT_WAITS_H

#include "analyze.h"
#include "wait_profile.h"

/* Reads the times of a's trace and makes the profile; *value_index: the type that matters. A trace without such times
 * makes an empty one, and standard error says what would have recorded them. Once for a run of the program; *out lives
 * until ht_export_waits_free. 0, or < 0 with d. */
int ht_export_waits(const struct ht_profile **out, struct ht_analysis *a, enum ht_wait_profile_kind kind,
		    unsigned labels, const char *const *comments, size_t comment_count, size_t *value_index,
		    struct ht_diag *d);
void ht_export_waits_free(const struct ht_profile *p);

/* On standard error: the profile is empty since these classes, called `what`, were not recorded, and how they are. Nothing,
 * and false, where they were or may have been. helps: classes that are better recorded, too. */
bool ht_export_say_unrecorded(const struct ht_trace *t, const char *what, uint32_t needs, uint32_t helps);

#endif
