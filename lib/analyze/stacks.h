/*
 * stacks: the trace's stack nodes as people's frames. Private to lib/analyze; what commands see of it
 * stands in analyze.h.
 *
 *	node ──▶ location ──▶ frames[first .. first + count)		innermost first
 *
 * A location is one address of one module, symbolized once; a node is a location and a caller. Nodes
 * that differ in their CFA alone are the same stack: `canon` names the first of them.
 *
 * A frame's key is a dense number for what the grouping (enum ht_by) sees of it: two frames belong to
 * one row exactly if their keys are equal.
 */
#ifndef HT_STACKS_H
#define HT_STACKS_H

#include <string.h>

#include "analyze.h"

/* Deeper stacks than any recorder writes are cut, so that a hostile trace costs no quadratic time. */
#define HT_STACK_MAX_NODES 8192
#define HT_STACK_MAX_FRAMES 65536

struct ht_location {
	uint32_t module; /* id + 1, 0 = none */
	bool exact;	 /* an interrupted address, not a return address */
	uint64_t address; /* to be symbolized: call address */
	uint32_t first, count; /* frames */
};

enum ht_frame_mark { HT_MARK_FOCUS = 1, HT_MARK_IGNORE = 2, HT_MARK_MODULE = 4 };

struct ht_stacks {
	const struct ht_trace *trace;
	const struct ht_stack_node *nodes;
	uint32_t node_count;
	uint32_t *canon;    /* per node */
	uint32_t *location; /* per node */
	uint8_t *end;	    /* per node: enum ht_stack_end of its root */
	struct ht_location *locations; /* [0]: no stack */
	uint32_t location_count;
	struct ht_frame *frames;
	uint32_t *keys; /* per frame */
	uint8_t *marks; /* per frame: enum ht_frame_mark */
	uint32_t frame_count, key_count;
	bool has_focus, has_ignore, has_module;
	struct ht_symbolizer *symbolizer; /* owns the frames' strings, with the next */
	struct ht_stored_symbols **stored; /* per module: those that stand in the trace, NULL = none; NULL before symbols */
	struct ht_symbol_quality quality;
};

/* 0 or HT_ERR_USAGE: a bad regular expression. */
int ht_stacks_new(struct ht_stacks **s, const struct ht_trace *t, const struct ht_analysis_options *o,
		  struct ht_diag *d);
void ht_stacks_free(struct ht_stacks *s);

/* symbols.c: fills in frames, marks, quality, and keys. */
int ht_stacks_symbolize(struct ht_stacks *s, const struct ht_analysis_options *o, struct ht_diag *d);
/* Resolves all locations but those that s->stored suffices for; into s->symbolizer. */
void ht_stacks_ask(struct ht_stacks *s, const struct ht_analysis_options *o);
void ht_stacks_forget_stored(struct ht_stacks *s);
/* frame_keys.c */
void ht_stacks_number_frames(struct ht_stacks *s, enum ht_by by);

/* The frames of a stack one by one, leaf first, hidden ones included. */
struct ht_stack_walk {
	const struct ht_stacks *stacks;
	uint32_t node;
	uint32_t frame; /* next one within the node's location */
	uint32_t nodes_left;
};
struct ht_stack_walk ht_stack_walk(const struct ht_stacks *s, uint32_t node);
/* Index of the next frame, HT_NO_NODE after the last. */
uint32_t ht_stack_walk_next(struct ht_stack_walk *w);

/* Index of the callsite's frame. */
uint32_t ht_stacks_callsite_index(const struct ht_stacks *s, uint32_t node);
/* Does the stack pass focus, ignore and module? */
bool ht_stacks_shown(const struct ht_stacks *s, uint32_t node);
/* The stack's visible frames from the callsite on, as indices; at most max; returns how many. */
size_t ht_stacks_visible(const struct ht_stacks *s, uint32_t node, uint32_t *out, size_t max);

/* allocator_names.c: an expression for the names of the whole family, those of options.allocators as they were met. */
void ht_allocator_pattern(struct ht_buf *out, const struct ht_stacks *s);

/* strcmp with unknown (NULL) after everything known. */
static inline int ht_text_order(const char *a, const char *b)
{
	if (!a || !b)
		return (a == NULL) - (b == NULL);
	return strcmp(a, b);
}
/* By function, file, line, module, address. */
int ht_frame_order(const struct ht_frame *a, const struct ht_frame *b);

#endif
