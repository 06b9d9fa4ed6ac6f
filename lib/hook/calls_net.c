/*
 * calls_net: sockets. Their kind is NET by the call's name alone, what object it was is asked when it took long.
 */
#include "calls.h"

struct message { /* struct mmsghdr */
	uint64_t header[7];
	unsigned length;
};

static uint64_t lengths(const struct message *m, int n)
{
	uint64_t sum = 0;
	for (int i = 0; i < n; i++)
		sum += m[i].length;
	return sum;
}

HT_HOOK(long, recv, (int fd, void *to, size_t n, int flags), (fd, to, n, flags))
{
	HT_TIMED_IO(long, ht_real.recv(fd, to, n, flags), HT_CALL_RECV, fd, true);
}

HT_HOOK(long, __recv_chk, (int fd, void *to, size_t n, size_t room, int flags), (fd, to, n, room, flags))
{
	HT_TIMED_IO(long, ht_real.__recv_chk(fd, to, n, room, flags), HT_CALL_RECV, fd, true);
}

HT_HOOK(long, recvfrom, (int fd, void *to, size_t n, int flags, void *who, void *who_size),
	(fd, to, n, flags, who, who_size))
{
	HT_TIMED_IO(long, ht_real.recvfrom(fd, to, n, flags, who, who_size), HT_CALL_RECVFROM, fd, true);
}

HT_HOOK(long, __recvfrom_chk, (int fd, void *to, size_t n, size_t room, int flags, void *who, void *who_size),
	(fd, to, n, room, flags, who, who_size))
{
	HT_TIMED_IO(long, ht_real.__recvfrom_chk(fd, to, n, room, flags, who, who_size), HT_CALL_RECVFROM, fd, true);
}

HT_HOOK(long, recvmsg, (int fd, void *message, int flags), (fd, message, flags))
{
	HT_TIMED_IO(long, ht_real.recvmsg(fd, message, flags), HT_CALL_RECVMSG, fd, true);
}

HT_HOOK(int, recvmmsg, (int fd, void *messages, unsigned n, int flags, void *most), (fd, messages, n, flags, most))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_call_begin();
	int r = ht_real.recvmmsg(fd, messages, n, flags, most);
	struct ht_span s;
	if (ht_call_waited(&s, begin))
		ht_io_note(&s, HT_CALL_RECVMSG, fd, r, lengths(messages, r), &from);
	return r;
}

HT_HOOK(long, send, (int fd, const void *data, size_t n, int flags), (fd, data, n, flags))
{
	HT_TIMED_OUT(long, ht_real.send(fd, data, n, flags), HT_CALL_SEND, fd, r_);
}

HT_HOOK(long, sendto, (int fd, const void *data, size_t n, int flags, const void *to, unsigned to_size),
	(fd, data, n, flags, to, to_size))
{
	HT_TIMED_OUT(long, ht_real.sendto(fd, data, n, flags, to, to_size), HT_CALL_SENDTO, fd, r_);
}

HT_HOOK(long, sendmsg, (int fd, const void *message, int flags), (fd, message, flags))
{
	HT_TIMED_OUT(long, ht_real.sendmsg(fd, message, flags), HT_CALL_SENDMSG, fd, r_);
}

HT_HOOK(int, sendmmsg, (int fd, void *messages, unsigned n, int flags), (fd, messages, n, flags))
{
	HT_TIMED_OUT(int, ht_real.sendmmsg(fd, messages, n, flags), HT_CALL_SENDMSG, fd, lengths(messages, r_));
}

/* What came of it is another descriptor than the one that was waited at. */
static __attribute__((noinline)) void accepted(struct ht_span *s, bool waited, int fd, int r,
					       const struct ht_unwind_state *from)
{
	ht_fd_is(r, HT_FD_UNKNOWN);
	if (waited)
		ht_io_note(s, HT_CALL_ACCEPT, fd, r, 0, from);
	if (r >= 0 && ht_timed == HT_TIMED_ON)
		ht_fd_connected(r);
}

HT_HOOK(int, accept, (int fd, void *who, void *who_size), (fd, who, who_size))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_call_begin();
	int r = ht_real.accept(fd, who, who_size);
	struct ht_span s;
	accepted(&s, ht_call_waited(&s, begin), fd, r, &from);
	return r;
}

HT_HOOK(int, accept4, (int fd, void *who, void *who_size, int flags), (fd, who, who_size, flags))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_call_begin();
	int r = ht_real.accept4(fd, who, who_size, flags);
	struct ht_span s;
	accepted(&s, ht_call_waited(&s, begin), fd, r, &from);
	return r;
}

/* One that is still under way has no peer yet: calls_wake.c asks again when something is sent. */
HT_HOOK(int, connect, (int fd, const void *to, unsigned to_size), (fd, to, to_size))
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint64_t begin = ht_call_begin();
	int r = ht_real.connect(fd, to, to_size);
	struct ht_span s;
	if (ht_call_waited(&s, begin))
		ht_io_note(&s, HT_CALL_CONNECT, fd, r, 0, &from);
	if (r == 0 && begin)
		ht_fd_connected(fd);
	return r;
}

HT_HOOK(int, socketpair, (int domain, int type, int protocol, int *pair), (domain, type, protocol, pair))
{
	ht_call_ready();
	int r = ht_real.socketpair(domain, type, protocol, pair);
	if (r == 0 && ht_timed == HT_TIMED_ON)
		ht_fd_pair(pair);
	return r;
}
