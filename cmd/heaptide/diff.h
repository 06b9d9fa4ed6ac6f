/* diff: how a comparison is shown; cmd_diff.c chooses. */
#ifndef HT_DIFF_H
#define HT_DIFF_H

#include "emit.h"
#include "text.h"
#include "rules.h"
#include "runs.h"

struct ht_diff {
	const struct ht_compare *c;
	const struct ht_runs *runs;
	const char *metric; /* as in --metric */
	const char *by;
	double threshold; /* percent: smaller changes are folded */
	size_t limit;	  /* rows of text; SIZE_MAX: all */
	const struct ht_judgement *verdicts; /* of --fail-on */
	size_t verdict_count;
};

/* Would a person want to see it? False: the same, within noise, or below the threshold. */
bool ht_diff_is_news(const struct ht_diff *f, const struct ht_compare_row *row);

void ht_diff_text(const struct ht_diff *f, struct ht_emitter *e);
/* JSON and CSV: every row. */
void ht_diff_data(const struct ht_diff *f, struct ht_emitter *e);
void ht_diff_markdown(const struct ht_diff *f, struct ht_buf *out);
/* Two columns, old and new, behind each stack, as difference flame graphs take them; of the metric. */
void ht_diff_folded(const struct ht_diff *f, struct ht_buf *out);

/* "1,204", "3.1 MB", "+2.00": the metric's value, with its sign when `sign`. */
struct ht_text ht_diff_number(enum ht_compare_value v, double n, bool sign);
/* A number for JSON and CSV: whole ones as such, though a mean over runs may be none. */
struct ht_value ht_diff_value(double n);
/* " `cell` |" */
void ht_diff_markdown_cell(struct ht_buf *out, const char *s);

#endif
