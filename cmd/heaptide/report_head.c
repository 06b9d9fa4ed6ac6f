/* report_head: what ran, how far to trust it, and what was selected: the first lines of the summary. */
#include <stdlib.h>

#include "facts.h"
#include "options.h"
#include "report.h"
#include "text.h"

static int by_pid(const void *a, const void *b)
{
	uint32_t pa = *(const uint32_t *)a, pb = *(const uint32_t *)b;
	return pa < pb ? -1 : pa > pb;
}

/* Processes other than the first image's; images that follow each other by exec share one. */
static uint32_t other_processes(const struct ht_trace *t)
{
	uint32_t n = ht_trace_image_count(t), others = 0;
	uint32_t *pids = ht_xcalloc(n, sizeof(*pids));
	for (uint32_t i = 0; i < n; i++)
		pids[i] = ht_trace_image(t, i)->pid;
	const uint32_t first = n ? pids[0] : 0;
	qsort(pids, n, sizeof(*pids), by_pid);
	for (uint32_t i = 0; i < n; i++)
		others += pids[i] != first && (i == 0 || pids[i] != pids[i - 1]);
	free(pids);
	return others;
}

/* "pid 4711 + 3 children". */
static void say_processes(struct ht_emitter *e, const struct ht_trace *t)
{
	const struct ht_image *first = ht_trace_image(t, 0);
	uint32_t others = other_processes(t);
	if (!first)
		return;
	ht_emit_text(e, " · pid %u", first->pid);
	if (others)
		ht_emit_text(e, " + %u child%s", others, others == 1 ? "" : "ren");
}

static void say_selection(struct ht_emitter *e, const struct ht_selection *s)
{
	if (s->from_ns == 0 && s->to_ns == UINT64_MAX && !s->thread && !s->process)
		return;
	ht_emit_text(e, "only ");
	if (s->from_ns || s->to_ns != UINT64_MAX)
		ht_emit_text(e, "%s to %s ", ht_text_ns(s->from_ns).s,
			     s->to_ns == UINT64_MAX ? "the end" : ht_text_ns(s->to_ns).s);
	if (s->process)
		ht_emit_text(e, "of process %u ", s->process);
	if (s->thread)
		ht_emit_clean(e, "of thread ", s->thread, " ");
	ht_emit_text(e, "is counted below");
	ht_emit_newline(e);
}

/* Rows alone are filtered, never totals: without a word that looks like an error. */
static void say_filters(struct ht_emitter *e)
{
	char *given = ht_choices_given(HT_CHOICES_OF_STACKS | HT_CHOICES_OF_SIZES | HT_CHOICES_OF_NAMES);
	if (given)
		ht_emit_text(e, "%s choose among the rows; totals and peak are of everything\n", given);
	free(given);
}

bool ht_report_poor_symbols(const struct ht_module_quality *m)
{
	return m->kind != HT_SYMBOLS_DWARF && m->frames;
}

/* What is wrong with a module beyond having been built or installed without debug information. */
static const char *trouble(enum ht_symbols_kind kind)
{
	switch (kind) {
	case HT_SYMBOLS_MISSING:
		return " (not found)";
	case HT_SYMBOLS_MISMATCH:
		return " (another build)";
	case HT_SYMBOLS_BROKEN:
		return " (broken)";
	case HT_SYMBOLS_LIMIT:
		return " (too large)";
	default:
		return "";
	}
}

static void say_poor_modules(struct ht_emitter *e, const struct ht_symbol_quality *q, size_t count)
{
	enum { ROOM = 36 }; /* what the line has left for names */
	size_t named = 0, used = 0;
	ht_emit_text(e, " (%zu module%s without debug info: ", count, count == 1 ? "" : "s");
	for (size_t i = 0; i < q->module_count; i++) {
		if (!ht_report_poor_symbols(&q->modules[i]))
			continue;
		char *name = ht_report_site(NULL, 0, q->modules[i].path),
		     *fit = ht_text_fit(name, 16, false);
		char *text =
		    ht_xasprintf("%s%s%s", named ? ", " : "", fit, trouble(q->modules[i].kind));
		used += ht_text_width(text);
		if (used <= ROOM) {
			ht_emit_text(e, "%s", text);
			named++;
		}
		free(text);
		free(fit);
		free(name);
	}
	ht_emit_text(e, "%s)", count > named ? ", …" : "");
}

static void say_symbols(struct ht_emitter *e, const struct ht_analysis *a)
{
	const struct ht_symbol_quality *q = ht_stacks_quality(a->stacks);
	size_t count = 0;
	if (!q->frames)
		return;
	ht_emit_text(e, "symbols: %s of frames",
		     ht_text_share((double)q->resolved / (double)q->frames).s);
	for (size_t i = 0; i < q->module_count; i++)
		count += ht_report_poor_symbols(&q->modules[i]);
	if (count)
		say_poor_modules(e, q, count);
	ht_emit_newline(e);
}

void ht_report_head(struct ht_report *r)
{
	const struct ht_trace *t = r->a->trace;
	char *command = ht_fact_command(t), *fit = ht_text_fit(command, 60, false);
	ht_emit_text(r->e, "%s", fit);
	free(fit);
	free(command);
	say_processes(r->e, t);
	ht_emit_text(r->e, " · %s · %s thread%s", ht_text_ns(ht_trace_duration_ns(t)).s,
		     ht_text_count(r->a->totals.threads).s, r->a->totals.threads == 1 ? "" : "s");
	ht_emit_text(r->e, " · %s\n", ht_text_utc(ht_trace_settings(t)->start_utc_ns).s);
	ht_emit_completeness(r->e, r->a);
	ht_emit_newline(r->e);
	ht_say_sampled(r->e, r->a);
	say_symbols(r->e, r->a);
	say_selection(r->e, &r->a->options.selection);
	say_filters(r->e);
	ht_emit_text(r->e, "\n");
}
