/*
 * rules: what must not grow, as `diff --fail-on` and `check` take it.
 *
 *	diff --fail-on=EXPR	[PATTERN:]METRIC>LIMIT		LIMIT of the change: 2%, 100, 64K
 *	a line of a budget	PATTERN METRIC LIMIT		LIMIT of the value: 1000, 64M
 *				PATTERN METRIC +LIMIT		or of its growth over the baseline: +2%, +64K, +0
 *
 * METRIC is allocs, bytes, peak, leaked or temporary. PATTERN is a shell pattern on function names ('*' anything, '?' one
 * character, '[...]' a set); `total` is everything. '#' begins a comment.
 */
#ifndef HT_RULES_H
#define HT_RULES_H

#include "compare.h"
#include "base.h"

struct ht_rule {
	char *text;    /* as written */
	char *pattern; /* NULL: everything */
	bool regex;    /* pattern is an extended regular expression (command line of check) */
	enum ht_compare_value metric;
	bool growth;   /* against the old side */
	bool percent;
	double limit;
	const char *file; /* where it stands, NULL: on the command line */
	unsigned line;
};
struct ht_rules {
	struct ht_rule *items;
	size_t count;
};

extern const char *const ht_rule_metrics[]; /* names, ended by NULL; index = place in ht_rule_values */
extern const enum ht_compare_value ht_rule_values[];

/* 0, or HT_ERR_USAGE with what and where: "4: unknown metric 'alocs' (did you mean 'allocs'?)", columns from 1. */
int ht_rules_expression(struct ht_rules *r, const char *expression, struct ht_diag *d);
/* "[RE=]N" of --max-METRIC. */
int ht_rules_maximum(struct ht_rules *r, enum ht_compare_value metric, const char *text, struct ht_diag *d);
/* HT_ERR_USAGE: "FILE:LINE:COLUMN: ..."; HT_ERR_SYSTEM: it cannot be read. `path` must stay. */
int ht_rules_file(struct ht_rules *r, const char *path, struct ht_diag *d);
/* For option tables: "2" or "2%" into a double. */
int ht_rules_percent(void *value, const char *text, struct ht_diag *d);
/* Everything may grow by at most so many percent, in each metric. */
void ht_rules_tolerance(struct ht_rules *r, double percent, bool with_temporary);
/* Is some rule about the metric? */
bool ht_rules_ask(const struct ht_rules *r, enum ht_compare_value metric);
void ht_rules_release(struct ht_rules *r);

/* What became of a rule. */
struct ht_judgement {
	const struct ht_rule *rule;
	double old, new, allowed; /* allowed: the most that `new` may be */
	bool broken;
	bool met;  /* something matched its pattern */
	bool news; /* its change is beyond noise, as far as the runs can tell; one run a side: true */
	const struct ht_compare_row *row; /* the stack or row that did most of it, NULL: none */
};
/* The sum over rows that the rule takes in: with `anywhere` those with a matching function anywhere on their stack, else
 * with a matching row. */
struct ht_judgement ht_rule_judge(const struct ht_rule *r, const struct ht_compare *c, bool anywhere);

#endif
