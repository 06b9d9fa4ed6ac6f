/* sym_run: see sym_run.h. */
#include "sym_run.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE_MAX 16
#define READ_SIZE   (64 * 1024)

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

size_t sym_processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return n < 1 ? 1 : n > AT_ONCE_MAX ? AT_ONCE_MAX : (size_t)n;
}

/* A file that was handed to the child may be mapped on top of what it may use. */
static void allow_mapping(int pid, int fd)
{
	struct stat st;
	struct rlimit r;
	if (fstat(fd, &st) || prlimit(pid, RLIMIT_AS, NULL, &r) || r.rlim_cur == RLIM_INFINITY)
		return;
	rlim_t room = r.rlim_max - r.rlim_cur, size = (rlim_t)st.st_size;
	r.rlim_cur += size < room ? size : room;
	prlimit(pid, RLIMIT_AS, &r, NULL);
}

static int open_for_child(void *ctx, const struct sym_question *q, char *path, size_t path_size)
{
	struct sym_job *j = ctx;
	uint64_t start = now_ns();
	int fd = sym_open_question(j->places, j->path, q, path, path_size);
	if (fd >= 0)
		allow_mapping(j->pid, fd);
	/* A slow server is not the child's fault. */
	*j->paused += now_ns() - start;
	return fd;
}

static bool settle(struct sym_job *j, enum ht_symbols_kind kind, const char *reason)
{
	j->kind = kind;
	snprintf(j->reason, sizeof(j->reason), "%s", reason);
	return false;
}

/* Forks; no signal handler of the program may run in the child. -1 with errno. */
static int start_child(struct sym_job *j, int module)
{
	int ends[2];
	sigset_t all, old;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int pid = fork();
	if (pid == 0)
		sym_worker_run(&j->task, ends[1], module);
	int saved = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	errno = saved;
	j->pid = pid;
	j->socket = ends[0];
	return pid < 0 ? -1 : 0;
}

static const char *missing_reason(int why)
{
	switch (why) {
	case ENOENT:
	case ENOTDIR:
		return "no such file";
	case EINVAL:
		return "not a regular file";
	case EACCES:
	case EPERM:
		return "no permission to read it";
	default:
		return "cannot be opened";
	}
}

/* False when the job ended before it began: its kind says why. */
static bool start(struct sym_job *j, struct sym_arena *arena)
{
	int module = sym_open_module(j->places, j->path);
	int why = errno;
	if (module < 0) { /* the program is gone, its debug file may be here */
		struct sym_question q = { SYM_FILE_DEBUG, 0, "", j->task.build_id, j->task.build_id_len };
		char found[SYM_PATH_SIZE];
		module = sym_open_question(j->places, j->path, &q, found, sizeof(found));
	}
	if (module < 0)
		return settle(j, HT_SYMBOLS_MISSING, missing_reason(why));
	int rc = start_child(j, module);
	why = errno;
	close(module);
	if (rc)
		return settle(j, HT_SYMBOLS_LIMIT, why == EAGAIN ? "too many processes to start one more" :
								   "no process could be started");
	j->reply = (struct sym_reply){ .arena = arena, .answers = j->answers, .answer_count = j->task.count,
				       .open_file = open_for_child, .ctx = j, .socket = j->socket };
	j->deadline = now_ns() - *j->paused + j->wall_seconds * UINT64_C(1000000000);
	return true;
}

/* What a child that did not finish has shown, in words. */
static void judge(struct sym_job *j, int status, int fed, bool late)
{
	char reason[256];
	unsigned seconds = j->task.limits.cpu_seconds;
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	enum ht_symbols_kind kind = HT_SYMBOLS_LIMIT;
	if (late)
		snprintf(reason, sizeof(reason), "reading took more than %u s", j->wall_seconds);
	else if (fed == HT_ERR_LIMIT)
		snprintf(reason, sizeof(reason), "names without end");
	else if (sig == SIGXCPU || (sig == SIGKILL && !fed))
		snprintf(reason, sizeof(reason), "reading took more than %u s of processor time", seconds);
	else if (!sig && WIFEXITED(status) && WEXITSTATUS(status) == 3)
		snprintf(reason, sizeof(reason), "reading took more than %llu MiB of memory",
			 (unsigned long long)(j->task.limits.memory >> 20));
	else {
		kind = HT_SYMBOLS_BROKEN;
		if (sig == SIGBUS)
			snprintf(reason, sizeof(reason), "the file became shorter while it was read");
		else if (fed)
			snprintf(reason, sizeof(reason), "the reader sent nonsense");
		else if (sig)
			snprintf(reason, sizeof(reason), "the reader crashed (signal %d)", sig);
		else
			snprintf(reason, sizeof(reason), "the reader stopped early");
	}
	if (j->reply.has_kind && j->reply.kind != HT_SYMBOLS_NONE)
		strncat(reason, " in debug information; names are those of the symbol table", sizeof(reason) - strlen(reason) - 1);
	settle(j, kind, reason);
}

static void end(struct sym_job *j, int fed, bool late)
{
	int status = 0;
	/* At the end of its stream a child goes by itself. */
	if (late || fed)
		kill(j->pid, SIGKILL);
	while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(j->socket);
	if (j->reply.done && !fed && j->reply.has_kind)
		settle(j, j->reply.kind, j->reply.reason);
	else
		judge(j, status, fed, late);
	sym_reply_release(&j->reply);
}

/* Reads what is there; true when the job has ended. */
static bool listen_to(struct sym_job *j)
{
	uint8_t data[READ_SIZE];
	ssize_t n = recv(j->socket, data, sizeof(data), MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	int fed = n > 0 ? sym_reply_feed(&j->reply, data, (size_t)n) : 0;
	if (n > 0 && !fed)
		return false;
	end(j, fed, false);
	return true;
}

static int wait_time(struct sym_job *const *running, size_t n)
{
	uint64_t now = now_ns() - *running[0]->paused, soonest = UINT64_MAX;
	for (size_t i = 0; i < n; i++)
		if (running[i]->deadline < soonest)
			soonest = running[i]->deadline;
	uint64_t ms = soonest <= now ? 0 : (soonest - now) / 1000000 + 1;
	return ms > 60000 ? 60000 : (int)ms;
}

/* Waits for news of the running jobs, takes them in; how many still run. */
static size_t turn(struct sym_job **running, size_t n)
{
	struct pollfd fds[AT_ONCE_MAX];
	for (size_t i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = running[i]->socket, .events = POLLIN };
	poll(fds, n, wait_time(running, n));
	size_t left = 0;
	for (size_t i = 0; i < n; i++) {
		struct sym_job *j = running[i];
		if (fds[i].revents && listen_to(j))
			continue;
		if (now_ns() - *j->paused >= j->deadline)
			end(j, 0, true);
		else
			running[left++] = j;
	}
	return left;
}

void sym_run_all(struct sym_job *jobs, size_t count, struct sym_places *places, struct sym_arena *arena,
		 void (*progress)(void *ctx, size_t done, size_t total), void *ctx)
{
	struct sym_job *running[AT_ONCE_MAX];
	size_t n = 0, next = 0, at_once = sym_processors();
	uint64_t paused = 0;
	while (next < count || n) {
		while (n < at_once && next < count) {
			struct sym_job *j = &jobs[next++];
			j->places = places;
			j->paused = &paused;
			if (start(j, arena))
				running[n++] = j;
		}
		if (n)
			n = turn(running, n);
		if (progress)
			progress(ctx, next - n, count);
	}
}
