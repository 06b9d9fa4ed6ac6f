/* escape_growth: the views "growth" and "churn": what an initial capacity, and what a pool, would save. */
#include <stdio.h>
#include <stdlib.h>

#include "escape.h"
#include "text.h"

/* --- order: what saves most first --------------------------------------------------------- */

struct ranked {
	uint64_t value;
	const struct ht_frame *frame;
	uint32_t row;
};

static int by_value(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return ht_frame_order(x->frame, y->frame);
}

/* --- growth ------------------------------------------------------------------------------- */

static void growth_row(struct ht_emitter *e, const struct ht_growth_row *r)
{
	ht_escape_name_cells(e, r->frame);
	ht_emit_cell(e, ht_count(r->chains));
	ht_emit_cell(e, ht_count(r->never_grew));
	ht_emit_cell(e, ht_count(r->copies));
	ht_emit_cell(e, ht_bytes(r->bytes_copied));
	ht_emit_cell(e, ht_bytes(r->final_p50));
	ht_emit_cell(e, ht_bytes(r->final_p90));
	ht_emit_cell(e, ht_bytes(r->final_max));
	ht_emit_cell(e, ht_count(r->saved_copies));
	ht_emit_cell(e, ht_bytes(r->saved_bytes));
	ht_emit_row(e);
}

int ht_escape_growth(struct ht_escape *x, struct ht_diag *d)
{
	static const struct ht_column columns[] = {
	    HT_ESCAPE_NAME_COLUMNS,
	    {.key = "chains", .heading = "grew"},
	    {.key = "never_grew", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "copies", .heading = "copies"},
	    {.key = "bytes_copied", .heading = "copied"},
	    {.key = "final_bytes.p50", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "final_bytes.p90", .heading = "p90 size"},
	    {.key = "final_bytes.max", .heading = "largest"},
	    {.key = "saved.copies", .heading = "saves"},
	    {.key = "saved.bytes_copied", .flags = HT_COLUMN_DATA_ONLY},
	    {0}};
	const struct ht_growth *g = x->growth;
	struct ranked *order = ht_xcalloc((size_t)g->row_count + 1, sizeof(*order));
	size_t count = 0;
	(void)d;
	for (uint32_t i = 0; i < g->row_count; i++)
		if (g->rows[i].frame)
			order[count++] = (struct ranked){g->rows[i].bytes_copied, g->rows[i].frame, i};
	qsort(order, count, sizeof(*order), by_value);
	size_t shown = count < x->limit ? count : x->limit;
	ht_emit_table(x->e, "rows", columns);
	for (size_t i = 0; i < shown; i++)
		growth_row(x->e, &g->rows[order[i].row]);
	ht_emit_table_end(x->e, count - shown);
	if (!count)
		ht_emit_text(x->e, "nothing grew\n");
	else
		ht_emit_text(x->e, "\nsaves: copies that beginning with the p90 of the final sizes would spare. Blocks that realloc "
				   "enlarged\nwhere they stood count as copied\n");
	free(order);
	return 0;
}

/* --- churn -------------------------------------------------------------------------------- */

static void churn_row(struct ht_emitter *e, const struct ht_pool_row *r)
{
	const struct ht_pool *s = &r->shared, *t = &r->each;
	ht_escape_name_cells(e, r->frame);
	ht_emit_cell(e, ht_count(r->allocs));
	ht_emit_cell(e, ht_bytes(r->max_size));
	ht_emit_cell(e, ht_count(s->blocks));
	ht_emit_cell(e, ht_bytes(s->blocks * r->max_size));
	ht_emit_cell(e, ht_share((double)s->served, (double)s->requests));
	ht_emit_cell(e, ht_count(s->served));
	ht_emit_cell(e, ht_bool(s->enough));
	ht_emit_cell(e, ht_count(r->threads));
	ht_emit_cell(e, ht_count(r->each_most));
	ht_emit_cell(e, ht_count(t->blocks));
	ht_emit_cell(e, ht_bytes(t->blocks * r->max_size));
	ht_emit_cell(e, ht_share((double)t->served, (double)t->requests));
	ht_emit_cell(e, ht_count(t->served));
	ht_emit_cell(e, ht_bool(t->enough));
	ht_emit_row(e);
}

int ht_escape_churn(struct ht_escape *x, struct ht_diag *d)
{
	static const struct ht_column columns[] = {
	    HT_ESCAPE_NAME_COLUMNS,
	    {.key = "allocs", .heading = "calls"},
	    {.key = "block_bytes", .heading = "block"},
	    {.key = "shared.blocks", .heading = "pool of"},
	    {.key = "shared.bytes", .heading = "holds"},
	    {.key = "shared.served_share", .heading = "serves"},
	    {.key = "shared.saved_allocs", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "shared.enough", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "per_thread.threads", .heading = "threads"},
	    {.key = "per_thread.blocks_each", .heading = "each"},
	    {.key = "per_thread.blocks", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "per_thread.bytes", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "per_thread.served_share", .heading = "serves"},
	    {.key = "per_thread.saved_allocs", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "per_thread.enough", .flags = HT_COLUMN_DATA_ONLY},
	    {0}};
	const struct ht_pools *p = x->pools;
	struct ranked *order = ht_xcalloc((size_t)p->row_count + 1, sizeof(*order));
	size_t count = 0;
	(void)d;
	for (uint32_t i = 0; i < p->row_count; i++)
		if (p->rows[i].frame)
			order[count++] = (struct ranked){p->rows[i].shared.served, p->rows[i].frame, i};
	qsort(order, count, sizeof(*order), by_value);
	size_t shown = count < x->limit ? count : x->limit;
	ht_emit_table(x->e, "rows", columns);
	for (size_t i = 0; i < shown; i++)
		churn_row(x->e, &p->rows[order[i].row]);
	ht_emit_table_end(x->e, count - shown);
	if (!count)
		ht_emit_text(x->e, "no callsite's frees feed its next allocations\n");
	else
		ht_emit_text(x->e, "\nthe smallest pool of freed blocks that serves 99 %% of a callsite's requests, or 99 %% of those that "
				   "any\npool can serve; each: the largest where every thread has its own\n");
	free(order);
	return 0;
}
