/*
 * sym_worker: the child's whole life: open, check the build-id, answer from the symbol table, then
 * better from debug information. What was sent before a crash stays valid. Of several children that share a
 * module, the first alone answers from the symbol table.
 */
#ifndef HT_SYM_WORKER_H
#define HT_SYM_WORKER_H

#include "sym_sandbox.h"
#include "sym_wire.h"

struct sym_task {
	const uint64_t *addresses; /* ascending, distinct */
	size_t count;
	const uint8_t *build_id; /* what the module must have; length 0: anything goes */
	size_t build_id_len;
	bool no_inline;
	enum ht_demangle demangle;
	struct sym_limits limits;
	unsigned part, parts; /* of a large module: this child's share, from 0; parts 0 or 1: all of it */
	bool fetch;	      /* debuginfod servers are asked, too */
	const char *advice;   /* what may help when there is no debug information */
};

/* Does not return. */
_Noreturn void sym_worker_run(const struct sym_task *t, int parent, int module);

#endif
