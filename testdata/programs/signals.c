/*
 * signals: a target for tests of what becomes of signals and of ends.
 *
 *	signals die NUMBER		allocates, then kills itself with a signal
 *	signals exit STATUS		allocates, then exits
 *	signals wait SECONDS		allocates now and then, says "ready", and names the signals
 *that it gets: SIGINT ends it with 3, SIGTERM with 4, the end of its time with 5 signals daemon
 *SECONDS FILE	leaves a child in a session of its own that allocates for SECONDS and then writes
 *"finished" to FILE; the parent exits with 6 at once
 *	signals order			lines on stdout and stderr in turn, then exit 0
 *	signals orphan SECONDS		leaves a child in the same group; exits with 7
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t got_int, got_term, got_cont, got_usr1, got_winch;
static void *volatile block;

static void allocate(int count)
{
	for (int i = 0; i < count; i++) {
		block = malloc(123);
		*(volatile char *)block = 1;
		free(block);
	}
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static void on_signal(int number)
{
	switch (number) {
	case SIGINT:
		got_int = 1;
		break;
	case SIGTERM:
		got_term = 1;
		break;
	case SIGCONT:
		got_cont = 1;
		break;
	case SIGUSR1:
		got_usr1 = 1;
		break;
	default:
		got_winch = 1;
	}
}

static int report_signals(void)
{
	if (got_cont) {
		got_cont = 0;
		say("continued");
	}
	if (got_usr1) {
		got_usr1 = 0;
		say("usr1");
	}
	if (got_winch) {
		got_winch = 0;
		say("winch");
	}
	if (got_int) {
		say("int");
		return 3;
	}
	if (got_term) {
		say("term");
		return 4;
	}
	return 0;
}

static int wait_for_signals(double seconds)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGCONT, SIGUSR1, SIGWINCH};
	const struct timespec nap = {0, 10000000};
	struct sigaction action = {.sa_handler = on_signal};
	int status;

	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaction(numbers[i], &action, NULL);
	say("ready");
	for (double left = seconds; left > 0; left -= 0.01) {
		allocate(10);
		nanosleep(&nap, NULL);
		status = report_signals();
		if (status)
			return status;
	}
	return 5;
}

static void linger(double seconds)
{
	const struct timespec nap = {0, 10000000};

	for (double left = seconds; left > 0; left -= 0.01) {
		allocate(10);
		nanosleep(&nap, NULL);
	}
}

static int leave_child(double seconds, const char *file)
{
	pid_t pid = fork();
	FILE *f;

	if (pid < 0)
		return 1;
	if (pid > 0)
		return file ? 6 : 7;
	if (file)
		setsid();
	linger(seconds);
	if (file && (f = fopen(file, "w"))) {
		fputs("finished\n", f);
		fclose(f);
	}
	_exit(0);
}

static int order(void)
{
	for (int i = 1; i <= 3; i++) {
		allocate(10);
		printf("out %d\n", i);
		fflush(stdout);
		fprintf(stderr, "err %d\n", i);
	}
	return 0;
}

static int die(int number)
{
	const struct rlimit no_core = {0, 0};
	sigset_t set;

	setrlimit(RLIMIT_CORE, &no_core);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	signal(number, SIG_DFL);
	kill(getpid(), number);
	pause();
	return 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	allocate(1000);
	if (!strcmp(what, "die") && argc == 3)
		return die(atoi(argv[2]));
	if (!strcmp(what, "exit") && argc == 3)
		return atoi(argv[2]);
	if (!strcmp(what, "wait") && argc == 3)
		return wait_for_signals(atof(argv[2]));
	if (!strcmp(what, "daemon") && argc == 4)
		return leave_child(atof(argv[2]), argv[3]);
	if (!strcmp(what, "orphan") && argc == 3)
		return leave_child(atof(argv[2]), NULL);
	if (!strcmp(what, "order"))
		return order();
	fputs("signals: die, exit, wait, daemon, orphan or order\n", stderr);
	return 2;
}
