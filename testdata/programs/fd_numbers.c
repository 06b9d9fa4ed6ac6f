/*
 * fd_numbers: one number is one thing after another, and something is sent through each. It prints, as JSON lines,
 * which of its calls woke whoever waits for what: {"call", "kind", "object"}, the objects being inodes by fstat (of an
 * eventfd: its number).
 *
 *	fd_numbers
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NUMBER 40

static unsigned long long inode(int fd)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		abort();
	return st.st_ino;
}

static void wakes(const char *call, const char *kind, unsigned long long object)
{
	printf("{\"call\":\"%s\",\"kind\":\"%s\",\"object\":\"%llu\"}\n", call, kind, object);
}

static void must(long ok)
{
	if (!ok)
		abort();
}

static void as_file(const char *path, int times)
{
	must(dup2(open(path, O_WRONLY | O_CREAT, 0600), NUMBER) == NUMBER);
	for (int i = 0; i < times; i++)
		must(write(NUMBER, "x", 1) == 1);
}

static void as_pipe(int times)
{
	int p[2];
	char back[8];
	must(pipe(p) == 0 && dup2(p[1], NUMBER) == NUMBER && close(p[1]) == 0);
	wakes("close", "pipe", inode(NUMBER)); /* it may have been the last one that writes */
	for (int i = 0; i < times; i++) {
		struct iovec v = {(void *)(uintptr_t)"abc", 3};
		must(write(NUMBER, "x", 1) == 1 && writev(NUMBER, &v, 1) == 3 && read(p[0], back, sizeof back) == 4);
		wakes("write", "pipe", inode(NUMBER));
		wakes("writev", "pipe", inode(NUMBER));
	}
	must(close(p[0]) == 0);
	must(write(NUMBER, "x", 1) == -1); /* nobody is there */
}

static void as_pair(int times)
{
	int p[2];
	char back[8];
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0 && dup2(p[1], NUMBER) == NUMBER && close(p[1]) == 0);
	for (int i = 0; i < times; i++) {
		must(send(NUMBER, "x", 1, 0) == 1 && recv(p[0], back, 8, 0) == 1);
		wakes("send", "net", inode(p[0]));
		must(write(p[0], "yz", 2) == 2 && recv(NUMBER, back, 8, 0) == 2);
		wakes("write", "net", inode(NUMBER));
	}
	wakes("close", "net", inode(NUMBER));
	must(close(p[0]) == 0);
}

static void as_eventfd(int times)
{
	uint64_t one = 1;
	must(dup2(eventfd(0, EFD_NONBLOCK), NUMBER) == NUMBER);
	for (int i = 0; i < times; i++) {
		must(write(NUMBER, &one, sizeof one) == sizeof one);
		wakes("write", "other", 1ull << 63 | NUMBER);
	}
	must(write(NUMBER, &one, 1) == -1);
}

static void as_connection(int times)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	char back[8];
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	must(bind(listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(listener, 1) == 0 &&
	     getsockname(listener, (struct sockaddr *)&a, &size) == 0 &&
	     connect(client, (struct sockaddr *)&a, sizeof a) == 0);
	must(dup2(accept(listener, NULL, NULL), NUMBER) == NUMBER);
	for (int i = 0; i < times; i++) {
		must(send(client, "x", 1, 0) == 1 && read(NUMBER, back, 8) == 1);
		wakes("send", "net", inode(NUMBER));
		must(write(NUMBER, "yz", 2) == 2 && recv(client, back, 8, 0) == 2);
		wakes("write", "net", inode(client));
	}
	wakes("close", "net", inode(NUMBER));
	must(close(client) == 0);
	close(listener);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	for (int round = 1; round <= 40; round += 13) {
		as_file("fd_numbers.data", round);
		as_pipe(round);
		as_file("/dev/null", round);
		as_pair(round);
		as_pipe(1);
		as_eventfd(round);
		as_connection(round);
		as_file("fd_numbers.data", 1);
		must(close(NUMBER) == 0);
	}
	unlink("fd_numbers.data");
	return 0;
}
