/*
 * calls_fd: where descriptors come from and go to, and files on their way to the disk. What was remembered of a number
 * (calls_wake.c) is forgotten where it gets a new meaning.
 *
 * The mode of open is passed on whether the program gave one or not: an argument that nobody reads.
 */
#include "calls.h"

/* Kind and object of what was opened; of what could not be, a disk's. */
static __attribute__((noinline)) void opened(struct ht_span *s, int fd, const struct ht_unwind_state *from)
{
	s->call = HT_CALL_OPEN;
	s->kind = HT_WAIT_NONE;
	s->fd = fd;
	s->error = fd < 0 ? ht_errno() : 0;
	s->object = s->detail = 0;
	ht_span_note_fd(s, from);
}

#define OPEN(name, params, args)                                              \
	HT_HOOK(int, name, params, args)                                      \
	{                                                                     \
		struct ht_unwind_state from = HT_CALLER_STATE();              \
		uint64_t begin = ht_call_begin();                             \
		int fd = ht_real.name args;                                   \
		struct ht_span s;                                             \
		ht_fd_is(fd, HT_FD_UNKNOWN);                                  \
		if (ht_call_waited(&s, begin))                                \
			opened(&s, fd, &from);                                \
		return fd;                                                    \
	}
OPEN(open, (const char *path, int flags, unsigned mode), (path, flags, mode))
OPEN(open64, (const char *path, int flags, unsigned mode), (path, flags, mode))
OPEN(__open_2, (const char *path, int flags), (path, flags))
OPEN(__open64_2, (const char *path, int flags), (path, flags))
OPEN(openat, (int at, const char *path, int flags, unsigned mode), (at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, unsigned mode), (at, path, flags, mode))
OPEN(__openat_2, (int at, const char *path, int flags), (at, path, flags))
OPEN(__openat64_2, (int at, const char *path, int flags), (at, path, flags))
OPEN(creat, (const char *path, unsigned mode), (path, mode))
OPEN(creat64, (const char *path, unsigned mode), (path, mode))

/* Looked at before, as afterwards nothing is left to look at. The end of a pipe's last writer wakes its readers. */
HT_HOOK(int, close, (int fd), (fd))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct ht_fd_facts facts = {.kind = HT_WAIT_OTHER};
	if (ht_timed == HT_TIMED_ON) {
		ht_fd_know(fd, &facts);
		if ((unsigned)fd < HT_FDS && (ht_fd_classes[fd] & HT_FD_CLASS) == HT_FD_WAKES)
			ht_wake_note(HT_CALL_CLOSE, fd, NULL, 0, &from);
	}
	ht_fd_is(fd, HT_FD_UNKNOWN); /* before: once it is closed, another thread may have the number */
	uint64_t begin = ht_call_begin();
	int r = ht_real.close(fd);
	struct ht_span s;
	if (ht_call_waited(&s, begin)) {
		s.call = HT_CALL_CLOSE;
		s.kind = facts.kind;
		s.fd = fd;
		s.error = r < 0 ? ht_errno() : 0;
		s.object = facts.object;
		s.detail = 0;
		ht_span_note(&s, &from);
	}
	return r;
}

HT_HOOK(int, dup, (int fd), (fd))
{
	ht_call_ready();
	int to = ht_real.dup(fd);
	ht_fd_copied(fd, to);
	return to;
}

HT_HOOK(int, dup2, (int fd, int as), (fd, as))
{
	ht_call_ready();
	int to = ht_real.dup2(fd, as);
	if (to != fd)
		ht_fd_copied(fd, to);
	return to;
}

HT_HOOK(int, dup3, (int fd, int as, int flags), (fd, as, flags))
{
	ht_call_ready();
	int to = ht_real.dup3(fd, as, flags);
	ht_fd_copied(fd, to);
	return to;
}

HT_HOOK(int, pipe, (int *ends), (ends))
{
	ht_call_ready();
	int r = ht_real.pipe(ends);
	if (r == 0) {
		ht_fd_is(ends[0], HT_FD_UNKNOWN);
		ht_fd_is(ends[1], HT_FD_WAKES);
	}
	return r;
}

HT_HOOK(int, pipe2, (int *ends, int flags), (ends, flags))
{
	ht_call_ready();
	int r = ht_real.pipe2(ends, flags);
	if (r == 0) {
		ht_fd_is(ends[0], HT_FD_UNKNOWN);
		ht_fd_is(ends[1], HT_FD_WAKES);
	}
	return r;
}

/* The number may be of a file that stdio has closed: behind our back. */
HT_HOOK(int, eventfd, (unsigned count, int flags), (count, flags))
{
	ht_call_ready();
	int fd = ht_real.eventfd(count, flags);
	ht_fd_is(fd, HT_FD_WAKES);
	return fd;
}

#define ON_FILE(name, which, params, args)                                    \
	HT_HOOK(int, name, params, args)                                      \
	{                                                                     \
		HT_TIMED_IO(int, ht_real.name args, which, fd, false);        \
	}
ON_FILE(fsync, HT_CALL_FSYNC, (int fd), (fd))
ON_FILE(fdatasync, HT_CALL_FDATASYNC, (int fd), (fd))
ON_FILE(flock, HT_CALL_FLOCK, (int fd, int how), (fd, how))
ON_FILE(lockf, HT_CALL_FLOCK, (int fd, int how, long size), (fd, how, size))
ON_FILE(lockf64, HT_CALL_FLOCK, (int fd, int how, long size), (fd, how, size))
