/*
 * options: see options.h. One walk over the arguments; every value, from the command line or from
 * the environment, goes through set_value, which is the only place that knows the kinds.
 */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Calls for every option of every table; headings are skipped. */
#define HT_EACH_OPTION(tables, o)                                                                  \
	for (const struct ht_option *const *table_ = (tables); *table_; table_++)                  \
		for (const struct ht_option *o = *table_; o->name; o++)                            \
			if (o->kind != HT_OPTION_HEADING)

static bool takes_value(const struct ht_option *o)
{
	return o->kind != HT_OPTION_FLAG;
}

/* --- values ------------------------------------------------------------------------------- */

static int set_time(struct ht_time_value *out, const char *text, bool moment, struct ht_diag *d)
{
	struct ht_time_value v = {.kind = HT_TIME_NS};
	size_t n = strlen(text);
	char *end;
	if (moment && !strcmp(text, "peak")) {
		v.kind = HT_TIME_PEAK;
	} else if (moment && !strcmp(text, "end")) {
		v.kind = HT_TIME_END;
	} else if (n && text[n - 1] == '%') {
		v.kind = HT_TIME_SHARE;
		v.share = strtod(text, &end) / 100;
		if (end != text + n - 1 || !(v.share >= 0 && v.share <= 1))
			return ht_fail(d, HT_ERR_USAGE, "'%s' is no share from 0%% to 100%%", text);
	} else if (ht_parse_time(text, &v.ns)) {
		return ht_fail(d, HT_ERR_USAGE, "'%s' is no time: write 250us, 3.2s, 40%%%s", text,
			       moment ? ", peak or end" : "");
	}
	*out = v;
	return 0;
}

static int set_number(const struct ht_option *o, const char *text, struct ht_diag *d)
{
	uint64_t v;
	if (o->kind == HT_OPTION_SIZE) {
		if (ht_parse_size(text, &v))
			return ht_fail(d, HT_ERR_USAGE,
				       "'%s' is no size: write 4096, 64K, 1.5M or 2G", text);
	} else {
		v = 0;
		for (const char *p = text; *p || p == text; p++)
			if (*p < '0' || *p > '9' || __builtin_mul_overflow(v, 10, &v) ||
			    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
				return ht_fail(d, HT_ERR_USAGE, "'%s' is no whole number", text);
	}
	if (o->max && (v < o->min || v > o->max))
		return ht_fail(d, HT_ERR_USAGE, "%s is not between %llu and %llu", text,
			       (unsigned long long)o->min, (unsigned long long)o->max);
	*(uint64_t *)o->value = v;
	return 0;
}

static int set_choice(const struct ht_option *o, const char *text, struct ht_diag *d)
{
	char words[200] = "";
	size_t len = 0;
	for (int i = 0; o->choices[i]; i++) {
		if (!strcmp(o->choices[i], text)) {
			*(int *)o->value = i;
			return 0;
		}
		int n = snprintf(words + len, sizeof(words) - len, "%s%s", i ? ", " : "",
				 o->choices[i]);
		if (n > 0 && (size_t)n < sizeof(words) - len)
			len += (size_t)n;
	}
	const char *near = ht_nearest_word(text, o->choices);
	if (near)
		return ht_fail(d, HT_ERR_USAGE, "unknown value '%s' (did you mean '%s'?)", text,
			       near);
	return ht_fail(d, HT_ERR_USAGE, "unknown value '%s': one of %s", text, words);
}

static int set_on_off(bool *out, const char *text, struct ht_diag *d)
{
	if (!strcmp(text, "on"))
		*out = true;
	else if (!strcmp(text, "off"))
		*out = false;
	else
		return ht_fail(d, HT_ERR_USAGE, "'%s' is neither on nor off", text);
	return 0;
}

static void list_add(struct ht_string_list *l, const char *text)
{
	l->items = ht_xrealloc(l->items, l->count + 1, sizeof(*l->items));
	l->items[l->count++] = text;
}

/* text NULL: a flag on the command line. Fills d with the reason alone. */
static int set_value(const struct ht_option *o, const char *text, struct ht_diag *d)
{
	int r = 0;
	switch ((enum ht_option_kind)o->kind) {
	case HT_OPTION_FLAG:
		*(bool *)o->value = true;
		break;
	case HT_OPTION_ONOFF:
		r = set_on_off(o->value, text, d);
		break;
	case HT_OPTION_STRING:
		*(const char **)o->value = text;
		break;
	case HT_OPTION_LIST:
	case HT_OPTION_FILES:
		list_add(o->value, text);
		break;
	case HT_OPTION_NUMBER:
	case HT_OPTION_SIZE:
		r = set_number(o, text, d);
		break;
	case HT_OPTION_TIME:
	case HT_OPTION_MOMENT:
		r = set_time(o->value, text, o->kind == HT_OPTION_MOMENT, d);
		break;
	case HT_OPTION_CHOICE:
		r = set_choice(o, text, d);
		break;
	case HT_OPTION_CUSTOM:
		r = o->parse(o->value, text, d);
		break;
	case HT_OPTION_HEADING:
		break;
	}
	if (!r && o->given)
		*o->given = true;
	return r;
}

/* --- the environment ---------------------------------------------------------------------- */

static int set_flag_from_environment(const struct ht_option *o, const char *text, struct ht_diag *d)
{
	if (!strcmp(text, "0"))
		text = "off";
	else if (!strcmp(text, "1"))
		text = "on";
	int r = set_on_off(o->value, text, d);
	if (!r && o->given)
		*o->given = true;
	return r;
}

static int set_list_from_environment(const struct ht_option *o, const char *text)
{
	/* The list keeps pointers into this copy as long as the process lives, as argv does. */
	char *copy = ht_xstrdup(text), *save;
	for (char *item = strtok_r(copy, ":", &save); item; item = strtok_r(NULL, ":", &save))
		list_add(o->value, item);
	if (o->given)
		*o->given = true;
	return 0;
}

int ht_options_environment(const struct ht_option *const *tables, struct ht_diag *d)
{
	HT_EACH_OPTION(tables, o)
	{
		const char *text = o->environment ? getenv(o->environment) : NULL;
		if (!text || !*text)
			continue;
		struct ht_diag why = {0};
		int r;
		if (o->kind == HT_OPTION_FLAG)
			r = set_flag_from_environment(o, text, &why);
		else if (o->kind == HT_OPTION_LIST)
			r = set_list_from_environment(o, text);
		else
			r = set_value(o, text, &why);
		if (r)
			return ht_fail(d, HT_ERR_USAGE, "%s: %s", o->environment, why.text);
	}
	return 0;
}

/* --- the command line --------------------------------------------------------------------- */

static const struct ht_option *find_name(const struct ht_option *const *tables, const char *name,
					 size_t n)
{
	HT_EACH_OPTION(tables, o)
	{
		if (strlen(o->name) == n && !memcmp(o->name, name, n))
			return o;
	}
	return NULL;
}

static const struct ht_option *find_letter(const struct ht_option *const *tables, char letter)
{
	HT_EACH_OPTION(tables, o)
	{
		if (o->letter == letter)
			return o;
	}
	return NULL;
}

static int unknown_option(const struct ht_option *const *tables, const char *name, size_t n,
			  struct ht_diag *d)
{
	size_t count = 0;
	HT_EACH_OPTION(tables, o) count++;
	const char **names = ht_xcalloc(count + 1, sizeof(*names));
	count = 0;
	HT_EACH_OPTION(tables, o) names[count++] = o->name;
	char *word = ht_xasprintf("%.*s", (int)(n < 64 ? n : 64), name);
	const char *near = ht_nearest_word(word, names);
	if (near)
		ht_fail(d, HT_ERR_USAGE, "--%s: unknown option (did you mean '--%s'?)", word, near);
	else
		ht_fail(d, HT_ERR_USAGE, "--%s: unknown option", word);
	free(word);
	free(names);
	return HT_ERR_USAGE;
}

struct walk {
	const struct ht_option *const *tables;
	int argc, at;
	char **argv;
	struct ht_diag *d;
};

/* The value of the option just met: what is attached to it, or the next argument. */
static int take_value(struct walk *w, const struct ht_option *o, const char *shown,
		      const char *attached)
{
	struct ht_diag why = {0};
	const char *text = attached;
	if (!takes_value(o)) {
		if (attached)
			return ht_fail(w->d, HT_ERR_USAGE, "%s: takes no value", shown);
	} else if (!text) {
		if (w->at >= w->argc)
			return ht_fail(w->d, HT_ERR_USAGE, "%s: needs a value", shown);
		text = w->argv[w->at++];
	}
	if (set_value(o, text, &why))
		return ht_fail(w->d, HT_ERR_USAGE, "%s: %s", shown, why.text);
	return 0;
}

static int long_option(struct walk *w, const char *name)
{
	const char *equals = strchr(name, '=');
	size_t n = equals ? (size_t)(equals - name) : strlen(name);
	if (!equals && !strcmp(name, "help"))
		return HT_OPTIONS_HELP;
	const struct ht_option *o = find_name(w->tables, name, n);
	if (!o)
		return unknown_option(w->tables, name, n, w->d);
	char shown[80];
	snprintf(shown, sizeof(shown), "--%s", o->name);
	return take_value(w, o, shown, equals ? equals + 1 : NULL);
}

static int short_options(struct walk *w, const char *letters)
{
	for (; *letters; letters++) {
		const struct ht_option *o = find_letter(w->tables, *letters);
		if (!o && *letters == 'h')
			return HT_OPTIONS_HELP;
		if (!o)
			return ht_fail(w->d, HT_ERR_USAGE, "-%c: unknown option", *letters);
		char shown[] = {'-', *letters, '\0'};
		if (takes_value(o))
			return take_value(w, o, shown, letters[1] ? letters + 1 : NULL);
		int r = take_value(w, o, shown, NULL);
		if (r)
			return r;
	}
	return 0;
}

int ht_options_parse(const struct ht_option *const *tables, int argc, char **argv,
		     bool stop_at_argument, struct ht_diag *d)
{
	struct walk w = {.tables = tables, .argc = argc, .argv = argv, .d = d};
	const struct ht_option *files = NULL;
	int kept = 0;
	bool ended = false;
	while (w.at < argc) {
		char *a = argv[w.at++];
		if (!ended && files && (a[0] != '-' || !a[1])) {
			list_add(files->value, a);
			continue;
		}
		if (ended || a[0] != '-' || !a[1]) {
			argv[kept++] = a;
			ended |= stop_at_argument;
			continue;
		}
		if (!strcmp(a, "--")) {
			ended = true;
			continue;
		}
		int r = a[1] == '-' ? long_option(&w, a + 2) : short_options(&w, a + 1);
		if (r)
			return r;
		files = a[1] == '-' ? find_name(tables, a + 2, strcspn(a + 2, "=")) : NULL;
		if (files && files->kind != HT_OPTION_FILES)
			files = NULL;
	}
	argv[kept] = NULL;
	return kept;
}

/* --- help --------------------------------------------------------------------------------- */

enum { HELP_COLUMN = 34, HELP_WIDTH = 100 };

/* Appends the words of text, which starts at HELP_COLUMN; lines are broken in front of a word. */
static void wrap(struct ht_buf *out, const char *text)
{
	int at = HELP_COLUMN;
	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t n = strcspn(text, " ");
		bool first = at == HELP_COLUMN;
		if (!first && at + 1 + (int)n > HELP_WIDTH) {
			ht_buf_printf(out, "\n%*s", HELP_COLUMN, "");
			at = HELP_COLUMN;
			first = true;
		}
		ht_buf_printf(out, "%s%.*s", first ? "" : " ", (int)n, text);
		at += (int)n + !first;
		text += n;
	}
	ht_buf_byte(out, '\n');
}

static void option_shape(const struct ht_option *o, struct ht_buf *out)
{
	if (o->letter)
		ht_buf_printf(out, "  -%c, --%s", o->letter, o->name);
	else
		ht_buf_printf(out, "      --%s", o->name);
	if (o->kind == HT_OPTION_ONOFF)
		ht_buf_printf(out, "=on|off");
	else if (o->argument)
		ht_buf_printf(out, "=%s", o->argument);
	else if (o->kind == HT_OPTION_CHOICE)
		for (int i = 0; o->choices[i]; i++)
			ht_buf_printf(out, "%c%s", i ? '|' : '=', o->choices[i]);
}

void ht_options_help(const struct ht_option *const *tables, struct ht_buf *out)
{
	for (const struct ht_option *const *t = tables; *t; t++) {
		for (const struct ht_option *o = *t; o->name; o++) {
			if (o->kind == HT_OPTION_HEADING) {
				ht_buf_printf(out, "\n%s\n", o->help);
				continue;
			}
			size_t start = out->len;
			option_shape(o, out);
			int at = (int)(out->len - start);
			if (at > HELP_COLUMN - 2) {
				ht_buf_byte(out, '\n');
				at = 0;
			}
			ht_buf_printf(out, "%*s", HELP_COLUMN - at, "");
			char *text =
			    ht_xasprintf("%s%s%s%s%s", o->help, o->fallback ? " (default " : "",
					 o->fallback ? o->fallback : "", o->fallback ? ")" : "",
					 o->kind == HT_OPTION_LIST ? " (repeatable)" : "");
			wrap(out, text);
			free(text);
		}
	}
}

/* --- near words --------------------------------------------------------------------------- */

/* Changes between two words: insert, delete, replace, swap neighbours; words over 31 are far. */
static unsigned distance(const char *a, const char *b)
{
	enum { MAX = 32 };
	size_t n = strlen(a), m = strlen(b);
	if (n >= MAX || m >= MAX)
		return MAX;
	unsigned t[MAX][MAX];
	for (size_t i = 0; i <= n; i++) {
		for (size_t j = 0; j <= m; j++) {
			if (!i || !j) {
				t[i][j] = (unsigned)(i + j);
				continue;
			}
			unsigned best = t[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (t[i - 1][j] + 1 < best)
				best = t[i - 1][j] + 1;
			if (t[i][j - 1] + 1 < best)
				best = t[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    t[i - 2][j - 2] + 1 < best)
				best = t[i - 2][j - 2] + 1;
			t[i][j] = best;
		}
	}
	return t[n][m];
}

const char *ht_nearest_word(const char *word, const char *const *words)
{
	size_t n = strlen(word);
	unsigned best = (unsigned)(n < 4 ? 1 : n / 3) + 1;
	const char *found = NULL, *starts = NULL;
	for (; *words; words++) {
		unsigned d = distance(word, *words);
		if (d < best) {
			best = d;
			found = *words;
		}
		if (n >= 2 && !starts && !strncmp(*words, word, n))
			starts = *words;
	}
	return found ? found : starts;
}
