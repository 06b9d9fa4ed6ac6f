/*
 * hostile_filter: a program that forbids itself, on pain of death, the system calls that somebody might make on its
 * behalf: to look at descriptors, at sockets' addresses, at clocks. How the filter comes to be is the argument:
 * prctl (libc's, both times), seccomp (prctl, then the system call), syscall (both by syscall()), bare (by the
 * system call alone, which the superuser may). Then it waits and wakes in all the ways that it is left with.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FORBIDDEN(number) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static struct sock_filter rules[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	FORBIDDEN(SYS_fstat),
	FORBIDDEN(SYS_newfstatat),
	FORBIDDEN(SYS_statx),
	FORBIDDEN(SYS_getsockname),
	FORBIDDEN(SYS_getpeername),
	FORBIDDEN(SYS_clock_gettime),
	FORBIDDEN(SYS_fcntl),
	FORBIDDEN(SYS_ioctl),
	FORBIDDEN(SYS_prctl),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_fprog filter = {sizeof(rules) / sizeof(rules[0]), rules};

static int forbid(const char *how)
{
	if (!strcmp(how, "prctl"))
		return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
	if (!strcmp(how, "seccomp"))
		return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
	if (!strcmp(how, "syscall"))
		return syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		       syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0;
}

static int pipes[2], pair[2], event, listener;
static pthread_barrier_t forbidden;

static void *other(void *unused)
{
	char byte = 'x';
	uint64_t one = 1;
	pthread_barrier_wait(&forbidden);
	usleep(5000);
	(void)!write(pipes[1], &byte, 1);
	usleep(5000);
	(void)!send(pair[1], &byte, 1, 0);
	usleep(5000);
	(void)!write(event, &one, 8);
	usleep(5000);
	free(malloc(100));
	close(pipes[1]);
	return unused;
}

int main(int argc, char **argv)
{
	char byte;
	uint64_t count;
	pthread_t thread;
	if (argc != 2 || pipe(pipes) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
	    (event = eventfd(0, 0)) < 0 || (listener = socket(AF_INET, SOCK_STREAM, 0)) < 0)
		return 2;
	static char out[4096];
	setvbuf(stdout, out, _IOFBF, sizeof(out)); /* else libc would look at it */
	printf("%s:", argv[1]);
	pthread_barrier_init(&forbidden, NULL, 2);
	if (pthread_create(&thread, NULL, other, NULL) != 0)
		return 2;
	if (forbid(argv[1])) {
		fprintf(stderr, "no filter: %s\n", strerror(errno));
		_exit(77);
	}
	pthread_barrier_wait(&forbidden);
	printf(" %zd", read(pipes[0], &byte, 1));
	printf(" %zd", recv(pair[0], &byte, 1, 0));
	printf(" %zd", read(event, &count, 8));
	printf(" %zd", read(pipes[0], &byte, 1));
	struct pollfd p = {.fd = event, .events = POLLIN};
	printf(" %d", poll(&p, 1, 10));
	struct timespec past = {1, 0};
	printf(" %d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL));
	printf(" %d", close(pair[1]));
	pthread_join(thread, NULL);
	free(malloc(1000));
	printf(" done\n");
	fflush(stdout);
	_exit(0);
}
