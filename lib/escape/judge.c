/* judge: see judge.h. */
#include "judge.h"

#include <stdlib.h>

enum { MAX_FRAMES = 4096 };

/* A frame of a stack as people see it. */
struct logical {
	uint32_t depth; /* of its physical frame, from 0 outward in */
	uint32_t frame; /* index */
};
struct view { /* of a stack, leaf first; as far outward as anybody asked */
	uint32_t node_at[HT_ACTIVATION_DEPTH + 1]; /* per depth */
	uint32_t depth;				   /* physical frames */
	uint32_t node, outer;			   /* the stack's; the first that was not looked at, at depth left - 1 */
	uint32_t left;
	struct logical frames[MAX_FRAMES];
	uint32_t count, callsite; /* index of the callsite's frame */
	bool met;		  /* callsite is known */
};

struct ht_desk {
	const struct ht_fates *f;
	struct ht_code *code;
	const struct ht_fate *fate;
	struct view birth, death;
	uint32_t pivot;	 /* physical frames that may be there, minus one */
	uint32_t common; /* of the pivot's frames (outermost first), how many are the same */
	bool by_code, same_pivot;
	bool tail;   /* the frame inside of the pivot is gone, and yet still being called */
	bool unsure; /* it may be */
};

struct ht_desk *ht_desk_new(const struct ht_fates *f, struct ht_code *code)
{
	struct ht_desk *b = ht_xcalloc(1, sizeof(*b));
	b->f = f;
	b->code = code;
	return b;
}

void ht_desk_free(struct ht_desk *b)
{
	free(b);
}

static const struct ht_frame *frame_of(const struct ht_desk *b, uint32_t index)
{
	return &b->f->stacks->frames[index];
}

static void look_at_frame(struct view *v, const struct ht_fates *f)
{
	const struct ht_stacks *s = f->stacks;
	const struct ht_location *l = &s->locations[s->location[v->outer]];
	v->node_at[--v->left] = v->outer;
	for (uint32_t i = 0; i < l->count && v->count < MAX_FRAMES; i++) {
		const struct ht_frame *frame = &s->frames[l->first + i];
		if (!v->met && !frame->allocator && !frame->hidden) {
			v->callsite = v->count;
			v->met = true;
		}
		v->frames[v->count++] = (struct logical){v->left, l->first + i};
	}
	v->outer = f->shapes.of[v->outer].parent;
}

/* Down to the frame at this depth, and to the callsite's. */
static void look(struct view *v, const struct ht_fates *f, uint32_t depth)
{
	while (v->left && (v->left > depth || !v->met))
		look_at_frame(v, f);
}

static void begin(struct view *v, const struct ht_fates *f, uint32_t node)
{
	v->node = v->outer = node;
	v->depth = v->left = f->shapes.of[node].depth;
	v->count = v->callsite = 0;
	v->met = false;
}

static bool same_function(const struct ht_frame *a, const struct ht_frame *b)
{
	return a->function && b->function && a->module_id == b->module_id && !strcmp(a->function, b->function) &&
	       !ht_text_order(a->file, b->file);
}

/* The frame that a function is inlined into calls it in the line that it has itself. */
static uint32_t common_frames(const struct ht_desk *b, uint32_t birth_node, uint32_t death_node)
{
	const struct ht_stacks *s = b->f->stacks;
	const struct ht_location *x = &s->locations[s->location[birth_node]], *y = &s->locations[s->location[death_node]];
	uint32_t n = 1;
	while (n < x->count && n < y->count) {
		const struct ht_frame *p = &s->frames[x->first + x->count - n], *q = &s->frames[y->first + y->count - n];
		if (p->line != q->line || !same_function(p - 1, q - 1))
			break;
		n++;
	}
	return n;
}

static struct ht_code_point point(const struct ht_desk *b, uint32_t node)
{
	const struct ht_stack_node *n = &b->f->stacks->nodes[node];
	return (struct ht_code_point){n->module, n->flags & HT_FRAME_SIGNAL, n->address};
}

/* --- how far in the birth's frames may still be there -------------------------------------- */

/* Functions that run once in a thread. What main and a start routine are called by calls them once. */
static bool runs_once(const struct ht_desk *b, uint32_t depth)
{
	static const char *const names[] = {"_start", "__libc_start_main", "__libc_start_main_impl", "__libc_start_call_main",
					    "start_thread", "clone", "clone3", "__clone", "__clone3", "__GI___clone3"};
	const struct ht_stacks *s = b->f->stacks;
	const struct ht_location *l = &s->locations[s->location[b->birth.node_at[depth]]];
	const char *name = s->frames[l->first + l->count - 1].function;
	if (!depth)
		return true;
	for (size_t i = 0; name && i < HT_ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* Can the frame at this depth have gone on, from where it was at the birth to where it is at the death? */
static enum ht_code_answer went_on(struct ht_desk *b, uint32_t depth)
{
	look(&b->death, b->f, depth);
	if (runs_once(b, depth) && depth < b->pivot)
		return HT_CODE_NO;
	return b->code ? ht_code_path(b->code, point(b, b->birth.node_at[depth]), point(b, b->death.node_at[depth]))
		       : HT_CODE_UNKNOWN;
}

/* The function called at the pivot may have ended in a jump to the one that frees, or to free itself: then its frame is
 * gone, and yet it is still being called. An indirect call may as well have gone to another function. */
static bool is_tail(struct ht_desk *b)
{
	uint32_t next = b->pivot + 1;
	bool free_itself = b->death.depth == next;
	if (!b->same_pivot || next >= b->birth.depth)
		return false;
	const uint32_t *function = b->f->shapes.functions, *location = b->f->stacks->location;
	if (!free_itself && function[location[b->birth.node_at[next]]] == function[location[b->death.node_at[next]]])
		return false;
	enum ht_code_answer direct = HT_CODE_UNKNOWN, leaves = HT_CODE_UNKNOWN;
	if (b->code) {
		direct = ht_code_calls(b->code, point(b, b->birth.node_at[b->pivot]), point(b, b->birth.node_at[next]));
		leaves = ht_code_tail(b->code, point(b, b->birth.node_at[next]));
	}
	b->unsure = direct != HT_CODE_NO && leaves != HT_CODE_NO;
	return b->unsure && (direct == HT_CODE_YES || free_itself);
}

static enum ht_code_answer came_again(const struct ht_desk *b, uint32_t depth)
{
	struct ht_code_point p = point(b, b->birth.node_at[depth]);
	return runs_once(b, depth) ? HT_CODE_NO : b->code ? ht_code_path(b->code, p, p) : HT_CODE_UNKNOWN;
}

/* When the same stack allocated again in between, a frame without a way back to where it was has ended, unless an inner
 * one went round. */
static void heed_again(struct ht_desk *b)
{
	for (uint32_t d = b->birth.depth; b->fate->again && d-- > 0;) {
		if (came_again(b, d) == HT_CODE_NO)
			continue;
		b->by_code = d < b->pivot;
		b->pivot = b->by_code ? d : b->pivot;
		return;
	}
}

static void find_pivot(struct ht_desk *b)
{
	b->pivot = b->fate->alive - 1u;
	heed_again(b);
	b->same_pivot = b->f->stacks->location[b->birth.node_at[b->pivot]] ==
			b->f->stacks->location[b->death.node_at[b->pivot]];
	b->tail = is_tail(b);
	if (b->tail)
		return;
	for (uint32_t d = b->pivot + 1; d-- > 0;) {
		if (went_on(b, d) == HT_CODE_NO)
			continue;
		b->by_code |= d < b->pivot;
		b->same_pivot |= d < b->pivot;
		b->pivot = d;
		return;
	}
}

/* --- verdicts ----------------------------------------------------------------------------- */

/* Destructors and the like do what the language asks, not what somebody wrote there. */
static bool is_helper(const struct ht_frame *f)
{
	static const char *const prefixes[] = {"std::", "__gnu_cxx::", "_ZNSt", "_ZSt", "_ZN9__gnu_cxx"};
	if (f->allocator || !f->function)
		return f->allocator;
	for (size_t i = 0; i < HT_ARRAY_SIZE(prefixes); i++)
		if (!strncmp(f->function, prefixes[i], strlen(prefixes[i])))
			return true;
	return strstr(f->function, "::~") != NULL;
}

/* Where the frames of the death begin that were not there at the birth: index into its frames, which are leaf first. */
static uint32_t first_common(const struct ht_desk *b, struct view *v)
{
	look(v, b->f, b->pivot);
	for (uint32_t i = 0; i < v->count; i++) {
		const struct ht_location *l = &b->f->stacks->locations[b->f->stacks->location[v->node_at[v->frames[i].depth]]];
		uint32_t outward = l->first + l->count - v->frames[i].frame; /* 1: the physical function */
		if (v->frames[i].depth < b->pivot || (v->frames[i].depth == b->pivot && outward <= b->common))
			return i;
	}
	return v->count;
}

static void describe_left(struct ht_desk *b, struct ht_verdict_of *v)
{
	uint32_t scope = first_common(b, &b->birth), inner = first_common(b, &b->death), others = 0;
	const struct ht_frame *callsite = frame_of(b, b->birth.frames[b->birth.callsite].frame);
	v->frames_up = scope < b->birth.count ? (int)(scope - b->birth.callsite) : -1;
	v->scope = scope < b->birth.count ? frame_of(b, b->birth.frames[scope].frame) : NULL;
	v->kind = HT_UPWARD;
	for (uint32_t i = 0; i < inner; i++) {
		const struct ht_frame *f = frame_of(b, b->death.frames[i].frame);
		if (same_function(f, callsite))
			v->kind = HT_REUSED;
		if (is_helper(f))
			continue;
		v->by = v->by ? v->by : f;
		others++;
	}
	v->by = v->by ? v->by : v->scope;
	if (v->kind == HT_REUSED)
		v->frames_up = -1;
	else if (others <= 1 && v->frames_up > 0)
		v->kind = HT_TO_CALLER;
	/* Of a caller it is only known to be the same if it runs once. */
	if (v->kind == HT_TO_CALLER)
		v->certain &= b->pivot == 0 || runs_once(b, b->pivot - 1);
}

/* No frame outside of the one that allocated can have called it again. */
static bool one_call(struct ht_desk *b)
{
	for (uint32_t d = 0; d < b->pivot; d++)
		if (went_on(b, d) != HT_CODE_NO)
			return false;
	return true;
}

static bool callsite_inlined(const struct ht_desk *b)
{
	return b->f->stacks->frames[b->birth.frames[b->birth.callsite].frame].inlined;
}

static struct ht_judged may_stay(struct ht_desk *b)
{
	struct ht_judged j = {.what = HT_MAY_STAY, .v = {.kind = HT_REUSED, .frames_up = -1}, .again_possible = true};
	uint32_t depth = b->birth.frames[b->birth.callsite].depth;
	struct ht_code_point from = point(b, b->birth.node_at[depth]), to;
	j.v.by = frame_of(b, b->death.frames[b->death.callsite].frame);
	if (one_call(b) && !callsite_inlined(b)) {
		j.signs |= HT_SIGN_ONE_CALL;
		j.again_possible = false;
	}
	if (!b->code || b->tail || depth >= b->death.depth) {
		j.code_asked = b->code && b->tail && ht_code_tail(b->code, from) == HT_CODE_YES;
		j.signs |= j.code_asked ? HT_SIGN_PATH : 0;
		return j;
	}
	to = point(b, b->death.node_at[depth]);
	enum ht_code_answer path = callsite_inlined(b) ? ht_code_forward(b->code, from, to) : ht_code_path(b->code, from, to);
	j.code_asked = path != HT_CODE_UNKNOWN;
	if (path == HT_CODE_YES)
		j.signs |= HT_SIGN_PATH;
	else if (path == HT_CODE_NO)
		j.what = HT_MAY_STAY_LOOP;
	/* That no other block was born on the way tells something only where every birth is in the trace. */
	if (path == HT_CODE_YES && !b->f->gaps && ht_code_around(b->code, from, to) == HT_CODE_NO) {
		j.signs |= HT_SIGN_ONLY_WAY;
		j.again_possible = false;
	}
	return j;
}

static struct ht_judged judged(enum ht_verdict_kind kind, bool certain, enum ht_unknown why)
{
	return (struct ht_judged){.what = HT_JUDGED, .v = {.kind = kind, .certain = certain, .why = why, .frames_up = -1}};
}

static struct ht_judged compare(struct ht_desk *b)
{
	uint32_t callsite_depth, outward;
	if (b->birth.node != b->fate->birth) {
		begin(&b->birth, b->f, b->fate->birth);
		look(&b->birth, b->f, 0);
	}
	begin(&b->death, b->f, b->fate->death);
	if (!b->birth.depth || !b->death.depth || !b->fate->alive || b->fate->alive > b->birth.depth ||
	    b->fate->alive > b->death.depth)
		return judged(HT_UNKNOWN, false, HT_UNKNOWN_MACHINE);
	look(&b->death, b->f, b->fate->alive - 1u);
	find_pivot(b);
	if (b->tail) {
		/* The function in between is still being called; what it had inlined is not told any more. */
		b->pivot++;
		b->common = 1;
	} else {
		look(&b->death, b->f, b->pivot);
		b->common = common_frames(b, b->birth.node_at[b->pivot], b->death.node_at[b->pivot]);
	}
	const struct logical *callsite = &b->birth.frames[b->birth.callsite];
	const struct ht_stacks *s = b->f->stacks;
	const struct ht_location *l = &s->locations[s->location[b->birth.node_at[callsite->depth]]];
	callsite_depth = callsite->depth;
	outward = l->first + l->count - callsite->frame;
	if (callsite_depth < b->pivot || (callsite_depth == b->pivot && outward <= b->common))
		return may_stay(b);
	struct ht_judged j = judged(HT_UPWARD, !b->by_code && !b->unsure, HT_UNKNOWN_NOT);
	describe_left(b, &j.v);
	return j;
}

struct ht_judged ht_judge(struct ht_desk *b, const struct ht_fate *fate)
{
	struct ht_judged j;
	switch (fate->kind) {
	case HT_FATE_KEPT:
		return judged(HT_KEPT, true, HT_UNKNOWN_NOT);
	case HT_FATE_THREAD:
		j = judged(HT_TO_THREAD, true, HT_UNKNOWN_NOT);
		j.v.starter = fate->starter;
		j.v.by = fate->death ? ht_stacks_callsite(b->f->stacks, fate->death) : NULL;
		return j;
	case HT_FATE_UNSEEN:
		return judged(HT_UNKNOWN, false, HT_UNKNOWN_UNSEEN);
	case HT_FATE_NO_STACK:
		return judged(HT_UNKNOWN, false, HT_UNKNOWN_STACK);
	case HT_FATE_ASTRAY:
		return judged(HT_UNKNOWN, false, HT_UNKNOWN_MACHINE);
	default:
		break;
	}
	b->fate = fate;
	b->by_code = b->tail = b->unsure = b->same_pivot = false;
	return compare(b);
}
