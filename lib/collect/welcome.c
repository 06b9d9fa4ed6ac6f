/*
 * welcome: hellos in, segments out. One exchange per image: a hello of fixed size whose sender the kernel
 * vouches for, a welcome with the memfd. Nothing on a connection is waited for: a peer that does not
 * say hello at once is a descriptor among others until it hangs up. Only the very first, whom there is nothing to do without, is.
 *
 * Whoever asks waits, and not for long. So all that ask are answered first, and only then is drained, once,
 * what must be told before their images may begin.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "collector.h"
#include "procfs.h"

#define MAX_CONNECTIONS 256u /* that have not said hello yet */
#define FIRST_HELLO_MS 3000 /* whoever started us and then does not say hello is dead, or will not */

static void hex(char *to, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sprintf(to + 2 * i, "%02x", from[i]);
}

/* The descriptor, or -1 and errno. */
static int listen_at(const struct sockaddr_un *a, size_t length)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || (!bind(fd, (const struct sockaddr *)a, (socklen_t)length) && !listen(fd, 512)))
		return fd;
	int e = errno;
	close(fd);
	errno = e;
	return -1;
}

int ht_collect_listen(char name[40], char token[40], struct ht_diag *d)
{
	uint8_t random[24];
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return ht_fail(d, HT_ERR_SYSTEM, "no random bytes: %s", strerror(errno));
	memcpy(name, "heaptide-", 10);
	hex(name + 9, random, 8);
	hex(token, random + 8, 16);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = strlen(name);
	memcpy(a.sun_path + 1, name, n);
	int fd = listen_at(&a, offsetof(struct sockaddr_un, sun_path) + 1 + n);
	return fd >= 0 ? fd : ht_fail(d, HT_ERR_SYSTEM, "socket: %s", strerror(errno));
}

/* ',' ends the path in HEAPTIDE_ATTACH; a folder of another's is no place for a socket of ours. */
static bool usable(const char *folder)
{
	struct stat s;
	return folder && folder[0] == '/' && !strchr(folder, ',') && strlen(folder) < 60 && !stat(folder, &s) &&
	       S_ISDIR(s.st_mode) && s.st_uid == getuid() && !(s.st_mode & 022);
}

int ht_collect_listen_path(char path[HT_COLLECT_PATH])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(path, HT_COLLECT_PATH, "%s/heaptide-XXXXXX", usable(runtime) ? runtime : "/tmp");
	if (!mkdtemp(path)) { /* fresh, and 0700 */
		path[0] = '\0';
		return -1;
	}
	strcat(path, "/attach");
	memcpy(a.sun_path, path, strlen(path) + 1);
	int fd = listen_at(&a, sizeof(a));
	if (fd < 0)
		ht_collect_unlink_path(path);
	return fd;
}

void ht_collect_unlink_path(char path[HT_COLLECT_PATH])
{
	char *slash = strrchr(path, '/');
	if (!slash)
		return;
	unlink(path);
	*slash = '\0';
	rmdir(path);
	path[0] = '\0';
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

/* The image whose program made this process, or the nearest one above; a quiet child stands for its parent. */
static struct ht_guest *ancestor(struct ht_collector *c, pid_t pid)
{
	struct ht_guest *i = NULL;
	for (unsigned hops = 0; !i && pid > 1 && hops < 8; hops++) {
		i = ht_guest_live(c, pid);
		pid = ht_proc_parent(pid);
	}
	return i && i->quiet ? i->parent : i;
}

static void add_arrival(struct ht_collector *c, const struct ht_arrival *a)
{
	for (size_t i = 0; i < c->arrival_count; i++)
		if (c->arrivals[i].draft->pid == a->draft->pid) { /* it has become another program again */
			ht_attach_begin(c);
			break;
		}
	if (c->arrival_count == c->arrival_cap) {
		c->arrival_cap = c->arrival_cap ? 2 * c->arrival_cap : 16;
		c->arrivals = ht_xrealloc(c->arrivals, c->arrival_cap, sizeof(*c->arrivals));
	}
	c->arrivals[c->arrival_count++] = *a;
}

/* The process is another program now, recorded or not. */
static struct ht_guest *replaced(struct ht_collector *c, pid_t pid)
{
	struct ht_guest *before = ht_guest_live(c, pid);
	if (before) {
		before->exec_seen = 0;
		ht_guest_ending(c, before, true);
	}
	return before;
}

static void welcome(struct ht_collector *c, int fd, pid_t pid, const struct ht_hello *hello)
{
	struct ht_diag d = {0};
	bool wants = wanted(c);
	struct ht_arrival a = {.own_pid = hello->pid};
	a.draft = ht_guest_draft(c, pid);
	a.parent = ancestor(c, pid);
	a.host = wants ? ht_host_new(c, &d) : NULL;
	if (a.host)
		ht_switches_welcome(c, a.draft, a.parent);
	if (d.text[0])
		memcpy(c->result.refusal, d.text, sizeof(c->result.refusal) - 1);
	if (!answer(fd, a.host ? a.host->map_bytes : 0, a.host ? a.host->fd : -1) || !a.host) {
		c->totals->exec_not_attached += wants; /* it gave up waiting, or there is no memory */
		if (a.host)
			ht_host_free(c, a.host);
		ht_guest_free(a.draft);
		replaced(c, pid);
		return;
	}
	a.host->pid = pid;
	a.host->nested = (pid_t)hello->pid != pid;
	ht_switches_image(c, a.draft); /* it waited until now: what is known of its process is known of this program */
	add_arrival(c, &a);
	c->result.attached = true;
	c->result.segment_flags |= hello->hooks;
}

void ht_attach_begin(struct ht_collector *c)
{
	if (!c->arrival_count)
		return;
	/* What their old programs still have in the rings comes first; it may tell of forks, too. */
	ht_drain_all(c);
	bool closes = false;
	for (size_t i = 0; i < c->arrival_count; i++) {
		struct ht_arrival *a = &c->arrivals[i];
		struct ht_guest *before = replaced(c, a->draft->pid);
		if (before)
			a->parent = before->quiet ? before->parent : before;
		closes |= before != NULL;
	}
	if (closes) {
		ht_drain_all(c);
		ht_guests_close(c);
	}
	size_t count = c->arrival_count;
	c->arrival_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct ht_arrival *a = &c->arrivals[i];
		ht_guest_begin(c, a->draft, a->host, a->own_pid, c->image_count ? HT_IMAGE_EXEC : HT_IMAGE_FIRST,
			       a->parent);
	}
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
	struct pollfd there = {.fd = fd, .events = POLLIN};
	if (trusted) /* by the program that started us, and we may be up before it has said anything */
		poll(&there, 1, FIRST_HELLO_MS);
	ssize_t got = recv(fd, &hello, sizeof(hello), MSG_DONTWAIT);
	if (got != (ssize_t)sizeof(hello) || hello.magic != HT_SEG_MAGIC || !credentials(fd, &peer))
		return;
	if (!trusted && !same_token(c->settings->token, hello.token))
		return;
	/* A socketpair names whoever made it: the target, or 0 across pid namespaces. */
	welcome(c, fd, peer.pid > 0 ? peer.pid : (pid_t)hello.pid, &hello);
}

void ht_attach_accept(struct ht_collector *c, int listen_fd)
{
	struct ucred peer;
	int fd;
	while ((fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		/* root inside a user namespace, or a program that changed its user, still has the token */
		bool known = credentials(fd, &peer) && (peer.uid == getuid() || peer.uid == 0 || !getuid());
		if (!known || c->connections >= MAX_CONNECTIONS) {
			c->totals->exec_not_attached += known;
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
