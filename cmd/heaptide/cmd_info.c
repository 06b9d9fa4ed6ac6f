/*
 * info: what the trace holds: the recording, its images and modules, totals, and how far it can be
 * trusted. Reads all events once, for the totals; resolves no symbols.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "facts.h"
#include "reading.h"
#include "result.h"
#include "text.h"

static const struct ht_option *const tables[] = {ht_result_options, ht_range_options, NULL};

static void emit_command(struct ht_emitter *e, const struct ht_trace *t)
{
	struct ht_words words = ht_fact_words(t);
	const char *word;
	ht_emit_array(e, "command");
	while (ht_words_next(&words, &word))
		ht_emit_json(e, NULL, ht_string(word));
	ht_emit_close(e);
}

/* What only the collector knew, written into the footer. */
static void emit_recorder(struct ht_emitter *e, const struct ht_trace *t)
{
	bool known;
	const struct ht_trace_totals *n = ht_trace_totals(t, &known);
	if (known && n->self_check_compared) {
		ht_emit_object(e, "self_check");
		ht_emit_json(e, "compared", ht_count(n->self_check_compared));
		ht_emit_json(e, "differences", ht_count(n->self_check_differences));
		ht_emit_close(e);
	} else {
		ht_emit_json(e, "self_check", ht_null());
	}
	if (!known) {
		ht_emit_json(e, "recorder", ht_null());
		return;
	}
	ht_emit_object(e, "recorder");
	ht_emit_json(e, "cpu_ns", ht_ns(n->collector_cpu_ns));
	ht_emit_json(e, "peak_rss", ht_bytes(n->collector_peak_rss));
	ht_emit_json(e, "blocked_ns", ht_ns(n->blocked_ns));
	ht_emit_close(e);
}

static void emit_sources(struct ht_emitter *e, const struct ht_trace *t)
{
	const struct ht_trace_settings *s = ht_trace_settings(t);
	ht_emit_object(e, "sources");
	ht_emit_json(e, "sched", ht_string(s->sched && *s->sched ? s->sched : NULL));
	ht_emit_json(e, "clock", ht_string(s->clock && *s->clock ? s->clock : NULL));
	ht_emit_close(e);
}

/* The images are a table in text and rows with more keys in JSON. */
static void emit_image_json(struct ht_emitter *e, const struct ht_analysis *a, uint32_t id)
{
	static const char *const kinds[] = {"first", "fork", "exec", "attached"};
	const struct ht_trace *t = a->trace;
	const struct ht_image *i = ht_trace_image(t, id);
	const struct ht_image_totals *n = &a->images[id];
	const struct ht_image *parent = i->parent ? ht_trace_image(t, i->parent - 1) : NULL;
	ht_emit_object(e, NULL);
	ht_emit_json(e, "pid", ht_number(i->pid));
	ht_emit_json(e, "parent", parent ? ht_number(parent->pid) : ht_null());
	ht_emit_json(e, "kind", ht_string(i->kind < HT_ARRAY_SIZE(kinds) ? kinds[i->kind] : NULL));
	const char *exe = ht_trace_string(t, i->exe, NULL),
		   *argv0 = ht_trace_string(t, i->argv, NULL);
	ht_emit_json(e, "exe", ht_string(*exe ? exe : NULL));
	ht_emit_json(e, "argv0", ht_string(*argv0 ? argv0 : NULL));
	ht_emit_json(e, "start_ns", ht_ns(i->start_ns));
	ht_emit_json(e, "end_ns", ht_known_ns(i->end_ns));
	ht_emit_exit_status(e, "exit_status", i->wait_status);
	ht_emit_json(e, "selected", ht_bool(n->selected));
	ht_emit_json(e, "threads", ht_count(n->threads));
	ht_emit_json(e, "allocations", ht_count(n->c.allocs));
	ht_emit_json(e, "frees", ht_count(n->c.frees));
	ht_emit_json(e, "allocated_bytes", ht_bytes(n->c.bytes));
	ht_emit_json(e, "peak_live_bytes", ht_bytes(n->c.peak_bytes));
	ht_emit_json(e, "peak_live_objects", ht_count(n->c.peak_objects));
	ht_emit_json(e, "own_peak_live_bytes", ht_bytes(n->c.own_peak_bytes));
	ht_emit_json(e, "own_peak_time_ns",
		     n->c.own_peak_bytes ? ht_ns(n->c.own_peak_time_ns) : ht_null());
	ht_emit_json(e, "end_live_bytes", ht_bytes(n->c.leaked_bytes));
	ht_emit_json(e, "end_live_objects", ht_count(n->c.leaked_objects));
	ht_emit_errors(e, &n->c);
	if (n->c.spread)
		ht_emit_json(e, "own_peak_live_bytes_stderr", ht_real(ht_counters_stderr(&n->c, HT_SPREAD_OWN_PEAK_BYTES)));
	ht_emit_json(e, "foreign_frees", ht_count(n->foreign_frees));
	ht_emit_json(e, "inherited_frees", ht_count(n->inherited_frees));
	ht_emit_json(e, "implied_frees", ht_count(n->implied_frees));
	ht_emit_json(e, "failed_calls", ht_count(n->failed_calls));
	ht_emit_close(e);
}

static void emit_images_json(struct ht_emitter *e, const struct ht_analysis *a)
{
	ht_emit_array(e, "images");
	for (uint32_t i = 0; i < a->image_count; i++)
		emit_image_json(e, a, i);
	ht_emit_close(e);
}

static void emit_modules_json(struct ht_emitter *e, const struct ht_trace *t)
{
	static const struct ht_column columns[] = {
	    {.key = "path"}, {.key = "build_id"}, {.key = "size"}, {.key = "bias"}, {0}};
	char id[2 * HT_BUILD_ID_MAX + 1];
	ht_emit_table(e, "modules", columns);
	for (uint32_t i = 0; i < ht_trace_module_count(t); i++) {
		const struct ht_module *m = ht_trace_module(t, i);
		ht_build_id_text(t, i + 1, id);
		ht_emit_cell(e, ht_string(ht_trace_string(t, m->path, NULL)));
		ht_emit_cell(e, ht_string(*id ? id : NULL));
		ht_emit_cell(e, ht_bytes(m->size));
		ht_emit_cell(e, ht_hex(m->bias));
		ht_emit_row(e);
	}
	ht_emit_table_end(e, UINT64_MAX);
}

static void print_json(struct ht_emitter *e, const struct ht_analysis *a)
{
	const struct ht_trace *t = a->trace;
	uint64_t events = ht_fact_events(t) + ht_fact_times(t);
	ht_emit_json(e, "format_version", ht_number(HT_TRACE_VERSION));
	ht_emit_json(e, "complete", ht_bool(ht_fact_complete(t)));
	ht_emit_json(e, "verdict", ht_string(ht_fact_verdict(t)));
	emit_command(e, t);
	ht_emit_exit_status(e, "exit_status", ht_trace_exit_status(t));
	ht_emit_json(e, "start_utc", ht_utc(ht_trace_settings(t)->start_utc_ns));
	ht_emit_json(e, "duration_ns", ht_ns(ht_trace_duration_ns(t)));
	emit_images_json(e, a);
	ht_emit_json(e, "threads", ht_count(a->totals.threads));
	emit_modules_json(e, t);
	ht_emit_totals(e, a);
	char *shadow = ht_fact_flag(t, "shadowed_by");
	ht_emit_json(e, "shadowed_by", ht_string(shadow));
	free(shadow);
	ht_emit_json(e, "hook_off", ht_string(ht_fact_off(t)));
	bool known;
	const struct ht_trace_totals *totals = ht_trace_totals(t, &known);
	ht_emit_json(e, "exec_not_attached", known ? ht_count(totals->exec_not_attached) : ht_null());
	emit_sources(e, t);
	ht_emit_json(e, "sample_bytes", ht_bytes(ht_trace_settings(t)->sample_bytes));
	ht_emit_json(e, "stack_depth", ht_number(ht_trace_settings(t)->stack_depth));
	ht_emit_json(e, "free_stacks", ht_bool(ht_trace_settings(t)->free_stacks));
	ht_emit_json(e, "file_bytes", ht_bytes(ht_trace_file_bytes(t)));
	ht_emit_json(e, "bytes_per_event",
		     events ? ht_real((double)ht_trace_file_bytes(t) / (double)events) : ht_null());
	emit_recorder(e, t);
}

/* --- text --------------------------------------------------------------------------------- */

static void print_images(struct ht_emitter *e, const struct ht_analysis *a)
{
	static const struct ht_column columns[] = {
	    {.key = "pid", .heading = "pid"},
	    {.key = "argv0", .heading = "program", .flags = HT_COLUMN_LEFT | HT_COLUMN_FLEX},
	    {.key = "start_ns", .heading = "start"},
	    {.key = "end_ns", .heading = "end"},
	    {.key = "allocations", .heading = "allocations"},
	    {.key = "own_peak_live_bytes", .heading = "own peak"},
	    {.key = "spread", .heading = "±", .flags = HT_COLUMN_TEXT_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "allocations_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "own_peak_live_bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "end_live_bytes_stderr", .flags = HT_COLUMN_DATA_ONLY | HT_COLUMN_ESTIMATE},
	    {.key = "end_live_bytes", .heading = "not freed"},
	    {.key = "exit_status", .heading = "end of it", .flags = HT_COLUMN_LEFT, .widest = 30},
	    {0}};
	ht_emit_text(e, "\n");
	ht_emit_table(e, "images", columns);
	for (uint32_t id = 0; id < a->image_count; id++) {
		const struct ht_image *i = ht_trace_image(a->trace, id);
		const struct ht_counters *c = &a->images[id].c;
		if (!a->images[id].selected)
			continue;
		ht_emit_cell(e, ht_number(i->pid));
		ht_emit_cell(e, ht_string(ht_trace_string(a->trace, i->argv, NULL)));
		ht_emit_cell(e, ht_ns(i->start_ns));
		ht_emit_cell(e, ht_known_ns(i->end_ns));
		ht_emit_cell(e, ht_count(c->allocs));
		ht_emit_cell(e, ht_bytes(c->own_peak_bytes));
		ht_emit_cell(e, ht_share(ht_counters_stderr(c, HT_SPREAD_OWN_PEAK_BYTES), (double)c->own_peak_bytes));
		ht_emit_cell(e, ht_real(ht_counters_stderr(c, HT_SPREAD_ALLOCS)));
		ht_emit_cell(e, ht_real(ht_counters_stderr(c, HT_SPREAD_OWN_PEAK_BYTES)));
		ht_emit_cell(e, ht_real(ht_counters_stderr(c, HT_SPREAD_LEAKED_BYTES)));
		ht_emit_cell(e, ht_bytes(c->leaked_bytes));
		struct ht_phrase end = ht_phrase_exit(i->wait_status);
		ht_emit_cell(e, ht_string(i->end_ns == UINT64_MAX ? "still running" : end.s));
		ht_emit_row(e);
	}
	ht_emit_table_end(e, UINT64_MAX);
}

static void print_modules(struct ht_emitter *e, const struct ht_trace *t)
{
	static const struct ht_column columns[] = {
	    {.key = "path",
	     .heading = "module",
	     .flags = HT_COLUMN_LEFT | HT_COLUMN_FLEX | HT_COLUMN_KEEP_END},
	    {.key = "build_id", .heading = "build-id", .flags = HT_COLUMN_LEFT},
	    {0}};
	char id[2 * HT_BUILD_ID_MAX + 1];
	if (!ht_trace_module_count(t))
		return;
	ht_emit_text(e, "\n");
	ht_emit_table(e, "modules", columns);
	for (uint32_t i = 0; i < ht_trace_module_count(t); i++) {
		ht_emit_cell(e, ht_string(ht_trace_string(t, ht_trace_module(t, i)->path, NULL)));
		ht_build_id_text(t, i + 1, id);
		ht_emit_cell(e, ht_string(*id ? id : NULL));
		ht_emit_row(e);
	}
	ht_emit_table_end(e, UINT64_MAX);
}

/* Where time went, if anything was recorded of it. */
static void print_times(struct ht_emitter *e, const struct ht_event_counts *n, const struct ht_trace_settings *s)
{
	if (n->sync || n->io) {
		ht_emit_item(e, "sync", "waits      ", ht_count(n->sync));
		ht_emit_text(e, " for locks and threads");
		ht_emit_item(e, "io", "and", ht_count(n->io));
		ht_emit_text(e, " for files, sockets, timers");
		ht_emit_newline(e);
	}
	if (!n->sched && !n->stall && !n->fault)
		return;
	ht_emit_item(e, "sched", "switches   ", ht_count(n->sched));
	if (n->sched && s->sched && *s->sched)
		ht_emit_text(e, " (%s)", s->sched);
	ht_emit_item(e, "fault", "page faults", ht_count(n->fault));
	ht_emit_item(e, "stall", "slow calls of the allocator", ht_count(n->stall));
	ht_emit_newline(e);
}

/* "alloc, map, thread, sync, io, sched; not stall, fault": what was asked for. */
static void print_classes(struct ht_emitter *e, const struct ht_trace *t)
{
	const uint32_t asked = ht_trace_settings(t)->events;
	if (!asked)
		return;
	ht_emit_text(e, "events     ");
	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0, said = 0; i < HT_EVENT_CLASSES; i++)
			if ((asked >> i & 1) != k)
				ht_emit_text(e, "%s%s", said++ ? ", " : k ? "; not " : " ", ht_event_class_names[i]);
	ht_emit_newline(e);
}

static void print_head(struct ht_emitter *e, const struct ht_analysis *a)
{
	const struct ht_trace *t = a->trace;
	const struct ht_totals *n = &a->totals;
	char *command = ht_fact_command(t);
	ht_emit_text(e, "%s\n", command);
	free(command);
	ht_emit_completeness(e, a);
	ht_emit_newline(e);
	ht_say_sampled(e, a);
	ht_emit_text(e, "\n");
	ht_emit_item(e, "start_utc", "recorded   ", ht_utc(ht_trace_settings(t)->start_utc_ns));
	ht_emit_item(e, "duration_ns", "for", ht_ns(ht_trace_duration_ns(t)));
	ht_emit_text(e, "   %s", ht_phrase_exit(ht_trace_exit_status(t)).s);
	ht_emit_newline(e);
	ht_emit_item(e, "file_bytes", "file       ", ht_bytes(ht_trace_file_bytes(t)));
	ht_emit_item(e, "format_version", "format", ht_number(HT_TRACE_VERSION));
	uint64_t events = ht_fact_events(t) + ht_fact_times(t);
	if (events)
		ht_emit_text(e, "   %.2f B per event",
			     (double)ht_trace_file_bytes(t) / (double)events);
	ht_emit_newline(e);
	print_classes(e, t);
	ht_emit_item(e, "allocations", "allocations", ht_count(n->c.allocs));
	ht_say_spread(e, &n->c, HT_SPREAD_ALLOCS, n->c.allocs);
	ht_emit_item(e, "allocated_bytes", "of", ht_bytes(n->c.bytes));
	ht_say_spread(e, &n->c, HT_SPREAD_BYTES, n->c.bytes);
	ht_emit_item(e, "frees", "frees", ht_count(n->c.frees));
	ht_say_spread(e, &n->c, HT_SPREAD_FREES, n->c.frees);
	ht_emit_item(e, "failed_calls", "failed", ht_count(n->failed_calls));
	ht_emit_newline(e);
	ht_emit_strange_frees(e, n, "odd frees   ");
	print_times(e, &n->events, ht_trace_settings(t));
	ht_emit_item(e, "peak", "peak       ", ht_bytes(n->c.peak_bytes));
	ht_say_spread(e, &n->c, HT_SPREAD_PEAK_BYTES, n->c.peak_bytes);
	ht_emit_item(e, "peak_objects", "in blocks", ht_count(n->c.peak_objects));
	if (n->has_peak)
		ht_emit_item(e, "peak_time_ns", "at", ht_ns(n->peak_time_ns));
	if (a->has_rss)
		ht_emit_item(e, "max_rss", "RSS at most", ht_bytes(a->max_rss_bytes));
	ht_emit_newline(e);
	ht_emit_item(e, "leaked", "not freed  ", ht_bytes(n->c.leaked_bytes));
	ht_say_spread(e, &n->c, HT_SPREAD_LEAKED_BYTES, n->c.leaked_bytes);
	ht_emit_item(e, "leaked_objects", "in blocks", ht_count(n->c.leaked_objects));
	ht_emit_newline(e);
	ht_emit_item(e, "threads", "threads    ", ht_count(n->threads));
	ht_emit_item(e, "images", "images", ht_count(n->images));
	ht_emit_item(e, "stacks", "stacks", ht_count(n->stacks));
	ht_emit_newline(e);
}

static void print_text(struct ht_emitter *e, const struct ht_analysis *a, const char *path)
{
	print_head(e, a);
	print_images(e, a);
	print_modules(e, a->trace);
	ht_say_next(e, "report", path);
}

/* Is what the totals tell of waits and switches there? Events were read already. */
static void check_times(const struct ht_trace *t)
{
	struct ht_time_records r = {0};
	for (size_t i = 0; i < ht_trace_time_block_count(t); i++)
		ht_trace_time_decode(t, i, &r, NULL); /* damage is in the verdict from then on */
	ht_time_records_release(&r);
}

static int show(struct ht_analysis *a, const char *path, struct ht_diag *d)
{
	struct ht_result r;
	int code = ht_result_open(&r, "heaptide.info/1", path, d);
	if (code)
		return code;
	check_times(a->trace);
	r.e.estimates = a->sample_bytes != 0;
	if (r.e.format == HT_EMIT_JSON)
		print_json(&r.e, a);
	else if (r.e.format == HT_EMIT_CSV)
		print_images(&r.e, a);
	else
		print_text(&r.e, a, path);
	return ht_result_close(&r, d);
}

static int run(int argc, char **argv)
{
	struct ht_analysis_options o;
	struct ht_diag d;
	(void)argc;
	if (ht_result_check(&d))
		return ht_give_up(HT_ERR_USAGE, &d);
	ht_analysis_options_init(&o);
	return ht_reading_run(argv[0], &o, show);
}

const struct ht_command ht_cmd_info = {
    .name = "info",
    .purpose = HT_PURPOSE_READ,
    .arguments = "TRACE",
    .summary = "say what a trace holds, and whether it is complete",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
