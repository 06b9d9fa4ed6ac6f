/* facts: see facts.h. */
#include "facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "recorded.h"
#include "text.h"

/* --- single facts ------------------------------------------------------------------------- */

uint64_t ht_fact_lost(const struct ht_trace *t, bool *known)
{
	uint64_t sum = 0;
	const struct ht_trace_totals *totals = ht_trace_totals(t, known);
	for (size_t i = 0; i < HT_LOST_COUNT; i++)
		sum += totals->lost[i];
	return sum;
}

static uint32_t running_images(const struct ht_trace *t)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < ht_trace_image_count(t); i++)
		n += ht_trace_image(t, i)->end_ns == UINT64_MAX;
	return n;
}

const char *ht_fact_off(const struct ht_trace *t)
{
	bool known;
	uint64_t reason = ht_trace_totals(t, &known)->off_reason;
	if (!reason)
		return NULL;
	return reason < HT_OFF_NAMES ? ht_off_names[reason] : "unknown reason";
}

bool ht_fact_complete(const struct ht_trace *t)
{
	bool known;
	bool complete = ht_trace_verdict(t) == HT_VERDICT_OK && ht_fact_lost(t, &known) == 0 &&
			known && !running_images(t) && !ht_fact_off(t) &&
			!ht_trace_totals(t, &known)->exec_not_attached;
	char *shadow = ht_fact_flag(t, "shadowed_by");
	if (shadow)
		complete = false;
	free(shadow);
	return complete;
}

uint64_t ht_fact_events(const struct ht_trace *t)
{
	uint64_t n = 0;
	for (size_t i = 0; i < ht_trace_block_count(t); i++)
		n += ht_trace_block(t, i)->events;
	return n;
}

uint64_t ht_fact_times(const struct ht_trace *t)
{
	uint64_t n = 0;
	for (size_t i = 0; i < ht_trace_time_block_count(t); i++)
		n += ht_trace_time_block(t, i)->count;
	return n;
}

const char *ht_fact_verdict(const struct ht_trace *t)
{
	switch (ht_trace_verdict(t)) {
	case HT_VERDICT_TRUNCATED:
		return "truncated";
	case HT_VERDICT_DAMAGED:
		return "damaged";
	default:
		return "ok";
	}
}

char *ht_fact_flag(const struct ht_trace *t, const char *name)
{
	const char *flags = ht_trace_settings(t)->flags;
	size_t n = strlen(name);
	while (flags && *flags) {
		size_t len = strcspn(flags, " ");
		if (len > n && !memcmp(flags, name, n) && flags[n] == '=')
			return ht_xasprintf("%.*s", (int)(len - n - 1), flags + n + 1);
		flags += len + strspn(flags + len, " ");
	}
	return NULL;
}

struct ht_words ht_fact_words(const struct ht_trace *t)
{
	const struct ht_image *image = ht_trace_image(t, 0);
	size_t n = 0;
	const char *argv = image ? ht_trace_string(t, image->argv, &n) : "";
	if (n)
		return (struct ht_words){argv, argv + n};
	/* The settings' copy ends at an empty word. */
	const char *command = ht_trace_settings(t)->command;
	for (n = 0; command && command[n]; n += strlen(command + n) + 1)
		;
	return (struct ht_words){command, command + n};
}

bool ht_words_next(struct ht_words *w, const char **word)
{
	if (w->at >= w->end)
		return false;
	*word = w->at;
	w->at += strnlen(w->at, (size_t)(w->end - w->at)) + 1;
	return true;
}

char *ht_fact_command(const struct ht_trace *t)
{
	struct ht_buf b = {0};
	struct ht_words words = ht_fact_words(t);
	const char *word;
	while (ht_words_next(&words, &word)) {
		const char *quote = !*word || strpbrk(word, " \t\n'\"\\$*?;&|<>()") ? "'" : "";
		ht_buf_printf(&b, "%s%s", b.len ? " " : "", quote);
		ht_text_clean(&b, word);
		ht_buf_printf(&b, "%s", quote);
	}
	if (!b.len)
		ht_buf_printf(&b, "(command not kept)");
	ht_buf_byte(&b, '\0');
	return (char *)b.data;
}

void ht_say_next(struct ht_emitter *e, const char *command, const char *path)
{
	ht_emit_text(e, "\nnext: heaptide %s", command);
	ht_emit_clean(e, " ", path, "\n");
}

/* --- how it ended ------------------------------------------------------------------------- */

void ht_emit_exit_status(struct ht_emitter *e, const char *key, int status)
{
	if (status < 0 || (!WIFEXITED(status) && !WIFSIGNALED(status))) {
		ht_emit_json(e, key, ht_null());
		return;
	}
	ht_emit_object(e, key);
	if (WIFEXITED(status))
		ht_emit_json(e, "code", ht_number((uint64_t)WEXITSTATUS(status)));
	else
		ht_emit_json(e, "signal", ht_number((uint64_t)WTERMSIG(status)));
	ht_emit_close(e);
}

struct ht_phrase ht_phrase_exit(int status)
{
	struct ht_phrase p;
	if (status >= 0 && WIFEXITED(status))
		snprintf(p.s, sizeof(p.s), "exit status %d", WEXITSTATUS(status));
	else if (status >= 0 && WIFSIGNALED(status))
		snprintf(p.s, sizeof(p.s), "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(p.s, sizeof(p.s), "exit status unknown");
	return p;
}

/* --- totals ------------------------------------------------------------------------------- */

static void emit_events(struct ht_emitter *e, const struct ht_event_counts *n)
{
	const struct {
		const char *key;
		uint64_t n;
	} all[] = {
	    {"alloc", n->alloc}, {"free", n->free},	{"realloc", n->realloc},
	    {"map", n->map},	 {"thread", n->thread}, {"sync", n->sync},
	    {"io", n->io},	 {"sched", n->sched},	{"stall", n->stall},
	    {"fault", n->fault},
	};
	ht_emit_object(e, "events");
	for (size_t i = 0; i < HT_ARRAY_SIZE(all); i++)
		ht_emit_json(e, all[i].key, ht_count(all[i].n));
	ht_emit_close(e);
}

void ht_emit_classes(struct ht_emitter *e, const char *key, bool known, uint32_t classes)
{
	if (!known) {
		ht_emit_json(e, key, ht_null());
		return;
	}
	ht_emit_array(e, key);
	for (unsigned i = 0; i < HT_EVENT_CLASSES; i++)
		if (classes >> i & 1)
			ht_emit_json(e, NULL, ht_string(ht_event_class_names[i]));
	ht_emit_close(e);
}

void ht_emit_unrecorded(struct ht_emitter *e, const struct ht_trace *t, uint32_t classes)
{
	ht_emit_classes(e, "not_recorded", ht_recorded(t, classes) != HT_RECORDED_UNKNOWN, ht_unrecorded(t, classes));
}

bool ht_say_unrecorded(struct ht_emitter *e, const struct ht_trace *t, uint32_t classes)
{
	const uint32_t not = ht_unrecorded(t, classes);
	char *line = not ? ht_unrecorded_text(not, NULL) : NULL;
	if (line)
		ht_emit_text(e, "%s\n", line);
	free(line);
	return not != 0;
}

static void emit_lost(struct ht_emitter *e, const struct ht_trace *t)
{
	bool known;
	const struct ht_trace_totals *totals = ht_trace_totals(t, &known);
	ht_emit_object(e, "lost_events");
	for (size_t i = 0; i < HT_LOST_COUNT; i++)
		ht_emit_json(e, ht_lost_names[i], known ? ht_count(totals->lost[i]) : ht_null());
	ht_emit_close(e);
}

static void emit_sampled(struct ht_emitter *e, const struct ht_analysis *a)
{
	if (!a->sample_bytes) {
		ht_emit_json(e, "sampled", ht_null());
		return;
	}
	ht_emit_object(e, "sampled");
	ht_emit_json(e, "rate", ht_bytes(a->sample_bytes));
	ht_emit_json(e, "samples", ht_count(a->samples));
	ht_emit_close(e);
}

void ht_say_sampled(struct ht_emitter *e, const struct ht_analysis *a)
{
	if (!a->sample_bytes)
		return;
	ht_emit_text(e, "sampled: one per %s allocated, %s samples; ", ht_text_bytes(a->sample_bytes).s,
		     ht_text_count(a->samples).s);
	ht_emit_text(e, "numbers are estimates, ± one standard error");
	ht_emit_newline(e);
}

void ht_say_spread(struct ht_emitter *e, const struct ht_counters *c, enum ht_spread_of of, uint64_t value)
{
	if (c->spread && value)
		ht_emit_text(e, " ±%s", ht_text_share(ht_counters_stderr(c, of) / (double)value).s);
}

void ht_emit_errors(struct ht_emitter *e, const struct ht_counters *c)
{
	static const struct {
		const char *key;
		enum ht_spread_of of;
	} all[] = {
	    {"allocations_stderr", HT_SPREAD_ALLOCS},
	    {"frees_stderr", HT_SPREAD_FREES},
	    {"allocated_bytes_stderr", HT_SPREAD_BYTES},
	    {"peak_live_bytes_stderr", HT_SPREAD_PEAK_BYTES},
	    {"peak_live_objects_stderr", HT_SPREAD_PEAK_OBJECTS},
	    {"end_live_bytes_stderr", HT_SPREAD_LEAKED_BYTES},
	    {"end_live_objects_stderr", HT_SPREAD_LEAKED_OBJECTS},
	};
	for (size_t i = 0; c->spread && i < HT_ARRAY_SIZE(all); i++)
		ht_emit_json(e, all[i].key, ht_real(ht_counters_stderr(c, all[i].of)));
}

void ht_emit_totals(struct ht_emitter *e, const struct ht_analysis *a)
{
	const struct ht_totals *n = &a->totals;
	emit_sampled(e, a);
	emit_events(e, &n->events);
	const uint32_t asked = ht_trace_settings(a->trace)->events;
	ht_emit_classes(e, "events_recorded", asked != 0, asked);
	ht_emit_json(e, "allocations", ht_count(n->c.allocs));
	ht_emit_json(e, "frees", ht_count(n->c.frees));
	ht_emit_json(e, "allocated_bytes", ht_bytes(n->c.bytes));
	ht_emit_json(e, "peak_live_bytes", ht_bytes(n->c.peak_bytes));
	ht_emit_json(e, "peak_live_objects", ht_count(n->c.peak_objects));
	ht_emit_json(e, "peak_time_ns", n->has_peak ? ht_ns(n->peak_time_ns) : ht_null());
	ht_emit_json(e, "end_live_bytes", ht_bytes(n->c.leaked_bytes));
	ht_emit_json(e, "end_live_objects", ht_count(n->c.leaked_objects));
	ht_emit_errors(e, &n->c);
	ht_emit_json(e, "temporary", a->sample_bytes ? ht_null() : ht_count(n->c.temporary));
	ht_emit_json(e, "max_rss_bytes", a->has_rss ? ht_bytes(a->max_rss_bytes) : ht_null());
	emit_lost(e, a->trace);
	ht_emit_json(e, "foreign_frees", ht_count(n->foreign_frees));
	ht_emit_json(e, "undecided_frees", ht_count(n->undecided_frees));
	ht_emit_json(e, "inherited_frees", ht_count(n->inherited_frees));
	ht_emit_json(e, "implied_frees", ht_count(n->implied_frees));
	ht_emit_json(e, "failed_calls", ht_count(n->failed_calls));
	ht_emit_json(e, "cross_thread_frees", ht_count(n->cross_thread_frees));
	ht_emit_json(e, "truncated_stacks", ht_count(n->truncated_stacks));
	ht_emit_json(e, "stacks", ht_count(n->stacks));
}

void ht_emit_strange_frees(struct ht_emitter *e, const struct ht_totals *n, const char *label)
{
	const struct {
		const char *what;
		uint64_t count;
	} all[] = {
	    {"foreign", n->foreign_frees - n->undecided_frees},
	    {"foreign or inherited", n->undecided_frees},
	    {"inherited", n->inherited_frees},
	    {"implied", n->implied_frees},
	};
	const char *between = label;
	for (size_t i = 0; i < HT_ARRAY_SIZE(all); i++) {
		if (!all[i].count)
			continue;
		ht_emit_text(e, "%s%s %s", between, ht_text_count(all[i].count).s, all[i].what);
		between = ", ";
	}
	if (between != label)
		ht_emit_newline(e);
}

/* --- completeness ------------------------------------------------------------------------- */

static void emit_losses(struct ht_emitter *e, const struct ht_trace *t)
{
	bool known;
	const struct ht_trace_totals *totals = ht_trace_totals(t, &known);
	uint64_t lost = ht_fact_lost(t, &known);
	if (!known) {
		ht_emit_text(e, ", losses unknown");
		return;
	}
	ht_emit_text(e, ", %s lost", ht_text_count(lost).s);
	const char *between = " (";
	for (size_t i = 0; i < HT_LOST_COUNT; i++) {
		if (!totals->lost[i])
			continue;
		ht_emit_text(e, "%s%s %s", between, ht_lost_names[i],
			     ht_text_count(totals->lost[i]).s);
		between = ", ";
	}
	if (lost)
		ht_emit_text(e, ")");
}

void ht_emit_completeness(struct ht_emitter *e, const struct ht_analysis *a)
{
	const struct ht_trace *t = a->trace;
	bool complete = ht_fact_complete(t);
	ht_emit_text(e, "%s: ", complete ? "complete" : "incomplete");
	if (ht_trace_verdict(t) != HT_VERDICT_OK)
		ht_emit_text(e, "%s file, ", ht_fact_verdict(t));
	/* Without a footer nobody knows what was recorded: then what can be read is counted. */
	bool known;
	const struct ht_trace_totals *totals = ht_trace_totals(t, &known);
	ht_emit_text(
	    e, "%s events",
	    ht_text_count(known && totals->recorded ? totals->recorded : ht_fact_events(t) + ht_fact_times(t)).s);
	emit_losses(e, t);
	uint32_t running = running_images(t);
	if (running)
		ht_emit_text(e, ", %u image%s still running at the end", running,
			     running == 1 ? "" : "s");
	if (a->totals.truncated_stacks)
		ht_emit_text(e, ", %s truncated stacks",
			     ht_text_count(a->totals.truncated_stacks).s);
	uint64_t missed = totals->exec_not_attached;
	if (missed)
		ht_emit_text(e, ", %s program%s not attached", ht_text_count(missed).s,
			     missed == 1 ? "" : "s");
	if (ht_fact_off(t))
		ht_emit_text(e, ", the hook turned itself off: %s", ht_fact_off(t));
	char *shadow = ht_fact_flag(t, "shadowed_by");
	if (shadow)
		ht_emit_clean(e, ", shadowed by ", shadow, ": its allocations were not seen");
	free(shadow);
}
