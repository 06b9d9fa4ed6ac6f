/*
 * switches: what the kernel says about when threads ran, brought together with the threads that rings tell of.
 *
 * A runner is one thread as the kernel knows it: a number of ours from its beginning to its end. A term is one
 * program in one process, the same as an image, but known before its image is (or without one ever: a program that is
 * not recorded). Runners are bound to threads of the trace when their lane tells its first record; what they did
 * before is held until then. One that has no lane after a while, but belongs to an image, becomes a thread of the
 * trace by itself. What belongs to no image is forgotten.
 *
 *	perf, per CPU          each switch (perf_events.h); schedstats of those that ran, the younger the more often
 *	schedstat every 10 ms  where perf is refused: of every thread
 */
#ifndef HT_SWITCHES_H
#define HT_SWITCHES_H

#include "collector.h"
#include "perf_events.h"
#include "schedstat.h"

#define HT_NO_THREAD UINT32_MAX
#define HT_RUNNER_WAITS 1000000000ull /* ns: without a lane, before it becomes a thread of its own */
#define HT_RUNNER_COUNTS 10000000ull  /* ns: of a child that has become another program, for it to count by itself */
#define HT_RUNNER_STAYS 2000000000ull /* ns: that ended, for a lane that is told late */
#define HT_STAMP_SLACK 2000000ull     /* ns by which a lane's first stamp may be off: a tick, and a little */
#define HT_CODE_PLACES 1024u

struct ht_term {
	struct ht_term *next; /* newest first */
	pid_t pid;	      /* as we see it */
	struct ht_guest *image; /* NULL: not known, or none */
	uint32_t runners;
	bool forked;		/* its first thread was told of by a FORK */
};
struct ht_held { /* kept until its runner is bound */
	uint64_t time_ns, address, ip;
	uint16_t cpu;
	uint8_t kind; /* enum ht_perf_kind */
};
struct ht_stat_held {
	uint64_t time_ns;
	struct ht_schedstat_words words;
};
struct ht_runner {
	struct ht_runner *chain; /* of its bucket, newest first */
	struct ht_term *term;
	pid_t tid;		 /* as we see it */
	uint32_t thread;	 /* id in the trace, or HT_NO_THREAD */
	bool sure;		 /* its beginning was told by the kernel */
	bool running, ended;
	bool own;		 /* its thread was added to the trace without a lane */
	bool ran;		 /* since its last schedstat */
	bool born;		 /* a FORK told of it: it waits for a processor from begin_ns on */
	uint16_t cpu;
	uint64_t begin_ns, end_ns, last_ns;
	struct ht_held *held;
	uint32_t held_count, held_cap;
	uint64_t dropped;	 /* of what would be held, for lack of room */
	struct ht_schedstat_words last;
	uint64_t stat_ns;	 /* when that was tried; 0: never */
	struct ht_stat_held *stats; /* what was read before it was bound; of very many the last one is the newest */
	uint32_t stat_count, stat_cap;
	struct ht_thread_info info; /* if it is `own` */
};
struct ht_code_place { /* where a fault came lately */
	uint64_t ip;
	const struct ht_guest *image;
	uint32_t node;
};
struct ht_switches {
	struct ht_perf *perf; /* NULL: refused, or not asked for */
	bool wanted;	      /* --events has sched */
	char source[160];
	struct ht_source *sources; /* of perf's buffers, in the watch */
	struct ht_term *terms;
	struct ht_runner **buckets;
	uint32_t bucket_mask, runner_count;
	size_t held_count;	/* of all runners */
	uint64_t told_lost;	/* by the kernel's records */
	uint64_t next_poll, next_settle, next_stats; /* ns */
	bool poll_busy;			 /* the last poll saw something run */
	bool stats_busy;		 /* a schedstat will be due before long */
	struct ht_code_place places[HT_CODE_PLACES];
};

/* runners.c */
void ht_runners_init(struct ht_switches *s);
void ht_runners_release(struct ht_switches *s);
/* The newest one in the bucket of this number; the others are in its chain, with those of other numbers. */
struct ht_runner *ht_runner_first(const struct ht_switches *s, pid_t tid);
/* The one that lives, or NULL. */
struct ht_runner *ht_runner_live(const struct ht_switches *s, pid_t tid);
/* Of this term, or of none known yet (NULL). */
struct ht_runner *ht_runner_new(struct ht_switches *s, pid_t tid, struct ht_term *term, uint64_t begin_ns);
void ht_runner_free(struct ht_switches *s, struct ht_runner *r);
struct ht_term *ht_term_new(struct ht_switches *s, pid_t pid);
/* The newest one of this process; makes one where there is none. */
struct ht_term *ht_term_of(struct ht_switches *s, pid_t pid);
/* Those of this image that have no runners. */
void ht_terms_free(struct ht_switches *s, const struct ht_guest *image);
/* For each, until visit says false; visit may free the one it is given. */
void ht_runners_each(struct ht_switches *s, bool (*visit)(void *ctx, struct ht_runner *r), void *ctx);
/* False: no room. */
bool ht_runner_hold(struct ht_switches *s, struct ht_runner *r, const struct ht_held *h);
/* What it holds, but for the first ones. */
void ht_runner_forget(struct ht_switches *s, struct ht_runner *r, uint32_t but);

/* switch_telling.c */
/* Takes one record of the kernel's. */
void ht_switches_take(struct ht_collector *c, const struct ht_perf_record *p);
void ht_switches_lose(struct ht_collector *c, uint64_t n);
/* It is this thread of the trace: tells what it held. May free it, if it has ended. */
void ht_switches_bind(struct ht_collector *c, struct ht_runner *r, uint32_t thread);
/* From time to time: binds what waited long enough, forgets what nobody wants. */
void ht_switches_settle(struct ht_collector *c, uint64_t now);

/* switches.c */
/* Reads what the kernel has written until now. */
void ht_switches_drain(struct ht_collector *c);
/* The term whose image this is, or is to be. */
struct ht_term *ht_term_of_image(struct ht_switches *s, struct ht_guest *i);

/* switch_stats.c */
/* Its schedstat is read, and told when it is bound. True: it is another one than the last. */
bool ht_switches_read_stat(struct ht_collector *c, struct ht_runner *r);
/* The same, if it has run since the last one. */
void ht_switches_stat(struct ht_collector *c, struct ht_runner *r);
/* It is bound now: what was read of it before. */
void ht_switches_held_stats(struct ht_collector *c, struct ht_runner *r);
/* Of those for which it is time. */
void ht_switches_read_stats(struct ht_collector *c, uint64_t now);

#endif
