/*
 * pace: when to drain. Where a processor is free, each millisecond: what was just written is still in the caches. Where
 * there is none, draining now takes from the program what it could have later for nothing: while the collector itself has to wait
 * for a processor it rests, only makes ticks and hands out rings, and drains when those run short, when a thread or a program comes
 * or goes, or after a while.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "collector.h"
#include "schedstat.h"

#define MS 1000000ull
#define LOOK (50 * MS)	    /* without a sign of others, how long to go without asking the kernel */
#define CROWDED (50 * MS)   /* how much of the near future the recent past tells */
#define MOST_REST (100 * MS) /* what is in the rings only, is lost if all of us are killed at once */
#define WAITED MS	    /* less says nothing, nor does less than a quarter of the time that we wanted to run */

/* Does somebody wait for what only a round does? */
static bool pressed(const struct ht_collector *c)
{
	if (c->stopped || c->stop_asked || c->command_ended || c->exiting || c->connections || c->waiting_count || !c->lane_count)
		return true;
	for (const struct ht_guest *g = c->images; g; g = g->next)
		if (g->state != HT_GUEST_LIVE)
			return true;
	for (const struct ht_host *h = c->hosts; h; h = h->next) {
		if (!h->ready || h->hungry)
			return true;
		for (uint32_t i = 0; i < h->spare_count; i++)
			if (HT_LOAD_RELAXED(&ht_host_slot(h, h->spares[i])->state) == HT_SLOT_CLAIMED)
				return true;
	}
	return false;
}

bool ht_pace_rests(const struct ht_collector *c, uint64_t now)
{
	return now < c->pace.crowded_until && now - c->pace.drained < MOST_REST && !pressed(c);
}

/* Did we wait for a processor since we asked last? Asking costs some microseconds; that nobody preempted us a tenth of one. */
static bool waited(struct ht_collector *c, uint64_t now)
{
	struct rusage u;
	struct ht_schedstat_words is, was = {c->pace.ran, c->pace.waited, 0};
	getrusage(RUSAGE_THREAD, &u);
	if (u.ru_nivcsw == c->pace.preempted && now - c->pace.looked < LOOK)
		return false;
	c->pace.preempted = u.ru_nivcsw;
	c->pace.looked = now;
	if (!ht_schedstat_read(getpid(), getpid(), &is))
		return false;
	c->pace.ran = is.running_ns;
	c->pace.waited = is.runnable_ns;
	uint64_t ran = is.running_ns - was.running_ns, delay = is.runnable_ns - was.runnable_ns;
	return delay >= WAITED && delay >= ran / 3;
}

void ht_pace_drained(struct ht_collector *c, uint64_t now)
{
	if (waited(c, now))
		c->pace.crowded_until = now + CROWDED;
	c->pace.drained = now;
}
