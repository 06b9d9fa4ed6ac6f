/* stacks: see stacks.h. Here: nodes to locations, equal stacks to one, and the walks along a stack. */
#include "stacks.h"

#include <stdlib.h>

#include "hash_index.h"

/* One location per (module, address, exact). */
static uint32_t intern_location(struct ht_stacks *s, struct ht_index *index, uint32_t *cap,
				const struct ht_stack_node *n)
{
	bool exact = n->flags & HT_FRAME_SIGNAL;
	uint64_t address = n->address - (exact || !n->address ? 0 : 1);
	uint32_t hash = ht_mix(address * 31 + n->module * 2 + exact), v;
	for (size_t i = ht_index_start(index, hash); (v = ht_index_at(index, &i, hash)) != HT_INDEX_NONE; i++) {
		const struct ht_location *l = &s->locations[v];
		if (l->address == address && l->module == n->module && l->exact == exact)
			return v;
	}
	if (s->location_count == *cap) {
		*cap *= 2;
		s->locations = ht_xrealloc(s->locations, *cap, sizeof(*s->locations));
	}
	v = s->location_count++;
	s->locations[v] = (struct ht_location){.module = n->module, .exact = exact, .address = address};
	ht_index_insert(index, hash, v);
	return v;
}

/* The first node with this location and these callers. Parents have their canonical nodes already. */
static uint32_t canonical(const struct ht_stacks *s, struct ht_index *index, uint32_t node, uint32_t parent)
{
	uint32_t location = s->location[node], v;
	uint32_t hash = ht_mix((uint64_t)parent << 32 | location);
	for (size_t i = ht_index_start(index, hash); (v = ht_index_at(index, &i, hash)) != HT_INDEX_NONE; i++)
		if (s->location[v] == location && s->canon[s->nodes[v].parent] == parent)
			return v;
	ht_index_insert(index, hash, node);
	return node;
}

static void number_nodes(struct ht_stacks *s)
{
	struct ht_index locations = {0}, stacks = {0};
	uint32_t cap = 256;
	s->locations = ht_xcalloc(cap, sizeof(*s->locations));
	s->location_count = 1;
	for (uint32_t i = 1; i < s->node_count; i++) {
		const struct ht_stack_node *n = &s->nodes[i];
		uint32_t parent = n->parent < i ? n->parent : 0;
		s->location[i] = intern_location(s, &locations, &cap, n);
		s->canon[i] = canonical(s, &stacks, i, s->canon[parent]);
		s->end[i] = parent ? s->end[parent] : n->end;
	}
	ht_index_release(&locations);
	ht_index_release(&stacks);
}

int ht_stacks_new(struct ht_stacks **out, const struct ht_trace *t, const struct ht_analysis_options *o,
		  struct ht_diag *d)
{
	struct ht_stacks *s = ht_xcalloc(1, sizeof(*s));
	s->trace = t;
	s->nodes = ht_trace_nodes(t);
	s->node_count = ht_trace_node_count(t);
	if (!s->node_count)
		s->node_count = 1; /* node 0 is "no stack" even where there are none */
	s->canon = ht_xcalloc(s->node_count, sizeof(*s->canon));
	s->location = ht_xcalloc(s->node_count, sizeof(*s->location));
	s->end = ht_xcalloc(s->node_count, sizeof(*s->end));
	number_nodes(s);
	int code = ht_stacks_symbolize(s, o, d);
	if (code < 0) {
		ht_stacks_free(s);
		return code;
	}
	ht_stacks_number_frames(s, o->by);
	*out = s;
	return 0;
}

void ht_stacks_free(struct ht_stacks *s)
{
	if (!s)
		return;
	if (s->symbolizer)
		ht_symbolizer_free(s->symbolizer);
	ht_stacks_forget_stored(s);
	free(s->quality.modules);
	free(s->canon);
	free(s->location);
	free(s->end);
	free(s->locations);
	free(s->frames);
	free(s->keys);
	free(s->marks);
	free(s);
}

/* --- along a stack ------------------------------------------------------------------------ */

struct ht_stack_walk ht_stack_walk(const struct ht_stacks *s, uint32_t node)
{
	return (struct ht_stack_walk){
		.stacks = s,
		.node = node < s->node_count ? node : 0,
		.nodes_left = HT_STACK_MAX_NODES,
	};
}

uint32_t ht_stack_walk_next(struct ht_stack_walk *w)
{
	if (!w->nodes_left)
		return HT_NO_NODE;
	const struct ht_stacks *s = w->stacks;
	const struct ht_location *l = &s->locations[s->location[w->node]];
	uint32_t frame = l->first + w->frame;
	if (++w->frame >= l->count) {
		uint32_t parent = w->node ? s->nodes[w->node].parent : 0;
		w->frame = 0;
		w->nodes_left = parent && parent < w->node ? w->nodes_left - 1 : 0;
		w->node = parent;
	}
	return frame;
}

/* The innermost physical frame: what a stack without any visible frame shows. */
static uint32_t innermost_physical(const struct ht_stacks *s, uint32_t node)
{
	const struct ht_location *l = &s->locations[s->location[node < s->node_count ? node : 0]];
	return l->first + l->count - 1;
}

static bool is_callsite(const struct ht_stacks *s, uint32_t frame)
{
	return !s->frames[frame].allocator && !s->frames[frame].hidden;
}

uint32_t ht_stacks_callsite_index(const struct ht_stacks *s, uint32_t node)
{
	struct ht_stack_walk w = ht_stack_walk(s, node);
	uint32_t frame;
	while ((frame = ht_stack_walk_next(&w)) != HT_NO_NODE)
		if (is_callsite(s, frame))
			return frame;
	return innermost_physical(s, node);
}

size_t ht_stacks_visible(const struct ht_stacks *s, uint32_t node, uint32_t *out, size_t max)
{
	struct ht_stack_walk w = ht_stack_walk(s, node);
	size_t n = 0;
	uint32_t frame;
	while ((frame = ht_stack_walk_next(&w)) != HT_NO_NODE) {
		if (n ? s->frames[frame].hidden : !is_callsite(s, frame))
			continue;
		if (n < max)
			out[n] = frame;
		n++;
	}
	if (!n && max)
		out[0] = innermost_physical(s, node);
	n = n ? n : 1;
	return n < max ? n : max;
}

bool ht_stacks_shown(const struct ht_stacks *s, uint32_t node)
{
	if (!s->has_focus && !s->has_ignore && !s->has_module)
		return true;
	if (s->has_module && !(s->marks[ht_stacks_callsite_index(s, node)] & HT_MARK_MODULE))
		return false;
	struct ht_stack_walk w = ht_stack_walk(s, node);
	unsigned marks = 0;
	uint32_t frame;
	while ((frame = ht_stack_walk_next(&w)) != HT_NO_NODE)
		marks |= s->marks[frame];
	return !(marks & HT_MARK_IGNORE) && (!s->has_focus || marks & HT_MARK_FOCUS);
}

/* --- what commands see -------------------------------------------------------------------- */

const struct ht_frame *ht_stacks_frames(const struct ht_stacks *s, uint32_t node, size_t *count)
{
	const struct ht_location *l = &s->locations[s->location[node < s->node_count ? node : 0]];
	*count = l->count;
	return &s->frames[l->first];
}

size_t ht_stacks_expand(const struct ht_stacks *s, uint32_t node, bool from_callsite,
			const struct ht_frame **out, size_t max)
{
	struct ht_stack_walk w = ht_stack_walk(s, node);
	size_t n = 0;
	uint32_t frame;
	while ((frame = ht_stack_walk_next(&w)) != HT_NO_NODE) {
		if (s->frames[frame].hidden || (from_callsite && !n && !is_callsite(s, frame)))
			continue;
		if (n < max)
			out[n] = &s->frames[frame];
		n++;
	}
	if (!n && max)
		out[0] = &s->frames[innermost_physical(s, node)];
	return n ? n : 1;
}

const struct ht_frame *ht_stacks_callsite(const struct ht_stacks *s, uint32_t node)
{
	return &s->frames[ht_stacks_callsite_index(s, node)];
}

enum ht_stack_end ht_stacks_end(const struct ht_stacks *s, uint32_t node)
{
	return node < s->node_count ? (enum ht_stack_end)s->end[node] : HT_END_COMPLETE;
}

const struct ht_symbol_quality *ht_stacks_quality(const struct ht_stacks *s)
{
	return &s->quality;
}

int ht_frame_order(const struct ht_frame *a, const struct ht_frame *b)
{
	int order = ht_text_order(a->function, b->function);
	order = order ? order : ht_text_order(a->file, b->file);
	if (order)
		return order;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	order = ht_text_order(a->module, b->module);
	return order ? order : (a->address > b->address) - (a->address < b->address);
}
