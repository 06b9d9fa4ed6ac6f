/*
 * exporter: one output format of `heaptide export`, as a struct of functions. A new format is a
 * new folder with one of these and a line in cmd's table; nothing else changes.
 */
#ifndef HT_EXPORTER_H
#define HT_EXPORTER_H

#include "base.h"
#include "profile.h"
#include "timeline.h"

struct ht_exporter {
	const char *name;      /* as in --format= */
	const char *extension; /* ".pb.gz" */
	const char *summary;   /* one line for the help */
	bool binary;	       /* not for terminals */
	bool whole;	       /* wants a whole profile (enum ht_whole_value), with the curve */
	/* Writes the whole file to fd. value_index: the value type asked for, for formats that carry one.
	 * 0 or HT_ERR_SYSTEM with a diagnostic. */
	int (*write_profile)(const struct ht_profile *p, size_t value_index, int fd, struct ht_diag *d);
	/* Formats of timelines have this one instead. 0 with d->text set is a note for the user: something was left out
	 * (d->text is to be "" before the call). */
	int (*write_timeline)(const struct ht_timeline *t, int fd, struct ht_diag *d);
};

#endif
