/*
 * quiet: a target for tests of what is known of a process that tells nothing.
 *
 *	quiet child SECONDS	forks a child that allocates nothing and sleeps; the parent exits with 6 at once
 *	quiet raw SECONDS	the same past the C library's fork
 *	quiet strict		enters strict seccomp, allocates on, exits with 0
 */
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void *volatile block;

static void allocate(int count)
{
	for (int i = 0; i < count; i++) {
		block = malloc(123);
		*(volatile char *)block = 1;
		free(block);
	}
}

static int leave_child(double seconds, int raw)
{
	struct timespec nap = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
	long pid = raw ? syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L) : fork();

	if (pid < 0)
		return 1;
	if (pid > 0)
		return 6;
	nanosleep(&nap, NULL);
	_exit(0);
}

static int strict(void)
{
	allocate(1000);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 1;
	allocate(1000);
	syscall(SYS_exit, 0L);
	return 2;
}

int main(int argc, char **argv)
{
	allocate(100);
	if (argc == 3 && !strcmp(argv[1], "child"))
		return leave_child(atof(argv[2]), 0);
	if (argc == 3 && !strcmp(argv[1], "raw"))
		return leave_child(atof(argv[2]), 1);
	if (argc == 2 && !strcmp(argv[1], "strict"))
		return strict();
	fputs("quiet: child, raw or strict\n", stderr);
	return 2;
}
