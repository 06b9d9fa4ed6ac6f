/*
 * attach: hellos in, segments out. One exchange per image: a hello of fixed size whose sender the kernel
 * vouches for, a welcome with the memfd. Nothing on a connection is waited for: a peer that does not
 * say hello at once is a descriptor among others until it hangs up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "collector.h"
#include "procfs.h"

#define MAX_CONNECTIONS 256u /* that have not said hello yet */

static void hex(char *to, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(to + 2 * i, "%02x", from[i]);
}

int ht_collect_listen(char name[40], char token[40], struct ht_diag *d)
{
	uint8_t random[24];
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return ht_fail(d, HT_ERR_SYSTEM, "no random bytes: %s", strerror(errno));
	memcpy(name, "heaptide-", 10);
	hex(name + 9, random, 8);
	hex(token, random + 8, 16);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ht_fail(d, HT_ERR_SYSTEM, "socket: %s", strerror(errno));
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	memcpy(a.sun_path + 1, name, n);
	if (bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) ||
	    listen(fd, 512)) {
		int e = errno;
		close(fd);
		return ht_fail(d, HT_ERR_SYSTEM, "socket: %s", strerror(e));
	}
	return fd;
}

/* fd -1: refused. */
static bool answer(int to, uint64_t map_bytes, int fd)
{
	struct ht_welcome w = {.magic = HT_SEG_MAGIC, .map_bytes = fd < 0 ? 0 : map_bytes};
	struct iovec v = {&w, sizeof(w)};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(int));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(w);
}

/* Equal without telling by the time how much of it was. An empty token is equal to nothing. */
static bool same_token(const char *a, const char *b)
{
	unsigned differ = !a[0];
	for (size_t i = 0; i < 32; i++)
		differ |= (unsigned)(a[i] ^ b[i]);
	return !differ;
}

static bool wanted(const struct ht_collector *c)
{
	if (c->stopped || (c->command_ended && !c->settings->wait_all))
		return false;
	return !c->image_count || c->settings->follow & HT_FOLLOW_EXEC; /* the first one always */
}

/* The image whose program made this process: itself before exec, or the process that started it. */
static struct ht_guest *ancestor(struct ht_collector *c, pid_t pid)
{
	struct ht_guest *i = NULL;
	for (unsigned hops = 0; !i && pid > 1 && hops < 8; hops++) {
		i = ht_guest_live(c, pid);
		pid = ht_proc_parent(pid);
	}
	return i;
}

static void welcome(struct ht_collector *c, int fd, pid_t pid, const struct ht_hello *hello)
{
	struct ht_diag d = {0};
	struct ht_guest *draft = ht_guest_draft(c, pid);
	struct ht_host *h = wanted(c) ? ht_host_new(c, &d) : NULL;
	if (d.text[0])
		memcpy(c->result.refusal, d.text, sizeof(c->result.refusal) - 1);
	bool answered = answer(fd, h ? h->map_bytes : 0, h ? h->fd : -1);
	/* The process is another program now, recorded or not. What its old one still has in the rings comes first. */
	ht_drain_all(c);
	struct ht_guest *before = ht_guest_live(c, pid);
	struct ht_guest *parent = before ? before : ancestor(c, pid);
	if (before) {
		ht_guest_ending(c, before, true);
		ht_drain_all(c);
		ht_guests_close(c);
	}
	if (!h || !answered) {
		ht_guest_free(draft);
		if (h)
			ht_host_free(c, h);
		return;
	}
	h->pid = pid;
	h->nested = (pid_t)hello->pid != pid;
	ht_guest_begin(c, draft, h, hello->pid, c->image_count ? HT_IMAGE_EXEC : HT_IMAGE_FIRST, parent);
	c->result.attached = true;
	c->result.segment_flags |= hello->hooks;
}

static bool credentials(int fd, struct ucred *peer)
{
	socklen_t n = sizeof(*peer);
	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &n);
}

void ht_attach_hello(struct ht_collector *c, int fd, bool trusted)
{
	struct ht_hello hello;
	struct ucred peer;
	ssize_t got = recv(fd, &hello, sizeof(hello), MSG_DONTWAIT);
	if (got != (ssize_t)sizeof(hello) || hello.magic != HT_SEG_MAGIC || !credentials(fd, &peer))
		return;
	if (!trusted && !same_token(c->settings->token, hello.token))
		return;
	/* A socketpair names whoever made it: the target, or 0 across pid namespaces. */
	welcome(c, fd, peer.pid > 0 ? peer.pid : (pid_t)hello.pid, &hello);
}

void ht_attach_accept(struct ht_collector *c)
{
	struct ucred peer;
	int fd;
	while ((fd = accept4(c->settings->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		/* root inside a user namespace, or a program that changed its user, still has the token */
		bool known = credentials(fd, &peer) && (peer.uid == getuid() || peer.uid == 0 || !getuid());
		if (!known || c->connections >= MAX_CONNECTIONS) {
			close(fd);
			continue;
		}
		struct ht_source *s = ht_xcalloc(1, sizeof(*s));
		s->kind = HT_SOURCE_CONNECTION;
		s->fd = fd;
		c->connections++;
		ht_watch_add(c->watch, s);
	}
}

void ht_attach_connection(struct ht_collector *c, struct ht_source *s)
{
	ht_watch_remove(c->watch, s);
	ht_attach_hello(c, s->fd, false);
	close(s->fd);
	c->connections--;
	free(s);
}
