/*
 * detach: what makes the collector a process of its own: a session without a terminal, deaf to the
 * signals that end others, holding no descriptor but its own; and the sizes it allows itself on this machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collect.h"

static void close_between(unsigned from, unsigned to)
{
	if (from > to)
		return;
	if (syscall(SYS_close_range, from, to, 0) == 0)
		return;
	struct rlimit l = {1024, 1024}; /* kernels before 5.9 */
	getrlimit(RLIMIT_NOFILE, &l);
	for (unsigned fd = from; fd <= to && fd < l.rlim_cur && fd < 65536; fd++)
		close((int)fd);
}

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void close_others(const struct ht_collect_settings *s)
{
	int keep[] = {s->out_fd, s->listen_fd, s->listen_path_fd, s->hello_fd, s->control_fd};
	qsort(keep, HT_ARRAY_SIZE(keep), sizeof(*keep), compare_fds);
	unsigned from = 3;
	for (unsigned i = 0; i < HT_ARRAY_SIZE(keep); i++) {
		if (keep[i] < (int)from)
			continue;
		close_between(from, (unsigned)keep[i] - 1);
		from = (unsigned)keep[i] + 1;
	}
	close_between(from, ~0u);
}

static void deafen(void)
{
	static const int ignored[] = {SIGHUP,  SIGINT,	SIGQUIT, SIGPIPE, SIGALRM, SIGTERM,  SIGUSR1, SIGUSR2,
				      SIGTSTP, SIGTTIN, SIGTTOU, SIGXFSZ, SIGXCPU, SIGVTALRM, SIGPROF, SIGWINCH,
				      SIGIO,   SIGPWR};
	sigset_t none;
	for (size_t i = 0; i < HT_ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What limits the target need not limit us: as far as the hard limits allow. */
static void lift_limits(void)
{
	static const int which[] = {RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_DATA, RLIMIT_CPU};
	for (size_t i = 0; i < HT_ARRAY_SIZE(which); i++) {
		struct rlimit l;
		if (getrlimit(which[i], &l))
			continue;
		struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
		l.rlim_cur = l.rlim_max;
		if (setrlimit(which[i], &none)) /* that takes privilege */
			setrlimit(which[i], &l);
	}
}

void ht_collect_detach(const struct ht_collect_settings *s)
{
	deafen();
	setsid();
	lift_limits();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		if (fd != s->out_fd && fd != s->listen_fd && fd != s->listen_path_fd && fd != s->hello_fd && fd != s->control_fd)
			dup2(null, fd);
	close_others(s);
	prctl(PR_SET_NAME, "heaptide-collec", 0, 0, 0);
}

/* --- sizes -------------------------------------------------------------------------------- */

static uint64_t number_in(const char *path)
{
	char buf[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return UINT64_MAX;
	int64_t n = ht_pread_all(fd, buf, sizeof(buf) - 1, 0);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return buf[0] >= '0' && buf[0] <= '9' ? strtoull(buf, NULL, 10) : UINT64_MAX;
}

/* The limit of our cgroup (version 2), or of one above it. */
static uint64_t cgroup_limit(void)
{
	char line[4096], path[8192];
	uint64_t best = UINT64_MAX;
	FILE *f = fopen("/proc/self/cgroup", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = '\0';
		char *group = line + 3;
		for (char *slash; *group; *slash = '\0') {
			snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", group);
			uint64_t n = number_in(path);
			best = n < best ? n : best;
			slash = strrchr(group, '/');
			if (!slash)
				break;
		}
	}
	if (f)
		fclose(f);
	uint64_t own = number_in("/sys/fs/cgroup/memory.max");
	return own < best ? own : best;
}

static uint64_t memory(void)
{
	uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t limit = cgroup_limit();
	return limit < all ? limit : all;
}

uint64_t ht_collect_default_rings(void)
{
	uint64_t n = memory() / 16;
	if (n > 64u << 20)
		n = 64u << 20;
	return n < 1u << 20 ? 1u << 20 : n;
}

uint64_t ht_collect_default_memory(void)
{
	uint64_t n = memory() / 8;
	return n < 16u << 20 ? 16u << 20 : n;
}
