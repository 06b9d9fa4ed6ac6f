/*
 * calls_poll: calls that wait for any of several descriptors. The object of such a wait is that of the first descriptor
 * that was found ready, since that is what somebody else did something to; epoll does not tell it. A look with no time
 * to wait is no wait, however long it takes.
 */
#include "calls.h"

#include <errno.h>

struct moment { /* struct timespec; struct timeval has microseconds */
	int64_t sec, part;
};
struct entry { /* struct pollfd */
	int fd;
	short events, revents;
};

static int first_ready(const struct entry *e, unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		if (e[i].revents)
			return e[i].fd;
	return -1;
}

/* All sets at once, word by word: n may be more than they have, as the kernel looks no further than at the last
 * descriptor that the process can have. Somewhere before it there is one. */
static int first_in_sets(int n, const uint64_t *const sets[3])
{
	for (int i = 0; i < n / 64 + (n % 64 != 0); i++)
		for (int k = 0; k < 3; k++)
			if (sets[k] && sets[k][i])
				return i * 64 + __builtin_ctzll(sets[k][i]);
	return -1;
}

/* fd: what was ready, or what was waited at (an epoll's own), -1 = none. */
static __attribute__((noinline)) void note(struct ht_span *s, unsigned call, int result, int fd, uint64_t most,
					   const struct ht_unwind_state *from)
{
	s->call = call;
	s->kind = HT_WAIT_POLL;
	s->fd = fd;
	s->error = result < 0 ? ht_errno() : result == 0 ? ETIMEDOUT : 0;
	s->object = 0;
	s->detail = most;
	if (call == HT_CALL_EPOLL_WAIT)
		ht_span_note(s, from);
	else
		ht_span_note_fd(s, from);
}

static uint64_t limit_ms(int ms)
{
	return ms < 0 ? 0 : (uint64_t)ms * 1000000u + 1;
}

/* Read after the call: the kernel could read it, or has refused it (r < 0, but not for a signal). */
static uint64_t limit_ns(const struct moment *m, int r)
{
	if (!m || (r < 0 && ht_errno() != EINTR))
		return 0;
	return (uint64_t)m->sec * 1000000000u + (uint64_t)m->part + 1;
}

/* select leaves there what remains, so it is read before; but only from the caller's stack, where it always is, as
 * what is no memory at all is the kernel's to refuse. */
static uint64_t limit_before(const struct moment *m, const struct ht_unwind_state *from)
{
	if ((uintptr_t)m - from->sp >= 64 << 10)
		return 0;
	return (uint64_t)m->sec * 1000000000u + (uint64_t)m->part * 1000u + 1;
}

#define POLLED(real_call, which, ready_fd, most)                                   \
	do {                                                                       \
		struct ht_unwind_state from = HT_CALLER_STATE();                   \
		uint64_t begin = ht_call_begin();                                  \
		int r = (real_call);                                               \
		struct ht_span s;                                                  \
		if (ht_call_waited(&s, begin)) {                                   \
			uint64_t most_ = (most);                                   \
			if (most_ != AT_ONCE)                                      \
				note(&s, (which), r, (ready_fd), most_, &from);    \
		}                                                                  \
		return r;                                                          \
	} while (0)
#define AT_ONCE 1 /* no ns, + 1 */
#define READY_ENTRY (r > 0 ? first_ready(fds, n) : -1)
#define READY_BIT (r > 0 ? first_in_sets(n, (const uint64_t *const[3]){in, out, except}) : -1)

HT_HOOK(int, poll, (void *fds, unsigned long n, int ms), (fds, n, ms))
{
	POLLED(ht_real.poll(fds, n, ms), HT_CALL_POLL, READY_ENTRY, limit_ms(ms));
}

HT_HOOK(int, __poll_chk, (void *fds, unsigned long n, int ms, size_t room), (fds, n, ms, room))
{
	POLLED(ht_real.__poll_chk(fds, n, ms, room), HT_CALL_POLL, READY_ENTRY, limit_ms(ms));
}

HT_HOOK(int, ppoll, (void *fds, unsigned long n, const void *most, const void *mask), (fds, n, most, mask))
{
	POLLED(ht_real.ppoll(fds, n, most, mask), HT_CALL_POLL, READY_ENTRY, limit_ns(most, r));
}

HT_HOOK(int, __ppoll_chk, (void *fds, unsigned long n, const void *most, const void *mask, size_t room),
	(fds, n, most, mask, room))
{
	POLLED(ht_real.__ppoll_chk(fds, n, most, mask, room), HT_CALL_POLL, READY_ENTRY, limit_ns(most, r));
}

HT_HOOK(int, select, (int n, void *in, void *out, void *except, void *most), (n, in, out, except, most))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t limit = most ? limit_before(most, &from) : 0;
	uint64_t begin = ht_call_begin();
	int r = ht_real.select(n, in, out, except, most);
	struct ht_span s;
	if (ht_call_waited(&s, begin) && limit != AT_ONCE)
		note(&s, HT_CALL_SELECT, r, READY_BIT, limit, &from);
	return r;
}

HT_HOOK(int, pselect, (int n, void *in, void *out, void *except, const void *most, const void *mask),
	(n, in, out, except, most, mask))
{
	POLLED(ht_real.pselect(n, in, out, except, most, mask), HT_CALL_SELECT, READY_BIT, limit_ns(most, r));
}

HT_HOOK(int, epoll_wait, (int fd, void *events, int n, int ms), (fd, events, n, ms))
{
	POLLED(ht_real.epoll_wait(fd, events, n, ms), HT_CALL_EPOLL_WAIT, fd, limit_ms(ms));
}

HT_HOOK(int, epoll_pwait, (int fd, void *events, int n, int ms, const void *mask), (fd, events, n, ms, mask))
{
	POLLED(ht_real.epoll_pwait(fd, events, n, ms, mask), HT_CALL_EPOLL_WAIT, fd, limit_ms(ms));
}

HT_HOOK(int, epoll_pwait2, (int fd, void *events, int n, const void *most, const void *mask),
	(fd, events, n, most, mask))
{
	POLLED(ht_real.epoll_pwait2(fd, events, n, most, mask), HT_CALL_EPOLL_WAIT, fd, limit_ns(most, r));
}
