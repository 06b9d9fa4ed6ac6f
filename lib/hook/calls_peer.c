/*
 * calls_peer: the two ends of a TCP connection within one process. An end that is made by connect or accept is entered
 * under its two addresses; whichever comes second finds the first under the same two, exchanged, and from then on each
 * knows the other's inode (calls_wake.c): so that data sent by one thread is known to wake the thread that waits for
 * it.
 *
 * An entry is a hint. It is overwritten by the fourth after it whose addresses fall into the same row, and what it led
 * to is believed only while the descriptor still has the inode that it had then.
 */
#include "calls.h"

#include <sys/syscall.h>

#define ROWS 256
#define PLACES 4
static struct row {
	struct end {
		uint64_t key;
		uint64_t object; /* inode */
		int64_t fd;
	} ends[PLACES];
	uint32_t next;
} rows[ROWS];

union address { /* struct sockaddr_in, sockaddr_in6 */
	struct {
		uint16_t family, port;
		uint32_t v4;
	} in;
	struct {
		uint16_t family, port;
		uint32_t flow, v6[4];
	} in6;
	uint8_t bytes[128];
};
enum { INET = 2, INET6 = 10 };

/* 0: no address of TCP's. An IPv4 address written as one of IPv6 is the same. */
static uint64_t mix_address(const union address *a)
{
	uint64_t low = a->in.v4, high = 0;
	if (a->in.family == INET6) {
		high = (uint64_t)a->in6.v6[0] << 32 | a->in6.v6[1];
		low = a->in6.v6[3];
		if (high || a->in6.v6[2] != 0xffff0000u)
			low |= (uint64_t)a->in6.v6[2] << 32;
	} else if (a->in.family != INET) {
		return 0;
	}
	return ht_sampler_mix(low ^ ht_sampler_mix(high + a->in.port)) | 1;
}

static uint64_t key_of(uint64_t local, uint64_t peer)
{
	return ht_sampler_mix(local + 3 * peer) | 1;
}

static uint64_t ask(long call, int fd)
{
	union address a;
	uint32_t size = sizeof(a);
	a.in.family = 0;
	return HT_SYSCALL3(call, fd, &a, &size) == 0 ? mix_address(&a) : 0;
}

static void enter(uint64_t key, uint64_t object, int fd)
{
	struct row *row = &rows[key / 2 % ROWS];
	struct end *e = &row->ends[__atomic_fetch_add(&row->next, 1, __ATOMIC_RELAXED) % PLACES];
	e->object = object;
	e->fd = fd;
	HT_STORE_RELEASE(&e->key, key);
	/* before the other is looked for: of two that come at once, one sees the other */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static const struct end *find(uint64_t key)
{
	const struct row *row = &rows[key / 2 % ROWS];
	for (unsigned i = 0; i < PLACES; i++)
		if (HT_LOAD_ACQUIRE(&row->ends[i].key) == key)
			return &row->ends[i];
	return NULL;
}

void ht_fd_connected(int fd)
{
	struct ht_fd_facts facts;
	if (!ht_fd_look(fd, &facts) || facts.kind != HT_WAIT_NET)
		return;
	uint64_t local = ask(SYS_getsockname, fd), peer = local ? ask(SYS_getpeername, fd) : 0;
	if (!peer || local == peer)
		return;
	enter(key_of(local, peer), facts.object, fd);
	const struct end *other = find(key_of(peer, local));
	if (other)
		ht_fd_linked(fd, facts.object, (int)other->fd, other->object);
}
