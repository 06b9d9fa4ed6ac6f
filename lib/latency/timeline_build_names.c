/*
 * timeline_build_names: texts, frames and stacks of a timeline, each kept once. Whatever a trace says becomes valid
 * UTF-8 without control characters here, so that no exporter has to look.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timeline_build_work.h"
#include "utf8.h"

/* --- texts -------------------------------------------------------------------------------- */

static const char *find_text(const struct ht_timeline_work *w, const char *s, uint32_t hash)
{
	uint32_t v;
	for (size_t i = ht_index_start(&w->text_index, hash);
	     (v = ht_index_at(&w->text_index, &i, hash)) != HT_INDEX_NONE; i++)
		if (!strcmp(w->texts.items[v], s))
			return w->texts.items[v];
	return NULL;
}

/* Those that are kept are clean: a text that is found among them is. */
const char *ht_timeline_text(struct ht_timeline_work *w, const char *s)
{
	if (!s || !*s)
		return "";
	uint32_t hash = ht_mix(ht_hash_text(HT_HASH_START, s));
	const char *known = find_text(w, s, hash);
	if (known)
		return known;
	struct ht_buf clean = {0};
	bool changed = ht_utf8_clean(&clean, s, strlen(s));
	ht_buf_byte(&clean, '\0');
	if (changed) {
		hash = ht_mix(ht_hash_text(HT_HASH_START, (const char *)clean.data));
		known = find_text(w, (const char *)clean.data, hash);
		if (known) {
			ht_buf_release(&clean);
			return known;
		}
	}
	ht_index_insert(&w->text_index, hash, (uint32_t)w->texts.count);
	return *HT_TIMELINE_ADD(w->texts) = (char *)clean.data;
}

const char *ht_timeline_textf(struct ht_timeline_work *w, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return ht_timeline_text(w, text);
}

/* --- stacks ------------------------------------------------------------------------------- */

static uint32_t add_frame(struct ht_timeline_work *w, const struct ht_frame *f)
{
	uint32_t *known = &w->frame_of[f - w->a->stacks->frames];
	if (*known)
		return *known - 1;
	*HT_TIMELINE_ADD(w->frames) = (struct ht_timeline_frame){
		.function = ht_timeline_text(w, f->function),
		.file = ht_timeline_text(w, f->file),
		.line = f->line,
		.module = ht_timeline_text(w, f->module),
	};
	*known = (uint32_t)w->frames.count;
	return *known - 1;
}

uint32_t ht_timeline_stack(struct ht_timeline_work *w, uint32_t node)
{
	const struct ht_stacks *s = w->a->stacks;
	const struct ht_frame *frames[HT_TIMELINE_DEPTH];
	if (!node || node >= s->node_count)
		return 0;
	if (!w->stack_of) {
		w->stack_of = ht_xcalloc(s->node_count, sizeof(*w->stack_of));
		w->frame_of = ht_xcalloc(s->frame_count, sizeof(*w->frame_of));
	}
	uint32_t *known = &w->stack_of[s->canon[node]];
	if (*known)
		return *known;
	size_t depth = ht_stacks_expand(s, node, true, frames, HT_TIMELINE_DEPTH);
	depth = depth < HT_TIMELINE_DEPTH ? depth : HT_TIMELINE_DEPTH;
	uint32_t *indices = ht_xcalloc(depth, sizeof(*indices));
	for (size_t i = 0; i < depth; i++)
		indices[i] = add_frame(w, frames[i]);
	*HT_TIMELINE_ADD(w->stacks) = (struct ht_timeline_stack){indices, depth};
	return *known = (uint32_t)w->stacks.count;
}

/* --- waits -------------------------------------------------------------------------------- */

const char *ht_timeline_wait_text(struct ht_timeline_work *w, const struct ht_wait *x)
{
	const char *kind = x->kind < HT_WAIT_KINDS ? ht_wait_kind_names[x->kind] : "";
	const char *call = x->call < HT_CALL_COUNT ? ht_wait_call_names[x->call] : "";
	switch (x->kind) {
	case HT_WAIT_SLEEP:
		return "sleep";
	case HT_WAIT_NONE:
		return "";
	case HT_WAIT_POLL:
	case HT_WAIT_NET:
	case HT_WAIT_PIPE:
	case HT_WAIT_DISK:
	case HT_WAIT_OTHER:
		if (*call && strcmp(call, kind) != 0)
			return ht_timeline_textf(w, "%s %s", call, kind);
		return ht_timeline_text(w, kind);
	default:
		if (x->object)
			return ht_timeline_textf(w, "%s 0x%llx", kind, (unsigned long long)x->object);
		return ht_timeline_text(w, kind);
	}
}

void ht_timeline_names_release(struct ht_timeline_work *w)
{
	for (size_t i = 0; i < w->texts.count; i++)
		free(w->texts.items[i]);
	for (size_t i = 0; i < w->stacks.count; i++)
		free((void *)(uintptr_t)w->stacks.items[i].frames);
	free(w->texts.items);
	free(w->stacks.items);
	free(w->frames.items);
	free(w->stack_of);
	free(w->frame_of);
	ht_index_release(&w->text_index);
}
