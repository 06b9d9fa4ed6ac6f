/*
 * fault_places: what memory each page fault was for: the block that held the address at that time, else a mapping of
 * the program's own, else code or data of a module, else the main thread's stack, else the recorder's, by the code
 * that touched it; else unknown (stacks of other threads, the allocator's own pages, mappings that libraries made).
 *
 * The order is turned around: not every block is looked up, but the addresses of faults (spots) are kept in order,
 * each with the last block born over it, and one pass over the events tells them of births, deaths and mappings:
 *
 *	birth B over a spot	its faults so far belong to the block before, if that was live, or to B, if they came while B's
 *				thread was in the call that made it; then the spot's block is B. The allocator's own words right
 *				before and behind B count with B in that call
 *	at the end		the rest belongs to the last block, if it was live
 *
 * A free that has no stamp of its own happened up to a millisecond after its time: until then its block counts as
 * live. A forked image has its parent's blocks of that moment.
 *
 * Memory: 100 bytes a fault, whatever the trace's length.
 */
#ifndef HT_FAULT_PLACES_H
#define HT_FAULT_PLACES_H

#include "latency.h"

enum ht_fault_where {
	HT_FAULT_UNKNOWN = 0,
	HT_FAULT_BLOCK,	  /* what = stack of its birth */
	HT_FAULT_MAPPING, /* what = stack of the call of mmap */
	HT_FAULT_MODULE,  /* what = module id */
	HT_FAULT_STACK,	  /* of the main thread */
	HT_FAULT_RECORDER, /* the hook's: buffers for the recording */
	HT_FAULT_WHERES,
};
extern const char *const ht_fault_where_names[HT_FAULT_WHERES]; /* "block", ... */

struct ht_fault_place {
	uint32_t what;
	uint8_t where;
};

struct ht_fault_places {
	struct ht_fault_place *items; /* one for each of l->faults */
	bool no_addresses; /* the trace keeps none of blocks: no fault is a block's */
	uint64_t damaged_blocks;
};
void ht_fault_places_find(struct ht_fault_places *p, const struct ht_latency *l,
			  void (*progress)(void *ctx, const char *phase, uint64_t done, uint64_t total), void *progress_ctx);
void ht_fault_places_release(struct ht_fault_places *p);

#endif
