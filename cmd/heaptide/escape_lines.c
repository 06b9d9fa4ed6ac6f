/*
 * escape_lines: the verdict of each callsite, a line each in a compiler's manner, those that allocate most first.
 */
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "text.h"

/* --- words -------------------------------------------------------------------------------- */

static const char *unknown_reason(enum ht_unknown why)
{
	switch (why) {
	case HT_UNKNOWN_STACK:
		return "stacks of frees were not recorded";
	case HT_UNKNOWN_MACHINE:
		return "the stacks of its birth and death cannot be compared";
	case HT_UNKNOWN_UNSEEN:
		return "their ends were not seen";
	default:
		return "nothing tells one call of it from the next";
	}
}

static char *starter_name(const struct ht_escape *x, uint32_t starter)
{
	size_t n;
	const struct ht_frame *f = starter ? ht_stacks_frames(x->a->stacks, starter, &n) : NULL;
	return f && f->function ? ht_escape_function(f) : starter ? ht_xstrdup("one of unknown start") : ht_xstrdup("main");
}

static void say_certainty(struct ht_buf *b, const struct ht_verdict_of *v)
{
	unsigned signs = (unsigned)__builtin_popcount(v->signs);
	if (v->certain)
		ht_buf_printf(b, " (certain)");
	else if (v->kind == HT_STAYS)
		ht_buf_printf(b, " (likely: %u sign%s)", signs, signs == 1 ? "" : "s");
	else if (v->kind != HT_MIXED)
		ht_buf_printf(b, " (likely)");
}

static void say_mixed(struct ht_buf *b, const struct ht_row_verdict *r, uint64_t all)
{
	static const char *const words[HT_VERDICTS] = {
		[HT_STAYS] = "stay", [HT_REUSED] = "reused", [HT_TO_CALLER] = "to a caller", [HT_UPWARD] = "upward",
		[HT_TO_THREAD] = "to another thread", [HT_KEPT] = "kept", [HT_UNKNOWN] = "unknown"};
	bool said[HT_VERDICTS] = {false};
	ht_buf_printf(b, " is mixed:");
	for (bool more = true, first = true; more; first = false) {
		unsigned best = HT_VERDICTS;
		for (unsigned k = 0; k < HT_MIXED; k++)
			if (!said[k] && r->blocks[k] && (best == HT_VERDICTS || r->blocks[k] > r->blocks[best]))
				best = k;
		more = best != HT_VERDICTS;
		if (!more)
			break;
		said[best] = true;
		ht_buf_printf(b, "%s %s %s", first ? "" : ",", ht_text_share((double)r->blocks[best] / (double)all).s,
			      words[best]);
	}
}

static void say_verdict(const struct ht_escape *x, struct ht_buf *b, const struct ht_row_verdict *r, uint64_t all)
{
	const struct ht_verdict_of *v = &r->main;
	char *by = v->by ? ht_escape_function(v->by) : ht_xstrdup("an unknown function");
	char *scope = v->scope ? ht_escape_function(v->scope) : NULL, *starter = starter_name(x, v->starter);
	/* Of how many blocks it is true as it is said. */
	struct ht_text count = ht_text_count(v->kind == HT_KEPT ? r->blocks[HT_KEPT] : r->details_blocks);
	struct ht_text whole = ht_text_count(all);
	const char *n = count.s, *of = whole.s;
	switch (v->kind) {
	case HT_STAYS:
		ht_buf_printf(b, " does not escape: %s of %s freed in %s", n, of, by);
		break;
	case HT_REUSED:
		ht_buf_printf(b, " is reused across calls: %s of %s freed by a later call, in %s", n, of, by);
		break;
	case HT_TO_CALLER:
		ht_buf_printf(b, " escapes to %s, %d up: %s of %s freed there", scope, v->frames_up, n, of);
		if (v->by != v->scope)
			ht_buf_printf(b, ", by %s", by);
		break;
	case HT_UPWARD:
		ht_buf_printf(b, " escapes upward: %s of %s freed in %s", n, of, by);
		if (scope)
			ht_buf_printf(b, " under %s, %d up", scope, v->frames_up);
		break;
	case HT_TO_THREAD:
		ht_buf_printf(b, " escapes to thread %s: %s of %s freed by it", starter, n, of);
		break;
	case HT_KEPT:
		ht_buf_printf(b, " is kept: %s of %s not freed at end", n, of);
		break;
	case HT_MIXED:
		say_mixed(b, r, all);
		break;
	default:
		ht_buf_printf(b, " can't be known: %s", unknown_reason(v->why));
		break;
	}
	if (r->others && v->kind != HT_MIXED && v->kind != HT_KEPT && v->kind != HT_UNKNOWN)
		ht_buf_printf(b, v->kind == HT_STAYS ? ", others by what it calls" : ", others elsewhere");
	if (v->kind != HT_KEPT && v->kind != HT_UNKNOWN)
		say_certainty(b, v);
	free(by);
	free(scope);
	free(starter);
}

static void say_size(struct ht_buf *b, const struct ht_escape_sizes *s)
{
	if (s->min == s->max)
		ht_buf_printf(b, "(%llu)", (unsigned long long)s->max);
	else
		ht_buf_printf(b, "(%llu – %llu)", (unsigned long long)s->min, (unsigned long long)s->max);
}

char *ht_escape_said(const struct ht_escape *x, uint32_t index)
{
	const struct ht_escape_row *row = &x->fates->rows[index];
	struct ht_buf b = {0};
	char *function = ht_escape_function(row->frame), *call = ht_escape_call(x, row);
	ht_buf_append(&b, call, strlen(call));
	say_size(&b, &x->sizes[index]);
	ht_buf_printf(&b, " in %s", function);
	say_verdict(x, &b, &x->verdicts->rows[index], row->allocs);
	if (row->lived && row->lived->count)
		ht_buf_printf(&b, "   p99 %s", ht_text_ns(ht_loghist_percentile(row->lived, 0.99)).s);
	ht_buf_byte(&b, '\0');
	free(function);
	free(call);
	return (char *)b.data;
}

static void line(const struct ht_escape *x, uint32_t index)
{
	char *site = ht_escape_site(x->fates->rows[index].frame), *said = ht_escape_said(x, index);
	ht_emit_text(x->e, "%s: %s\n", site, said);
	free(site);
	free(said);
}

/* --- data --------------------------------------------------------------------------------- */

static const char *certainty(const struct ht_verdict_of *v)
{
	return v->kind == HT_UNKNOWN || v->kind == HT_MIXED ? NULL : v->certain ? "certain" : "likely";
}

static void data_row(const struct ht_escape *x, uint32_t index)
{
	const struct ht_escape_sizes *sizes = &x->sizes[index];
	const struct ht_escape_row *row = &x->fates->rows[index];
	const struct ht_row_verdict *r = &x->verdicts->rows[index];
	const struct ht_verdict_of *v = &r->main;
	char *starter = v->kind == HT_TO_THREAD ? starter_name(x, v->starter) : NULL, *call = ht_escape_call(x, row);
	bool up = v->kind == HT_TO_CALLER || v->kind == HT_UPWARD || v->kind == HT_STAYS;
	ht_frame_cells(x->e, row->frame);
	ht_emit_cell(x->e, ht_string(call));
	ht_emit_cell(x->e, ht_number(sizes->min));
	ht_emit_cell(x->e, ht_number(sizes->median));
	ht_emit_cell(x->e, ht_number(sizes->max));
	ht_emit_cell(x->e, ht_count(row->allocs));
	ht_emit_cell(x->e, ht_bytes(row->bytes));
	ht_emit_cell(x->e, ht_string(ht_verdict_names[v->kind]));
	ht_emit_cell(x->e, ht_string(certainty(v)));
	ht_emit_cell(x->e, v->kind == HT_STAYS ? ht_number((unsigned)__builtin_popcount(v->signs)) : ht_null());
	ht_emit_cell(x->e, up && v->frames_up >= 0 ? ht_signed(v->frames_up) : ht_null());
	ht_emit_cell(x->e, v->by ? ht_string(v->by->function) : ht_null());
	ht_emit_cell(x->e, v->kind == HT_TO_CALLER || v->kind == HT_UPWARD ? ht_string(v->scope ? v->scope->function : NULL)
									    : ht_null());
	ht_emit_cell(x->e, ht_string(starter));
	ht_emit_cell(x->e, v->kind == HT_UNKNOWN ? ht_string(unknown_reason(v->why)) : ht_null());
	ht_emit_cell(x->e, ht_real(r->share));
	for (unsigned k = 0; k < HT_MIXED; k++)
		ht_emit_cell(x->e, ht_count(r->blocks[k]));
	bool died = row->lived && row->lived->count;
	ht_emit_cell(x->e, died ? ht_ns(ht_loghist_percentile(row->lived, 0.5)) : ht_null());
	ht_emit_cell(x->e, died ? ht_ns(ht_loghist_percentile(row->lived, 0.99)) : ht_null());
	ht_emit_cell(x->e, died ? ht_ns(ht_loghist_percentile(row->lived, 1)) : ht_null());
	ht_emit_row(x->e);
	free(starter);
	free(call);
}

void ht_escape_data(const struct ht_escape *x, const uint32_t *order, size_t shown, size_t count)
{
	static const struct ht_column columns[] = {
	    HT_FRAME_COLUMNS,
	    {.key = "call"},
	    {.key = "size.min"},
	    {.key = "size.median"},
	    {.key = "size.max"},
	    {.key = "allocs"},
	    {.key = "bytes"},
	    {.key = "verdict"},
	    {.key = "certainty"},
	    {.key = "signs"},
	    {.key = "frames_up"},
	    {.key = "freed_by"},
	    {.key = "scope"},
	    {.key = "thread"},
	    {.key = "unknown_because"},
	    {.key = "share"},
	    {.key = "blocks.stays"},
	    {.key = "blocks.reused"},
	    {.key = "blocks.escapes_to_caller"},
	    {.key = "blocks.escapes_upward"},
	    {.key = "blocks.escapes_thread"},
	    {.key = "blocks.kept"},
	    {.key = "blocks.unknown"},
	    {.key = "lifetime_ns.p50"},
	    {.key = "lifetime_ns.p99"},
	    {.key = "lifetime_ns.max"},
	    {0}};
	ht_emit_table(x->e, "rows", columns);
	for (size_t i = 0; i < shown; i++)
		data_row(x, order[i]);
	ht_emit_table_end(x->e, count - shown);
}

/* --- the view ----------------------------------------------------------------------------- */

static void show_text(const struct ht_escape *x, const uint32_t *order, size_t shown, size_t count)
{
	const struct ht_verdicts *v = x->verdicts;
	if (x->no_free_stacks)
		ht_emit_text(x->e, "the stacks of frees were not recorded (record --free-stacks=on): of blocks that their "
				   "own thread freed,\nonly that is known\n\n");
	if (ht_trace_settings(x->a->trace)->sample_bytes)
		ht_emit_text(x->e, "a sampled recording: counts are of the samples, and less can be concluded\n\n");
	for (size_t i = 0; i < shown; i++)
		line(x, order[i]);
	if (shown < count)
		ht_emit_text(x->e, "and %s more callsites (-n 0 shows all)\n", ht_text_count(count - shown).s);
	if (!count)
		ht_emit_text(x->e, "nothing was allocated\n");
	else
		ht_emit_text(x->e, "\n%s of %s blocks have a verdict: %s stay, %s reused, %s to callers, %s upward, %s to "
				   "threads, %s kept\n",
			     ht_text_share((double)v->known / (double)v->all).s, ht_text_count(v->all).s,
			     ht_text_count(v->blocks[HT_STAYS]).s, ht_text_count(v->blocks[HT_REUSED]).s,
			     ht_text_count(v->blocks[HT_TO_CALLER]).s, ht_text_count(v->blocks[HT_UPWARD]).s,
			     ht_text_count(v->blocks[HT_TO_THREAD]).s, ht_text_count(v->blocks[HT_KEPT]).s);
	ht_emit_clean(x->e, "next: heaptide escape --view=growth ", x->path, "   --view=churn   --view=sizes   --view=lifetimes\n");
}

int ht_escape_lines(struct ht_escape *x, struct ht_diag *d)
{
	size_t count;
	uint32_t *order = ht_escape_order(x, &count);
	size_t shown = count < x->limit ? count : x->limit;
	(void)d;
	(x->e->format == HT_EMIT_TEXT ? show_text : ht_escape_data)(x, order, shown, count);
	free(order);
	return 0;
}
