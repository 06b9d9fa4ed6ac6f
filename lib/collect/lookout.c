/*
 * lookout: what nobody tells us is looked for from time to time: threads that died, programs that were replaced by ones
 * that do not say hello, resident memory.
 */
#include "collector.h"
#include "procfs.h"

#define SECOND 1000000000ull
#define LOOK_EXITING (20 * 1000000ull)
#define LOOK_QUIET (100 * 1000000ull)
#define HELLO_WAIT (400 * 1000000ull) /* from exec to hello */

static void sample(struct ht_collector *c, struct ht_guest *i, uint64_t now)
{
	static const uint64_t early[] = {10, 100, 300, 1000}; /* ms after the start */
	struct ht_sample s = {.time = now, .image = i->id};
	i->next_sample = now + SECOND;
	for (unsigned k = 0; k < HT_ARRAY_SIZE(early); k++)
		if (i->start_ns + early[k] * 1000000 > now) {
			i->next_sample = i->start_ns + early[k] * 1000000;
			break;
		}
	ht_switches_sample(c, i);
	s.rss_bytes = i->pid ? ht_proc_rss(i->pid, &s.threads) : 0;
	if (!s.rss_bytes)
		return; /* gone, or a zombie */
	ht_trace_writer_sample(c->writer, &s);
	if (s.rss_bytes > c->result.peak_rss)
		c->result.peak_rss = s.rss_bytes;
}

static void look_for_dead_threads(struct ht_collector *c, bool only_exiting)
{
	for (size_t k = 0; k < c->lane_count; k++) {
		struct ht_lane *l = c->lanes[k];
		if (l->gone || !l->image || !l->image->pid || (only_exiting && !l->exiting))
			continue;
		bool nested = l->image->host->nested || (uint32_t)l->image->pid != l->image->own_pid;
		l->gone = l->image->state == HT_GUEST_LIVE &&
			  !ht_proc_thread_alive(l->image->pid, (pid_t)l->tid, nested);
	}
}

void ht_guests_unattached(struct ht_collector *c, pid_t pid)
{
	for (size_t i = 0; i < c->unattached_count; i++)
		if (c->unattached[i] == pid)
			return;
	c->unattached = ht_xrealloc(c->unattached, c->unattached_count + 1, sizeof(*c->unattached));
	c->unattached[c->unattached_count++] = pid;
	c->totals->exec_not_attached++;
}

/* Another program than the one that said hello. If it does not say hello itself within reason it never will: static,
 * or with other privileges, or given up by its hook. */
static void look_for_exec(struct ht_collector *c, struct ht_guest *i, uint64_t now)
{
	uint64_t dev, ino;
	bool other = i->exe_ino && ht_proc_exe_id(i->pid, &dev, &ino) && (dev != i->exe_dev || ino != i->exe_ino);
	if (!other && !ht_child_left(i))
		return;
	if (!(c->settings->follow & HT_FOLLOW_EXEC))
		ht_guest_ending(c, i, true);
	else if (!i->exec_seen)
		i->exec_seen = now;
	else if (now - i->exec_seen >= HELLO_WAIT) {
		i->exec_seen = 0;
		ht_guests_unattached(c, i->pid);
		ht_guest_ending(c, i, true);
	}
}

void ht_guests_look(struct ht_collector *c, uint64_t now)
{
	for (struct ht_guest *i = c->images; i; i = i->next)
		if (i->state == HT_GUEST_LIVE && i->registered && now >= i->next_sample)
			sample(c, i, now);
	if (c->exiting && now >= c->next_look_exiting) {
		c->next_look_exiting = now + LOOK_EXITING;
		look_for_dead_threads(c, true);
	}
	if (now >= c->next_look_quiet) {
		c->next_look_quiet = now + LOOK_QUIET;
		for (struct ht_guest *i = c->images; i; i = i->next)
			if (i->state == HT_GUEST_LIVE && i->pid && (i->quiet || i->exec_seen))
				look_for_exec(c, i, now);
	}
	if (now < c->next_look)
		return;
	c->next_look = now + SECOND;
	look_for_dead_threads(c, false);
	for (struct ht_guest *i = c->images; i; i = i->next)
		if (i->state == HT_GUEST_LIVE && i->pid)
			look_for_exec(c, i, now);
}
