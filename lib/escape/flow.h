/*
 * flow: the control flow of one function, instruction by instruction: its hot extent and the cold ones that jump back
 * into it. Over-approximated: see code.h.
 */
#ifndef HT_FLOW_H
#define HT_FLOW_H

#include "image.h"

enum ht_flow_kind {
	HT_FLOW_PLAIN,
	HT_FLOW_CALL,
	HT_FLOW_TWICE,	/* a call that may return again: setjmp and kin */
	HT_FLOW_BRANCH, /* to target, or on */
	HT_FLOW_JUMP,	/* to target */
	HT_FLOW_LEAVE,	/* a jump out of the function */
	HT_FLOW_ANY,	/* a jump to anywhere in the function, or out of it */
	HT_FLOW_END,	/* return, trap */
};
struct ht_instruction {
	uint64_t address;
	uint64_t callee; /* CALL: where it goes directly, 0 unknown */
	int32_t target;	 /* BRANCH, JUMP: index */
	uint32_t pre, post; /* of a depth-first walk from the entry; 0: not reached */
	uint8_t kind, length;
	bool normal;   /* reached from the entry without landing pads and indirect jumps */
	bool first;    /* of an extent */
};

struct ht_flow {
	struct ht_instruction *items; /* by address */
	int32_t count, entry;
	int32_t *leaders; /* where indirect jumps may go: behind what does not go on, and targets */
	int32_t leader_count;
	int32_t *orphans; /* where unwinding may land: leaders that nothing leads to */
	int32_t orphan_count;
	bool landing;
	bool twice;
	uint32_t *seen; /* scratch of a search: its number */
	int32_t *work;
	uint32_t searches;
};

/* NULL: it cannot be read, or is too large. */
struct ht_flow *ht_flow_new(const struct ht_image_code *m, const struct ht_extent *e);
void ht_flow_free(struct ht_flow *f);
/* The instruction at the address, or that ends there; -1: none. */
int32_t ht_flow_at(const struct ht_flow *f, uint64_t address);
int32_t ht_flow_ending(const struct ht_flow *f, uint64_t address);

/* Can `to` be reached from `from` (which counts itself), without going on from `barrier` (-1: none)? forward: without
 * loops' back edges. to HT_FLOW_OUT: a jump out of the function. */
#define HT_FLOW_OUT (-2)
bool ht_flow_reaches(struct ht_flow *f, int32_t from, int32_t to, int32_t barrier, bool forward);

#endif
