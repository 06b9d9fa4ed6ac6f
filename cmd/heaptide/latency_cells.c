/* latency_cells: see latency_views.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latency_views.h"
#include "report.h"
#include "text.h"
#include "wait_sites.h"

enum { DEPTH = 512, STACKS = 4, CHAIN = 8 };

/* --- stacks ------------------------------------------------------------------------------- */

char *ht_latency_chain(const struct ht_latency_show *x, uint32_t node, size_t count)
{
	const struct ht_frame *frames[DEPTH], *callsite = ht_wait_callsite(x->a->stacks, node);
	struct ht_buf b = {0};
	size_t n = ht_stacks_expand(x->a->stacks, node, false, frames, DEPTH), first = 0;
	n = n < DEPTH ? n : DEPTH;
	while (first + 1 < n && frames[first] != callsite)
		first++;
	for (size_t i = first; i < n && i < first + count && i < first + CHAIN; i++) {
		if (i > first && (!frames[i]->function || ht_wait_plumbing(frames[i])))
			break;
		char *name = ht_report_frame_name(frames[i]);
		ht_buf_printf(&b, "%s%s", i > first ? " ← " : "", name);
		free(name);
	}
	ht_buf_byte(&b, '\0');
	return (char *)b.data;
}

char *ht_latency_site(const struct ht_latency_show *x, uint32_t node)
{
	const struct ht_frame *f = ht_wait_callsite(x->a->stacks, node);
	return ht_report_site(f->file, f->line, f->module);
}

struct ht_value ht_latency_stack_copy(const struct ht_latency_show *x, uint32_t node)
{
	typedef char text_of_id[2 * HT_BUILD_ID_MAX + 1];
	const struct ht_frame *frames[DEPTH];
	if (!node)
		return ht_null();
	size_t n = ht_stacks_expand(x->a->stacks, node, false, frames, DEPTH);
	n = n < DEPTH ? n : DEPTH;
	/* The texts stand behind the frames: one piece of memory. */
	struct ht_emit_frame *shown = ht_xmalloc(n * (sizeof(*shown) + sizeof(text_of_id)) + 1);
	text_of_id *ids = (text_of_id *)(shown + n);
	for (size_t i = 0; i < n; i++)
		shown[i] = ht_report_emit_frame(x->a, frames[i], ids[i]);
	return ht_frames(shown, n);
}

void ht_latency_stack_free(const struct ht_value *v)
{
	if (v->kind == HT_VALUE_FRAMES)
		free((void *)v->frames);
}

struct ht_value ht_latency_stack(const struct ht_latency_show *x, uint32_t node)
{
	static struct ht_value kept[STACKS];
	static unsigned next;
	struct ht_value *v = &kept[next++ % STACKS];
	ht_latency_stack_free(v);
	return *v = ht_latency_stack_copy(x, node);
}

void ht_latency_site_cells(const struct ht_latency_show *x, uint32_t node)
{
	struct ht_emitter *e = x->e;
	const struct ht_frame *f = ht_wait_callsite(x->a->stacks, node);
	bool text = e->format == HT_EMIT_TEXT;
	char *chain = text ? ht_latency_chain(x, node, 3) : NULL, *site = text ? ht_latency_site(x, node) : NULL;
	ht_emit_cell(e, ht_string(chain));
	ht_emit_cell(e, ht_string(site));
	ht_frame_cells(e, f);
	ht_emit_cell(e, text ? ht_omit() : ht_latency_stack(x, node));
	free(chain);
	free(site);
}

/* --- threads ------------------------------------------------------------------------------ */

struct ht_value ht_latency_name(const struct ht_latency *l, uint32_t thread)
{
	const struct ht_thread_info *info = ht_trace_thread(l->trace, thread);
	const char *name = info ? ht_trace_string(l->trace, info->name, NULL) : "";
	return ht_string(*name ? name : NULL);
}

uint32_t ht_latency_tid(const struct ht_latency *l, uint32_t thread)
{
	const struct ht_thread_info *info = ht_trace_thread(l->trace, thread);
	return info ? info->tid : 0;
}
