/*
 * guest_trace: what the trace has of images and their threads: who they are, when they began and ended, their views of memory.
 */
#include <stdlib.h>
#include <string.h>

#include "collector.h"
#include "procfs.h"

static struct ht_guest *recorded_parent(const struct ht_guest *i)
{
	return i->parent && i->parent->registered ? i->parent : NULL; /* never a quiet one: see ht_attach_begin */
}

static void describe(const struct ht_guest *i, struct ht_image *t)
{
	struct ht_guest *parent = recorded_parent(i);
	*t = (struct ht_image){
		.pid = i->own_pid,
		.parent = parent ? parent->id + 1 : 0,
		.kind = i->kind,
		.fork_number = i->fork_number,
		.exe = i->strings.exe,
		.argv = i->strings.argv,
		.start_ns = i->start_ns,
		.end_ns = i->end_ns,
		.wait_status = i->wait_status,
	};
}

/* Gives the image its id. at: ns of its first event. */
static void register_image(struct ht_collector *c, struct ht_guest *i, uint64_t at)
{
	struct ht_image t;
	if (i->registered)
		return;
	ht_collector_begin(c);
	if (at < i->start_ns || i->kind == HT_IMAGE_FORK)
		i->start_ns = at;
	i->strings.exe = ht_intern_string(&c->intern, i->exe_path, strlen(i->exe_path));
	i->strings.argv = ht_intern_string(&c->intern, (char *)i->argv_bytes.data, i->argv_bytes.len);
	describe(i, &t);
	i->id = ht_trace_writer_image(c->writer, &t);
	i->registered = true;
}

static void write_life(struct ht_collector *c, const struct ht_guest *i, unsigned op, uint64_t at)
{
	struct ht_event e = {.op = (uint8_t)op, .stamped = true, .thread = i->thread, .time = at};
	if (op == HT_OP_IMAGE_END && i->wait_status != -1)
		e.extra = (uint64_t)(uint32_t)i->wait_status + 1;
	if (op == HT_OP_IMAGE_END)
		e.size = i->pairs.bytes;
	ht_trace_writer_event(c->writer, &e);
	c->totals->events++;
}

static void start_image(struct ht_collector *c, struct ht_guest *i, uint32_t thread)
{
	if (i->started)
		return;
	i->started = true;
	i->thread = thread;
	write_life(c, i, HT_OP_IMAGE_START, i->start_ns);
}

void ht_guest_start_without_lane(struct ht_collector *c, struct ht_guest *i)
{
	register_image(c, i, i->start_ns);
	if (i->started)
		return;
	struct ht_thread_info t = {.image = i->id,
				   .tid = i->own_pid,
				   .serial = ++c->next_serial,
				   .start_ns = i->start_ns,
				   .end_ns = UINT64_MAX};
	start_image(c, i, ht_trace_writer_thread(c->writer, &t));
}

void ht_guest_write_end(struct ht_collector *c, struct ht_guest *i)
{
	struct ht_image t;
	ht_guest_start_without_lane(c, i);
	write_life(c, i, HT_OP_IMAGE_END, i->end_ns);
	describe(i, &t);
	ht_trace_writer_image_update(c->writer, i->id, &t);
}

static struct ht_thread_info thread_info(struct ht_collector *c, const struct ht_lane *l)
{
	struct ht_thread_info t = {
		.image = l->image->id,
		.tid = l->tid,
		.serial = l->serial,
		.start_ns = l->start_ns,
		.end_ns = l->end_ns,
		.name = l->name,
	};
	if (l->start_pc) {
		const struct ht_mapping *m = ht_space_nearest(l->image->space, l->generation, l->start_pc);
		struct ht_stack_node n = {
			.module = m && m->module != HT_NO_MODULE ? m->module + 1 : 0,
			.address = m ? l->start_pc - m->bias : l->start_pc,
			.flags = HT_FRAME_SIGNAL, /* exact, no return address */
		};
		uint32_t node = ht_intern_node(&c->intern, &n);
		t.start_routine = node == HT_NODE_REFUSED ? 0 : node;
	}
	return t;
}

void ht_guest_write_thread(struct ht_collector *c, const struct ht_lane *l)
{
	struct ht_thread_info t = thread_info(c, l);
	ht_trace_writer_thread_update(c->writer, l->thread, &t);
}

uint32_t ht_guest_add_thread(struct ht_collector *c, struct ht_guest *i, struct ht_thread_info *t, const char *name)
{
	register_image(c, i, t->start_ns);
	t->image = i->id;
	t->serial = ++c->next_serial;
	t->name = name[0] ? ht_intern_string(&c->intern, name, strlen(name)) : 0;
	uint32_t id = ht_trace_writer_thread(c->writer, t);
	if (t->tid == i->own_pid)
		i->main_thread = id + 1;
	start_image(c, i, id);
	return id;
}

static void read_name(struct ht_collector *c, struct ht_lane *l)
{
	char name[16];
	if (!l->image->pid || l->image->host->nested || (uint32_t)l->image->pid != l->image->own_pid)
		return;
	ht_proc_comm(l->image->pid, (pid_t)l->tid, name);
	if (name[0])
		l->name = ht_intern_string(&c->intern, name, strlen(name));
}

void ht_guest_lane_starts(struct ht_collector *c, struct ht_lane *l, uint64_t ticks)
{
	struct ht_guest *i = l->image;
	l->start_ns = ht_event_time(c, l, ticks ? ticks : c->now);
	register_image(c, i, l->start_ns);
	i->lanes++;
	l->view = ht_guest_view(c, i, l->generation);
	read_name(c, l);
	l->thread = ht_switches_thread(c, l); /* which may know of an earlier start */
	struct ht_thread_info t = thread_info(c, l);
	bool known = l->thread != UINT32_MAX;
	if (known)
		ht_trace_writer_thread_update(c->writer, l->thread, &t);
	else
		l->thread = ht_trace_writer_thread(c->writer, &t);
	if (l->tid == i->own_pid)
		i->main_thread = l->thread + 1;
	start_image(c, i, l->thread);
	if (!known)
		ht_switches_lane(c, l);
}

uint32_t ht_guest_view(struct ht_collector *c, struct ht_guest *i, uint64_t generation)
{
	for (uint32_t k = i->view_count; k-- > 0;)
		if (i->views[k].generation == generation)
			return i->views[k].view;
	if (i->view_count == i->view_cap) {
		i->view_cap = i->view_cap ? 2 * i->view_cap : 2;
		i->views = ht_xrealloc(i->views, i->view_cap, sizeof(*i->views));
	}
	i->views[i->view_count++] = (struct ht_view){generation, ++c->next_view};
	return c->next_view;
}
