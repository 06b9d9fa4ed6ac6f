/*
 * guests: images being recorded: one program in one process, from its hello or its first event after a fork to its end.
 *
 * One is LIVE until its process dies or becomes another program, ENDING until its rings are
 * drained, then CLOSED. A process that dies leaves everything it committed in the rings, so nothing
 * depends on how it died.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "code_maps.h"
#include "collector.h"
#include "procfs.h"

#define LINGER (50 * 1000000ull)

/* --- birth -------------------------------------------------------------------------------- */

struct ht_guest *ht_guest_live(struct ht_collector *c, pid_t pid)
{
	for (struct ht_guest *i = c->images; i; i = i->next)
		if (i->pid == pid && i->state == HT_GUEST_LIVE)
			return i;
	return NULL;
}

static struct ht_guest *image_in_host(struct ht_collector *c, const struct ht_host *h, uint32_t own_pid)
{
	struct ht_guest *found = NULL;
	for (struct ht_guest *i = c->images; i; i = i->next)
		if (i->host == h && i->own_pid == own_pid && !i->quiet && (!found || i->state == HT_GUEST_LIVE))
			found = i;
	return found;
}

static void keep_argv(const struct ht_collector *c, struct ht_guest *i)
{
	int keep = c->settings->argv;
	if (keep == HT_ARGV_NONE)
		return;
	ht_proc_cmdline(i->pid, &i->argv_bytes);
	if (keep == HT_ARGV_FIRST)
		i->argv_bytes.len = strnlen((char *)i->argv_bytes.data, i->argv_bytes.len);
}

static void watch_process(struct ht_collector *c, struct ht_guest *i)
{
	if (i->pid && i->process.fd < 0)
		i->process.fd = (int)syscall(SYS_pidfd_open, i->pid, 0);
	if (i->process.fd >= 0)
		ht_watch_add(c->watch, &i->process);
	else if (!i->pid || !ht_proc_alive(i->pid))
		ht_guest_ending(c, i, false); /* gone already */
}

static struct ht_guest *new_guest(pid_t pid)
{
	struct ht_guest *i = ht_xcalloc(1, sizeof(*i));
	i->pid = pid;
	i->process = (struct ht_source){.kind = HT_SOURCE_IMAGE, .fd = -1, .image = i};
	return i;
}

/* What only a living process can be asked; it may be gone a moment after it was answered. */
struct ht_guest *ht_guest_draft(const struct ht_collector *c, pid_t pid)
{
	struct ht_guest *i = new_guest(pid);
	char path[4096];
	if (pid)
		i->process.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	ht_proc_exe_id(pid, &i->exe_dev, &i->exe_ino);
	ht_proc_exe(pid, path, sizeof(path));
	i->exe_path = ht_xstrdup(path);
	keep_argv(c, i);
	return i;
}

static struct ht_guest *draft_of_parent(pid_t pid, const struct ht_guest *parent)
{
	struct ht_guest *i = new_guest(pid);
	i->exe_dev = parent->exe_dev;
	i->exe_ino = parent->exe_ino;
	i->exe_path = ht_xstrdup(parent->exe_path);
	ht_buf_append(&i->argv_bytes, parent->argv_bytes.data, parent->argv_bytes.len);
	return i;
}

void ht_guest_free(struct ht_guest *i)
{
	if (i->process.fd >= 0)
		close(i->process.fd);
	if (i->space && !i->quiet)
		ht_pairs_release(&i->pairs);
	ht_space_release(i->space);
	ht_code_maps_free(i->maps);
	free(i->views);
	free(i->exe_path);
	ht_buf_release(&i->argv_bytes);
	free(i);
}

/* In the list, its process watched. */
static void enlist(struct ht_collector *c, struct ht_guest *i, struct ht_host *h, uint32_t own_pid, uint8_t kind,
		   struct ht_guest *parent)
{
	i->host = h;
	i->parent = parent;
	i->kind = kind;
	i->own_pid = own_pid;
	i->wait_status = -1;
	i->end_ns = UINT64_MAX;
	i->polled |= kind == HT_IMAGE_FORK && parent && parent->polled;
	i->start_ns = ht_collector_ns(c);
	i->next_sample = i->start_ns;
	i->space = ht_space_new(kind == HT_IMAGE_FORK && parent ? parent->space : NULL);
	h->images++;
	h->ready = true;
	i->next = c->images;
	c->images = i;
	watch_process(c, i);
}

/* From now on it counts. */
static void wake(struct ht_collector *c, struct ht_guest *i)
{
	i->quiet = false;
	ht_pairs_init(&i->pairs, &c->memory_used, c->memory_cap);
	c->image_count++;
	c->result.processes += i->kind != HT_IMAGE_EXEC || !i->parent || i->parent->pid != i->pid;
}

void ht_guest_begin(struct ht_collector *c, struct ht_guest *i, struct ht_host *h, uint32_t own_pid, uint8_t kind,
		    struct ht_guest *parent)
{
	enlist(c, i, h, own_pid, kind, parent);
	wake(c, i);
}

struct ht_guest *ht_guest_rouse(struct ht_collector *c, pid_t pid)
{
	for (struct ht_guest *i = c->images; i; i = i->next)
		if (i->quiet && i->pid == pid && i->state == HT_GUEST_LIVE && !i->exec_seen) {
			wake(c, i);
			return i;
		}
	return NULL;
}

void ht_guest_expect(struct ht_collector *c, struct ht_host *h, const struct ht_fork_note *fork, pid_t pid,
		     uint32_t own_pid)
{
	struct ht_guest *i = draft_of_parent(pid, fork->image);
	i->quiet = true;
	i->fork_token = fork->token;
	i->fork_number = fork->number;
	enlist(c, i, h, own_pid, HT_IMAGE_FORK, fork->image);
}

/* The child's pid in our namespace; 0 = it is not to be found, or dead. */
static pid_t map_pid(const struct ht_host *h, const struct ht_guest *parent, uint32_t own_pid)
{
	struct stat s;
	bool nested = h->nested || !parent || (uint32_t)parent->pid != parent->own_pid;
	if (!nested && own_pid > parent->own_pid)
		return (pid_t)own_pid; /* numbers rise: it is of our namespace */
	if (fstat(h->fd, &s))
		return 0;
	/* either the numbers began again, or the child is in a namespace of its own */
	if (!nested && ht_proc_maps_memfd((pid_t)own_pid, s.st_ino))
		return (pid_t)own_pid;
	return ht_proc_find_nested(own_pid, s.st_ino);
}

static struct ht_guest *parent_by_serial(const struct ht_collector *c, uint64_t serial)
{
	for (size_t i = 0; i < c->lane_count; i++)
		if (c->lanes[i]->serial == serial)
			return c->lanes[i]->image;
	return NULL;
}

static struct ht_guest *forked_child(struct ht_collector *c, struct ht_lane *l, const struct ht_fork_note *fork)
{
	struct ht_host *h = l->host;
	struct ht_guest *before = image_in_host(c, h, l->pid);
	struct ht_guest *quiet = l->fork_token ? ht_child_quiet(c, h, l->fork_token) : NULL;
	struct ht_guest *parent = quiet ? quiet->parent : fork ? fork->image : parent_by_serial(c, l->parent_serial);
	if (before && before->state == HT_GUEST_LIVE && before != parent)
		ht_guest_ending(c, before, false); /* its number was given to another process */
	if (quiet) {
		quiet->own_pid = l->pid;
		wake(c, quiet);
		return quiet;
	}
	pid_t pid = map_pid(h, parent, l->pid);
	struct ht_guest *i = parent && parent->exe_path ? draft_of_parent(pid, parent) : ht_guest_draft(c, pid);
	ht_guest_begin(c, i, h, l->pid, HT_IMAGE_FORK, parent);
	if (fork) {
		i->fork_number = fork->number;
		ht_child_forget_fork(h, fork);
	}
	return i;
}

struct ht_guest *ht_guest_of_lane(struct ht_collector *c, struct ht_lane *l, const struct ht_fork_note *fork)
{
	if (l->forked)
		return forked_child(c, l, fork);
	struct ht_guest *i = image_in_host(c, l->host, l->pid);
	if (!i && l->resolved)
		i = forked_child(c, l, NULL);
	return i;
}

/* --- in the trace ------------------------------------------------------------------------- */

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

/* An image that never had an event still has a beginning and an end. */
static void start_without_lane(struct ht_collector *c, struct ht_guest *i)
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
	struct ht_thread_info t = thread_info(c, l);
	l->thread = ht_switches_thread(c, l);
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

/* --- the end ------------------------------------------------------------------------------ */

void ht_guest_ending(struct ht_collector *c, struct ht_guest *i, bool execed)
{
	if (i->state != HT_GUEST_LIVE)
		return;
	i->state = HT_GUEST_ENDING;
	i->execed = execed;
	i->end_ns = ht_collector_ns(c);
	if (i->process.fd >= 0) {
		ht_watch_remove(c->watch, &i->process);
		close(i->process.fd);
		i->process.fd = -1;
	}
}

static void drop_lane(struct ht_collector *c, struct ht_lane *l, bool reuse)
{
	if (l->image && !l->handler_of && !c->stopped) {
		if (l->end_ns == UINT64_MAX && reuse)
			l->end_ns = l->last_ns;
		struct ht_thread_info t = thread_info(c, l);
		ht_trace_writer_thread_update(c->writer, l->thread, &t);
	}
	ht_lane_drop(c, l, reuse);
}

/* Drops the image's lanes that are drained. False: some are not. */
static bool drop_lanes(struct ht_collector *c, struct ht_guest *i)
{
	bool all = true;
	for (size_t k = c->lane_count; k-- > 0;) {
		struct ht_lane *l = c->lanes[k];
		if (l->image != i)
			continue;
		if (c->stopped || ht_lane_drained(l))
			drop_lane(c, l, i->pid != 0);
		else
			all = false;
	}
	return all;
}

/* A thread of it that nobody has met yet: its slot is claimed but not adopted, or adopted and not told. */
static bool has_strangers(const struct ht_collector *c, const struct ht_guest *i)
{
	for (size_t k = 0; k < c->lane_count; k++) {
		const struct ht_lane *l = c->lanes[k];
		bool its = l->pid == i->own_pid || (i->quiet && l->forked && l->fork_token == i->fork_token);
		if (!l->image && l->host == i->host && its)
			return true;
	}
	return false;
}

static void take_totals(struct ht_collector *c, struct ht_host *h)
{
	struct ht_collect_result *r = &c->result;
	r->segment_flags |= HT_LOAD_RELAXED(&h->seg->flags);
	uint32_t off = HT_LOAD_RELAXED(&h->seg->off_reason);
	if (HT_LOAD_RELAXED(&h->seg->control) == HT_CONTROL_STOP && !c->closing && !c->stopped)
		off = HT_OFF_COLLECTOR_GONE; /* nobody but the target said stop: it gave us up for dead */
	if (!c->totals->off_reason && off != HT_OFF_STOPPED && off != HT_OFF_NOT_FOLLOWED && off < HT_OFF_COUNT)
		c->totals->off_reason = off;
	if (!r->shadowed_by[0] && h->seg->shadowed_by[0])
		memcpy(r->shadowed_by, h->seg->shadowed_by, sizeof(r->shadowed_by) - 1);
}

static void note_bypass(struct ht_collector *c, const struct ht_guest *i)
{
	uint32_t flags = HT_LOAD_RELAXED(&i->host->seg->flags);
	if (flags & HT_FLAG_NEW_BYPASSES && !(flags & HT_FLAG_NEW_HOOKED) && !c->result.new_bypassed[0])
		snprintf(c->result.new_bypassed, sizeof(c->result.new_bypassed), "%.255s", i->exe_path);
}

static void close_image(struct ht_collector *c, struct ht_guest *i)
{
	struct ht_image t;
	if (i->exec_seen) /* and it ended without a hello */
		c->totals->exec_not_attached++;
	if (i->kind != HT_IMAGE_FORK && !i->started && !c->stopped) /* it was answered, and never mapped what it got */
		c->totals->exec_not_attached++;
	ht_switches_close(c, i);
	if (!c->stopped) {
		start_without_lane(c, i);
		write_life(c, i, HT_OP_IMAGE_END, i->end_ns);
		describe(i, &t);
		ht_trace_writer_image_update(c->writer, i->id, &t);
	}
	ht_pairs_release(&i->pairs);
	ht_space_release(i->space);
	ht_code_maps_free(i->maps);
	free(i->views);
	i->space = NULL;
	i->maps = NULL;
	i->views = NULL;
	i->state = HT_GUEST_CLOSED;
	note_bypass(c, i);
	take_totals(c, i->host);
	i->host->images--;
	i->host = NULL;
	i->next = c->closed;
	c->closed = i;
}

/* A child that ended without an event: nothing refers to it. */
static void drop_quiet(struct ht_collector *c, struct ht_guest *i)
{
	c->totals->exec_not_attached += i->exec_seen != 0;
	i->host->images--;
	ht_guest_free(i);
}

/* Its wait status is on its way. */
static bool status_awaited(const struct ht_collector *c, const struct ht_guest *i)
{
	return !i->execed && i->pid && i->pid == c->command && !c->command_ended && !c->control_closed;
}

static void close_images(struct ht_collector *c)
{
	for (struct ht_guest **p = &c->images; *p;) {
		struct ht_guest *i = *p;
		if (i->state != HT_GUEST_ENDING || status_awaited(c, i) || !drop_lanes(c, i) ||
		    (has_strangers(c, i) && !c->stopped)) {
			p = &i->next;
			continue;
		}
		if (!i->execed && i->pid && i->pid == c->command && c->command_ended)
			i->wait_status = c->command_status;
		*p = i->next;
		if (i->quiet && ht_switches_claim(c, i))
			wake(c, i);
		if (i->quiet)
			drop_quiet(c, i);
		else
			close_image(c, i);
	}
}

/* A host without images may still be mapped by a child that has not allocated yet. */
static void free_hosts(struct ht_collector *c)
{
	uint64_t now = ht_collector_ns(c);
	for (struct ht_host *h = c->hosts, *next; h; h = next) {
		next = h->next;
		if (h->images || h->lanes || !h->ready || now < h->next_look)
			continue;
		h->next_look = now + LINGER;
		if (!(c->settings->follow & HT_FOLLOW_FORK) || c->stopped || !ht_host_mapped(c, h))
			ht_host_free(c, h);
	}
}

void ht_guests_close(struct ht_collector *c)
{
	for (size_t k = c->lane_count; k-- > 0;)
		if (c->lanes[k]->gone && ht_lane_drained(c->lanes[k]))
			drop_lane(c, c->lanes[k], true);
	close_images(c);
	free_hosts(c);
}

/* --- closing the trace -------------------------------------------------------------------- */

void ht_guests_name(struct ht_collector *c, pid_t pid)
{
	struct ht_collect_result *r = &c->result;
	for (uint32_t k = 0; k < r->running_count && k < HT_RUNNING_MAX; k++)
		if (r->running[k] == (uint32_t)pid)
			return;
	if (r->running_count < HT_RUNNING_MAX)
		r->running[r->running_count] = (uint32_t)pid;
	r->running_count++;
}

static void name_running(struct ht_collector *c, struct ht_guest *i)
{
	ht_guests_name(c, i->pid ? i->pid : (pid_t)i->own_pid);
	note_bypass(c, i);
	if (i->quiet) {
		wake(c, i);
		ht_switches_image(c, i);
	}
	ht_switches_close(c, i);
	if (!c->stopped)
		start_without_lane(c, i);
}

struct strangers {
	struct ht_collector *c;
	pid_t found;
};

static bool is_stranger(void *ctx, pid_t pid)
{
	struct strangers *s = ctx;
	for (const struct ht_guest *i = s->c->images; i; i = i->next)
		if (i->pid == pid && i->state == HT_GUEST_LIVE)
			return false;
	s->found = pid;
	return true;
}

pid_t ht_guests_stranger(struct ht_collector *c)
{
	struct strangers s = {.c = c};
	bool all = (c->settings->follow & (HT_FOLLOW_FORK | HT_FOLLOW_EXEC)) == (HT_FOLLOW_FORK | HT_FOLLOW_EXEC);
	if (all && c->settings->token[0]) /* else there are some on purpose */
		ht_proc_find_environment(c->settings->token, is_stranger, &s);
	return s.found;
}

static bool name_stranger(void *ctx, pid_t pid)
{
	struct strangers *s = ctx;
	if (is_stranger(s, pid)) {
		ht_guests_name(s->c, pid);
		ht_guests_unattached(s->c, pid);
	}
	return false;
}

/* Those that run a program which did not attach, or not yet. */
static void name_strangers(struct ht_collector *c)
{
	struct strangers s = {.c = c};
	if (ht_guests_stranger(c))
		ht_proc_find_environment(c->settings->token, name_stranger, &s);
}

/* Someone maps it, and is none of its images: forked past our fork(), without an event. */
static void name_unknown(struct ht_collector *c, struct ht_host *h)
{
	struct stat s;
	if (!h->images && h->ready && ht_host_mapped(c, h) && !fstat(h->fd, &s))
		ht_guests_name(c, ht_proc_find_mapping(s.st_ino));
}

void ht_guests_stop(struct ht_collector *c)
{
	for (struct ht_host *h = c->hosts; h; h = h->next) {
		take_totals(c, h);
		HT_STORE_RELEASE(&h->seg->control, HT_CONTROL_STOP);
	}
	c->closing = true;
	if (!c->stopped)
		ht_drain_all(c);
}

void ht_guests_finish(struct ht_collector *c)
{
	if (!c->stopped)
		ht_drain_all(c);
	ht_guests_close(c);
	for (struct ht_guest *i = c->images; i; i = i->next)
		name_running(c, i);
	name_strangers(c);
	while (c->lane_count)
		drop_lane(c, c->lanes[c->lane_count - 1], false);
	for (struct ht_host *h = c->hosts; h; h = h->next) {
		name_unknown(c, h);
		if (h->seg)
			take_totals(c, h);
	}
	while (c->hosts)
		ht_host_free(c, c->hosts);
}
