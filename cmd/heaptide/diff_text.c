/*
 * diff_text: a comparison for people: who is compared with whom, the rows that changed, one line for what did not, and
 * what cannot be known. The same rows as Markdown.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"

static bool is_bytes(enum ht_compare_value v)
{
	return v == HT_CV_BYTES || v == HT_CV_PEAK_BYTES || v == HT_CV_LEAKED_BYTES;
}

struct ht_text ht_diff_number(enum ht_compare_value v, double n, bool sign)
{
	struct ht_text t, number;
	double size = fabs(n);
	if (is_bytes(v))
		number = ht_text_bytes((uint64_t)(size + 0.5));
	else if (size < 1000 && fabs(size - nearbyint(size)) > 0.005)
		snprintf(number.s, sizeof(number.s), "%.2f", size);
	else
		number = ht_text_count((uint64_t)(size + 0.5));
	snprintf(t.s, sizeof(t.s), "%s%.36s", n < 0 ? "-" : sign && n > 0 ? "+" : "", number.s);
	return t;
}

static struct ht_text percent(double old, double new)
{
	struct ht_text t = {""};
	if (old > 0 && new > 0 && old != new)
		snprintf(t.s, sizeof(t.s), "%+.1f %%", 100 * (new / old - 1));
	return t;
}

bool ht_diff_is_news(const struct ht_diff *f, const struct ht_compare_row *row)
{
	double old = row->old[f->c->metric], new = row->new[f->c->metric];
	if (row->tested && !row->significance.news)
		return false;
	if (old == new)
		return row->status == HT_ROW_RENAMED; /* worth knowing, though nothing changed */
	return old == 0 || new == 0 || fabs(new / old - 1) * 100 >= f->threshold;
}

/* --- the head ------------------------------------------------------------------------------ */

static const char *unit_of(const struct ht_diff *f)
{
	switch (f->runs->per) {
	case HT_PER_SECOND:
		return " per second";
	case HT_PER_REGION:
		return " per instance";
	default:
		return "";
	}
}

static const char *noun_of(enum ht_compare_value v)
{
	static const char *const nouns[HT_CV_COUNT] = {
	    [HT_CV_ALLOCS] = "allocations",	[HT_CV_BYTES] = "allocated", [HT_CV_PEAK_OBJECTS] = "blocks at the peak",
	    [HT_CV_PEAK_BYTES] = "at the peak", [HT_CV_LEAKED_OBJECTS] = "blocks not freed",
	    [HT_CV_LEAKED_BYTES] = "not freed", [HT_CV_TEMPORARY] = "temporary allocations",
	};
	return nouns[v];
}

/* "old  v1.tide  ./server (build-id 3fa9c1d2)   5,412,880 allocations" */
static void side_line(const struct ht_diff *f, enum ht_side side, struct ht_buf *out)
{
	const struct ht_runs_side *s = &f->runs->sides[side];
	const struct ht_compare_row *total = &f->c->total;
	double old = total->old[f->c->metric], new = total->new[f->c->metric];
	ht_buf_printf(out, "%s  ", side == HT_OLD ? "old" : "new");
	ht_text_clean(out, s->path);
	if (s->runs > 1)
		ht_buf_printf(out, " and %u more", s->runs - 1);
	ht_buf_printf(out, "  ");
	ht_text_clean(out, s->program);
	if (*s->build_id)
		ht_buf_printf(out, " (build-id %.8s)", s->build_id);
	ht_buf_printf(out, "   %s %s%s", ht_diff_number(f->c->metric, side == HT_OLD ? old : new, false).s,
		      noun_of(f->c->metric), unit_of(f));
	if (side == HT_NEW && old != new)
		ht_buf_printf(out, "   %s  %s", ht_diff_number(f->c->metric, new - old, true).s, percent(old, new).s);
	if (side == HT_NEW && old == new)
		ht_buf_printf(out, "   no change");
	ht_buf_printf(out, "\n");
}

static void certainty_line(const struct ht_diff *f, struct ht_buf *out)
{
	const struct ht_compare *c = f->c;
	if (f->runs->sampled)
		ht_buf_printf(out, "Numbers are estimates from samples; rows of few samples are noise.\n");
	if (!c->total.tested) {
		ht_buf_printf(out, "One run a side cannot tell news from noise; `heaptide diff --old A B C... --new D E F...` can.\n");
		return;
	}
	const struct ht_significance *s = &c->total.significance;
	if (!s->exact && !isnan(s->low))
		ht_buf_printf(out, "%u runs against %u: total %+.2f %%, 95 %% interval %+.2f %% to %+.2f %%, p = %.3g\n",
			      c->runs[HT_OLD], c->runs[HT_NEW],
			      s->old_mean != 0 ? 100 * (s->new_mean / s->old_mean - 1) : 0.0, 100 * s->low, 100 * s->high, s->p);
	else
		ht_buf_printf(out, "%u runs against %u: the total did not vary within a side\n", c->runs[HT_OLD],
			      c->runs[HT_NEW]);
	if (c->runs[HT_OLD] < 4 || c->runs[HT_NEW] < 4)
		ht_buf_printf(out, "Fewer than 4 runs a side: only rows that did not vary within a side can be told from noise.\n");
}

/* --- rows ---------------------------------------------------------------------------------- */

static char *name_cell(const struct ht_diff *f, const struct ht_compare_row *row)
{
	bool stacks = f->c->by == HT_COMPARE_FUNCTION || f->c->by == HT_COMPARE_LINE || f->c->by == HT_COMPARE_STACK;
	return stacks ? ht_runs_chain(f->c, row, f->c->by == HT_COMPARE_STACK ? 6 : 3) : ht_runs_row_name(f->c, row);
}

static char *site_cell(const struct ht_diff *f, const struct ht_compare_row *row)
{
	if (f->c->by == HT_COMPARE_FILE || f->c->by == HT_COMPARE_MODULE)
		return ht_xstrdup("");
	struct ht_buf site = {0};
	ht_text_clean(&site, *row->frame.file ? row->frame.file : row->frame.module);
	if (row->line)
		ht_buf_printf(&site, ":%u", row->line);
	ht_buf_byte(&site, '\0');
	return (char *)site.data;
}

/* Why a row is what it is, below the table: it would not fit into it. */
static void evidence_line(const struct ht_diff *f, const struct ht_compare_row *row, struct ht_buf *out)
{
	if (!row->renamed_from && !*row->evidence)
		return;
	char *name = ht_runs_row_name(f->c, row);
	ht_buf_printf(out, "%s", name);
	if (row->renamed_from && row->frame.function && !strcmp(row->renamed_from, row->frame.function)) {
		ht_buf_printf(out, " on another way");
	} else if (row->renamed_from) {
		ht_buf_printf(out, " was ");
		ht_text_clean(out, row->renamed_from);
	}
	if (*row->evidence) {
		ht_buf_printf(out, ": ");
		ht_text_clean(out, row->evidence);
	}
	ht_buf_printf(out, "\n");
	free(name);
}

static struct ht_text interval_text(const struct ht_compare_row *row)
{
	struct ht_text t = {""};
	const struct ht_significance *s = &row->significance;
	if (row->tested && !s->exact && !isnan(s->low))
		snprintf(t.s, sizeof(t.s), "%+.1f..%+.1f %%", 100 * s->low, 100 * s->high);
	return t;
}

/* Beyond noise for a row by itself; but among so many rows, chance makes one. */
static bool is_perhaps(const struct ht_diff *f, const struct ht_compare_row *row)
{
	const struct ht_significance *s = &row->significance;
	return row->tested && !s->news && s->p < HT_SIGNIFICANCE_LEVEL && (s->low > 0 || s->high < 0) &&
	       fabs(100 * (row->new[f->c->metric] / row->old[f->c->metric] - 1)) >= f->threshold;
}

struct folded_rows {
	size_t same, noise, small, cut, perhaps;
	double noise_delta, small_delta, cut_delta;
};

static void fold(const struct ht_diff *f, const struct ht_compare_row *row, struct folded_rows *n)
{
	double delta = ht_compare_delta(row, f->c->metric);
	if (delta == 0) {
		n->same++;
	} else if (row->tested && !row->significance.news) {
		n->noise++;
		n->noise_delta += delta;
	} else {
		n->small++;
		n->small_delta += delta;
	}
}

/* Does the row get a line of its own, as the next one after `shown`? Else it is counted among those that do not. */
static bool has_line(const struct ht_diff *f, const struct ht_compare_row *row, bool news, size_t shown,
		     struct folded_rows *folded)
{
	if (!news) {
		fold(f, row, folded);
		return false;
	}
	if (shown < f->limit)
		return true;
	folded->cut++;
	folded->cut_delta += ht_compare_delta(row, f->c->metric);
	return false;
}

static void folded_lines(const struct ht_diff *f, const struct folded_rows *n, struct ht_buf *out)
{
	enum ht_compare_value v = f->c->metric;
	if (n->cut)
		ht_buf_printf(out, "and %zu more, %s (-n 0 shows all)\n", n->cut,
			      ht_diff_number(v, n->cut_delta, true).s);
	if (n->perhaps)
		ht_buf_printf(out, "? by itself beyond noise (p < 0.05), but one row among so many is by chance\n");
	if (n->small)
		ht_buf_printf(out, "below %g %%: %zu %s%s, %s\n", f->threshold, n->small, f->by, n->small == 1 ? "" : "s",
			      ht_diff_number(v, n->small_delta, true).s);
	if (n->noise)
		ht_buf_printf(out, "within noise: %zu %s%s, %s\n", n->noise, f->by, n->noise == 1 ? "" : "s",
			      ht_diff_number(v, n->noise_delta, true).s);
	ht_buf_printf(out, "same: %zu %s%s\n", n->same, f->by, n->same == 1 ? "" : "s");
}

static void verdict_lines(const struct ht_diff *f, struct ht_buf *out)
{
	for (size_t i = 0; i < f->verdict_count; i++) {
		const struct ht_judgement *v = &f->verdicts[i];
		ht_buf_printf(out, "%s  ", v->broken ? "FAILED" : "held  ");
		ht_text_clean(out, v->rule->text);
		ht_buf_printf(out, ": %s, at most %s", ht_diff_number(v->rule->metric, v->new - v->old, true).s,
			      ht_diff_number(v->rule->metric, v->allowed - v->old, true).s);
		ht_buf_printf(out, "\n");
	}
}

void ht_diff_text(const struct ht_diff *f, struct ht_emitter *e)
{
	const struct ht_column columns[] = {
	    {.key = "status", .heading = "status", .flags = HT_COLUMN_LEFT},
	    {.key = "old", .heading = "old"},
	    {.key = "new", .heading = "new"},
	    {.key = "delta", .heading = "change"},
	    {.key = "percent", .heading = "%"},
	    {.key = "ci", .heading = f->c->total.tested ? "95 % interval" : ""},
	    {.key = "name", .heading = f->by, .flags = HT_COLUMN_LEFT | HT_COLUMN_FLEX},
	    {.key = "site", .heading = "", .flags = HT_COLUMN_LEFT | HT_COLUMN_KEEP_END, .widest = 24},
	    {0}};
	struct folded_rows folded = {0};
	struct ht_buf text = {0}, evidence = {0};
	enum ht_compare_value v = f->c->metric;
	size_t shown = 0;
	side_line(f, HT_OLD, &text);
	side_line(f, HT_NEW, &text);
	certainty_line(f, &text);
	ht_emit_text(e, "%.*s\n", (int)text.len, (const char *)text.data);
	text.len = 0;
	for (size_t i = 0; i < f->c->row_count; i++) {
		const struct ht_compare_row *row = &f->c->rows[i];
		bool perhaps = is_perhaps(f, row);
		if (!has_line(f, row, perhaps || ht_diff_is_news(f, row), shown, &folded))
			continue;
		if (!shown++)
			ht_emit_table(e, "rows", columns);
		char *name = name_cell(f, row), *site = site_cell(f, row);
		struct ht_text old = ht_diff_number(v, row->old[v], false), new = ht_diff_number(v, row->new[v], false);
		struct ht_text delta = ht_diff_number(v, ht_compare_delta(row, v), true);
		struct ht_text change = percent(row->old[v], row->new[v]), ci = interval_text(row);
		char *status = ht_xasprintf("%s%s", ht_compare_status_names[row->status], perhaps ? " ?" : "");
		folded.perhaps += perhaps;
		ht_emit_cell(e, ht_string(status));
		ht_emit_cell(e, ht_string(old.s));
		ht_emit_cell(e, ht_string(new.s));
		ht_emit_cell(e, ht_string(delta.s));
		ht_emit_cell(e, ht_string(change.s));
		ht_emit_cell(e, ht_string(ci.s));
		ht_emit_cell(e, ht_string(name));
		ht_emit_cell(e, ht_string(site));
		ht_emit_row(e);
		evidence_line(f, row, &evidence);
		free(name);
		free(site);
		free(status);
	}
	if (shown)
		ht_emit_table_end(e, UINT64_MAX);
	if (evidence.len)
		ht_emit_text(e, "\n%.*s\n", (int)evidence.len, (const char *)evidence.data);
	folded_lines(f, &folded, &text);
	verdict_lines(f, &text);
	ht_emit_text(e, "%s%.*s", shown ? "" : "nothing changed\n", (int)text.len, (const char *)text.data);
	text.len = 0;
	if (shown && f->c->by != HT_COMPARE_STACK) {
		ht_text_clean(&text, f->runs->sides[HT_OLD].path);
		ht_buf_byte(&text, ' ');
		ht_text_clean(&text, f->runs->sides[HT_NEW].path);
		ht_emit_text(e, "\nnext: heaptide diff --by=stack %.*s\n", (int)text.len, (const char *)text.data);
	}
	ht_buf_release(&evidence);
	ht_buf_release(&text);
}

/* --- Markdown ------------------------------------------------------------------------------ */

/* Nothing in a cell may end it or mean something. */
void ht_diff_markdown_cell(struct ht_buf *out, const char *s)
{
	ht_buf_printf(out, " `");
	for (; *s; s++) {
		if (*s == '|')
			ht_buf_printf(out, "\\|");
		else
			ht_buf_byte(out, (uint8_t)(*s == '`' ? '\'' : *s));
	}
	ht_buf_printf(out, "` |");
}

void ht_diff_markdown(const struct ht_diff *f, struct ht_buf *out)
{
	struct folded_rows folded = {0};
	enum ht_compare_value v = f->c->metric;
	size_t shown = 0;
	const struct ht_compare_row *total = &f->c->total;
	ht_buf_printf(out, "**%s %s%s**: %s to %s (%s%s%s)\n\n", ht_diff_number(v, ht_compare_delta(total, v), true).s,
		      noun_of(v), unit_of(f), ht_diff_number(v, total->old[v], false).s,
		      ht_diff_number(v, total->new[v], false).s, total->old[v] == total->new[v] ? "no change" : "",
		      percent(total->old[v], total->new[v]).s, total->tested ? "" : "; one run a side, so noise is not known");
	for (size_t i = 0; i < f->c->row_count; i++) {
		const struct ht_compare_row *row = &f->c->rows[i];
		if (!has_line(f, row, ht_diff_is_news(f, row), shown, &folded))
			continue;
		if (!shown++)
			ht_buf_printf(out, "| | old | new | change | %% | %s |\n|---|---:|---:|---:|---:|---|\n", f->by);
		char *name = name_cell(f, row);
		ht_buf_printf(out, "| %s | %s | %s | %s | %s |", ht_compare_status_names[row->status],
			      ht_diff_number(v, row->old[v], false).s, ht_diff_number(v, row->new[v], false).s,
			      ht_diff_number(v, ht_compare_delta(row, v), true).s, percent(row->old[v], row->new[v]).s);
		struct ht_buf cell = {0};
		ht_buf_printf(&cell, "%s", name);
		if (row->renamed_from) {
			ht_buf_printf(&cell, "; ");
			evidence_line(f, row, &cell);
			cell.len--;
		}
		ht_buf_byte(&cell, '\0');
		ht_diff_markdown_cell(out, (const char *)cell.data);
		ht_buf_release(&cell);
		ht_buf_printf(out, "\n");
		free(name);
	}
	ht_buf_printf(out, "%s", shown ? "\n" : "");
	folded_lines(f, &folded, out);
	if (f->verdict_count)
		ht_buf_printf(out, "\n```\n");
	verdict_lines(f, out);
	if (f->verdict_count)
		ht_buf_printf(out, "```\n");
}
