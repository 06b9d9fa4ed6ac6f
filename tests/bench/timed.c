/*
 * timed: runs a command and writes what it cost, as one JSON object.
 *
 *	timed -o FILE [-c CPU] [-s FILE] [-t SECONDS] [-m MILLISECONDS] [-g] -- COMMAND [ARG...]
 *
 * Two of them stand around a measured program: the outer one sees the recorder and all it leaves behind (it is a
 * subreaper, and waits for every orphan), the inner one the program alone. Built twice: linked statically it ignores
 * LD_PRELOAD, so that a recorder never sees it; `heaptide record` starts no static program, and gets the dynamic one.
 *
 *	-c	bind the command to this processor
 *	-s	its standard output, apart from what a recorder prints
 *	-t	kill it after so many seconds
 *	-m	look at the command's memory that often. It disturbs: not for runs whose time counts
 *	-g	a process group of its own, so that -t and a signal end all of it
 *
 * All values are nanoseconds and bytes. wall, cpu, rss: of the command, from fork to its end. tree_*: until the last
 * descendant is gone, rss being the largest single process. shared: pages of shared memory, as rings are; 0 without -m.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile pid_t victim; /* what a signal to us is passed on to: the command, or with -g its group, negative */

static void pass_on(int sig)
{
	if (victim)
		kill(victim, sig == SIGALRM ? SIGKILL : sig);
}

static long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static long long cpu_ns(const struct rusage *u)
{
	return (u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000ll + (u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000ll;
}

/* RssShmem of a process in bytes; 0 when it has ended. */
static long long shared_bytes(pid_t pid)
{
	char path[64], line[256];
	long long kb = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "RssShmem: %lld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb * 1024;
}

/* Looks at the command's shared memory until it ends; the maximum. */
static long long watch(pid_t pid, int every_ms)
{
	long long most = 0;
	struct pollfd end = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	if (end.fd < 0)
		return 0;
	int ended;
	do {
		ended = poll(&end, 1, every_ms);
		long long seen = shared_bytes(pid);
		if (seen > most)
			most = seen;
	} while (ended == 0 || (ended < 0 && errno == EINTR));
	close(end.fd);
	return most;
}

int main(int argc, char **argv)
{
	const char *out = NULL, *said = NULL;
	int cpu = -1, seconds = 0, every_ms = 0, group = 0, opt;

	while ((opt = getopt(argc, argv, "+o:c:s:t:m:g")) != -1) {
		switch (opt) {
		case 'o': out = optarg; break;
		case 'c': cpu = atoi(optarg); break;
		case 's': said = optarg; break;
		case 't': seconds = atoi(optarg); break;
		case 'm': every_ms = atoi(optarg); break;
		case 'g': group = 1; break;
		default: return 2;
		}
	}
	if (!out || optind >= argc) {
		fprintf(stderr, "usage: timed -o FILE [-c CPU] [-s FILE] [-t SECONDS] [-m MILLISECONDS] [-g] -- COMMAND [ARG...]\n");
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

	long long start = now_ns();
	pid_t pid = fork();
	if (pid < 0) {
		perror("timed: fork");
		return 1;
	}
	if (pid == 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		if (cpu >= 0) {
			CPU_SET(cpu, &set);
			if (sched_setaffinity(0, sizeof set, &set) < 0) {
				perror("timed: cannot bind to the processor");
				_exit(125);
			}
		}
		if (said && !freopen(said, "w", stdout)) {
			fprintf(stderr, "timed: %s: %s\n", said, strerror(errno));
			_exit(125);
		}
		if (group)
			setpgid(0, 0);
		execvp(argv[optind], argv + optind);
		fprintf(stderr, "timed: %s: %s\n", argv[optind], strerror(errno));
		_exit(127);
	}
	if (group)
		setpgid(pid, pid); /* also here: whoever comes first */
	victim = group ? -pid : pid;
	struct sigaction act = { .sa_handler = pass_on };
	sigaction(SIGALRM, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	alarm((unsigned)seconds);

	long long shared = every_ms > 0 ? watch(pid, every_ms) : 0;
	int status = 0;
	struct rusage own, tree;
	while (wait4(pid, &status, 0, &own) < 0)
		if (errno != EINTR)
			return 1;
	long long end = now_ns();
	if (!group)
		victim = 0; /* the pid may be another's now; a group stays ours while one of it is left */
	while (wait4(-1, NULL, 0, NULL) > 0 || errno == EINTR)
		;
	long long tree_end = now_ns();
	getrusage(RUSAGE_CHILDREN, &tree);
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);

	FILE *f = fopen(out, "w");
	if (!f) {
		fprintf(stderr, "timed: %s: %s\n", out, strerror(errno));
		return 1;
	}
	fprintf(f, "{\"pid\": %d, \"status\": %d, \"wall\": %lld, \"cpu\": %lld, \"rss\": %lld, \"shared\": %lld, "
		   "\"tree_wall\": %lld, \"tree_cpu\": %lld, \"tree_rss\": %lld}\n",
		(int)pid, code, end - start, cpu_ns(&own), own.ru_maxrss * 1024ll, shared,
		tree_end - start, cpu_ns(&tree), tree.ru_maxrss * 1024ll);
	return fclose(f) == 0 ? code : 1;
}
