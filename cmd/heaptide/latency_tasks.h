/* latency_tasks: what the tables (latency_tasks.c) and the text (latency_tasks_text.c) of tasks and regions share. */
#ifndef HT_LATENCY_TASKS_H
#define HT_LATENCY_TASKS_H

#include "instance_groups.h"
#include "latency_views.h"

enum { HT_TASKS_SLOWEST = 5, HT_TASKS_THREADS = 16 };

struct ht_tasks_told {
	struct ht_latency_show *x;
	const struct ht_instances *in;
	const struct ht_instance_groups *groups;
	const char *one, *many; /* "task", "tasks" */
	bool tasks;
};

struct ht_tasks_histogram {
	uint64_t counts[HT_DURATION_BUCKETS];
	unsigned first, end; /* buckets from the first to the last that holds any */
};
void ht_tasks_histogram(const struct ht_instance_group *g, struct ht_tasks_histogram *h);

/* The threads of an instance, each once, in order of their first piece; at most HT_TASKS_THREADS. */
size_t ht_tasks_threads(const struct ht_tasks_told *w, const struct ht_instance *i, uint32_t *out);
/* Its name, or "tid N"; clean. */
void ht_tasks_thread_name(struct ht_buf *b, const struct ht_latency_show *x, uint32_t thread);

/* Text: what follows the table. */
void ht_tasks_say(const struct ht_tasks_told *w, size_t shown);

#endif
