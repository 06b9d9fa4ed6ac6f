/*
 * switches: where the kernel's word on threads comes from, and what the other files of this folder tell of images and
 * lanes; see switches.h. Nothing here may fail: what cannot be had is replaced by less, and the trace's header says
 * by what.
 */
#include "switches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code_maps.h"
#include "procfs.h"

#define MS 1000000ull
#define SETTLE (100 * MS)

/* --- the source --------------------------------------------------------------------------- */

static void name_source(struct ht_switches *s, bool faults, const char *why)
{
	bool missing = faults && !(s->perf && ht_perf_has_faults(s->perf));
	size_t n = sizeof(s->source), at = 0;
	s->source[0] = '\0';
	if (s->wanted)
		at = (size_t)(s->perf ? snprintf(s->source, n, "perf, per CPU")
				      : snprintf(s->source, n, "schedstat every 10 ms (perf: %s)", why));
	if (missing && s->wanted && !s->perf)
		snprintf(s->source + at, n - at, ", no page faults");
	else if (missing)
		snprintf(s->source + at, n - at, "%sno page faults (%s)", at ? ", " : "", why);
}

static void watch_buffers(struct ht_collector *c)
{
	struct ht_switches *s = c->switches;
	unsigned n = ht_perf_buffers(s->perf);
	s->sources = ht_xcalloc(n, sizeof(*s->sources));
	for (unsigned i = 0; i < n; i++) {
		s->sources[i] = (struct ht_source){.kind = HT_SOURCE_SWITCHES, .fd = ht_perf_descriptor(s->perf, i)};
		ht_watch_add(c->watch, &s->sources[i]);
	}
}

void ht_switches_open(struct ht_collector *c)
{
	uint32_t options = c->settings->hook_options;
	struct ht_perf_wishes wishes = {
		.switches = options & HT_OPT_SCHED,
		.faults = options & HT_OPT_FAULT,
		.cpus_max = HT_PERF_CPUS_MAX,
	};
	char why[80];
	if (!wishes.switches && !wishes.faults)
		return;
	struct ht_switches *s = c->switches = ht_xcalloc(1, sizeof(*s));
	ht_runners_init(s);
	s->wanted = wishes.switches;
	s->perf = ht_perf_new(&wishes, why);
	name_source(s, wishes.faults, why);
	if (s->perf)
		watch_buffers(c);
}

static void drop_perf(struct ht_collector *c)
{
	struct ht_switches *s = c->switches;
	for (unsigned i = 0; i < ht_perf_buffers(s->perf); i++)
		ht_watch_remove(c->watch, &s->sources[i]);
	ht_perf_free(s->perf);
	free(s->sources);
	s->perf = NULL;
	s->sources = NULL;
}

void ht_switches_release(struct ht_collector *c)
{
	struct ht_switches *s = c->switches;
	if (!s)
		return;
	ht_runners_release(s);
	if (s->perf)
		drop_perf(c);
	free(s);
	c->switches = NULL;
}

const char *ht_switches_source(const struct ht_collector *c)
{
	return c->switches ? c->switches->source : "";
}

/* Was it told of by events that it inherited? A record of its beginning may have been lost. */
static bool inherits(const struct ht_switches *s, pid_t pid, const struct ht_guest *parent)
{
	const struct ht_runner *r = ht_runner_live(s, pid);
	return (r && r->sure) || (s->told_lost && parent && !parent->polled);
}

/* Its process waits for our answer, so that the kernel's sums are exact: what lies before what is told of it. */
static void read_first_stat(struct ht_collector *c, pid_t pid)
{
	struct ht_runner *r = ht_runner_live(c->switches, pid);
	if (c->switches->wanted && r && !r->stat_ns)
		ht_switches_read_stat(c, r);
}

/* True: the kernel tells of it. */
static bool follow(struct ht_collector *c, const struct ht_guest *i, const struct ht_guest *parent)
{
	struct ht_switches *s = c->switches;
	if (!s->perf)
		return false;
	ht_switches_drain(c);
	if (inherits(s, i->pid, parent))
		return true;
	int e = ht_perf_follow(s->perf, i->pid);
	if (!e) {
		ht_runner_new(s, i->pid, ht_term_new(s, i->pid), ht_collector_ns(c))->sure = true;
		return true;
	}
	if (!c->writer && !c->images) { /* the header is not written yet, and may still name the other source */
		drop_perf(c);
		name_source(s, c->settings->hook_options & HT_OPT_FAULT, ht_perf_reason(e));
	}
	return false;
}

void ht_switches_welcome(struct ht_collector *c, struct ht_guest *i, const struct ht_guest *parent)
{
	if (!c->switches)
		return;
	i->polled = !follow(c, i, parent);
	if (!i->polled)
		read_first_stat(c, i->pid);
	if (!i->polled && ht_perf_has_faults(c->switches->perf))
		ht_code_maps_look(c, i); /* it may be gone when its first fault is told */
}

void ht_switches_drain(struct ht_collector *c)
{
	struct ht_switches *s = c->switches;
	struct ht_perf_record r;
	if (!s || !s->perf)
		return;
	uint64_t before = ht_monotonic_ns(); /* what is stamped later may follow on what another buffer does not show yet */
	ht_perf_look(s->perf);
	while (ht_perf_next(s->perf, before, &r))
		ht_switches_take(c, &r);
	ht_perf_done(s->perf);
}

/* --- images and lanes --------------------------------------------------------------------- */

struct ht_term *ht_term_of_image(struct ht_switches *s, struct ht_guest *i)
{
	for (struct ht_term *l = s->terms; l; l = l->next)
		if (l->image == i)
			return l;
	struct ht_term *l = ht_term_of(s, i->pid);
	if (l->image)
		l = ht_term_new(s, i->pid);
	l->image = i;
	return l;
}

void ht_switches_image(struct ht_collector *c, struct ht_guest *i)
{
	if (c->switches && i->pid)
		ht_term_of_image(c->switches, i);
}

static pid_t tid_of(const struct ht_lane *l)
{
	const struct ht_guest *i = l->image;
	if (!i->pid)
		return 0;
	if (l->tid == i->own_pid)
		return i->pid;
	return i->host->nested || (uint32_t)i->pid != i->own_pid ? ht_proc_find_tid(i->pid, l->tid) : (pid_t)l->tid;
}

static bool overlaps(const struct ht_runner *r, const struct ht_lane *l, uint64_t slack)
{
	return (!r->sure || r->begin_ns <= l->start_ns + slack) && (!r->ended || r->end_ns + slack >= l->start_ns);
}

/* 0: it cannot be the lane's thread. A lane's first stamp may be off; which image it is of is sure. */
static unsigned fitness(const struct ht_runner *r, const struct ht_lane *l)
{
	bool open = r->tid == l->kernel_tid && (r->thread == HT_NO_THREAD || r->own);
	if (!open || (r->term->image && r->term->image != l->image) || !overlaps(r, l, HT_STAMP_SLACK))
		return 0;
	return 1 + (r->term->image ? 2 : 0) + overlaps(r, l, 0);
}

static struct ht_runner *find(const struct ht_switches *s, const struct ht_lane *l)
{
	struct ht_runner *best = NULL;
	unsigned fit = 0;
	for (struct ht_runner *r = ht_runner_first(s, l->kernel_tid); r; r = r->chain)
		if (fitness(r, l) > fit) {
			best = r;
			fit = fitness(r, l);
		}
	return best;
}

uint32_t ht_switches_thread(struct ht_collector *c, struct ht_lane *l)
{
	struct ht_switches *s = c->switches;
	if (!s)
		return HT_NO_THREAD;
	l->kernel_tid = tid_of(l);
	struct ht_runner *r = l->kernel_tid ? find(s, l) : NULL;
	if (!r && l->kernel_tid) {
		ht_switches_drain(c);
		r = find(s, l);
	}
	if (!r)
		return HT_NO_THREAD;
	r->term->image = l->image;
	if (r->born && r->begin_ns < l->start_ns) /* its first wait for a processor is a part of its life */
		l->start_ns = r->begin_ns;
	if (r->thread == HT_NO_THREAD)
		return HT_NO_THREAD;
	r->own = false;
	return r->thread;
}

void ht_switches_lane(struct ht_collector *c, struct ht_lane *l)
{
	struct ht_switches *s = c->switches;
	if (!s || !l->kernel_tid)
		return;
	struct ht_runner *r = find(s, l);
	if (!r && !ht_runner_live(s, l->kernel_tid))
		r = ht_runner_new(s, l->kernel_tid, ht_term_of_image(s, l->image), l->start_ns);
	if (r)
		ht_switches_bind(c, r, l->thread);
}

/* --- round after round ------------------------------------------------------------------------ */

void ht_switches_round(struct ht_collector *c, uint64_t now)
{
	struct ht_switches *s = c->switches;
	if (!s)
		return;
	if (c->stopped) { /* nothing is written any more: the target shall not pay for it */
		ht_switches_finish(c);
		return;
	}
	if (s->perf && ht_perf_pending(s->perf))
		ht_switches_drain(c);
	if (s->wanted)
		ht_switches_read_stats(c, now);
	if (now >= s->next_settle) {
		s->next_settle = now + SETTLE;
		ht_switches_settle(c, now);
	}
}

void ht_switches_finish(struct ht_collector *c)
{
	struct ht_switches *s = c->switches;
	if (!s || !s->perf)
		return;
	ht_switches_drain(c);
	uint64_t lost = ht_perf_lost(s->perf);
	if (lost > s->told_lost)
		ht_switches_lose(c, lost - s->told_lost);
	drop_perf(c);
}
