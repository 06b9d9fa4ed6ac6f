/*
 * switch_telling: the kernel's records, one after the other in the order of time, into the trace or into what is
 * held; see switches.h.
 *
 * A thread that ends is on a processor, and nothing is told of its leaving it: EXIT stands for that. An exec ends one
 * term and begins another in the middle of a slice: for the trace, one thread leaves the processor and the next one
 * comes onto it.
 */
#include <string.h>

#include "code_maps.h"
#include "procfs.h"
#include "switches.h"

static uint64_t since_start(const struct ht_collector *c, uint64_t monotonic)
{
	return monotonic > c->clock.start_mono ? monotonic - c->clock.start_mono : 0;
}

void ht_switches_lose(struct ht_collector *c, uint64_t n)
{
	c->totals->lost[HT_LOST_SCHED] += n;
	c->totals->counted += n; /* = recorded + lost; what was not lost is not in it */
}

/* --- into the trace ----------------------------------------------------------------------- */

/* The node of the one frame at which a fault came. False: in no module that is known yet. */
static bool node_of_fault(struct ht_collector *c, const struct ht_guest *i, uint64_t ip, uint32_t *node)
{
	struct ht_code_place *place = &c->switches->places[(ip ^ ip >> 12) % HT_CODE_PLACES];
	if (place->ip == ip && place->image == i) {
		*node = place->node;
		return true;
	}
	const struct ht_mapping *m = i->space ? ht_space_nearest(i->space, HT_GENERATION_NEWEST, ip) : NULL;
	struct ht_stack_node n = {
		.module = m && m->module != HT_NO_MODULE ? m->module + 1 : 0,
		.address = m ? ip - m->bias : ip,
		.flags = HT_FRAME_SIGNAL, /* exact, no return address */
	};
	*node = ht_intern_node(&c->intern, &n);
	if (*node == HT_NODE_REFUSED)
		*node = 0;
	if (m)
		*place = (struct ht_code_place){ip, i, *node};
	return m != NULL;
}

/* wait: a fault at code that nobody has named yet shall wait until the ring has told of its module. False: it waits. */
static bool write_one(struct ht_collector *c, const struct ht_runner *r, const struct ht_held *h, bool wait)
{
	static const uint8_t how[] = {
		[HT_PERF_IN] = HT_SWITCH_IN,
		[HT_PERF_BLOCKED] = HT_SWITCH_BLOCKED,
		[HT_PERF_PREEMPTED] = HT_SWITCH_PREEMPTED,
	};
	uint32_t node;
	if (c->stopped)
		return true;
	if (h->kind != HT_PERF_FAULT) {
		ht_trace_writer_switch(c->writer, &(struct ht_switch){how[h->kind], h->cpu, r->thread, h->time_ns});
		return true;
	}
	if (!node_of_fault(c, r->term->image, h->ip, &node)) {
		ht_code_maps_note(c, r->term->image, h->ip);
		if (wait)
			return false;
		if (ht_code_maps_describe(c, r->term->image, h->ip))
			node_of_fault(c, r->term->image, h->ip, &node);
	}
	ht_trace_writer_fault(c->writer, &(struct ht_fault){r->thread, node, h->time_ns, h->address});
	return true;
}

static void tell_held(struct ht_collector *c, struct ht_runner *r, bool wait)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < r->held_count; i++)
		if (!write_one(c, r, &r->held[i], wait))
			r->held[kept++] = r->held[i];
	ht_runner_forget(c->switches, r, kept);
}

void ht_switches_bind(struct ht_collector *c, struct ht_runner *r, uint32_t thread)
{
	r->thread = thread;
	ht_switches_held_stats(c, r);
	tell_held(c, r, true);
	ht_switches_lose(c, r->dropped);
	r->dropped = 0;
	if (r->ended && !r->own && !r->held_count)
		ht_runner_free(c->switches, r);
}

/* What its own process calls it. */
static uint32_t own_tid(const struct ht_runner *r)
{
	const struct ht_guest *i = r->term->image;
	if (!i->host->nested && (uint32_t)i->pid == i->own_pid)
		return (uint32_t)r->tid;
	if (r->tid == i->pid)
		return i->own_pid;
	uint32_t own = ht_proc_own_tid(i->pid, r->tid);
	return own ? own : (uint32_t)r->tid;
}

/* Makes a thread of the trace of it; its term has an image. */
static void adopt(struct ht_collector *c, struct ht_runner *r)
{
	struct ht_guest *i = r->term->image;
	if (c->stopped || !i || i->quiet || !i->host) /* it has not begun, or is over */
		return;
	char name[16] = "";
	if (!r->ended)
		ht_proc_comm(i->pid, r->tid, name);
	r->info = (struct ht_thread_info){.tid = own_tid(r), .start_ns = r->begin_ns, .end_ns = r->end_ns};
	r->own = true;
	ht_switches_bind(c, r, ht_guest_add_thread(c, i, &r->info, name));
}

static void tell(struct ht_collector *c, struct ht_runner *r, const struct ht_held *h)
{
	if (r->thread == HT_NO_THREAD) {
		if (ht_runner_hold(c->switches, r, h))
			return;
		adopt(c, r);
		if (r->thread == HT_NO_THREAD) {
			r->dropped++;
			return;
		}
	}
	if (!write_one(c, r, h, true) && !ht_runner_hold(c->switches, r, h))
		write_one(c, r, h, false);
}

/* --- records ------------------------------------------------------------------------------ */

static struct ht_runner *runner_of(struct ht_collector *c, const struct ht_perf_record *p, uint64_t now)
{
	struct ht_runner *r = ht_runner_live(c->switches, (pid_t)p->tid);
	if (!r)
		r = ht_runner_new(c->switches, (pid_t)p->tid, ht_term_of(c->switches, (pid_t)p->pid), now);
	r->sure = true;
	return r;
}

static void take_switch(struct ht_collector *c, struct ht_runner *r, unsigned kind, unsigned cpu, uint64_t now)
{
	r->running = kind == HT_PERF_IN;
	r->ran = true;
	r->cpu = (uint16_t)cpu;
	r->last_ns = now;
	if (c->switches->wanted)
		tell(c, r, &(struct ht_held){.time_ns = now, .cpu = (uint16_t)cpu, .kind = (uint8_t)kind});
}

/* It ends, by itself or by becoming another program. */
static void end_runner(struct ht_collector *c, struct ht_runner *r, unsigned cpu, uint64_t now)
{
	if (r->running)
		take_switch(c, r, HT_PERF_BLOCKED, cpu, now);
	r->ended = true;
	r->end_ns = now;
	if (r->thread == HT_NO_THREAD)
		return;
	if (!r->own && !r->held_count) {
		ht_runner_free(c->switches, r);
	} else if (r->own && !c->stopped) {
		r->info.end_ns = now;
		ht_trace_writer_thread_update(c->writer, r->thread, &r->info);
	}
}

/* Its lane was told before its beginning. */
static void begin_lane(struct ht_collector *c, const struct ht_runner *r)
{
	for (size_t i = 0; i < c->lane_count; i++) {
		struct ht_lane *l = c->lanes[i];
		if (l->kernel_tid == r->tid && l->thread == r->thread && r->begin_ns < l->start_ns)
			l->start_ns = r->begin_ns;
	}
}

static void take_fork(struct ht_collector *c, const struct ht_perf_record *p, uint64_t now)
{
	struct ht_switches *s = c->switches;
	struct ht_runner *old = ht_runner_live(s, (pid_t)p->tid);
	if (old && !old->sure && old->begin_ns + HT_STAMP_SLACK >= now) { /* its ring was faster than the kernel's buffer */
		old->sure = old->born = true;
		old->begin_ns = now < old->begin_ns ? now : old->begin_ns;
		begin_lane(c, old);
		return;
	}
	if (old) /* its EXIT was lost */
		end_runner(c, old, old->cpu, now);
	const struct ht_runner *parent = ht_runner_live(s, (pid_t)p->parent_tid);
	bool process = p->pid != p->parent_pid;
	struct ht_term *term = process ? ht_term_new(s, (pid_t)p->pid) : parent ? parent->term : ht_term_of(s, (pid_t)p->pid);
	term->forked |= process;
	struct ht_runner *r = ht_runner_new(s, (pid_t)p->tid, term, now);
	r->sure = r->born = true;
}

struct ending {
	struct ht_collector *c;
	const struct ht_perf_record *exec;
	uint64_t now;
};

static bool end_if_its(void *ctx, struct ht_runner *r)
{
	const struct ending *e = ctx;
	if (!r->ended && r->term->pid == (pid_t)e->exec->pid)
		end_runner(e->c, r, e->exec->cpu, e->now);
	return true;
}

/* Whichever thread it was, it is the only one that is left, and has the first one's number. */
static void take_exec(struct ht_collector *c, const struct ht_perf_record *p, uint64_t now)
{
	struct ht_switches *s = c->switches;
	struct ending e = {c, p, now};
	ht_runners_each(s, end_if_its, &e);
	struct ht_runner *r = ht_runner_new(s, (pid_t)p->tid, ht_term_new(s, (pid_t)p->pid), now);
	r->sure = true;
	take_switch(c, r, HT_PERF_IN, p->cpu, now);
}

void ht_switches_take(struct ht_collector *c, const struct ht_perf_record *p)
{
	uint64_t now = since_start(c, p->time);
	struct ht_runner *r;
	switch (p->kind) {
	case HT_PERF_LOST:
		c->switches->told_lost += p->lost;
		ht_switches_lose(c, p->lost);
		break;
	case HT_PERF_FORK:
		take_fork(c, p, now);
		break;
	case HT_PERF_EXEC:
		take_exec(c, p, now);
		break;
	case HT_PERF_EXIT:
		r = ht_runner_live(c->switches, (pid_t)p->tid);
		if (r)
			end_runner(c, r, p->cpu, now);
		break;
	case HT_PERF_FAULT:
		tell(c, runner_of(c, p, now),
		     &(struct ht_held){now, p->address, p->ip, p->cpu, HT_PERF_FAULT});
		break;
	default:
		take_switch(c, runner_of(c, p, now), p->kind, p->cpu, now);
	}
}

/* --- settling ----------------------------------------------------------------------------- */

struct settling {
	struct ht_collector *c;
	uint64_t now;
	const struct ht_guest *image;
	struct ht_term *claimed;
};

static bool settle_one(void *ctx, struct ht_runner *r)
{
	const struct settling *t = ctx;
	struct ht_switches *s = t->c->switches;
	struct ht_guest *i = r->term->image;
	bool polled = i && i->polled;
	uint64_t from = r->ended ? r->end_ns : polled && r->thread != HT_NO_THREAD ? r->last_ns : r->begin_ns;
	uint64_t age = t->now > from ? t->now - from : 0;
	if (r->thread != HT_NO_THREAD) {
		tell_held(t->c, r, !r->held_count || r->held[0].time_ns + HT_RUNNER_WAITS > t->now);
		if ((r->ended || polled) && age >= HT_RUNNER_STAYS)
			ht_runner_free(s, r);
	} else if (i) {
		if (age >= HT_RUNNER_WAITS && (r->held_count || polled))
			adopt(t->c, r);
		else if (r->ended && age >= HT_RUNNER_STAYS)
			ht_runner_free(s, r);
	} else if (age >= HT_RUNNER_WAITS && !r->ended && r->term->forked && (i = ht_guest_rouse(t->c, r->term->pid))) {
		r->term->image = i;
		adopt(t->c, r);
	} else if (age >= HT_RUNNER_STAYS) { /* of no image: nobody misses it */
		ht_runner_forget(s, r, 0);
		r->dropped = 0;
		if (r->ended)
			ht_runner_free(s, r);
	}
	return true;
}

void ht_switches_settle(struct ht_collector *c, uint64_t now)
{
	struct settling t = {.c = c, .now = now};
	ht_runners_each(c->switches, settle_one, &t);
	memset(c->switches->places, 0, sizeof(c->switches->places)); /* other code may lie there by now */
}

static bool close_one(void *ctx, struct ht_runner *r)
{
	const struct settling *t = ctx;
	struct ht_switches *s = t->c->switches;
	if (r->term->image != t->image)
		return true;
	if (r->thread == HT_NO_THREAD && r->held_count)
		adopt(t->c, r);
	if (r->thread != HT_NO_THREAD) {
		tell_held(t->c, r, false);
		ht_switches_stat(t->c, r);
	}
	ht_runner_free(s, r);
	return true;
}

static bool claim_one(void *ctx, struct ht_runner *r)
{
	struct settling *t = ctx;
	uint64_t ran = (r->ended ? r->end_ns : r->last_ns) - r->begin_ns;
	if (r->term->pid == t->image->pid && !r->term->image && r->term->forked && r->held_count &&
	    (!t->image->execed || ran >= HT_RUNNER_COUNTS))
		t->claimed = r->term;
	return !t->claimed;
}

bool ht_switches_claim(struct ht_collector *c, struct ht_guest *i)
{
	struct settling t = {.c = c, .image = i};
	if (!c->switches || c->stopped || c->settings->hook_options & HT_OPT_ALLOC)
		return false;
	ht_switches_drain(c);
	ht_runners_each(c->switches, claim_one, &t);
	if (t.claimed)
		t.claimed->image = i;
	return t.claimed != NULL;
}

void ht_switches_close(struct ht_collector *c, const struct ht_guest *i)
{
	struct settling t = {.c = c, .image = i};
	if (!c->switches)
		return;
	ht_switches_drain(c);
	ht_runners_each(c->switches, close_one, &t);
	ht_terms_free(c->switches, i);
}
