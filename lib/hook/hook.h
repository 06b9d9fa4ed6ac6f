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

#include "call_list.h"
#include "ring_writer.h"
#include "sampler.h"
#include "sync_list.h"
#include "unwinder.h"

/* All of it is this object's own: no reference goes through the GOT. */
#pragma GCC visibility push(hidden)

/* CLOCKED: calls of the allocator are timed; whether blocks are noted, and by sample or all, stands in the options.
 * APART: blocks are not, other events are. */
enum ht_state { HT_READY = 0, HT_SAMPLING = 1, HT_CLOCKED = 2, HT_APART = 3, HT_START = 4, HT_OFF = 5 };
extern uint32_t ht_state; /* tested first by every hook; PC-relative */
HT_INLINE bool ht_recording(void)
{
	return ht_state <= HT_APART;
}
/* Tested first by the hooks of calls that may block (calls.h). START: the real functions may not be known yet. */
enum ht_timed { HT_TIMED_OFF = 0, HT_TIMED_ON = 1, HT_TIMED_START = 2 };
extern uint32_t ht_timed;

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
	uint64_t stamp;		/* the last one that is in the first ring; 0 = none */
	uint64_t entered;	/* the tick in which it said last that it notes something: note.c */
	uint64_t alone;		/* what ht_alone is while no other thread does */
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
	uint64_t *counted_in;	/* where this thread counts as a waiter (sync.h), by a hook whose caller's sp is counted_sp */
	uint64_t counted_sp;
	const void *let_go;	/* the lock that this thread last noted to let go of, when, and who waited for it then */
	uint64_t let_go_ticks, let_go_place;
	struct ht_once *once;	/* the pthread_once whose routine may be run next */
};
extern __thread struct ht_self ht_self __attribute__((tls_model("initial-exec")));

struct ht_process {
	struct ht_segment *seg;
	uint32_t options;
	uint32_t stack_depth;
	uint64_t main_lo, main_hi;
	uint32_t default_stack_kib;
	bool new_hooked;	/* the second preload object has called */
	bool filtered;		/* a seccomp filter may be there: no system call that can be left out */
	uint64_t call_ticks, stall_ticks; /* the segment's */
	int (*clock_gettime)(int, void *);
	char exe[1024]; /* the loader names the executable ""; read before the program can exec or move */
};
extern struct ht_process ht_process;

/* lookup.c: the address of a name, in the loader's order; after_us: as RTLD_NEXT. NULL = nobody has it. */
void *ht_symbol(const char *name, bool after_us);
/* As RTLD_NEXT, many at once, each to its place behind base; a place whose name nobody has stays as it is. `found`
 * begins as zeros, and is then for each name which module has it, 0 = none. */
struct ht_name {
	const char *name;
	size_t place;
};
void ht_symbols_behind(const struct ht_name *names, size_t count, void *base, uint8_t *found);
/* As RTLD_NEXT, but an old version of the name, which new programs do not get. */
void *ht_symbol_old(const char *name);

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
	long (*syscall)(long, long, long, long, long, long, long);
	int (*fork)(void);
	void (*pthread_exit)(void *);
	int (*dlclose)(void *);
#define HT_REAL_CALL(result, name, params) result(*name) params;
	HT_CALLS(HT_REAL_CALL)
	HT_SYNC_CALLS(HT_REAL_CALL)
#undef HT_REAL_CALL
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

/* note.c: the clock of stamps. */
uint64_t ht_clock_slow(void);
HT_INLINE uint64_t ht_clock_now(void)
{
	return HT_UNLIKELY(ht_process.options & HT_OPT_NO_TSC) ? ht_clock_slow() : ht_clock_ticks();
}

/* note.c: writing events. The gate is held by the caller of these. */
struct ht_note {
	unsigned op, flags;	/* flags: HT_REC_STACK, HT_REC_STAMP, HT_REC_EXTRA as wanted */
	uint64_t address, size, extra, extra2;
	uint64_t ticks;		/* with STAMP: when it was, not before the last note of this thread; 0 = now */
};
void ht_note(struct ht_thread *t, const struct ht_note *n, const struct ht_unwind_state *from);
/* The three that nearly all events are. */
void ht_note_birth(struct ht_thread *t, unsigned op, uint64_t address, uint64_t size,
		   const struct ht_unwind_state *from);
void ht_note_death(struct ht_thread *t, unsigned op, uint64_t address, bool stamp, const struct ht_unwind_state *from);
void ht_note_plain_death(struct ht_thread *t, unsigned op, uint64_t address, bool stamp);
extern uint64_t ht_alone;
/* Does a death take a stamp of its own? */
HT_INLINE bool ht_stamps_death(const struct ht_thread *t, uint32_t options)
{
	return HT_LOAD_RELAXED(&ht_alone) != t->alone || options & HT_OPT_STAMP_EACH;
}
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

/* thread.c: the program is about to restrict its system calls, by what prctl calls it. */
void ht_seccomp_ahead(long option, unsigned long value, const struct ht_unwind_state *from);

/* context.c: a slot and a context for this thread. */
struct ht_thread *ht_claim(bool forked);
bool ht_claim_handler(struct ht_thread *t);

#pragma GCC visibility pop
#endif
