/* latency_load: see latency_load.h. */
#include "latency_load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "latency_order.h"

enum { MOST_THREADS = 4, KINDS = 6 };
enum kind { WAITS, WAKES, STALLS, FAULTS, SWITCHES, SCHEDSTATS };

static const size_t sizes[KINDS] = {
    [WAITS] = sizeof(struct ht_wait),	   [WAKES] = sizeof(struct ht_wake),
    [STALLS] = sizeof(struct ht_stall),	   [FAULTS] = sizeof(struct ht_fault),
    [SWITCHES] = sizeof(struct ht_switch), [SCHEDSTATS] = sizeof(struct ht_schedstat),
};

/* What one block held, in arrays of exactly that size. */
struct part {
	void *items[KINDS];
	size_t counts[KINDS];
	bool damaged;
};

struct load {
	const struct ht_trace *trace;
	const struct ht_latency_options *options;
	struct part *parts; /* per block */
	size_t count;
	atomic_size_t next; /* block that nobody has taken */
};

static void keep(struct part *p, enum kind k, const void *items, size_t count)
{
	if (!count)
		return;
	p->counts[k] = count;
	p->items[k] = ht_xmalloc(count * sizes[k]);
	memcpy(p->items[k], items, count * sizes[k]);
}

static void decode(struct load *l, bool tells)
{
	struct ht_time_records r = {0};
	size_t i;
	while ((i = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed)) < l->count) {
		struct part *p = &l->parts[i];
		p->damaged = ht_trace_time_decode(l->trace, i, &r, NULL) < 0;
		if (!p->damaged) {
			keep(p, WAITS, r.waits, r.wait_count);
			keep(p, WAKES, r.wakes, r.wake_count);
			keep(p, STALLS, r.stalls, r.stall_count);
			keep(p, FAULTS, r.faults, r.fault_count);
			keep(p, SWITCHES, r.switches, r.switch_count);
			keep(p, SCHEDSTATS, r.schedstats, r.schedstat_count);
		}
		if (tells && l->options->progress)
			l->options->progress(l->options->progress_ctx, "times", i + 1, l->count);
	}
	ht_time_records_release(&r);
}

static void *help(void *load)
{
	decode(load, false);
	return NULL;
}

static unsigned threads_wanted(const struct load *l)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = l->options->jobs ? l->options->jobs : cpus > 0 ? (unsigned)cpus : 1;
	if (n > MOST_THREADS)
		n = MOST_THREADS;
	return n < l->count ? n : (unsigned)l->count;
}

static void decode_all(struct load *l)
{
	pthread_t helpers[MOST_THREADS];
	unsigned n = threads_wanted(l), started = 0;
	for (unsigned i = 1; i < n; i++)
		started += !pthread_create(&helpers[started], NULL, help, l);
	decode(l, true);
	for (unsigned i = 0; i < started; i++)
		pthread_join(helpers[i], NULL);
}

/* All blocks' records of a kind, in the order of blocks; each block's go as they are taken. */
static void *gather(struct load *l, enum kind k, size_t size, size_t *count)
{
	*count = 0;
	for (size_t i = 0; i < l->count; i++)
		*count += l->parts[i].counts[k];
	char *all = *count ? ht_xcalloc(*count, size) : NULL, *at = all;
	for (size_t i = 0; i < l->count; i++) {
		struct part *p = &l->parts[i];
		const char *from = p->items[k];
		if (size == sizes[k] && from) {
			memcpy(at, from, p->counts[k] * size);
			at += p->counts[k] * size;
		} else {
			for (size_t j = 0; j < p->counts[k]; j++, at += size)
				memcpy(at, from + j * sizes[k], sizes[k]);
		}
		free(p->items[k]);
	}
	return all;
}

void ht_latency_load(struct ht_latency_records *r, const struct ht_trace *t, const struct ht_latency_options *o)
{
	struct load l = {.trace = t, .options = o, .count = ht_trace_time_block_count(t)};
	*r = (struct ht_latency_records){0};
	l.parts = ht_xcalloc(l.count + 1, sizeof(*l.parts));
	decode_all(&l);
	for (size_t i = 0; i < l.count; i++)
		r->damaged_blocks += l.parts[i].damaged;
	r->waits = gather(&l, WAITS, sizeof(*r->waits), &r->wait_count);
	r->wakes = gather(&l, WAKES, sizeof(*r->wakes), &r->wake_count);
	r->stalls = gather(&l, STALLS, sizeof(*r->stalls), &r->stall_count);
	r->faults = gather(&l, FAULTS, sizeof(*r->faults), &r->fault_count);
	r->switches = gather(&l, SWITCHES, sizeof(*r->switches), &r->switch_count);
	r->schedstats = gather(&l, SCHEDSTATS, sizeof(*r->schedstats), &r->schedstat_count);
	free(l.parts);
	ht_order(r->waits, r->wait_count, sizeof(*r->waits), offsetof(struct ht_waited, w.begin_ns));
	ht_order(r->wakes, r->wake_count, sizeof(*r->wakes), offsetof(struct ht_wake, time_ns));
	ht_order(r->stalls, r->stall_count, sizeof(*r->stalls), offsetof(struct ht_stall, begin_ns));
	ht_order(r->faults, r->fault_count, sizeof(*r->faults), offsetof(struct ht_fault, time_ns));
	ht_order(r->switches, r->switch_count, sizeof(*r->switches), offsetof(struct ht_switch, time_ns));
	ht_order(r->schedstats, r->schedstat_count, sizeof(*r->schedstats), offsetof(struct ht_schedstat, time_ns));
}

void ht_latency_records_release(struct ht_latency_records *r)
{
	free(r->waits);
	free(r->wakes);
	free(r->stalls);
	free(r->faults);
	free(r->switches);
	free(r->schedstats);
}
