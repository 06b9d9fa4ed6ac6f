/*
 * calls_ended: each call of the list below, blocking, is ended in four ways: by a signal whose handler does not restart
 * calls; by something to do, after signals whose handler does restart them (or by the signal, where such are never
 * restarted); by a cancellation, whose clean-up must run; by a jump out of a handler.
 */
#include "calls_table.h"

static char room[64];
static struct iovec part = {room, sizeof room};
static struct timespec long_time = {1000, 0};
static struct timespec left;
static fd_set set;

static fd_set *only(int fd)
{
	FD_ZERO(&set);
	FD_SET(fd, &set);
	return &set;
}

static long message(bool out, int fd)
{
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	return out ? sendmsg(fd, &m, 0) : recvmsg(fd, &m, 0);
}

static long messages(bool out, int fd)
{
	struct mmsghdr m = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
	return out ? sendmmsg(fd, &m, 1, 0) : recvmmsg(fd, &m, 1, 0, NULL);
}

static sigset_t signals(int extra)
{
	sigset_t s;
	sigemptyset(&s);
	if (extra)
		sigaddset(&s, extra);
	return s;
}

/* What the cases wait for, as a pointer that lives. */
static sigset_t usr2, none;
static siginfo_t info;
static int got;
static struct pollfd one;
static struct epoll_event event;
static struct rusage usage;

static struct pollfd *entry(void)
{
	one = (struct pollfd){.fd = place.empty[0], .events = POLLIN};
	return &one;
}

/* name, the blocking call */
#define CASES(X)                                                                                   \
	X(read, read(place.empty[0], room, sizeof room))                                           \
	X(readv, readv(place.empty[0], &part, 1))                                                  \
	X(preadv2, preadv2(place.empty[0], &part, 1, -1, 0))                                       \
	X(write, write(place.full[1], room, 1))                                                    \
	X(writev, writev(place.full[1], &part, 1))                                                 \
	X(pwritev2, pwritev2(place.full[1], &part, 1, -1, 0))                                      \
	X(recv, recv(place.pair[0], room, sizeof room, 0))                                         \
	X(recvfrom, recvfrom(place.pair[0], room, sizeof room, 0, NULL, NULL))                     \
	X(recvmsg, message(false, place.pair[0]))                                                  \
	X(recvmmsg, messages(false, place.pair[0]))                                                \
	X(send, send(place.stuffed[0], room, sizeof room, 0))                                      \
	X(sendto, sendto(place.stuffed[0], room, sizeof room, 0, NULL, 0))                         \
	X(sendmsg, message(true, place.stuffed[0]))                                                \
	X(sendmmsg, messages(true, place.stuffed[0]))                                              \
	X(accept, accept(place.listener, NULL, NULL))                                              \
	X(accept4, accept4(place.listener, NULL, NULL, SOCK_CLOEXEC))                              \
	X(open, open(place.fifo, O_RDONLY))                                                        \
	X(openat, openat(AT_FDCWD, place.fifo, O_WRONLY))                                          \
	X(flock, flock(place.lock, LOCK_EX))                                                       \
	X(lockf, lockf(place.lock, F_LOCK, 0))                                                     \
	X(poll, poll(entry(), 1, -1))                                                              \
	X(ppoll, ppoll(entry(), 1, &long_time, NULL))                                              \
	X(select, select(place.empty[0] + 1, only(place.empty[0]), NULL, NULL, NULL))              \
	X(pselect, pselect(place.empty[0] + 1, only(place.empty[0]), NULL, NULL, &long_time, NULL)) \
	X(epoll_wait, epoll_wait(place.epoll, &event, 1, 1000000))                                 \
	X(epoll_pwait, epoll_pwait(place.epoll, &event, 1, -1, NULL))                              \
	X(epoll_pwait2, epoll_pwait2(place.epoll, &event, 1, &long_time, NULL))                    \
	X(nanosleep, nanosleep(&long_time, &left))                                                 \
	X(clock_nanosleep, clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, &left))                 \
	X(clock_nanosleep_abs, clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &never, NULL))       \
	X(thrd_sleep, thrd_sleep(&long_time, &left))                                               \
	X(sleep, sleep(1000) > 900)                                                                \
	X(usleep, usleep(900000000))                                                               \
	X(pause, pause())                                                                          \
	X(sigsuspend, sigsuspend(&none))                                                           \
	X(sigwaitinfo, sigwaitinfo(&usr2, &info))                                                  \
	X(sigtimedwait, sigtimedwait(&usr2, &info, &long_time))                                    \
	X(sigwait, sigwait(&usr2, &got))                                                           \
	X(waitpid, waitpid(place.child, NULL, 0) == place.child ? 1 : -1)                          \
	X(wait, wait(NULL) == place.child ? 1 : -1)                                                \
	X(wait3, wait3(NULL, 0, &usage) == place.child ? 1 : -1)                                   \
	X(wait4, wait4(place.child, NULL, 0, &usage) == place.child ? 1 : -1)                      \
	X(waitid, waitid(P_PID, (id_t)place.child, &info, WEXITED))

static const struct timespec never = {4000000000, 0};
#define DEFINE(name, call)                \
	static long call_##name(void)     \
	{                                 \
		return (long)(call);      \
	}
CASES(DEFINE)
static const struct {
	const char *name;
	long (*call)(void);
} cases[] = {
#define ROW(name, call) {#name, call_##name},
	CASES(ROW)
};
#define COUNT (sizeof cases / sizeof *cases)

/* The thread that calls, and the one that ends it. */
static pthread_t caller;
static volatile int stage; /* 0 not begun, 1 about to call, 2 over */
static volatile sig_atomic_t handled;
static sigjmp_buf out_of_it;
static enum { RETURN, JUMP } handler_does;

static volatile pid_t caller_tid;

/* Until the caller sleeps in its call: what comes before that would end nothing. */
static void wait_until_asleep(void)
{
	char path[64], text[256];
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)caller_tid);
	for (char state = 0; stage == 1 && state != 'S';) {
		FILE *f = fopen(path, "r");
		size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
		if (f)
			fclose(f);
		text[n] = 0;
		char *name_end = strrchr(text, ')');
		state = name_end ? name_end[2] : 0;
		if (state != 'S')
			usleep(200);
	}
}

static void on_signal(int sig)
{
	(void)sig;
	handled = handled + 1;
	if (handler_does == JUMP && stage == 1) {
		stage = 2;
		siglongjmp(out_of_it, 1);
	}
}

static void handle(int flags, int does)
{
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = flags};
	handler_does = does;
	sigaction(SIGUSR1, &a, NULL);
}

/* Everything that any case waits for. */
static void fulfil(void)
{
	char byte = 'x';
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "listener"};
	static char much[1 << 20];
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	if (write(place.empty[1], &byte, 1) != 1 || write(place.pair[1], &byte, 1) != 1)
		abort();
	if (connect(client, (struct sockaddr *)&name, sizeof name) != 0)
		abort();
	close(client);
	if (read(place.full[0], much, sizeof much) < 0 || recv(place.stuffed[1], much, sizeof much, 0) < 0)
		abort();
	flock(place.locked, LOCK_UN);
	kill(place.child, SIGKILL);
	pthread_kill(caller, SIGUSR2);
	int end = open(place.fifo, O_RDWR | O_NONBLOCK); /* for the one that opens it */
	while (stage == 1)
		usleep(200);
	close(end);
}

/* Pesters the caller until it is out of its call; with something to do after some signals, if it is let go on. */
static void *pester(void *go_on)
{
	while (!stage)
		usleep(100);
	for (int i = 0; stage == 1; i++) {
		wait_until_asleep();
		if (i >= 3 && go_on) {
			fulfil();
			break;
		}
		pthread_kill(caller, SIGUSR1);
		usleep(1000);
	}
	return NULL;
}

/* thrd_sleep's and clock_nanosleep's answers are their own; errno is not theirs to set. */
static void interrupt(size_t i, const char *how, bool go_on)
{
	pthread_t helper;
	char text[80];
	sigset_t block = signals(SIGUSR2);
	place_make(&place);
	pthread_sigmask(SIG_BLOCK, &block, NULL);
	caller = pthread_self();
	caller_tid = gettid();
	stage = handled = 0;
	pthread_create(&helper, NULL, pester, go_on ? (void *)"go on" : NULL);
	errno = 9999;
	stage = 1;
	long r = cases[i].call();
	int e = errno;
	stage = 2;
	pthread_join(helper, NULL);
	snprintf(text, sizeof text, "%s %s", how, cases[i].name);
	errno = e;
	if (r > 2) /* a descriptor or bytes; which of a stuffed pipe's answers comes is the kernel's */
		r = 3;
	show(text, r);
	struct timespec no_time = {0, 0};
	while (sigtimedwait(&usr2, NULL, &no_time) > 0) /* what fulfil has sent */
		;
	place_clear(&place);
}

static void jumped(size_t i)
{
	pthread_t helper;
	place_make(&place);
	caller = pthread_self();
	caller_tid = gettid();
	stage = handled = 0;
	pthread_create(&helper, NULL, pester, NULL);
	bool out = false;
	if (!sigsetjmp(out_of_it, 1)) {
		stage = 1;
		cases[i].call();
	} else {
		out = true;
	}
	pthread_join(helper, NULL);
	printf("%-60s %s\n", cases[i].name, out ? "jumped" : "returned");
	place_clear(&place);
}

/* ---- cancellation ---- */

static volatile int cleaned;
static void clean_up(void *add)
{
	cleaned += *(int *)add;
}

static void *cancelled(void *of)
{
	int one_more = 1, ten_more = 10;
	size_t i = *(size_t *)of;
	caller_tid = gettid();
	pthread_cleanup_push(clean_up, &one_more);
	pthread_cleanup_push(clean_up, &ten_more);
	stage = 1;
	cases[i].call();
	stage = 2;
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

/* Pending before the call: whether data is there or not, a cancellation point acts on it. */
static void *cancelled_before(void *of)
{
	size_t i = *(size_t *)of;
	void *result = (void *)1;
	int one_more = 1;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	stage = 1;
	while (stage == 1)
		usleep(100);
	pthread_cleanup_push(clean_up, &one_more);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	cases[i].call();
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cleanup_pop(0);
	return result;
}

static void cancel(size_t i, bool before)
{
	void *result = NULL;
	place_make(&place);
	stage = cleaned = 0;
	pthread_create(&caller, NULL, before ? cancelled_before : cancelled, &i);
	while (!stage)
		usleep(100);
	if (!before)
		wait_until_asleep();
	pthread_cancel(caller);
	if (before) {
		stage = 2;
	} else if (!strcmp(cases[i].name, "flock")) { /* no cancellation point: it has to end */
		usleep(1000);
		flock(place.locked, LOCK_UN);
	}
	pthread_join(caller, &result);
	printf("cancel%s %-50s %s, cleaned %d\n", before ? " before" : "", cases[i].name,
	       result == PTHREAD_CANCELED ? "cancelled" : "returned", cleaned);
	place_clear(&place);
}

void ended(void)
{
	usr2 = signals(SIGUSR2);
	none = signals(0);
	for (size_t i = 0; i < COUNT; i++) {
		bool no_signal_ends_it = !strcmp(cases[i].name, "sigwait");
		handle(0, RETURN);
		interrupt(i, "EINTR", no_signal_ends_it);
		handle(SA_RESTART, RETURN);
		interrupt(i, "SA_RESTART", true);
		fflush(stdout); /* before a child could inherit it */
	}
	handle(0, JUMP);
	for (size_t i = 0; i < COUNT; i++)
		jumped(i);
	fflush(stdout);
	for (size_t i = 0; i < COUNT; i++) {
		cancel(i, false);
		if (strcmp(cases[i].name, "flock"))
			cancel(i, true);
		fflush(stdout);
	}
}
