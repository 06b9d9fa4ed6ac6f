/*
 * walk: the state of a walk over the events, shared by what resolves them (walk.c), what follows forks (heritage.c), and
 * what finds where to begin and to stop (walk_range.c).
 */
#ifndef HT_WALK_H
#define HT_WALK_H

#include "crew.h"
#include "live_table.h"
#include "pass.h"
#include "regions.h"

#define HT_NO_IMAGE UINT32_MAX

/* The last REALLOC_FREE of a thread: what its birth half or its undo refers to. */
struct ht_pending {
	bool present; /* can be undone */
	bool open;    /* no other birth or death of the thread since: a REALLOC is its other half */
	bool paired;  /* one was */
	uint8_t op;
	struct ht_step step;
	struct ht_block block;	/* step.kind DEATH */
	uint64_t seq, address;
};

struct ht_walk_thread {
	uint32_t image;
	uint32_t births; /* modulo 2^32 */
	bool selected;
	struct ht_pending *pending; /* made at its first REALLOC_FREE */
};

struct ht_fork_link {
	uint32_t parent, child;
	uint64_t number;
};

/* One event, while it is looked at. */
struct ht_walk_event {
	const struct ht_event_arrays *events;
	size_t i;
	uint32_t thread;
	struct ht_walk_thread *t;
	bool actor_selected;
	uint8_t op;
};

struct ht_walk {
	const struct ht_trace *trace;
	const struct ht_analysis_options *options;
	struct ht_live_table live;
	struct ht_walk_thread *threads;
	uint32_t *image_of;    /* per thread */
	struct ht_fork_link *forks; /* by parent, number */
	size_t fork_count;
	bool *heritage_known; /* per image: what it inherited is exactly known */
	struct ht_regions *regions; /* NULL: all are wanted */
	bool begun;	/* `from` is reached */
	bool instant_done;
	uint64_t last_ns;
	struct ht_batch *batch; /* where steps go */
	/* where the walk stands in its block */
	struct ht_walk_event at;
	size_t run, run_end;
	size_t first, end; /* blocks that it walks */
	uint64_t unread;   /* births below this number: nothing is known of them, and nothing wanted */
	bool bounded;
	uint64_t damaged_blocks;
};

/* heritage.c: who inherits from whom, and when. */
void ht_walk_collect_forks(struct ht_walk *w);
/* Is it exactly known what the image holds by inheritance? */
bool ht_walk_heritage_known(const struct ht_walk *w, uint32_t image);
void ht_walk_fork(struct ht_walk *w, uint32_t image, uint64_t number);
void ht_walk_image_start(struct ht_walk *w, uint32_t image);

/* walk_range.c: which blocks the selection needs; the live table is filled with what is live in front of them. */
void ht_walk_choose_range(struct ht_walk *w);

#endif
