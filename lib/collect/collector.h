/*
 * collector: what the files of this folder share.
 *
 *   host    one shared segment: its memfd, its memory, its slots
 *   lane    one claimed slot: the reading end of one thread's ring, and the mirror of its stack
 *   guest   one image (a program in a process) being recorded: its live blocks, modules, end
 *
 *   welcome.c      hellos in, segments out          segment.c      memory of a host, spare slots, offers
 *   guests.c       images come, and their lanes     guest_trace.c  what the trace has of them
 *   guest_ends.c   they end, and the trace does     children.c     forked, not heard of yet
 *   drain.c        rounds: order across lanes       lane_stacks.c  a record's frames → a node
 *                  (drain.h)                        plain.c        ordinary births and deaths, in batches
 *   event.c        one record → one trace event     times.c        waits, wakes, stalls
 *   lookout.c      what must be looked for          labels.c       what the program said
 *   watch.c        sleeping and being woken         beat.c         the sign of life
 *   code_maps.c    code that no stack went through  switches.c, runners.c, switch_telling.c, switch_stats.c
 *                                                                  when threads ran (switches.h)
 *
 * One thread does all of it, so nothing here is locked. (watch.c has a helper thread that only
 * waits for descriptors, beat.c one that moves the heartbeats.)
 */
#ifndef HT_COLLECTOR_H
#define HT_COLLECTOR_H

#include "collect.h"
#include "intern.h"
#include "labels.h"
#include "pairs.h"
#include "ring_reader.h"
#include "space.h"
#include "tickclock.h"

#define HT_QUEUE 64 /* records decoded ahead, so that their pairs are fetched in time */

struct ht_lane;
struct ht_guest;
struct ht_switches;

/* A descriptor that is waited for. */
enum ht_source_kind { HT_SOURCE_LISTEN, HT_SOURCE_CONTROL, HT_SOURCE_CONNECTION, HT_SOURCE_IMAGE, HT_SOURCE_SWITCHES };
struct ht_source {
	int kind, fd;
	struct ht_guest *image; /* IMAGE: whose process this pidfd stands for */
};

/* --- hosts -------------------------------------------------------------------------------- */

#define HT_RING_CLASSES 3 /* 64 KiB, 512 KiB, 4 MiB */
#define HT_CHAIN 16	  /* rings of one thread behind the one that is read */

struct ht_fork_note { /* a FORK record that was drained */
	uint64_t token, number;
	struct ht_guest *image;
};
struct ht_host {
	struct ht_host *next;
	struct ht_segment *seg; /* our mapping; the target's other end may scribble over it */
	int fd;
	uint64_t map_bytes, used; /* used: handed out from the start on, the rest was never touched */
	uint32_t slot_count, slots_offset;
	struct { uint64_t *offsets; uint32_t count, cap; } free_rings[HT_RING_CLASSES];
	uint64_t *ring_offset;	  /* by slot: of the ring that it has, 0 = none */
	uint8_t *ring_class;
	uint64_t *serial;	  /* by slot, as we gave it */
	uint32_t *spares;	  /* slots that are SPARE, or were and are not adopted yet */
	uint32_t spare_count, spare_target;
	uint32_t next_slot;	  /* slots from here on were never used */
	uint32_t *free_slots;
	uint32_t free_slot_count;
	uint32_t images;	  /* not yet closed */
	uint32_t lanes;
	bool alone;		  /* one thread, as this round began */
	bool shared;		  /* there was a second lane at some time */
	uint32_t exec_not_attached; /* counted into the totals already */
	pid_t pid;		  /* that said hello, as we see it */
	bool nested;		  /* in a pid namespace of its own: its numbers are not ours */
	bool ready;		  /* its first image is known: lanes may be adopted */
	bool hungry;		  /* a thread needs another ring, and there was none to offer, since the last round */
	uint64_t next_look;	  /* without images: when to ask again whether anybody maps it */
	struct ht_fork_note *forks;
	size_t fork_count, fork_cap;
};

/* --- images ------------------------------------------------------------------------------- */

enum ht_guest_state {
	HT_GUEST_LIVE = 0,
	HT_GUEST_ENDING, /* the process is gone or runs another program: drain and close */
	HT_GUEST_CLOSED, /* kept for the parents' sake */
};
struct ht_guest {
	struct ht_guest *next;
	struct ht_host *host;
	struct ht_guest *parent; /* kept until the end, as is every image */
	uint32_t id;	       /* in the trace, once registered */
	uint32_t thread;       /* the trace's id of a thread of it, once started */
	uint32_t main_thread;  /* of its first one + 1, 0 = not known */
	bool polled;	       /* its threads' schedstats are: no context switches are to be had */
	uint8_t state, kind;
	bool registered, started;
	bool execed;	       /* it ended by becoming another program */
	bool quiet;	       /* a forked child without an event: children.c; not in the trace */
	uint64_t fork_token;   /* of a quiet one: its first event names it */
	uint64_t exec_seen;    /* ns: since then it runs another program, which has not said hello; 0 = it does not */
	pid_t pid;	       /* as we see it; 0 = not known in our namespace */
	uint32_t own_pid;      /* as it sees itself */
	struct ht_source process; /* pidfd, fd -1 = none */
	uint64_t exe_dev, exe_ino;
	char *exe_path;
	struct ht_buf argv_bytes;
	struct { uint32_t exe, argv; } strings; /* ids in the trace */
	uint64_t fork_number;
	uint64_t start_ns, end_ns;
	int32_t wait_status;
	struct ht_pairs pairs;
	struct ht_space *space;
	struct ht_code_maps *maps; /* code_maps.h; NULL: not asked for yet */
	uint32_t lanes;	       /* not dropped */
	struct ht_view { uint64_t generation; uint32_t view; } *views;
	uint32_t view_count, view_cap;
	unsigned samples;
	uint64_t next_sample;
};

/* --- lanes -------------------------------------------------------------------------------- */

/* What a lane waits for before its next record may be told. */
enum ht_want {
	HT_WANT_NOTHING = 0,
	HT_WANT_DEATH,	/* of `wanted`, which is live: it was freed in another ring */
	HT_WANT_BIRTH,	/* of `wanted`, which is not live: it was born in another ring */
	HT_WANT_FORK,	/* the FORK record with token `wanted` */
	HT_WANT_LANE,	/* the image of own pid `wanted`, or the thread of the lane with serial `wanted` */
	HT_WANT_MODULE, /* the module that holds pc `wanted` */
	HT_WANT_NEVER,	/* the record cannot be right */
};
struct ht_lane {
	struct ht_host *host;
	struct ht_slot *slot;
	struct ht_guest *image;	/* NULL until its first record may be told */
	uint32_t index;		/* of the slot */
	uint32_t pid, tid;	/* as the thread sees them */
	pid_t kernel_tid;	/* as we see it, 0 = not known: switches.h */
	uint64_t serial;
	uint32_t thread;	/* id in the trace */
	bool forked, damaged;
	bool exiting, gone;	/* said so; is dead: drain and retire */
	bool waited;		/* a wait was told behind its last event: the next one inherits that one's stamp */
	bool after_aside;	/* the next stack follows one of another machine stack */
	bool linked;		/* a LINK was read: move when the queue is done */
	uint8_t chained;	/* rings that we offered and do not read yet, in their order; the last may still be on offer */
	struct { uint64_t offset; uint8_t class; } chain[HT_CHAIN];
	struct ht_ring_reader reader;
	struct ht_record queue[HT_QUEUE];
	uint32_t queue_at, queue_count;
	uint32_t leaf[HT_QUEUE], stacked; /* the queue's first `stacked` are plain, and these are the nodes of their stacks */
	uint64_t told;		/* position behind the last record told */
	uint64_t recorded;	/* events told, or counted as lost when they were read */
	/* merging */
	uint64_t key;		/* when the next record is due, in ticks */
	uint64_t keys[HT_QUEUE]; /* of the queue */
	uint64_t stamp, stamp_at, stamp_round; /* the next stamp behind the queue, and where it was found */
	uint64_t told_before;	/* the head that the round before this one loaded */
	bool unbounded;		/* the queue's end has no stamp behind it yet */
	bool pulled;		/* is being told out of turn, or waits for one that is */
	uint8_t want;
	bool resolved;		/* its wait is over without success: go on */
	uint64_t wanted, wanted_round;
	/* telling */
	uint64_t last_ns;	/* of its last event: a thread's time never goes back */
	uint64_t last_ticks, ticks_ns; /* the last conversion */
	uint64_t fork_token, parent_serial;
	uint64_t handler_of;	/* the lane's events belong to the thread of this serial's lane; 0 = its own */
	uint64_t generation;
	uint32_t view;
	struct ht_frames {	/* see lane_stacks.c */
		struct ht_frame_place { uint64_t word; uint32_t parent, node; } *table;
		uint32_t mask, view, missed;
		uint8_t shift;
	} frames;
	uint32_t *mirror;	/* node ids, outermost first */
	uint32_t depth, mirror_cap;
	struct { uint64_t address, seq, size, birth; bool known, any; } undo; /* the last REALLOC_FREE */
	uint64_t start_pc;	/* where the thread began, 0 = unknown */
	uint32_t name;
	uint64_t start_ns, end_ns;
};

/* --- the collector ------------------------------------------------------------------------ */

struct ht_watch; /* watch.c */
struct ht_beat;	 /* beat.c */
struct ht_arrival { /* said hello and was answered; begins when all that wait are answered, too */
	struct ht_guest *draft, *parent;
	struct ht_host *host;
	uint32_t own_pid;
};

struct ht_plain_batch { /* plain.c: told, but not written yet */
	struct ht_birth_death lives[4 * HT_QUEUE];
	unsigned count;
	uint64_t next_seq; /* of the next birth */
};

#define HT_TICK_LOG 256
struct ht_collector {
	const struct ht_collect_settings *settings;
	struct ht_trace_writer *writer; /* NULL until the first image has something to say */
	struct ht_interner intern;
	struct ht_labels labels;
	struct ht_tickclock clock;
	struct ht_plain_batch batch;
	struct ht_host *hosts;
	struct ht_guest *images, *closed;
	uint32_t image_count; /* of both */
	struct ht_lane **lanes, **heap, **waiting, **woken; /* of lane_cap each */
	size_t lane_count, lane_cap, heap_count, waiting_count, woken_count;
	size_t exiting;	 /* lanes that said so */
	uint64_t round;
	uint64_t now;	 /* ticks, when the round began */
	uint64_t cutoff; /* records stamped later wait for the next round */
	bool moved;	 /* this round told something */
	bool heap_stale; /* lanes were told out of turn */
	struct { uint64_t before, after; } tick_log[HT_TICK_LOG]; /* when the last ticks ended, in ticks of the clock */
	uint32_t tick_count;
	struct ht_watch *watch;
	struct ht_beat *beat;
	struct ht_switches *switches; /* NULL: not asked for */
	struct ht_source listen, listen_path, control;
	struct ht_arrival *arrivals;
	size_t arrival_count, arrival_cap;
	pid_t *unattached; /* alive when they were found not to be recorded */
	size_t unattached_count;
	unsigned connections;
	uint64_t memory_used, memory_cap;
	uint64_t next_serial, next_fork;
	uint32_t next_view;
	uint64_t next_tick, tick_ticks; /* in ticks: when, and how many a millisecond has */
	uint32_t tick;
	uint64_t next_look, next_look_exiting, next_look_quiet, next_flush; /* in ns */
	uint64_t next_refine, refine_wait;
	struct { uint64_t crowded_until, drained, looked, ran, waited; long preempted; } pace; /* all but the last in ns */
	uint64_t flushed_events;
	/* the end */
	pid_t command; /* 0 = not told */
	bool command_ended, control_closed, stop_asked;
	int command_status;
	bool closing;  /* the targets are told to stop */
	bool stopped;  /* nothing is written any more */
	struct ht_collect_result result;
	struct ht_trace_totals *totals; /* in result */
};

/* segment.c */
struct ht_host *ht_host_new(struct ht_collector *c, struct ht_diag *d);
void ht_host_free(struct ht_collector *c, struct ht_host *h);
struct ht_slot *ht_host_slot(const struct ht_host *h, uint32_t index);
/* Keeps spare slots ahead of need. */
void ht_host_replenish(struct ht_collector *c, struct ht_host *h);
/* A slot's counters into the totals; with reuse, its rings to the pool and the slot to the next thread. */
void ht_host_retire(struct ht_collector *c, struct ht_lane *l, bool reuse);
/* Does any process but us have it mapped? Only while it has no lanes. */
bool ht_host_mapped(struct ht_collector *c, struct ht_host *h);
/* Another ring for each lane that fills faster than it drains. */
void ht_host_offer(struct ht_collector *c, struct ht_host *h);
/* Bytes of the rings that the lane was offered and does not read yet. */
uint64_t ht_lane_chained(const struct ht_lane *l);
/* The thread went over to the first of them. */
void ht_host_move(struct ht_host *h, struct ht_lane *l);
uint64_t ht_ring_class_bytes(unsigned class);

/* welcome.c */
void ht_attach_accept(struct ht_collector *c, int listen_fd);
/* A connection that has something to say. */
void ht_attach_connection(struct ht_collector *c, struct ht_source *s);
/* trusted: a connection that we were given, no token needed. */
void ht_attach_hello(struct ht_collector *c, int fd, bool trusted);
/* Makes images of those that were answered. */
void ht_attach_begin(struct ht_collector *c);

/* guests.c */
/* Reads what is to be known of a process while it surely lives. */
struct ht_guest *ht_guest_draft(const struct ht_collector *c, pid_t pid);
void ht_guest_begin(struct ht_collector *c, struct ht_guest *draft, struct ht_host *h, uint32_t own_pid,
		    uint8_t kind, struct ht_guest *parent);
/* A quiet image for a forked child. pid: ours, 0 = not known. */
void ht_guest_expect(struct ht_collector *c, struct ht_host *h, const struct ht_fork_note *fork, pid_t pid,
		     uint32_t own_pid);
void ht_guest_free(struct ht_guest *i);
struct ht_guest *ht_guest_live(struct ht_collector *c, pid_t pid);
/* The image that a lane's thread belongs to; makes a forked child's. NULL: not known yet. */
struct ht_guest *ht_guest_of_lane(struct ht_collector *c, struct ht_lane *l, const struct ht_fork_note *fork);
/* A quiet one counts from now on. */
void ht_guest_wake(struct ht_collector *c, struct ht_guest *i);
/* A quiet child that runs on: it counts from now on, though it had no event. NULL: there is none of this number. */
struct ht_guest *ht_guest_rouse(struct ht_collector *c, pid_t pid);

/* guest_trace.c */
/* Before the first record of a lane is told. */
void ht_guest_lane_starts(struct ht_collector *c, struct ht_lane *l, uint64_t ticks);
/* A thread without a lane: its id in the trace. Fills in the rest of t. */
uint32_t ht_guest_add_thread(struct ht_collector *c, struct ht_guest *i, struct ht_thread_info *t, const char *name);
void ht_guest_write_thread(struct ht_collector *c, const struct ht_lane *l);
/* An image that never had an event still has a beginning and an end. */
void ht_guest_start_without_lane(struct ht_collector *c, struct ht_guest *i);
void ht_guest_write_end(struct ht_collector *c, struct ht_guest *i);
uint32_t ht_guest_view(struct ht_collector *c, struct ht_guest *i, uint64_t generation);

/* guest_ends.c */
/* Its process is gone (or, execed, runs another program): it closes when its rings are drained. */
void ht_guest_ending(struct ht_collector *c, struct ht_guest *i, bool execed);
/* Drops lanes of dead threads, closes images that ended, frees hosts that nobody maps. */
void ht_guests_close(struct ht_collector *c);
/* The trace is about to be closed: everything that runs is told to stop recording; what it told is told. */
void ht_guests_stop(struct ht_collector *c);
/* Then: names what runs, takes the totals, frees the hosts. */
void ht_guests_finish(struct ht_collector *c);
/* One more that runs and is not recorded. */
void ht_guests_name(struct ht_collector *c, pid_t pid);
/* A process with our token in its environment that is none of the images; 0 = none. Reads all of /proc. */
pid_t ht_guests_stranger(struct ht_collector *c);

/* pace.c */
/* Should the rings be left alone for now? */
bool ht_pace_rests(const struct ht_collector *c, uint64_t now_ns);
/* After each round. */
void ht_pace_drained(struct ht_collector *c, uint64_t now_ns);

/* lookout.c */
/* Looks for dead threads, programs that were replaced, RSS; does nothing until it is time. */
void ht_guests_look(struct ht_collector *c, uint64_t now_ns);
/* A process whose program is not recorded: counted once, however often it is come across. */
void ht_guests_unattached(struct ht_collector *c, pid_t pid);

/* children.c */
const struct ht_fork_note *ht_child_fork(const struct ht_host *h, uint64_t token);
void ht_child_forget_fork(struct ht_host *h, const struct ht_fork_note *fork);
struct ht_guest *ht_child_quiet(const struct ht_collector *c, const struct ht_host *h, uint64_t token);
/* A FORKED record. pid: as the parent sees it, 0 = fork failed. */
void ht_child_forked(struct ht_collector *c, struct ht_host *h, uint64_t token, uint64_t pid);
/* A quiet child that maps its segment no more: it runs another program. */
bool ht_child_left(const struct ht_guest *i);

/* beat.c: moves the heartbeats of the segments it was given, until they are taken back. */
struct ht_beat *ht_beat_new(void);
void ht_beat_free(struct ht_beat *b);
void ht_beat_add(struct ht_beat *b, struct ht_segment *s);
void ht_beat_remove(struct ht_beat *b, struct ht_segment *s);

/* drain.c */
/* One round over all lanes. True: a lane waits for another round. */
bool ht_drain_round(struct ht_collector *c);
/* Rounds until what is published now is told. */
void ht_drain_all(struct ht_collector *c);
/* Something that a waiting lane may want has been told. of: the image for births and deaths, else the host. */
void ht_drain_told(struct ht_collector *c, const void *of, uint8_t want, uint64_t what);
/* Can no other lane of its image (family: of its host) tell what this one misses? */
bool ht_drain_alone(struct ht_collector *c, const struct ht_lane *l, bool family);
/* Does a birth at its address, of before this death, still wait for what is live there to die? Then this is not its death. */
bool ht_wait_for_older(const struct ht_collector *c, const struct ht_lane *l, const struct ht_record *death);
/* Has any thread published something that was not seen? */
bool ht_drain_pending(struct ht_collector *c);
/* Everything that its thread has published is told. */
bool ht_lane_drained(struct ht_lane *l);
/* Forgets a lane and hands its slot back. reuse: its thread is surely dead. */
void ht_lane_drop(struct ht_collector *c, struct ht_lane *l, bool reuse);

/* event.c */
/* Tells the record, or says what it must wait for. */
enum ht_want ht_event_tell(struct ht_collector *c, struct ht_lane *l, const struct ht_record *r, uint64_t *wanted);
/* ns of the next event of a lane that carries or inherits ticks. */
static inline uint64_t ht_event_time(const struct ht_collector *c, struct ht_lane *l, uint64_t ticks)
{
	if (ticks != l->last_ticks) {
		l->last_ticks = ticks;
		l->ticks_ns = ticks ? ht_tickclock_ns(&c->clock, ticks) : 0;
	}
	return l->ticks_ns > l->last_ns ? l->ticks_ns : l->last_ns;
}

/* times.c */
/* A wait, a wake or a stall, with the node of its stack: into the trace. */
void ht_times_tell(struct ht_collector *c, struct ht_lane *l, const struct ht_record *r, uint32_t node);

/* switches.c; each does nothing where switches were not asked for */
void ht_switches_open(struct ht_collector *c);
void ht_switches_release(struct ht_collector *c);
const char *ht_switches_source(const struct ht_collector *c); /* for the trace's header */
/* A process says hello: it is followed from now on at the latest, or polled. */
void ht_switches_welcome(struct ht_collector *c, struct ht_guest *draft, const struct ht_guest *parent);
/* The image is what its process runs, as far as the kernel's records have been read. */
void ht_switches_image(struct ht_collector *c, struct ht_guest *i);
/* A lane starts. UINT32_MAX: its thread is not in the trace yet; then _lane tells which one it has become. */
uint32_t ht_switches_thread(struct ht_collector *c, struct ht_lane *l);
void ht_switches_lane(struct ht_collector *c, struct ht_lane *l);
/* What is to be known of an image's threads once a second, of one that says that it ends, of a process that ended (known: as
 * whoever waited for it found it, NULL: not told). */
void ht_switches_sample(struct ht_collector *c, const struct ht_guest *i);
void ht_switches_exiting(struct ht_collector *c, const struct ht_lane *l);
void ht_switches_ended(struct ht_collector *c, const struct ht_guest *i, const struct ht_schedstat_words *known);
/* A quiet child ended: is it to count, for the time that it ran? Only where the hook records nothing that would tell of it. */
bool ht_switches_claim(struct ht_collector *c, struct ht_guest *i);
/* An image is closed: what is held for threads of it is told. */
void ht_switches_close(struct ht_collector *c, const struct ht_guest *i);
/* Reads what the kernel has written; polls, when it is time. */
void ht_switches_round(struct ht_collector *c, uint64_t now_ns);
/* Something ran lately that is polled: do not sleep for long. */
bool ht_switches_busy(const struct ht_collector *c);
/* Counts what was lost; the kernel tells nothing from now on. */
void ht_switches_finish(struct ht_collector *c);

/* plain.c */
/* Tells up to n of the lane's next records, whose stacks are known, up to the first that is not simple: how many. */
unsigned ht_plain_tell(struct ht_collector *c, struct ht_lane *l, unsigned n);
/* Writes what it told; before any other event is. */
void ht_plain_flush(struct ht_collector *c);

/* lane_stacks.c */
/* Brings the mirror up to date; *leaf: the stack's node, 0 = empty. MODULE: wait for that of the pc *wanted; NEVER: the
 * record cannot be right. */
enum ht_want ht_stack_apply(struct ht_collector *c, struct ht_lane *l, const struct ht_record *r, uint32_t *leaf, uint64_t *wanted);
/* The same for n plain records ahead of being told: how many, up to one whose module may still come, or that cannot be right.
 * Without a stack: 0, as with one that is refused. */
unsigned ht_stack_apply_plain(struct ht_collector *c, struct ht_lane *l, const struct ht_record *r, unsigned n, uint32_t *leaf);
void ht_frames_release(struct ht_collector *c, struct ht_frames *f);

/* collector.c */
/* ht_collect_run in parts: says ready, hears hello_fd; closes the trace; frees. The loop stands between. */
void ht_collector_init(struct ht_collector *c, const struct ht_collect_settings *s);
void ht_collector_finish(struct ht_collector *c);
void ht_collector_release(struct ht_collector *c);
/* Makes the writer, when there is none yet. */
void ht_collector_begin(struct ht_collector *c);
uint64_t ht_collector_ns(const struct ht_collector *c); /* since time 0 */
/* Nothing is written from now on. failure: the writer's words; NULL: the size limit. */
void ht_collector_stop(struct ht_collector *c, const struct ht_diag *failure);
/* Changes the tick when a millisecond has passed. */
void ht_collector_tick(struct ht_collector *c, uint64_t ticks);

/* watch.c */
struct ht_watch *ht_watch_new(void);
void ht_watch_free(struct ht_watch *w);
void ht_watch_add(struct ht_watch *w, struct ht_source *s);
void ht_watch_remove(struct ht_watch *w, struct ht_source *s);
/* A source that is ready, or NULL. look: ask the kernel, even if the helper has not said anything. */
struct ht_source *ht_watch_next(struct ht_watch *w, bool look);
/* Sleeps until a source is ready, a thread needs us, or ns have passed. */
void ht_watch_sleep(struct ht_watch *w, const struct ht_host *hosts, uint64_t ns);

#endif
