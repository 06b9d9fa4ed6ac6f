/* report_cells: see report.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "text.h"

static char *finish(struct ht_buf *b)
{
	ht_buf_byte(b, '\0');
	return (char *)b->data;
}

static void frame_name(struct ht_buf *b, const struct ht_frame *f)
{
	if (f->function)
		ht_text_clean(b, f->function);
	else if (*f->module) {
		ht_text_clean(b, ht_base_name(f->module));
		ht_buf_printf(b, "+0x%llx", (unsigned long long)f->address);
	} else if (f->address) {
		ht_buf_printf(b, "0x%llx", (unsigned long long)f->address);
	} else {
		ht_buf_printf(b, "(no stack)");
	}
}

char *ht_report_frame_name(const struct ht_frame *f)
{
	struct ht_buf b = {0};
	frame_name(&b, f);
	return finish(&b);
}

char *ht_report_chain(const struct ht_analysis *a, uint32_t node, size_t frames)
{
	const struct ht_frame *stack[16];
	struct ht_buf b = {0};
	if (frames > HT_ARRAY_SIZE(stack))
		frames = HT_ARRAY_SIZE(stack);
	size_t n = ht_stacks_expand(a->stacks, node, true, stack, frames);
	for (size_t i = 0; i < n && i < frames; i++) {
		/* Beyond the callsite, an address says nothing that helps. */
		if (i && !stack[i]->function)
			break;
		ht_buf_printf(&b, "%s", i ? " ← " : "");
		frame_name(&b, stack[i]);
		ht_buf_printf(&b, "%s", stack[i]->inlined ? " (inlined)" : "");
	}
	return finish(&b);
}

char *ht_report_site(const char *file, uint32_t line, const char *module)
{
	struct ht_buf b = {0};
	if (file) {
		ht_text_clean(&b, ht_base_name(file));
		if (line)
			ht_buf_printf(&b, ":%u", line);
	} else if (module && *module) {
		ht_text_clean(&b, ht_base_name(module));
	} else {
		ht_buf_printf(&b, "-");
	}
	return finish(&b);
}

const char *ht_report_metric_heading(enum ht_metric m)
{
	static const char *const headings[HT_METRIC_COUNT] = {
	    [HT_METRIC_PEAK] = "at peak",     [HT_METRIC_LIVE] = "live",
	    [HT_METRIC_BYTES] = "bytes",      [HT_METRIC_ALLOCS] = "calls",
	    [HT_METRIC_LEAKED] = "not freed", [HT_METRIC_TEMPORARY] = "temporary",
	};
	return m < HT_METRIC_COUNT ? headings[m] : "";
}

struct ht_value ht_report_metric(const struct ht_counters *c, enum ht_metric m)
{
	uint64_t v = ht_counters_metric(c, m);
	return m == HT_METRIC_ALLOCS || m == HT_METRIC_TEMPORARY ? ht_count(v) : ht_bytes(v);
}

struct ht_value ht_report_companion(const struct ht_counters *c, enum ht_metric m)
{
	uint64_t v = ht_counters_companion(c, m);
	return m == HT_METRIC_ALLOCS || m == HT_METRIC_TEMPORARY ? ht_bytes(v) : ht_count(v);
}

const char *ht_report_companion_heading(enum ht_metric m)
{
	if (m == HT_METRIC_ALLOCS || m == HT_METRIC_TEMPORARY)
		return "bytes";
	return m == HT_METRIC_BYTES ? "calls" : "blocks";
}

struct ht_emit_frame ht_report_emit_frame(const struct ht_analysis *a, const struct ht_frame *f,
					  char *build_id)
{
	const char *id = ht_build_id_text(a->trace, f->module_id, build_id);
	return (struct ht_emit_frame){
	    .function = f->function,
	    .file = f->file,
	    .module = *f->module ? f->module : NULL,
	    .line = f->line,
	    .inlined = f->inlined,
	    .build_id = *id ? id : NULL,
	    .address = f->address,
	    .unresolved = f->function ? NULL : f->reason,
	};
}

const char *ht_report_symbols_kind(enum ht_symbols_kind kind)
{
	static const char *const kinds[] = {
	    [HT_SYMBOLS_DWARF] = "dwarf",     [HT_SYMBOLS_SYMTAB] = "symtab",
	    [HT_SYMBOLS_DYNSYM] = "dynsym",   [HT_SYMBOLS_NONE] = "none",
	    [HT_SYMBOLS_MISSING] = "missing", [HT_SYMBOLS_MISMATCH] = "mismatch",
	    [HT_SYMBOLS_BROKEN] = "broken",   [HT_SYMBOLS_LIMIT] = "limit",
	};
	return kind < HT_ARRAY_SIZE(kinds) ? kinds[kind] : NULL;
}

const char *ht_report_spread_heading(enum ht_metric m)
{
	static const char *const headings[HT_METRIC_COUNT] = {
	    [HT_METRIC_PEAK] = "± at peak",	[HT_METRIC_LIVE] = "± live",
	    [HT_METRIC_BYTES] = "± bytes",	[HT_METRIC_ALLOCS] = "± calls",
	    [HT_METRIC_LEAKED] = "± not freed", [HT_METRIC_TEMPORARY] = "",
	};
	return m < HT_METRIC_COUNT ? headings[m] : "";
}

struct ht_value ht_report_spread(const struct ht_counters *c, enum ht_metric m)
{
	static const enum ht_spread_of of[HT_METRIC_COUNT] = {
	    [HT_METRIC_PEAK] = HT_SPREAD_PEAK_BYTES,	 [HT_METRIC_LIVE] = HT_SPREAD_LIVE_BYTES,
	    [HT_METRIC_BYTES] = HT_SPREAD_BYTES,	 [HT_METRIC_ALLOCS] = HT_SPREAD_ALLOCS,
	    [HT_METRIC_LEAKED] = HT_SPREAD_LEAKED_BYTES,
	};
	if (!c->spread || m >= HT_METRIC_COUNT || m == HT_METRIC_TEMPORARY)
		return ht_omit();
	return ht_share(ht_counters_stderr(c, of[m]), (double)ht_counters_metric(c, m));
}

void ht_report_counter_cells(struct ht_emitter *e, const struct ht_counters *c)
{
	ht_emit_cell(e, ht_count(c->allocs));
	ht_emit_cell(e, ht_bytes(c->bytes));
	ht_emit_cell(e, ht_count(c->frees));
	ht_emit_cell(e, ht_count(c->freed_here));
	ht_emit_cell(e, ht_count(c->live_objects));
	ht_emit_cell(e, ht_bytes(c->live_bytes));
	ht_emit_cell(e, ht_count(c->peak_objects));
	ht_emit_cell(e, ht_bytes(c->peak_bytes));
	ht_emit_cell(e, c->own_peak_known ? ht_bytes(c->own_peak_bytes) : ht_null());
	ht_emit_cell(e, c->own_peak_known && c->own_peak_bytes ? ht_ns(c->own_peak_time_ns)
							       : ht_null());
	ht_emit_cell(e, ht_count(c->leaked_objects));
	ht_emit_cell(e, ht_bytes(c->leaked_bytes));
	for (unsigned of = 0; of < HT_SPREAD_COUNT; of++)
		ht_emit_cell(e, of == HT_SPREAD_OWN_PEAK_BYTES && !c->own_peak_known
				    ? ht_null()
				    : ht_real(ht_counters_stderr(c, of)));
	ht_emit_cell(e, e->estimates ? ht_null() : ht_count(c->temporary));
}
