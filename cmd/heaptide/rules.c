/* rules: see rules.h. */
#include "rules.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

const char *const ht_rule_metrics[] = {"allocs", "bytes", "peak", "leaked", "temporary", NULL};
const enum ht_compare_value ht_rule_values[] = {HT_CV_ALLOCS, HT_CV_BYTES, HT_CV_PEAK_BYTES, HT_CV_LEAKED_BYTES,
						HT_CV_TEMPORARY};

static struct ht_rule *add_rule(struct ht_rules *r, const struct ht_rule *rule)
{
	r->items = ht_xrealloc(r->items, r->count + 1, sizeof(*r->items));
	r->items[r->count] = *rule;
	return &r->items[r->count++];
}

static char *copy(const char *s, size_t n)
{
	return ht_xasprintf("%.*s", (int)n, s);
}

/* --- pieces; each says why and leaves the column to its caller ------------------------------ */

static int read_metric(const char *s, size_t n, enum ht_compare_value *metric, struct ht_diag *d)
{
	for (size_t i = 0; ht_rule_metrics[i]; i++)
		if (strlen(ht_rule_metrics[i]) == n && !memcmp(ht_rule_metrics[i], s, n)) {
			*metric = ht_rule_values[i];
			return 0;
		}
	char *word = copy(s, n);
	const char *near = ht_nearest_word(word, ht_rule_metrics);
	int code = near ? ht_fail(d, HT_ERR_USAGE, "unknown metric '%s' (did you mean '%s'?)", word, near)
			: ht_fail(d, HT_ERR_USAGE, "unknown metric '%s': allocs, bytes, peak, leaked or temporary", word);
	free(word);
	return code;
}

/* "100", "1.5M", "2%". */
static int read_limit(const char *s, size_t n, struct ht_rule *rule, struct ht_diag *d)
{
	char *word = copy(s, n), *end;
	uint64_t bytes;
	int code = 0;
	if (n && word[n - 1] == '%') {
		errno = 0;
		rule->limit = strtod(word, &end);
		rule->percent = true;
		if (end != word + n - 1 || n < 2 || errno || !isfinite(rule->limit) || rule->limit < 0)
			code = ht_fail(d, HT_ERR_USAGE, "'%s' is no share", word);
	} else if (!ht_parse_size(word, &bytes)) {
		rule->limit = (double)bytes;
	} else {
		code = ht_fail(d, HT_ERR_USAGE, "'%s' is no number (like 1000, 64K, 2%%)", word);
	}
	free(word);
	return code;
}

/* --- the three forms ----------------------------------------------------------------------- */

int ht_rules_expression(struct ht_rules *r, const char *text, struct ht_diag *d)
{
	struct ht_rule rule = {.growth = true};
	struct ht_diag why = {0};
	const char *sign = strrchr(text, '>'), *colon = NULL;
	if (!sign)
		return ht_fail(d, HT_ERR_USAGE, "'%s' has no '>': like 'allocs>2%%' or 'parse_*:bytes>0'", text);
	for (const char *at = text; at < sign; at++) /* the last one: names have '::' */
		if (*at == ':')
			colon = at;
	const char *metric = colon ? colon + 1 : text;
	int code = read_metric(metric, (size_t)(sign - metric), &rule.metric, &why);
	if (!code)
		code = read_limit(sign + 1, strlen(sign + 1), &rule, &why);
	if (!code && colon == text)
		code = ht_fail(&why, HT_ERR_USAGE, "the pattern before ':' is empty");
	if (code)
		return ht_fail(d, code, "'%s': %s", text, why.text);
	rule.text = ht_xstrdup(text);
	rule.pattern = colon ? copy(text, (size_t)(colon - text)) : NULL;
	add_rule(r, &rule);
	return 0;
}

int ht_rules_maximum(struct ht_rules *r, enum ht_compare_value metric, const char *text, struct ht_diag *d)
{
	struct ht_rule rule = {.metric = metric, .regex = true};
	const char *equals = strrchr(text, '='), *limit = equals ? equals + 1 : text;
	int code = read_limit(limit, strlen(limit), &rule, d);
	if (code)
		return code;
	if (rule.percent)
		return ht_fail(d, HT_ERR_USAGE, "a share of what? '%s' wants --baseline and --tolerance", text);
	if (equals) {
		regex_t re;
		rule.pattern = copy(text, (size_t)(equals - text));
		if (regcomp(&re, rule.pattern, REG_EXTENDED | REG_NOSUB)) {
			code = ht_fail(d, HT_ERR_USAGE, "'%s' is no regular expression", rule.pattern);
			free(rule.pattern);
			return code;
		}
		regfree(&re);
	}
	rule.text = ht_xasprintf("--max-%s=%s", metric == HT_CV_ALLOCS	     ? "allocs"
						: metric == HT_CV_PEAK_BYTES ? "peak"
						: metric == HT_CV_LEAKED_BYTES ? "leaked"
									       : "temporary",
				 text);
	add_rule(r, &rule);
	return 0;
}

struct words {
	const char *at[4];
	size_t length[4], count;
};

static struct words split(const char *line)
{
	struct words w = {.count = 0};
	const char *s = line;
	while (*s && *s != '#' && *s != '\n') {
		size_t n = strcspn(s, " \t\r\n");
		if (!n) {
			s++;
			continue;
		}
		if (w.count < HT_ARRAY_SIZE(w.at)) {
			w.at[w.count] = s;
			w.length[w.count] = n;
		}
		w.count++;
		s += n;
	}
	return w;
}

static int budget_line(struct ht_rules *r, const char *path, unsigned number, const char *line, struct ht_diag *d)
{
	struct ht_rule rule = {.file = path, .line = number};
	struct ht_diag why = {0};
	struct words w = split(line);
	size_t wrong = 0;
	int code = 0;
	if (!w.count)
		return 0;
	if (w.count < 3) {
		const char *last = w.at[w.count - 1] + w.length[w.count - 1];
		return ht_fail(d, HT_ERR_USAGE, "%s:%u:%zu: a rule is PATTERN METRIC LIMIT", path, number,
			       (size_t)(last - line) + 1);
	}
	if (w.count > 3) {
		wrong = 3;
		code = ht_fail(&why, HT_ERR_USAGE, "nothing may follow the limit but a comment");
	}
	bool plus = w.at[2][0] == '+';
	if (!code && (code = read_metric(w.at[1], w.length[1], &rule.metric, &why)))
		wrong = 1;
	if (!code && (code = read_limit(w.at[2] + plus, w.length[2] - plus, &rule, &why)))
		wrong = 2;
	if (!code && rule.percent && !plus) {
		code = ht_fail(&why, HT_ERR_USAGE, "a share is of the baseline: +%.*s", (int)w.length[2], w.at[2]);
		wrong = 2;
	}
	if (code)
		return ht_fail(d, code, "%s:%u:%zu: %s", path, number, (size_t)(w.at[wrong] - line) + 1, why.text);
	rule.growth = plus;
	rule.pattern = w.length[0] == 5 && !memcmp(w.at[0], "total", 5) ? NULL : copy(w.at[0], w.length[0]);
	rule.text = ht_xasprintf("%.*s %.*s %.*s", (int)w.length[0], w.at[0], (int)w.length[1], w.at[1], (int)w.length[2],
				 w.at[2]);
	add_rule(r, &rule);
	return 0;
}

int ht_rules_file(struct ht_rules *r, const char *path, struct ht_diag *d)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	int code = 0;
	if (!f)
		return ht_fail(d, HT_ERR_SYSTEM, "%s: %s", path, strerror(errno));
	ssize_t n;
	for (unsigned number = 1; !code && (n = getline(&line, &cap, f)) >= 0; number++)
		code = strlen(line) == (size_t)n
			       ? budget_line(r, path, number, line, d)
			       : ht_fail(d, HT_ERR_USAGE, "%s:%u:%zu: a zero byte", path, number, strlen(line) + 1);
	if (!code && ferror(f))
		code = ht_fail(d, HT_ERR_SYSTEM, "%s: %s", path, strerror(errno));
	free(line);
	fclose(f);
	return code;
}

int ht_rules_percent(void *value, const char *text, struct ht_diag *d)
{
	char *end;
	double v = strtod(text, &end);
	if (end == text || (*end && strcmp(end, "%")) || !(v >= 0 && v < 1e6))
		return ht_fail(d, HT_ERR_USAGE, "'%s' is no percentage", text);
	*(double *)value = v;
	return 0;
}

void ht_rules_tolerance(struct ht_rules *r, double percent, bool with_temporary)
{
	for (size_t i = 0; ht_rule_metrics[i]; i++)
		if (with_temporary || ht_rule_values[i] != HT_CV_TEMPORARY)
			add_rule(r, &(struct ht_rule){.text = ht_xasprintf("total %s +%g%%", ht_rule_metrics[i], percent),
						      .metric = ht_rule_values[i],
						      .growth = true,
						      .percent = true,
						      .limit = percent});
}

bool ht_rules_ask(const struct ht_rules *r, enum ht_compare_value metric)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->items[i].metric == metric)
			return true;
	return false;
}

void ht_rules_release(struct ht_rules *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->items[i].text);
		free(r->items[i].pattern);
	}
	free(r->items);
	*r = (struct ht_rules){0};
}

/* --- judging ------------------------------------------------------------------------------- */

/* Whether each frame of the comparison matches, once. NULL: the rule has no pattern. */
static bool *matching_frames(const struct ht_rule *r, const struct ht_compare *c)
{
	regex_t re;
	if (!r->pattern || (r->regex && regcomp(&re, r->pattern, REG_EXTENDED | REG_NOSUB)))
		return NULL; /* that it is an expression was checked when it was read */
	uint32_t most = 0;
	for (size_t i = 0; i < c->row_count; i++)
		for (size_t k = 0; k < c->rows[i].depth; k++)
			most = c->rows[i].stack[k] >= most ? c->rows[i].stack[k] + 1 : most;
	bool *hit = ht_xcalloc(most + 1ull, sizeof(*hit));
	for (uint32_t i = 0; i < most; i++) {
		const char *name = c->frames[i].function ? c->frames[i].function : "";
		hit[i] = r->regex ? !regexec(&re, name, 0, NULL, 0) : !fnmatch(r->pattern, name, 0);
	}
	if (r->regex)
		regfree(&re);
	return hit;
}

static bool takes_in(const struct ht_compare_row *row, const bool *hit, bool anywhere)
{
	if (!hit)
		return true;
	if (!anywhere)
		return row->depth && hit[row->stack[0]];
	for (size_t k = 0; k < row->depth; k++)
		if (hit[row->stack[k]])
			return true;
	return false;
}

struct ht_judgement ht_rule_judge(const struct ht_rule *r, const struct ht_compare *c, bool anywhere)
{
	struct ht_judgement v = {.rule = r};
	struct ht_significance s;
	bool *hit = matching_frames(r, c), *chosen = ht_xcalloc(c->row_count + 1, sizeof(*chosen));
	double worst = 0;
	for (size_t i = 0; i < c->row_count; i++) {
		const struct ht_compare_row *row = &c->rows[i];
		if (!takes_in(row, hit, anywhere))
			continue;
		chosen[i] = v.met = true;
		v.old += row->old[r->metric];
		v.new += row->new[r->metric];
		double part = row->new[r->metric] - (r->growth ? row->old[r->metric] : 0);
		if (part > worst) {
			worst = part;
			v.row = row;
		}
	}
	v.news = !ht_compare_test(c, r->metric, chosen, &s) || s.news;
	v.allowed = r->limit;
	if (r->growth)
		v.allowed = v.old + (r->percent ? v.old * r->limit / 100 : r->limit);
	v.broken = v.new > v.allowed * (1 + 1e-9);
	free(chosen);
	free(hit);
	return v;
}
