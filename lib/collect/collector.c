/*
 * collector: the loop. While rings move it drains them each millisecond, or as soon as a thread
 * finds its ring half full, or later (pace.c); when nothing has moved for a while it says so (the tick is stale) and
 * sleeps until it is woken, but looks around every 50 ms.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "collector.h"

#define MS 1000000ull
#define NAP MS
#define SLEEP (50 * MS)
#define IDLE_NAPS 20 /* without a record, before the tick goes stale */
#define POLLED_SLEEP (10 * MS) /* while something runs that is polled */
#define SECOND (1000 * MS)
#define FLUSH SECOND
#define REFINE_FIRST (2 * MS)
#define GRACE (100 * MS) /* after the last image's end: a child on its way through exec may still say hello */
#define GRACE_LONG (1000 * MS) /* the same, when there is one */

uint64_t ht_collector_ns(const struct ht_collector *c)
{
	return ht_monotonic_ns() - c->clock.start_mono;
}

/* --- the writer --------------------------------------------------------------------------- */

static void note_failure(struct ht_collect_result *r, const struct ht_diag *d)
{
	const char *why = strrchr(d->text, ':'); /* "the trace cannot be written: No space left on device" */
	r->failed = true;
	snprintf(r->failure, sizeof(r->failure), "%.90s", why && why[1] ? why + 2 : d->text);
}

void ht_collector_stop(struct ht_collector *c, const struct ht_diag *failure)
{
	if (c->stopped)
		return;
	c->stopped = true;
	if (failure)
		note_failure(&c->result, failure);
	else
		c->result.size_limit = true;
	c->result.stopped_ns = ht_collector_ns(c);
	for (struct ht_host *h = c->hosts; h; h = h->next)
		HT_STORE_RELEASE(&h->seg->control, HT_CONTROL_STOP);
}

/* With --max-file: might what is buffered go over it? A block of its own costs little when it is not small. */
static bool near_limit(const struct ht_collector *c)
{
	uint64_t events = c->totals->recorded - c->flushed_events; /* and waits */
	return c->settings->max_file && events >= 4096 &&
	       ht_trace_writer_bytes(c->writer) + 4 * events >= c->settings->max_file;
}

static void flush(struct ht_collector *c, uint64_t now)
{
	if (!c->writer || c->stopped)
		return;
	bool due = now >= c->next_flush || near_limit(c);
	if (due) {
		if (c->batch.count)
			ht_plain_flush(c);
		c->next_flush = now + FLUSH;
		c->flushed_events = c->totals->recorded;
		struct ht_diag d = {0};
		if (ht_trace_writer_flush(c->writer, &d)) {
			ht_collector_stop(c, &d);
			return;
		}
	}
	if (c->settings->max_file && ht_trace_writer_bytes(c->writer) >= c->settings->max_file)
		ht_collector_stop(c, NULL);
}

/* --- ticks -------------------------------------------------------------------------------- */

/* A tick ends between the two readings around its store; a thread elsewhere may see it stand a moment longer. */
static void log_tick_end(struct ht_collector *c, uint64_t before)
{
	c->tick_log[c->tick_count++ % HT_TICK_LOG] =
		(typeof(c->tick_log[0])){before, ht_tickclock_now(&c->clock) + c->tick_ticks / 256};
}

static void next_tick(struct ht_collector *c, uint64_t ticks)
{
	if (++c->tick == HT_TICK_STALE)
		c->tick++;
	c->next_tick = ticks + c->tick_ticks;
	uint64_t before = ht_tickclock_now(&c->clock);
	for (struct ht_host *h = c->hosts; h; h = h->next)
		HT_STORE_RELAXED(&h->seg->tick, c->tick);
	log_tick_end(c, before);
	for (struct ht_host *h = c->hosts; h; h = h->next)
		ht_host_offer(c, h);
	if (c->settings->max_file) /* a round may be long */
		flush(c, ht_collector_ns(c));
}

void ht_collector_tick(struct ht_collector *c, uint64_t ticks)
{
	if (HT_UNLIKELY(ticks >= c->next_tick))
		next_tick(c, ticks);
}

static void refine_clock(struct ht_collector *c)
{
	ht_tickclock_refine(&c->clock);
	c->tick_ticks = (MS << 32) / (c->clock.mult ? c->clock.mult : 1ull << 32);
	/* the longer the baseline the better the rate: at first soon, else what a short one missed would add up for a second */
	c->refine_wait = c->refine_wait ? 2 * c->refine_wait : REFINE_FIRST;
	if (c->refine_wait > SECOND)
		c->refine_wait = SECOND;
	c->next_refine = ht_collector_ns(c) + c->refine_wait;
}

/* --- what arrives ------------------------------------------------------------------------- */

static void command_ended(struct ht_collector *c, const struct ht_collect_message *m)
{
	for (struct ht_guest *g = c->images; g; g = g->next)
		if (g->pid == c->command && !g->execed) {
			if (m->has_schedstat)
				ht_switches_ended(c, g, &m->schedstat);
			ht_guest_ending(c, g, false);
		}
}

static void control(struct ht_collector *c)
{
	struct ht_collect_message m;
	ssize_t n = recv(c->control.fd, &m, sizeof(m), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(m)) { /* record is gone: the images' ends end the trace */
		ht_watch_remove(c->watch, &c->control);
		c->control_closed = true;
		return;
	}
	if (m.word == HT_COLLECT_PID) {
		c->command = m.value;
	} else if (m.word == HT_COLLECT_EXIT) {
		c->command_ended = true;
		c->command_status = m.value;
		command_ended(c, &m);
	} else if (m.word == HT_COLLECT_STOP) {
		c->stop_asked = true;
	}
}

static void serve(struct ht_collector *c, bool look)
{
	struct ht_source *s;
	while ((s = ht_watch_next(c->watch, look))) {
		switch (s->kind) {
		case HT_SOURCE_LISTEN:
			ht_attach_accept(c, s->fd);
			break;
		case HT_SOURCE_CONNECTION:
			ht_attach_connection(c, s);
			break;
		case HT_SOURCE_CONTROL:
			control(c);
			break;
		case HT_SOURCE_SWITCHES: /* the next round reads them */
			break;
		default:
			ht_switches_ended(c, s->image, NULL);
			ht_guest_ending(c, s->image, false);
		}
	}
	ht_attach_begin(c);
}

/* --- the loop ----------------------------------------------------------------------------- */

static bool all_ended(struct ht_collector *c, uint64_t now, uint64_t *since)
{
	if (c->images || c->hosts || c->connections) {
		*since = 0;
		return false;
	}
	if (!*since)
		*since = now;
	bool may_come = c->settings->listen_fd >= 0 && c->settings->follow & HT_FOLLOW_EXEC;
	if (!may_come || now - *since >= GRACE_LONG)
		return true;
	return now - *since >= GRACE && !ht_guests_stranger(c);
}

static bool finished(struct ht_collector *c, uint64_t now, uint64_t *since)
{
	if (c->stop_asked || (c->command_ended && !c->settings->wait_all))
		return true;
	bool nobody_above = c->settings->control_fd < 0 || c->control_closed || c->command_ended;
	return nobody_above && all_ended(c, now, since);
}

static void set_sleeping(struct ht_collector *c, uint32_t value)
{
	for (struct ht_host *h = c->hosts; h; h = h->next)
		HT_STORE_RELAXED(&h->seg->sleeping, value);
}

static void sleep_a_while(struct ht_collector *c, bool idle)
{
	if (idle) {
		uint64_t before = ht_tickclock_now(&c->clock);
		for (struct ht_host *h = c->hosts; h; h = h->next)
			HT_STORE_RELAXED(&h->seg->tick, HT_TICK_STALE);
		log_tick_end(c, before);
	}
	set_sleeping(c, 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* sleeping before the last look; pairs with the producer's head */
	if (!idle || !ht_drain_pending(c))
		ht_watch_sleep(c->watch, c->hosts, !idle ? NAP : ht_switches_busy(c) ? POLLED_SLEEP : SLEEP);
	set_sleeping(c, 0);
	next_tick(c, ht_tickclock_now(&c->clock));
}

static void loop(struct ht_collector *c)
{
	uint64_t since = 0;
	for (unsigned naps = 0;;) {
		serve(c, false);
		uint64_t now = ht_collector_ns(c);
		ht_switches_round(c, now);
		if (ht_pace_rests(c, now)) {
			naps = 0;
			sleep_a_while(c, false);
			continue;
		}
		bool waits = !c->stopped && ht_drain_round(c);
		now = ht_collector_ns(c);
		ht_pace_drained(c, now);
		if (now >= c->next_refine)
			refine_clock(c);
		ht_guests_close(c);
		if (!c->stopped)
			ht_guests_look(c, now);
		flush(c, now);
		if (finished(c, now, &since))
			return;
		naps = c->moved && !c->stopped ? 0 : naps + 1;
		if (!waits || c->stopped)
			sleep_a_while(c, naps >= IDLE_NAPS);
	}
}

/* --- the whole ---------------------------------------------------------------------------- */

void ht_collector_init(struct ht_collector *c, const struct ht_collect_settings *s)
{
	*c = (struct ht_collector){.settings = s};
	c->totals = &c->result.totals;
	c->memory_cap = s->collector_memory ? s->collector_memory : ht_collect_default_memory();
	ht_intern_init(&c->intern, &c->memory_used, c->memory_cap / 2);
	ht_tickclock_init(&c->clock, ht_tickclock_trusted());
	c->watch = ht_watch_new();
	c->beat = ht_beat_new();
	c->listen = (struct ht_source){.kind = HT_SOURCE_LISTEN, .fd = s->listen_fd};
	c->listen_path = (struct ht_source){.kind = HT_SOURCE_LISTEN, .fd = s->listen_path_fd};
	c->control = (struct ht_source){.kind = HT_SOURCE_CONTROL, .fd = s->control_fd};
	if (s->listen_fd >= 0)
		ht_watch_add(c->watch, &c->listen);
	if (s->listen_path_fd >= 0)
		ht_watch_add(c->watch, &c->listen_path);
	if (s->control_fd >= 0)
		ht_watch_add(c->watch, &c->control);
	ht_switches_open(c);
	c->result.ready = true;
	if (s->control_fd >= 0)
		send(s->control_fd, &c->result, sizeof(c->result), MSG_NOSIGNAL);
	c->result.ready = false;
	refine_clock(c);
	if (s->hello_fd >= 0)
		ht_attach_hello(c, s->hello_fd, true);
	ht_attach_begin(c);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void ht_collector_finish(struct ht_collector *c)
{
	struct ht_collect_result *r = &c->result;
	serve(c, true);
	ht_guests_stop(c);
	serve(c, true); /* children that ended just now are not to be called running */
	ht_guests_finish(c);
	ht_switches_finish(c);
	ht_collector_begin(c);
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	c->totals->collector_cpu_ns = cpu_ns();
	c->totals->collector_peak_rss = (uint64_t)u.ru_maxrss * 1024;
	r->images = c->image_count;
	r->duration_ns = c->stopped ? r->stopped_ns : ht_collector_ns(c);
	r->file_bytes = ht_trace_writer_bytes(c->writer);
	struct ht_diag d = {0};
	int status = c->command_ended ? c->command_status : -1;
	if (r->failed) {
		ht_trace_writer_abandon(c->writer);
	} else if (ht_trace_writer_finish(c->writer, c->totals, status, &d)) {
		note_failure(r, &d);
		r->stopped_ns = r->duration_ns;
	}
	off_t end = lseek(c->settings->out_fd, 0, SEEK_END);
	if (end > 0)
		r->file_bytes = (uint64_t)end;
}

static void free_guests(struct ht_guest *g)
{
	for (struct ht_guest *next; g; g = next) {
		next = g->next;
		ht_guest_free(g);
	}
}

void ht_collector_release(struct ht_collector *c)
{
	free_guests(c->images);
	free_guests(c->closed);
	ht_intern_release(&c->intern);
	ht_labels_release(&c->labels);
	ht_switches_release(c);
	ht_watch_free(c->watch);
	ht_beat_free(c->beat);
	free(c->arrivals);
	free(c->unattached);
	free(c->lanes);
	free(c->heap);
	free(c->waiting);
	free(c->woken);
}

int ht_collect_run(const struct ht_collect_settings *s, struct ht_collect_result *result)
{
	struct ht_collector *c = ht_xcalloc(1, sizeof(*c));
	ht_collector_init(c, s);
	loop(c);
	ht_collector_finish(c);
	char path[HT_COLLECT_PATH];
	memcpy(path, s->listen_path, sizeof(path));
	ht_collect_unlink_path(path);
	*result = c->result;
	if (s->control_fd >= 0)
		send(s->control_fd, result, sizeof(*result), MSG_NOSIGNAL);
	ht_collector_release(c);
	free(c);
	return 0;
}
