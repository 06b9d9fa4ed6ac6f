/*
 * symbolize: writes what addresses mean into the trace, so that it reads anywhere: functions,
 * files, lines, inlined frames, and on request the source lines that allocate.
 */
#include "command.h"
#include "facts.h"
#include "report.h"
#include "result.h"
#include "symbolize_trace.h"
#include "text.h"

static bool with_sources;

static const struct ht_option options[] = {
    {.name = "sources",
     .kind = HT_OPTION_FLAG,
     .value = &with_sources,
     .help = "store the source lines that allocate, too"},
    {0},
};
static const struct ht_option *const tables[] = {options, ht_result_options, ht_symbol_options,
						 NULL};

static void show_modules(struct ht_emitter *e, const struct ht_trace *t,
			 const struct ht_stored_result *r)
{
	static const struct ht_column columns[] = {
	    {.key = "path",
	     .heading = "module",
	     .flags = HT_COLUMN_LEFT | HT_COLUMN_FLEX | HT_COLUMN_KEEP_END},
	    {.key = "addresses", .heading = "addresses"},
	    {.key = "resolved", .heading = "with names"},
	    {.key = "kind", .heading = "from", .flags = HT_COLUMN_LEFT},
	    {.key = "reason", .flags = HT_COLUMN_DATA_ONLY},
	    {.key = "stored_bytes", .heading = "stored"},
	    {0}};
	ht_emit_table(e, "rows", columns);
	for (size_t i = 0; i < r->count; i++) {
		const struct ht_stored_module *m = &r->modules[i];
		ht_emit_cell(
		    e, ht_string(ht_trace_string(t, ht_trace_module(t, m->module)->path, NULL)));
		ht_emit_cell(e, ht_count(m->addresses));
		ht_emit_cell(e, ht_count(m->resolved));
		ht_emit_cell(e, ht_string(ht_report_symbols_kind(m->kind)));
		ht_emit_cell(e, ht_string(m->reason && *m->reason ? m->reason : NULL));
		ht_emit_cell(e, ht_bytes(m->bytes.len));
		ht_emit_row(e);
	}
	ht_emit_table_end(e, 0);
}

static void show_totals(struct ht_emitter *e, const struct ht_stored_result *r)
{
	uint64_t addresses = 0, resolved = 0;
	for (size_t i = 0; i < r->count; i++) {
		addresses += r->modules[i].addresses;
		resolved += r->modules[i].resolved;
	}
	ht_emit_text(e, "\n");
	ht_emit_item(e, "addresses", "addresses", ht_count(addresses));
	ht_emit_item(e, "resolved", "with names", ht_count(resolved));
	ht_emit_item(e, "source_lines", "source lines", ht_count(r->source_lines));
	ht_emit_newline(e);
}

static int show(struct ht_result *r, const char *path, const struct ht_stored_result *stored, struct ht_diag *d)
{
	struct ht_trace *t;
	int code = ht_trace_open(&t, path, d);
	if (code) {
		ht_output_abandon(&r->out);
		return code;
	}
	show_modules(&r->e, t, stored);
	show_totals(&r->e, stored);
	ht_say_next(&r->e, "report", path);
	ht_trace_close(t);
	return ht_result_close(r, d);
}

static int run(int argc, char **argv)
{
	struct ht_stored_result stored;
	struct ht_diag d = {0};
	(void)argc;
	int code = ht_result_check(&d);
	if (code)
		return ht_give_up(code, &d);
	/* First of all: where it cannot be told what was done, nothing is. */
	struct ht_result r;
	code = ht_result_open(&r, "heaptide.symbolize/1", argv[0], &d);
	if (code)
		return ht_give_up(code, &d);
	code = ht_symbolize_trace(argv[0], with_sources, &stored, &d);
	if (!code)
		code = show(&r, argv[0], &stored, &d);
	else
		ht_output_abandon(&r.out);
	ht_stored_result_release(&stored);
	return code ? ht_give_up(code, &d) : 0;
}

const struct ht_command ht_cmd_symbolize = {
    .name = "symbolize",
    .purpose = HT_PURPOSE_EXPORT,
    .arguments = "TRACE",
    .summary = "write the symbols into the trace, so that it reads anywhere",
    .options = tables,
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
