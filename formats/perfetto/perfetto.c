/*
 * perfetto: the exporter, and what stands at the front of its file: clocks, the system, every process, thread and
 * counter with its track; then the counters' values. The order of the parts matters for arrows only: a task's slice is
 * told before the threads' that its arrows lead to.
 *
 * All absolute times are of CLOCK_BOOTTIME, which Perfetto takes ftrace events to be of whatever else is said.
 */
#include "perfetto.h"

#include <inttypes.h>

#include "perfetto_out.h"

/* --- the front of the file ------------------------------------------------------------------ */

static void write_system(struct ht_pf *o)
{
	/* Not the machine's kernel: the one from which on "preempted" is written as it is written here. */
	struct ht_buf *b = ht_pf_packet_plain(o, true, 0);
	size_t mark = ht_pb_begin(b, PACKET_SYSTEM_INFO), inner = ht_pb_begin(b, SYSTEM_UTSNAME);
	ht_pb_text(b, UTSNAME_SYSNAME, "Linux");
	ht_pb_text(b, UTSNAME_RELEASE, "4.14.0");
	ht_pb_end(b, inner);
	ht_pb_end(b, mark);
	ht_pf_send(o);
}

static void write_process(struct ht_pf *o, uint32_t i)
{
	const struct ht_timeline_process *p = &o->t->processes[i];
	struct ht_buf *b = ht_pf_packet_plain(o, true, p->start_ns);
	size_t mark = ht_pb_begin(b, PACKET_TRACK_DESCRIPTOR);
	ht_pb_uint(b, DESCRIPTOR_UUID, ht_pf_process_track(i));
	size_t inner = ht_pb_begin(b, DESCRIPTOR_PROCESS);
	ht_pb_uint(b, PROCESS_PID, p->pid);
	if (*p->command)
		ht_pb_text(b, PROCESS_CMDLINE, p->command);
	ht_pb_text(b, PROCESS_NAME, p->name);
	ht_pb_end(b, inner);
	ht_pb_end(b, mark);
	ht_pf_send(o);
}

/* Stamped with the thread's start: then a tid that is used again means the thread that has it by then. */
static void write_thread(struct ht_pf *o, uint32_t i)
{
	const struct ht_timeline_thread *x = &o->t->threads[i];
	struct ht_buf *b = ht_pf_packet_plain(o, true, x->start_ns);
	size_t mark = ht_pb_begin(b, PACKET_TRACK_DESCRIPTOR);
	ht_pb_uint(b, DESCRIPTOR_UUID, ht_pf_thread_track(o, i));
	size_t inner = ht_pb_begin(b, DESCRIPTOR_THREAD);
	ht_pb_uint(b, THREAD_PID, o->t->processes[x->process].pid);
	ht_pb_uint(b, THREAD_TID, x->tid);
	ht_pb_text(b, THREAD_NAME, x->name);
	ht_pb_end(b, inner);
	ht_pb_uint(b, DESCRIPTOR_PARENT, ht_pf_process_track(x->process));
	ht_pb_end(b, mark);
	ht_pf_send(o);
}

static void write_counter_track(struct ht_pf *o, size_t i)
{
	const struct ht_timeline_counter *c = &o->t->counters[i];
	struct ht_buf *b = ht_pf_packet_plain(o, true, o->t->processes[c->process].start_ns);
	size_t mark = ht_pb_begin(b, PACKET_TRACK_DESCRIPTOR);
	ht_pb_uint(b, DESCRIPTOR_UUID, ht_pf_counter_track(o, i));
	ht_pb_text(b, DESCRIPTOR_NAME, c->name);
	ht_pb_uint(b, DESCRIPTOR_PARENT, ht_pf_process_track(c->process));
	size_t inner = ht_pb_begin(b, DESCRIPTOR_COUNTER);
	if (c->unit == HT_TIMELINE_BYTES) {
		/* Live bytes and RSS are to be compared: one scale for both. */
		ht_pb_uint(b, COUNTER_UNIT, UNIT_BYTES);
		ht_pb_text(b, COUNTER_SHARE_KEY, "bytes");
	} else if (c->unit == HT_TIMELINE_COUNT) {
		ht_pb_uint(b, COUNTER_UNIT, UNIT_COUNT);
	} else {
		ht_pb_text(b, COUNTER_UNIT_NAME, "/s");
	}
	ht_pb_end(b, inner);
	ht_pb_end(b, mark);
	ht_pf_send(o);
}

/* Clocks, system, descriptors. */
static void write_head(struct ht_pf *o)
{
	ht_pf_sequence(o, 0, 0); /* the clocks of the trace's first instant, whatever part of it is told */
	write_system(o);
	for (uint32_t i = 0; i < o->t->process_count; i++)
		write_process(o, i);
	for (uint32_t i = 0; i < o->t->thread_count; i++)
		write_thread(o, i);
	for (size_t i = 0; i < o->t->counter_count; i++)
		write_counter_track(o, i);
}

/* --- counters ------------------------------------------------------------------------------- */

enum { COUNTER_EVERY_NS = 10000 };

static void write_value(struct ht_pf *o, const struct ht_profile_point *p)
{
	struct ht_buf *b = ht_pf_packet(o, (uint64_t)p->time_ns);
	size_t mark = ht_pb_begin(b, PACKET_TRACK_EVENT);
	ht_pb_uint(b, EVENT_TYPE, TYPE_COUNTER);
	ht_pb_always(b, EVENT_COUNTER_VALUE, (uint64_t)p->bytes);
	ht_pb_end(b, mark);
	ht_pf_send(o);
}

/* One value in 10 us, unless it moves by a hundredth; what it comes to rest at is always told. */
static bool worth_telling(const struct ht_profile_point *p, const struct ht_profile_point *told)
{
	uint64_t change = p->bytes > told->bytes ? (uint64_t)p->bytes - (uint64_t)told->bytes
						 : (uint64_t)told->bytes - (uint64_t)p->bytes;
	uint64_t size = told->bytes < 0 ? 0 - (uint64_t)told->bytes : (uint64_t)told->bytes;
	return change && (p->time_ns - told->time_ns >= COUNTER_EVERY_NS || change >= size / 100);
}

static void write_counters(struct ht_pf *o)
{
	for (size_t i = 0; i < o->t->counter_count; i++) {
		const struct ht_timeline_counter *c = &o->t->counters[i];
		const struct ht_profile_point *told = NULL, *last = c->points;
		if (!c->point_count)
			continue;
		ht_pf_sequence(o, ht_pf_counter_track(o, i), (uint64_t)c->points[0].time_ns);
		for (; last < c->points + c->point_count; last++) {
			if (told && !worth_telling(last, told))
				continue;
			write_value(o, last);
			told = last;
		}
		if (told != --last)
			write_value(o, last);
	}
}

/* --- the exporter --------------------------------------------------------------------------- */

int ht_perfetto_write(const struct ht_timeline *t, size_t restart_bytes, int fd, struct ht_diag *d)
{
	struct ht_timeline_order order;
	struct ht_pf o;
	ht_timeline_order_init(&order, t);
	ht_pf_init(&o, t, &order, restart_bytes, fd);
	write_head(&o);
	write_counters(&o);
	ht_pf_write_tasks(&o);
	ht_pf_write_threads(&o);
	ht_pf_write_sched(&o);
	ht_pf_write_heaps(&o);
	ht_timeline_order_release(&order);
	int r = ht_pf_end(&o, d);
	if (!r && o.far_switches)
		ht_fail(d, HT_OK, "%" PRIu64 " context switches of processors from 1024 on are left out: "
			"Perfetto takes none", o.far_switches);
	return r;
}

static int write_timeline(const struct ht_timeline *t, int fd, struct ht_diag *d)
{
	return ht_perfetto_write(t, HT_PERFETTO_RESTART, fd, d);
}

const struct ht_exporter ht_perfetto_exporter = {
	.name = "perfetto",
	.extension = ".pftrace",
	.summary = "a timeline for ui.perfetto.dev, with processors, states, waits and who ended them",
	.binary = true,
	.write_timeline = write_timeline,
};
