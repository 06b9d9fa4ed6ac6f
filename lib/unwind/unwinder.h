/*
 * unwinder: stacks of the running thread, by call frame information, at the price of a memory compare.
 *
 * Three layers, each exact against the one below:
 *   cfi     interprets .eh_frame (cold: about 60 ns a frame)
 *   rows    one 8-byte cache entry per pc: how to get from this frame to its caller (warm: 5 ns a frame)
 *   stack   each thread's previous stack in full, with every memory word that unwinding it read. A new capture
 *           walks from the leaf until it meets a cached state, then compares those words: if all still
 *           hold, the rest of the stack is the same, because unwinding is a function of exactly
 *           (pc, sp, live rbp, rows, those words). A memo table validated on all its inputs.
 *
 * What is given up, and said: frames without call frame information are followed by the frame
 * pointer on the thread's own stack only, and marked as guesses; a stack that cannot be followed ends with
 * a reason (enum ht_unwind_end, the same numbers as the trace's enum ht_stack_end).
 *
 * Memory safety: on the thread's own stack (bounds known) only [sp, hi) is read. On another stack (coroutine,
 * sigaltstack) words are read in the order in which unwinding needs them, CFI alone is followed, and each new page
 * is probed once.
 */
#ifndef HT_UNWINDER_H
#define HT_UNWINDER_H

#include "cfi.h"

enum ht_unwind_end {
	HT_UNWIND_COMPLETE = 0,
	HT_UNWIND_DEPTH = 1,
	HT_UNWIND_NO_ROW = 2,
	HT_UNWIND_BAD_CFA = 3,
	HT_UNWIND_UNREADABLE = 4,
	HT_UNWIND_LIMIT = 5,
	HT_UNWIND_ALTSTACK = 6,
};

#define HT_STACK_FRAMES (1u << 16) /* kept per thread; reserved address space, touched as needed */
#define HT_STACK_FRESH (1u << 14)  /* new frames per capture */
#define HT_STACK_EXTRAS (1u << 15)
#define HT_ASIDE_FRAMES (1u << 12)
#define HT_PROBED 64
#define HT_WALKED 128	    /* walks remembered per thread */
#define HT_WALKED_FRAMES 14 /* of so many frames at most */

/* The state in which a frame runs again after the call in it returns. A frame interrupted by a signal has
 * pc + 1, so that pc - 1 is inside the instruction in both cases. */
struct ht_unwind_state {
	uint64_t pc, sp, rbp;
};
struct ht_fresh {
	uint64_t pc, sp, rbp;
	uint16_t row;
	uint8_t guess;
};
struct ht_extra { /* a word besides the return addresses that unwinding read */
	uint64_t at, value;
	uint32_t frame;
};

struct ht_walked { /* from (pc, sp) outward to the frame that was cached[base]: it read value[i] at at[i] - 8, and these are its frames */
	uint64_t pc, sp;
	uint32_t base, count;
	uint64_t value[HT_WALKED_FRAMES] __attribute__((aligned(16)));
	uint64_t at[HT_WALKED_FRAMES];
};

struct ht_stack {
	/* the cached stack, outermost first: [0, depth). Invariant while valid: for 0 < i < depth,
	 * *(sp[i-1] - 8) held pc[i-1] when frame i was unwound, and every extra_at[] word its extra_value. */
	uint64_t pc[HT_STACK_FRAMES] __attribute__((aligned(16)));
	uint64_t sp[HT_STACK_FRAMES];
	uint64_t rbp[HT_STACK_FRAMES];
	uint8_t need[HT_STACK_FRAMES];	/* 1: the frames outward depend on this frame's rbp; 2: a guess */
	/* Words besides the return addresses, ordered by frame: rbp slots mostly, one a frame in code with frame pointers. */
	uint64_t extra_value[HT_STACK_EXTRAS] __attribute__((aligned(16)));
	uint64_t extra_at[HT_STACK_EXTRAS];
	uint32_t extra_frame[HT_STACK_EXTRAS];
	struct ht_walked walked[HT_WALKED] __attribute__((aligned(64))); /* stack_plain.c; valid for the unwinder's generation */
	struct ht_fresh fresh[HT_STACK_FRESH];
	struct ht_extra fresh_extras[64];
	/* results of asides, leaf first: pc, and sp for the deltas; [1] for handlers that interrupt [0] */
	uint64_t aside_pc[2][HT_ASIDE_FRAMES];
	uint64_t aside_sp[2][HT_ASIDE_FRAMES];
};

/* What a capture says. The frames are cached [kept, depth) and new, or for an aside in aside_*. */
struct ht_capture {
	uint32_t kept, depth;
	uint8_t end;	  /* enum ht_unwind_end; meaningful when kept == 0 */
	bool aside;	  /* not cached: in aside_pc[level] */
	uint8_t level;
	bool in_hook;	  /* aside: a frame lay in the hook's own text */
};

struct ht_unwinder { /* one per thread; zero is a valid beginning */
	uint32_t depth, extras;
	uint32_t generation;
	uint8_t end;	      /* of the cached stack's root */
	bool known;	      /* the cached stack lies on [lo, hi) */
	uint32_t walked_tries, walked_hits, walked_rest;
	uint64_t lo, hi;      /* the thread's own stack; 0 = unknown */
	uint64_t guesses;     /* frames found by the frame pointer, in all */
	uint64_t probed[HT_PROBED];
	struct ht_cfi_scratch scratch[3]; /* for captures; for asides of level 0 and 1 */
	struct ht_stack *stack; /* large, lazily touched */
};

/* Process-wide. rows: 2^bits zeroed entries. on_module is told of each module before the first row in it is
 * cached; it returns false if it could not pass that on (then the row is not cached either). */
struct ht_unwind_config {
	uint64_t *rows;
	unsigned row_bits;
	struct {
		uintptr_t low, high;
	} hook[2]; /* text of the hook, and of its second preload object */
	bool (*on_module)(void *ctx, const struct ht_cfi_module *m);
};
void ht_unwind_init(const struct ht_unwind_config *c);
void ht_unwind_second_object(uintptr_t low, uintptr_t high);
/* Forgets all rows: something was unloaded. Threads compare their generation. */
void ht_unwind_flush(void);
extern uint32_t ht_unwind_generation __attribute__((visibility("hidden")));

/* The stack of the caller whose state is *from, into u's cache. ctx goes to on_module. */
void ht_unwind_capture(struct ht_unwinder *u, const struct ht_unwind_state *from, void *ctx, struct ht_capture *out);
/* The same where it is easy, as nearly always: depth << 32 | kept, at least two frames kept, the new ones neither guesses
 * nor beyond 47 bits. 0: not easy, nothing has happened; ht_unwind_capture is to be called. */
uint64_t ht_unwind_capture_plain(struct ht_unwinder *u, const struct ht_unwind_state *from);
/* What is cached is not to be trusted any more: rows were dropped, or somebody was thrown out while changing it. */
void ht_unwind_forget(struct ht_unwinder *u);
/* The same without touching the cache, and never by it. Sees whether hook text is on it, in a frame below gate: further out
 * it may be that of a wrapper which the program runs in. Level 1 is for a handler that interrupts level 0 or a capture, and
 * shares nothing with them. */
void ht_unwind_aside(struct ht_unwinder *u, const struct ht_unwind_state *from, void *ctx, unsigned level, uint64_t gate,
		     struct ht_capture *out);
/* Is hook text on this stack, below gate? By cached rows alone, writing nothing: for a handler within a handler. A row
 * that is not cached counts as yes. */
bool ht_unwind_sees_hook(struct ht_unwinder *u, const struct ht_unwind_state *from, uint64_t gate);
/* Makes sure that on_module was told of the module of pc. */
void ht_unwind_learn(struct ht_unwinder *u, uint64_t pc, void *ctx);
/* Compares a capture with a full unwind by cfi alone, all registers, from the machine's present state.
 * 1 equal, 0 different, -1 could not be compared. */
int ht_unwind_check(struct ht_unwinder *u, const struct ht_unwind_state *from, const struct ht_capture *c);

#endif
