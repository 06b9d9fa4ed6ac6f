/*
 * echo: a server that echoes with epoll, and clients, all threads of one process, over TCP on the loopback.
 *
 *	echo TRUTH.json [CLIENTS] [ROUNDS]
 *
 * Each client's recv that had to wait was ended by the server's send: those are the handoffs.
 */
#include "time_truth.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static int listener, clients = 4;
static long rounds = 1000;
static int server_tid, client_tids[TRUTH_MAX];
static unsigned long woken[TRUTH_MAX];
static struct sockaddr_in address = {.sin_family = AF_INET};

static void answer(int fd)
{
	char text[256];
	ssize_t n = TRUTH(TRUTH_NET, recv(fd, text, sizeof text, 0));
	if (n <= 0)
		TRUTH(TRUTH_NET, close(fd));
	else if (TRUTH(TRUTH_NET, send(fd, text, (size_t)n, 0)) != n)
		abort();
}

static void *serve(void *unused)
{
	int set = epoll_create1(0), open = 0, seen = 0;
	struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, ready[16];
	(void)unused;
	server_tid = truth_begin("server");
	epoll_ctl(set, EPOLL_CTL_ADD, listener, &e);
	while (seen < clients || open) {
		int n = TRUTH(TRUTH_POLL, epoll_wait(set, ready, 16, -1));
		for (int i = 0; i < n; i++) {
			if (ready[i].data.fd == listener) {
				int fd = TRUTH(TRUTH_NET, accept4(listener, NULL, NULL, 0));
				e.data.fd = fd;
				epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
				open++;
				seen++;
			} else if (ready[i].events & EPOLLIN) {
				char byte;
				if (TRUTH(TRUTH_NET, recv(ready[i].data.fd, &byte, 1, MSG_PEEK)) == 0)
					open--;
				answer(ready[i].data.fd);
			}
		}
	}
	truth_end();
	return NULL;
}

static void *ask(void *number)
{
	char name[16], text[64], back[64];
	snprintf(name, sizeof name, "client%ld", (long)(intptr_t)number);
	client_tids[(intptr_t)number] = truth_begin(name);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (TRUTH(TRUTH_NET, connect(fd, (struct sockaddr *)&address, sizeof address)) != 0)
		abort();
	for (long i = 0; i < rounds; i++) {
		int n = snprintf(text, sizeof text, "%s %ld", name, i), got = 0;
		if (TRUTH(TRUTH_NET, send(fd, text, (size_t)n, 0)) != n)
			abort();
		while (got < n) {
			uint64_t begin = truth_now();
			ssize_t more = recv(fd, back + got, (size_t)(n - got), 0);
			if (more <= 0)
				abort();
			woken[(intptr_t)number] += truth_waited(TRUTH_NET, begin) >= 2000;
			got += (int)more;
		}
		if (memcmp(text, back, (size_t)n) != 0)
			abort();
	}
	TRUTH(TRUTH_NET, close(fd));
	truth_end();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t server, client[TRUTH_MAX];
	socklen_t size = sizeof address;
	if (argc < 2)
		return 2;
	if (argc > 2)
		clients = atoi(argv[2]);
	if (argc > 3)
		rounds = atol(argv[3]);
	if (clients < 1 || clients > TRUTH_MAX - 2)
		return 2;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 64) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) != 0)
		return 1;
	if (pthread_create(&server, NULL, serve, NULL) != 0)
		return 1;
	for (int i = 0; i < clients; i++)
		if (pthread_create(&client[i], NULL, ask, (void *)(intptr_t)i) != 0)
			return 1;
	for (int i = 0; i < clients; i++)
		pthread_join(client[i], NULL);
	pthread_join(server, NULL);
	for (int i = 0; i < clients; i++)
		truth_handoff(server_tid, client_tids[i], TRUTH_NET, woken[i]);
	return truth_write(argv[1]);
}
