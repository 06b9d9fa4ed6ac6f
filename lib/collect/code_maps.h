/*
 * code_maps: code that no stack has gone through. The hook tells of a module before the first frame in it; a fault
 * may come in one that never allocates. So where such code lies is noted from /proc/PID/maps while its process lives,
 * and if the hook does not tell of it later, its module is described from the file's own headers, read like anything
 * that somebody else wrote.
 */
#ifndef HT_CODE_MAPS_H
#define HT_CODE_MAPS_H

#include "collector.h"

/* Generations of a space: what is described here comes behind whatever the hook has told; the newest that the hook
 * told. */
#define HT_GENERATION_MAPS UINT64_MAX
#define HT_GENERATION_NEWEST (UINT64_MAX / 4)

struct ht_code_maps;
/* There is code at ip. Looks into maps at most ten times a second, and ever more rarely where that is of no use. */
void ht_code_maps_note(struct ht_collector *c, struct ht_guest *i, uint64_t ip);
/* Looks now. */
void ht_code_maps_look(struct ht_collector *c, struct ht_guest *i);
/* True: the module that holds ip is in the image's space now; of an image that is in the trace. */
bool ht_code_maps_describe(struct ht_collector *c, struct ht_guest *i, uint64_t ip);
void ht_code_maps_free(struct ht_code_maps *m); /* may be NULL */

/* What an open ELF file says of itself: build_id, size, text_*; bias, as it follows from one of its mappings: `start`
 * in memory is `offset` in the file. *low: link-time address of its first page. False: it is none, or not one of 64
 * bits. */
bool ht_code_describe(int fd, uint64_t start, uint64_t offset, struct ht_module *m, uint64_t *low);

#endif
