/*
 * result: where a command's tables go and in which shape: --json, --csv, --output, the same for
 *every command that prints tables.
 *
 *	struct ht_result r;
 *	if ((code = ht_result_open(&r, "heaptide.info/1", trace_path, d)))
 *		return code;
 *	... r.e ...
 *	return ht_result_close(&r, d);
 */
#ifndef HT_RESULT_H
#define HT_RESULT_H

#include "emit.h"
#include "options.h"

extern const struct ht_option ht_result_options[]; /* json, csv, output */

/* Before anything is read: 0, or HT_ERR_USAGE when the options contradict each other. */
int ht_result_check(struct ht_diag *d);
bool ht_result_is_data(void); /* JSON or CSV */

struct ht_result {
	struct ht_output out;
	struct ht_emitter e;
};
/* never: a file that must not be replaced (the trace), or NULL. */
int ht_result_open(struct ht_result *r, const char *schema, const char *never, struct ht_diag *d);
int ht_result_close(struct ht_result *r, struct ht_diag *d);

#endif
