/*
 * output: where results go: standard output, or a file that appears under its name only when it is
 * complete. A pipe that nobody reads any more ends the program quietly.
 */
#ifndef HT_OUTPUT_H
#define HT_OUTPUT_H

#include "base.h"

struct ht_output {
	int fd;
	struct ht_buf buf; /* append here, then ht_output_flush_some */
	char *path;	   /* NULL: standard output */
	char *temporary;   /* renamed to path at the end; NULL: written in place */
	int error;	   /* errno of the first write that failed */
};

/* path NULL or "-": standard output. never: a file that must not be replaced (the trace), or NULL.
 */
/* A file that no output may replace from now on, for commands that read several. `path` must stay. */
void ht_output_keep(const char *path);
int ht_output_open(struct ht_output *o, const char *path, const char *never, struct ht_diag *d);
/* Writes the buffer when it has grown large; call it between rows. */
void ht_output_flush_some(struct ht_output *o);
/* Writes the rest, and names the file. On failure nothing is left under the name. */
int ht_output_close(struct ht_output *o, struct ht_diag *d);
/* Drops it all. */
void ht_output_abandon(struct ht_output *o);

#endif
