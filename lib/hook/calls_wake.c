/*
 * calls_wake: what descriptors are, remembered by number, and who can be woken by data that is sent through them. A
 * pipe's two ends share an inode, an eventfd is one object, of a socketpair both inodes are known from its birth, of a
 * TCP connection within the process from its making (calls_peer.c); other sockets' peers are not known, and such wakes
 * are not noted.
 *
 * fstat takes longer than all the rest of a record, so it is asked once in LOOKS uses of a number. What is known is
 * forgotten by close, dup2 and whatever of ours gives out descriptors. A number that changes its meaning behind our
 * back (closed by closefrom, say, and given out anew by fcntl) is taken for what it was until it is looked at again;
 * that it wakes nobody, which lets programs that write files pay a byte's load for all of this, is not looked at again.
 */
#include "calls.h"

#include <errno.h>

#define LOOKS 32
#define KNOWN 1024

uint8_t ht_fd_classes[HT_FDS];

static struct {
	uint64_t object;
	uint64_t peer; /* of a connected socket, while it is this object: the other end's, 0 = not known */
	uint8_t kind, uses;
	bool anonymous;
} known[KNOWN];

void ht_fd_is(int fd, enum ht_fd_class c)
{
	if ((unsigned)fd < HT_FDS)
		HT_STORE_RELAXED(&ht_fd_classes[fd], (uint8_t)c);
}

bool ht_fd_know(int fd, struct ht_fd_facts *out)
{
	bool has_place = (unsigned)fd < KNOWN;
	if (has_place && ht_fd_classes[fd] & HT_FD_KNOWN && (++known[fd].uses % LOOKS || ht_process.filtered)) {
		*out = (struct ht_fd_facts){known[fd].kind, known[fd].object, known[fd].anonymous};
		return true;
	}
	if (!ht_fd_look(fd, out))
		return false;
	if (has_place) {
		if (known[fd].object != out->object)
			known[fd].peer = 0;
		known[fd].object = out->object;
		known[fd].kind = (uint8_t)out->kind;
		known[fd].anonymous = out->anonymous;
		ht_fd_classes[fd] |= HT_FD_KNOWN;
	}
	return true;
}

void ht_fd_copied(int from, int to)
{
	ht_fd_is(to, HT_FD_UNKNOWN);
	if ((unsigned)from < KNOWN && (unsigned)to < KNOWN)
		known[to] = known[from];
}

void ht_fd_linked(int a, uint64_t object_a, int b, uint64_t object_b)
{
	if ((unsigned)a >= KNOWN || (unsigned)b >= KNOWN)
		return;
	ht_fd_is(a, HT_FD_UNKNOWN);
	ht_fd_is(b, HT_FD_UNKNOWN);
	known[a].object = known[b].peer = object_a;
	known[b].object = known[a].peer = object_b;
}

void ht_fd_pair(const int pair[2])
{
	struct ht_fd_facts a, b;
	if (ht_fd_look(pair[0], &a) && ht_fd_look(pair[1], &b))
		ht_fd_linked(pair[0], a.object, pair[1], b.object);
}

/* The object that waiters on what this descriptor sends to name; 0 = nobody's. */
static uint64_t woken_by(int fd, const struct ht_fd_facts *f)
{
	if (f->kind == HT_WAIT_PIPE || f->anonymous)
		return f->object;
	return f->kind == HT_WAIT_NET && (unsigned)fd < KNOWN ? known[fd].peer : 0;
}

void ht_wake_note(unsigned call, int fd, const struct ht_span *s, uint64_t head, const struct ht_unwind_state *from)
{
	int e = errno;
	struct ht_fd_facts facts;
	if (!ht_fd_know(fd, &facts))
		return;
	uint64_t object = woken_by(fd, &facts);
	if (!object && facts.kind == HT_WAIT_NET) {
		ht_fd_connected(fd); /* of a connection that was long in coming, the other end may be known by now */
		object = woken_by(fd, &facts);
	}
	ht_fd_is(fd, HT_FD_KNOWN | (object ? HT_FD_WAKES : HT_FD_QUIET));
	if (object) {
		struct ht_note n = {.op = HT_REC_WAKE, .flags = HT_REC_STACK | HT_REC_STAMP | HT_REC_EXTRA,
				    .address = object,
				    .extra = call | (uint64_t)facts.kind << 8 | ((uint64_t)(uint32_t)fd + 1) << 32};
		if (s && head == ht_ring_head() && head != UINT64_MAX)
			n.ticks = s->begin;
		ht_event(&n, from);
	}
	errno = e;
}
