/* header: what a trace says of itself before its first event. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collector.h"

#define CHECKPOINT_SHARE 8 /* of the memory: for checkpoints */

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Words for a header that is read by people and programs: no spaces inside one. */
static void add_flags(struct ht_buf *b, const struct ht_segment *s)
{
	uint32_t flags = HT_LOAD_RELAXED(&s->flags);
	char by[sizeof(s->shadowed_by)];
	memcpy(by, s->shadowed_by, sizeof(by));
	by[sizeof(by) - 1] = '\0';
	for (char *p = by; *p; p++)
		if ((unsigned char)*p <= ' ')
			*p = '?';
	if (by[0])
		ht_buf_printf(b, "shadowed_by=%s ", by);
	if (flags & HT_FLAG_NEW_BYPASSES && !(flags & HT_FLAG_NEW_HOOKED))
		ht_buf_printf(b, "operator_new_bypasses_malloc ");
}

const uint32_t ht_class_options[HT_EVENT_CLASSES] = {
	[HT_CLASS_ALLOC] = HT_OPT_ALLOC, [HT_CLASS_MAP] = HT_OPT_MAP,	  [HT_CLASS_THREAD] = HT_OPT_THREAD,
	[HT_CLASS_SYNC] = HT_OPT_SYNC,	 [HT_CLASS_IO] = HT_OPT_IO,	  [HT_CLASS_SCHED] = HT_OPT_SCHED,
	[HT_CLASS_STALL] = HT_OPT_STALL, [HT_CLASS_FAULT] = HT_OPT_FAULT,
};

static uint32_t classes_of(uint32_t options)
{
	uint32_t classes = 0;
	for (unsigned i = 0; i < HT_EVENT_CLASSES; i++)
		classes |= options & ht_class_options[i] ? 1u << i : 0;
	return classes;
}

static void add_command(const struct ht_collector *c, struct ht_buf *b)
{
	const char *const *command = c->settings->command;
	for (; command && *command; command++) {
		if (c->settings->argv == HT_ARGV_NONE)
			break;
		ht_buf_append(b, *command, strlen(*command) + 1);
		if (c->settings->argv == HT_ARGV_FIRST)
			break;
	}
	if (!c->settings->command && c->images)
		ht_buf_append(b, c->images->argv_bytes.data, c->images->argv_bytes.len);
	ht_buf_append(b, "\0", 2);
}

void ht_collector_begin(struct ht_collector *c)
{
	if (c->writer)
		return;
	struct ht_buf flags = {0}, command = {0};
	char host[256] = "";
	gethostname(host, sizeof(host) - 1);
	for (struct ht_host *h = c->hosts; h; h = h->next)
		add_flags(&flags, h->seg);
	if (flags.len)
		flags.len--;
	ht_buf_byte(&flags, 0);
	add_command(c, &command);
	uint64_t ago = ht_collector_ns(c);
	struct ht_trace_settings s = {
		.start_utc_ns = clock_ns(CLOCK_REALTIME) - ago,
		.start_monotonic_ns = c->clock.start_mono,
		.start_boottime_ns = clock_ns(CLOCK_BOOTTIME) - ago,
		.time_unit_ns = 1000,
		.addresses = c->settings->addresses,
		.sized_ends = true,
		.checkpoint_memory = c->memory_cap / CHECKPOINT_SHARE,
		.free_stacks = c->settings->free_stacks,
		.stack_depth = c->settings->stack_depth,
		.sample_bytes = c->settings->sample_bytes,
#if defined(__aarch64__)
		.clock = c->clock.tsc ? "cntvct" : "monotonic",
#else
		.clock = c->clock.tsc ? "tsc" : "monotonic",
#endif
		.sched = ht_switches_source(c),
		.events = classes_of(c->settings->hook_options),
		.command = (const char *)command.data,
		.hostname = host,
		.flags = (const char *)flags.data,
	};
	struct ht_diag d = {0};
	c->writer = ht_trace_writer_new(c->settings->out_fd, &s, &d);
	c->intern.writer = c->writer;
	ht_buf_release(&flags);
	ht_buf_release(&command);
	if (!c->writer) { /* not even a header: nothing to write into */
		fprintf(stderr, "heaptide: %s\n", d.text);
		_exit(3);
	}
}
