/*
 * trace: the .tide file, as shapes and as functions. SPEC.md beside this file is the contract;
 * this header is how our own writer (lib/collect) and readers (lib/analyze, cmd) use it.
 *
 * A trace is a header, then self-delimiting blocks. Dictionary blocks name things by dense ids in
 * the order of appearance (strings, modules, stack nodes, threads, images); events refer to
 * them; an id is always defined in an earlier block than its first use. Events stand in ONE order,
 * the order in which they happened as far as anybody can know: per address birth and death
 * alternate, per thread it is program order, across threads it is time order within 1 ms,
 * corrected by causality.
 *
 * Beside the events stand records of where time went: time_records.h.
 *
 * Sequence numbers: every birth has one, counted from 0 over the whole trace in file order; it is
 * implied by position. A death names the sequence number of the birth it ends.
 */
#ifndef HT_TRACE_H
#define HT_TRACE_H

#include "base.h"
#include "time_records.h"

#define HT_TRACE_VERSION 2

/* What an event is. Births take the next sequence number. The table ht_op_info says which
 * columns an op has. */
enum ht_op {
	HT_OP_NONE = 0,
	/* births: size, stack, time, address (optional in the file) */
	HT_OP_MALLOC = 1,
	HT_OP_CALLOC = 2,
	HT_OP_ALIGNED = 3, /* memalign family; extra = alignment, 0 when page-sized by contract */
	HT_OP_NEW = 4,	   /* operator new seen as such (second preload object); extra = alignment or 0 */
	HT_OP_REALLOC = 5, /* birth half of a realloc, or realloc(NULL, n) */
	/* deaths: freed = sequence number of the block's birth */
	HT_OP_FREE = 8,
	HT_OP_DELETE = 9,
	HT_OP_REALLOC_FREE = 10, /* death half; stands unless a REALLOC_UNDO of this thread follows; realloc(p, 0) that freed is this alone */
	HT_OP_IMPLIED_FREE = 11, /* never seen to die, but its address was born again */
	/* address-carrying deaths of blocks whose birth is not known by sequence */
	HT_OP_FREE_UNKNOWN = 12,	 /* address not live in this image: foreign, or inherited over fork */
	HT_OP_REALLOC_FREE_UNKNOWN = 13, /* the same, as the death half of a realloc */
	HT_OP_REALLOC_UNDO = 14,	 /* the last REALLOC_FREE[_UNKNOWN] of this thread did not happen */
	HT_OP_FAILED = 15,		 /* one call that returned NULL (of a realloc: after its UNDO); size = what was asked */
	/* the address space: address, size; extra as named */
	HT_OP_MMAP = 16,   /* extra = prot | flags << 8 | (file-backed ? 1 << 32 : 0) */
	HT_OP_MUNMAP = 17,
	HT_OP_MREMAP = 18, /* address, size = new; extra = old address; the old size is extra2 */
	HT_OP_BRK = 19,	   /* address = new break, size = bytes by which it grew; extra = bytes by which it shrank */
	/* what the program says through heaptide.h; strings by id */
	HT_OP_REGION_BEGIN = 20, /* extra = name; an interval of this thread, nested */
	HT_OP_REGION_END = 21,	 /* extra = name */
	HT_OP_TASK = 22,	 /* extra = task, unique in the trace; size = enum ht_task_step; extra2 = type, at its begin */
	HT_OP_LOG = 23,		 /* extra = category, extra2 = message */
	/* life of threads and images */
	HT_OP_THREAD_START = 24, /* of this event's thread; extra = creator's thread id + 1, or 0 */
	HT_OP_THREAD_EXIT = 25,
	HT_OP_FORK = 26,	/* extra = fork number; an image that names it inherits this image's live blocks here */
	HT_OP_IMAGE_START = 27, /* first event of an image (exec, start, or a forked child's first) */
	HT_OP_IMAGE_END = 28,	/* the image is gone; extra = wait status + 1 when known, else 0 */
	HT_OP_MARK = 29,	/* extra = name; of the whole image, said through heaptide.h */
	HT_OP_PAUSE = 30,	/* extra = 1: births of this image are not recorded from here on; 0: they are again */
	HT_OP_COUNT = 32,
};

static inline bool ht_op_is_birth(unsigned op)
{
	return op >= HT_OP_MALLOC && op <= HT_OP_REALLOC;
}
/* Deaths that name a sequence number. */
static inline bool ht_op_is_death(unsigned op)
{
	return op >= HT_OP_FREE && op <= HT_OP_IMPLIED_FREE;
}

enum ht_task_step { HT_TASK_BEGIN = 0, HT_TASK_END = 1, HT_TASK_ENTER = 2, HT_TASK_LEAVE = 3 };

/* Which fields of an ht_event an op uses, beyond thread, time and stack, which all have. */
enum ht_op_column {
	HT_OP_HAS_SIZE = 1,
	HT_OP_HAS_ADDRESS = 2, /* always in the file, whatever the settings */
	HT_OP_HAS_EXTRA = 4,
	HT_OP_HAS_EXTRA2 = 8,
	HT_OP_HAS_FREED = 16, /* a death: seq */
	HT_OP_HAS_BIRTH = 32, /* takes a sequence number; address by the settings, or when unpaired */
	HT_OP_EXTRA_STRING = 64,   /* extra is a string id */
	HT_OP_EXTRA2_STRING = 128, /* extra2 is */
};
struct ht_op_info {
	const char *name; /* snake_case; "" for numbers that no op has yet */
	uint8_t columns;  /* enum ht_op_column */
};
extern const struct ht_op_info ht_op_info[HT_OP_COUNT];

/* Op and what else is known of an event, in one byte. */
enum ht_event_bits {
	HT_EVENT_OP = 31, /* enum ht_op */
	HT_EVENT_STAMPED = 32,
	HT_EVENT_NEW_MACHINE = 64,
	HT_EVENT_UNPAIRED = 128,
};

/* One event, decoded. stack 0 = none recorded. */
struct ht_event {
	uint8_t op;
	bool stamped;	  /* time was taken at this event; else inherited from the thread's previous, true within 1 ms */
	bool new_machine; /* the stack proves nothing against the thread's previous one (another machine stack, or absolute) */
	bool unpaired;	  /* birth: not in the collector's table; its death is a FREE_UNKNOWN by address */
	uint32_t thread;  /* thread id */
	uint32_t stack;	  /* stack node id of the leaf, 0 = none */
	uint64_t time;	  /* ns since the trace's first instant; signed steps between threads are possible (<= 1 ms) */
	uint64_t seq;	  /* births: own number; deaths: the birth's number; else 0 */
	uint64_t address; /* births: block address or 0 if the trace keeps none; UNKNOWN deaths and address-space ops: always */
	uint64_t size;	  /* requested bytes, or as the op says */
	uint64_t extra, extra2;
};

/* --- dictionaries ------------------------------------------------------------------------- */

#define HT_BUILD_ID_MAX 32
struct ht_module {
	uint32_t path;	   /* string id */
	uint8_t build_id_len;
	uint8_t build_id[HT_BUILD_ID_MAX];
	uint64_t size;	   /* of the address range it spans, bytes from link-time address 0 of its first segment */
	uint64_t bias;	   /* runtime - link-time address, of the first image that loaded it (informative) */
	uint32_t image;	   /* that image */
	uint64_t text_vaddr, text_size, text_offset; /* its executable segment: link-time address, size, file offset */
};

enum ht_frame_flag {
	HT_FRAME_GUESS = 1,	/* found by the frame pointer, not by unwind tables */
	HT_FRAME_SIGNAL = 2,	/* interrupted by a signal: the address is exact, not a return address */
};
/* Why a stack has no further frames outward of a root node. */
enum ht_stack_end {
	HT_END_COMPLETE = 0,
	HT_END_DEPTH = 1,    /* --stack-depth */
	HT_END_NO_ROW = 2,   /* no unwind information and no usable frame pointer */
	HT_END_BAD_CFA = 3,  /* the next frame would lie outside or inward of the stack */
	HT_END_UNREADABLE = 4,
	HT_END_LIMIT = 5,    /* the hook's own limit of frames */
	HT_END_ALTSTACK = 6, /* a small or unknown stack: caller only */
};

/* A node of the stack table: a frame and its caller. Node 0 is "no stack". A node's parent has a
 * smaller id. address is link-time; for every node that is not a leaf, and for leaves (the
 * instruction after the call to the allocator), it is a RETURN address unless HT_FRAME_SIGNAL:
 * symbolize address - 1. */
struct ht_stack_node {
	uint32_t parent;    /* 0 = outermost */
	uint32_t module;    /* module id + 1, 0 = address belongs to no file (JIT, unknown): then it is absolute */
	uint64_t address;
	uint32_t cfa_delta; /* (parent's CFA - this frame's CFA) / 8, 0 for roots and when unknown */
	uint8_t flags;	    /* enum ht_frame_flag */
	uint8_t end;	    /* roots: enum ht_stack_end */
};

struct ht_thread_info {
	uint32_t image;
	uint32_t tid;
	uint64_t serial;	/* unique in the trace, unlike tid */
	uint64_t start_ns;
	uint64_t end_ns;	/* UINT64_MAX while unknown */
	uint32_t name;		/* string id, 0 = "" */
	uint32_t start_routine; /* stack node of one frame, 0 = unknown or main thread */
};

enum ht_image_kind { HT_IMAGE_FIRST = 0, HT_IMAGE_FORK = 1, HT_IMAGE_EXEC = 2, HT_IMAGE_ATTACHED = 3 };
struct ht_image {
	uint32_t pid;
	uint32_t parent;      /* image id + 1, 0 = none */
	uint8_t kind;	      /* enum ht_image_kind */
	uint64_t fork_number; /* kind FORK: the parent's FORK event, 0 = position unknown */
	uint32_t exe;	      /* string ids */
	uint32_t argv;	      /* NUL-separated */
	uint64_t start_ns, end_ns; /* end UINT64_MAX while unknown */
	int32_t wait_status;  /* as waitpid(2), -1 unknown */
};

/* Once a second and at start and end of an image. */
struct ht_sample {
	uint64_t time;
	uint32_t image;
	uint64_t rss_bytes;
	uint32_t threads;
};

/* --- the end of a trace ------------------------------------------------------------------- */

enum ht_lost_reason {
	HT_LOST_RING_FULL = 0,
	HT_LOST_NO_RING,    /* no spare ring for a thread in time */
	HT_LOST_NO_CONTEXT, /* no memory for a thread's state */
	HT_LOST_NESTED,	    /* inside the hook on a stack too small to record */
	HT_LOST_EARLY,	    /* before the collector answered, static buffer full */
	HT_LOST_ABANDONED,  /* the thread left the hook by an exception or a jump */
	HT_LOST_DAMAGED,    /* the ring held bytes that cannot be right */
	HT_LOST_FULL_DISK,  /* seen after the output could not be written any more */
	HT_LOST_AFTER_CLOSE,
	HT_LOST_SCHED,	    /* context switches and faults: the kernel's buffer was full, or their thread was never known */
	HT_LOST_COUNT,
};
extern const char *const ht_lost_names[HT_LOST_COUNT]; /* snake_case, as in JSON */

/* Written into the footer by the collector; all zero when there is no footer. Keys are
 * written as (key, value) pairs, so that fields can be added. births, deaths (all ops that name a
 * birth, also those undone), events, requested_bytes, implied_frees, unknown_frees, failed_calls and
 * undone_reallocs are counted by the writer itself: what its caller puts there is not looked at. */
struct ht_trace_totals {
	uint64_t births, deaths, events;
	uint64_t requested_bytes;
	uint64_t counted;  /* by the hook; counted == recorded + sum(lost) or the trace says otherwise */
	uint64_t recorded;
	uint64_t lost[HT_LOST_COUNT];
	uint64_t implied_frees, unknown_frees, failed_calls, undone_reallocs;
	uint64_t truncated_stacks, guessed_frames, nested_events, abandoned;
	uint64_t exec_not_attached;
	uint64_t collector_cpu_ns, collector_peak_rss, blocked_ns; /* blocked: the target, on full rings */
	uint64_t self_check_compared, self_check_differences;
	uint64_t off_reason; /* why a hook turned itself off: index of ht_off_names, 0 = none did */
	uint64_t waits, wakes, stalls, faults, switches; /* counted by the writer itself */
	uint64_t io_waits; /* of waits: from SLEEP on */
	/* Of all images (SPEC.md, section 11), if levels_known is 1 */
	uint64_t peak_bytes, peak_ns, left_blocks, left_bytes, levels_known;
};
#define HT_OFF_NAMES 6
extern const char *const ht_off_names[HT_OFF_NAMES]; /* for people; [0] = "" */

/* What a recording can be asked for: a class of events, or of records of where time went. */
enum ht_event_class {
	HT_CLASS_ALLOC = 0,
	HT_CLASS_MAP,
	HT_CLASS_THREAD,
	HT_CLASS_SYNC,	/* waits below HT_WAIT_SLEEP, and wakes */
	HT_CLASS_IO,	/* waits from there on */
	HT_CLASS_SCHED, /* switches */
	HT_CLASS_STALL, /* the time of each call of the allocator; some that took milliseconds are noted without */
	HT_CLASS_FAULT,
	HT_EVENT_CLASSES,
};
extern const char *const ht_event_class_names[HT_EVENT_CLASSES]; /* as of `record --events`, in the order of its help */

/* --- writing ------------------------------------------------------------------------------ */

struct ht_trace_writer;
struct ht_trace_settings {
	uint64_t start_utc_ns;	   /* CLOCK_REALTIME of the trace's time 0 */
	uint64_t start_monotonic_ns;
	uint64_t start_boottime_ns;
	uint32_t time_unit_ns;	   /* quantum of the time column; 1000 by default */
	bool addresses;
	uint64_t sample_bytes;	   /* 0 = every allocation; else a Poisson sample, one for so many bytes on average */
	uint64_t checkpoint_memory; /* bytes the writer may use for checkpoints; 0: 16 MiB. Not in the file */
	bool sized_ends;	   /* the events of deaths (not UNKNOWN ones) and IMAGE_END come with the bytes that they end, as
				    * their size: so the writer knows peak and rest. Not in the file */
	bool free_stacks;
	uint32_t stack_depth;
	const char *clock;	   /* "tsc", "cntvct", "monotonic" */
	const char *sched;	   /* source of context switches, "" = none */
	uint32_t events;	   /* what was asked for: 1 << enum ht_event_class; 0 = not known */
	const char *command;	   /* NUL-separated argv, double NUL at the end, may be NULL */
	const char *hostname;
	const char *flags;	   /* space-separated remarks: "shadowed_by=libfoo.so operator_new_bypasses_malloc" */
};
/* fd: a fresh file, which the writer appends to (never mmaps, never seeks back) and does not close. */
struct ht_trace_writer *ht_trace_writer_new(int fd, const struct ht_trace_settings *s, struct ht_diag *d);
/* Dictionary calls return dense ids from 0 (nodes from 1). Nothing is looked up: the caller interns. */
uint32_t ht_trace_writer_string(struct ht_trace_writer *w, const char *s, size_t n); /* id 0 is "" always */
uint32_t ht_trace_writer_module(struct ht_trace_writer *w, const struct ht_module *m);
uint32_t ht_trace_writer_node(struct ht_trace_writer *w, const struct ht_stack_node *n);
uint32_t ht_trace_writer_thread(struct ht_trace_writer *w, const struct ht_thread_info *t);
void ht_trace_writer_thread_update(struct ht_trace_writer *w, uint32_t id, const struct ht_thread_info *t);
uint32_t ht_trace_writer_image(struct ht_trace_writer *w, const struct ht_image *i);
void ht_trace_writer_image_update(struct ht_trace_writer *w, uint32_t id, const struct ht_image *i);
void ht_trace_writer_sample(struct ht_trace_writer *w, const struct ht_sample *s);
/* Events in their final order. For births e->seq is set by the writer and returned; else returns e->seq.
 * An unstamped event has its thread's last stamp, whatever e->time says, but for a thread's very first.
 * Ids must have been given out before: an event of an unknown thread is not written, an unknown
 * stack becomes 0, a death of an unknown birth an UNKNOWN one, and each such case is counted. */
uint64_t ht_trace_writer_event(struct ht_trace_writer *w, struct ht_event *e);
/* The same of births and deaths in their simplest form; a third of the work. Births take the next numbers, from
 * ht_trace_writer_births on. */
struct ht_birth_death {
	uint64_t time;	 /* as of struct ht_event; so below */
	uint64_t address; /* births */
	uint64_t seq;	 /* deaths: of a birth that was written, or stands in front of it here */
	uint64_t size;	 /* deaths: with sized_ends */
	uint32_t thread;
	uint32_t stack;
	uint8_t bits;	 /* enum ht_event_bits but UNPAIRED: a birth but ALIGNED, NEW without an alignment; or a death that
			  * names one */
};
void ht_trace_writer_lives(struct ht_trace_writer *w, const struct ht_birth_death *e, size_t n);
uint64_t ht_trace_writer_births(const struct ht_trace_writer *w);
/* Writes what is buffered as blocks, dictionaries first. 0 or HT_ERR_SYSTEM: from then on the
 * writer accepts and discards everything; what is in the file is a readable prefix. */
int ht_trace_writer_flush(struct ht_trace_writer *w, struct ht_diag *d);
uint64_t ht_trace_writer_bad_references(const struct ht_trace_writer *w);
uint64_t ht_trace_writer_bytes(const struct ht_trace_writer *w);
/* Flushes, writes index and footer, frees. exit_status: wait status of the first image or -1. What the writer knows itself
 * it puts into the totals. */
int ht_trace_writer_finish(struct ht_trace_writer *w, struct ht_trace_totals *t, int exit_status,
			   struct ht_diag *d);
void ht_trace_writer_abandon(struct ht_trace_writer *w); /* frees without a footer */

/* --- reading ------------------------------------------------------------------------------ */

enum ht_verdict { HT_VERDICT_OK = 0, HT_VERDICT_TRUNCATED, HT_VERDICT_DAMAGED };

struct ht_trace;
/* Maps nothing it has not checked: reads with pread. A file with a good prefix opens (0) and says
 * so in the verdict; only "no such file", "not a trace" and "too new" fail. All dictionaries are
 * read at open; events stay on disk. */
int ht_trace_open(struct ht_trace **t, const char *path, struct ht_diag *d);
/* The same of an open file, which the trace owns from here on (also when this fails); name: for messages. */
int ht_trace_open_fd(struct ht_trace **t, int fd, const char *name, struct ht_diag *d);
void ht_trace_close(struct ht_trace *t);

/* What is known so far: events are checked when they are decoded, so after a walk over all blocks
 * OK or TRUNCATED may have become DAMAGED. */
enum ht_verdict ht_trace_verdict(const struct ht_trace *t);
/* One line for a person: what is wrong and where; "" when OK. */
const char *ht_trace_verdict_text(const struct ht_trace *t);
const struct ht_trace_settings *ht_trace_settings(const struct ht_trace *t);
const struct ht_trace_totals *ht_trace_totals(const struct ht_trace *t, bool *has_footer);
int ht_trace_exit_status(const struct ht_trace *t); /* wait status or -1 */
uint64_t ht_trace_file_bytes(const struct ht_trace *t);
uint64_t ht_trace_duration_ns(const struct ht_trace *t);

/* Strings end in NUL beyond their length. Unknown ids give "" / NULL, never a fault. */
const char *ht_trace_string(const struct ht_trace *t, uint32_t id, size_t *n);
uint32_t ht_trace_module_count(const struct ht_trace *t);
const struct ht_module *ht_trace_module(const struct ht_trace *t, uint32_t id);
uint32_t ht_trace_node_count(const struct ht_trace *t); /* nodes 1 .. count-1; [0] is all zero */
const struct ht_stack_node *ht_trace_nodes(const struct ht_trace *t);
uint32_t ht_trace_thread_count(const struct ht_trace *t);
const struct ht_thread_info *ht_trace_thread(const struct ht_trace *t, uint32_t id);
uint32_t ht_trace_image_count(const struct ht_trace *t);
const struct ht_image *ht_trace_image(const struct ht_trace *t, uint32_t id);
size_t ht_trace_sample_count(const struct ht_trace *t);
const struct ht_sample *ht_trace_samples(const struct ht_trace *t);

/* The event blocks, by position; each decodes on its own, so several threads may decode at once
 * (ht_trace_block_decode is thread-safe on one ht_trace). */
struct ht_block_info {
	uint64_t offset;	   /* in the file */
	uint64_t events, first_seq, births;
	uint64_t first_ns, last_ns; /* smallest and largest time in it */
	uint32_t sequence;	   /* the block's number in the file */
};
size_t ht_trace_block_count(const struct ht_trace *t);
const struct ht_block_info *ht_trace_block(const struct ht_trace *t, size_t i);
/* Seeking, without reading anything. The block that holds the first event (in file order) at or after `ns`: those
 * before it hold earlier ones only. And the block in which birth number `seq` stands. The number of blocks if
 * there is none. */
size_t ht_trace_block_at_time(const struct ht_trace *t, uint64_t ns);
size_t ht_trace_block_of_birth(const struct ht_trace *t, uint64_t seq);

/*
 * The events of a block as arrays, in parallel: event i is op[i], stack[i], time[i] …; half the memory of
 * struct ht_event, and the fastest way to read a trace. Values are those of struct ht_event, and where an op has
 * none of a kind it is 0. Threads stand as runs, and what few events have (extra, extra2) in a list of its own.
 */
struct ht_event_run {
	uint32_t thread, count; /* so many events of that thread; count > 0 */
};
struct ht_event_extra {
	uint32_t event; /* index; ascending */
	uint64_t extra, extra2;
};
struct ht_event_arrays { /* reusable; zero-initialised is empty */
	size_t count;
	uint8_t *op; /* enum ht_event_bits */
	uint32_t *stack;
	uint64_t *time, *seq, *size, *address;
	struct ht_event_run *runs; /* in order; their counts add up to count */
	size_t run_count;
	struct ht_event_extra *extras; /* each event whose op has HT_OP_HAS_EXTRA */
	size_t extra_count;
	size_t cap, run_cap, extra_cap;
	struct ht_buf raw, packed, state; /* scratch */
	void *zstd;
};
/* Every reference in the result (thread, stack, string ids) is checked to exist. A damaged block gives
 * HT_ERR_DAMAGED and count 0. Thread-safe on one trace. */
int ht_trace_block_arrays(const struct ht_trace *t, size_t i, struct ht_event_arrays *out, struct ht_diag *d);
/* What kinds of events the block has: bit 1 << op. Takes a fifth of the time that decoding it does. */
int ht_trace_block_ops(const struct ht_trace *t, size_t i, struct ht_event_arrays *scratch, uint32_t *ops);
void ht_event_arrays_release(struct ht_event_arrays *a);

/* The same as structs, for readers that want an event as a whole. */
struct ht_events { /* reusable; zero-initialised is empty */
	struct ht_event *items;
	size_t count, cap;
	struct ht_event_arrays arrays; /* scratch */
};
int ht_trace_block_decode(const struct ht_trace *t, size_t i, struct ht_events *out, struct ht_diag *d);
void ht_events_release(struct ht_events *e);

/*
 * Checkpoints: the blocks that are live at a boundary between two blocks of events, so that a reader can start
 * there. A trace has them where they cost little (SPEC.md, section 15), or none. To begin at time T:
 *
 *	i = ht_trace_block_at_time(t, T);  c = ht_trace_checkpoint_before(t, i);
 *	if (c >= 0) load checkpoint c, then decode from block ht_trace_checkpoint_block(t, c) on; else from 0 on
 *
 * What a checkpoint does not hold: what forked images inherited at a fork before it. Frees by address in those that
 * match no live block are inherited or foreign, undecided.
 */
struct ht_live_block {
	uint64_t seq, address, size, time; /* address 0 when the trace keeps none; time of birth, ns */
	uint32_t stack, thread;		   /* of its birth */
	uint32_t order;			   /* births of its thread before it, modulo 2^32 */
	uint8_t op;			   /* of its birth */
};
/* The last REALLOC_FREE[_UNKNOWN] of a thread, which a REALLOC_UNDO behind the checkpoint may take back. */
struct ht_open_realloc {
	uint32_t thread;
	bool known;		/* block holds what it ended; else an UNKNOWN one of `address` */
	struct ht_live_block block; /* not among the live ones */
	uint64_t address;
};
struct ht_thread_births {
	uint32_t thread;
	uint64_t births;
};
struct ht_live_set { /* reusable; zero-initialised is empty */
	struct ht_live_block *blocks; /* by ascending seq */
	size_t count, cap;
	struct ht_open_realloc *reallocs;
	size_t realloc_count, realloc_cap;
	struct ht_thread_births *threads; /* births of each thread so far, by ascending thread; others: 0 */
	size_t thread_count, thread_cap;
	uint64_t next_seq; /* number of the next birth */
	struct ht_buf raw, packed, state; /* scratch */
	void *zstd;
};
size_t ht_trace_checkpoint_count(const struct ht_trace *t);
/* The last one in front of block i of events, or -1. */
int64_t ht_trace_checkpoint_before(const struct ht_trace *t, size_t i);
/* The block of events that it stands in front of (the number of blocks: behind the last). */
size_t ht_trace_checkpoint_block(const struct ht_trace *t, size_t c);
/* < 0: it cannot be used; an earlier one, or none, can. Thread-safe on one trace. */
int ht_trace_checkpoint_load(const struct ht_trace *t, size_t c, struct ht_live_set *out, struct ht_diag *d);
void ht_live_set_release(struct ht_live_set *s);

/* --- what was added to a closed trace ------------------------------------------------------- */

/* Symbols of a module (bytes that only their maker understands), as stored last. `format` names their maker's
 * layout. Appends to out; HT_ABSENT: the trace has none. Thread-safe on one trace. */
int ht_trace_symbols(const struct ht_trace *t, uint32_t module, uint32_t *format, struct ht_buf *out,
		     struct ht_diag *d);

/*
 * Adds blocks behind the end of a closed trace (one whose footer is good). Nothing that stands in the file is
 * overwritten: until finish has written the new footer and END, and also if it never does, readers see
 * the trace as it was. One at a time: a lock on the file (flock) keeps others out (HT_ERR_SYSTEM).
 */
struct ht_trace_appender;
int ht_trace_appender_open(struct ht_trace_appender **a, const char *path, struct ht_diag *d);
/* Replaces what the trace has for this module. module must exist; any length. */
int ht_trace_appender_symbols(struct ht_trace_appender *a, uint32_t module, uint32_t format, const void *data,
			      size_t n, struct ht_diag *d);
/* Writes footer and END, syncs, frees. On failure the file is as it was. */
int ht_trace_appender_finish(struct ht_trace_appender *a, struct ht_diag *d);
void ht_trace_appender_abandon(struct ht_trace_appender *a); /* the file is as it was; frees */

/* verify: every invariant of SPEC.md; calls say() with one line per violation (at most `max`).
 * Returns 0, or the HT_ERR_* of the worst. */
int ht_trace_verify(const struct ht_trace *t, void (*say)(void *ctx, const char *line), void *ctx, size_t max,
		    uint64_t *violations);
/* The same, telling how far it is: with say's ctx, after each block of events. */
typedef void ht_trace_progress(void *ctx, const char *phase, uint64_t done, uint64_t total);
int ht_trace_verify_watched(const struct ht_trace *t, void (*say)(void *ctx, const char *line), void *ctx, size_t max,
			    uint64_t *violations, ht_trace_progress *progress);

#endif
