/*
 * sym_run: one child per module, as many at once as there are processors, until all are done.
 * A child that crashes, hangs or talks nonsense costs its module alone.
 */
#ifndef HT_SYM_RUN_H
#define HT_SYM_RUN_H

#include "sym_open.h"
#include "sym_reply.h"
#include "sym_worker.h"

/* One module's work: `task` and `answers` are parallel; kind and reason come out. */
struct sym_job {
	const char *path;
	struct sym_task task;
	struct sym_answer *answers;
	unsigned wall_seconds;
	enum ht_symbols_kind kind;
	char reason[SYM_REASON_MAX];

	/* While it runs. */
	struct sym_places *places;
	uint64_t *paused; /* ns that all spent waiting for files of the network; deadlines do not count them */
	struct sym_reply reply;
	int pid, socket;
	uint64_t deadline; /* CLOCK_MONOTONIC, ns */
};

/* How many children run at once. */
size_t sym_processors(void);
void sym_run_all(struct sym_job *jobs, size_t count, struct sym_places *places, struct sym_arena *arena,
		 void (*progress)(void *ctx, size_t done, size_t total), void *ctx);

#endif
