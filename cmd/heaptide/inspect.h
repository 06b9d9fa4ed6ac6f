/*
 * inspect: can this program be recorded? Asked by `doctor`, which shows everything, and by
 *`record`, which wants a one-line refusal or nothing.
 *
 *	struct ht_inspection in;
 *	ht_inspect(&in, argv[0]);
 *	if ((status = ht_inspect_refusal(&in, &diag))) { ht_message(&diag); return status; }
 */
#ifndef HT_INSPECT_H
#define HT_INSPECT_H

#include <limits.h>

#include "elfview.h"

enum ht_inspect_verdict {
	HT_INSPECT_OK,
	HT_INSPECT_PARTLY,	   /* recorded, but something is not seen: reason says what */
	HT_INSPECT_NOT_FOUND,	   /* record: 127 */
	HT_INSPECT_NOT_EXECUTABLE, /* record: 126 */
	HT_INSPECT_STATIC,    /* from here on the hook cannot be loaded, or sees nothing: 125 */
	HT_INSPECT_FOREIGN,   /* another class, byte order, machine or C library */
	HT_INSPECT_SECURE,    /* runs with other privileges: the loader ignores the hook */
	HT_INSPECT_SHADOWED,  /* exports malloc itself */
	HT_INSPECT_SANITIZED, /* a sanitizer's allocator must come first */
};

struct ht_inspection {
	enum ht_inspect_verdict verdict;
	char reason[320];      /* "" when OK */
	char remedy[256];      /* what to do, "" = nothing */
	const char *command;   /* as given */
	char path[PATH_MAX];   /* the file that is executed, "" = not found */
	char script[PATH_MAX]; /* the script that path interprets, "" = none */
	bool has_setid, has_capabilities;
	bool secure;		/* these change the privileges of whoever runs it now */
	char allocator[64];	/* an allocator library among those it needs, "" = libc's */
	char sanitizer[64];	/* "AddressSanitizer", ... */
	struct ht_elf_view elf; /* of path */
};

/* Looks command up as execvp does; follows #! lines (and `env NAME`) to the program that runs. */
void ht_inspect(struct ht_inspection *in, const char *command);
/* Names the allocator or sanitizer that a library's file name stands for, or NULL. */
const char *ht_inspect_allocator_library(const char *file_name);
const char *ht_inspect_sanitizer_library(const char *file_name);
/* 0: go on. Else the exit status of `record` (125, 126, 127) and a diagnostic. PARTLY is no
 * refusal. */
int ht_inspect_refusal(const struct ht_inspection *in, struct ht_diag *d);

#endif
