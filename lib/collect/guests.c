/*
 * guests: images being recorded: one program in one process, from its hello or its first event after a fork to its end.
 * How they come to be, and which lane is of which.
 *
 * One is LIVE until its process dies or becomes another program, ENDING until its rings are
 * drained, then CLOSED (guest_ends.c). What the trace has of them is written in guest_trace.c.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "code_maps.h"
#include "collector.h"
#include "procfs.h"

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

void ht_guest_wake(struct ht_collector *c, struct ht_guest *i)
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
	ht_guest_wake(c, i);
}

struct ht_guest *ht_guest_rouse(struct ht_collector *c, pid_t pid)
{
	for (struct ht_guest *i = c->images; i; i = i->next)
		if (i->quiet && i->pid == pid && i->state == HT_GUEST_LIVE && !i->exec_seen) {
			ht_guest_wake(c, i);
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
		ht_guest_wake(c, quiet);
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
