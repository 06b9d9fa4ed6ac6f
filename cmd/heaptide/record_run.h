/*
 * record_run: the three processes of a recording, and the waiting. record is the parent of the target
 * and of the collector; the target keeps record's terminal, process group, session, descriptors and
 * signals; the collector has a session of its own.
 */
#ifndef HT_RECORD_RUN_H
#define HT_RECORD_RUN_H

#include <sys/resource.h>
#include <sys/types.h>

#include "collect.h"

struct ht_recording {
	char **command;	   /* argv of the target */
	char **environment; /* of the target, without HEAPTIDE_ATTACH and LD_PRELOAD, which are set here */
	char *preload;	   /* value of LD_PRELOAD */
	struct ht_collect_settings settings;
	bool replace;	   /* --exec */
	bool force;
	const char *pattern; /* of the output's name */
	/* what came of it */
	char *path;	   /* of the trace */
	pid_t pid;
	int exec_error;	   /* errno when the target could not be executed */
	int wait_status;
	struct rusage usage; /* the target's and its waited-for children's */
	bool has_result;   /* the collector reported */
	struct ht_collect_result result;
};

/* Starts, waits, and collects the result. 0; or an ht_error: nothing was run, d says why. */
int ht_record_run(struct ht_recording *r, struct ht_diag *d);

#endif
