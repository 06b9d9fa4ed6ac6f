/* lock_names: what locks are called, where they are variables of a program or library that is still there. */
#ifndef HT_LOCK_NAMES_H
#define HT_LOCK_NAMES_H

#include "analyze.h"
#include "lock_use.h"

/* Of each lock: "cache_lock", "pool+0x18", or NULL; all on the heap. */
char **ht_lock_names(const struct ht_analysis *a, const struct ht_lock_use *u);
/* Of one. */
char *ht_lock_name(const struct ht_analysis *a, uint64_t address, uint32_t image);

#endif
