/* symbolize_trace: see symbolize_trace.h. */
#include "symbolize_trace.h"

#include "progress.h"
#include "reading.h"
#include "source_text.h"

static const char *read_line(void *ctx, const char *path, uint32_t line, bool *newer)
{
	const struct ht_source_file *f = ht_source_file(ctx, path);
	*newer = f->newer;
	return ht_source_line(f, line);
}

static int append(const char *path, const struct ht_stored_result *r, struct ht_diag *d)
{
	struct ht_trace_appender *a;
	bool any = false;
	for (size_t i = 0; i < r->count; i++)
		any |= r->modules[i].bytes.len != 0;
	if (!any)
		return 0;
	int code = ht_trace_appender_open(&a, path, d);
	if (code)
		return code;
	for (size_t i = 0; i < r->count && !code; i++) {
		const struct ht_stored_module *m = &r->modules[i];
		if (m->bytes.len)
			code = ht_trace_appender_symbols(a, m->module, HT_STORED_SYMBOLS_FORMAT,
							 m->bytes.data, m->bytes.len, d);
	}
	if (!code)
		return ht_trace_appender_finish(a, d);
	ht_trace_appender_abandon(a);
	return code;
}

int ht_symbolize_trace(const char *path, bool with_sources, struct ht_stored_result *out,
		       struct ht_diag *d)
{
	struct ht_trace *t;
	struct ht_analysis_options o;
	*out = (struct ht_stored_result){0};
	int code = ht_trace_open(&t, path, d);
	if (code)
		return code;
	if (ht_trace_verdict(t) != HT_VERDICT_OK) {
		code = ht_fail(d, HT_ERR_DAMAGED, "%s", ht_trace_verdict_text(t));
		ht_hint(d, "symbols can be stored in whole traces only");
		ht_trace_close(t);
		return code;
	}
	ht_analysis_options_init(&o);
	ht_reading_symbols(&o);
	struct ht_sources sources = {
	    .root = o.symbolize.source_root,
	    .recorded_utc_ns = ht_trace_settings(t)->start_utc_ns,
	};
	const struct ht_source_reader reader = {read_line, &sources};
	ht_stored_symbols_make(t, &o, with_sources ? &reader : NULL, out);
	ht_progress_end();
	ht_sources_release(&sources);
	ht_trace_close(t);
	return append(path, out, d);
}
