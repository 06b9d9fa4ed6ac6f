/* calls_table: see calls_table.h. Runs in a folder of its own, which it fills and clears. */
#include "calls_table.h"

#include <sys/un.h>

struct place place;

void show(const char *name, long result)
{
	int e = errno;
	printf("%-60s %4ld %s\n", name, result, e == 9999 ? "-" : e == 0 ? "0" : strerrorname_np(e));
}

static void nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static void fill(int fd)
{
	static char zeros[4096];
	nonblocking(fd, true);
	while (write(fd, zeros, sizeof zeros) > 0 || write(fd, zeros, 1) > 0)
		;
	nonblocking(fd, false);
}

void place_make(struct place *p)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listener"};
	struct epoll_event in = {.events = EPOLLIN};
	struct flock region = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int ready[2];
	char byte;
	unlink("listener");
	unlink("fifo");
	strcpy(p->fifo, "fifo");
	if (pipe(p->empty) || pipe(p->full) || socketpair(AF_UNIX, SOCK_STREAM, 0, p->pair) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, p->stuffed) || mkfifo(p->fifo, 0600) || pipe(ready))
		abort();
	fill(p->full[1]);
	fill(p->stuffed[0]);
	p->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(p->listener, (struct sockaddr *)&name, sizeof name) || listen(p->listener, 1))
		abort();
	p->epoll = epoll_create1(0);
	epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->empty[0], &in);
	p->locked = open("locked", O_CREAT | O_RDWR, 0600);
	p->lock = open("locked", O_RDWR);
	flock(p->locked, LOCK_EX);
	p->child = fork();
	if (p->child == 0) { /* holds a lock of the region kind, which are a process's, and waits for its end */
		int fd = open("locked", O_RDWR);
		fcntl(fd, F_SETLK, &region);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(ready[0], &byte, 1) != 1)
		abort();
	close(ready[0]);
	close(ready[1]);
}

void place_clear(struct place *p)
{
	const int fds[] = {p->empty[0], p->empty[1], p->full[0], p->full[1], p->pair[0], p->pair[1], p->stuffed[0],
			   p->stuffed[1], p->listener, p->epoll, p->locked, p->lock};
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		close(fds[i]);
	if (p->child > 0) {
		kill(p->child, SIGKILL);
		while (waitpid(p->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	unlink("listener");
	unlink("fifo");
	unlink("locked");
}

void in_child(const char *name, void (*f)(void))
{
	int status = -1;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		f();
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("%-60s signal %d\n", name, WTERMSIG(status));
	else
		printf("%-60s exit %d\n", name, WEXITSTATUS(status));
}

int main(void)
{
	char folder[] = "/tmp/calls_table.XXXXXX";
	if (!mkdtemp(folder) || chdir(folder) != 0)
		return 1;
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	signal(SIGPIPE, SIG_IGN);
	answers();
	ended();
	fflush(stdout);
	return rmdir(folder) != 0;
}
