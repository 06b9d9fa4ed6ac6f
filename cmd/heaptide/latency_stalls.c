/* latency_stalls: the view "stalls": calls of the allocator that took long, by who asked, and what they took so
 * long for. */
#include <stdlib.h>
#include <string.h>

#include "latency_views.h"
#include "report.h"
#include "stall_causes.h"
#include "text.h"

#define NOTHING "no call of the allocator was seen to take long"

void ht_latency_alloc_cells(const struct ht_latency_show *x, const struct ht_frame *f, uint32_t node,
			    const char *otherwise)
{
	struct ht_emitter *e = x->e;
	bool text = e->format == HT_EMIT_TEXT;
	char *chain = !text ? NULL : f ? ht_report_chain(x->a, node, 3) : ht_xstrdup(otherwise);
	char *site = !text ? NULL : f ? ht_report_site(f->file, f->line, f->module) : ht_xstrdup("");
	ht_emit_cell(e, ht_string(chain));
	ht_emit_cell(e, ht_string(site));
	ht_frame_cells(e, f);
	ht_emit_cell(e, text || !f ? ht_omit() : ht_latency_stack(x, node));
	free(chain);
	free(site);
}

/* "malloc, free": what was called. */
static char *calls_text(uint32_t ops)
{
	struct ht_buf b = {0};
	for (unsigned op = 0; op < HT_OP_COUNT; op++)
		if (ops >> op & 1)
			ht_buf_printf(&b, "%s%s", b.len ? ", " : "", ht_op_info[op].name);
	ht_buf_byte(&b, '\0');
	return (char *)b.data;
}

/* "preempted 78 %, fault 8 %": the causes, most first, down to a twentieth. */
static char *causes_text(const uint64_t *ns, uint64_t all)
{
	struct ht_buf b = {0};
	bool said[HT_STALL_CAUSES] = {false};
	for (;;) {
		unsigned best = HT_STALL_CAUSES;
		for (unsigned k = 0; k < HT_STALL_CAUSES; k++)
			if (!said[k] && ns[k] && (best == HT_STALL_CAUSES || ns[k] > ns[best]))
				best = k;
		if (best == HT_STALL_CAUSES || (b.len && ns[best] < all / 20))
			break;
		said[best] = true;
		ht_buf_printf(&b, "%s%s %.0f %%", b.len ? ", " : "", ht_stall_cause_names[best],
			      100.0 * (double)ns[best] / (double)all);
	}
	ht_buf_byte(&b, '\0');
	return (char *)b.data;
}

static void row(const struct ht_latency_show *x, const struct ht_stall_row *r)
{
	struct ht_emitter *e = x->e;
	char *calls = calls_text(r->ops), *causes = causes_text(r->cause_ns, r->stall_ns);
	ht_latency_alloc_cells(x, r->frame, r->node, "");
	ht_emit_cell(e, ht_count(r->count));
	ht_emit_cell(e, ht_count(r->bounds));
	ht_emit_cell(e, ht_ns(r->stall_ns));
	ht_emit_cell(e, ht_ns(r->max_ns));
	ht_emit_cell(e, ht_string(causes));
	for (unsigned k = 0; k < HT_STALL_CAUSES; k++)
		ht_emit_cell(e, ht_ns(r->cause_ns[k]));
	ht_emit_cell(e, ht_count(r->faults));
	ht_emit_cell(e, ht_string(calls));
	ht_emit_row(e);
	free(calls);
	free(causes);
}

static void say_all(const struct ht_latency_show *x, const struct ht_stall_rows *r)
{
	const enum ht_recorded faults = ht_recorded(x->l->trace, HT_CLASS_BIT(FAULT));
	struct ht_buf b = {0};
	for (unsigned k = 0; k < HT_STALL_CAUSES; k++)
		if (r->cause_ns[k])
			ht_buf_printf(&b, "%s%s %s", b.len ? ", " : "", ht_stall_cause_names[k], ht_text_ns(r->cause_ns[k]).s);
	ht_buf_byte(&b, '\0');
	ht_emit_text(x->e, "\n%s stalls, %s in all: %s\n", ht_text_count(r->stalls).s, ht_text_ns(r->stall_ns).s,
		     (char *)b.data);
	ht_buf_release(&b);
	if (r->bounds)
		ht_emit_text(x->e,
			     "%s of them took at most that long: seen by their ends alone, and what ran before the call is in it.\n"
			     "`heaptide record --events=+stall,+fault` times every call, and says which faulted\n",
			     ht_text_count(r->bounds).s);
	else if (!x->l->fault_count && faults != HT_RECORDED_YES)
		ht_emit_text(x->e, "page faults were not recorded: `heaptide record --events=+stall,+fault` says which calls "
				   "faulted\n");
	else if (!x->l->fault_count)
		ht_emit_text(x->e, "no page faults were seen\n");
	if (!x->l->switch_count)
		ht_emit_text(x->e, "no context switches were %s: waiting for a lock cannot be told from running\n",
			     ht_recorded(x->l->trace, HT_CLASS_BIT(SCHED)) == HT_RECORDED_YES ? "seen"
											      : "recorded (--events=+sched)");
}

static int show(struct ht_latency_show *x, struct ht_diag *d)
{
	static const struct ht_column columns[] = {
	    HT_LATENCY_SITE_COLUMNS,
	    {.key = "count", .heading = "calls"},
	    {.key = "bounds", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "stall_ns", .heading = "stalled"},
	    {.key = "max_ns", .heading = "longest"},
	    {.key = "why", .heading = "because of", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_LEFT},
	    {.key = "cause.lock", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "cause.fault", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "cause.preempted", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "cause.syscall", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "cause.unknown", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "faults", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "calls", .flags = HT_COLUMN_DATA_ONLY},
	    {0}};
	struct ht_stall_rows r;
	(void)d;
	ht_stall_rows_make(&r, x->l, x->a->stacks);
	const size_t shown = r.count < x->limit ? r.count : x->limit;
	ht_emit_json(x->e, "stalls", ht_count(r.stalls));
	ht_emit_json(x->e, "bounds", ht_count(r.bounds));
	ht_emit_json(x->e, "stall_ns", ht_ns(r.stall_ns));
	ht_emit_json(x->e, "explained_by_waits", ht_count(r.explained));
	if (r.count || x->e->format != HT_EMIT_TEXT) {
		ht_emit_table(x->e, "rows", columns);
		for (size_t i = 0; i < shown; i++)
			row(x, &r.items[i]);
		ht_emit_table_end(x->e, r.count - shown);
	}
	if (r.count)
		say_all(x, &r);
	else
		ht_latency_nothing(x, NOTHING, HT_CLASS_BIT(STALL) | HT_CLASS_BIT(FAULT));
	ht_stall_rows_release(&r);
	return 0;
}

const struct ht_latency_view ht_latency_stalls = {
    .name = "stalls",
    .needs = HT_CLASS_BIT(STALL) | HT_CLASS_BIT(FAULT),
    .idle = HT_CHOICES_OF_SIZES | HT_CHOICES_OF_NAMES,
    .nothing = NOTHING,
    .next = "latency --view=faults",
    .rows = 20,
    .times = true,
    .show = show,
};
