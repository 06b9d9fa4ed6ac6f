/*
 * time_truth: what a program saw itself of where its time went, measured around each call with CLOCK_MONOTONIC, and
 * written at its end as one JSON object:
 *
 *	{"threads": [{"tid", "name", "calls", "waits", "long_waits", "wait_ns": {KIND: ns},
 *		      "kernel": [{"at_ns", "running_ns", "runnable_ns", "slices"}]}],
 *	 "locks": [{"address": "0x...", "kind", "waits", "long_waits", "wait_ns"}],
 *	 "stalls": {"calls", "over_20us", "over_1ms", "ns"}, "faults": [{"site", "count"}],
 *	 "handoffs": {"total", "by_pair": [{"waker", "wakee", "kind", "count"}]}}
 *
 * KIND: mutex, rwlock, cond, sem, join; sleep, poll, net, pipe, disk. Of the first five a wait is a call that found
 * the object taken, as far as the program can tell: it tried before it called, and what it found taken may have
 * become free between the two. Of the others every call is measured, and a wait is one of 2 us or more. wait_ns sums
 * the waits; long_waits: of them, those of 20 us or more, which surely waited. A recorder that stands inside these
 * readings sees each call take a little less. Handoffs are waits of which the program knows who ended them. stalls:
 * ns of those over 20 us. kernel: what the kernel's own schedstat said of the thread when it began and when it ended,
 * and when that was by CLOCK_MONOTONIC.
 */
#ifndef TIME_TRUTH_H
#define TIME_TRUTH_H

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum truth_kind {
	TRUTH_MUTEX, TRUTH_RWLOCK, TRUTH_COND, TRUTH_SEM, TRUTH_JOIN,
	TRUTH_SLEEP, TRUTH_POLL, TRUTH_NET, TRUTH_PIPE, TRUTH_DISK,
	TRUTH_KINDS,
};
static const char *const truth_kinds[TRUTH_KINDS] = {
	"mutex", "rwlock", "cond", "sem", "join", "sleep", "poll", "net", "pipe", "disk",
};

#define TRUTH_MAX 64
struct truth_kernel {
	unsigned long long at, running, runnable, slices;
};
struct truth_thread {
	int tid;
	char name[16];
	unsigned long calls, waits, long_waits, stall_calls, over_20us, over_1ms;
	uint64_t ns[TRUTH_KINDS], stall_ns;
	struct truth_kernel kernel[2];
};
static struct truth_thread truth_threads[TRUTH_MAX];
static unsigned truth_count;
static __thread struct truth_thread *truth_me;

static struct truth_lock {
	const void *address;
	enum truth_kind kind;
	unsigned long waits, long_waits; /* atomic; so is ns */
	uint64_t ns;
} truth_locks[TRUTH_MAX];
static unsigned truth_lock_count;

static struct {
	const char *site;
	unsigned long count;
} truth_faults[TRUTH_MAX];
static unsigned truth_fault_count;

static struct {
	int waker, wakee;
	enum truth_kind kind;
	unsigned long count;
} truth_handoffs[TRUTH_MAX];
static unsigned truth_handoff_count;

static inline uint64_t truth_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Uses its processor for so long. */
static inline void truth_work(uint64_t ns)
{
	for (uint64_t end = truth_now() + ns; truth_now() < end;)
		;
}

/* The kernel brings its sum of a running thread up to date once a tick, and whenever the thread asks for its
 * processor time. By bare system calls: this is not to be recorded. It is read in one go, or again. */
static inline void truth_kernel(struct truth_kernel *k)
{
	char path[64], text[128];
	struct timespec used, before, after;
	snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", truth_me->tid);
	for (int i = 0; i < 100; i++) {
		clock_gettime(CLOCK_MONOTONIC, &before);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
		long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), n;
		n = syscall(SYS_read, fd, text, sizeof text - 1);
		syscall(SYS_close, fd);
		clock_gettime(CLOCK_MONOTONIC, &after);
		text[n > 0 ? n : 0] = '\0';
		k->at = (unsigned long long)before.tv_sec * 1000000000u + (unsigned long long)before.tv_nsec;
		if (sscanf(text, "%llu %llu %llu", &k->running, &k->runnable, &k->slices) != 3)
			abort();
		if ((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec < 50000)
			break;
	}
}

/* Once in each thread, before anything else; and after everything else, which of the one that writes truth_write
 * does. */
static inline int truth_begin(const char *name)
{
	truth_me = &truth_threads[__atomic_fetch_add(&truth_count, 1, __ATOMIC_RELAXED)];
	truth_me->tid = (int)syscall(SYS_gettid);
	snprintf(truth_me->name, sizeof truth_me->name, "%s", name);
	pthread_setname_np(pthread_self(), truth_me->name);
	truth_kernel(&truth_me->kernel[0]);
	return truth_me->tid;
}
static inline void truth_end(void)
{
	truth_kernel(&truth_me->kernel[1]);
}

static inline void truth_add(enum truth_kind kind, uint64_t ns)
{
	truth_me->waits++;
	truth_me->long_waits += ns >= 20000;
	truth_me->ns[kind] += ns;
}

static inline uint64_t truth_waited(enum truth_kind kind, uint64_t begin)
{
	uint64_t ns = truth_now() - begin;
	truth_me->calls++;
	if (ns >= 2000)
		truth_add(kind, ns);
	return ns;
}
/* TRUTH(kind, call): the call, measured. */
#define TRUTH(kind, call)                              \
	({                                             \
		uint64_t begin_ = truth_now();         \
		__typeof__(call) result_ = (call);     \
		truth_waited((kind), begin_);          \
		result_;                               \
	})

/* Names an object, before there are threads. */
static inline struct truth_lock *truth_lock(const void *address, enum truth_kind kind)
{
	struct truth_lock *o = &truth_locks[truth_lock_count++];
	o->address = address;
	o->kind = kind;
	return o;
}

static inline void truth_locked(struct truth_lock *o, uint64_t begin)
{
	uint64_t ns = truth_now() - begin;
	truth_me->calls++;
	truth_add(o->kind, ns);
	__atomic_fetch_add(&o->waits, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&o->long_waits, ns >= 20000, __ATOMIC_RELAXED);
	__atomic_fetch_add(&o->ns, ns, __ATOMIC_RELAXED);
}
/* TRUTH_LOCK(object, try, call): the call, measured, where `try` has not done it. */
#define TRUTH_LOCK(object, try, call)                    \
	do {                                             \
		if ((try) != 0) {                        \
			uint64_t begin_ = truth_now();   \
			if ((call) != 0)                 \
				abort();                 \
			truth_locked((object), begin_);  \
		}                                        \
	} while (0)

static inline void truth_stalled(uint64_t begin)
{
	uint64_t ns = truth_now() - begin;
	truth_me->stall_calls++;
	if (ns < 20000)
		return;
	truth_me->over_20us++;
	truth_me->over_1ms += ns >= 1000000;
	truth_me->stall_ns += ns;
}

static inline void truth_faulted(const char *site, unsigned long count)
{
	truth_faults[truth_fault_count].site = site;
	truth_faults[truth_fault_count++].count = count;
}

static inline void truth_handoff(int waker, int wakee, enum truth_kind kind, unsigned long count)
{
	truth_handoffs[truth_handoff_count].waker = waker;
	truth_handoffs[truth_handoff_count].wakee = wakee;
	truth_handoffs[truth_handoff_count].kind = kind;
	truth_handoffs[truth_handoff_count++].count = count;
}

/* When all other threads have ended. 0, or 1 with a message. */
static inline int truth_write(const char *path)
{
	FILE *f = fopen(path, "w");
	unsigned long calls = 0, over_20us = 0, over_1ms = 0, handoffs = 0;
	uint64_t stall_ns = 0;
	if (!f) {
		perror(path);
		return 1;
	}
	if (truth_me)
		truth_end();
	fprintf(f, "{\"threads\": [");
	for (unsigned i = 0; i < truth_count; i++) {
		const struct truth_thread *t = &truth_threads[i];
		fprintf(f, "%s\n {\"tid\": %d, \"name\": \"%s\", \"calls\": %lu, \"waits\": %lu, \"long_waits\": %lu, \"wait_ns\": {",
			i ? "," : "", t->tid, t->name, t->calls, t->waits, t->long_waits);
		for (unsigned k = 0; k < TRUTH_KINDS; k++)
			fprintf(f, "%s\"%s\": %llu", k ? ", " : "", truth_kinds[k], (unsigned long long)t->ns[k]);
		fprintf(f, "}, \"kernel\": [");
		for (unsigned k = 0; k < 2; k++)
			fprintf(f, "%s{\"at_ns\": %llu, \"running_ns\": %llu, \"runnable_ns\": %llu, \"slices\": %llu}",
				k ? ", " : "", t->kernel[k].at, t->kernel[k].running, t->kernel[k].runnable,
				t->kernel[k].slices);
		fprintf(f, "]}");
		calls += t->stall_calls;
		over_20us += t->over_20us;
		over_1ms += t->over_1ms;
		stall_ns += t->stall_ns;
	}
	fprintf(f, "],\n \"locks\": [");
	for (unsigned i = 0; i < truth_lock_count; i++) {
		const struct truth_lock *o = &truth_locks[i];
		fprintf(f, "%s\n {\"address\": \"0x%llx\", \"kind\": \"%s\", \"waits\": %lu, \"long_waits\": %lu, \"wait_ns\": %llu}",
			i ? "," : "", (unsigned long long)(uintptr_t)o->address, truth_kinds[o->kind], o->waits, o->long_waits,
			(unsigned long long)o->ns);
	}
	fprintf(f, "],\n \"stalls\": {\"calls\": %lu, \"over_20us\": %lu, \"over_1ms\": %lu, \"ns\": %llu},\n \"faults\": [",
		calls, over_20us, over_1ms, (unsigned long long)stall_ns);
	for (unsigned i = 0; i < truth_fault_count; i++)
		fprintf(f, "%s{\"site\": \"%s\", \"count\": %lu}", i ? ", " : "", truth_faults[i].site, truth_faults[i].count);
	for (unsigned i = 0; i < truth_handoff_count; i++)
		handoffs += truth_handoffs[i].count;
	fprintf(f, "],\n \"handoffs\": {\"total\": %lu, \"by_pair\": [", handoffs);
	for (unsigned i = 0; i < truth_handoff_count; i++)
		fprintf(f, "%s\n  {\"waker\": %d, \"wakee\": %d, \"kind\": \"%s\", \"count\": %lu}", i ? "," : "",
			truth_handoffs[i].waker, truth_handoffs[i].wakee, truth_kinds[truth_handoffs[i].kind],
			truth_handoffs[i].count);
	fprintf(f, "]}}\n");
	return fclose(f) != 0;
}

#endif
