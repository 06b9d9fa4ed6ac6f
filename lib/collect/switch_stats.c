/*
 * switch_stats: the kernel's sums of the threads that runners stand for, as /proc has them. With perf's switches they
 * say what these leave open, so a thread is read the more often the younger it is: nobody can read it any more when
 * it is gone. Without, they are all there is.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "switches.h"

#define MS 1000000ull
#define POLL (10 * MS)
#define POLL_SHARE 20	 /* of the time, at most, goes into polling */
#define STATS MS	 /* between two readings of a thread that runs: at least, and this share of its age */
#define STATS_AGE 128
#define STATS_SHARE 50	 /* of the time, at most, goes into them */
#define STAT_TAKES 20000 /* ns: more, and the recorder was put aside meanwhile: it is read again */
#define STAT_TRIES 3
#define STAT_USELESS 200000 /* ns: nobody knows as of when it is */
#define STATS_HELD 256u	 /* a power of two: of one that is not bound yet; then the last one makes room */
#define SOON (50 * MS)	 /* the collector wakes by itself */

/* --- reading one --------------------------------------------------------------------------- */

static void write_stat_of(struct ht_collector *c, uint32_t thread, uint64_t time_ns, const struct ht_schedstat_words *w)
{
	if (!c->stopped && c->writer)
		ht_trace_writer_schedstat(c->writer, &(struct ht_schedstat){thread, time_ns, w->running_ns,
									    w->runnable_ns, w->slices});
}

static void write_stat(struct ht_collector *c, uint32_t thread, const struct ht_schedstat_words *w)
{
	write_stat_of(c, thread, ht_collector_ns(c), w);
}

/* It has `last` now. */
static void tell_stat(struct ht_collector *c, struct ht_runner *r, uint64_t time_ns)
{
	r->stat_ns = time_ns;
	if (r->thread != HT_NO_THREAD) {
		write_stat_of(c, r->thread, time_ns, &r->last);
		return;
	}
	if (r->stat_count == r->stat_cap && r->stat_cap < STATS_HELD) {
		r->stat_cap = r->stat_cap ? 2 * r->stat_cap : 4;
		r->stats = ht_xrealloc(r->stats, r->stat_cap, sizeof(*r->stats));
	}
	r->stat_count += r->stat_count < r->stat_cap;
	r->stats[r->stat_count - 1] = (struct ht_stat_held){time_ns, r->last};
}

void ht_switches_held_stats(struct ht_collector *c, struct ht_runner *r)
{
	for (uint32_t i = 0; i < r->stat_count; i++)
		write_stat_of(c, r->thread, r->stats[i].time_ns, &r->stats[i].words);
	free(r->stats);
	r->stats = NULL;
	r->stat_count = r->stat_cap = 0;
}

bool ht_switches_read_stat(struct ht_collector *c, struct ht_runner *r)
{
	struct ht_schedstat_words w;
	uint64_t before, after = 0, took = UINT64_MAX;
	for (unsigned i = 0; i < STAT_TRIES && took > STAT_TAKES; i++) {
		before = ht_collector_ns(c);
		if (!ht_schedstat_read(r->term->pid, r->tid, &w) || !memcmp(&w, &r->last, sizeof(w)))
			return false;
		after = ht_collector_ns(c);
		took = after - before;
	}
	if (took > STAT_USELESS && !(r->term->image && r->term->image->polled))
		return false;
	r->last = w;
	tell_stat(c, r, after);
	return true;
}

/* --- beside switches -------------------------------------------------------------------------- */

void ht_switches_stat(struct ht_collector *c, struct ht_runner *r)
{
	if (!c->switches->wanted || r->ended || !(r->ran || r->term->image->polled))
		return;
	r->ran = r->running;
	ht_switches_read_stat(c, r);
}

struct sampling {
	struct ht_collector *c;
	const struct ht_guest *image;
};

static bool sample_one(void *ctx, struct ht_runner *r)
{
	const struct sampling *t = ctx;
	if (r->term->image == t->image && r->thread != HT_NO_THREAD)
		ht_switches_stat(t->c, r);
	return true;
}

void ht_switches_sample(struct ht_collector *c, const struct ht_guest *i)
{
	struct sampling t = {c, i};
	if (c->switches && c->switches->wanted && !i->polled)
		ht_runners_each(c->switches, sample_one, &t);
}

struct dueing {
	struct ht_collector *c;
	uint64_t now;
	bool busy;
};

static bool read_if_due(void *ctx, struct ht_runner *r)
{
	struct dueing *d = ctx;
	if (!r->ran || r->ended || !r->term->image || r->term->image->polled)
		return true;
	uint64_t age = d->now > r->begin_ns ? d->now - r->begin_ns : 0, each = age / STATS_AGE;
	/* One that runs on without a switch would say what it said. */
	if (r->last_ns > r->stat_ns && d->now >= r->stat_ns + (each > STATS ? each : STATS)) {
		ht_switches_stat(d->c, r);
		r->stat_ns = d->now;
	}
	d->busy |= each < SOON; /* else it is soon enough when the collector wakes by itself */
	return true;
}

static uint64_t own_cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void read_due(struct ht_collector *c, uint64_t now)
{
	struct ht_switches *s = c->switches;
	struct dueing d = {c, now, false};
	uint64_t before = own_cpu_ns(); /* not the clock: it may be put aside here, just when there is much to know */
	ht_runners_each(s, read_if_due, &d);
	uint64_t took = own_cpu_ns() - before;
	s->next_stats = now + (took * STATS_SHARE > STATS ? took * STATS_SHARE : STATS);
	s->stats_busy = d.busy;
}

void ht_switches_exiting(struct ht_collector *c, const struct ht_lane *l)
{
	struct ht_schedstat_words w;
	if (c->switches && c->switches->wanted && l->kernel_tid && ht_schedstat_read(l->image->pid, l->kernel_tid, &w))
		write_stat(c, l->thread, &w);
}

void ht_switches_ended(struct ht_collector *c, const struct ht_guest *i, const struct ht_schedstat_words *known)
{
	struct ht_schedstat_words w;
	if (!c->switches || !c->switches->wanted || !i->main_thread)
		return;
	if (known)
		write_stat(c, i->main_thread - 1, known);
	else if (i->pid && ht_schedstat_read(i->pid, i->pid, &w))
		write_stat(c, i->main_thread - 1, &w);
}

/* --- instead of switches ---------------------------------------------------------------------- */

struct polling {
	struct ht_collector *c;
	struct ht_term *term;
	uint64_t now;
};

static bool poll_one(void *ctx, pid_t tid)
{
	const struct polling *p = ctx;
	struct ht_runner *r = ht_runner_live(p->c->switches, tid);
	if (r && r->term != p->term) { /* its number was another process' */
		r->ended = true;
		r->end_ns = p->now;
		r = NULL;
	}
	if (!r)
		r = ht_runner_new(p->c->switches, tid, p->term, p->now);
	r->last_ns = p->now;
	if (r->thread != HT_NO_THREAD && ht_switches_read_stat(p->c, r))
		p->c->switches->poll_busy = true;
	return true;
}

static void poll_images(struct ht_collector *c, uint64_t now)
{
	c->switches->poll_busy = false;
	for (struct ht_guest *i = c->images; i; i = i->next) {
		if (!i->polled || i->quiet || i->state != HT_GUEST_LIVE || !i->pid)
			continue;
		struct polling p = {c, ht_term_of_image(c->switches, i), now};
		ht_schedstat_threads(i->pid, poll_one, &p);
	}
}

void ht_switches_read_stats(struct ht_collector *c, uint64_t now)
{
	struct ht_switches *s = c->switches;
	if (now >= s->next_poll) {
		poll_images(c, now);
		uint64_t took = ht_collector_ns(c) - now;
		s->next_poll = now + (took * POLL_SHARE > POLL ? took * POLL_SHARE : POLL);
	}
	if (s->perf && now >= s->next_stats)
		read_due(c, now);
}

bool ht_switches_busy(const struct ht_collector *c)
{
	return c->switches && (c->switches->poll_busy || c->switches->stats_busy);
}
