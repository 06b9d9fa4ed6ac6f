/*
 * ring: the shared segment between one target image (and the children it forks) and the collector.
 *
 *   memfd, made, grown and allocated by the collector; the target maps map_bytes of it once and closes the fd
 *   ┌────────────────┬──────────────────────────────┬──────────┬──────────┬─────────────┬ ─ ─ ─
 *   │ ht_segment     │ slots[slot_count]            │ ring     │ ring     │ bigger ring │ not yet allocated
 *   └────────────────┴──────────────────────────────┴──────────┴──────────┴─────────────┴ ─ ─ ─
 *
 * A slot is one thread's end of the conversation. Its life:
 *   FREE ──collector gives it a ring──▶ SPARE ──thread, one compare-and-swap──▶ CLAIMED
 *     ▲                                                                           │
 *     └── collector: the thread is gone and its ring is drained ◀─────────────────┘
 * Nobody but the collector ever takes a slot back, so that a thread's last frees, after every
 * destructor, still have a ring.
 *
 * Positions head and tail count bytes since the slot was claimed and never wrap in practice; the place
 * in the ring is position & (size - 1). Invariant: tail <= head <= tail + size. head is stored with
 * release by the thread after the record is complete, and loaded with acquire by the collector; tail
 * the other way round. Each side treats the other's word as a claim to be checked.
 *
 * A record is a multiple of 8 bytes and never crosses the ring's end (a PAD fills the rest). head moves when
 * it is complete: a record whose writer was thrown out by an exception, a jump or a kill is not there.
 *
 * A signal handler that interrupts its thread's writer has a slot of its own, whose handler_of names the thread's
 * slot: its events are of the same thread, in an order that time and causality tell.
 *
 * A slot grows by moving to another ring: the collector puts it into `offer`, the thread writes a LINK record as the
 * last one of the old ring and goes on in the new one. Positions continue. A bigger ring is taken when the old one is half full,
 * one of the same size when it is full: so a thread that the collector cannot follow leaves a chain of rings behind.
 */
#ifndef HT_RING_H
#define HT_RING_H

#include "rt.h"

#define HT_SEG_MAGIC 0x3130474553544868ull /* "hHTSEG01" */
#define HT_RING_MIN (64u << 10)
#define HT_RING_MAX (4u << 20)
#define HT_RECORD_MAX (16u << 10) /* bytes; a quarter of the smallest ring */
#define HT_DEPTH_MAX 1000u	  /* frames in one record, at two words each */

enum ht_slot_state { HT_SLOT_FREE = 0, HT_SLOT_SPARE = 1, HT_SLOT_CLAIMED = 2 };
enum ht_control { HT_CONTROL_RUN = 1, HT_CONTROL_STOP = 2 };
#define HT_TICK_STALE 0u /* the collector sleeps: the tick does not tell the time */

/* Indices of slot->lost; the same order as enum ht_lost_reason of the trace. */
enum ht_ring_lost {
	HT_RING_LOST_FULL = 0,
	HT_RING_LOST_NO_RING,
	HT_RING_LOST_NO_CONTEXT,
	HT_RING_LOST_NESTED,
	HT_RING_LOST_EARLY,
	HT_RING_LOST_ABANDONED,
	HT_RING_LOST_COUNT,
};

/* Settings bits. */
enum ht_seg_option {
	HT_OPT_FREE_STACKS = 1 << 0,
	HT_OPT_STAMP_EACH = 1 << 1,   /* frees take their own stamp, too */
	HT_OPT_STAMP_COARSE = 1 << 2, /* allocations inherit, too, while the tick stands */
	HT_OPT_DROP = 1 << 3,	      /* a full ring drops at once */
	HT_OPT_SELF_CHECK = 1 << 4,
	HT_OPT_ALLOC = 1 << 5,
	HT_OPT_MAP = 1 << 6,
	HT_OPT_THREAD = 1 << 7,
	HT_OPT_FOLLOW_FORK = 1 << 8,
	HT_OPT_FOLLOW_EXEC = 1 << 9,
	HT_OPT_NO_TSC = 1 << 10,      /* the TSC is not trusted: clock_gettime(MONOTONIC) nanoseconds instead */
	HT_OPT_SYNC = 1 << 11,	      /* locks, conditions, joins: waits and who ended them */
	HT_OPT_IO = 1 << 12,	      /* sleeps, polls, calls on descriptors */
	HT_OPT_STALL = 1 << 13,	      /* every call of the allocator is timed; those over stall_ticks are noted */
	HT_OPT_SCHED = 1 << 14,	      /* the collector's alone: context switches */
	HT_OPT_FAULT = 1 << 15,	      /* and page faults */
};

struct ht_slot {
	/* the thread writes */
	uint64_t head __attribute__((aligned(64)));
	uint64_t counted;  /* events that should be in the trace */
	uint32_t waiting;  /* 1: sleeps on tail, wake it */
	uint32_t starving; /* it wants another ring: went over half full */
	uint32_t ended;	   /* it ends, and no event says so */
	/* the collector writes */
	uint64_t tail __attribute__((aligned(64))); /* futex on its low half */
	uint64_t offer;	   /* 0 or offset of another ring | log2(size) */
	/* set by the collector before SPARE, by the thread before the slot's first head */
	uint32_t state __attribute__((aligned(64)));
	uint32_t pid, tid; /* as the thread's own namespace has them */
	uint32_t forked;   /* 1: claimed by a forked child's first event */
	uint64_t serial;   /* of the thread, unique in the trace: by the collector */
	uint64_t fork_token; /* the parent's FORK record that led here, 0 = unknown */
	uint64_t ring_offset;
	uint32_t ring_size;
	uint64_t parent_serial; /* the slot serial that the forking thread had, 0 = none */
	uint64_t handler_of;	/* the serial of the slot whose thread this slot's events belong to; 0 = its own */
	/* the thread counts */
	uint64_t lost[HT_RING_LOST_COUNT] __attribute__((aligned(64)));
	uint64_t truncated, guessed, nested, abandoned, blocked_ns;
	uint64_t self_compared, self_differences;
};

struct ht_segment {
	/* constant once the target maps it */
	uint64_t magic, map_bytes;
	uint32_t slot_count, slots_offset;
	uint32_t options;     /* enum ht_seg_option */
	uint32_t stack_depth; /* new frames written per record at most */
	uint64_t image_token; /* names the segment in diagnostics */
	uint64_t sample_bytes; /* 0: every allocation */
	uint64_t sample_seed;
	uint64_t stall_ticks; /* with STALL: calls of the allocator that took longer are noted */
	uint64_t call_ticks;  /* calls on descriptors that took longer are noted, if they did not wait by their nature */
	/* the collector writes */
	uint32_t tick __attribute__((aligned(64))); /* changes each millisecond while rings move, HT_TICK_STALE before sleep */
	uint32_t control;			    /* enum ht_control */
	uint32_t heartbeat;			    /* changes every 50 ms while the collector lives and gets a processor */
	uint32_t exhausted;			    /* 1: no slot is left to be made SPARE, waiting for one is no use */
	/* both: futex word. 1 = the collector sleeps; a producer that needs it swaps 0 in and wakes */
	uint32_t sleeping __attribute__((aligned(64)));
	uint32_t starving; /* some slot's is set: the collector looks for it */
	/* the target: process-wide facts */
	uint32_t generation __attribute__((aligned(64))); /* counts dlclose that unloaded something */
	uint32_t fork_tokens;	 /* last one given */
	uint32_t exec_not_attached;
	uint32_t off_reason;	 /* enum ht_off_reason, why the hook turned itself off, 0 = it did not */
	uint32_t flags;		 /* enum ht_seg_flag */
	uint64_t counted;	 /* events before their thread had a slot; atomic */
	uint64_t lost[HT_RING_LOST_COUNT]; /* and what became of them; atomic */
	char shadowed_by[256];	 /* the object whose malloc stands before ours, "" = none */
};

enum ht_off_reason {
	HT_OFF_NONE = 0,
	HT_OFF_STOPPED,	    /* by the collector */
	HT_OFF_COLLECTOR_GONE,
	HT_OFF_SECCOMP,	    /* the program entered strict seccomp */
	HT_OFF_FAULT,	    /* an invariant of ours did not hold */
	HT_OFF_NOT_FOLLOWED,
	HT_OFF_COUNT,
};
enum ht_seg_flag {
	HT_FLAG_NEW_BYPASSES = 1 << 0, /* operator new of the program does not come to malloc */
	HT_FLAG_NEW_HOOKED = 1 << 1,   /* the second preload object is there */
};

/* --- records ------------------------------------------------------------------------------
 *
 *  word 0:  op:8 | flags:8 | new:16 | kept:16 | small:16
 *  then, each present if its flag or op says so, in this order:
 *           [ticks if STAMP] [address if op has one] [size if SIZE, else small] [extra if EXTRA] [extra2 if EXTRA]
 *           [frames: new of them, leaf first]
 *  PAD and LINK use the upper 32 bits of word 0 as a length in bytes including word 0.
 *
 *  A frame is  pc:47 | guess:1 | delta:16, delta = (CFA of the next outer frame - own CFA) / 8, 0 for the
 *  outermost; with WIDE two words: pc | guess << 63, then delta as a 64-bit count. A frame interrupted by
 *  a signal has pc + 1, so that pc - 1 is always inside the right instruction.
 *
 *  Births and deaths as nearly all are have a form of their own, half as long:
 *  word 0:  code:5 | 0 | 1 | new:4 | kept:9 | address / 8:44      bit 6 is in no op above
 *  births:  [size:32 | ticks:32] [frames]                         code = op; with a stack, stamped
 *  deaths:  [ticks:32 if STAMP] [frames]                          code = HT_SHORT_DEATH + 4 * (op - HT_REC_FREE) + STAMP:1, STACK:1
 *  Ticks are the low half of a stamp that is less than 2^31 later than the last one before it in the ring.
 *
 *  Stacks: kept frames, counted from the outermost, stand as the thread's previous non-ASIDE stack had
 *  them; the new ones follow. ABS: nothing is kept (the field holds enum ht_stack_end instead). ASIDE: an
 *  absolute stack that leaves the previous one standing (an event inside the hook, from a signal).
 */
enum ht_record_flag {
	HT_REC_STACK = 1 << 0,
	HT_REC_ABS = 1 << 1,
	HT_REC_ASIDE = 1 << 2,
	HT_REC_STAMP = 1 << 3,
	HT_REC_SIZE = 1 << 4,
	HT_REC_EXTRA = 1 << 5,
	HT_REC_WIDE = 1 << 6,
};

/* Ops below 32 are the trace's enum ht_op, with the same numbers (checked by tests/unit/test_ring.c). */
enum ht_record_op {
	HT_REC_NONE = 0,
	HT_REC_MALLOC = 1,
	HT_REC_CALLOC = 2,
	HT_REC_ALIGNED = 3, /* extra = alignment */
	HT_REC_NEW = 4,
	HT_REC_REALLOC = 5,
	HT_REC_FREE = 8,
	HT_REC_DELETE = 9,
	HT_REC_REALLOC_FREE = 10,
	HT_REC_REALLOC_UNDO = 14,
	HT_REC_FAILED = 15, /* size */
	HT_REC_MMAP = 16,
	HT_REC_MUNMAP = 17,
	HT_REC_MREMAP = 18,
	HT_REC_BRK = 19,
	HT_REC_REGION_BEGIN = 20, /* extra = id of a STRING told before in this ring; so below */
	HT_REC_REGION_END = 21,
	HT_REC_TASK = 22, /* extra = task, extra2 = STRING or 0, size = step */
	HT_REC_LOG = 23,  /* extra, extra2 = STRINGs */
	HT_REC_THREAD_START = 24, /* address = start routine; extra = creator's slot serial */
	HT_REC_THREAD_EXIT = 25,
	HT_REC_FORK = 26, /* extra = token */
	HT_REC_MARK = 29, /* extra = STRING */
	HT_REC_PAUSE = 30, /* extra = 1 or 0 */
	/* the ring's own */
	HT_REC_PAD = 32,
	HT_REC_LINK = 33,
	HT_REC_GENERATION = 34, /* address = the generation that this thread's later frames belong to */
	HT_REC_MODULE = 35,	/* new:16 = words that follow word 0, which are struct ht_ring_module and the path */
	HT_REC_NAME = 36,	/* two words: 16 bytes of the thread's name, NUL-padded */
	HT_REC_FORKED = 37,	/* extra = token of the FORK record; extra2 = the child's pid in the parent's pid
				 * namespace, 0 = fork failed. Written by the parent, so that a child without
				 * an event is known, too. Lost when the ring is full: not counted */
	HT_REC_STRING = 38,	/* new:16 = words that follow word 0: the string's id (a hash of it), its length, its bytes */
	/* Where time went. Written when it is over, so that a ring's stamps ascend; counted as events are. */
	HT_REC_WAIT = 40,  /* a call that waited, or may have: stamp = its end; address = object; size = ticks that it
			    * took; extra = enum ht_wait_call | enum ht_wait_kind << 8 | enum ht_wait_outcome << 16 |
			    * enum ht_wait_flag << 24 | (fd + 1) << 32; extra2 = detail, see struct ht_wait */
	HT_REC_WAKE = 41,  /* something that ends waits of others: stamp, taken before it does; address = object; extra
			    * as above, without outcome */
	HT_REC_STALL = 42, /* a call of the allocator: stamp = its end; address = the block or 0; size = ticks;
			    * extra = enum ht_op | bound << 8; extra2 = bytes asked for. bound 1: it took at most that long */
};

/* Is a record of that op counted in slot->counted, and so in the trace's `recorded`? */
static inline bool ht_record_counts(unsigned op)
{
	return op < HT_REC_PAD || (op >= HT_REC_WAIT && op <= HT_REC_STALL);
}

#define HT_REC_SHORT 0x40u
#define HT_SHORT_DEATH 16u
#define HT_SHORT_STAMP 2u
#define HT_SHORT_STACK 1u
#define HT_SHORT_NEW 15u   /* the most that fit */
#define HT_SHORT_KEPT 511u
#define HT_SHORT_GAP (1ull << 31)
#define HT_SHORT_ADDRESS 0x00007ffffffffff8ull /* the bits that an address may have */

static inline uint64_t ht_short_word(unsigned code, uint64_t fresh, uint64_t kept, uint64_t address)
{
	return code | HT_REC_SHORT | fresh << 7 | kept << 11 | address << 17;
}

/* Which of the fixed words an op has; index = op. */
enum { HT_HAS_ADDRESS = 1, HT_HAS_SIZE = 2 };
static const uint8_t ht_record_words[64] = {
	[HT_REC_MALLOC] = HT_HAS_ADDRESS | HT_HAS_SIZE,	 [HT_REC_CALLOC] = HT_HAS_ADDRESS | HT_HAS_SIZE,
	[HT_REC_ALIGNED] = HT_HAS_ADDRESS | HT_HAS_SIZE, [HT_REC_NEW] = HT_HAS_ADDRESS | HT_HAS_SIZE,
	[HT_REC_REALLOC] = HT_HAS_ADDRESS | HT_HAS_SIZE, [HT_REC_FREE] = HT_HAS_ADDRESS,
	[HT_REC_DELETE] = HT_HAS_ADDRESS,		 [HT_REC_REALLOC_FREE] = HT_HAS_ADDRESS,
	[HT_REC_FAILED] = HT_HAS_SIZE,			 [HT_REC_MMAP] = HT_HAS_ADDRESS | HT_HAS_SIZE,
	[HT_REC_MUNMAP] = HT_HAS_ADDRESS | HT_HAS_SIZE,	 [HT_REC_MREMAP] = HT_HAS_ADDRESS | HT_HAS_SIZE,
	[HT_REC_BRK] = HT_HAS_ADDRESS | HT_HAS_SIZE,	 [HT_REC_THREAD_START] = HT_HAS_ADDRESS,
	[HT_REC_TASK] = HT_HAS_SIZE,			 [HT_REC_WAIT] = HT_HAS_ADDRESS | HT_HAS_SIZE,
	[HT_REC_WAKE] = HT_HAS_ADDRESS,			 [HT_REC_STALL] = HT_HAS_ADDRESS | HT_HAS_SIZE,
	[HT_REC_GENERATION] = HT_HAS_ADDRESS,
};

/* A module as the hook saw it when a stack first went through it. Registered before any frame in
 * it is written, by whichever thread met it first: another thread's frame may be read before this
 * record is, but never after this record was published later than the frame. */
struct ht_ring_module {
	uint64_t generation;
	uint64_t start, end;	/* runtime range of all its segments */
	uint64_t bias;		/* runtime - link-time */
	uint64_t text_vaddr, text_size, text_offset;
	uint64_t build_id_len;	/* 0 .. 32 */
	uint8_t build_id[32];
	uint64_t path_len;	/* bytes that follow, padded with NUL to a multiple of 8; "" = the executable */
};

/* --- attaching ----------------------------------------------------------------------------
 *
 * HEAPTIDE_ATTACH=NAME,PATH,TOKEN: an abstract SOCK_SEQPACKET name (without the leading NUL), a path for where
 * the network namespace differs ("" = none), a token of 32 hex digits. The hook sends one ht_hello, the
 * collector answers one ht_welcome with the segment's memfd in SCM_RIGHTS. 200 ms each way at most.
 */
struct ht_hello {
	uint64_t magic; /* HT_SEG_MAGIC */
	uint32_t pid;	/* as the target sees it; the collector trusts SO_PEERCRED */
	uint32_t hooks; /* enum ht_seg_flag, what the constructor knows */
	char token[40];
};
struct ht_welcome {
	uint64_t magic;
	uint64_t map_bytes; /* 0 = refused: not to be recorded (--follow) */
};

#endif
