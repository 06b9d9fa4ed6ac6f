/* dump_stacks: see dump_stacks.h. */
#include "dump_stacks.h"

#include "text.h"

static const char *const ends[] = {
    [HT_END_COMPLETE] = NULL,
    [HT_END_DEPTH] = "stack depth",
    [HT_END_NO_ROW] = "no unwind information",
    [HT_END_BAD_CFA] = "frame outside the stack",
    [HT_END_UNREADABLE] = "unreadable stack",
    [HT_END_LIMIT] = "limit of frames",
    [HT_END_ALTSTACK] = "unknown stack",
};

static void end_line(struct ht_buf *out, unsigned end)
{
	if (end < HT_ARRAY_SIZE(ends) && ends[end])
		ht_buf_printf(out, "\t... truncated: %s\n", ends[end]);
}

static void raw_stack(struct ht_buf *out, const struct ht_trace *t, uint32_t node)
{
	const struct ht_stack_node *nodes = ht_trace_nodes(t);
	uint32_t count = ht_trace_node_count(t), last = 0;
	/* Parents have smaller ids: this ends. */
	for (; node && node < count; node = nodes[node].parent) {
		const struct ht_stack_node *n = &nodes[node];
		const struct ht_module *m = n->module ? ht_trace_module(t, n->module - 1) : NULL;
		ht_buf_printf(out, "\tat ");
		if (m) {
			ht_text_clean(out, ht_trace_string(t, m->path, NULL));
			ht_buf_byte(out, '+');
		}
		ht_buf_printf(out, "0x%llx%s%s\n", (unsigned long long)n->address,
			      n->flags & HT_FRAME_SIGNAL ? " (signal)" : "",
			      n->flags & HT_FRAME_GUESS ? " (guess)" : "");
		last = node;
		if (n->parent >= node)
			break;
	}
	if (last)
		end_line(out, nodes[last].end);
}

static void named_stack(struct ht_buf *out, const struct ht_stacks *names, uint32_t node)
{
	const struct ht_frame *frames[512];
	size_t n = ht_stacks_expand(names, node, false, frames, HT_ARRAY_SIZE(frames));
	for (size_t i = 0; i < n && i < HT_ARRAY_SIZE(frames); i++) {
		const struct ht_frame *f = frames[i];
		ht_buf_printf(out, "\tat ");
		if (f->function) {
			ht_text_clean(out, f->function);
		} else {
			ht_text_clean(out, f->module);
			ht_buf_printf(out, "+0x%llx", (unsigned long long)f->address);
		}
		if (f->file) {
			ht_buf_printf(out, " (");
			ht_text_clean(out, f->file);
			ht_buf_printf(out, ":%u)", f->line);
		}
		ht_buf_printf(out, "%s\n", f->inlined ? " (inlined)" : "");
	}
	end_line(out, ht_stacks_end(names, node));
}

void ht_dump_stack(struct ht_buf *out, const struct ht_trace *t, const struct ht_stacks *names,
		   uint32_t node)
{
	if (names)
		named_stack(out, names, node);
	else
		raw_stack(out, t, node);
}
