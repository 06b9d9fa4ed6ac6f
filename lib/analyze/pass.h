/*
 * pass: how the walk over a trace's events (walk.c) feeds the analyses.
 *
 * The walk resolves every event against the one live-block table and hands the result, a step, to
 * each pass in turn, in the trace's order. What a step says about blocks holds for every pass alike,
 * so none keeps a table of its own. For every selected block a pass sees exactly
 *
 *	BIRTH  (DEATH REVIVE)*  (DEATH | LEFT)
 *
 * where REVIVE takes back the DEATH just before it (a realloc that failed), and LEFT is a block that was
 * still live when its image, or the selection, ended.
 */
#ifndef HT_PASS_H
#define HT_PASS_H

#include "analyze.h"
#include "live_table.h"

enum ht_step_kind {
	HT_STEP_BIRTH,
	HT_STEP_DEATH,
	HT_STEP_REVIVE,	   /* undoes `undone` */
	HT_STEP_LEFT,	   /* image_ended says why */
	HT_STEP_INHERITED, /* a forked child freed a block that it inherited */
	HT_STEP_FOREIGN,   /* a free of an address not live */
	HT_STEP_UNMATCHED, /* a death whose birth was not read */
	HT_STEP_EVENT,	   /* any other event, as it stands in the trace */
	HT_STEP_INSTANT,   /* the selection's instant (HT_AT_TIME): no event, no block */
};

struct ht_step {
	uint8_t kind;
	bool actor_selected; /* the event is one of the selected threads', within the selection */
	bool implied;	     /* DEATH: never seen, its address was born again */
	bool same_thread;    /* DEATH, REVIVE: done by the thread that allocated the block */
	bool image_ended;    /* LEFT */
	bool realloc_pair;   /* BIRTH: the other half of the thread's last REALLOC_FREE; pair_selected then */
	bool pair_selected;  /* that half's actor_selected */
	bool undecided;	     /* FOREIGN: perhaps inherited, the trace does not tell */
	bool undone_undecided; /* REVIVE: that of the step taken back */
	uint8_t undone;	     /* REVIVE: kind of the step taken back */
	uint32_t image;	     /* of the event's thread */
	uint64_t between;    /* DEATH, REVIVE: other births of the block's thread since its own */
	const struct ht_event *event; /* REVIVE: the undo. LEFT at the selection's end, INSTANT: NULL */
	const struct ht_event *death; /* REVIVE: the event taken back */
	const struct ht_block *block; /* BIRTH, DEATH, LEFT; REVIVE when `undone` was a DEATH; else NULL */
};

struct ht_pass {
	const char *name;
	void *state;
	void (*step)(void *state, const struct ht_step *step);
	/* After the last step; last_ns: time of the last event walked. */
	void (*end)(void *state, uint64_t last_ns);
};

struct ht_walk_result {
	uint64_t damaged_blocks;
};

/* Reads the trace once and feeds the passes. Which images and threads are selected comes ready-made,
 * one flag per id. */
void ht_walk(struct ht_trace *t, const struct ht_analysis_options *o, const bool *thread_selected,
	     const struct ht_pass *passes, size_t pass_count, struct ht_walk_result *result);

#endif
