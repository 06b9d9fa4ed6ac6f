/*
 * record_run: see record_run.h.
 *
 *	record ── fork ──▶ target: waits on `go`, then exec; an exec that fails is told through `failed`
 *	   │
 *	   └───── fork ──▶ collector: own session; talks through `control`
 *
 * All signals that concern us are blocked from before the first fork on and read from a signalfd, so
 * there is no handler and no race; the target gets back the mask and dispositions that record was started with.
 */
#include "record_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record_settings.h"

struct run {
	struct ht_recording *r;
	int go[2], failed[2], control[2];
	int out, listening, listening_path, signals;
	char name[40];
	sigset_t watched, before;
	struct sigaction child_before;
	pid_t collector;
	bool target_ended, collector_gone;
};

/* --- signals ------------------------------------------------------------------------------ */

static void hold_signals(struct run *u)
{
	static const int watched[] = {SIGCHLD, SIGINT,	SIGQUIT, SIGTERM, SIGHUP, SIGUSR1,
				      SIGUSR2, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT};
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigemptyset(&u->watched);
	for (size_t i = 0; i < HT_ARRAY_SIZE(watched); i++)
		sigaddset(&u->watched, watched[i]);
	sigprocmask(SIG_BLOCK, &u->watched, &u->before);
	sigaction(SIGCHLD, &plain, &u->child_before); /* ignored, it would take the wait status from us */
	u->signals = signalfd(-1, &u->watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void restore_signals(const struct run *u)
{
	sigaction(SIGCHLD, &u->child_before, NULL);
	sigprocmask(SIG_SETMASK, &u->before, NULL);
}

static bool is_stopped(pid_t pid)
{
	char path[64], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	int64_t n = ht_pread_all(fd, text, sizeof(text) - 1, 0);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	const char *p = strrchr(text, ')');
	return p && p[1] == ' ' && p[2] == 'T';
}

/* The target stopped: so do we, by the same signal, as whoever waits for us expects. */
static void mirror_stop(const struct run *u, int sig)
{
	struct sigaction now;
	sigset_t one;
	if (sig != SIGSTOP && !sigaction(sig, NULL, &now) && now.sa_handler == SIG_IGN)
		sig = SIGSTOP;
	sigemptyset(&one);
	sigaddset(&one, sig);
	raise(sig); /* blocked still: one that the terminal sent us, too, is the same one */
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	sigprocmask(SIG_BLOCK, &u->watched, NULL);
	/* Going on. The shell continues the whole group; kill(1) may have meant us alone. */
	usleep(2000);
	if (is_stopped(u->r->pid))
		kill(u->r->pid, SIGCONT);
}

static void tell(const struct run *u, enum ht_collect_word word, int value)
{
	struct ht_collect_message m = {.word = word, .value = value};
	send(u->control[0], &m, sizeof(m), MSG_NOSIGNAL);
}

static void take_signal(struct run *u, const struct signalfd_siginfo *s)
{
	pid_t pid = u->r->pid;
	bool sent = s->ssi_code <= 0 && (pid_t)s->ssi_pid != pid; /* by a process, not by the terminal */
	switch (s->ssi_signo) {
	case SIGTERM:
	case SIGHUP:
		if (sent && u->target_ended) {
			tell(u, HT_COLLECT_STOP, 0);
			break;
		} /* fall through */
	case SIGUSR1:
	case SIGUSR2:
	case SIGWINCH:
		if (sent && !u->target_ended)
			kill(pid, (int)s->ssi_signo);
		break;
	case SIGCONT:
		if (!u->target_ended && is_stopped(pid))
			kill(pid, SIGCONT);
		break;
	default: /* INT, QUIT: the terminal told the target, too; TSTP and the like: it decides, we follow */
		break;
	}
}

/* --- the children ------------------------------------------------------------------------- */

/* What the kernel has counted for it is to be read only until it is waited for. */
static void look_at_zombie(struct run *u, struct ht_collect_message *m)
{
	siginfo_t ended = {0};
	if (!m->has_schedstat && !u->target_ended &&
	    !waitid(P_PID, (id_t)u->r->pid, &ended, WEXITED | WNOHANG | WNOWAIT) && ended.si_pid == u->r->pid)
		m->has_schedstat = ht_schedstat_read(u->r->pid, u->r->pid, &m->schedstat);
}

/* Everything that ended or stopped; as the first process of a container, also what others left behind. */
static void reap(struct run *u)
{
	struct ht_collect_message end = {.word = HT_COLLECT_EXIT};
	struct rusage usage;
	int status;
	pid_t pid;
	while (look_at_zombie(u, &end), (pid = wait4(-1, &status, WNOHANG | WUNTRACED, &usage)) > 0) {
		if (pid == u->collector && !WIFSTOPPED(status)) {
			u->collector_gone = true;
		} else if (pid == u->r->pid && WIFSTOPPED(status)) {
			mirror_stop(u, WSTOPSIG(status));
		} else if (pid == u->r->pid) {
			u->target_ended = true;
			u->r->wait_status = status;
			u->r->usage = usage;
			end.value = status;
			send(u->control[0], &end, sizeof(end), MSG_NOSIGNAL);
		}
	}
}

static char **target_environment(const struct run *u)
{
	size_t n = 0;
	while (u->r->environment[n])
		n++;
	char **env = ht_xcalloc(n + 3, sizeof(*env)), **to = env;
	for (size_t i = 0; i < n; i++)
		*to++ = u->r->environment[i];
	*to++ = ht_xasprintf("LD_PRELOAD=%s", u->r->preload);
	*to++ = ht_xasprintf("HEAPTIDE_ATTACH=%s,%s,%s", u->name, u->r->settings.listen_path, u->r->settings.token);
	return env;
}

/* Never returns. In the child, or with --exec in record's own process. */
static void become_target(const struct run *u, char **env)
{
	restore_signals(u);
	execvpe(u->r->command[0], u->r->command, env);
	int e = errno;
	(void)!write(u->failed[1], &e, sizeof(e));
	_exit(e == ENOENT ? 127 : 126);
}

static void start_target(struct run *u)
{
	char **env = target_environment(u);
	u->r->pid = fork();
	if (u->r->pid != 0)
		return;
	char byte;
	close(u->go[1]);
	if (read(u->go[0], &byte, 1) != 1)
		_exit(125); /* record gave up */
	become_target(u, env);
}

static void collect(struct run *u)
{
	struct ht_collect_settings s = u->r->settings;
	struct ht_collect_result result;
	s.out_fd = u->out;
	s.listen_fd = u->listening;
	s.listen_path_fd = u->listening_path;
	s.control_fd = u->control[1];
	ht_collect_detach(&s);
	_exit(ht_collect_run(&s, &result) ? 1 : 0);
}

/* away: not as our child, so that a target that takes our place has none that it did not start. */
static pid_t start_collector(struct run *u, bool away)
{
	pid_t pid = fork();
	if (pid == 0) {
		if (away && fork() != 0)
			_exit(0);
		collect(u);
	}
	if (pid > 0 && away)
		waitpid(pid, NULL, 0);
	return pid;
}

static bool collector_ready(const struct run *u)
{
	struct ht_collect_result first;
	ssize_t n;
	while ((n = recv(u->control[0], &first, sizeof(first), 0)) < 0 && errno == EINTR)
		;
	return n == (ssize_t)sizeof(first) && first.ready;
}

/* --- the course of things ----------------------------------------------------------------- */

static void close_all(struct run *u)
{
	int *fds[] = {&u->go[0], &u->go[1], &u->failed[0], &u->failed[1], &u->control[0],
		      &u->control[1], &u->out, &u->listening, &u->listening_path, &u->signals};
	for (size_t i = 0; i < HT_ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int prepare(struct run *u, struct ht_diag *d)
{
	u->listening = ht_collect_listen(u->name, u->r->settings.token, d);
	if (u->listening < 0)
		return u->listening;
	u->listening_path = ht_collect_listen_path(u->r->settings.listen_path);
	if (pipe2(u->go, O_CLOEXEC) || pipe2(u->failed, O_CLOEXEC) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, u->control))
		return ht_fail(d, HT_ERR_SYSTEM, "cannot prepare: %s", strerror(errno));
	return 0;
}

static int open_output(struct run *u, pid_t pid, struct ht_diag *d)
{
	u->r->path = ht_record_file_name(u->r->pattern, u->r->command[0], pid);
	u->out = ht_record_file_open(u->r->path, u->r->force, d);
	return u->out < 0 ? u->out : 0;
}

static int start_collecting(struct run *u, bool away, struct ht_diag *d)
{
	u->collector = start_collector(u, away);
	close_one(&u->control[1]);
	close_one(&u->listening);
	close_one(&u->listening_path);
	close_one(&u->out);
	if (u->collector < 0 || !collector_ready(u)) {
		unlink(u->r->path);
		return ht_fail(d, HT_ERR_SYSTEM, "the collector could not start");
	}
	return 0;
}

/* The target has execed (0), or the errno of its failure. */
static int exec_result(struct run *u)
{
	int e = 0;
	ssize_t n;
	close_one(&u->failed[1]);
	while ((n = read(u->failed[0], &e, sizeof(e))) < 0 && errno == EINTR)
		;
	return n == (ssize_t)sizeof(e) ? e : 0;
}

static void take_result(struct run *u)
{
	ssize_t n = recv(u->control[0], &u->r->result, sizeof(u->r->result), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	u->r->has_result = n == (ssize_t)sizeof(u->r->result);
	close_one(&u->control[0]); /* that was all, or it died */
}

/* Until the target has ended and the collector has said its last word. */
static void wait_for_all(struct run *u)
{
	while (!u->target_ended || u->control[0] >= 0) {
		struct pollfd f[2] = {{.fd = u->signals, .events = POLLIN}, {.fd = u->control[0], .events = POLLIN}};
		if (poll(f, 2, -1) < 0 && errno != EINTR)
			return;
		struct signalfd_siginfo s;
		while (read(u->signals, &s, sizeof(s)) == (ssize_t)sizeof(s))
			take_signal(u, &s);
		reap(u);
		if (f[1].revents)
			take_result(u);
	}
	if (!u->collector_gone)
		waitpid(u->collector, NULL, 0);
}

static int run_replaced(struct run *u, struct ht_diag *d)
{
	u->r->pid = getpid();
	int r = open_output(u, getpid(), d);
	if (!r)
		r = start_collecting(u, true, d);
	if (r)
		return r;
	tell(u, HT_COLLECT_PID, u->r->pid);
	char **env = target_environment(u);
	restore_signals(u);
	execvpe(u->r->command[0], u->r->command, env);
	u->r->exec_error = errno;
	tell(u, HT_COLLECT_STOP, 0);
	unlink(u->r->path);
	return 0;
}

static int run_child(struct run *u, struct ht_diag *d)
{
	start_target(u);
	if (u->r->pid < 0)
		return ht_fail(d, HT_ERR_SYSTEM, "fork: %s", strerror(errno));
	close_one(&u->go[0]);
	int r = open_output(u, u->r->pid, d);
	if (!r)
		r = start_collecting(u, false, d);
	if (r) {
		close_one(&u->go[1]);
		waitpid(u->r->pid, NULL, 0);
		return r;
	}
	tell(u, HT_COLLECT_PID, u->r->pid);
	(void)!write(u->go[1], "g", 1);
	close_one(&u->go[1]);
	u->r->exec_error = exec_result(u);
	if (u->r->exec_error) {
		tell(u, HT_COLLECT_STOP, 0);
		unlink(u->r->path);
	}
	wait_for_all(u);
	return 0;
}

int ht_record_run(struct ht_recording *r, struct ht_diag *d)
{
	struct run u = {.r = r, .go = {-1, -1}, .failed = {-1, -1}, .control = {-1, -1}, .out = -1,
			.listening = -1, .listening_path = -1, .signals = -1};
	r->settings.command = (const char *const *)r->command;
	int e = prepare(&u, d);
	hold_signals(&u);
	if (!e)
		e = r->replace ? run_replaced(&u, d) : run_child(&u, d);
	restore_signals(&u);
	close_all(&u);
	ht_collect_unlink_path(r->settings.listen_path); /* the collector does, unless it was killed */
	return e;
}
