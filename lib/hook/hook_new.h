/*
 * hook_new: what the second preload object, libheaptide-hook-new.so, needs of the first. It is preloaded only
 * where the program's operator new does not come to malloc (jemalloc, tcmalloc, mimalloc); in any other
 * program its presence would change which operator new a plugin gets.
 */
#ifndef HT_HOOK_NEW_H
#define HT_HOOK_NEW_H

#include "rt.h"

struct ht_unwind_state;
struct ht_new_api {
	uint64_t (*births)(void); /* of this thread so far; taken before the real operator new */
	void (*born)(void *p, size_t size, size_t align, uint64_t births_before, const struct ht_unwind_state *from);
	void (*died)(void *p, const struct ht_unwind_state *from); /* before the real operator delete */
	void (*dead)(void);					   /* after it */
};
HT_EXPORT const struct ht_new_api *heaptide_hook_new(uintptr_t text_low, uintptr_t text_high);

#endif
