/*
 * activations: which activations of functions surely ended, seen from the stacks of a thread's events alone.
 *
 *	depth     0        1        2        3
 *	node     _start ─▶ main ──▶ parse ─▶ str_dup		the stack at the thread's last event
 *	born      17       17       901      944		the event at which this activation was first seen
 *
 * The next event's stack is compared with it, outermost first. Frames inner to the first that differs surely ended;
 * that one, too, if its function or its frame's address differ; else it may be the same activation or its
 * successor: it keeps its number. So for a block born at event e, the frame at depth d of its birth surely
 * ended before now if born[d] > e, or if the stack is no deeper than d. That is one way only: nothing here ever
 * says that an activation goes on.
 *
 * born never decreases inward, so one number says all: how many of the birth's outer frames may still be there.
 *
 * A stack on another machine stack (a coroutine's, a signal's) can be compared with none before it, except
 * that a thread's first stack has one outermost frame, and there it can go on where it was. Stacks that the recorder
 * cut, or guessed, are taken for such others.
 */
#ifndef HT_ACTIVATIONS_H
#define HT_ACTIVATIONS_H

#include "stacks.h"

/* Deeper stacks are taken for others. */
#define HT_ACTIVATION_DEPTH 1024

/* What comparing needs of a node, in 16 bytes. */
struct ht_shape {
	uint32_t parent;
	uint32_t function; /* physical one; 0 unknown: may be any */
	uint32_t cfa_delta;
	uint16_t depth;	   /* of the stack that ends here; 0: it cannot be compared */
	uint16_t root;	   /* number of its outermost frame, the same for equal ones; 65535: many */
};

struct ht_shapes {
	const struct ht_stacks *stacks;
	struct ht_shape *of; /* per node */
	uint32_t *functions; /* per location: the physical function's number */
};
void ht_shapes_init(struct ht_shapes *s, const struct ht_stacks *stacks);
void ht_shapes_release(struct ht_shapes *s);

struct ht_machine {
	uint32_t *node;
	uint64_t *born;
	uint32_t depth, cap;
};

struct ht_activity {
	uint64_t events;   /* of the thread, so far: the number of the last one */
	bool begun;
	uint16_t root;	   /* of the first machine stack */
	uint32_t machine;  /* 0: the first machine stack; others are never met again */
	uint32_t machines; /* numbers given out */
	struct ht_machine first, other;
};

/* Where and when a block was born. */
struct ht_moment {
	uint64_t event;
	uint32_t machine;
};

/* One event of the thread, in program order; node 0 (no stack) tells nothing. */
void ht_activity_event(struct ht_activity *a, const struct ht_shapes *s, uint32_t node, bool new_machine);
static inline struct ht_moment ht_activity_now(const struct ht_activity *a)
{
	return (struct ht_moment){a->events, a->machine};
}
/* Of the `depth` outermost frames of a stack at that moment: how many may still be there. -1: it cannot be known. */
int ht_activity_alive(const struct ht_activity *a, const struct ht_moment *m, uint32_t depth);
void ht_activity_release(struct ht_activity *a);

#endif
