/*
 * report_lifetimes: how long blocks lived until they were freed: of all together as bars, and per
 * site as a small histogram on a logarithmic scale, all on the same scale.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lifespans.h"
#include "options.h"
#include "report.h"
#include "text.h"

/* A histogram's step in JSON and text: a power of two. Class 0 holds what is too short to tell. */
enum { OCTAVES = (HT_LIFESPAN_CLASSES - 2) / 4 + 2 };

static void octaves_of(const struct ht_lifespan *l, uint64_t *octaves)
{
	for (unsigned i = 0; i < OCTAVES; i++)
		octaves[i] = 0;
	for (unsigned k = 0; l && k < HT_LIFESPAN_CLASSES; k++)
		octaves[(k + 3) / 4] += l->classes[k];
}

/* Where octave i begins. */
static uint64_t octave_bound(unsigned i)
{
	return ht_lifespan_bound(i ? 4 * i - 3 : 0);
}

/* --- all together ------------------------------------------------------------------------- */

static void show_all(struct ht_report *r)
{
	static const struct ht_column columns[] = {
	    {.key = "range", .heading = "freed after", .flags = HT_COLUMN_TEXT_ONLY},
	    {.key = "min_ns", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "max_ns", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "frees", .heading = "blocks"},
	    {.key = "share", .heading = "%", .flags = HT_COLUMN_TEXT_ONLY},
	    {.key = "bytes", .heading = "bytes"},
	    {.key = "bar", .heading = "", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT},
	    {0}};
	char range[100], bars[4 * HT_REPORT_BAR + 8];
	uint64_t most = 0, sum = 0;
	for (size_t i = 0; i < HT_SIZE_CLASSES; i++) {
		sum += r->a->lifetimes[i].frees;
		if (r->a->lifetimes[i].frees > most)
			most = r->a->lifetimes[i].frees;
	}
	ht_emit_table(r->e, "classes", columns);
	for (size_t i = 0; i < HT_SIZE_CLASSES; i++) {
		const struct ht_lifetime_class *c = &r->a->lifetimes[i];
		if (!c->frees)
			continue;
		if (c->min_ns == c->max_ns)
			snprintf(range, sizeof(range), "%s", ht_text_ns(c->min_ns).s);
		else
			snprintf(range, sizeof(range), "%s – %s", ht_text_ns(c->min_ns).s,
				 ht_text_ns(c->max_ns).s);
		ht_report_bar(bars, sizeof(bars), (double)c->frees / (double)most);
		ht_emit_cell(r->e, ht_string(range));
		ht_emit_cell(r->e, ht_ns(c->min_ns));
		ht_emit_cell(r->e, ht_ns(c->max_ns));
		ht_emit_cell(r->e, ht_count(c->frees));
		ht_emit_cell(r->e, ht_share((double)c->frees, (double)sum));
		ht_emit_cell(r->e, ht_bytes(c->bytes));
		ht_emit_cell(r->e, ht_string(bars));
		ht_emit_row(r->e);
	}
	ht_emit_table_end(r->e, UINT64_MAX);
	ht_emit_text(r->e,
		     "%s blocks were not freed; frees are stamped within 1 ms "
		     "(record --timestamps=each: exactly)\n\n",
		     ht_text_count(r->a->totals.c.leaked_objects).s);
}

/* --- per site ----------------------------------------------------------------------------- */

struct scale {
	unsigned first, last; /* octaves that any shown row has */
};

static struct scale common_scale(const struct ht_report *r, const struct ht_row *rows, size_t count)
{
	struct scale s = {OCTAVES, 0};
	uint64_t octaves[OCTAVES];
	for (size_t i = 0; i < count; i++) {
		octaves_of(ht_row_lifespan(r->a, &rows[i]), octaves);
		for (unsigned k = 0; k < OCTAVES; k++) {
			if (!octaves[k])
				continue;
			s.first = k < s.first ? k : s.first;
			s.last = k > s.last ? k : s.last;
		}
	}
	return s;
}

static void row_cells(struct ht_report *r, const struct ht_row *row, const struct scale *scale)
{
	const struct ht_lifespan *l = ht_row_lifespan(r->a, row);
	uint64_t octaves[OCTAVES];
	bool text = r->e->format == HT_EMIT_TEXT;
	char *name = ht_report_row_name(r, row), *site = ht_report_row_site(r, row);
	octaves_of(l, octaves);
	ht_emit_cell(r->e, ht_string(name));
	ht_report_name_cells(r, row);
	ht_emit_cell(r->e, ht_count(l ? l->frees : 0));
	ht_emit_cell(r->e, ht_share(ht_counters_stderr(&row->self, HT_SPREAD_FREES), (double)row->self.frees));
	static const double shares[] = {0.5, 0.9, 0.99, 1};
	for (size_t i = 0; i < HT_ARRAY_SIZE(shares); i++)
		ht_emit_cell(r->e, l ? ht_ns(ht_lifespan_percentile(l, shares[i])) : ht_null());
	if (text && l)
		ht_emit_cell(r->e,
			     ht_counts(octaves + scale->first, scale->last - scale->first + 1));
	else
		ht_emit_cell(r->e, text ? ht_omit() : ht_counts(octaves, OCTAVES));
	ht_emit_cell(r->e, ht_string(site));
	ht_report_counter_cells(r->e, &row->self);
	ht_emit_row(r->e);
	free(name);
	free(site);
}

static void show_sites(struct ht_report *r, const struct ht_rows *rows, size_t shown)
{
	static const struct ht_column columns[] = {
	    {.key = "name",
	     .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_FLEX,
	     .heading = "site"},
	    HT_NAME_COLUMNS,
	    {.key = "seen_to_die", .heading = "freed"},
	    {.key = "spread", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_ESTIMATE, .heading = "±"},
	    {.key = "lifetime_ns.p50", .heading = "half in"},
	    {.key = "lifetime_ns.p90", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "lifetime_ns.p99", .heading = "99 % in"},
	    {.key = "lifetime_ns.max", .heading = "longest"},
	    {.key = "histogram", .heading = "short → long", .flags = HT_COLUMN_LEFT},
	    {.key = "where",
	     .heading = "",
	     .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT | HT_COLUMN_KEEP_END,
	     .widest = 18},
	    HT_COUNTER_COLUMNS(""),
	    {0}};
	uint64_t bounds[OCTAVES];
	struct scale scale = common_scale(r, rows->items, shown);
	for (unsigned i = 0; i < OCTAVES; i++)
		bounds[i] = octave_bound(i);
	ht_emit_json(r->e, "histogram_from_ns", ht_counts(bounds, OCTAVES));
	ht_emit_table(r->e, "rows", columns);
	for (size_t i = 0; i < shown; i++)
		row_cells(r, &rows->items[i], &scale);
	ht_emit_table_end(r->e, rows->count - shown);
	if (scale.first < OCTAVES)
		ht_emit_text(r->e, "\na step of a histogram is a factor of two, from %s to %s\n",
			     ht_text_ns(octave_bound(scale.first)).s,
			     ht_text_ns(scale.last + 1 < OCTAVES ? octave_bound(scale.last + 1)
								 : octave_bound(scale.last))
				 .s);
}

int ht_report_lifetimes(struct ht_report *r, struct ht_diag *d)
{
	struct ht_rows rows;
	bool text = r->e->format == HT_EMIT_TEXT;
	(void)d;
	/* A table of its own in JSON; CSV is one table of rows. */
	if (r->e->format != HT_EMIT_CSV)
		show_all(r);
	ht_analysis_rows(r->a, r->metric_given ? r->metric : HT_METRIC_ALLOCS, false, &rows);
	size_t limit = ht_rows_limit(text ? 20 : SIZE_MAX);
	size_t shown = rows.count < limit ? rows.count : limit;
	show_sites(r, &rows, shown);
	if (shown < rows.count)
		ht_emit_text(r->e, "and %s more sites (-n 0 shows all)\n",
			     ht_text_count(rows.count - shown).s);
	ht_rows_release(&rows);
	return 0;
}
