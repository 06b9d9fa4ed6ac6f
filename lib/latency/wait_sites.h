/*
 * wait_sites: waits grouped by what was waited for and by the code that waited.
 */
#ifndef HT_WAIT_SITES_H
#define HT_WAIT_SITES_H

#include "latency.h"
#include "quantiles.h"
#include "shares.h"

/* The first frame outside libc, the thread library, C++'s wrappers of them, and the hook; that is not hidden. Else the
 * first one. */
const struct ht_frame *ht_wait_callsite(const struct ht_stacks *s, uint32_t node);
/* Is it one of those left out in front of the callsite? */
bool ht_wait_plumbing(const struct ht_frame *f);

struct ht_wait_site {
	const struct ht_frame *frame; /* the callsite */
	uint32_t node;		      /* leaf of the stack that waited longest in all */
	uint8_t kind;		      /* enum ht_wait_kind */
	uint64_t count, wait_ns, bytes; /* bytes moved, where calls move some */
	uint64_t blocked_ns, runnable_ns; /* of wait_ns: off its processor of its own accord; ready and waiting for one.
					   * The rest it ran, or nothing says */
	uint64_t timeouts, failed;    /* of count */
	uint64_t wakers_unknown;      /* of count */
	struct ht_quantiles wait;     /* how long one took */
};

struct ht_wait_sites {
	struct ht_wait_site *items; /* by wait_ns, most first, then kind, function, file, line */
	size_t count;
	uint32_t *numbers; /* of items: row of wakers */
	struct ht_shares wakers; /* key: thread; ns: of the waits that it ended */
	uint64_t hidden;	 /* waits left out by the filters */
};

/* Of the model's waits those whose kind is among `kinds` (1 << kind), each cut to the model's span. */
void ht_wait_sites_make(struct ht_wait_sites *out, const struct ht_latency *l, const struct ht_stacks *stacks,
			uint32_t kinds);
void ht_wait_sites_release(struct ht_wait_sites *s);
/* Who ended most of the waits of items[i], most time first. */
const struct ht_share *ht_wait_site_wakers(const struct ht_wait_sites *s, size_t i, size_t *count);

/* How much of a wait lies in the model's span. */
static inline uint64_t ht_wait_ns(const struct ht_latency *l, const struct ht_wait *w)
{
	uint64_t begin = w->begin_ns > l->from_ns ? w->begin_ns : l->from_ns,
		 end = w->end_ns < l->to_ns ? w->end_ns : l->to_ns;
	return end > begin ? end - begin : 0;
}

#endif
