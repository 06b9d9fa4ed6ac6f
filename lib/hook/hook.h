/*
 * hook: what runs inside the target, private to this folder.
 *
 * Each exported function tests one word, forwards to the next allocator, and notes what happened
 * in the thread's ring. The law is HAZARDS.md's short list, kept here as rules of this folder:
 *   - forward the whole family to one RTLD_NEXT; never change a size, an alignment, a pointer, errno
 *   - note a death before the real free, a birth after the real malloc
 *   - on any fault of ours: turn off, count, forward; never abort, print, lock or allocate
 *
 * Gate: a thread's `gate` is OPEN between events. While an event is being noted it holds the address just above
 * the outermost hook frame. Wiped memory (the child of a fork) reads 0. So one compare finds: first
 * event, forked child, and a signal handler inside the hook. A gate that is not OPEN is a suspicion only:
 * an exception or a jump may have left it behind. cold.c decides, by walking the stack.
 */
#ifndef HT_HOOK_H
#define HT_HOOK_H

#include "ring_writer.h"
#include "sampler.h"
#include "unwinder.h"

/* All of it is this object's own: no reference goes through the GOT. */
#pragma GCC visibility push(hidden)

enum ht_state { HT_READY = 0, HT_SAMPLING = 1, HT_START = 2, HT_OFF = 3 };
extern uint32_t ht_state; /* tested first by every hook; PC-relative */
HT_INLINE bool ht_recording(void)
{
	return ht_state <= HT_SAMPLING;
}

#define HT_GATE_OPEN 1
#define HT_TICK_NEVER (1ull << 32) /* no tick of the segment equals it */
#define HT_TOLD 64
/* In ht_process.options alone: how deep heaptide_pause nests; births are not noted unless it is 0. One word with what tests it,
 * so that no thread sees a pause of its own as not yet begun. */
#define HT_OPT_PAUSED (0x3ffu << 20)
#define HT_OPT_PAUSE (1u << 20)
#define HT_OPT_SAMPLED (1u << 30) /* there alone, too: births and deaths come from the sample */
#define HT_THREAD_MAGIC 0x6864616572687468ull

struct ht_thread {
	uint64_t gate;
	uint64_t magic;		/* 0 after a fork wiped it */
	struct ht_ring_writer w, handler; /* the second for signal handlers that interrupt a note */
	struct ht_unwinder u;
	uint64_t tick;		/* as of the last stamp; HT_TICK_NEVER = whoever is next stamps */
	uint32_t plain_depth;	/* deeper stacks are not written the short way; 0 while the mirror is cut */
	uint32_t generation[2];	/* last one written, to each ring */
	uint32_t mirror_base;	/* frames below this index are not known to the collector */
	uint32_t losses;	/* notes that found no room; tells realloc whether there is something to take back */
	uint64_t births;
	uint64_t last_birth;	/* address; tells operator new whether malloc has noted its block */
	bool nested;		/* noting an event that interrupted another; of no meaning while the gate is open */
	uint64_t nested_sp;	/* like the gate, of that event */
	uint64_t told[HT_TOLD]; /* hashes of strings that the collector knows from this thread */
};
struct ht_context {
	struct ht_thread thread;
	struct ht_stack stack;
};

struct ht_self { /* all the thread-local storage there is */
	struct ht_sampler sampler;
	struct ht_thread *thread;
	uint64_t serial;	/* of the slot; survives a fork, unlike *thread */
	uint64_t fork_token;	/* of the last FORK record this thread wrote */
	uint64_t start_routine;
	const void *deleting;	/* operator delete has noted this death: the free inside it is the same */
	uint32_t claiming;	/* guards the claim itself */
	uint32_t stack_kib;	/* size of this thread's stack, 0 = not known */
	uint32_t waited_ms;	/* for a slot, so far */
};
extern __thread struct ht_self ht_self __attribute__((tls_model("initial-exec")));

struct ht_process {
	struct ht_segment *seg;
	uint32_t options;
	uint32_t stack_depth;
	uint64_t main_lo, main_hi;
	uint32_t default_stack_kib;
	bool new_hooked;	/* the second preload object has called */
	int (*clock_gettime)(int, void *);
	char exe[1024]; /* the loader names the executable ""; read before the program can exec or move */
};
extern struct ht_process ht_process;

/* lookup.c: the address of a name, in the loader's order; after_us: as RTLD_NEXT. NULL = nobody has it. */
void *ht_symbol(const char *name, bool after_us);

/* real.c: the functions behind ours. Resolved before use; never NULL once ht_real_ready. */
struct ht_real {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void (*free)(void *);
	void *(*memalign)(size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
	void (*free_sized)(void *, size_t);
	void (*free_aligned_sized)(void *, size_t, size_t);
	void *(*mmap)(void *, size_t, int, int, int, long);
	int (*munmap)(void *, size_t);
	void *(*mremap)(void *, size_t, size_t, int, void *);
	int (*brk)(void *);
	void *(*sbrk)(intptr_t);
	int (*pthread_create)(void *, const void *, void *(*)(void *), void *);
	int (*pthread_setname_np)(uintptr_t, const char *);
	int (*pthread_attr_getstacksize)(const void *, size_t *);
	int (*prctl)(int, unsigned long, unsigned long, unsigned long, unsigned long);
	int (*fork)(void);
	void (*pthread_exit)(void *);
	int (*dlclose)(void *);
};
extern struct ht_real ht_real;
extern bool ht_real_ready;
bool ht_real_resolve(void); /* false: called from inside itself */

/* early.c: before the constructor has attached. */
void *ht_arena_alloc(size_t align, size_t n);
extern uint8_t ht_arena[64 << 10];
HT_INLINE bool ht_arena_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)ht_arena < sizeof(ht_arena);
}
size_t ht_arena_size(const void *p);
void ht_early_note(unsigned op, const void *p, size_t size, uint64_t extra, uint64_t pc);
void ht_early_flush(struct ht_thread *t);

/* The state of a hook's caller, from the hook's own frame. Only in exported functions themselves. */
#define HT_CALLER_STATE()                                                                \
	({                                                                               \
		const uint64_t *frame_ = __builtin_frame_address(0);                     \
		(struct ht_unwind_state){frame_[1], (uint64_t)(frame_ + 2), frame_[0]}; \
	})

/* note.c: writing events. The gate is held by the caller of these. */
struct ht_note {
	unsigned op, flags;	/* flags: HT_REC_STACK, HT_REC_STAMP, HT_REC_EXTRA as wanted */
	uint64_t address, size, extra, extra2;
};
void ht_note(struct ht_thread *t, const struct ht_note *n, const struct ht_unwind_state *from);
/* The three that nearly all events are. */
void ht_note_birth(struct ht_thread *t, unsigned op, uint64_t address, uint64_t size,
		   const struct ht_unwind_state *from);
void ht_note_death(struct ht_thread *t, unsigned op, uint64_t address, bool stamp, const struct ht_unwind_state *from);
void ht_note_plain_death(struct ht_thread *t, unsigned op, uint64_t address, bool stamp);
/* The same with a stack that was captured already. */
void ht_note_captured(struct ht_thread *t, const struct ht_note *n, const struct ht_capture *c);
bool ht_note_module(void *thread, const struct ht_cfi_module *m);
void ht_note_name(struct ht_thread *t, const char *name);

/* cold.c: a thread for an event whose fast test failed: NULL when the event is lost or inner (counted). On
 * success the gate is held (t->nested tells which way), to be given back by ht_leave. */
struct ht_thread *ht_enter_cold(const struct ht_unwind_state *from, struct ht_capture *aside);
void ht_turn_off(enum ht_off_reason reason);

HT_INLINE void ht_hold(struct ht_thread *t, const struct ht_unwind_state *from)
{
	t->nested = false;
	t->gate = from->sp;
	HT_COMPILER_BARRIER();
}
HT_INLINE struct ht_thread *ht_enter(const struct ht_unwind_state *from)
{
	struct ht_thread *t = ht_self.thread;
	if (HT_UNLIKELY(!t || t->gate != HT_GATE_OPEN))
		return NULL;
	ht_hold(t, from);
	return t;
}
HT_INLINE void ht_leave(struct ht_thread *t)
{
	HT_COMPILER_BARRIER();
	t->gate = HT_GATE_OPEN;
}
/* Notes an event by the fast way, else the cold one. */
HT_INLINE void ht_event(const struct ht_note *n, const struct ht_unwind_state *from)
{
	struct ht_thread *t = ht_enter(from);
	if (HT_LIKELY(t != NULL)) {
		ht_note(t, n, from);
		ht_leave(t);
	} else {
		extern void ht_event_cold(const struct ht_note *n, const struct ht_unwind_state *from);
		ht_event_cold(n, from);
	}
}
void ht_event_cold(const struct ht_note *n, const struct ht_unwind_state *from);

/* context.c: a slot and a context for this thread. */
struct ht_thread *ht_claim(bool forked);
bool ht_claim_handler(struct ht_thread *t);

#pragma GCC visibility pop
#endif
