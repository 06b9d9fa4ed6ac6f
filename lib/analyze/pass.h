/*
 * pass: how the walk over a trace's events (walk.c) feeds the analyses.
 *
 * The walk resolves every event against the one live-block table and hands the results, steps, to
 * each pass in turn, in the trace's order and some hundreds at a time. A step says all there is to know of its event and
 * of the block that it is about, so no pass keeps a table of its own. For every selected block a pass sees exactly
 *
 *	BIRTH  (DEATH REVIVE)*  (DEATH | LEFT)
 *
 * where REVIVE takes back the block's last DEATH (a realloc that failed), and LEFT is a block that was
 * still live when its image, or the selection, ended.
 */
#ifndef HT_PASS_H
#define HT_PASS_H

#include "analyze.h"

enum ht_step_kind {
	HT_STEP_BIRTH,
	HT_STEP_DEATH,
	HT_STEP_REVIVE,	   /* undoes `undone` */
	HT_STEP_LEFT,	   /* at the image's end, or (op NONE) at the selection's */
	HT_STEP_INHERITED, /* a forked child freed a block that it inherited */
	HT_STEP_FOREIGN,   /* a free of an address not live */
	HT_STEP_UNMATCHED, /* a death whose birth was not read */
	HT_STEP_EVENT,	   /* any other event, as it stands in the trace */
	HT_STEP_INSTANT,   /* the selection's instant (HT_AT_TIME): no event, no block */
};

/* 64 bytes, so that what the walk writes and passes read stays in the nearest cache. */
struct ht_step {
	uint8_t kind;
	uint8_t op;	     /* of the event; NONE: there is none */
	uint8_t undone;	     /* REVIVE: kind of the step taken back */
	bool selected;	     /* it is about a block (BIRTH, DEATH, LEFT; REVIVE of a DEATH) of the population */
	bool actor_selected; /* the event is one of the selected threads', within the selection */
	bool implied;	     /* DEATH: never seen, its address was born again */
	bool same_thread;    /* DEATH, REVIVE: done by the thread that allocated the block */
	bool realloc_pair;   /* BIRTH: the other half of the thread's last REALLOC_FREE; pair_selected then */
	bool pair_selected;  /* that half's actor_selected; REVIVE: that of the step taken back */
	bool wanted;	     /* it is about a block that the filters by size, region and task let through */
	bool undecided;	     /* FOREIGN, REVIVE of one: perhaps inherited, the trace does not tell */
	bool new_machine;    /* of events: nothing follows from comparing `stack` with the thread's previous one */
	uint32_t image;	     /* of the event's thread */
	uint32_t thread, stack; /* the event's; REVIVE: the stack of the event taken back */
	uint32_t owner, birth_stack; /* the block's thread and stack */
	uint32_t between;    /* DEATH, REVIVE: other births of the block's thread since its own, modulo 2^32 */
	uint64_t size;	     /* the block's */
	uint64_t time_ns;    /* the event's; LEFT at the selection's end: 0 */
	uint64_t birth_ns;   /* the block's */
	uint64_t lived_ns;   /* DEATH, LEFT at the image's end: from birth to event; REVIVE: to the death taken back */
};

struct ht_pass {
	const char *name;
	void *state;
	void (*steps)(void *state, const struct ht_step *steps, size_t count); /* NULL: none are wanted */
	/* After the last step; last_ns: time of the last event walked. */
	void (*end)(void *state, uint64_t last_ns);
};

struct ht_walk_result {
	uint64_t damaged_blocks;
	uint64_t region_instances;
};

/* Reads the trace once and feeds the passes. Which images and threads are selected comes ready-made,
 * one flag per id. */
void ht_walk(struct ht_trace *t, const struct ht_analysis_options *o, const bool *thread_selected,
	     const struct ht_pass *passes, size_t pass_count, struct ht_walk_result *result);

#endif
