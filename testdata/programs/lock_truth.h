/*
 * lock_truth: what a program saw itself of its waits for locks and threads, measured around each call with
 * CLOCK_MONOTONIC, and written at its end as one JSON object:
 *
 *	{"threads": [{"tid", "name", "waits", "long_waits", "wait_ns": {KIND: ns}}],
 *	 "locks": [{"address": "0x...", "kind", "waits", "long_waits", "wait_ns"}],
 *	 "handoffs": {"total", "by_pair": [{"waker", "wakee", "kind", "count"}]}}
 *
 * waits: calls that found the object taken, as far as the program can tell: it tried before it called, and what it
 * found taken may have become free between the two. long_waits: of them, those of 20 us or more, which surely waited.
 * KIND: mutex, rwlock, cond, sem, join. Handoffs are waits of which the program knows who ended them, each.
 */
#ifndef LOCK_TRUTH_H
#define LOCK_TRUTH_H

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

enum lock_kind { LOCK_MUTEX, LOCK_RWLOCK, LOCK_COND, LOCK_SEM, LOCK_JOIN, LOCK_KINDS };
static const char *const lock_kind_names[LOCK_KINDS] = {"mutex", "rwlock", "cond", "sem", "join"};

#define LOCK_MAX 64
struct lock_count {
	unsigned long waits, long_waits;
	uint64_t ns;
};
static struct lock_thread {
	int tid;
	char name[16];
	struct lock_count by_kind[LOCK_KINDS];
} lock_threads[LOCK_MAX];
static unsigned lock_thread_count;
static __thread struct lock_thread *lock_me;

static struct lock_object {
	const void *address;
	enum lock_kind kind;
	struct lock_count all; /* atomic */
} lock_objects[LOCK_MAX];
static unsigned lock_object_count;

static struct {
	int waker, wakee;
	enum lock_kind kind;
	unsigned long count;
} lock_handoffs[LOCK_MAX];
static unsigned lock_handoff_count;

static inline uint64_t lock_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Uses its processor for so long. */
static inline void lock_work(uint64_t ns)
{
	for (uint64_t end = lock_now() + ns; lock_now() < end;)
		;
}

/* Once in each thread, before anything else. */
static inline int lock_begin(const char *name)
{
	lock_me = &lock_threads[__atomic_fetch_add(&lock_thread_count, 1, __ATOMIC_RELAXED)];
	lock_me->tid = (int)syscall(SYS_gettid);
	snprintf(lock_me->name, sizeof lock_me->name, "%s", name);
	pthread_setname_np(pthread_self(), lock_me->name);
	return lock_me->tid;
}

/* Names an object, before there are threads. */
static inline struct lock_object *lock_object(const void *address, enum lock_kind kind)
{
	struct lock_object *o = &lock_objects[lock_object_count++];
	o->address = address;
	o->kind = kind;
	return o;
}

static inline uint64_t lock_waited(struct lock_object *o, uint64_t begin)
{
	uint64_t ns = lock_now() - begin;
	struct lock_count *mine = &lock_me->by_kind[o->kind];
	mine->waits++;
	mine->long_waits += ns >= 20000;
	mine->ns += ns;
	__atomic_fetch_add(&o->all.waits, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&o->all.long_waits, ns >= 20000, __ATOMIC_RELAXED);
	__atomic_fetch_add(&o->all.ns, ns, __ATOMIC_RELAXED);
	return ns;
}
/* LOCK_TRUTH(object, try, call): the call, measured, where `try` has not done it. */
#define LOCK_TRUTH(object, try, call)                 \
	do {                                          \
		if ((try) != 0) {                     \
			uint64_t begin_ = lock_now(); \
			if ((call) != 0)              \
				abort();              \
			lock_waited((object), begin_); \
		}                                     \
	} while (0)

static inline void lock_handoff(int waker, int wakee, enum lock_kind kind, unsigned long count)
{
	lock_handoffs[lock_handoff_count].waker = waker;
	lock_handoffs[lock_handoff_count].wakee = wakee;
	lock_handoffs[lock_handoff_count].kind = kind;
	lock_handoffs[lock_handoff_count++].count = count;
}

/* When all other threads have ended. 0, or 1 with a message. */
static inline int lock_write(const char *path)
{
	FILE *f = fopen(path, "w");
	unsigned long total = 0;
	if (!f) {
		perror(path);
		return 1;
	}
	fprintf(f, "{\"threads\": [");
	for (unsigned i = 0; i < lock_thread_count; i++) {
		const struct lock_thread *t = &lock_threads[i];
		struct lock_count all = {0, 0, 0};
		for (unsigned k = 0; k < LOCK_KINDS; k++) {
			all.waits += t->by_kind[k].waits;
			all.long_waits += t->by_kind[k].long_waits;
		}
		fprintf(f, "%s\n {\"tid\": %d, \"name\": \"%s\", \"waits\": %lu, \"long_waits\": %lu, \"wait_ns\": {", i ? "," : "",
			t->tid, t->name, all.waits, all.long_waits);
		for (unsigned k = 0; k < LOCK_KINDS; k++)
			fprintf(f, "%s\"%s\": %llu", k ? ", " : "", lock_kind_names[k], (unsigned long long)t->by_kind[k].ns);
		fprintf(f, "}}");
	}
	fprintf(f, "],\n \"locks\": [");
	for (unsigned i = 0; i < lock_object_count; i++) {
		const struct lock_object *o = &lock_objects[i];
		fprintf(f, "%s\n {\"address\": \"0x%llx\", \"kind\": \"%s\", \"waits\": %lu, \"long_waits\": %lu, \"wait_ns\": %llu}",
			i ? "," : "", (unsigned long long)(uintptr_t)o->address, lock_kind_names[o->kind], o->all.waits, o->all.long_waits,
			(unsigned long long)o->all.ns);
	}
	for (unsigned i = 0; i < lock_handoff_count; i++)
		total += lock_handoffs[i].count;
	fprintf(f, "],\n \"handoffs\": {\"total\": %lu, \"by_pair\": [", total);
	for (unsigned i = 0; i < lock_handoff_count; i++)
		fprintf(f, "%s\n  {\"waker\": %d, \"wakee\": %d, \"kind\": \"%s\", \"count\": %lu}", i ? "," : "",
			lock_handoffs[i].waker, lock_handoffs[i].wakee, lock_kind_names[lock_handoffs[i].kind],
			lock_handoffs[i].count);
	fprintf(f, "]}}\n");
	return fclose(f) != 0;
}

#endif
