/*
 * guest_ends: images end, and so does the trace. A process that dies leaves everything it committed in the rings, so nothing
 * depends on how it died.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "code_maps.h"
#include "collector.h"
#include "procfs.h"

#define LINGER (50 * 1000000ull)

void ht_guest_ending(struct ht_collector *c, struct ht_guest *i, bool execed)
{
	if (i->state != HT_GUEST_LIVE)
		return;
	i->state = HT_GUEST_ENDING;
	i->execed = execed;
	i->end_ns = ht_collector_ns(c);
	if (i->process.fd >= 0) {
		ht_watch_remove(c->watch, &i->process);
		close(i->process.fd);
		i->process.fd = -1;
	}
}

static void drop_lane(struct ht_collector *c, struct ht_lane *l, bool reuse)
{
	if (l->image && !l->handler_of && !c->stopped) {
		if (l->end_ns == UINT64_MAX && reuse)
			l->end_ns = l->last_ns;
		ht_guest_write_thread(c, l);
	}
	ht_lane_drop(c, l, reuse);
}

/* Drops the image's lanes that are drained. False: some are not. */
static bool drop_lanes(struct ht_collector *c, struct ht_guest *i)
{
	bool all = true;
	for (size_t k = c->lane_count; k-- > 0;) {
		struct ht_lane *l = c->lanes[k];
		if (l->image != i)
			continue;
		if (c->stopped || ht_lane_drained(l))
			drop_lane(c, l, i->pid != 0);
		else
			all = false;
	}
	return all;
}

/* A thread of it that nobody has met yet: its slot is claimed but not adopted, or adopted and not told. */
static bool has_strangers(const struct ht_collector *c, const struct ht_guest *i)
{
	for (size_t k = 0; k < c->lane_count; k++) {
		const struct ht_lane *l = c->lanes[k];
		bool its = l->pid == i->own_pid || (i->quiet && l->forked && l->fork_token == i->fork_token);
		if (!l->image && l->host == i->host && its)
			return true;
	}
	return false;
}

static void take_totals(struct ht_collector *c, struct ht_host *h)
{
	struct ht_collect_result *r = &c->result;
	r->segment_flags |= HT_LOAD_RELAXED(&h->seg->flags);
	uint32_t off = HT_LOAD_RELAXED(&h->seg->off_reason);
	if (HT_LOAD_RELAXED(&h->seg->control) == HT_CONTROL_STOP && !c->closing && !c->stopped)
		off = HT_OFF_COLLECTOR_GONE; /* nobody but the target said stop: it gave us up for dead */
	if (!c->totals->off_reason && off != HT_OFF_STOPPED && off != HT_OFF_NOT_FOLLOWED && off < HT_OFF_COUNT)
		c->totals->off_reason = off;
	if (!r->shadowed_by[0] && h->seg->shadowed_by[0])
		memcpy(r->shadowed_by, h->seg->shadowed_by, sizeof(r->shadowed_by) - 1);
}

static void note_bypass(struct ht_collector *c, const struct ht_guest *i)
{
	uint32_t flags = HT_LOAD_RELAXED(&i->host->seg->flags);
	if (flags & HT_FLAG_NEW_BYPASSES && !(flags & HT_FLAG_NEW_HOOKED) && !c->result.new_bypassed[0])
		snprintf(c->result.new_bypassed, sizeof(c->result.new_bypassed), "%.255s", i->exe_path);
}

static void close_image(struct ht_collector *c, struct ht_guest *i)
{
	if (i->exec_seen) /* and it ended without a hello */
		c->totals->exec_not_attached++;
	if (i->kind != HT_IMAGE_FORK && !i->started && !c->stopped) /* it was answered, and never mapped what it got */
		c->totals->exec_not_attached++;
	ht_switches_close(c, i);
	if (!c->stopped)
		ht_guest_write_end(c, i);
	ht_pairs_release(&i->pairs);
	ht_space_release(i->space);
	ht_code_maps_free(i->maps);
	free(i->views);
	i->space = NULL;
	i->maps = NULL;
	i->views = NULL;
	i->state = HT_GUEST_CLOSED;
	note_bypass(c, i);
	take_totals(c, i->host);
	i->host->images--;
	i->host = NULL;
	i->next = c->closed;
	c->closed = i;
}

/* A child that ended without an event: nothing refers to it. */
static void drop_quiet(struct ht_collector *c, struct ht_guest *i)
{
	c->totals->exec_not_attached += i->exec_seen != 0;
	i->host->images--;
	ht_guest_free(i);
}

/* Its wait status is on its way. */
static bool status_awaited(const struct ht_collector *c, const struct ht_guest *i)
{
	return !i->execed && i->pid && i->pid == c->command && !c->command_ended && !c->control_closed;
}

static void close_images(struct ht_collector *c)
{
	for (struct ht_guest **p = &c->images; *p;) {
		struct ht_guest *i = *p;
		if (i->state != HT_GUEST_ENDING || status_awaited(c, i) || !drop_lanes(c, i) ||
		    (has_strangers(c, i) && !c->stopped)) {
			p = &i->next;
			continue;
		}
		if (!i->execed && i->pid && i->pid == c->command && c->command_ended)
			i->wait_status = c->command_status;
		*p = i->next;
		if (i->quiet && ht_switches_claim(c, i))
			ht_guest_wake(c, i);
		if (i->quiet)
			drop_quiet(c, i);
		else
			close_image(c, i);
	}
}

/* A host without images may still be mapped by a child that has not allocated yet. */
static void free_hosts(struct ht_collector *c)
{
	uint64_t now = ht_collector_ns(c);
	for (struct ht_host *h = c->hosts, *next; h; h = next) {
		next = h->next;
		if (h->images || h->lanes || !h->ready || now < h->next_look)
			continue;
		h->next_look = now + LINGER;
		if (!(c->settings->follow & HT_FOLLOW_FORK) || c->stopped || !ht_host_mapped(c, h))
			ht_host_free(c, h);
	}
}

void ht_guests_close(struct ht_collector *c)
{
	for (size_t k = c->lane_count; k-- > 0;)
		if (c->lanes[k]->gone && ht_lane_drained(c->lanes[k]))
			drop_lane(c, c->lanes[k], true);
	close_images(c);
	free_hosts(c);
}

/* --- closing the trace -------------------------------------------------------------------- */

void ht_guests_name(struct ht_collector *c, pid_t pid)
{
	struct ht_collect_result *r = &c->result;
	for (uint32_t k = 0; k < r->running_count && k < HT_RUNNING_MAX; k++)
		if (r->running[k] == (uint32_t)pid)
			return;
	if (r->running_count < HT_RUNNING_MAX)
		r->running[r->running_count] = (uint32_t)pid;
	r->running_count++;
}

static void name_running(struct ht_collector *c, struct ht_guest *i)
{
	ht_guests_name(c, i->pid ? i->pid : (pid_t)i->own_pid);
	note_bypass(c, i);
	if (i->quiet) {
		ht_guest_wake(c, i);
		ht_switches_image(c, i);
	}
	ht_switches_close(c, i);
	if (!c->stopped)
		ht_guest_start_without_lane(c, i);
}

struct strangers {
	struct ht_collector *c;
	pid_t found;
};

static bool is_stranger(void *ctx, pid_t pid)
{
	struct strangers *s = ctx;
	for (const struct ht_guest *i = s->c->images; i; i = i->next)
		if (i->pid == pid && i->state == HT_GUEST_LIVE)
			return false;
	s->found = pid;
	return true;
}

pid_t ht_guests_stranger(struct ht_collector *c)
{
	struct strangers s = {.c = c};
	bool all = (c->settings->follow & (HT_FOLLOW_FORK | HT_FOLLOW_EXEC)) == (HT_FOLLOW_FORK | HT_FOLLOW_EXEC);
	if (all && c->settings->token[0]) /* else there are some on purpose */
		ht_proc_find_environment(c->settings->token, is_stranger, &s);
	return s.found;
}

static bool name_stranger(void *ctx, pid_t pid)
{
	struct strangers *s = ctx;
	if (is_stranger(s, pid)) {
		ht_guests_name(s->c, pid);
		ht_guests_unattached(s->c, pid);
	}
	return false;
}

/* Those that run a program which did not attach, or not yet. */
static void name_strangers(struct ht_collector *c)
{
	struct strangers s = {.c = c};
	if (ht_guests_stranger(c))
		ht_proc_find_environment(c->settings->token, name_stranger, &s);
}

/* Someone maps it, and is none of its images: forked past our fork(), without an event. */
static void name_unknown(struct ht_collector *c, struct ht_host *h)
{
	struct stat s;
	if (!h->images && h->ready && ht_host_mapped(c, h) && !fstat(h->fd, &s))
		ht_guests_name(c, ht_proc_find_mapping(s.st_ino));
}

void ht_guests_stop(struct ht_collector *c)
{
	for (struct ht_host *h = c->hosts; h; h = h->next) {
		take_totals(c, h);
		HT_STORE_RELEASE(&h->seg->control, HT_CONTROL_STOP);
	}
	c->closing = true;
	if (!c->stopped)
		ht_drain_all(c);
}

void ht_guests_finish(struct ht_collector *c)
{
	if (!c->stopped)
		ht_drain_all(c);
	ht_guests_close(c);
	for (struct ht_guest *i = c->images; i; i = i->next)
		name_running(c, i);
	name_strangers(c);
	while (c->lane_count)
		drop_lane(c, c->lanes[c->lane_count - 1], false);
	for (struct ht_host *h = c->hosts; h; h = h->next) {
		name_unknown(c, h);
		if (h->seg)
			take_totals(c, h);
	}
	while (c->hosts)
		ht_host_free(c, c->hosts);
}
