/*
 * profile_comments: what a profile says of itself beside its numbers: which run it is of, what was selected, how
 * complete it is, and what recording cost.
 */
#include <stdlib.h>

#include "profile_build.h"

char *ht_profile_command(const struct ht_trace *t)
{
	const char *command = ht_trace_settings(t)->command;
	struct ht_buf text = {0};
	for (const char *at = command; at && *at; at += strlen(at) + 1)
		ht_buf_printf(&text, "%s%s", text.len ? " " : "", at);
	ht_buf_byte(&text, '\0');
	return (char *)text.data;
}

static char *completeness_text(const struct ht_analysis *a)
{
	struct ht_diag why;
	bool footer;
	const struct ht_trace_totals *all = ht_trace_totals(a->trace, &footer);
	/* Of the selection, where events were counted; else of the trace. */
	uint64_t truncated = !a->options.other_passes ? a->totals.truncated_stacks : footer ? all->truncated_stacks : 0;
	if (ht_analysis_complete(a, &why))
		return ht_xasprintf("complete: no event lost, %llu truncated stacks", (unsigned long long)truncated);
	return ht_xasprintf("incomplete: %s", why.text);
}

static void say_name(struct ht_buf *b, const char *what, const char *value)
{
	if (value)
		ht_buf_printf(b, ", %s %s", what, value);
}

/* Of which blocks this is the profile, NULL: of all, at the end. */
static char *selection_text(const struct ht_selection *s)
{
	struct ht_buf b = {0};
	if (s->from_ns)
		ht_buf_printf(&b, ", from %llu ns", (unsigned long long)s->from_ns);
	if (s->to_ns != UINT64_MAX)
		ht_buf_printf(&b, ", to %llu ns", (unsigned long long)s->to_ns);
	if (s->at == HT_AT_PEAK)
		ht_buf_printf(&b, ", live at the peak");
	if (s->at == HT_AT_TIME)
		ht_buf_printf(&b, ", live at %llu ns", (unsigned long long)s->at_ns);
	if (s->process)
		ht_buf_printf(&b, ", process %u", s->process);
	say_name(&b, "thread", s->thread);
	say_name(&b, "focus", s->focus);
	say_name(&b, "ignore", s->ignore);
	say_name(&b, "hide", s->hide);
	say_name(&b, "module", s->module);
	say_name(&b, "region", s->region);
	say_name(&b, "task", s->task);
	if (s->min_size)
		ht_buf_printf(&b, ", at least %llu bytes", (unsigned long long)s->min_size);
	if (s->max_size != UINT64_MAX)
		ht_buf_printf(&b, ", at most %llu bytes", (unsigned long long)s->max_size);
	if (!b.len)
		return NULL;
	ht_buf_byte(&b, '\0');
	char *text = ht_xasprintf("selection: %s", (const char *)b.data + 2);
	ht_buf_release(&b);
	return text;
}

/* What recording cost; nothing without a footer. */
static char *overhead_text(const struct ht_trace *t)
{
	bool known;
	const struct ht_trace_totals *n = ht_trace_totals(t, &known);
	return known ? ht_xasprintf("overhead: collector %llu ms of CPU, program %llu ms blocked on full rings",
				    (unsigned long long)(n->collector_cpu_ns / 1000000),
				    (unsigned long long)(n->blocked_ns / 1000000))
		     : NULL;
}

void ht_profile_comment(struct ht_profile_built *b, const char *const *more, size_t count)
{
	const struct ht_trace *t = b->a->trace;
	const struct ht_trace_settings *settings = ht_trace_settings(t);
	char *selection = selection_text(&b->a->options.selection), *overhead = overhead_text(t);
	b->comments = ht_xcalloc(count + 8 + b->profile.mapping_count, sizeof(*b->comments));
	size_t n = 0;
	if (*b->profile.command)
		b->comments[n++] = ht_profile_own(b, ht_xasprintf("command: %s", b->profile.command));
	if (b->a->image_count)
		b->comments[n++] = ht_profile_own(b, ht_xasprintf("pid: %u", b->profile.pid));
	if (settings->hostname && *settings->hostname)
		b->comments[n++] = ht_profile_clean(b, ht_profile_own(b, ht_xasprintf("host: %s", settings->hostname)));
	b->comments[n++] = ht_profile_own(b, completeness_text(b->a));
	if (b->a->sample_bytes)
		b->comments[n++] = ht_profile_own(b, ht_xasprintf("sampled: one per %llu bytes, %llu samples; values are scaled",
						       (unsigned long long)b->a->sample_bytes,
						       (unsigned long long)b->a->samples));
	if (selection)
		b->comments[n++] = ht_profile_clean(b, ht_profile_own(b, selection));
	if (overhead)
		b->comments[n++] = ht_profile_own(b, overhead);
	for (size_t i = 0; i < count; i++)
		b->comments[n++] = more[i];
	for (uint32_t i = 0; i < ht_trace_module_count(t); i++)
		if (b->mapping_of[i])
			b->comments[n++] = ht_profile_own(b, ht_xasprintf("#base %s=0x%llx", b->mappings[b->mapping_of[i] - 1].file,
							       (unsigned long long)ht_trace_module(t, i)->bias));
	b->profile.comments = b->comments;
	b->profile.comment_count = n;
}
