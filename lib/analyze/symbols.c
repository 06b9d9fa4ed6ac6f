/*
 * symbols: from locations to frames. Every address that stands in the trace's stacks is asked for
 * once; what comes back is copied into one flat array of frames, together with what the row filters
 * think of each function, so that no name is matched twice.
 */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "stacks.h"
#include "stored_symbols.h"

struct filters {
	regex_t focus, ignore, hide, module, allocators;
	bool has_focus, has_ignore, has_hide, has_module, has_allocators;
};

static int compile(regex_t *re, bool *has, const char *text, const char *option, struct ht_diag *d)
{
	*has = false;
	if (!text)
		return 0;
	int code = regcomp(re, text, REG_EXTENDED | REG_NOSUB);
	if (code) {
		char why[128];
		regerror(code, re, why, sizeof(why));
		return ht_fail(d, HT_ERR_USAGE, "--%s '%s': %s", option, text, why);
	}
	*has = true;
	return 0;
}

static void release_filters(struct filters *f)
{
	if (f->has_focus)
		regfree(&f->focus);
	if (f->has_ignore)
		regfree(&f->ignore);
	if (f->has_hide)
		regfree(&f->hide);
	if (f->has_module)
		regfree(&f->module);
	if (f->has_allocators)
		regfree(&f->allocators);
}

static int compile_filters(struct filters *f, const struct ht_analysis_options *o, struct ht_diag *d)
{
	const struct ht_selection *sel = &o->selection;
	const char *allocators = o->allocators && *o->allocators ? o->allocators : NULL;
	int code;
	*f = (struct filters){0};
	if ((code = compile(&f->focus, &f->has_focus, sel->focus, "focus", d)) < 0 ||
	    (code = compile(&f->ignore, &f->has_ignore, sel->ignore, "ignore", d)) < 0 ||
	    (code = compile(&f->hide, &f->has_hide, sel->hide, "hide", d)) < 0 ||
	    (code = compile(&f->module, &f->has_module, sel->module, "module", d)) < 0 ||
	    (code = compile(&f->allocators, &f->has_allocators, allocators, "allocators", d)) < 0)
		release_filters(f);
	return code;
}

static bool matches(const regex_t *re, bool has, const char *text)
{
	return has && text && regexec(re, text, 0, NULL, 0) == 0;
}

static const char *module_path(const struct ht_trace *t, uint32_t module_id)
{
	const struct ht_module *m = module_id ? ht_trace_module(t, module_id - 1) : NULL;
	return m ? ht_trace_string(t, m->path, NULL) : "";
}

/* --- asking ------------------------------------------------------------------------------- */

static void relay_progress(void *ctx, size_t done, size_t total)
{
	const struct ht_analysis_options *o = ctx;
	if (o->progress)
		o->progress(o->progress_ctx, "symbols", done, total);
}

/* What stands in the trace. A record that cannot be read is as good as none: the module's quality tells. */
static void load_stored(struct ht_stacks *s)
{
	uint32_t modules = ht_trace_module_count(s->trace);
	s->stored = ht_xcalloc(modules, sizeof(*s->stored));
	for (uint32_t i = 0; i < modules; i++)
		if (ht_stored_symbols_load(&s->stored[i], s->trace, i, NULL))
			s->stored[i] = NULL;
}

void ht_stacks_forget_stored(struct ht_stacks *s)
{
	for (uint32_t i = 0; s->stored && i < ht_trace_module_count(s->trace); i++)
		ht_stored_symbols_free(s->stored[i]);
	free(s->stored);
}

/* Nothing on this machine can tell more. */
static bool stored_suffices(const struct ht_stacks *s, uint32_t module)
{
	return s->stored && s->stored[module] && ht_stored_symbols_kind(s->stored[module], NULL) == HT_SYMBOLS_DWARF;
}

/* What the trace says holds, unless this machine knows more. */
static bool use_stored(const struct ht_stacks *s, uint32_t module)
{
	if (!s->stored || !s->stored[module])
		return false;
	return stored_suffices(s, module) || !ht_symbols_better(ht_symbolizer_kind(s->symbolizer, module, NULL),
								ht_stored_symbols_kind(s->stored[module], NULL));
}

void ht_stacks_ask(struct ht_stacks *s, const struct ht_analysis_options *o)
{
	const struct ht_trace *t = s->trace;
	s->symbolizer = ht_symbolizer_new(&o->symbolize);
	for (uint32_t i = 0; i < ht_trace_module_count(t); i++) {
		const struct ht_module *m = ht_trace_module(t, i);
		size_t n = m->build_id_len <= HT_BUILD_ID_MAX ? m->build_id_len : HT_BUILD_ID_MAX;
		ht_symbolizer_module(s->symbolizer, i, module_path(t, i + 1), m->build_id, n);
	}
	for (uint32_t i = 1; i < s->location_count; i++)
		if (s->locations[i].module && !stored_suffices(s, s->locations[i].module - 1))
			ht_symbolizer_want(s->symbolizer, s->locations[i].module - 1, s->locations[i].address);
	ht_symbolizer_resolve(s->symbolizer, relay_progress, (void *)(uintptr_t)o);
}

/* --- copying ------------------------------------------------------------------------------ */

static void add_frame(struct ht_stacks *s, uint32_t *cap, const struct ht_location *l, const struct ht_symbol_frame *f,
		      const char *reason)
{
	if (s->frame_count == *cap) {
		*cap = *cap ? *cap * 2 : 256;
		s->frames = ht_xrealloc(s->frames, *cap, sizeof(*s->frames));
	}
	struct ht_frame *out = &s->frames[s->frame_count++];
	*out = (struct ht_frame){
		.suffix = "",
		.module_id = l->module,
		.module = module_path(s->trace, l->module),
		.address = l->address,
		.reason = reason,
	};
	if (!f || !f->function)
		return;
	out->function = f->function;
	out->linkage = f->linkage ? f->linkage : f->function;
	out->suffix = f->suffix ? f->suffix : "";
	out->file = f->file;
	out->line = f->line;
	out->start_line = f->start_line;
	out->inlined = f->inlined;
	out->reason = "";
	out->allocator = ht_allocator_function(f->function);
}

static void copy_location(struct ht_stacks *s, const struct ht_symbolize_options *o, uint32_t *cap, struct ht_location *l)
{
	struct ht_symbol symbol = {.reason = "not symbolized"};
	l->first = s->frame_count;
	if (l == s->locations)
		symbol.reason = "no stack was recorded";
	else if (!l->module)
		symbol.reason = "the address belongs to no file";
	else if (s->symbolizer && use_stored(s, l->module - 1))
		symbol = ht_stored_symbols_get(s->stored[l->module - 1], l->address, o->demangle, o->no_inline);
	else if (s->symbolizer)
		symbol = ht_symbolizer_get(s->symbolizer, l->module - 1, l->address);
	const char *reason = symbol.reason && *symbol.reason ? symbol.reason : "no symbol";
	for (size_t i = 0; i < symbol.count; i++)
		add_frame(s, cap, l, &symbol.frames[i], reason);
	if (!symbol.count)
		add_frame(s, cap, l, NULL, reason);
	l->count = s->frame_count - l->first;
}

static void mark_frames(struct ht_stacks *s, const struct filters *f)
{
	uint32_t modules = ht_trace_module_count(s->trace);
	bool *module_hit = ht_xcalloc((size_t)modules + 1, sizeof(*module_hit));
	for (uint32_t i = 0; i <= modules; i++)
		module_hit[i] = matches(&f->module, f->has_module, module_path(s->trace, i));
	s->marks = ht_xcalloc(s->frame_count, 1);
	for (uint32_t i = 0; i < s->frame_count; i++) {
		struct ht_frame *frame = &s->frames[i];
		frame->allocator |= matches(&f->allocators, f->has_allocators, frame->function);
		frame->hidden = matches(&f->hide, f->has_hide, frame->function);
		if (matches(&f->focus, f->has_focus, frame->function))
			s->marks[i] |= HT_MARK_FOCUS;
		if (matches(&f->ignore, f->has_ignore, frame->function))
			s->marks[i] |= HT_MARK_IGNORE;
		if (frame->module_id <= modules && module_hit[frame->module_id])
			s->marks[i] |= HT_MARK_MODULE;
	}
	s->has_focus = f->has_focus;
	s->has_ignore = f->has_ignore;
	s->has_module = f->has_module;
	free(module_hit);
}

/* --- how well it went --------------------------------------------------------------------- */

static void judge(struct ht_stacks *s)
{
	struct ht_symbol_quality *q = &s->quality;
	uint32_t modules = ht_trace_module_count(s->trace);
	q->modules = ht_xcalloc(modules, sizeof(*q->modules));
	for (uint32_t i = 1; i < s->location_count; i++) {
		const struct ht_location *l = &s->locations[i];
		const struct ht_frame *f = &s->frames[l->first];
		q->frames++;
		q->resolved += f->function != NULL;
		if (!l->module || l->module > modules)
			continue;
		struct ht_module_quality *m = &q->modules[l->module - 1];
		m->frames++;
		m->resolved += f->function != NULL;
		m->with_line += f->file && f->line;
	}
	for (uint32_t i = 0; i < modules; i++) {
		struct ht_module_quality *m = &q->modules[i];
		if (!m->frames)
			continue;
		m->module = i;
		m->path = module_path(s->trace, i + 1);
		m->kind = HT_SYMBOLS_NONE;
		m->reason = "not symbolized";
		if (s->symbolizer && use_stored(s, i))
			m->kind = ht_stored_symbols_kind(s->stored[i], &m->reason);
		else if (s->symbolizer)
			m->kind = ht_symbolizer_kind(s->symbolizer, i, &m->reason);
		q->modules[q->module_count++] = *m;
	}
}

int ht_stacks_symbolize(struct ht_stacks *s, const struct ht_analysis_options *o, struct ht_diag *d)
{
	struct filters filters;
	int code = compile_filters(&filters, o, d);
	if (code < 0)
		return code;
	if (o->symbols) {
		load_stored(s);
		ht_stacks_ask(s, o);
	}
	uint32_t cap = 0;
	for (uint32_t i = 0; i < s->location_count; i++)
		copy_location(s, &o->symbolize, &cap, &s->locations[i]);
	mark_frames(s, &filters);
	judge(s);
	release_filters(&filters);
	return 0;
}

const char *ht_build_id_text(const struct ht_trace *t, uint32_t module_id, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const struct ht_module *m = module_id ? ht_trace_module(t, module_id - 1) : NULL;
	size_t n = m && m->build_id_len <= HT_BUILD_ID_MAX ? m->build_id_len : 0;
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[m->build_id[i] >> 4];
		out[2 * i + 1] = digits[m->build_id[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}
