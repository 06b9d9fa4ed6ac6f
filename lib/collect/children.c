/*
 * children: forked processes that have not had an event yet. The parent's FORKED record says that there is
 * one; from then on a quiet image stands for it and keeps host and trace open, until its first event wakes
 * it, it becomes another program, or it dies. A child that did none of these when the trace is closed is woken
 * then, so that it is in the trace and is named.
 */
#include <sys/stat.h>

#include "collector.h"
#include "procfs.h"

void ht_child_forget_fork(struct ht_host *h, const struct ht_fork_note *fork)
{
	size_t at = (size_t)(fork - h->forks);
	h->forks[at] = h->forks[--h->fork_count];
}

const struct ht_fork_note *ht_child_fork(const struct ht_host *h, uint64_t token)
{
	for (size_t i = h->fork_count; i-- > 0;)
		if (h->forks[i].token == token)
			return &h->forks[i];
	return NULL;
}

struct ht_guest *ht_child_quiet(const struct ht_collector *c, const struct ht_host *h, uint64_t token)
{
	for (struct ht_guest *i = c->images; i; i = i->next)
		if (i->quiet && i->host == h && i->fork_token == token)
			return i;
	return NULL;
}

/* Our number for what the parent calls `pid`; 0 = it is not to be found. */
static pid_t our_pid(const struct ht_host *h, const struct ht_guest *parent, uint32_t pid)
{
	struct stat s;
	if (!h->nested && (uint32_t)parent->pid == parent->own_pid)
		return (pid_t)pid;
	return fstat(h->fd, &s) ? 0 : ht_proc_find_nested(pid, s.st_ino);
}

void ht_child_forked(struct ht_collector *c, struct ht_host *h, uint64_t token, uint64_t pid)
{
	const struct ht_fork_note *fork = ht_child_fork(h, token);
	if (!fork)
		return; /* the child was faster */
	struct ht_fork_note n = *fork;
	ht_child_forget_fork(h, fork);
	pid_t ours = pid && pid <= INT32_MAX ? our_pid(h, n.image, (uint32_t)pid) : 0;
	if (!pid)
		return; /* fork failed */
	struct ht_guest *there = ours ? ht_guest_live(c, ours) : NULL;
	if (there && there->host != h) { /* it is another program already, and has said so */
		if (!there->parent && !there->registered)
			there->parent = n.image;
		return;
	}
	ht_guest_expect(c, h, &n, ours, (uint32_t)pid);
}

/* Does it still run what it was forked from? Only a process that lets itself be looked at can tell. */
bool ht_child_left(const struct ht_guest *i)
{
	uint64_t dev, ino;
	struct stat s;
	return i->quiet && i->pid && ht_proc_exe_id(i->pid, &dev, &ino) && !fstat(i->host->fd, &s) &&
	       !ht_proc_maps_memfd(i->pid, s.st_ino);
}
