/*
 * fault_spots: the addresses of page faults, in order, and what is known of the memory over each while the events go
 * by. Private to fault_places.
 */
#ifndef HT_FAULT_SPOTS_H
#define HT_FAULT_SPOTS_H

#include "fault_places.h"
#include "hash_index.h"

/* A block that covers a spot, or did last. */
struct ht_spot_block {
	uint64_t seq, address, size;
	uint64_t death_ns; /* UINT64_MAX: live */
	uint32_t stack, image, spots; /* spots: how many name it; 0: free for another */
	bool numbered;	   /* it is in the index by seq */
};

struct ht_spot {
	uint64_t address;
	uint32_t at, end; /* of the order of faults: those not settled yet */
	uint32_t block;	  /* + 1 */
	uint32_t mapping; /* stack of its mmap + 1 */
	uint32_t alive;	  /* itself, or one further on: those between are settled */
};

struct ht_fault_spots {
	const struct ht_latency *l;
	struct ht_fault_place *places;
	uint32_t *order; /* faults by image, address, time */
	struct ht_spot *spots; /* by image, address; one more at the end that never is settled */
	uint32_t spot_count;
	uint32_t *first; /* per image, and one more */
	uint32_t images;
	uint64_t *filter; /* bits: is there a spot in a page of this hash? */
	struct ht_spot_block *blocks;
	uint32_t block_count, block_cap, block_free; /* free: + 1, a list through `spots` being 0 and stack the next */
	struct ht_index by_seq;
};

void ht_fault_spots_init(struct ht_fault_spots *s, const struct ht_latency *l, struct ht_fault_place *places);
void ht_fault_spots_release(struct ht_fault_spots *s);

/* What happens to [address, address + size) of an image. since: the last event of the thread before. */
void ht_fault_spots_birth(struct ht_fault_spots *s, uint32_t image, uint32_t thread, uint64_t since, uint64_t time,
			  const struct ht_spot_block *b);
void ht_fault_spots_death(struct ht_fault_spots *s, uint64_t seq, uint64_t time);
void ht_fault_spots_free_at(struct ht_fault_spots *s, uint32_t image, uint64_t address, uint64_t time);
/* stack_plus_1: 0 unmaps. */
void ht_fault_spots_map(struct ht_fault_spots *s, uint32_t image, uint64_t time, uint64_t address, uint64_t size,
			uint32_t stack_plus_1);
/* No more events. */
void ht_fault_spots_finish(struct ht_fault_spots *s);

#endif
