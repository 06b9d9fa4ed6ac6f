/*
 * record_settings: how to record, from the command line of `record` or, under plain LD_PRELOAD, from
 * the environment alone. One table for both.
 */
#ifndef HT_RECORD_SETTINGS_H
#define HT_RECORD_SETTINGS_H

#include "collect.h"
#include "options.h"

enum { HT_FOLLOW_CHOICE_ALL, HT_FOLLOW_CHOICE_FORK, HT_FOLLOW_CHOICE_EXEC, HT_FOLLOW_CHOICE_NONE };
enum { HT_WAIT_COMMAND, HT_WAIT_ALL };
enum { HT_FULL_WAIT, HT_FULL_DROP };
enum { HT_STAMPS_EACH, HT_STAMPS_ALLOC, HT_STAMPS_COARSE };

struct ht_record_settings {
	const char *output, *status_file;
	bool force, exec, quiet, strict, self_check, symbolize;
	bool free_stacks, addresses;
	uint64_t stall_threshold; /* ns */
	uint64_t sample, sample_seed, stack_depth, ring_memory, collector_memory, max_file;
	uint32_t events; /* enum ht_seg_option: ALLOC, MAP, THREAD */
	int follow, wait, on_full, timestamps, argv;
};
extern struct ht_record_settings ht_record_settings;
extern const struct ht_option ht_record_options[];

/* What was asked for and this version has not. 0 or HT_ERR_USAGE. */
int ht_record_settings_check(struct ht_diag *d);
/* The part that the collector needs; descriptors, token and command are the caller's. */
void ht_record_settings_collect(struct ht_collect_settings *out);

/* The name of the trace: pattern with %p, %h, %t, %%; NULL: COMMAND.PID.tide. Heap. */
char *ht_record_file_name(const char *pattern, const char *command, pid_t pid);
/* Makes it, never over another file unless force. The descriptor, or HT_ERR_SYSTEM. */
int ht_record_file_open(const char *path, bool force, struct ht_diag *d);

#endif
