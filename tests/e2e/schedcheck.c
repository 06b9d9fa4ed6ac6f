/*
 * schedcheck: what a trace says about when its threads ran, added up: one JSON object with a row for each thread of
 * the trace that has switches or schedstats. running_ns is the sum of its slices, each from IN to the next OUT;
 * `unmatched` are switches that follow one of the same kind. stat_* is the last schedstat.
 *
 *	schedcheck TRACE            {"sched": source, "switches": n, "faults": n, "threads": [...]}
 *	schedcheck --faults TRACE   one line for each fault: tid, address, module, link-time address
 *	schedcheck --wakes TRACE    how far the ends of waits lie behind the switch-in nearest to them, in ns
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

struct sums {
	uint64_t slices, unmatched, running, last_in, blocked, preempted, cpus, stats, first_ns, last_ns;
	int state; /* -1 unknown, else enum ht_switch_how */
	struct ht_schedstat stat;
};
struct all {
	struct ht_switch *switches;
	struct ht_fault *faults;
	struct ht_wait *waits;
	struct ht_schedstat *stats;
	size_t switch_count, fault_count, wait_count, stat_count;
};

static void *more(void *to, size_t *count, const void *from, size_t n, size_t size)
{
	to = ht_xrealloc(to, *count + n + 1, size);
	if (n)
		memcpy((char *)to + *count * size, from, n * size);
	*count += n;
	return to;
}

static void read_all(const struct ht_trace *t, struct all *a)
{
	struct ht_time_records r = {0};
	struct ht_diag d = {0};
	for (size_t i = 0; i < ht_trace_time_block_count(t); i++) {
		if (ht_trace_time_decode(t, i, &r, &d)) {
			fprintf(stderr, "schedcheck: %s\n", d.text);
			exit(4);
		}
		a->switches = more(a->switches, &a->switch_count, r.switches, r.switch_count, sizeof(*r.switches));
		a->faults = more(a->faults, &a->fault_count, r.faults, r.fault_count, sizeof(*r.faults));
		a->waits = more(a->waits, &a->wait_count, r.waits, r.wait_count, sizeof(*r.waits));
		a->stats = more(a->stats, &a->stat_count, r.schedstats, r.schedstat_count, sizeof(*r.schedstats));
	}
	ht_time_records_release(&r);
}

static int by_thread_and_time(const void *x, const void *y)
{
	const struct ht_switch *a = x, *b = y;
	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	return a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
}

static void add_switch(struct sums *s, const struct ht_switch *x)
{
	bool in = x->how == HT_SWITCH_IN;
	if (s->state < 0)
		s->first_ns = x->time_ns;
	s->last_ns = x->time_ns;
	s->unmatched += s->state >= 0 && in == (s->state == HT_SWITCH_IN);
	s->slices += in;
	s->blocked += x->how == HT_SWITCH_BLOCKED;
	s->preempted += x->how == HT_SWITCH_PREEMPTED;
	s->cpus |= 1ull << (x->cpu & 63);
	if (in)
		s->last_in = x->time_ns;
	else if (s->state == HT_SWITCH_IN)
		s->running += x->time_ns - s->last_in;
	s->state = x->how;
}

static void print_threads(const struct ht_trace *t, const struct all *a)
{
	uint32_t n = ht_trace_thread_count(t);
	struct sums *sums = ht_xcalloc(n + 1, sizeof(*sums));
	for (uint32_t i = 0; i < n; i++)
		sums[i].state = -1;
	for (size_t i = 0; i < a->switch_count; i++)
		add_switch(&sums[a->switches[i].thread], &a->switches[i]);
	for (size_t i = 0; i < a->stat_count; i++) {
		struct sums *s = &sums[a->stats[i].thread];
		s->stats++;
		if (a->stats[i].time_ns >= s->stat.time_ns)
			s->stat = a->stats[i];
	}
	printf("{\"sched\":\"%s\",\"switches\":%zu,\"faults\":%zu,\"stats\":%zu,\"threads\":[", ht_trace_settings(t)->sched,
	       a->switch_count, a->fault_count, a->stat_count);
	const char *comma = "";
	for (uint32_t i = 0; i < n; i++) {
		const struct ht_thread_info *h = ht_trace_thread(t, i);
		const struct sums *s = &sums[i];
		if (s->state < 0 && !s->stats)
			continue;
		printf("%s\n{\"tid\":%u,\"image\":%u,\"pid\":%u,\"name\":\"%s\","
		       "\"slices\":%llu,\"unmatched\":%llu,\"running_ns\":%llu,"
		       "\"blocked\":%llu,\"preempted\":%llu,\"cpus\":%llu,\"first_ns\":%llu,\"last_ns\":%llu,\"stats\":%llu,"
		       "\"stat_running_ns\":%llu,\"stat_runnable_ns\":%llu,\"stat_slices\":%llu}",
		       comma, h->tid, h->image, ht_trace_image(t, h->image)->pid, ht_trace_string(t, h->name, NULL),
		       (unsigned long long)s->slices, (unsigned long long)s->unmatched, (unsigned long long)s->running,
		       (unsigned long long)s->blocked, (unsigned long long)s->preempted, (unsigned long long)s->cpus,
		       (unsigned long long)s->first_ns, (unsigned long long)s->last_ns, (unsigned long long)s->stats,
		       (unsigned long long)s->stat.running_ns, (unsigned long long)s->stat.runnable_ns,
		       (unsigned long long)s->stat.slices);
		comma = ",";
	}
	printf("]}\n");
	free(sums);
}

static void print_faults(const struct ht_trace *t, const struct all *a)
{
	for (size_t i = 0; i < a->fault_count; i++) {
		const struct ht_stack_node *n = &ht_trace_nodes(t)[a->faults[i].stack];
		const struct ht_module *m = a->faults[i].stack && n->module ? ht_trace_module(t, n->module - 1) : NULL;
		printf("%u %#llx %s %#llx\n", ht_trace_thread(t, a->faults[i].thread)->tid,
		       (unsigned long long)a->faults[i].address, m ? ht_trace_string(t, m->path, NULL) : "?",
		       (unsigned long long)(a->faults[i].stack ? n->address : 0));
	}
}

static int by_value(const void *x, const void *y)
{
	const int64_t *a = x, *b = y;
	return *a < *b ? -1 : *a > *b;
}

/* The first switch of the thread behind this instant. */
static size_t behind(const struct all *a, uint32_t thread, uint64_t ns)
{
	struct ht_switch key = {.thread = thread, .time_ns = ns};
	size_t low = 0, high = a->switch_count;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (by_thread_and_time(&a->switches[mid], &key) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* A thread that waited in the kernel came onto a processor just before the call returned: the switch-in nearest to
 * its end. */
static void print_wakes(const struct all *a)
{
	int64_t *late = ht_xcalloc(a->wait_count + 1, sizeof(*late));
	size_t n = 0, before = 0;
	for (size_t i = 0; i < a->wait_count; i++) {
		const struct ht_wait *w = &a->waits[i];
		size_t at = behind(a, w->thread, w->end_ns);
		int64_t best = INT64_MAX;
		for (size_t k = at < 2 ? 0 : at - 2; k < at + 2 && k < a->switch_count; k++) {
			const struct ht_switch *s = &a->switches[k];
			int64_t off = (int64_t)(w->end_ns - s->time_ns);
			if (s->thread == w->thread && s->how == HT_SWITCH_IN && s->time_ns >= w->begin_ns && llabs(off) < llabs(best))
				best = off;
		}
		if (best == INT64_MAX)
			continue;
		late[n++] = best;
		before += best < 0;
	}
	qsort(late, n, sizeof(*late), by_value);
	int64_t none = 0, *p = n ? late : &none;
	printf("{\"waits\":%zu,\"matched\":%zu,\"end_before_in\":%zu,", a->wait_count, n, before);
	printf("\"p1_ns\":%lld,\"median_ns\":%lld,\"p99_ns\":%lld}\n", (long long)p[n / 100], (long long)p[n / 2],
	       (long long)p[n * 99 / 100]);
	free(late);
}

int main(int argc, char **argv)
{
	struct ht_trace *t;
	struct ht_diag d = {0};
	struct all a = {0};
	if (argc < 2 || ht_trace_open(&t, argv[argc - 1], &d)) {
		fprintf(stderr, "schedcheck: %s\n", argc < 2 ? "schedcheck [--faults|--wakes] TRACE" : d.text);
		return 2;
	}
	read_all(t, &a);
	if (a.switch_count)
		qsort(a.switches, a.switch_count, sizeof(*a.switches), by_thread_and_time);
	if (!strcmp(argv[1], "--faults"))
		print_faults(t, &a);
	else if (!strcmp(argv[1], "--wakes"))
		print_wakes(&a);
	else
		print_threads(t, &a);
	free(a.switches);
	free(a.faults);
	free(a.waits);
	free(a.stats);
	ht_trace_close(t);
	return 0;
}
