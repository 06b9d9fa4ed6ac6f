/* diff_data: a comparison for programs: JSON, CSV, and stacks for difference flame graphs. Every row, whatever changed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "facts.h"

static const char *const value_keys[HT_CV_COUNT] = {
    [HT_CV_ALLOCS] = "allocs",		       [HT_CV_BYTES] = "bytes",
    [HT_CV_PEAK_OBJECTS] = "peak_objects",     [HT_CV_PEAK_BYTES] = "peak_bytes",
    [HT_CV_LEAKED_OBJECTS] = "leaked_objects", [HT_CV_LEAKED_BYTES] = "leaked_bytes",
    [HT_CV_TEMPORARY] = "temporary",
};

/* Whole numbers as such: a mean over runs may be none. */
struct ht_value ht_diff_value(double n)
{
	return fabs(n) < 9e15 && fabs(n - nearbyint(n)) < 1e-6 ? ht_signed((int64_t)nearbyint(n)) : ht_real(n);
}

/* Which blocks were temporary is not known of samples. */
static struct ht_value value_of(const struct ht_diff *f, unsigned v, double n)
{
	return v == HT_CV_TEMPORARY && f->runs->sampled ? ht_null() : ht_diff_value(n);
}

static void emit_numbers(struct ht_emitter *e, const struct ht_diff *f, const char *key, const double *n, const double *minus)
{
	ht_emit_object(e, key);
	for (unsigned v = 0; v < HT_CV_COUNT; v++)
		ht_emit_json(e, value_keys[v], value_of(f, v, minus ? n[v] - minus[v] : n[v]));
	ht_emit_close(e);
}

/* Of everything; null on a side without allocations. */
static struct ht_value total_of(const struct ht_diff *f, enum ht_side side, unsigned v)
{
	const struct ht_compare_row *total = &f->c->total;
	return f->runs->sides[side].not_recorded ? ht_null() : value_of(f, v, side == HT_OLD ? total->old[v] : total->new[v]);
}

static void emit_delta(struct ht_emitter *e, const struct ht_diff *f)
{
	if (f->runs->bare.count)
		ht_emit_json(e, "delta", ht_null());
	else
		emit_numbers(e, f, "delta", f->c->total.new, f->c->total.old);
}

static void emit_side(struct ht_emitter *e, const struct ht_diff *f, enum ht_side side, const char *key)
{
	const struct ht_runs_side *s = &f->runs->sides[side];
	ht_emit_object(e, key);
	ht_emit_json(e, "trace", ht_string(s->path));
	ht_emit_json(e, "runs", ht_number(s->runs));
	ht_emit_json(e, "command", ht_string(s->command));
	ht_emit_json(e, "program", ht_string(s->program));
	ht_emit_json(e, "build_id", ht_string(*s->build_id ? s->build_id : NULL));
	ht_emit_json(e, "sample_bytes", ht_number(s->sample_bytes));
	if (f->runs->per == HT_PER_REGION)
		ht_emit_json(e, "instances", ht_number(s->instances));
	ht_emit_classes(e, "not_recorded", s->classes_known, s->not_recorded);
	for (unsigned v = 0; v < HT_CV_COUNT; v++)
		ht_emit_json(e, value_keys[v], total_of(f, side, v));
	ht_emit_close(e);
}

static struct ht_value known(double v)
{
	return isnan(v) ? ht_null() : ht_real(v);
}

static struct ht_value known_text(const char *s)
{
	return ht_string(s && *s ? s : NULL);
}

/* The comparison calls the program itself "", whatever it is called on either side. */
static const char *module_of(const struct ht_diff *f, const struct ht_compare_frame *k)
{
	return *k->module ? k->module : f->runs->sides[HT_NEW].program;
}

static const char *reason_of(const struct ht_compare_frame *k)
{
	return k->function  ? NULL
	       : k->address ? "no symbol at this address"
			    : "no symbols, and not the same file on both sides: all of the module";
}

static void emit_stack(struct ht_emitter *e, const struct ht_diff *f, const struct ht_compare_row *row)
{
	struct ht_emit_frame *frames = ht_xcalloc(row->depth + 1, sizeof(*frames));
	for (size_t i = 0; i < row->depth; i++) {
		const struct ht_compare_frame *k = &f->c->frames[row->stack[i]];
		frames[i] = (struct ht_emit_frame){
		    .function = k->function,
		    .file = *k->file ? k->file : NULL,
		    .module = module_of(f, k),
		    .address = k->address,
		    .unresolved = reason_of(k),
		};
	}
	ht_emit_json(e, "stack", ht_frames(frames, row->depth));
	free(frames);
}

static void json_row(struct ht_emitter *e, const struct ht_diff *f, const struct ht_compare_row *row)
{
	const struct ht_significance *s = &row->significance;
	ht_emit_object(e, NULL);
	ht_emit_json(e, "function", ht_string(row->frame.function));
	ht_emit_json(e, "file", known_text(row->frame.file));
	ht_emit_json(e, "line", row->line ? ht_number(row->line) : ht_null());
	ht_emit_json(e, "module", known_text(module_of(f, &row->frame)));
	if (!row->frame.function && (f->c->by == HT_COMPARE_FUNCTION || f->c->by == HT_COMPARE_LINE || f->c->by == HT_COMPARE_STACK)) {
		ht_emit_json(e, "build_id", ht_null());
		ht_emit_json(e, "address", row->frame.address ? ht_hex(row->frame.address) : ht_null());
		ht_emit_json(e, "unresolved", ht_string(reason_of(&row->frame)));
	}
	ht_emit_json(e, "status", ht_string(ht_compare_status_names[row->status]));
	if (row->renamed_from)
		ht_emit_json(e, "renamed_from", ht_string(row->renamed_from));
	if (*row->evidence)
		ht_emit_json(e, "evidence", ht_string(row->evidence));
	emit_stack(e, f, row);
	if (row->in_old)
		emit_numbers(e, f, "old", row->old, NULL);
	else
		ht_emit_json(e, "old", ht_null());
	if (row->in_new)
		emit_numbers(e, f, "new", row->new, NULL);
	else
		ht_emit_json(e, "new", ht_null());
	emit_numbers(e, f, "delta", row->new, row->old);
	if (row->tested) {
		ht_emit_json(e, "p", ht_real(s->p));
		ht_emit_json(e, "p_adjusted", ht_real(s->adjusted));
		ht_emit_object(e, "ci");
		ht_emit_json(e, "low", known(s->low));
		ht_emit_json(e, "high", known(s->high));
		ht_emit_close(e);
		ht_emit_json(e, "noise", ht_bool(!s->news));
	}
	ht_emit_close(e);
}

#define VALUE_COLUMNS(side)                                                                        \
	{.key = side ".allocs"}, {.key = side ".bytes"}, {.key = side ".peak_objects"},            \
	    {.key = side ".peak_bytes"}, {.key = side ".leaked_objects"},                          \
	    {.key = side ".leaked_bytes"}, {.key = side ".temporary"}

static void csv_rows(struct ht_emitter *e, const struct ht_diff *f, size_t shown)
{
	static const struct ht_column columns[] = {
	    {.key = "function"},     {.key = "file"},	  {.key = "line"},	{.key = "module"}, {.key = "status"},
	    {.key = "renamed_from"}, {.key = "evidence"}, VALUE_COLUMNS("old"), VALUE_COLUMNS("new"), VALUE_COLUMNS("delta"),
	    {.key = "p"},	     {.key = "noise"},	  {0}};
	ht_emit_table(e, "rows", columns);
	for (size_t i = 0; i < shown; i++) {
		const struct ht_compare_row *row = &f->c->rows[i];
		ht_emit_cell(e, ht_string(row->frame.function));
		ht_emit_cell(e, known_text(row->frame.file));
		ht_emit_cell(e, row->line ? ht_number(row->line) : ht_null());
		ht_emit_cell(e, known_text(row->frame.module));
		ht_emit_cell(e, ht_string(ht_compare_status_names[row->status]));
		ht_emit_cell(e, ht_string(row->renamed_from));
		ht_emit_cell(e, known_text(row->evidence));
		for (unsigned v = 0; v < HT_CV_COUNT; v++)
			ht_emit_cell(e, row->in_old ? value_of(f, v, row->old[v]) : ht_null());
		for (unsigned v = 0; v < HT_CV_COUNT; v++)
			ht_emit_cell(e, row->in_new ? value_of(f, v, row->new[v]) : ht_null());
		for (unsigned v = 0; v < HT_CV_COUNT; v++)
			ht_emit_cell(e, value_of(f, v, row->new[v] - row->old[v]));
		ht_emit_cell(e, row->tested ? ht_real(row->significance.p) : ht_null());
		ht_emit_cell(e, row->tested ? ht_bool(!row->significance.news) : ht_null());
		ht_emit_row(e);
	}
	ht_emit_table_end(e, UINT64_MAX);
}

void ht_diff_data(const struct ht_diff *f, struct ht_emitter *e)
{
	static const char *const pers[] = {"run", "second", "region"};
	size_t count = f->runs->bare.count ? 0 : f->c->row_count; /* else all of them would be new, or gone */
	size_t shown = count < f->limit ? count : f->limit;
	if (e->format == HT_EMIT_CSV) {
		csv_rows(e, f, shown);
		return;
	}
	emit_side(e, f, HT_OLD, "old");
	emit_side(e, f, HT_NEW, "new");
	emit_delta(e, f);
	ht_emit_json(e, "metric", ht_string(f->metric));
	ht_emit_json(e, "by", ht_string(f->by));
	ht_emit_json(e, "per", ht_string(f->runs->per == HT_PER_REGION ? f->runs->region : pers[f->runs->per]));
	ht_emit_json(e, "noise_known", ht_bool(f->c->total.tested));
	ht_emit_json(e, "complete", ht_bool(!f->runs->incomplete && !f->runs->status));
	ht_emit_array(e, "rows");
	for (size_t i = 0; i < shown; i++)
		json_row(e, f, &f->c->rows[i]);
	ht_emit_close(e);
	ht_emit_json(e, "truncated_rows", ht_number(count - shown));
	ht_emit_array(e, "failed");
	for (size_t i = 0; i < f->verdict_count; i++) {
		const struct ht_judgement *v = &f->verdicts[i];
		if (!v->broken)
			continue;
		ht_emit_object(e, NULL);
		ht_emit_json(e, "rule", ht_string(v->rule->text));
		ht_emit_json(e, "old", ht_diff_value(v->old));
		ht_emit_json(e, "new", ht_diff_value(v->new));
		ht_emit_json(e, "allowed", ht_diff_value(v->allowed));
		ht_emit_close(e);
	}
	ht_emit_close(e);
}

/* ';' ends a frame and a line break the stack: names must not. */
static void folded_frame(struct ht_buf *out, const struct ht_compare_frame *f)
{
	char *text = ht_compare_frame_text(f);
	for (const char *s = text; *s; s++)
		ht_buf_byte(out, (uint8_t)(*s == ';' ? ':' : (uint8_t)*s < ' ' || *s == 0x7f ? ' ' : *s));
	free(text);
}

void ht_diff_folded(const struct ht_diff *f, struct ht_buf *out)
{
	for (size_t i = 0; i < f->c->row_count; i++) {
		const struct ht_compare_row *row = &f->c->rows[i];
		double old = row->old[f->c->metric], new = row->new[f->c->metric];
		if (!row->depth || (old < 0.5 && new < 0.5))
			continue;
		for (size_t k = row->depth; k-- > 0;) {
			folded_frame(out, &f->c->frames[row->stack[k]]);
			ht_buf_byte(out, k ? ';' : ' ');
		}
		ht_buf_printf(out, "%.0f %.0f\n", old, new);
	}
}
