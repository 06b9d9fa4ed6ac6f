/*
 * sleeper: every way of waiting for time, and of waiting for what is written to disk.
 *
 *	sleeper TRUTH.json [TIMES]
 *
 * Two threads sleep and poll, one waits for a pipe that the first fills now and then, one writes a file and syncs it.
 */
#include "time_truth.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <threads.h>

static long times = 20;
static int ends[2];

static void *sleeps(void *unused)
{
	struct timespec ms = {0, 1000000}, until;
	(void)unused;
	truth_begin("sleeps");
	for (long i = 0; i < times; i++) {
		TRUTH(TRUTH_SLEEP, nanosleep(&ms, NULL));
		TRUTH(TRUTH_SLEEP, usleep(700));
		TRUTH(TRUTH_SLEEP, clock_nanosleep(CLOCK_MONOTONIC, 0, &ms, NULL));
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += 1500000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		TRUTH(TRUTH_SLEEP, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
		TRUTH(TRUTH_SLEEP, thrd_sleep(&ms, NULL));
		if (TRUTH(TRUTH_PIPE, write(ends[1], "x", 1)) != 1)
			abort();
	}
	TRUTH(TRUTH_PIPE, close(ends[1]));
	truth_end();
	return NULL;
}

static void *polls(void *unused)
{
	int quiet[2], set = epoll_create1(0);
	struct timespec ms = {0, 1000000};
	(void)unused;
	truth_begin("polls");
	if (pipe(quiet) != 0 || set < 0)
		abort();
	struct pollfd one = {.fd = quiet[0], .events = POLLIN};
	struct epoll_event in = {.events = EPOLLIN}, out;
	epoll_ctl(set, EPOLL_CTL_ADD, quiet[0], &in);
	for (long i = 0; i < times; i++) {
		struct timeval tv = {0, 1000};
		fd_set fds;
		FD_ZERO(&fds);
		FD_SET(quiet[0], &fds);
		TRUTH(TRUTH_POLL, poll(&one, 1, 1));
		TRUTH(TRUTH_POLL, ppoll(&one, 1, &ms, NULL));
		TRUTH(TRUTH_POLL, select(quiet[0] + 1, &fds, NULL, NULL, &tv));
		TRUTH(TRUTH_POLL, pselect(0, NULL, NULL, NULL, &ms, NULL));
		TRUTH(TRUTH_POLL, epoll_wait(set, &out, 1, 1));
		TRUTH(TRUTH_POLL, epoll_pwait(set, &out, 1, 1, NULL));
		poll(&one, 1, 0); /* a look, not a wait */
	}
	truth_end();
	return NULL;
}

static void *drinks(void *unused)
{
	char byte;
	(void)unused;
	truth_begin("drinks");
	while (TRUTH(TRUTH_PIPE, read(ends[0], &byte, 1)) == 1)
		;
	truth_end();
	return NULL;
}

static void *stores(void *path)
{
	static char page[65536];
	truth_begin("stores");
	int fd = TRUTH(TRUTH_DISK, open(path, O_CREAT | O_TRUNC | O_RDWR, 0600));
	if (fd < 0)
		abort();
	unlink(path);
	for (long i = 0; i < times; i++) {
		memset(page, (int)i, sizeof page);
		if (TRUTH(TRUTH_DISK, write(fd, page, sizeof page)) != sizeof page)
			abort();
		TRUTH(TRUTH_DISK, fsync(fd));
		if (TRUTH(TRUTH_DISK, pread(fd, page, sizeof page, 0)) != sizeof page)
			abort();
		TRUTH(TRUTH_DISK, fdatasync(fd));
	}
	TRUTH(TRUTH_DISK, close(fd));
	truth_end();
	return NULL;
}

int main(int argc, char **argv)
{
	void *(*const parts[4])(void *) = {sleeps, polls, drinks, stores};
	pthread_t threads[4];
	char path[4096];
	if (argc < 2 || pipe(ends) != 0)
		return 2;
	if (argc > 2)
		times = atol(argv[2]);
	snprintf(path, sizeof path, "%s.data", argv[1]);
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, parts[i], path) != 0)
			return 1;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return truth_write(argv[1]);
}
