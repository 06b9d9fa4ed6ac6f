/* compare_rows: groups become rows: numbers, status, what they were called, tests, order. */
#include "work.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *keep_text(struct ht_compare_work *w, char *text)
{
	w->texts = ht_xrealloc(w->texts, w->text_count + 1, sizeof(*w->texts));
	w->texts[w->text_count++] = text;
	return text;
}

/* Means of several runs are sums of whole numbers: what is left of equal ones is rounding. */
static bool equal(double a, double b)
{
	return fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b));
}

static void fill_numbers(const struct ht_compare *c, const double *values, struct ht_compare_row *r)
{
	for (unsigned v = 0; v < HT_CV_COUNT; v++) {
		r->old[v] = side_mean(c, values, HT_OLD, v);
		r->new[v] = side_mean(c, values, HT_NEW, v);
		if (equal(r->old[v], r->new[v]))
			r->new[v] = r->old[v];
		r->in_old |= r->old[v] != 0;
		r->in_new |= r->new[v] != 0;
	}
}

static enum ht_compare_status status_of(const struct ht_compare *c, const struct ht_compare_row *r)
{
	double old = r->old[c->metric], new = r->new[c->metric];
	if (r->renamed_from)
		return HT_ROW_RENAMED;
	if (r->in_new && !r->in_old)
		return HT_ROW_NEW;
	if (r->in_old && !r->in_new)
		return HT_ROW_GONE;
	return new > old ? HT_ROW_GREW : new < old ? HT_ROW_SHRANK : HT_ROW_SAME;
}

/* The frame of the row's stack that was renamed between the sides, SIZE_MAX: none. By line only the callsite counts. */
static size_t renamed_frame(const struct ht_compare *c, const struct ht_compare_row *r)
{
	const struct ht_compare_work *w = c->work;
	size_t n = c->by == HT_COMPARE_STACK ? r->depth : c->by == HT_COMPARE_LINE && r->depth ? 1 : 0;
	for (size_t i = 0; i < n; i++)
		if (r->stack[i] < w->renaming_count && w->renamings[r->stack[i]].from)
			return i;
	return SIZE_MAX;
}

static void fill_row(struct ht_compare *c, size_t g, struct ht_compare_row *r)
{
	struct ht_compare_work *w = c->work;
	const struct group *k = &w->groups[g];
	const struct whole_stack *s = &w->stacks[k->stack];
	r->stack = w->pool + s->at;
	r->depth = s->depth;
	if (s->depth)
		r->frame = w->frames.items[w->pool[s->at]];
	else
		r->frame = (struct ht_compare_frame){.module = "", .file = ""};
	if (c->by == HT_COMPARE_FILE || c->by == HT_COMPARE_MODULE)
		r->frame.function = NULL, r->frame.address = 0;
	if (c->by == HT_COMPARE_MODULE)
		r->frame.file = "";
	r->line = c->by == HT_COMPARE_LINE ? s->shown_line : 0;
	r->evidence = k->evidence ? k->evidence : "";
	if (k->renamed_from)
		r->renamed_from = keep_text(w, group_text(c, &w->groups[k->renamed_from - 1]));
	r->group = g;
	fill_numbers(c, group_value(w, g), r);
	const struct module_seen *module = c->by == HT_COMPARE_MODULE ? renamed_module(w, r->frame.module) : NULL;
	if (module && r->in_old) {
		r->renamed_from = module->name;
		r->evidence = module->evidence;
	}
	size_t renamed = renamed_frame(c, r);
	if (!r->renamed_from && r->in_old && renamed != SIZE_MAX) {
		const struct renaming *n = &w->renamings[r->stack[renamed]];
		r->renamed_from = keep_text(w, ht_compare_frame_text(&w->frames.items[n->from - 1]));
		r->evidence = n->evidence;
	}
	r->status = status_of(c, r);
}

static const struct ht_compare *sorting; /* qsort has no context; one comparison is sorted at a time */

static int by_change(const void *a, const void *b)
{
	const struct ht_compare_row *x = a, *y = b;
	double dx = fabs(ht_compare_delta(x, sorting->metric)), dy = fabs(ht_compare_delta(y, sorting->metric));
	if (dx != dy)
		return dx > dy ? -1 : 1;
	dx = fabs(ht_compare_delta(x, HT_CV_ALLOCS)), dy = fabs(ht_compare_delta(y, HT_CV_ALLOCS));
	if (dx != dy)
		return dx > dy ? -1 : 1;
	dx = x->new[sorting->metric], dy = y->new[sorting->metric];
	if (dx != dy)
		return dx > dy ? -1 : 1;
	int order = strcmp(x->frame.function ? x->frame.function : "", y->frame.function ? y->frame.function : "");
	if (!order)
		order = strcmp(x->frame.file, y->frame.file);
	if (!order)
		order = strcmp(x->frame.module, y->frame.module);
	if (order)
		return order;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static double run_value(const struct ht_compare *c, size_t row, unsigned run, enum ht_compare_value metric)
{
	return group_value(c->work, c->rows[row].group)[run * HT_CV_COUNT + metric];
}

bool ht_compare_test(const struct ht_compare *c, enum ht_compare_value metric, const bool *chosen, struct ht_significance *s)
{
	double sums[HT_SIGNIFICANCE_RUNS] = {0};
	if (c->work->runs > HT_SIGNIFICANCE_RUNS)
		return false;
	for (size_t i = 0; i < c->row_count; i++)
		for (unsigned run = 0; chosen[i] && run < c->work->runs; run++)
			sums[run] += run_value(c, i, run, metric);
	return ht_significance(sums, 1, c->runs[HT_OLD], c->runs[HT_NEW], s);
}

static void test_rows(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	bool *all = ht_xcalloc(c->row_count + 1, sizeof(*all));
	memset(all, true, c->row_count);
	c->total.tested = ht_compare_test(c, c->metric, all, &c->total.significance);
	free(all);
	if (!c->total.tested)
		return;
	w->tests = ht_xcalloc(c->row_count * w->runs + 1, sizeof(double));
	w->significance = ht_xcalloc(c->row_count + 1, sizeof(*w->significance));
	for (size_t i = 0; i < c->row_count; i++)
		for (unsigned run = 0; run < w->runs; run++)
			w->tests[i * w->runs + run] = run_value(c, i, run, c->metric);
	ht_significance(w->tests, c->row_count, c->runs[HT_OLD], c->runs[HT_NEW], w->significance);
	for (size_t i = 0; i < c->row_count; i++) {
		c->rows[i].tested = true;
		c->rows[i].significance = w->significance[i];
	}
}

void make_rows(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	double *sum = ht_xcalloc((size_t)w->runs * HT_CV_COUNT + 1, sizeof(*sum));
	c->frames = w->frames.items;
	c->rows = ht_xcalloc(w->group_count + 1, sizeof(*c->rows));
	for (size_t g = 0; g < w->group_count; g++) {
		const double *v = group_value(w, g);
		for (size_t k = 0; k < (size_t)w->runs * HT_CV_COUNT; k++)
			sum[k] += v[k];
		if (!w->groups[g].merged_into)
			fill_row(c, g, &c->rows[c->row_count++]);
	}
	c->total.frame = (struct ht_compare_frame){.module = "", .file = ""};
	c->total.evidence = "";
	fill_numbers(c, sum, &c->total);
	c->total.status = status_of(c, &c->total);
	free(sum);
	sorting = c;
	qsort(c->rows, c->row_count, sizeof(*c->rows), by_change);
	test_rows(c);
}
