/*
 * align_lines: by line, which line of a function on the old side is which on the new side. Lines are counted from the
 * function's first; within it they may have moved, come or gone. Of all ways to match them in their order, the one is taken whose
 * lines agree best in counts and sizes; a matched line of the old side takes the number of the new one.
 */
#include "work.h"

#include <stdlib.h>

#define MOST_CELLS (4u << 20) /* of a function; with more, lines are what their numbers say */
#define GONE 0x80000000u      /* a line of the old side that no new one matches: its number is free for another */

struct site_line {
	uint32_t callsite, line, now;
	enum ht_side side;
	double allocs, bytes;
};

static int by_place(const void *a, const void *b)
{
	const struct site_line *x = a, *y = b;
	if (x->callsite != y->callsite)
		return x->callsite < y->callsite ? -1 : 1;
	if (x->side != y->side)
		return x->side < y->side ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static double agreement(const struct ht_compare *c, const struct site_line *old, const struct site_line *new)
{
	double runs_old = c->runs[HT_OLD], runs_new = c->runs[HT_NEW];
	double count = likeness_of(old->allocs / runs_old, new->allocs / runs_new);
	double size = old->allocs > 0 && new->allocs > 0 ? likeness_of(old->bytes / old->allocs, new->bytes / new->allocs) : 0;
	return 1 + 0.5 * count + 0.5 * size + (old->line == new->line ? 0.05 : 0);
}

/* best[i][k]: of the lines from old i and new k on. */
static void align(const struct ht_compare *c, struct site_line *old, size_t n, const struct site_line *new, size_t m)
{
	if (!n || !m || n * m > MOST_CELLS)
		return;
	double *best = ht_xcalloc((n + 1) * (m + 1), sizeof(*best));
	size_t row = m + 1;
	for (size_t i = n; i-- > 0;)
		for (size_t k = m; k-- > 0;) {
			double both = best[(i + 1) * row + k + 1] + agreement(c, &old[i], &new[k]);
			double without = best[(i + 1) * row + k] > best[i * row + k + 1] ? best[(i + 1) * row + k] : best[i * row + k + 1];
			best[i * row + k] = both > without ? both : without;
		}
	for (size_t i = 0, k = 0; i < n;) {
		if (k == m || best[i * row + k] == best[(i + 1) * row + k]) {
			old[i].now = old[i].line | GONE;
			i++;
		} else if (best[i * row + k] == best[i * row + k + 1]) {
			k++;
		} else {
			old[i++].now = new[k++].line;
		}
	}
	free(best);
}

/* Sorted, each line of a callsite once a side. */
static size_t unite_lines(struct site_line *lines, size_t n)
{
	size_t kept = 0;
	qsort(lines, n, sizeof(*lines), by_place);
	for (size_t i = 0; i < n; i++) {
		if (kept && !by_place(&lines[kept - 1], &lines[i])) {
			lines[kept - 1].allocs += lines[i].allocs;
			lines[kept - 1].bytes += lines[i].bytes;
		} else {
			lines[kept++] = lines[i];
		}
	}
	return kept;
}

void align_lines(struct ht_compare *c)
{
	struct ht_compare_work *w = c->work;
	struct site_line *lines = ht_xcalloc(w->raw_count + 1, sizeof(*lines));
	size_t n = 0;
	for (size_t i = 0; i < w->raw_count; i++) {
		const struct raw_stack *r = &w->raw[i];
		if (r->depth)
			lines[n++] = (struct site_line){.callsite = w->pool[r->at],
							.line = r->line,
							.now = r->line,
							.side = w->run_side[r->run],
							.allocs = r->values[HT_CV_ALLOCS],
							.bytes = r->values[HT_CV_BYTES]};
	}
	n = unite_lines(lines, n);
	for (size_t i = 0; i < n;) {
		size_t old = i, new, end;
		while (i < n && lines[i].callsite == lines[old].callsite && lines[i].side == HT_OLD)
			i++;
		new = i;
		while (i < n && lines[i].callsite == lines[old].callsite)
			i++;
		end = i;
		align(c, lines + old, new - old, lines + new, end - new);
	}
	for (size_t i = 0; i < w->raw_count; i++) {
		struct raw_stack *r = &w->raw[i];
		if (!r->depth || w->run_side[r->run] != HT_OLD)
			continue;
		const struct site_line wanted = {.callsite = w->pool[r->at], .line = r->line, .side = HT_OLD};
		const struct site_line *l = bsearch(&wanted, lines, n, sizeof(*lines), by_place);
		r->line = l ? l->now : r->line;
	}
	free(lines);
}
