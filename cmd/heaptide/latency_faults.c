/*
 * latency_faults: the view "faults": page faults by who allocated the memory that was touched, or by the code that
 * touched it.
 */
#include <stdlib.h>

#include "fault_sites.h"
#include "latency_views.h"
#include "progress.h"
#include "text.h"

#define NOTHING "no page faults are in what is selected"

int ht_latency_faults_by;

/* What a row is that has no callsite; heap. */
static char *place_text(const struct ht_latency_show *x, const struct ht_fault_row *r)
{
	const struct ht_module *m = r->module ? ht_trace_module(x->a->trace, r->module - 1) : NULL;
	if (!m)
		return ht_xstrdup(r->where == HT_FAULT_STACK	  ? "stack of the main thread"
				  : r->where == HT_FAULT_RECORDER ? "heaptide's own, for the recording"
								  : "other stacks, mappings of libraries, the allocator's own");
	struct ht_buf b = {0};
	ht_buf_printf(&b, "code and data of ");
	ht_text_clean(&b, ht_base_name(ht_trace_string(x->a->trace, m->path, NULL)));
	ht_buf_byte(&b, '\0');
	return (char *)b.data;
}

static void row(const struct ht_latency_show *x, const struct ht_fault_row *r, enum ht_fault_by by)
{
	const struct ht_module *m = r->module ? ht_trace_module(x->a->trace, r->module - 1) : NULL;
	char *otherwise = place_text(x, r);
	ht_latency_alloc_cells(x, r->frame, r->node, otherwise);
	ht_emit_cell(x->e, ht_count(r->faults));
	ht_emit_cell(x->e, ht_bytes(r->faults * HT_FAULT_PAGE));
	ht_emit_cell(x->e, by == HT_FAULTS_BY_CODE ? ht_omit() : ht_string(ht_fault_where_names[r->where]));
	ht_emit_cell(x->e, m ? ht_string(ht_trace_string(x->a->trace, m->path, NULL)) : ht_null());
	ht_emit_row(x->e);
	free(otherwise);
}

static void say_all(const struct ht_latency_show *x, const struct ht_fault_rows *r, const struct ht_fault_places *p,
		    enum ht_fault_by by)
{
	ht_emit_text(x->e, "\n%s page faults, %s in pages of 4 KiB", ht_text_count(r->faults).s,
		     ht_text_bytes(r->faults * HT_FAULT_PAGE).s);
	for (unsigned k = HT_FAULT_UNKNOWN; by == HT_FAULTS_BY_SITE && k < HT_FAULT_WHERES; k++)
		if (r->by_where[k])
			ht_emit_text(x->e, ", %s %s", ht_fault_where_names[k], ht_text_count(r->by_where[k]).s);
	ht_emit_text(x->e, "\n");
	if (p->no_addresses)
		ht_emit_text(x->e, "addresses of blocks were not recorded (--addresses=off): no fault can be told to be a block's\n");
	if (by == HT_FAULTS_BY_SITE && ht_trace_settings(x->a->trace)->sample_bytes)
		ht_emit_text(x->e, "a sampled recording: only faults of blocks in the sample have a site\n");
}

static int show(struct ht_latency_show *x, enum ht_fault_by by)
{
	static const struct ht_column columns[] = {
	    HT_LATENCY_SITE_COLUMNS,
	    {.key = "faults", .heading = "faults"},
	    {.key = "bytes", .heading = "bytes"},
	    {.key = "memory", .heading = "", .flags = HT_COLUMN_LEFT},
	    {.key = "mapped", .flags = HT_COLUMN_DATA_ONLY},
	    {0}};
	struct ht_fault_places places = {0};
	struct ht_fault_rows r;
	if (by == HT_FAULTS_BY_SITE)
		ht_fault_places_find(&places, x->l, ht_progress, NULL);
	else
		places.items = ht_xcalloc(x->l->fault_count + 1, sizeof(*places.items));
	ht_progress_end();
	ht_fault_rows_make(&r, x->l, &places, x->a->stacks, by);
	const size_t shown = r.count < x->limit ? r.count : x->limit;
	ht_emit_json(x->e, "faults", ht_count(r.faults));
	ht_emit_json(x->e, "addresses", ht_bool(!places.no_addresses));
	ht_emit_json(x->e, "page_bytes", ht_bytes(HT_FAULT_PAGE));
	ht_emit_json(x->e, "damaged_event_blocks", ht_count(places.damaged_blocks));
	if (r.count || x->e->format != HT_EMIT_TEXT) {
		ht_emit_table(x->e, "rows", columns);
		for (size_t i = 0; i < shown; i++)
			row(x, &r.items[i], by);
		ht_emit_table_end(x->e, r.count - shown);
	}
	if (r.count)
		say_all(x, &r, &places, by);
	else
		ht_latency_nothing(x, NOTHING, HT_CLASS_BIT(FAULT));
	ht_fault_rows_release(&r);
	ht_fault_places_release(&places);
	return 0;
}

static int show_view(struct ht_latency_show *x, struct ht_diag *d)
{
	(void)d;
	return show(x, ht_latency_faults_by ? HT_FAULTS_BY_CODE : HT_FAULTS_BY_SITE);
}

const struct ht_latency_view ht_latency_faults = {
    .name = "faults",
    .needs = HT_CLASS_BIT(FAULT),
    .idle = HT_CHOICES_OF_SIZES | HT_CHOICES_OF_NAMES,
    .nothing = NOTHING,
    .next = "latency --view=stalls",
    .rows = 20,
    .times = true,
    .show = show_view,
};
