/*
 * source_text: the lines of source files: below --source-root, in the trace, or where they were
 * compiled. A file that is not there is looked for once, and told by name at the end.
 */
#ifndef HT_SOURCE_TEXT_H
#define HT_SOURCE_TEXT_H

#include "emit.h"
#include "stored_symbols.h"

struct ht_source_file {
	char *path; /* as the debug information has it */
	bool found;
	char *text;	    /* what lines point into, NULL: into the trace's */
	const char **lines; /* each ends in NUL, without line break; NULL: not known */
	uint32_t line_count;
	bool newer; /* than the recording: its lines may not be those that ran */
};
struct ht_sources {
	const char *root;		/* --source-root, NULL = none */
	uint64_t recorded_utc_ns;	/* 0 unknown */
	const struct ht_stacks *stacks; /* whose trace may have stored sources, NULL = none */
	struct ht_source_file *files;
	size_t count;
};

/* Loads it at the first request; the pointer is good until the next one. */
const struct ht_source_file *ht_source_file(struct ht_sources *s, const char *path);
/* NULL when it is not there. line counts from 1. */
const char *ht_source_line(const struct ht_source_file *f, uint32_t line);
/* Where a file lies below root, NULL if it does not; heap. */
char *ht_source_place(const char *root, const char *path);
/* Text: which of them were not found, or changed since the recording, once per file; and what to do about it. */
void ht_sources_say(struct ht_emitter *e, const struct ht_sources *s);
void ht_sources_release(struct ht_sources *s);

#endif
