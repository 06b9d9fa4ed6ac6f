/*
 * requests: a small server that knows how long each of its requests took, and why. Requests are tasks: begun by main,
 * queued, worked for by one of the workers, in regions "parse", "work" with "lookup" in it, and "reply". One in
 * twenty is slow on purpose, in turn because it waits for a lock that the thread "holder" holds in hold_lock(),
 * because it sleeps, or because it allocates a lot.
 *
 *	requests WORKERS REQUESTS TRUTH.json
 *
 * A time of the truth is the least that a call's stamp allows (from after the beginning call to before the ending
 * one); its slack is how much more it can be. Main's region "serve" is never ended.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "heaptide.h"

enum { WORKERS_MAX = 16, QUEUE = 64, SLOW_EVERY = 20, MANY = 20000 };
enum { PARSE, WORK, LOOKUP, REPLY, REGIONS };
enum { QUICK, LOCK, SLEEP, ALLOC, KINDS };
static const char *const region_names[REGIONS] = {"parse", "work", "lookup", "reply"};
static const char *const kind_names[KINDS] = {"quick", "lock", "sleep", "alloc"};

struct interval {
	uint64_t ns, slack_ns;
};

struct request {
	uint64_t task;
	uint64_t begin_before, begin_after;
	int kind;
	struct interval whole, region[REGIONS];
	uint64_t allocs, bytes, region_allocs[REGIONS], region_bytes[REGIONS];
	uint64_t delay_ns; /* what made it slow took */
};

static struct request *requests;
static long request_count;
static struct request *queue[QUEUE];
static long queue_in, queue_out;
static int closed;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_full = PTHREAD_COND_INITIALIZER, queue_empty = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER, one_holder = PTHREAD_MUTEX_INITIALIZER;
static sem_t hold, held;
static volatile int stop_holder;
static volatile unsigned sink;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pause_us(long us)
{
	struct timespec t = {0, us * 1000};
	while (nanosleep(&t, &t))
		;
}

static void spin(unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++)
		sink += i * i;
}

static void *take(struct request *r, int region, size_t n)
{
	void *p = malloc(n);
	r->allocs++;
	r->bytes += n;
	r->region_allocs[region]++;
	r->region_bytes[region] += n;
	return p;
}

/* The holder's: takes the lock when asked, and keeps it for a while. */
static __attribute__((noinline)) void hold_lock(void)
{
	pthread_mutex_lock(&table_lock);
	sem_post(&held);
	pause_us(12000);
	pthread_mutex_unlock(&table_lock);
	sink++; /* the unlock is a call, not a jump: it has this function for its caller */
}

static void *holder(void *arg)
{
	for (;;) {
		sem_wait(&hold);
		if (stop_holder)
			return arg;
		hold_lock();
	}
}

static __attribute__((noinline)) void read_table(void)
{
	pthread_mutex_lock(&one_holder);
	sem_post(&hold);
	sem_wait(&held);
	pthread_mutex_lock(&table_lock);
	pthread_mutex_unlock(&table_lock);
	pthread_mutex_unlock(&one_holder);
	sink++;
}

static __attribute__((noinline)) void call_others(void)
{
	pause_us(9000);
	sink++;
}

static __attribute__((noinline)) void build_answer(struct request *r)
{
	void **list = NULL, **next;
	for (int i = 0; i < MANY; i++) {
		next = take(r, WORK, 100 + (size_t)i % 400);
		*next = list;
		list = next;
	}
	for (; list; list = next) {
		next = *list;
		free(list);
	}
}

struct mark {
	uint64_t before, after;
};

static struct mark begin(int region)
{
	struct mark m = {.before = now()};
	heaptide_region_begin(region_names[region]);
	m.after = now();
	return m;
}

static void end(struct request *r, int region, struct mark m)
{
	uint64_t before = now();
	heaptide_region_end(region_names[region]);
	uint64_t after = now();
	r->region[region].ns += before - m.after;
	r->region[region].slack_ns += after - m.before - (before - m.after);
}

static void work_for(struct request *r)
{
	heaptide_task_enter(r->task);
	struct mark m = begin(PARSE);
	char *copy = take(r, PARSE, 512);
	memset(copy, 1, 512);
	spin(20000);
	end(r, PARSE, m);
	m = begin(WORK);
	struct mark inner = begin(LOOKUP);
	void *entry = take(r, LOOKUP, 64);
	spin(5000);
	end(r, LOOKUP, inner);
	/* What happens in the inner region happens in the outer one, too. */
	r->region_allocs[WORK]++;
	r->region_bytes[WORK] += 64;
	uint64_t start = now();
	if (r->kind == LOCK)
		read_table();
	else if (r->kind == SLEEP)
		call_others();
	else if (r->kind == ALLOC)
		build_answer(r);
	r->delay_ns = now() - start;
	end(r, WORK, m);
	m = begin(REPLY);
	spin(10000);
	free(entry);
	free(copy);
	end(r, REPLY, m);
	heaptide_task_leave(r->task);
	uint64_t before = now();
	heaptide_task_end(r->task);
	uint64_t after = now();
	r->whole.ns = before - r->begin_after;
	r->whole.slack_ns = after - r->begin_before - r->whole.ns;
}

static void *worker(void *arg)
{
	for (;;) {
		pthread_mutex_lock(&queue_lock);
		while (queue_in == queue_out && !closed)
			pthread_cond_wait(&queue_full, &queue_lock);
		if (queue_in == queue_out) {
			pthread_mutex_unlock(&queue_lock);
			return arg;
		}
		struct request *r = queue[queue_out++ % QUEUE];
		pthread_cond_signal(&queue_empty);
		pthread_mutex_unlock(&queue_lock);
		work_for(r);
	}
}

static void submit(struct request *r)
{
	r->begin_before = now();
	r->task = heaptide_task_begin("request");
	r->begin_after = now();
	pthread_mutex_lock(&queue_lock);
	while (queue_in - queue_out == QUEUE)
		pthread_cond_wait(&queue_empty, &queue_lock);
	queue[queue_in++ % QUEUE] = r;
	pthread_cond_signal(&queue_full);
	pthread_mutex_unlock(&queue_lock);
}

static void list(FILE *f, const char *key, size_t offset, const char *more)
{
	fprintf(f, "\"%s\": [", key);
	for (long i = 0; i < request_count; i++) {
		uint64_t v;
		memcpy(&v, (const char *)&requests[i] + offset, sizeof(v));
		fprintf(f, "%s%llu", i ? ", " : "", (unsigned long long)v);
	}
	fprintf(f, "]%s", more);
}

static int tell(const char *path)
{
	FILE *f = fopen(path, "w");
	unsigned long long kinds[KINDS] = {0}, delays[KINDS] = {0}, allocs = 0, bytes = 0;
	if (!f)
		return 1;
	for (long i = 0; i < request_count; i++) {
		kinds[requests[i].kind]++;
		delays[requests[i].kind] += requests[i].delay_ns;
		allocs += requests[i].allocs;
		bytes += requests[i].bytes;
	}
	fprintf(f, "{\"tasks\": {\"count\": %ld, \"allocs\": %llu, \"bytes\": %llu, ", request_count, allocs, bytes);
	list(f, "duration_ns", offsetof(struct request, whole.ns), ", ");
	list(f, "slack_ns", offsetof(struct request, whole.slack_ns), "},\n \"regions\": {");
	for (int k = 0; k < REGIONS; k++) {
		unsigned long long n[4] = {0};
		for (long i = 0; i < request_count; i++) {
			n[0] += requests[i].region[k].ns;
			n[1] += requests[i].region[k].slack_ns;
			n[2] += requests[i].region_allocs[k];
			n[3] += requests[i].region_bytes[k];
		}
		fprintf(f, "%s\n  \"%s\": {\"count\": %ld, \"total_ns\": %llu, ", k ? "," : "", region_names[k],
			request_count, n[0]);
		fprintf(f, "\"slack_ns\": %llu, \"allocs\": %llu, \"bytes\": %llu}", n[1], n[2], n[3]);
	}
	fprintf(f, "},\n \"slow\": {");
	for (int k = LOCK; k < KINDS; k++)
		fprintf(f, "%s\"%s\": %llu", k > LOCK ? ", " : "", kind_names[k], kinds[k]);
	fprintf(f, "},\n \"delay_ns\": {");
	for (int k = LOCK; k < KINDS; k++)
		fprintf(f, "%s\"%s\": %llu", k > LOCK ? ", " : "", kind_names[k], delays[k]);
	fprintf(f, "}}\n");
	return fclose(f) != 0;
}

int main(int argc, char **argv)
{
	pthread_t threads[WORKERS_MAX], holding;
	long workers = argc == 4 ? atol(argv[1]) : 0;
	request_count = argc == 4 ? atol(argv[2]) : 0;
	if (workers < 1 || workers > WORKERS_MAX || request_count < 1)
		return 2;
	requests = calloc((size_t)request_count, sizeof(*requests));
	if (!requests || sem_init(&hold, 0, 0) || sem_init(&held, 0, 0))
		return 1;
	heaptide_region_begin("serve");
	pthread_create(&holding, NULL, holder, NULL);
	pthread_setname_np(holding, "holder");
	for (long i = 0; i < workers; i++) {
		char name[16];
		pthread_create(&threads[i], NULL, worker, NULL);
		snprintf(name, sizeof(name), "worker-%ld", i);
		pthread_setname_np(threads[i], name);
	}
	for (long i = 0; i < request_count; i++) {
		if (i % SLOW_EVERY == SLOW_EVERY / 2)
			requests[i].kind = LOCK + (int)(i / SLOW_EVERY % (KINDS - LOCK));
		submit(&requests[i]);
		pause_us(200);
	}
	pthread_mutex_lock(&queue_lock);
	closed = 1;
	pthread_cond_broadcast(&queue_full);
	pthread_mutex_unlock(&queue_lock);
	for (long i = 0; i < workers; i++)
		pthread_join(threads[i], NULL);
	stop_holder = 1;
	sem_post(&hold);
	pthread_join(holding, NULL);
	return tell(argv[3]);
}
